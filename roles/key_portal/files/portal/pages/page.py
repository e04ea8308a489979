# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What all pages share: who looks at them, in which language, the token of their forms, and how they are made from templates."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import cached_property
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from ..errors import Refused, shown
from ..identity import CHALLENGE, Caller, find_caller
from ..identity import basic as by_password
from ..identity.link import set_cookie
from ..identity.roles import ASKS, DECIDES, EXPORTS, RETRIES, SEES_ALL
from ..language import Language, best_language, languages
from ..settings import Settings
from ..signing import Signer
from ..store import PortalDesk
from ..templating import render_template
from ..trail import FORBIDDEN, note_event

VISITOR_LENGTH = 43
YEAR = 365 * 24 * 3600
SIGN_IN_METHODS = frozenset((by_password.METHOD, "link", "oidc"))
"""Methods that the page /sign-in offers."""


class PageError(Exception):
    """A page that cannot be shown, with its status and the name of the text that says why."""

    def __init__(self, status: int, key: str) -> None:
        super().__init__(key)
        self.status, self.key = status, key


class Page:
    """A call of a page."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.portal: PortalDesk = request.app.state.portal
        self.settings: Settings = self.portal.settings
        self.signer: Signer = request.app.state.signer

    # ------------------------------------------------------------------------------------------------- who looks
    @cached_property
    def person(self) -> Caller | None:
        """The person who is signed in with an address, and may ask for keys."""
        return self.caller(ASKS)

    @cached_property
    def admin(self) -> Caller | None:
        """Whoever is signed in and sees all requests."""
        return self.caller(SEES_ALL)

    def caller(self, roles: frozenset[str]) -> Caller | None:
        """Return whoever is signed in and has one of `roles`."""
        try:
            caller = find_caller(self.request, roles)
        except Refused:
            return None
        return caller if caller is not None and not caller.roles.isdisjoint(roles) else None

    def required(self, roles: frozenset[str]) -> Caller:
        """Return whoever is signed in and has one of `roles`, which are not those of everybody. Raises PageError."""
        caller = self.caller(roles)
        if caller is not None:
            return caller
        known = self.admin or self.person
        if known is not None:
            note_event(self.portal.clock(), FORBIDDEN, known.who, path=shown(self.request.url.path))
        if self.admin is not None:
            raise PageError(403, "error.role")
        raise PageError(403, "error.forbidden") if known else PageError(401, "error.admin_signed_out")

    @cached_property
    def language(self) -> Language:
        """The language that the person chose, or that the browser wants, or the usual one."""
        chosen = self.request.cookies.get(self.settings.cookie("language"), "")
        if chosen in languages():
            return languages()[chosen]
        return best_language(self.request.headers.get("accept-language", ""), self.settings.usual_language)

    # ----------------------------------------------------------------------------------------------------- forms
    @cached_property
    def _visitor(self) -> str:
        """The name of this browser, which it gets with its first page."""
        known = self.request.cookies.get(self.settings.cookie("visitor"), "")
        return known if len(known) == VISITOR_LENGTH and known.isascii() else secrets.token_urlsafe(32)

    def check_form(self, token: str) -> None:
        """Raise PageError if a form was not sent from a page of ours, in this browser."""
        known = self.request.cookies.get(self.settings.cookie("visitor"), "")
        elsewhere = self.request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
        if elsewhere or not self.signer.is_form_token(token, known):
            raise PageError(403, "error.form")

    # --------------------------------------------------------------------------------------------------- answers
    @property
    def is_part(self) -> bool:
        """Whether htmx asks for a part of the page."""
        return self.request.headers.get("hx-request") == "true"

    def show(self, template: str, status: int = 200, /, **values: Any) -> HTMLResponse:
        """Return a page."""
        assets = self.request.app.state.assets
        shared = {
            "t": self.language,
            "languages": languages().values(),
            "person": self.person,
            "admin": self.admin,
            "can_link": "link" in self.settings.identity_methods,
            "can_sign_on": self.request.app.state.provider is not None,
            "sign_on_name": self.settings.oidc_name,
            "can_give_password": by_password.METHOD in self.settings.identity_methods,
            "decides": self.caller(DECIDES) is not None,
            "retries": self.caller(RETRIES) is not None,
            "exports": self.caller(EXPORTS) is not None,
            "csrf": self.signer.form_token(self._visitor),
            "asset": assets.address,
            "icon": assets.icon,
            "path": self.request.url.path,
            "here": self._here(),
        }
        answer = HTMLResponse(render_template(template, {**shared, **values}), status, {"Content-Language": self.language.code})
        if self.request.cookies.get(self.settings.cookie("visitor")) != self._visitor:
            set_cookie(answer, self.settings, "visitor", self._visitor)
        return answer

    def _here(self) -> str:
        """Return where to come back to after the language was changed, or somebody signed in."""
        if self.request.method == "POST" and self.request.url.path.startswith("/admin/"):
            return self.request.url.path.rpartition("/")[0]  # the page with the form
        if self.request.method != "GET" or self.request.url.path.startswith(("/link", "/oidc/")):
            return "/ask"
        query = self.request.url.query
        return f"{self.request.url.path}?{query}" if query else self.request.url.path

    def error(self, status: int, key: str) -> Response:
        """Return the page that says why there is no other."""
        if status == 401 and self.request.url.path.startswith("/admin"):
            return self._ask_who_calls(key)
        return self.show("error.html", status, key=key, number=status)

    def _ask_who_calls(self, key: str) -> Response:
        """Return what asks for a sign-in: the page for that, or the challenge of HTTP Basic for programs and for those who use it."""
        headers, methods = self.request.headers, self.settings.identity_methods
        uses_header = "authorization" in headers
        if "text/html" in headers.get("accept", "") and not uses_header and not SIGN_IN_METHODS.isdisjoint(methods):
            return self.go("/sign-in", next=self._here())
        answer = self.show("error.html", 401, key=key, number=401)
        if by_password.METHOD in methods and (uses_header or not self.is_part):  # browsers show a dialog of theirs even for a part
            answer.headers["WWW-Authenticate"] = CHALLENGE
        return answer

    def go(self, path: str, **query: str) -> RedirectResponse:
        """Send the browser to another page, which it gets."""
        return RedirectResponse(f"{path}?{urlencode(query)}" if query else path, 303)


def page_of(request: Request) -> Page:
    """Return the call of a page."""
    return Page(request)


def person_page(page: Annotated[Page, Depends(page_of)]) -> Page:
    """Return the call of a page for people who are signed in. Raises PageError."""
    if page.person is None:
        raise PageError(401, "error.signed_out")
    return page


def _page_for(roles: frozenset[str]) -> Callable[[Page], Page]:
    """Return the dependency of handlers for callers with one of `roles`. It raises PageError for anybody else."""

    def page_for(page: Annotated[Page, Depends(page_of)]) -> Page:
        page.required(roles)
        return page

    return page_for


AnyPage = Annotated[Page, Depends(page_of)]
"""The call of a page, as a parameter of a handler."""
PersonPage = Annotated[Page, Depends(person_page)]
"""The same for people who are signed in: its `person` is there."""
AdminPage = Annotated[Page, Depends(_page_for(SEES_ALL))]
"""The same for whoever sees all requests: its `admin` is there."""
ReviewerPage = Annotated[Page, Depends(_page_for(DECIDES))]
OperatorPage = Annotated[Page, Depends(_page_for(RETRIES))]
AuditorPage = Annotated[Page, Depends(_page_for(EXPORTS))]
