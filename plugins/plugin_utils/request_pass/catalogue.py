# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The catalogue that the portal shows, which the worker publishes: what the gateway serves, and what a site offers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ...module_utils.key_requests.base import Store
from ...module_utils.key_requests.catalogue_snapshot import CatalogueSnapshot, publish_catalogue, publish_problem, published_catalogue, snapshot_of
from ...module_utils.litellm.errors import GatewayError
from .offers import Offers

REFRESH_SECONDS = 60.0
"""How old the catalogue of a worker may become."""


class ModelSource(Protocol):
    """See `gateway.PassGateway`."""

    def models(self) -> list[str]: ...

    def access_groups(self) -> list[str]: ...


def publish_offers(store: Store, gateway: ModelSource, offers: Offers, packages: Mapping[str, Any], clock: Callable[[], str]) -> CatalogueSnapshot:
    """Publish what can be asked for, and return it. `packages` are those of the role's variable, with titles and descriptions.

    If the gateway does not answer, the models that it had before stay in the catalogue, with the problem. Raises StoreError.
    """
    try:
        served, groups = gateway.models(), gateway.access_groups()
    except GatewayError as error:
        publish_problem(store, str(error))
        return published_catalogue(store) or CatalogueSnapshot()
    snapshot = snapshot_of(clock(), served, groups, packages=offers.packages, looks=packages, limits=offers.limits, lifetime=offers.lifetime)
    publish_catalogue(store, snapshot)
    return snapshot


class CatalogueKeeper:
    """Publishes the catalogue again when it has become old. `offers` are None if they cannot be used, and then nothing is published."""

    def __init__(
        self,
        store: Store,
        gateway: ModelSource,
        offers: Offers | None,
        packages: Mapping[str, Any],
        clock: Callable[[], str],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._publish = (lambda: publish_offers(store, gateway, offers, packages, clock)) if offers is not None else lambda: None
        self._monotonic = monotonic
        self._published_at = float("-inf")

    def refresh(self) -> None:
        """Publish what can be asked for, unless that was done a moment ago. Raises StoreError."""
        if self._monotonic() - self._published_at >= REFRESH_SECONDS:
            self._publish()
            self._published_at = self._monotonic()
