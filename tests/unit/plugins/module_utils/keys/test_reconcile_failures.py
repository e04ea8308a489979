# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Failures in the middle of a run: the error lists what was done and what was not, and the next run finishes the work."""

from __future__ import annotations

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.results import KeysIncomplete
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm import errors
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.scripted import Reply, Request
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.served_model import Fault, ServedModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.plugins.module_utils.keys.served_lab import (
    AWAY,
    BROKEN,
    EXACT,
    LOST,
    SECRET,
    actions_of,
    apply,
    destroy,
    is_for,
    reconciler,
    user_names,
    wanted_keys,
    works,
)


# ------------------------------------------------------------------------------------------------------ partial failure
def test_the_error_lists_what_failed_and_what_was_done(served: ServedModel) -> None:
    served.faults = [Fault("/key/generate", BROKEN, when=is_for("user2"))]
    with pytest.raises(KeysIncomplete, match=r"1 key is not as wanted \(virtkey-abc-user2: .*Internal Server Error") as caught:
        apply(served, wanted_keys(*user_names(3)))
    assert caught.value.outcome.changed
    assert actions_of(caught.value.outcome) == {"user1": "created", "user3": "created"}
    served.faults = []
    assert actions_of(apply(served, wanted_keys(*user_names(3)))) == {"user1": "unchanged", "user2": "created", "user3": "unchanged"}


def test_when_every_write_fails_the_cause_is_the_error(served: ServedModel) -> None:
    served.faults = [Fault("/key/generate", BROKEN)]
    with pytest.raises(errors.ServerFailed):
        apply(served, wanted_keys(*user_names(3)))
    served.faults = [Fault("/key/generate", AWAY)]
    with pytest.raises(errors.NoDatabase):
        apply(served, wanted_keys(*user_names(3)))
    assert not served.model.rows


def test_a_gateway_that_dies_is_not_asked_for_every_key(served: ServedModel) -> None:
    served.faults = [Fault("/key/generate", LOST)]
    with pytest.raises(errors.Unreachable):
        apply(served, wanted_keys(*user_names(200)))
    assert len(served.asked("/key/generate")) <= 2 * 8, "the calls under way, twice"


def test_a_rotation_that_fails_half_way_has_changed_something(served: ServedModel) -> None:
    apply(served, wanted_keys("user1"))
    served.faults = [Fault("/key/generate", BROKEN)]
    with pytest.raises(KeysIncomplete) as caught:
        apply(served, wanted_keys("user1", rotation="a"))
    assert caught.value.outcome.changed and actions_of(caught.value.outcome) == {}
    assert works(served, "user1"), "the old value goes on working"
    served.faults = []
    apply(served, wanted_keys("user1", rotation="a"))
    assert works(served, "user1", 1) and not works(served, "user1") and len(served.model.rows) == 1


def test_writes_that_are_answered_and_ignored(served: ServedModel) -> None:
    served.faults = [Fault("/key/generate", Reply(json={"key": "sk-1"}), when=is_for("user2"))]
    with pytest.raises(KeysIncomplete, match="virtkey-abc-user2: the gateway took the call and did not act on it") as caught:
        apply(served, wanted_keys("user1", "user2"))
    assert actions_of(caught.value.outcome) == {"user1": "created"}


def test_deletions_that_are_answered_and_ignored(served: ServedModel) -> None:
    apply(served, wanted_keys("user1", "user2"))
    served.faults = [Fault("/key/delete", Reply(json={"deleted_keys": ["all"]}))]
    with pytest.raises(KeysIncomplete, match="virtkey-abc-user2") as caught:
        apply(served, wanted_keys("user1"), EXACT)
    assert actions_of(caught.value.outcome) == {"user1": "unchanged"}
    with pytest.raises(KeysIncomplete, match="still lists 2 of 2 keys"):
        destroy(served)


def test_nothing_is_deleted_when_a_key_could_not_be_created(served: ServedModel) -> None:
    apply(served, wanted_keys("user1"))
    served.faults = [Fault("/key/generate", BROKEN, when=is_for("user3"))]
    with pytest.raises(KeysIncomplete) as caught:
        apply(served, wanted_keys("user2", "user3"), EXACT)
    assert actions_of(caught.value.outcome) == {"user2": "created"} and works(served, "user1")


def test_a_deletion_that_fails_after_keys_were_created(served: ServedModel) -> None:
    apply(served, wanted_keys("user1"))
    served.faults = [Fault("/key/delete", BROKEN)]
    with pytest.raises(KeysIncomplete, match="virtkey-abc-user1: .*Internal Server Error") as caught:
        apply(served, wanted_keys("user2"), EXACT)
    assert caught.value.outcome.changed and actions_of(caught.value.outcome) == {"user2": "created"}


def test_a_gateway_that_dies_after_the_writes(served: ServedModel) -> None:
    served.faults = [Fault("/key/list", LOST, skip=3)]
    with pytest.raises(KeysIncomplete, match="keys were written, but the gateway could not be asked") as caught:
        apply(served, wanted_keys("user1"))
    assert caught.value.outcome.changed


# --------------------------------------------------------------------------------------------- lost answers, other runs
@pytest.mark.parametrize("retries", [0, 1])
def test_a_lost_answer(served: ServedModel, retries: int) -> None:
    served.faults = [Fault("/key/generate", LOST, times=1, after=True)]
    outcome = apply(served, wanted_keys("user1"), retries=retries)
    assert outcome.changed and actions_of(outcome) == {"user1": "created"}
    (entry,) = outcome.to_result(reveal=reconciler(served).value_of)["virtual_keys"]
    assert served.model.works(entry["value"]) and len(served.model.rows) == 1


@pytest.mark.parametrize("path", ["/key/update", "/key/generate", "/key/delete"])
def test_a_lost_answer_during_a_rotation(served: ServedModel, path: str) -> None:
    apply(served, wanted_keys("user1"))
    served.faults = [Fault(path, LOST, times=1, after=True)]
    outcome = apply(served, wanted_keys("user1", rotation="a"))
    assert actions_of(outcome)["user1"] == "rotated"
    assert works(served, "user1", 1) and not works(served, "user1") and len(served.model.rows) == 1


@pytest.mark.parametrize("age", [0, 3600])
def test_another_run_creates_the_key_first(served: ServedModel, age: int) -> None:
    """The other run creates the key between our read and our write; our result has the key all the same."""
    aliases = ["virtkey-abc-user1"]

    def other_run(request: Request) -> bool:
        if request.body["key_alias"] in aliases:
            alias = aliases.pop()
            body = {"key": derive.value(SECRET, alias, 0), "key_alias": alias, "metadata": request.body["metadata"], "models": ["granite"]}
            served.model.pass_time(-age)
            served.model.handle("POST", "/key/generate", {}, body)
            served.model.pass_time(age)
        return False

    served.faults = [Fault("/key/generate", LOST, when=other_run)]
    outcome = apply(served, wanted_keys("user1", "user2"))
    assert actions_of(outcome) == {"user1": "unchanged" if age else "created", "user2": "created"}
    entries = outcome.to_result(reveal=reconciler(served).value_of)["virtual_keys"]
    assert all(served.model.works(entry["value"]) for entry in entries)


# ----------------------------------------------------------------------------------------------------------- keep going
def test_keep_going_creates_the_other_keys(served: ServedModel) -> None:
    served.faults = [Fault("/key/generate", BROKEN, when=is_for("user3"))]
    wanted = [*wanted_keys("user1"), *wanted_keys("user2", fields={"models": ["gpt-9"]}), *wanted_keys("user3")]
    outcome = apply(served, wanted, keep_going=True)
    assert actions_of(outcome) == {"user1": "created"}
    assert {entry["alias"]: entry["code"] for entry in outcome.to_result()["left_out"]} == {
        "virtkey-abc-user2": "unknown_model",
        "virtkey-abc-user3": "server_failed",
    }


def test_keep_going_does_not_delete_what_it_leaves_out(served: ServedModel) -> None:
    apply(served, wanted_keys("user1", "user2"))
    wanted = [*wanted_keys("user1", fields={"models": ["gpt-9"]}), *wanted_keys("user3")]
    outcome = apply(served, wanted, EXACT, keep_going=True)
    assert actions_of(outcome) == {"user3": "created", "user2": "deleted"}
    assert works(served, "user1")
