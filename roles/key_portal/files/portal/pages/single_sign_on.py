# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Single sign-on: to the OpenID Connect provider, back from it with a code, and out of it.

Nothing is kept here between going and coming back. The cookie `oidc` names the browser; nonce and PKCE's verifier follow from it and from
the random part of the state, which is signed. So several tabs can sign in at once, and a state from another browser is worthless.
"""

from __future__ import annotations

import logging
import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse, Response

from ..identity.link import remove_cookie, set_cookie
from ..identity.oidc import METHOD, begin_session, seconds_now
from ..identity.roles import SEES_ALL
from ..signing import SIGN_ON_STATE, Expired
from ..trail import SIGNED_IN, note_event, note_failure
from .links import base_address
from .page import AnyPage, Page, PageError
from .site import own_path

router = APIRouter(prefix="/oidc")
log = logging.getLogger("portal")

STATE_SECONDS = 15 * 60
"""How long somebody may take to sign in at the provider."""
LONGEST_NEXT, LONGEST_HINT = 500, 3_500
"""Characters of a path to come back to, and of a token that fits into a cookie."""
NOBODY_KNOWN = "somebody"
_NOT_NEXT = ("/oidc/", "/sign-", "/link", "/signed-out", "/language")
KNOWN_ERRORS = {
    "access_denied": (403, "error.sso_denied"),
    "login_required": (401, "error.sso_denied"),
    "consent_required": (403, "error.sso_denied"),
    "interaction_required": (401, "error.sso_denied"),
    "server_error": (503, "error.sso_down"),
    "temporarily_unavailable": (503, "error.sso_down"),
}
"""What providers send people back with. Everything else is their failure, or somebody's invention."""


@router.get("/sign-in")
def go_to_provider(page: AnyPage, next_path: Annotated[str, Query(alias="next")] = "") -> Response:
    """Send the browser to the provider, which sends it back to /oidc/callback."""
    provider = _provider(page)
    browser = _browser(page) or secrets.token_urlsafe(32)
    number = secrets.token_urlsafe(16)
    state = page.signer.sign(SIGN_ON_STATE, {"number": number, "browser": page.signer.derive("browser", browser), "next": next_of(next_path)})
    address = _asked(page, provider.authorization_address, _redirect_address(page), state=state, language=page.language.code, **_secrets(page, browser, number))
    answer = RedirectResponse(address, 303)
    set_cookie(answer, page.settings, "oidc", browser)
    return answer


@router.get("/callback")
def come_back(
    page: AnyPage,
    state: Annotated[str, Query()] = "",
    code: Annotated[str, Query()] = "",
    error: Annotated[str, Query()] = "",
    issuer: Annotated[str | None, Query(alias="iss")] = None,
) -> Response:
    """Sign in whoever comes back from the provider in the browser that went there. Raises PageError."""
    provider, browser = _provider(page), _browser(page)
    content = _read_state(page, state, browser)
    if issuer not in (None, page.settings.oidc_issuer):
        raise _failed(page, 403, "error.sso_refused", "the answer names another issuer")
    if error:
        status, key = KNOWN_ERRORS.get(error, (400, "error.sso_failed"))
        raise _failed(page, status, key, f"the provider said {error if error in KNOWN_ERRORS else 'another error'}")
    now = seconds_now(page.request)
    found = _asked(page, provider.redeem, code, _redirect_address(page), now=now, **_secrets(page, browser, content["number"]))
    caller = page.settings.role_book.caller(found.email, METHOD, found.groups)
    if not caller.roles:
        raise _failed(page, 403, "error.sso_no_role", "no group gives a role", caller.who)
    answer = page.go(content["next"] or ("/admin" if not caller.roles.isdisjoint(SEES_ALL) else "/mine"))
    seconds = begin_session(answer, page.signer, page.settings, found.email, found.groups, found.end, now)
    remove_cookie(answer, page.settings, "visitor")  # whoever knew the token of the forms before does not know the next one
    if len(found.token) <= LONGEST_HINT:
        set_cookie(answer, page.settings, "hint", found.token, seconds)
    else:
        remove_cookie(answer, page.settings, "hint")
    note_event(page.portal.clock(), SIGNED_IN, found.email, METHOD)
    return answer


def provider_logout(page: Page) -> str:
    """Return where to sign out at the provider, or nothing if there is no such place or it does not answer."""
    hint = page.request.cookies.get(page.settings.cookie("hint"), "")
    address: str = _provider(page).logout_address(f"{base_address(page)}/signed-out", hint)
    return address


def next_of(text: str) -> str:
    """Return the path to come back to, or nothing if `text` is not a page of this site."""
    usable = 0 < len(text) <= LONGEST_NEXT and own_path(text) == text and not text.startswith(_NOT_NEXT)
    return text if usable else ""


def _provider(page: Page) -> Any:
    provider = page.request.app.state.provider
    if provider is None:
        raise PageError(404, "error.missing")
    return provider


def _redirect_address(page: Page) -> str:
    return f"{base_address(page)}/oidc/callback"


def _browser(page: Page) -> str:
    """Return the name of the browser, which it got when it went to the provider."""
    known = page.request.cookies.get(page.settings.cookie("oidc"), "")
    return known if len(known) == 43 and known.isascii() else ""


def _secrets(page: Page, browser: str, number: str) -> dict[str, str]:
    return {"nonce": page.signer.derive("nonce", browser, number), "verifier": page.signer.derive("verifier", browser, number)}


def _read_state(page: Page, state: str, browser: str) -> dict[str, Any]:
    try:
        content = page.signer.read(SIGN_ON_STATE, state, STATE_SECONDS)
    except Expired:
        raise _failed(page, 400, "error.sso_state", "the sign-in took too long") from None
    if content is None or not browser or content["browser"] != page.signer.derive("browser", browser):
        raise _failed(page, 400, "error.sso_state", "the sign-in began elsewhere")
    return content


def _asked(page: Page, call: Any, *arguments: Any, **options: Any) -> Any:
    """Return what a call of the provider returns. Raises PageError."""
    from ..identity.provider import ProviderDown, SignInRefused

    try:
        return call(*arguments, **options)
    except ProviderDown:
        raise PageError(503, "error.sso_down") from None
    except SignInRefused as error:
        raise _failed(page, error.status, error.key, error.why) from None


def _failed(page: Page, status: int, key: str, why: str, who: str = NOBODY_KNOWN) -> PageError:
    note_failure(page.request, who, METHOD, why)
    return PageError(status, key)
