# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The application: middleware, routes, and what answers errors.

GET / answers browsers with the first page, and everybody else with JSON, as the requestor does.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.base import Store
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import now
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi_offline import FastAPIOffline

from . import errors, pages
from .api import health, metrics, requestor, v1, v1_admin
from .catalogue import SiteCatalogue
from .identity import Identifier, identifiers_of
from .identity.proxy import ForwardedHeaders
from .limits import AnswerLimit, BodyLimit
from .link_mail import MailThread
from .own_changes import OwnChanges
from .security import SecurityHeaders
from .settings import Settings
from .store import PortalDesk, open_store
from .trail import AuditTrail

TITLE = "LLM Key Requestor API"
EVERYBODY = "*"


@asynccontextmanager
async def _reading_ahead(app: FastAPI) -> AsyncIterator[None]:
    """Read all requests while the service starts, so that the first who looks at a list does not wait for that."""
    threading.Thread(target=app.state.portal.read_ahead, name="read ahead", daemon=True).start()
    yield


def create_app(
    settings: Settings,
    site: SiteCatalogue | None = None,
    *,
    store: Store | None = None,
    identifiers: Sequence[Identifier] | None = None,
    mails: MailThread | None = None,
    clock: Callable[[], str] = now,
) -> FastAPI:
    """Return the application. Tests may give another store, other methods of identity and another clock. Without `mails`, no links are sent."""
    app: FastAPI = FastAPIOffline(
        title=TITLE,
        description="Ask for keys of LLMs, and decide on requests. The first group of calls is that of the LLM Key Requestor.",
        redirect_slashes=False,
        lifespan=_reading_ahead,
    )
    app.state.portal = PortalDesk(settings, open_store(settings) if store is None else store, site, clock=clock)
    app.state.identifiers = identifiers_of(settings) if identifiers is None else list(identifiers)
    errors.install(app)
    pages.install(app, settings, mails)
    for router in (requestor.router, health.router, metrics.router, v1.router, v1_admin.router):
        app.include_router(router)
    # The last one added is the first that a call meets.
    app.add_middleware(errors.LastResort)
    app.add_middleware(AuditTrail)
    app.add_middleware(OwnChanges, settings=settings)
    app.add_middleware(AnswerLimit, seconds=settings.answer_seconds)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.origins,
        allow_credentials=EVERYBODY not in settings.origins,  # else any page could read what a signed-in person can
        allow_methods=[EVERYBODY],
        allow_headers=[EVERYBODY],
    )
    app.add_middleware(BodyLimit, largest=settings.largest_body, seconds=settings.body_seconds)
    app.add_middleware(SecurityHeaders, https=settings.secure_cookies)
    app.add_middleware(ForwardedHeaders, trusted=settings.trusted_proxies)
    return app
