# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import durations
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.api import KeyApi
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.key import LiveKey, Notes, WantedKey
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.lab import Lab, NoSuchLab, searches_for
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.orphan import ORPHAN, OrphanMark
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm import errors
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.client import Client, Connection
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.notes import NOTES_NAME
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import MASTER_KEY, START
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.served_model import ServedModel
from hypothesis import given
from hypothesis import strategies as st

LAB = Lab.from_params({"guid": "abc"})


@pytest.fixture
def served() -> Iterator[ServedModel]:
    with ServedModel() as server:
        yield server


def gateway_of(served: ServedModel) -> KeyApi:
    return KeyApi(Client(Connection(url=served.url, api_key=MASTER_KEY, retries=0)))


def make(served: ServedModel, alias: str, notes: Notes | None = None, **metadata: Any) -> None:
    kept = {NOTES_NAME: notes.to_metadata()} if notes else {}
    body = {"key": f"sk-made-for-a-test-{alias}", "key_alias": alias, "metadata": {**metadata, **kept}}
    status, _answer = served.model.handle("POST", "/key/generate", {}, body)
    assert status == 200


def key(alias: str, notes: Notes | None = None, token: str = "t" * 64, **metadata: Any) -> LiveKey:
    kept = {NOTES_NAME: notes.to_metadata()} if notes else {}
    return LiveKey.from_row({"token": token, "key_alias": alias, "metadata": {**metadata, **kept}})


# -------------------------------------------------------------------------------------------------------------- names
@pytest.mark.parametrize(
    ("params", "alias", "is_canonical"),
    [
        ({"guid": "abc"}, "virtkey-abc", True),
        ({"guid": "abc", "lab_alias": ""}, "virtkey-abc", True),
        ({"guid": "abc", "lab_alias": "virtkey-abc"}, "virtkey-abc", True),
        ({"guid": "abc", "lab_alias": "virtkey-abc-tenant"}, "virtkey-abc-tenant", False),
        ({"guid": None, "lab_alias": "team/blue"}, "team/blue", False),
        ({"guid": None, "keys": [{"alias": "a"}]}, "", True),
        ({"guid": None, "keys": []}, "", True),
    ],
)
def test_from_params(params: dict[str, Any], alias: str, is_canonical: bool) -> None:
    lab = Lab.from_params(params)
    assert (lab.alias, lab.is_canonical) == (alias, is_canonical)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"guid": ""}, "^guid is empty"),
        ({"guid": "a/b"}, "^guid is 'a/b'"),
        ({"guid": "abc", "lab_alias": "a b"}, "^alias is 'a b'"),
        ({"guid": None, "lab_alias": ""}, "^guid and lab_alias are empty"),
        ({"guid": None}, "^guid and lab_alias are empty"),
    ],
)
def test_no_lab(params: dict[str, Any], words: str) -> None:
    """A lab without a name would own all keys without a name."""
    with pytest.raises(ValueError, match=words):
        Lab.from_params(params)


# ---------------------------------------------------------------------------------------------------------- ownership
NOTED = Notes(lab="virtkey-abc", guid="abc")


@pytest.mark.parametrize(
    ("row", "owns", "covers"),
    [
        (key("virtkey-abc", NOTED), True, True),
        (key("virtkey-abc-user1", NOTED), True, True),
        (key("anything", NOTED), True, True),
        (key("virtkey-abc-t-user1", Notes(lab="virtkey-abc-t", guid="abc")), False, True),
        (key("virtkey-abc-user1", Notes(lab="virtkey-abc-user1", guid="abc-user1")), False, False),
        (key("virtkey-abc-user1", Notes(lab="virtkey-abc-user1")), False, False),
        (key("virtkey-abc"), True, True),
        (key("virtkey-abc-user7"), True, True),
        (key("virtkey-abc-user7", guid="abc"), True, True),
        (key("virtkey-abc-user7", guid="abc-user7"), False, False),
        (key("virtkey-abc-admin"), False, False),
        (key("virtkey-abcd"), False, False),
        (key(""), False, False),
        (key("virtkey-abc.retired-" + "a0" * 6), True, True),
        (key("virtkey-abc.retired-" + "u" * 12), False, False),
    ],
)
def test_whose_a_key_is(row: LiveKey, owns: bool, covers: bool) -> None:
    assert (LAB.is_under_alias(row), LAB.belongs_to_lab(row)) == (owns, covers)


def test_a_named_set_is_not_the_whole_lab() -> None:
    tenant = Lab.from_params({"guid": "abc", "lab_alias": "virtkey-abc-t"})
    assert tenant.belongs_to_lab(key("virtkey-abc-t-user1", Notes(lab="virtkey-abc-t", guid="abc")))
    assert not tenant.belongs_to_lab(key("virtkey-abc-user1", NOTED))


def test_a_set_without_a_lab_owns_nothing_by_chance() -> None:
    lab = Lab.from_params({"guid": None, "keys": [{"alias": "a"}]})
    assert not lab.scope([]).is_member(key(""))


# ----------------------------------------------------------------------------------------------------------- searches
ALIAS = st.from_regex(r"[a-d][a-d-]{0,8}", fullmatch=True)


@given(st.sets(ALIAS, min_size=1, max_size=60))
def test_searches_find_every_alias(aliases: set[str]) -> None:
    found = searches_for(aliases)
    assert all(any(search in alias for search in found) for alias in aliases)
    assert len(found) <= max(50, 1)


def test_a_class_is_one_search() -> None:
    assert searches_for({f"virtkey-abc-user{number}" for number in range(1, 201)}) == ["virtkey-abc-user"]
    assert searches_for({"virtkey-abc"}) == ["virtkey-abc"]
    assert searches_for({"ab", "cd"}) == ["ab", "cd"]
    assert searches_for(set()) == []
    assert searches_for({f"{number}" for number in range(100, 160)}) == ["1"], "many dissimilar aliases also take one search"


def value_of(alias: str, generation: int) -> str:
    return derive.value("the secret of these tests", alias, generation)


def test_a_derived_value_whose_notes_were_lost_is_deleted(served: ServedModel) -> None:
    def make_derived(alias: str, generation: int = 0, **metadata: Any) -> None:
        served.model.handle("POST", "/key/generate", {}, {"key": value_of(alias, generation), "key_alias": alias, "metadata": metadata})

    make_derived("virtkey-abc-ada")
    make_derived("virtkey-abc-bob", 7)
    make_derived("virtkey-abcd")
    make_derived("virtkey-abc-eve-ann")
    make_derived("virtkey-abc-eve", **{NOTES_NAME: Notes(lab="virtkey-abc-eve", guid="abc-eve").to_metadata()})
    make(served, "virtkey-abc-by-hand", None)
    found = LAB.to_delete(gateway_of(served), None, value_of)
    assert {row.alias: row.generation for row in found} == {"virtkey-abc-ada": 0, "virtkey-abc-bob": 7}, "and none of the lab abc-eve"
    assert all(derive.derivable(row, value_of) for row in found), "so that their end can be proven"


def test_to_delete(served: ServedModel) -> None:
    make(served, "virtkey-abc-user1", NOTED)
    make(served, "virtkey-abc-user1.retired-0123", Notes(lab="virtkey-abc", guid="abc", retired_from="virtkey-abc-user1"))
    make(served, "virtkey-abc-user2", guid="abc")
    make(served, "virtkey-abc-user3", Notes(lab="virtkey-abc-user3", guid="abc-user3"))
    make(served, "virtkey-abc-user4", guid="abc-user4")
    make(served, "virtkey-abcd", Notes(lab="virtkey-abcd", guid="abcd"))
    gateway = gateway_of(served)

    def found(keys: list[dict[str, Any]] | None) -> set[str]:
        return {row.alias for row in LAB.to_delete(gateway, keys, value_of)}

    assert found(None) == {"virtkey-abc-user1", "virtkey-abc-user1.retired-0123", "virtkey-abc-user2"}
    assert found([{"user": "user1"}]) == {"virtkey-abc-user1", "virtkey-abc-user1.retired-0123"}
    assert found([{"user": "user2"}, {"user": "user9"}]) == {"virtkey-abc-user2"}
    assert found([{"user": "user3"}, {"user": "user4"}]) == set(), "they belong to another lab"
    assert found([{"alias": "virtkey-abcd"}]) == set()
    with pytest.raises(ValueError, match="^keys is empty"):
        found([])
    with pytest.raises(ValueError, match="^keys holds virtkey-abc-user1 twice"):
        found([{"user": "user1"}, {"alias": "virtkey-abc-user1"}])
    with pytest.raises(ValueError, match="^user is"):
        found([{"user": "a/b"}])


def test_members(served: ServedModel) -> None:
    gateway = gateway_of(served)
    with pytest.raises(NoSuchLab, match="no key of the lab virtkey-abc; check the guid"):
        LAB.members(gateway, value_of)
    make(served, "virtkey-abc-user1.retired-0123", Notes(lab="virtkey-abc", guid="abc", retired_from="virtkey-abc-user1"))
    make(served, "virtkey-abc-user1", Notes(lab="virtkey-abc", guid="abc", generation=1))
    make(served, "virtkey-abc-user2.retired-0123", Notes(lab="virtkey-abc", guid="abc", retired_from="virtkey-abc-user2"))
    assert [row.alias for row in LAB.members(gateway, value_of)] == ["virtkey-abc-user1", "virtkey-abc-user2.retired-0123"]
    changed = [row.alias for row in LAB.rows_to_change(LAB.rows(gateway), {})]
    assert sorted(changed) == ["virtkey-abc-user1", "virtkey-abc-user2.retired-0123"], "one key for each alias"
    assert len(LAB.rows_to_change(LAB.rows(gateway), {"blocked": True})) == 3, "values in their grace period are blocked as well"
    assert len(LAB.rows_to_change(LAB.rows(gateway), {"blocked": False})) == 3


def test_every_key_in_service_under_an_alias_is_changed(served: ServedModel) -> None:
    """Release 1.3.2 made two keys with one alias where two runs met."""
    make(served, "virtkey-abc-user1", NOTED)
    make(served, "another", Notes(lab="virtkey-abc", guid="abc"))
    served.model.rows[next(token for token, row in served.model.rows.items() if row["key_alias"] == "another")]["key_alias"] = "virtkey-abc-user1"
    assert len(LAB.rows_to_change(LAB.rows(gateway_of(served)), {})) == 2


def test_only_an_admin_learns_that_a_lab_does_not_exist(served: ServedModel) -> None:
    served.model.users = {"sk-an-internal-user-01": "u"}
    gateway = KeyApi(Client(Connection(url=served.url, api_key="sk-an-internal-user-01", retries=0)))
    with pytest.raises(errors.NotAdmin):
        LAB.members(gateway, value_of)


# -------------------------------------------------------------------------------------------------------- wanted keys
def test_wanted_lays_each_key_over_what_holds_for_all() -> None:
    params = {
        "models": ["granite"],
        "max_budget": 5.0,
        "metadata": {"owner": "a", "room": "1"},
        "package": "p",
        "blocked": None,
        "keys": [{"user": "user1"}, {"user": "user2", "models": ["mistral"], "metadata": {"room": "2"}, "max_budget": None}, {"alias": "other-abc"}],
    }
    one, two, three = LAB.wanted(params, lambda: START)
    assert (one.alias, two.alias, three.alias) == ("virtkey-abc-user1", "virtkey-abc-user2", "other-abc")
    assert one.fields == {"models": ["granite"], "max_budget": 5.0}
    assert two.fields == {"models": ["mistral"], "max_budget": 5.0}
    assert two.metadata == {"owner": "a", "room": "2"}
    assert (three.lab, three.guid, three.user, three.package) == ("virtkey-abc", "abc", "", "p")


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ([], "^keys is empty"),
        ([{"user": "user1"}, {"user": "user1"}], "^keys holds virtkey-abc-user1 twice"),
        ([{"user": "user1"}, {"alias": "virtkey-abc-user1"}], "twice"),
        ([{"user": "a b"}], "^user is"),
        ([{"alias": "../x"}], "^alias is"),
        ([{"user": "user1", "guid": "a/b"}], "^guid is"),
        ([{"alias": "team-x"}], "^the alias team-x does not hold the guid abc, by which .* such as team-x-abc, or leave the guid out"),
        ([{"user": "user1", "guid": "other"}], "^the alias virtkey-abc-user1 does not hold the guid other"),
    ],
)
def test_keys_that_make_no_sense(keys: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        LAB.wanted({"keys": keys}, lambda: START)


def test_a_key_without_a_name() -> None:
    lab = Lab.from_params({"guid": None, "keys": [{}]})
    with pytest.raises(ValueError, match="neither an alias nor a lab"):
        lab.wanted({"keys": [{"user": "user1"}]}, lambda: START)


def test_change_keeps_the_notes_of_a_row() -> None:
    change = LAB.change({"max_budget": 3.0, "blocked": True, "duration": "never"}, lambda: START)
    notes = Notes(lab="virtkey-abc", guid="abc", user="user1", package="p", generation=2, rotation="a")
    want = change(key("virtkey-abc-user1", notes))
    assert want.alias == "virtkey-abc-user1" and want.endless
    assert want.fields == {"max_budget": 3.0, "blocked": True}
    assert (want.lab, want.guid, want.user) == ("virtkey-abc", "abc", "user1")
    assert want.rotation == "", "a noted label is not a requested one"
    legacy = change(key("virtkey-abc-user9"))
    assert (legacy.lab, legacy.guid, legacy.user) == ("virtkey-abc", "abc", "user9")


@pytest.mark.parametrize("blocked", [True, False])
@pytest.mark.parametrize("past", [True, False])
def test_only_blocking_changes_a_value_in_its_grace_period(blocked: bool, past: bool) -> None:
    change = LAB.change({"max_budget": 3.0, "blocked": blocked}, lambda: START)
    until = START + timedelta(hours=-1 if past else 1)
    notes = Notes(lab="virtkey-abc", guid="abc", retired_from="virtkey-abc-user1", retired_until=durations.iso(until))
    want = change(key("virtkey-abc-user1.retired-0123", notes))
    assert want == WantedKey("virtkey-abc-user1", fields={} if past and not blocked else {"blocked": blocked})


def test_a_lab_is_found_by_its_guid_alone(served: ServedModel) -> None:
    own = ["virtkey-abc", "class-abc", "virtkey-abc-user1", "virtkey-abc-user1.retired-0123", "virtkey-abc-a.tenant", "req-abc-0123", "virtkey-abc-lab7"]
    make(served, own[0], guid="abc")
    make(served, own[1], Notes(lab="class-abc", guid="abc"))
    make(served, own[2], NOTED)
    make(served, own[3], Notes(lab="virtkey-abc", guid="abc", retired_from="virtkey-abc-user1"))
    make(served, own[4], Notes(lab="virtkey-abc-a.tenant", guid="abc"))
    make(served, own[5], Notes(guid="abc"))
    make(served, own[6], guid="abc")
    make(served, "virtkey-abc-user2", guid="abc-user2")
    make(served, "virtkey-abc-b", Notes(lab="virtkey-abc-b", guid="abc-b"))
    make(served, "team-abc-bot", guid="abc")
    make(served, "virtkey-abc-robot", guid="abc")
    make(served, "virtkey-ABC", guid="ABC")
    assert {row.alias for row in LAB.rows(gateway_of(served))} == set(own)
    tenant = Lab.from_params({"guid": "abc", "lab_alias": "virtkey-abc-a.tenant"})
    assert {row.alias for row in tenant.rows(gateway_of(served))} == {own[0], own[4], own[6]}, "its own, and what release 1.3.2 made for the GUID"


def test_a_lab_alias_without_the_guid_is_found_if_it_is_named(served: ServedModel) -> None:
    make(served, "team-x-user1", Notes(lab="team-x", guid="abc"))
    named = Lab.from_params({"guid": "abc", "lab_alias": "team-x"})
    assert [row.alias for row in named.rows(gateway_of(served))] == ["team-x-user1"]


# ------------------------------------------------------------------------------------------------ notes that lie
def test_a_key_does_not_escape_from_its_lab_by_its_notes(served: ServedModel) -> None:
    make(served, "virtkey-abc-user1", Notes(lab="virtkey-zzz", guid="zzz"))
    make(served, "virtkey-abc-user2", Notes(lab="virtkey-abc", guid="abc", retired_from="virtkey-abc-user9", retired_until="2030-01-01T00:00:00Z"))
    rows = LAB.rows(gateway_of(served))
    assert sorted((row.served_alias, row.in_service) for row in rows) == [("virtkey-abc-user1", True), ("virtkey-abc-user2", True)]


@pytest.mark.parametrize("time", ["garbage", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_that_is_none_is_left_out(time: str) -> None:
    notes = Notes.from_metadata({NOTES_NAME: {**NOTED.to_metadata(), "retired_until": time, "ends": time}})
    assert notes == NOTED
    mark = key("virtkey-abc", NOTED, **{ORPHAN: {"since": time}})
    assert OrphanMark.of(mark) is None


def test_a_lab_that_is_stopped_stays_stopped_when_the_reaper_finds_it_alive() -> None:
    change = LAB.change({"blocked": True}, lambda: START)
    row = key("virtkey-abc", NOTED, **{ORPHAN: {"since": "2026-11-01T00:00:00Z"}})
    assert change(row).metadata == {ORPHAN: {"since": "2026-11-01T00:00:00Z", "stopped": True}}


def test_a_rotation_that_was_cut_off_is_finished_by_the_next_rotation(served: ServedModel) -> None:
    make(served, "virtkey-abc-user1.retired-0123", Notes(lab="virtkey-abc", guid="abc", user="user1", retired_from="virtkey-abc-user1"))
    change = LAB.change({"rotation": "a"}, lambda: START)
    (want,) = [change(row) for row in LAB.members(gateway_of(served), value_of)]
    assert (want.alias, want.rotation, want.user) == ("virtkey-abc-user1", "a", "user1")


@pytest.mark.parametrize(
    ("lab", "key", "words"),
    [
        (Lab(alias="one"), {"alias": "two"}, "^the alias two does not hold the lab_alias one"),
        (Lab(alias="one"), {"alias": "two-g", "guid": "g"}, "^the alias two-g does not hold the lab_alias one"),
        (Lab(guid="g.retired", alias="virtkey-g.retired"), {"user": "0123456789ab"}, "is how a rotation names a former value of virtkey-g; choose"),
    ],
)
def test_keys_that_would_not_be_found_again(lab: Lab, key: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        lab.wanted({"keys": [key]}, lambda: START)
