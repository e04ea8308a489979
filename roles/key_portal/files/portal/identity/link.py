# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""People who opened a link that was mailed to their address: a session in a signed cookie afterwards.

Asking for a link and opening it are pages, see `pages/links.py`.
"""

from __future__ import annotations

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common.email_address import parse_address
from fastapi import Request, Response

from ..settings import Settings
from ..signing import SESSION, Expired, Signer
from .caller import Caller

METHOD = "link"


class LinkIdentity:
    """The person whose address is in the session. A cookie that is not valid, or not any more, says nothing."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._roles = settings, settings.role_book

    def identify(self, request: Request) -> Caller | None:
        signer: Signer = request.app.state.signer
        try:
            content = signer.read(SESSION, request.cookies.get(self._settings.cookie("session"), ""), self._settings.session_hours * 3600)
            address = str(parse_address((content or {}).get("email")))
        except (Expired, ValueError):
            return None
        return self._roles.caller(address, METHOD, has_session=True)


def begin_session(response: Response, signer: Signer, settings: Settings, email: str) -> None:
    """Let the browser that gets `response` be signed in as the person with this address."""
    seconds = int(settings.session_hours * 3600)
    set_cookie(response, settings, "session", signer.sign(SESSION, {"email": email}), seconds)


def set_cookie(response: Response, settings: Settings, name: str, value: str, seconds: int | None = None) -> None:
    """Set a cookie of the portal; without `seconds` until the browser is closed."""
    response.set_cookie(settings.cookie(name), value, max_age=seconds, path="/", secure=settings.secure_cookies, httponly=True, samesite="lax")


def remove_cookie(response: Response, settings: Settings, name: str) -> None:
    response.delete_cookie(settings.cookie(name), path="/", secure=settings.secure_cookies, httponly=True, samesite="lax")
