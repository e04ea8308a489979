# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Many changes at once: their order, the ones that are left out, and errors that stop all of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.base import Listing
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.changes import ONE_BY_ONE, record_changes
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import Desk, Wish
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import APPROVED, PENDING
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.results import changes_result

AT = "2026-11-21T04:00:00Z"


class CountingStore(DirectoryStore):
    """Counts how often records are listed."""

    listings = 0

    def listing(self, states: Sequence[str] | None = None, *, only_open: bool = False) -> Listing:
        self.listings += 1
        return super().listing(states, only_open=only_open)


@pytest.fixture
def store(tmp_path: Path) -> CountingStore:
    return CountingStore(str(tmp_path / "requests"))


def ask(store: CountingStore, count: int) -> list[str]:
    desk = Desk(store, clock=lambda: AT)
    made = [desk.ask(Wish(f"person{number}@example.com", models=("gpt-4",))).after for number in range(count)]
    return [record.id for record in made if record is not None]


def make(store: CountingStore, *items: dict[str, Any]) -> dict[str, Any]:
    return changes_result(items, record_changes(store, items, by="chain", at=AT), with_diff=True)


def test_changes_to_one_request_are_made_one_after_another(store: CountingStore) -> None:
    one, other = ask(store, 2)
    result = make(
        store,
        {"request_id": one, "action": "approve", "granted": {"duration": "7d"}},
        {"request_id": other, "action": "deny", "reason": "no"},
        {"request_id": one, "action": "minted", "key_alias": "k", "expires": "2026-12-31T18:00:00+01:00"},
        {"request_id": one, "action": "delivered", "via": "mail"},
        {"request_id": one, "action": "finished"},
    )
    assert result["refused"] == []
    first, second = result["requests"]
    assert (first["state"], first["progress"]["status"], first["progress"]["expires"]) == ("approved", "finished", "2026-12-31T17:00:00Z")
    assert (second["state"], second["reason"]) == ("denied", "no")
    assert len(result["diff"]) == 5


def test_a_change_that_is_no_longer_possible_leaves_the_others_alone(store: CountingStore) -> None:
    one, other = ask(store, 2)
    result = make(
        store,
        {"request_id": one, "action": "finished"},
        {"request_id": "none", "action": "ended"},
        {"request_id": one, "action": "approve"},
        {"request_id": other, "action": "notified", "whom": "review"},
    )
    refused = [(entry["request_id"], entry["action"], entry["code"]) for entry in result["refused"]]
    assert refused == [(one, "finished", "refused"), ("none", "ended", "missing")]
    assert (store.get(one).state, store.get(other).progress.notified) == (APPROVED, {"review": AT})


def test_input_that_cannot_be_recorded_stops_everything(store: CountingStore) -> None:
    one, other = ask(store, 2)
    with pytest.raises(ValueError, match="not the name of a step"):
        make(store, {"request_id": one, "action": "approve"}, {"request_id": other, "action": "failed", "step": "No Step", "reason": "x"})
    assert store.get(one).state == PENDING


@pytest.mark.parametrize(("count", "listings"), [(ONE_BY_ONE, 0), (ONE_BY_ONE + 1, 1)])
def test_many_requests_are_read_in_one_listing(store: CountingStore, count: int, listings: int) -> None:
    make(store, *({"request_id": request_id, "action": "approve"} for request_id in ask(store, count)))
    assert store.listings == listings
