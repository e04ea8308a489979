# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The pages: HTML for people with a browser. A file has one router; `install` adds them all to the application.

They work without JavaScript. What htmx loads in their place are parts of the same templates.
"""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from ..assets import assets_in
from ..errors import Refused, is_page, refusal_of
from ..link_mail import MailThread
from ..rates import Rates
from ..settings import Settings
from ..sign_on import OIDC
from ..signing import Signer
from ..trail import USUAL_RATES
from . import admin, ask, decisions, links, mine, opening, password, single_sign_on, site
from .page import Page, PageError

log = logging.getLogger("portal")
_TEXTS = {408: "error.too_slow", 413: "error.too_large", 500: "error.internal", 503: "error.store"}
"""What pages say of calls that go no further."""


def install(app: FastAPI, settings: Settings, mails: MailThread | None) -> None:
    """Add the pages to `app`. Without their packages there are none, and the log says so."""
    app.state.rates = Rates(
        address=settings.mails_per_address,
        peer=settings.mails_per_peer,
        asked_for=settings.requests_per_address,
        asked_by=settings.requests_per_address,
        asked_from=settings.requests_per_peer,
        failure=settings.failures_per_peer,
        **USUAL_RATES,
    )
    app.state.signer = Signer(settings.secret.get_secret_value())
    app.state.mails = mails
    app.state.provider = _provider(settings)
    try:
        app.state.assets = assets_in(settings.packages_folder)
    except ValueError as error:
        log.warning("There are no pages, only the REST API: %s", error)
        return
    for part in (site, ask, links, password, single_sign_on, mine, opening, decisions, admin):
        app.include_router(part.router, include_in_schema=False)
    _answer_errors(app)
    app.state.problem_page = lambda request, status: Page(request).error(status, _TEXTS[status])


def _provider(settings: Settings) -> object | None:
    """Return the provider of single sign-on, if that is a method of identity."""
    if OIDC not in settings.identity_methods:
        return None
    from ..identity.provider import OidcProvider  # it loads slowly, and much

    return OidcProvider(settings)


def _answer_errors(app: FastAPI) -> None:
    """Let errors be answered with pages where pages were called."""
    from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import StoreError

    others = {kind: app.exception_handlers[kind] for kind in (Refused, StoreError, RequestValidationError, HTTPException)}

    async def answer(request: Request, error: Exception) -> Response:
        if not is_page(request.url.path) or not isinstance(error, (PageError, *others)):
            handler = next(handler for kind, handler in others.items() if isinstance(error, kind))
            found: Response = await handler(request, error)  # type: ignore[misc]
            return found
        return Page(request).error(*_status_and_text(error))

    for kind in (PageError, *others):
        app.add_exception_handler(kind, answer)


def _status_and_text(error: Exception) -> tuple[int, str]:
    """Return the status and the text of the page for an error."""
    if isinstance(error, PageError):
        return error.status, error.key
    if isinstance(error, HTTPException):
        return error.status_code, "error.missing" if error.status_code == 404 else "error.unreadable"
    if isinstance(error, RequestValidationError):
        return 422, "error.unreadable"
    refusal = error if isinstance(error, Refused) else refusal_of(error)  # type: ignore[arg-type]
    return refusal.status, {401: "error.signed_out", 403: "error.forbidden", 404: "error.missing", 409: "error.changed"}.get(refusal.status, "error.store")
