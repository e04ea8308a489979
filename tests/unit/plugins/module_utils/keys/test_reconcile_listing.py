# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Reading the list of keys: all pages, every release's search, answers that are not lists, and callers who see too little."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.results import KeysIncomplete
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.revocation import FEWEST_REFUSALS
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm import errors
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import LitellmModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.scripted import Reply
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.served_model import Fault, ServedModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.plugins.module_utils.keys.served_lab import (
    BROKEN,
    EXACT,
    SECRET,
    actions_of,
    apply,
    destroy,
    user_names,
    wanted_keys,
    works,
)


# ---------------------------------------------------------------------------------------------------------------- pages
@pytest.mark.parametrize("count", [100, 101, 250])
def test_all_pages_are_read(served: ServedModel, count: int) -> None:
    for number in range(30):
        served.model.handle("POST", "/key/generate", {}, {"key": f"sk-somebody-elses-{number:04d}", "key_alias": f"other-{number}"})
    made = apply(served, wanted_keys(*user_names(count)))
    assert actions_of(made) == dict.fromkeys(user_names(count), "created")
    assert list(actions_of(made)) == user_names(count), "in the order in which they were wanted"
    before = len(served.requests)
    again = apply(served, wanted_keys(*user_names(count)))
    assert not again.changed and len(again.done) == count
    assert len(served.requests) - before == -(-count // 100) + 1, "pages, the values that were deleted, and nothing else"
    gone = destroy(served)
    assert len(gone.done) == count and len(served.model.rows) == 30


@pytest.mark.parametrize(
    "page",
    [
        None,
        [],
        "keys",
        7,
        {},
        {"keys": None, "total_pages": 1},
        {"keys": "abc", "total_pages": 1},
        {"keys": ["a" * 64], "total_pages": 1},
        {"keys": [{"key_alias": "a"}], "total_pages": 1},
        {"keys": []},
        {"keys": [], "total_pages": None},
        {"keys": [], "total_pages": "many"},
        {"detail": "welcome"},
    ],
    ids=str,
)
def test_an_answer_that_is_not_a_list_of_keys(served: ServedModel, page: Any) -> None:
    served.faults = [Fault("/key/list", Reply(json=page))]
    with pytest.raises(errors.NotLitellm, match="not LiteLLM's list of keys.*check that url"):
        apply(served, wanted_keys("user1"))
    with pytest.raises(errors.NotLitellm):
        destroy(served)
    assert served.writes() == []


def test_a_second_page_that_is_not_a_list_of_keys(served: ServedModel) -> None:
    apply(served, wanted_keys(*user_names(101)))
    writes = len(served.writes())
    served.faults = [Fault("/key/list", Reply(json={"keys": [None], "total_pages": 2}), when=lambda request: "sort_by" in request.query)]
    with pytest.raises(errors.NotLitellm):
        destroy(served)
    assert len(served.writes()) == writes


@pytest.mark.parametrize("models", [{"data": None}, {"data": [{}]}, {"models": []}, [], None], ids=str)
def test_an_answer_that_is_not_a_list_of_models(served: ServedModel, models: Any) -> None:
    served.faults = [Fault("/models", Reply(json=models))]
    with pytest.raises(errors.NotLitellm, match="not a list of models"):
        apply(served, wanted_keys("user1"))
    assert served.writes() == []


# ----------------------------------------------------------------------------------------------- how a release searches
@pytest.mark.parametrize("search", ["search", "optional", "always", "exact"])
def test_every_release_finds_the_keys_of_the_lab(search: str) -> None:
    with ServedModel(LitellmModel(search=search)) as served:
        for alias in ("virtkey-abcd", "xvirtkey-abc", "virtkey-abc-user1-user1", "VIRTKEY-ABC-USER1"):
            served.model.handle("POST", "/key/generate", {}, {"key": f"sk-other-0123456-{alias}", "key_alias": alias})
        assert actions_of(apply(served, wanted_keys("user1", "user2", "user3"))) == dict.fromkeys(user_names(3), "created")
        served.model.pass_time(60)
        again = apply(served, wanted_keys("user1", "user2", "user3"))
        assert actions_of(again) == dict.fromkeys(user_names(3), "unchanged") and not again.changed
        assert all(entry["key_id"] in served.model.rows for entry in again.to_result()["virtual_keys"])
        fewer = apply(served, wanted_keys("user1"), EXACT)
        assert actions_of(fewer) == {"user1": "unchanged", "user2": "deleted", "user3": "deleted"}
        assert actions_of(destroy(served)) == {"user1": "deleted"}
        assert len(served.model.rows) == 4


@pytest.mark.parametrize("search", ["search", "exact"])
def test_a_lab_is_destroyed_although_no_key_has_the_alias_of_the_lab_itself(search: str) -> None:
    with ServedModel(LitellmModel(search=search)) as served:
        apply(served, wanted_keys(*user_names(3)))
        assert actions_of(destroy(served)) == dict.fromkeys(user_names(3), "deleted")
        assert not served.model.rows


def test_an_interrupted_rotation_is_finished_where_the_search_matches_whole_aliases_only(served: ServedModel) -> None:
    """The search does not find the retired key, and LiteLLM answers 200 to its value and does nothing."""
    apply(served, wanted_keys("user1"))
    served.faults = [Fault("/key/generate", BROKEN)]
    with pytest.raises(KeysIncomplete):
        apply(served, wanted_keys("user1", rotation="a"))
    served.faults = []
    served.model.search = "exact"
    assert actions_of(apply(served, wanted_keys("user1")))["user1"] == "created"
    assert works(served, "user1", 1) and not works(served, "user1") and len(served.model.rows) == 1


def test_finding_out_how_a_release_searches_takes_few_calls(served: ServedModel) -> None:
    apply(served, wanted_keys(*user_names(20)))
    before = len(served.requests)
    destroy(served)
    calls = [request.path for request in served.requests[before:]]
    assert len(calls) == 4 + 20 * FEWEST_REFUSALS
    assert calls.count("/key/list") == 3 and calls.count("/key/delete") == 1


# ------------------------------------------------------------------------------------------- callers who are not admins
def test_a_key_of_an_internal_user_sees_too_little_and_is_refused() -> None:
    with ServedModel(LitellmModel(users={"sk-an-internal-user-01": "u"})) as served:
        apply(served, wanted_keys("user1", "user2", fields={"models": ["granite"], "user_id": "u"}))
        apply(served, wanted_keys("user3"))
        rows = dict(served.model.rows)
        for work in (
            lambda: destroy(served, key="sk-an-internal-user-01"),
            lambda: apply(served, wanted_keys("user4"), key="sk-an-internal-user-01"),
            lambda: apply(served, wanted_keys("user1", "user2"), EXACT, key="sk-an-internal-user-01"),
        ):
            with pytest.raises(errors.NotAdmin, match="master key"):
                work()
        assert served.model.rows == rows


def test_a_virtual_key_is_not_an_admin_key(served: ServedModel) -> None:
    apply(served, wanted_keys("user1"))
    value = derive.value(SECRET, "virtkey-abc-user1", 0)
    for work in (lambda: destroy(served, key=value), lambda: apply(served, wanted_keys("user2"), key=value)):
        with pytest.raises(errors.NotAdmin):
            work()
    with pytest.raises(errors.Unauthorized):
        destroy(served, key="sk-nobodys-key-0123456")
    assert len(served.model.rows) == 1
