# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.fleet.labs import LabSummary, summaries
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.key import LiveKey
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.orphan import ORPHAN
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.fleet_keys import NOW, key


def only(*rows: LiveKey) -> LabSummary:
    (lab,) = summaries(rows)
    return lab


def test_a_lab_is_summed_up() -> None:
    rows = [
        key("abc12", "user10", spend=1.0, max_budget=4, metadata={"owner": "Ada@Lab.Example"}, package="workshop"),
        key("abc12", "user2", spend=3.0, max_budget=4, metadata={"owner": "Ada@Lab.Example"}, package="workshop", ends=10),
    ]
    facts = only(*rows).facts(NOW)
    assert facts == {
        "lab_alias": "virtkey-abc12",
        "lab_guid": "abc12",
        "lab_keys": 2,
        "lab_users": ["user2", "user10"],
        "lab_aliases": ["virtkey-abc12-user2", "virtkey-abc12-user10"],
        "lab_package": "workshop",
        "lab_packages": ["workshop"],
        "lab_models": ["granite"],
        "lab_owner": "Ada@Lab.Example",
        "lab_owner_domain": "lab.example",
        "lab_expires": "2026-11-25T22:00:00Z",
        "lab_spend": 4.0,
        "lab_max_budget": 8.0,
        "lab_budget_share": 0.75,
        "lab_state": "active",
        "lab_managed": True,
        "lab_orphaned_at": "",
    }
    assert only(*rows).groups(NOW) == ["package_workshop", "owner_lab.example", "expiring_24h", "expiring_72h"]


def test_nothing_secret_is_in_a_summary() -> None:
    row = key("abc12")
    summary = json.dumps([only(row).to_plain(), only(row).facts(NOW)])
    assert row.token not in summary and "sk-" not in summary


def test_a_cached_summary_is_the_same() -> None:
    lab = only(key("abc12", "user1", max_budget=1), key("abc12", "user2"))
    kept = LabSummary.from_plain(json.loads(json.dumps(lab.to_plain())))
    assert kept.facts(NOW) == lab.facts(NOW) and kept.groups(NOW) == lab.groups(NOW)


def test_a_cached_summary_follows_the_time() -> None:
    lab = only(key(ends=23), key(user="user1", ends=50))
    assert lab.groups(NOW) == ["expiring_24h", "expiring_72h"]
    assert lab.groups(NOW + timedelta(hours=24)) == ["expiring_72h"] or lab.ends_within(72, NOW + timedelta(hours=24))
    assert lab.groups(NOW + timedelta(hours=50)) == ["expired"]
    assert (lab.next_end(NOW), lab.next_end(NOW + timedelta(hours=24))) == ("2026-11-26T11:00:00Z", "2026-11-27T14:00:00Z")
    assert lab.next_end(NOW + timedelta(hours=99)) == "2026-11-27T14:00:00Z"


def test_a_lab_without_an_end() -> None:
    lab = only(key(ends=-1), key(user="user1", ends=None))
    assert not lab.expired(NOW) and lab.next_end(NOW) is None


@pytest.mark.parametrize(
    ("rows", "state", "groups"),
    [
        ([key(ends=-1)], "expired", {"expired"}),
        ([key(ends=-1), key(user="user1")], "active", set()),
        ([key(blocked=True)], "blocked", {"blocked"}),
        ([key(blocked=True), key(user="user1")], "active", set()),
        ([key(spend=2, max_budget=2)], "over_budget", {"over_budget"}),
        ([key(spend=2, max_budget=2), key(user="user1")], "active", {"over_budget"}),
        ([key(spend=0, max_budget=0)], "over_budget", {"over_budget"}),
        ([key(blocked=True, metadata={ORPHAN: {"since": "2026-11-24T00:00:00Z"}})], "orphan", {"blocked", "orphan"}),
        ([key(notes=False, alias="x")], "active", {"unmanaged"}),
    ],
)
def test_states(rows: list[LiveKey], state: str, groups: set[str]) -> None:
    lab = only(*rows)
    assert lab.state(NOW) == state
    assert set(lab.groups(NOW)) == groups


def test_former_values_do_not_count() -> None:
    lab = only(key("abc12", "user1", spend=2), key("abc12", "user1", spend=2, retired=True))
    assert (lab.keys, lab.spend, list(lab.aliases)) == (1, 2.0, ["virtkey-abc12-user1"])
    assert only(key("abc12", "user1", retired=True)).aliases == ["virtkey-abc12-user1"], "a rotation that was cut off"


def test_which_lab_a_key_is_of() -> None:
    rows = [
        key("abc12", "user1"),
        key("abc12", "user1", lab="virtkey-abc12-red"),
        key("old77", "user3", notes=False),
        key("old77", "user4", notes=False),
        key("", lab="team-blue", notes=False),
    ]
    labs = {lab.alias: (lab.guid, list(lab.users)) for lab in summaries(rows)}
    assert labs == {"virtkey-abc12": ("abc12", ["user1"]), "virtkey-abc12-red": ("abc12", ["user1"]), "virtkey-old77": ("old77", ["user3", "user4"])}


def test_whose_lab_it_is() -> None:
    assert only(key(user_id="ada@lab.example")).owner == "ada@lab.example"
    assert only(key(user="user1", user_id="user1@x"), key(user="user2", user_id="user2@x")).owner == ""
    assert only(key(user_id="a@b", metadata={"owner": "unknown"})).owner == "a@b"
