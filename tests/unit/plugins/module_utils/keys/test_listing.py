# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The lists of living and deleted keys are whole on every release of LiteLLM, and a current release needs no call to find out what it can do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.api import KeyApi
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.key import LiveKey, Notes
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.client import Client, Connection
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.notes import NOTES_NAME
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import MASTER_KEY, LitellmModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.served_model import ServedModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.plugins.module_utils.keys.served_lab import apply, user_names, wanted_keys

RELEASES = {
    "1.80": LitellmModel(search="exact", history=False),
    "1.82.6": LitellmModel(search="exact"),
    "1.85": LitellmModel(search="always"),
    "1.95": LitellmModel(search="optional"),
    "1.102.4": LitellmModel(search="search"),
}


@pytest.fixture(params=RELEASES)
def release(request: pytest.FixtureRequest) -> Iterator[ServedModel]:
    kind = RELEASES[request.param]
    with ServedModel(LitellmModel(search=kind.search, history=kind.history)) as served:
        yield served


def api_of(served: ServedModel) -> KeyApi:
    return KeyApi(Client(Connection(url=served.url, api_key=MASTER_KEY, retries=0)))


def make(served: ServedModel, *aliases: str, generation: int = 0) -> None:
    for alias in aliases:
        notes = Notes(lab="virtkey-abc", generation=generation).to_metadata()
        body = {"key": f"sk-{generation}-0123456789-{alias}", "key_alias": alias, "metadata": {NOTES_NAME: notes}}
        assert served.model.handle("POST", "/key/generate", {}, body)[0] == 200


def crowd(served: ServedModel, count: int) -> None:
    make(served, *(f"virtkey-other{number}" for number in range(count)))


def delete(served: ServedModel, *aliases: str) -> None:
    tokens = [row["token"] for alias in aliases for row in served.model.with_alias(alias)]
    assert served.model.handle("POST", "/key/delete", {}, {"keys": tokens})[0] == 200


def aliases_of(rows: list[LiveKey] | None) -> list[str]:
    assert rows is not None
    return sorted(row.alias for row in rows)


# ------------------------------------------------------------------------------------------------------------- living keys
@pytest.mark.parametrize("others", [0, 1, 99, 100, 250])
@pytest.mark.parametrize("own", [(), ("virtkey-abc",), ("virtkey-abc-user1", "virtkey-abc-user2"), ("virtkey-abc", "virtkey-abcd")])
def test_every_release_finds_the_keys_by_a_part_of_their_aliases(release: ServedModel, others: int, own: tuple[str, ...]) -> None:
    crowd(release, others)
    make(release, *own)
    api = api_of(release)
    for _time in range(2):
        assert aliases_of(api.keys_like("virtkey-abc")) == sorted(own)
        assert len(api.keys_like("virtkey-")) == others + len(own)
        assert api.keys_like("virtkey-abcde") == []


@pytest.mark.parametrize("others", [0, 250])
def test_several_parts_at_once(release: ServedModel, others: int) -> None:
    crowd(release, others)
    make(release, "team-a", "team-b", "x-team-b-y", "TEAM-A")
    assert aliases_of(api_of(release).keys_like("team-a", "team-b", "team-c", "team-a")) == ["team-a", "team-b", "x-team-b-y"]
    assert api_of(release).keys_like() == []


def test_parts_with_characters_that_postgresql_takes_for_wildcards(release: ServedModel) -> None:
    crowd(release, 250)
    make(release, "a_b", "axb", "c%d", "cxxd")
    assert aliases_of(api_of(release).keys_like("a_b")) == ["a_b"]
    assert aliases_of(api_of(release).keys_like("c%d")) == ["c%d"]


def test_keys_without_an_alias_are_in_no_search(release: ServedModel) -> None:
    for number in range(150):
        release.model.handle("POST", "/key/generate", {}, {"key": f"sk-without-alias-{number:04d}"})
    make(release, "virtkey-abc")
    assert aliases_of(api_of(release).keys_like("virtkey-abc")) == ["virtkey-abc"]
    assert len(api_of(release).keys()) == 151


@pytest.mark.parametrize(("search", "first", "later"), [("search", 1, 1), ("optional", 3, 1), ("always", 3, 1), ("exact", 6, 4)])
def test_the_calls_that_a_search_beside_300_other_keys_takes(search: str, first: int, later: int) -> None:
    """A release that does not know `search` shows that once, and one that finds no parts lists its keys page by page."""
    with ServedModel(LitellmModel(search=search)) as served:
        crowd(served, 300)
        make(served, "virtkey-abc-user1")
        api = api_of(served)
        for calls in (first, later, later):
            before = len(served.requests)
            assert aliases_of(api.keys_like("virtkey-abc")) == ["virtkey-abc-user1"]
            assert len(served.requests) - before == calls


def test_a_gateway_that_finds_no_parts_lists_its_keys_once_for_many_searches() -> None:
    with ServedModel(LitellmModel(search="exact")) as served:
        crowd(served, 250)
        make(served, *(f"team-{number}" for number in range(20)))
        assert len(api_of(served).keys_like(*(f"team-{number}" for number in range(20)))) == 20
        assert len(served.requests) <= 2 + 3


def test_the_planner_takes_no_key_for_a_missing_one(release: ServedModel) -> None:
    """It found none where LiteLLM finds no parts of aliases, and asked for keys that there were."""
    crowd(release, 250)
    apply(release, wanted_keys(*user_names(3)))
    release.model.pass_time(60)
    writes = len(release.writes())
    again = apply(release, wanted_keys(*user_names(3)))
    assert not again.changed and release.writes()[writes:] == []
    rotated = apply(release, wanted_keys(*user_names(3), rotation="a"))
    assert [key.action.value for key in rotated.done if key.wanted] == ["rotate"] * 3


# ------------------------------------------------------------------------------------------------------------ deleted keys
@pytest.mark.parametrize("others", [0, 250])
def test_deleted_keys_are_found_with_their_notes(release: ServedModel, others: int) -> None:
    crowd(release, max(1, others))
    make(release, "virtkey-abc-user1", "virtkey-abc-user2", "virtkey-abcd", generation=3)
    delete(release, "virtkey-abc-user1", "virtkey-abc-user2", "virtkey-abcd", *(f"virtkey-other{number}" for number in range(1, others)))
    api = api_of(release)
    found = api.deleted_keys_like("virtkey-abc-", aliases=["virtkey-abc-user1", "virtkey-abc-user3"])
    if not release.model.history:
        assert found is None
        return
    assert found is not None and {"virtkey-abc-user1"} <= set(aliases_of(found)) <= {"virtkey-abc-user1", "virtkey-abc-user2"}
    assert {row.generation for row in found} == {3}
    assert aliases_of(api.deleted_keys_like("virtkey-abc-")) == ["virtkey-abc-user1", "virtkey-abc-user2"]
    assert api.deleted_keys_like("virtkey-nobody") == []


def test_a_value_that_was_deleted_twice_is_two_deleted_keys(release: ServedModel) -> None:
    make(release, "virtkey-other")
    for _time in range(2):
        make(release, "virtkey-abc")
        delete(release, "virtkey-abc")
        release.model.pass_time(60)
    found = api_of(release).deleted_keys_like("virtkey-abc")
    assert found is None if not release.model.history else aliases_of(found) == ["virtkey-abc"] * 2


def test_a_long_history_is_not_read_whole_where_only_whole_aliases_are_found() -> None:
    with ServedModel(LitellmModel(search="exact")) as served:
        crowd(served, 500)
        make(served, "virtkey-abc-user1")
        delete(served, "virtkey-abc-user1", *(f"virtkey-other{number}" for number in range(500)))
        found = api_of(served).deleted_keys_like("virtkey-abc", aliases=["virtkey-abc-user1", "virtkey-abc-user2"])
        assert aliases_of(found) == ["virtkey-abc-user1"]
        assert len(served.requests) == 4, "the first page, a probe of the search, and a call for each alias"


def test_the_deleted_keys_of_a_current_release_take_one_call() -> None:
    with ServedModel() as served:
        crowd(served, 300)
        make(served, "virtkey-abc")
        delete(served, "virtkey-abc")
        assert aliases_of(api_of(served).deleted_keys_like("virtkey-abc")) == ["virtkey-abc"]
        assert len(served.requests) == 1
