# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Publishing what can be asked for: from a gateway that answers, and from one that does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.catalogue_snapshot import published_catalogue
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass.catalogue import REFRESH_SECONDS, CatalogueKeeper, publish_offers
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass.offers import Offers
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.request_desk import AT, FakeGateway

PACKAGES: dict[str, Any] = {"dev": {"title": "Development", "models": ["granite"], "max_budget": -1}}


def test_offers_are_published(tmp_path: Path) -> None:
    store, gateway = DirectoryStore(str(tmp_path / "requests")), FakeGateway(groups=["beta"])
    offers = Offers.from_settings(PACKAGES, {}, "7d")
    found = publish_offers(store, gateway, offers, PACKAGES, lambda: AT)
    assert found == published_catalogue(store)
    assert (found.at, found.models, found.groups, found.lifetime) == (AT, ("granite", "mistral", "llama"), ("beta",), "7d")
    assert (found.packages[0].title, dict(found.packages[0].terms)) == ("Development", {"models": ["granite"], "duration": "7d"})
    assert found.limits["max_budget"] == 10


def test_a_gateway_that_is_down_takes_nothing_away(tmp_path: Path) -> None:
    store, gateway = DirectoryStore(str(tmp_path / "requests")), FakeGateway()
    offers = Offers.from_settings(PACKAGES, {}, "7d")
    before = publish_offers(store, gateway, offers, PACKAGES, lambda: AT)
    gateway.down = True
    after = publish_offers(store, gateway, offers, PACKAGES, lambda: "2026-11-21T05:00:00Z")
    assert (after.at, after.models, after.problem) == (AT, before.models, "the gateway does not answer.")


def test_a_worker_publishes_again_when_the_catalogue_is_old(tmp_path: Path) -> None:
    store, gateway, now = DirectoryStore(str(tmp_path / "requests")), FakeGateway(), [1000.0]
    ats = iter(["2026-11-21T05:00:00Z", "2026-11-21T06:00:00Z"])
    keeper = CatalogueKeeper(store, gateway, Offers.from_settings({}, {}, "7d"), {}, lambda: next(ats), monotonic=lambda: now[0])
    found = []
    for later in (0, REFRESH_SECONDS - 1, 1):
        now[0] += later
        keeper.refresh()
        found.append(getattr(published_catalogue(store), "at", None))
    assert found == ["2026-11-21T05:00:00Z", "2026-11-21T05:00:00Z", "2026-11-21T06:00:00Z"]


def test_offers_that_cannot_be_used_are_not_published(tmp_path: Path) -> None:
    store = DirectoryStore(str(tmp_path / "requests"))
    CatalogueKeeper(store, FakeGateway(), None, {}, lambda: AT).refresh()
    assert published_catalogue(store) is None
