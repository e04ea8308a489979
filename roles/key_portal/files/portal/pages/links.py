# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Signing in by mail: asking for a link, opening it. Signing out, however somebody signed in.

Opening a link shows what it is for, and only the button there does it, because programs that check mails open links as well. Nothing
is kept of links: one signs in as often as it is used, until it is too old, and makes its request once, as the request itself shows.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common.email_address import parse_address
from fastapi import APIRouter, Form, Query
from fastapi.responses import Response

from ..identity.link import METHOD, begin_session, remove_cookie
from ..identity.roles import SEES_ALL
from ..link_mail import MailThread, link_mail
from ..rates import mailbox_of, peer_of
from ..sign_on import OIDC
from ..signing import ASKING, SIGNING_IN, Expired
from ..trail import SIGNED_IN, SIGNED_OUT, note_event, note_failure, remember_method
from .page import AnyPage, Page, PageError

router = APIRouter()
log = logging.getLogger("portal")

LONGEST_LINK = 6_000
"""Characters of a link that every mail program and proxy passes on."""


@router.get("/sign-in")
def sign_in_page(page: AnyPage, next_path: Annotated[str, Query(alias="next")] = "") -> Response:
    """Show the ways to sign in: single sign-on, the form that asks for a link, and that of the administrator."""
    return show_sign_in(page, next_path)


@router.post("/sign-in")
def sign_in(page: AnyPage, csrf: Annotated[str, Form()] = "", email: Annotated[str, Form()] = "") -> Response:
    """Mail a link that signs in whoever opens it."""
    page.check_form(csrf)
    try:
        address = str(parse_address(email.strip()))
    except ValueError:
        return show_sign_in(page, "", 422, problem="ask.wrong_email", email=email)
    return send_link(page, SIGNING_IN, address)


def show_sign_in(page: Page, next_path: str, status: int = 200, **values: str) -> Response:
    """Return the page with the ways to sign in. `problem` is of the form for a link, `refusal` of that of the administrator."""
    usual = {"problem": "", "email": "", "refusal": "", "username": ""}
    return page.show("sign_in.html", status, next=next_path, **{**usual, **values})


@router.get("/sent")
def sent(page: AnyPage) -> Response:
    """Say that a mail was sent, if it was."""
    return page.show("sent.html", minutes=page.settings.link_minutes)


@router.get("/link")
def link_page(page: AnyPage, token: Annotated[str, Query(alias="t")] = "") -> Response:
    """Show what a link is for, with the button that does it."""
    purpose, content = _opened(page, token)
    return page.show("link.html", token=token, purpose=purpose, email=content["email"], wish=content.get("wish"))


@router.post("/link")
def open_link(page: AnyPage, csrf: Annotated[str, Form()] = "", token: Annotated[str, Form(alias="t")] = "") -> Response:
    """Sign in whoever opened a link, and make the request that it carries. Raises StoreError."""
    from .ask import make_request, wish_from_link

    try:
        page.check_form(csrf)
    except PageError:
        if not _was_used_here(page, token):
            raise
        return page.go("/mine")  # the button was pressed again on a page from before signing in, whose token is gone
    purpose, content = _opened(page, token)
    email = content["email"]
    if purpose == ASKING:
        remember_method(email, METHOD)
        answer = make_request(page, wish_from_link(content["wish"]), by=email, linked_at=content.get("at", ""))
    else:
        sees_all = not page.settings.role_book.caller(email, METHOD).roles.isdisjoint(SEES_ALL)
        answer = page.go("/admin" if sees_all else "/mine")
    begin_session(answer, page.signer, page.settings, email)
    remove_cookie(answer, page.settings, "visitor")  # whoever knew the token of the forms before does not know the next one
    note_event(page.portal.clock(), SIGNED_IN, email, METHOD)
    return answer


@router.post("/sign-out")
def sign_out(page: AnyPage, csrf: Annotated[str, Form()] = "") -> Response:
    """End the session of this browser."""
    from .single_sign_on import provider_logout

    page.check_form(csrf)
    known = page.person or page.admin
    elsewhere = provider_logout(page) if known is not None and known.method == OIDC else ""
    answer: Response = page.show("signed_out.html", elsewhere=elsewhere, person=None, admin=None) if elsewhere else page.go("/ask")
    for name in ("session", "visitor", "hint"):
        remove_cookie(answer, page.settings, name)
    if known is not None:
        note_event(page.portal.clock(), SIGNED_OUT, known.who, known.method)
    return answer


@router.get("/signed-out")
def signed_out(page: AnyPage) -> Response:
    """Show whoever comes back from the provider that they are signed out."""
    return page.show("signed_out.html", elsewhere="")


def send_link(page: Page, purpose: str, email: str, **content: Any) -> Response:
    """Mail a link, unless the address got too many. The answer does not say so. Raises PageError if the peer asks too often."""
    if page.request.app.state.mails is None or METHOD not in page.settings.identity_methods:
        raise PageError(404, "error.missing")
    rates = page.request.app.state.rates
    if not rates.allows("peer", peer_of(page.request)):
        raise PageError(429, "error.too_often")
    link = f"{base_address(page)}/link?t={page.signer.sign(purpose, {'email': email, 'at': page.portal.clock(), **content})}"
    if len(link) > LONGEST_LINK:
        raise PageError(422, "error.too_long")
    if rates.allows("address", mailbox_of(email)):
        mails: MailThread = page.request.app.state.mails
        wanted = _offered(page, content.get("wish", {}))
        mail = link_mail(mails.sender, email, link, page.language, purpose=purpose, minutes=page.settings.link_minutes, wanted=wanted)
        mails.send(mail)
    return page.go("/sent")


def _offered(page: Page, wish: Mapping[str, Any]) -> str:
    """Return what a mail says of a wish: what the catalogue has, and nothing that was typed, because anybody can type anybody's address."""
    if wish.get("package"):
        return page.language("mine.package", package=wish["package"])
    models = wish.get("models", ())
    return ", ".join(models) if {card.id for card in page.portal.catalogue().models}.issuperset(models) else ""


def base_address(page: Page) -> str:
    """Return the address under which the portal is opened: never what the browser says, which others can choose."""
    if page.settings.url:
        return page.settings.url.rstrip("/")
    scheme = "https" if page.settings.serves_https else "http"
    host, port = page.request.scope["server"]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _was_used_here(page: Page, token: str) -> bool:
    """Return whether this browser is signed in as the person of a link."""
    for purpose in (ASKING, SIGNING_IN):
        with suppress(Expired):
            content = page.signer.read(purpose, token, page.settings.link_minutes * 60)
            if content is not None:
                return page.person is not None and page.person.email == content["email"]
    return False


def _opened(page: Page, token: str) -> tuple[str, dict[str, Any]]:
    """Return the purpose and the content of a link. Raises PageError."""
    for purpose in (ASKING, SIGNING_IN):
        try:
            content = page.signer.read(purpose, token, page.settings.link_minutes * 60)
        except Expired:
            note_failure(page.request, "somebody", METHOD, "the link is too old")
            raise PageError(410, "error.link_expired") from None
        if content is not None:
            return purpose, content
    note_failure(page.request, "somebody", METHOD, "the link is not valid")
    raise PageError(400, "error.link_forged")
