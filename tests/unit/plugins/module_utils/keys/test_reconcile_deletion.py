# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Deleting the keys of a lab, and proving that their values no longer work."""

from __future__ import annotations

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.results import KeysIncomplete, NotProven
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.revocation import DeletedValue, Proof, ProofKind
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm import errors
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import LitellmModel
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
    reconciler,
    user_names,
    wanted_keys,
    works,
)


# ---------------------------------------------------------------------------------------------------------------- proof
def test_deletion_is_proven_by_the_value_itself() -> None:
    with ServedModel(LitellmModel(memory=5)) as served:
        apply(served, wanted_keys("user1", "user2"))
        outcome = destroy(served)
        assert outcome.revocation is not None
        assert sorted(outcome.revocation.proven) == ["virtkey-abc-user1", "virtkey-abc-user2"]
        assert 4 <= outcome.revocation.seconds <= 7
        asked = {request.key for request in served.asked("/models")}
        assert {derive.value(SECRET, f"virtkey-abc-{user}", 0) for user in user_names(2)} <= asked


def test_a_gateway_that_goes_on_accepting_values_is_an_error_with_a_complete_result() -> None:
    with ServedModel(LitellmModel(memory=999)) as served:
        apply(served, wanted_keys("user1"))
        with pytest.raises(NotProven, match="still accepts the value of virtkey-abc-user1 after 65 s.*cache_ttl") as caught:
            apply(served, wanted_keys("user2"), EXACT)
        assert actions_of(caught.value.outcome) == {"user2": "created", "user1": "deleted"} and caught.value.code == "still_accepted"
        with pytest.raises(NotProven) as caught:
            destroy(served)
        assert actions_of(caught.value.outcome) == {"user2": "deleted"} and caught.value.outcome.changed
        assert caught.value.outcome.to_result()["revocation"]["still_accepted"] == ["virtkey-abc-user1", "virtkey-abc-user2"]


def test_a_proof_that_fails_is_an_error(served: ServedModel) -> None:
    apply(served, wanted_keys("user1"))
    served.faults = [Fault("/models", AWAY)]
    with pytest.raises(NotProven, match="could not be asked whether it refuses the value of virtkey-abc-user1: .*no working database") as caught:
        destroy(served)
    assert caught.value.code == "unproven" and caught.value.outcome.changed
    assert caught.value.outcome.to_result()["revocation"]["unproven"] == ["virtkey-abc-user1"]


def test_one_of_several_workers_that_still_remembers_a_key_delays_the_proof(served: ServedModel) -> None:
    apply(served, wanted_keys("user1"))
    served.requests.clear()
    served.faults = [Fault("/models", Reply(json={"data": []}), skip=1, times=1)]
    outcome = destroy(served)
    assert outcome.revocation is not None and outcome.revocation.seconds >= 1
    assert len(served.asked("/models")) == 10, "there are several workers, so a value that was accepted once is tried more often"


def test_proof_is_left_out_on_request(served: ServedModel) -> None:
    apply(served, wanted_keys("user1", "user2"))
    served.requests.clear()
    none = Proof(ProofKind.NONE)
    for outcome, alias in ((apply(served, wanted_keys("user1"), EXACT, proof=none), "virtkey-abc-user2"), (destroy(served, proof=none), "virtkey-abc-user1")):
        assert outcome.revocation is not None and outcome.revocation.listed_only == [alias] and outcome.revocation.proven == []
    assert served.asked("/models") == []


def test_unknown_values_are_reported_separately(served: ServedModel) -> None:
    apply(served, wanted_keys("user1"))
    served.model.handle("POST", "/key/generate", {}, {"key": "sk-made-by-hand-012345", "key_alias": "virtkey-abc-user2"})
    outcome = destroy(served)
    assert outcome.revocation is not None
    assert outcome.revocation.proven == ["virtkey-abc-user1"]
    assert outcome.revocation.listed_only == ["virtkey-abc-user2"]


def test_all_generations_that_were_deleted_elsewhere_are_tried(served: ServedModel) -> None:
    for generation in (0, 2):
        value = derive.value(SECRET, "virtkey-abc-user1", generation)
        served.model.handle("POST", "/key/generate", {}, {"key": value, "key_alias": f"hidden-{generation}"})
    deleted_generations = [DeletedValue("virtkey-abc-user1", generation) for generation in range(4)]
    with pytest.raises(NotProven, match="still accepts 2 values, that of virtkey-abc-user1 among them"):
        destroy(served, deleted_elsewhere=deleted_generations)
    served.model.rows.clear()
    outcome = destroy(served, deleted_elsewhere=deleted_generations)
    assert outcome.revocation is not None and outcome.to_result()["revocation"]["proven"] == ["virtkey-abc-user1"]


def test_a_value_deleted_elsewhere_that_cannot_be_derived_counts_as_listed_only(served: ServedModel) -> None:
    """The value that is derived for its alias is refused, because it never existed."""
    derived, adopted = ("virtkey-abc-user1", "virtkey-abc-user2")
    own = derive.token(derive.value(SECRET, derived, 0))
    outcome = destroy(served, deleted_elsewhere=[DeletedValue(derived, 0, own), DeletedValue(adopted, 0, "0" * 64), DeletedValue(adopted, 10**8, "1" * 64)])
    assert outcome.revocation is not None
    result = outcome.to_result()["revocation"]
    assert (result["proven"], result["listed_only"]) == ([derived], [adopted])


def test_a_run_after_a_proof_that_failed_proves_what_the_first_one_deleted() -> None:
    with ServedModel(LitellmModel(memory=300)) as served:
        apply(served, wanted_keys("user1", "user2"))
        for _run in range(2):
            with pytest.raises(NotProven) as caught:
                destroy(served)
            assert caught.value.code == "still_accepted" and len(caught.value.outcome.to_result()["revocation"]["still_accepted"]) == 2
        assert not caught.value.outcome.changed
        served.model.pass_time(200)
        again = destroy(served)
        assert not again.changed and again.revocation is not None and len(again.revocation.proven) == 2
        served.requests.clear()
        served.model.pass_time(86_400)
        assert destroy(served).revocation is None and not served.asked("/models")


def test_what_was_deleted_before_the_rest_failed_is_proven(served: ServedModel) -> None:
    apply(served, wanted_keys("user1"))
    stubborn = "sk-made-by-hand-012345"

    def comes_back(_request: Request) -> bool:
        served.model.handle("POST", "/key/generate", {}, {"key": stubborn, "key_alias": "virtkey-abc-user2"})
        return False

    served.faults = [Fault("/key/list", LOST, when=comes_back)]
    with pytest.raises(KeysIncomplete, match="still lists 1 of 2 keys") as caught:
        destroy(served)
    assert caught.value.code == "incomplete" and caught.value.outcome.revocation is not None
    assert caught.value.outcome.revocation.proven == ["virtkey-abc-user1"]


# ------------------------------------------------------------------------------------------------------------- deletion
def test_only_a_complete_list_proves_that_nothing_is_left_to_delete(served: ServedModel) -> None:
    outcome = destroy(served)
    assert not outcome.changed and outcome.done == []
    for fault, kind in ((BROKEN, errors.ServerFailed), (LOST, errors.Unreachable), (Reply(text="<html>"), errors.NotLitellm)):
        served.faults = [Fault("/key/list", fault)]
        with pytest.raises(kind):
            destroy(served)


def test_many_keys_are_deleted_in_few_calls(served: ServedModel) -> None:
    for number in range(2201):
        made = {"key": f"sk-many-of-them-{number:05d}", "key_alias": f"virtkey-abc-user{number}", "metadata": {"guid": "abc"}}
        served.model.handle("POST", "/key/generate", {}, made)
    destroy(served)
    assert [len(request.body["keys"]) for request in served.asked("/key/delete")] == [1000, 1000, 201]
    assert not served.model.rows


def test_a_deletion_that_fails_at_once_changed_nothing(served: ServedModel) -> None:
    apply(served, wanted_keys("user1"))
    served.faults = [Fault("/key/delete", BROKEN)]
    with pytest.raises(errors.ServerFailed):
        destroy(served)
    assert works(served, "user1")


def test_a_deletion_that_fails_in_the_middle(served: ServedModel) -> None:
    for number in range(1100):
        made = {"key": f"sk-many-of-them-{number:05d}", "key_alias": f"virtkey-abc-user{number}", "metadata": {"guid": "abc"}}
        served.model.handle("POST", "/key/generate", {}, made)
    served.faults = [Fault("/key/delete", BROKEN, skip=1)]
    with pytest.raises(KeysIncomplete, match="still lists 100 of 1100 keys") as caught:
        destroy(served)
    assert caught.value.outcome.changed and len(caught.value.outcome.done) == 1000


def test_a_gateway_that_dies_in_the_deletion(served: ServedModel) -> None:
    apply(served, wanted_keys("user1"))
    served.requests.clear()
    served.faults = [Fault("/key/list", LOST, when=lambda _request: bool(served.asked("/key/delete")))]
    with pytest.raises(KeysIncomplete, match="may have been deleted, but the gateway could not be asked") as caught:
        destroy(served)
    assert caught.value.outcome.changed


def test_keys_that_appear_during_the_deletion_are_deleted_too(served: ServedModel) -> None:
    apply(served, wanted_keys("user1"))
    late = ["sk-late-comer-012345678"]

    def comes(_request: Request) -> bool:
        if late:
            served.model.handle("POST", "/key/generate", {}, {"key": late.pop(), "key_alias": "virtkey-abc-user2"})
        return False

    served.faults = [Fault("/key/delete", LOST, when=comes)]
    destroy(served)
    assert not served.model.rows


def test_deleting_a_deleted_key_is_not_an_error(served: ServedModel) -> None:
    reconciler(served).api.delete(["a" * 64])


def test_a_deletion_may_arrive_twice(served: ServedModel) -> None:
    apply(served, wanted_keys("user1", "user2"))
    served.faults = [Fault("/key/delete", LOST, times=1, after=True)]
    outcome = destroy(served)
    assert actions_of(outcome) == {"user1": "deleted", "user2": "deleted"} and not served.model.rows


@pytest.mark.parametrize("alias", ["virtkey-abc-user9", "elsewhere"])
def test_a_revoked_value_that_cannot_be_derived_is_found_under_any_alias(served: ServedModel, alias: str) -> None:
    value = "sk-a-value-that-somebody-chose"
    made = {"key": value, "key_alias": "virtkey-abc-user1", "metadata": {"guid": "abc"}}
    served.model.handle("POST", "/key/generate", {}, made)
    destroy(served)
    assert not served.model.works(value)
    served.model.handle("POST", "/key/generate", {}, {"key": value, "key_alias": alias})
    destroy(served)
    assert not served.model.works(value)
