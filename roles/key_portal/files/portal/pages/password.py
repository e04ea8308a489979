# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Signing in as the administrator, with name and password in a form. Signing out is in `links.py`, as for everybody."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import Response

from ..errors import Refused
from ..identity.basic import METHOD, BasicIdentity
from ..identity.link import remove_cookie
from ..trail import SIGNED_IN, note_event
from .links import show_sign_in
from .page import AnyPage, PageError
from .single_sign_on import next_of

router = APIRouter()
_REFUSALS = {401: "sign_in.wrong", 429: "sign_in.too_many"}


@router.post("/sign-in/password")
def sign_in(
    page: AnyPage,
    csrf: Annotated[str, Form()] = "",
    username: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next_path: Annotated[str, Form(alias="next")] = "",
) -> Response:
    """Sign in whoever types the administrator's name and password, and go on to the page that they wanted. Raises PageError."""
    page.check_form(csrf)
    if METHOD not in page.settings.identity_methods:
        raise PageError(404, "error.missing")
    if not username or not password:
        return show_sign_in(page, next_path, 422, refusal="sign_in.incomplete", username=username)
    administrator = BasicIdentity(page.settings)
    try:
        caller = administrator.verify(page.request, username.encode("utf-8", "replace"), password.encode("utf-8", "replace"))
    except Refused as error:
        return show_sign_in(page, next_path, error.status, refusal=_REFUSALS[error.status], username=username)
    answer = page.go(next_of(next_path) or "/admin")
    administrator.begin_session(page.request, answer)
    for name in ("visitor", "hint"):  # whoever knew the token of the forms before does not know the next one
        remove_cookie(answer, page.settings, name)
    note_event(page.portal.clock(), SIGNED_IN, caller.who, METHOD)
    return answer
