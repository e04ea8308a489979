# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The store of requests as the portal uses it: its desk, and readings that many callers share.

Fifty people who look at a list at once cost one listing: whoever comes while it is read waits for it, and whoever comes within a
second gets the same one, and those with the same filter the same bytes. What somebody changes shows to
them at once, see `own_changes.py`; what others change, at the next reading.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.base import Listing, Store
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.catalogue_snapshot import CatalogueSnapshot, published_catalogue
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import now
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import NoAccess, StoreError

from .catalogue import Catalogue, SiteCatalogue, catalogue_of
from .health import PassHealth, health_of_pass
from .insights import Insights
from .metrics import RequestFigures, figures_of
from .own_changes import wants_own_changes
from .recent import Recent, Value
from .settings import Settings
from .trail import AuditedDesk

REPORT_SECONDS = 1.0
"""For how long the report of the last pass is used again."""
PATIENCE_SECONDS = 2.5
"""How long callers wait for the small readings at most, so that /health answers while probes still wait for it."""
READING_PART = 0.8
"""The part of the time for an answer in which callers wait for a reading."""
FIGURES_SECONDS = 10.0
"""For how long counts over all requests are used again."""
MOST_VIEWS = 50
"""How many views of one listing are kept."""
CATALOGUE_SECONDS = 2.0
"""The same for the published catalogue."""


class PortalDesk:
    """What the handlers of calls work with. `clock` gives the time in the form of records."""

    def __init__(self, settings: Settings, store: Store, site: SiteCatalogue | None = None, *, clock: Callable[[], str] = now) -> None:
        self.settings, self.store, self.clock = settings, store, clock
        self.desk = AuditedDesk(store, clock=clock)
        self._site = site or SiteCatalogue()
        listing_patience = READING_PART * settings.answer_seconds
        patience = min(PATIENCE_SECONDS, listing_patience)
        self._listing: Recent[Listing] = Recent(store.listing, settings.listing_seconds, patience=listing_patience)
        self._report: Recent[tuple[dict[str, Any] | None]] = Recent(lambda: (store.last_pass(),), REPORT_SECONDS, patience=patience)
        self._snapshot: Recent[tuple[CatalogueSnapshot | None]] = Recent(lambda: (published_catalogue(store),), CATALOGUE_SECONDS, patience=PATIENCE_SECONDS)
        self._figures: Recent[RequestFigures] = Recent(lambda: figures_of(self._listing.get()), FIGURES_SECONDS, patience=listing_patience)
        self._last_snapshot: CatalogueSnapshot | None = None
        self.insights = Insights(store, clock, patience=patience)
        self._catalogue: tuple[CatalogueSnapshot | None, Catalogue] = (None, catalogue_of(self._site, None))
        self._rendering = threading.Lock()
        self._rendered: tuple[Listing, dict[Hashable, Any]] = (Listing(()), {})

    def listing(self) -> Listing:
        """Return all requests, oldest first, and the records that cannot be read. Raises StoreError."""
        return self._listing.get(anew=wants_own_changes())

    def read_ahead(self) -> None:
        """Read all requests. A store that does not answer is found by whoever calls."""
        with suppress(StoreError):
            self.listing()

    def rendered(self, view: Hashable, render: Callable[[Listing], Value]) -> Value:
        """Return a view of all requests as `render` makes it, which it does once for each listing. Raises StoreError."""
        listing = self.listing()
        with self._rendering:  # one at a time: the others get what the first one makes
            if self._rendered[0] is not listing:
                self._rendered = (listing, {})
            views = self._rendered[1]
            if view not in views:
                if len(views) >= MOST_VIEWS:
                    views.clear()
                views[view] = render(listing)
            found: Value = views[view]
            return found

    def changed(self) -> None:
        """Note that a request was changed here. Call it after every operation of `desk` that writes."""
        self._listing.forget()

    def catalogue(self) -> Catalogue:
        """Return the catalogue. While the store does not answer, it is what it was; if it never did, only what config.yaml says."""
        with suppress(StoreError):
            (self._last_snapshot,) = self._snapshot.get()
        snapshot, made = self._last_snapshot, self._catalogue
        if made[0] is not snapshot:
            self._catalogue = made = (snapshot, catalogue_of(self._site, snapshot))
        return made[1]

    def figures(self) -> RequestFigures:
        """Return counts over all requests, up to FIGURES_SECONDS old. Raises StoreError."""
        return self._figures.get()

    def last_report(self) -> dict[str, Any] | None:
        """Return the report of the last pass, if there was one. Raises StoreError."""
        (report,) = self._report.get()
        return report

    def last_pass(self) -> PassHealth:
        """Return how the last pass went. Raises StoreError."""
        return health_of_pass(self.last_report(), self.settings.interval_seconds, datetime.now(UTC))


def open_store(settings: Settings) -> Store:
    """Return the store that the settings name. Raises ValueError, and StoreError if there is no way to it."""
    if settings.store == "file":
        return DirectoryStore(settings.store_directory, remember=True)
    from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.kubernetes_secrets import (  # it loads slowly
        KUBERNETES_ERROR,
        Access,
        KubernetesStore,
    )

    if KUBERNETES_ERROR is not None:
        raise NoAccess("The Python library kubernetes is missing where the portal runs; install it, or keep requests in a directory.")
    return KubernetesStore(
        Access(
            namespace=settings.namespace or None,
            kubeconfig=settings.kubeconfig or None,
            context=settings.context or None,
            host=settings.api_host or None,
            api_key=settings.api_key.get_secret_value() or None,
            ca_cert=settings.ca_cert or None,
            validate_certs=settings.validate_certs,
            timeout=settings.store_timeout,
        ),
        remember=True,
    )
