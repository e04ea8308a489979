# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Reconciling over HTTP with a model of LiteLLM: reading, writing, faults in the middle, and an honest account of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import names
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.api import KeyApi
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.key import LiveKey, WantedKey
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.lab import Lab
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.plan import OnUnrecoverable, Policy
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.reconcile import (
    PROBES,
    REVOCATION_SECONDS,
    Reconciler,
)
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.results import KeyOutcome, KeysIncomplete
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm import errors
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.client import Client, Connection
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.errors import Refused
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import MASTER_KEY, LitellmModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.scripted import Reply, Request
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.served_model import Fault, ServedModel

SECRET = "the secret of these tests"
LAB = Lab(guid="abc", alias="virtkey-abc")
EXACT = Policy(prune=True)
PRESENT = Policy()
BROKEN = Reply(status=500, json={"error": {"message": "Internal Server Error.", "type": "internal_server_error"}})
AWAY = Reply(status=500, json={"error": {"message": "Can't reach database server at `127.0.0.1:5432`"}})
LOST = Reply(reset=True)


@pytest.fixture
def served() -> Iterator[ServedModel]:
    with ServedModel() as server:
        yield server


def of_alias(*users: str) -> Any:
    aliases = {names.user_alias(LAB.alias, user) for user in users}
    return lambda request: request.body.get("key_alias") in aliases


def reconciler(served: ServedModel, *, check_mode: bool = False, key: str = MASTER_KEY, retries: int = 1, secret: str = SECRET) -> Reconciler:
    """One that does not wait, but lets the time of the model pass."""

    def clock() -> float:
        return served.model.now.timestamp()

    client = Client(Connection(url=served.url, api_key=key, retries=retries, retry_delay=0), sleep=served.model.pass_time)
    return Reconciler(
        KeyApi(client),
        secret,
        check_mode=check_mode,
        sleep=served.model.pass_time,
        clock=clock,
    )


def want(*users: str, **options: Any) -> list[WantedKey]:
    options.setdefault("fields", {"models": ["granite"]})
    return [WantedKey(names.user_alias(LAB.alias, user), lab=LAB.alias, guid=LAB.guid, user=user, **options) for user in users]


def apply(served: ServedModel, wanted: Sequence[WantedKey], policy: Policy = PRESENT, **options: Any) -> KeyOutcome:
    how = {name: options.pop(name) for name in ("check_models", "keep_going", "prove") if name in options}
    return reconciler(served, **options).apply(wanted, LAB.scope(wanted), policy, **how)


def destroy(served: ServedModel, **options: Any) -> KeyOutcome:
    how = {name: options.pop(name) for name in ("prove", "deleted_elsewhere") if name in options}
    worker = reconciler(served, **options)
    return worker.delete(lambda: LAB.to_delete(worker.api, None), **how)


def told(outcome: KeyOutcome) -> dict[str, str]:
    """What became of each alias, by its user."""
    entries = outcome.to_result()["virtual_keys"]
    return {entry["alias"].removeprefix("virtkey-abc-"): entry["action"] for entry in entries}


def users(count: int) -> list[str]:
    return [f"user{number}" for number in range(1, count + 1)]


def works(served: ServedModel, user: str, generation: int = 0) -> bool:
    return served.model.works(derive.value(SECRET, names.user_alias(LAB.alias, user), generation))


# ------------------------------------------------------------------------------------------------------------- reading
@pytest.mark.parametrize("count", [100, 101, 250])
def test_all_pages_are_read(served: ServedModel, count: int) -> None:
    for number in range(30):
        served.model.handle("POST", "/key/generate", {}, {"key": f"sk-somebody-elses-{number:04d}", "key_alias": f"other-{number}"})
    made = apply(served, want(*users(count)))
    assert told(made) == dict.fromkeys(users(count), "created")
    assert list(told(made)) == users(count), "in the order in which they were wanted"
    before = len(served.requests)
    again = apply(served, want(*users(count)))
    assert not again.changed and len(again.done) == count
    assert len(served.requests) - before == -(-count // 100), "pages, and nothing else"
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
        {"keys": [{"token": "a" * 64, "metadata": "text"}], "total_pages": 1},
        {"keys": [{"token": "a" * 64, "spend": "much"}], "total_pages": 1},
        {"keys": [{"token": "a" * 64, "expires": "soon"}], "total_pages": 1},
        {"keys": [{"key_alias": "a"}], "total_pages": 1},
        {"keys": []},
        {"keys": [], "total_pages": None},
        {"keys": [], "total_pages": "many"},
        {"detail": "welcome"},
    ],
    ids=str,
)
def test_a_list_that_is_none(served: ServedModel, page: Any) -> None:
    served.faults = [Fault("/key/list", Reply(json=page))]
    with pytest.raises(errors.NotLitellm, match="not LiteLLM's list of keys.*check that url"):
        apply(served, want("user1"))
    with pytest.raises(errors.NotLitellm):
        destroy(served)
    assert served.writes() == []


def test_a_second_page_that_is_none(served: ServedModel) -> None:
    apply(served, want(*users(101)))
    writes = len(served.writes())
    served.faults = [Fault("/key/list", Reply(json={"keys": [None], "total_pages": 2}), when=lambda request: request.query["page"] == "2")]
    with pytest.raises(errors.NotLitellm):
        destroy(served)
    assert len(served.writes()) == writes


@pytest.mark.parametrize("models", [{"data": None}, {"data": [{}]}, {"models": []}, [], None], ids=str)
def test_a_list_of_models_that_is_none(served: ServedModel, models: Any) -> None:
    served.faults = [Fault("/models", Reply(json=models))]
    with pytest.raises(errors.NotLitellm, match="not a list of models"):
        apply(served, want("user1"))
    assert served.writes() == []


# ------------------------------------------------------------------------------------ releases that search otherwise
@pytest.mark.parametrize("search", ["optional", "always", "exact"])
def test_every_release_finds_what_is_there(search: str) -> None:
    with ServedModel(LitellmModel(search=search)) as served:
        for alias in ("virtkey-abcd", "xvirtkey-abc", "virtkey-abc-user1-user1", "VIRTKEY-ABC-USER1"):
            served.model.handle("POST", "/key/generate", {}, {"key": f"sk-other-0123456-{alias}", "key_alias": alias})
        assert told(apply(served, want("user1", "user2", "user3"))) == dict.fromkeys(users(3), "created")
        served.model.pass_time(60)
        again = apply(served, want("user1", "user2", "user3"))
        assert told(again) == dict.fromkeys(users(3), "unchanged") and not again.changed
        assert all(entry["key_id"] in served.model.rows for entry in again.to_result()["virtual_keys"])
        fewer = apply(served, want("user1"), EXACT)
        assert told(fewer) == {"user1": "unchanged", "user2": "deleted", "user3": "deleted"}
        assert told(destroy(served)) == {"user1": "deleted"}
        assert len(served.model.rows) == 4


@pytest.mark.parametrize("search", ["optional", "exact"])
def test_a_lab_of_users_is_destroyed_though_no_key_bears_the_labs_own_alias(search: str) -> None:
    with ServedModel(LitellmModel(search=search)) as served:
        apply(served, want(*users(3)))
        assert told(destroy(served)) == dict.fromkeys(users(3), "deleted")
        assert not served.model.rows


def test_a_rotation_that_was_cut_off_is_finished_where_only_whole_aliases_are_listed(served: ServedModel) -> None:
    """The retired key is not found by its alias, and to its value LiteLLM answers 200 and does nothing."""
    apply(served, want("user1"))
    served.faults = [Fault("/key/generate", BROKEN)]
    with pytest.raises(KeysIncomplete):
        apply(served, want("user1", rotation="a"))
    served.faults = []
    served.model.search = "exact"
    assert told(apply(served, want("user1")))["user1"] == "created"
    assert works(served, "user1", 1) and not works(served, "user1") and len(served.model.rows) == 1


def test_finding_out_how_a_release_searches_costs_next_to_nothing(served: ServedModel) -> None:
    apply(served, want(*users(20)))
    before = len(served.requests)
    destroy(served)
    calls = [request.path for request in served.requests[before:]]
    assert len(calls) == 4 + 20 * PROBES
    assert calls.count("/key/list") == 3 and calls.count("/key/delete") == 1


# -------------------------------------------------------------------------------------------------- who may not do it
def test_a_users_own_key_sees_too_little_and_is_told_so() -> None:
    with ServedModel(LitellmModel(users={"sk-an-internal-user-01": "u"})) as served:
        apply(served, want("user1", "user2", fields={"models": ["granite"], "user_id": "u"}))
        apply(served, want("user3"))
        rows = dict(served.model.rows)
        for work in (
            lambda: destroy(served, key="sk-an-internal-user-01"),
            lambda: apply(served, want("user4"), key="sk-an-internal-user-01"),
            lambda: apply(served, want("user1", "user2"), EXACT, key="sk-an-internal-user-01"),
        ):
            with pytest.raises(errors.NotAdmin, match="master key"):
                work()
        assert served.model.rows == rows


def test_a_virtual_key_is_no_admins(served: ServedModel) -> None:
    apply(served, want("user1"))
    value = derive.value(SECRET, "virtkey-abc-user1", 0)
    for work in (lambda: destroy(served, key=value), lambda: apply(served, want("user2"), key=value)):
        with pytest.raises(errors.NotAdmin):
            work()
    with pytest.raises(errors.Unauthorized):
        destroy(served, key="sk-nobodys-key-0123456")
    assert len(served.model.rows) == 1


# ---------------------------------------------------------------------------------------------- refused before writing
def test_a_model_that_nobody_serves(served: ServedModel) -> None:
    wanted = [*want("user1"), *want("user2", fields={"models": ["granite", "gpt-9"]})]
    with pytest.raises(Refused, match=r"nothing was changed: .* no model named gpt-9; it serves granite, llama, mistral") as caught:
        apply(served, wanted)
    assert caught.value.code == "unknown_model" and served.writes() == []
    with pytest.raises(Refused):
        apply(served, wanted, check_mode=True)
    apply(served, wanted, check_models=False)
    assert len(served.model.rows) == 2


def test_words_and_wildcards_are_models_too() -> None:
    with ServedModel(LitellmModel(models=("granite", "openai/*"))) as served:
        apply(served, want("user1", fields={"models": ["all-proxy-models", "openai/gpt-9"]}))
        with pytest.raises(Refused):
            apply(served, want("user2", fields={"models": ["anthropic/claude"]}))


def test_a_team_that_there_is_not() -> None:
    with ServedModel(LitellmModel(teams=("blue",))) as served:
        with pytest.raises(Refused, match="no team red") as caught:
            apply(served, want("user1", fields={"team_id": "red"}))
        assert caught.value.code == "unknown_team" and served.writes() == []
        apply(served, want("user1", fields={"team_id": "blue"}))


def test_what_a_key_has_is_not_questioned_when_it_is_rotated(served: ServedModel) -> None:
    apply(served, want("user1", fields={"models": ["granite"]}))
    served.model.models = ("mistral",)
    assert told(apply(served, want("user1", fields={}, rotation="a")))["user1"] == "rotated"
    with pytest.raises(Refused, match="no model named granite"):
        apply(served, want("user1", rotation="b"))


def test_all_or_nothing_when_a_value_cannot_be_derived(served: ServedModel) -> None:
    apply(served, want("user1"))
    served.requests.clear()
    with pytest.raises(Refused, match="virtkey-abc-user1 cannot be derived") as caught:
        apply(served, want("user1", "user2"), secret="another secret altogether")
    assert caught.value.code == "unrecoverable" and served.writes() == []


# ------------------------------------------------------------------------------------------------------- partial failure
def test_what_failed_is_told_and_what_was_done_too(served: ServedModel) -> None:
    served.faults = [Fault("/key/generate", BROKEN, when=of_alias("user2"))]
    with pytest.raises(KeysIncomplete, match=r"1 key is not as wanted \(virtkey-abc-user2: .*Internal Server Error") as caught:
        apply(served, want(*users(3)))
    assert caught.value.outcome.changed
    assert told(caught.value.outcome) == {"user1": "created", "user3": "created"}
    served.faults = []
    assert told(apply(served, want(*users(3)))) == {"user1": "unchanged", "user2": "created", "user3": "unchanged"}


def test_when_all_writes_fail_the_cause_is_the_error(served: ServedModel) -> None:
    served.faults = [Fault("/key/generate", BROKEN)]
    with pytest.raises(errors.ServerFailed):
        apply(served, want(*users(3)))
    served.faults = [Fault("/key/generate", AWAY)]
    with pytest.raises(errors.NoDatabase):
        apply(served, want(*users(3)))
    assert not served.model.rows


def test_a_gateway_that_dies_is_not_asked_for_every_key(served: ServedModel) -> None:
    served.faults = [Fault("/key/generate", LOST)]
    with pytest.raises(errors.Unreachable):
        apply(served, want(*users(200)))
    assert len(served.asked("/key/generate")) <= 2 * 8, "those under way, twice"


def test_a_rotation_that_fails_half_way_has_changed_something(served: ServedModel) -> None:
    apply(served, want("user1"))
    served.faults = [Fault("/key/generate", BROKEN)]
    with pytest.raises(KeysIncomplete) as caught:
        apply(served, want("user1", rotation="a"))
    assert caught.value.outcome.changed and told(caught.value.outcome) == {}
    assert works(served, "user1"), "the old value goes on working"
    served.faults = []
    apply(served, want("user1", rotation="a"))
    assert works(served, "user1", 1) and not works(served, "user1") and len(served.model.rows) == 1


def test_calls_that_are_answered_and_ignored(served: ServedModel) -> None:
    served.faults = [Fault("/key/generate", Reply(json={"key": "sk-1"}), when=of_alias("user2"))]
    with pytest.raises(KeysIncomplete, match="virtkey-abc-user2: the gateway took the call and did not act on it") as caught:
        apply(served, want("user1", "user2"))
    assert told(caught.value.outcome) == {"user1": "created"}


def test_deletions_that_are_answered_and_ignored(served: ServedModel) -> None:
    apply(served, want("user1", "user2"))
    served.faults = [Fault("/key/delete", Reply(json={"deleted_keys": ["all"]}))]
    with pytest.raises(KeysIncomplete, match="virtkey-abc-user2") as caught:
        apply(served, want("user1"), EXACT)
    assert told(caught.value.outcome) == {"user1": "unchanged"}
    with pytest.raises(KeysIncomplete, match="still lists 2 of 2 keys"):
        destroy(served)


def test_nobody_is_deleted_when_others_could_not_be_made(served: ServedModel) -> None:
    apply(served, want("user1"))
    served.faults = [Fault("/key/generate", BROKEN, when=of_alias("user3"))]
    with pytest.raises(KeysIncomplete) as caught:
        apply(served, want("user2", "user3"), EXACT)
    assert told(caught.value.outcome) == {"user2": "created"} and works(served, "user1")


def test_a_deletion_that_fails_after_keys_were_made(served: ServedModel) -> None:
    apply(served, want("user1"))
    served.faults = [Fault("/key/delete", BROKEN)]
    with pytest.raises(KeysIncomplete, match="virtkey-abc-user1: .*Internal Server Error") as caught:
        apply(served, want("user2"), EXACT)
    assert caught.value.outcome.changed and told(caught.value.outcome) == {"user2": "created"}


def test_a_gateway_that_dies_after_the_writes(served: ServedModel) -> None:
    served.faults = [Fault("/key/list", LOST, skip=2)]
    with pytest.raises(KeysIncomplete, match="keys were written, but the gateway could not be asked") as caught:
        apply(served, want("user1"))
    assert caught.value.outcome.changed


# ------------------------------------------------------------------------------------------ lost answers, other runs
@pytest.mark.parametrize("retries", [0, 1])
def test_an_answer_that_is_lost(served: ServedModel, retries: int) -> None:
    served.faults = [Fault("/key/generate", LOST, times=1, after=True)]
    outcome = apply(served, want("user1"), retries=retries)
    assert outcome.changed and told(outcome) == {"user1": "created"}
    (entry,) = outcome.to_result(reveal=reconciler(served).value_of)["virtual_keys"]
    assert served.model.works(entry["value"]) and len(served.model.rows) == 1


@pytest.mark.parametrize("path", ["/key/update", "/key/generate", "/key/delete"])
def test_an_answer_that_is_lost_in_a_rotation(served: ServedModel, path: str) -> None:
    apply(served, want("user1"))
    served.faults = [Fault(path, LOST, times=1, after=True)]
    outcome = apply(served, want("user1", rotation="a"))
    assert told(outcome)["user1"] == "rotated"
    assert works(served, "user1", 1) and not works(served, "user1") and len(served.model.rows) == 1


@pytest.mark.parametrize("age", [0, 3600])
def test_another_run_was_faster(served: ServedModel, age: int) -> None:
    """It makes the key between our reading and our writing; the result has the key all the same."""
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
    outcome = apply(served, want("user1", "user2"))
    assert told(outcome) == {"user1": "unchanged" if age else "created", "user2": "created"}
    entries = outcome.to_result(reveal=reconciler(served).value_of)["virtual_keys"]
    assert all(served.model.works(entry["value"]) for entry in entries)


def test_results_stand_in_the_order_of_what_was_wanted(served: ServedModel) -> None:
    apply(served, want("user2", "user4", "user9"))
    outcome = apply(served, [*want("user3"), *want("user4"), *want("user2", rotation="a"), *want("user1")], EXACT)
    names = [(entry["user"], entry["action"]) for entry in outcome.to_result()["virtual_keys"]]
    assert names[:4] == [("user3", "created"), ("user4", "unchanged"), ("user2", "rotated"), ("user1", "created")]
    assert sorted(names[4:]) == [("user2", "deleted"), ("user9", "deleted")]


def test_deleting_what_is_gone_is_no_error(served: ServedModel) -> None:
    reconciler(served).api.delete(["a" * 64])


def test_a_delete_that_arrives_twice(served: ServedModel) -> None:
    apply(served, want("user1", "user2"))
    served.faults = [Fault("/key/delete", LOST, times=1, after=True)]
    outcome = destroy(served)
    assert told(outcome) == {"user1": "deleted", "user2": "deleted"} and not served.model.rows


# ------------------------------------------------------------------------------------------------------------ keep going
def test_keep_going_makes_what_can_be_made(served: ServedModel) -> None:
    served.faults = [Fault("/key/generate", BROKEN, when=of_alias("user3"))]
    wanted = [*want("user1"), *want("user2", fields={"models": ["gpt-9"]}), *want("user3")]
    outcome = apply(served, wanted, keep_going=True)
    assert told(outcome) == {"user1": "created"}
    assert {entry["alias"]: entry["code"] for entry in outcome.to_result()["left_out"]} == {
        "virtkey-abc-user2": "unknown_model",
        "virtkey-abc-user3": "server_failed",
    }


def test_keep_going_does_not_delete_what_it_leaves_out(served: ServedModel) -> None:
    apply(served, want("user1", "user2"))
    wanted = [*want("user1", fields={"models": ["gpt-9"]}), *want("user3")]
    outcome = apply(served, wanted, EXACT, keep_going=True)
    assert told(outcome) == {"user3": "created", "user2": "deleted"}
    assert works(served, "user1")


# ------------------------------------------------------------------------------------------------------ proven deletion
def test_deletion_is_proven_by_the_value_itself() -> None:
    with ServedModel(LitellmModel(memory=5)) as served:
        apply(served, want("user1", "user2"))
        outcome = destroy(served)
        assert outcome.revocation is not None
        assert outcome.revocation["proven"] == ["virtkey-abc-user1", "virtkey-abc-user2"]
        assert 4 <= outcome.revocation["seconds"] <= 7
        asked = {request.key for request in served.asked("/models")}
        assert {derive.value(SECRET, f"virtkey-abc-{user}", 0) for user in users(2)} <= asked


def test_a_gateway_that_goes_on_accepting_is_an_error_and_the_account_is_whole() -> None:
    with ServedModel(LitellmModel(memory=999)) as served:
        apply(served, want("user1"))
        with pytest.raises(KeysIncomplete, match=f"still accepts 1 of them after {REVOCATION_SECONDS:.0f} s, virtkey-abc-user1.*cache_ttl") as caught:
            apply(served, want("user2"), EXACT)
        assert told(caught.value.outcome) == {"user2": "created", "user1": "deleted"}
        with pytest.raises(KeysIncomplete) as caught:
            destroy(served)
        assert told(caught.value.outcome) == {"user2": "deleted"} and caught.value.outcome.changed


def test_a_proof_that_cannot_be_had_is_none(served: ServedModel) -> None:
    apply(served, want("user1"))
    served.faults = [Fault("/models", AWAY)]
    with pytest.raises(KeysIncomplete, match="could not be proven: .*no working database") as caught:
        destroy(served)
    assert caught.value.outcome.changed and caught.value.outcome.revocation is None


def test_one_worker_of_several_remembers(served: ServedModel) -> None:
    apply(served, want("user1"))
    served.requests.clear()
    served.faults = [Fault("/models", Reply(json={"data": []}), skip=1, times=1)]
    outcome = destroy(served)
    assert outcome.revocation is not None and outcome.revocation["seconds"] >= 1
    assert len(served.asked("/models")) == 2 * PROBES


def test_proof_is_left_out_on_request(served: ServedModel) -> None:
    apply(served, want("user1", "user2"))
    served.requests.clear()
    assert apply(served, want("user1"), EXACT, prove=False).revocation is None
    assert destroy(served, prove=False).revocation is None
    assert served.asked("/models") == []


def test_values_that_nobody_knows_are_told_apart(served: ServedModel) -> None:
    apply(served, want("user1"))
    served.model.handle("POST", "/key/generate", {}, {"key": "sk-made-by-hand-012345", "key_alias": "virtkey-abc-user2"})
    outcome = destroy(served)
    assert outcome.revocation is not None
    assert outcome.revocation["proven"] == ["virtkey-abc-user1"]
    assert outcome.revocation["listed_only"] == ["virtkey-abc-user2"]


def test_all_generations_that_were_deleted_elsewhere_are_tried(served: ServedModel) -> None:
    for generation in (0, 2):
        value = derive.value(SECRET, "virtkey-abc-user1", generation)
        served.model.handle("POST", "/key/generate", {}, {"key": value, "key_alias": f"hidden-{generation}"})
    elsewhere = [("virtkey-abc-user1", generation) for generation in range(4)]
    with pytest.raises(KeysIncomplete, match="still accepts 2 of them"):
        destroy(served, deleted_elsewhere=elsewhere)
    served.model.rows.clear()
    outcome = destroy(served, deleted_elsewhere=elsewhere)
    assert outcome.revocation is not None and outcome.revocation["proven"] == ["virtkey-abc-user1"]


# ------------------------------------------------------------------------------------------------------------- deletion
def test_nothing_to_delete_is_only_said_by_who_can_know(served: ServedModel) -> None:
    outcome = destroy(served)
    assert not outcome.changed and outcome.done == []
    for fault, kind in ((BROKEN, errors.ServerFailed), (LOST, errors.Unreachable), (Reply(text="<html>"), errors.NotLitellm)):
        served.faults = [Fault("/key/list", fault)]
        with pytest.raises(kind):
            destroy(served)


def test_many_keys_go_in_few_calls(served: ServedModel) -> None:
    for number in range(2201):
        served.model.handle("POST", "/key/generate", {}, {"key": f"sk-many-of-them-{number:05d}", "key_alias": f"virtkey-abc-user{number}"})
    destroy(served)
    assert [len(request.body["keys"]) for request in served.asked("/key/delete")] == [1000, 1000, 201]
    assert not served.model.rows


def test_a_deletion_that_fails_at_once_changed_nothing(served: ServedModel) -> None:
    apply(served, want("user1"))
    served.faults = [Fault("/key/delete", BROKEN)]
    with pytest.raises(errors.ServerFailed):
        destroy(served)
    assert works(served, "user1")


def test_a_deletion_that_fails_in_the_middle(served: ServedModel) -> None:
    for number in range(1100):
        served.model.handle("POST", "/key/generate", {}, {"key": f"sk-many-of-them-{number:05d}", "key_alias": f"virtkey-abc-user{number}"})
    served.faults = [Fault("/key/delete", BROKEN, skip=1)]
    with pytest.raises(KeysIncomplete, match="still lists 100 of 1100 keys") as caught:
        destroy(served)
    assert caught.value.outcome.changed and len(caught.value.outcome.done) == 1000


def test_a_gateway_that_dies_in_the_deletion(served: ServedModel) -> None:
    apply(served, want("user1"))
    served.requests.clear()
    served.faults = [Fault("/key/list", LOST, when=lambda _request: bool(served.asked("/key/delete")))]
    with pytest.raises(KeysIncomplete, match="may have been deleted, but the gateway could not be asked") as caught:
        destroy(served)
    assert caught.value.outcome.changed


def test_keys_that_appear_during_the_deletion_go_too(served: ServedModel) -> None:
    apply(served, want("user1"))
    late = ["sk-late-comer-012345678"]

    def comes(_request: Request) -> bool:
        if late:
            served.model.handle("POST", "/key/generate", {}, {"key": late.pop(), "key_alias": "virtkey-abc-user2"})
        return False

    served.faults = [Fault("/key/delete", LOST, when=comes)]
    destroy(served)
    assert not served.model.rows


# ------------------------------------------------------------------------------------------------------- keys as they are
def change(served: ServedModel, **options: Any) -> KeyOutcome:
    how = {name: options.pop(name) for name in ("check_mode", "retries") if name in options}
    worker = reconciler(served, **how)

    def wanted(row: LiveKey) -> WantedKey:
        return WantedKey(row.alias, **options)

    return worker.change(LAB.in_service(worker.api), wanted, lambda: LAB.in_service(worker.api))


def test_change_needs_no_value(served: ServedModel) -> None:
    apply(served, want("user1", "user2"), secret="another secret altogether")
    outcome = change(served, fields={"blocked": True})
    assert told(outcome) == {"user1": "updated", "user2": "updated"}
    assert not change(served, fields={"blocked": True}).changed


def test_change_in_check_mode_is_the_same_path(served: ServedModel) -> None:
    apply(served, want("user1"))
    writes = len(served.writes())
    assert told(change(served, fields={"rpm_limit": 1}, check_mode=True)) == {"user1": "updated"}
    for check_mode in (True, False):
        with pytest.raises(Refused, match="no model named gpt-9"):
            change(served, fields={"models": ["gpt-9"]}, check_mode=check_mode)
    assert len(served.writes()) == writes


def test_a_change_that_fails(served: ServedModel) -> None:
    apply(served, want("user1", "user2"))
    token = derive.token(derive.value(SECRET, "virtkey-abc-user2", 0))
    served.faults = [Fault("/key/update", BROKEN, when=lambda request: request.body["key"] == token)]
    with pytest.raises(KeysIncomplete, match=r"1 of 2 keys are not as wanted \(virtkey-abc-user2: .*Internal Server Error") as caught:
        change(served, fields={"rpm_limit": 1})
    assert told(caught.value.outcome) == {"user1": "updated"} and caught.value.outcome.changed
    served.faults = [Fault("/key/update", BROKEN)]
    with pytest.raises(errors.ServerFailed):
        change(served, fields={"rpm_limit": 2})
    served.faults = [Fault("/key/update", Reply(json={}))]
    with pytest.raises(KeysIncomplete, match="did not act on it"):
        change(served, fields={"rpm_limit": 2})


def test_a_gateway_that_dies_after_a_change(served: ServedModel) -> None:
    apply(served, want("user1"))
    served.requests.clear()
    served.faults = [Fault("/key/list", LOST, when=lambda _request: bool(served.asked("/key/update")))]
    with pytest.raises(KeysIncomplete, match="could not be asked") as caught:
        change(served, fields={"rpm_limit": 1})
    assert caught.value.outcome.changed


# ------------------------------------------------------------------------------------------------- check mode, results
@pytest.mark.parametrize("exact", [True, False])
def test_check_mode_says_what_the_real_run_does(served: ServedModel, exact: bool) -> None:
    apply(served, want("user1", "user2", "user5"))
    wanted = [*want("user1"), *want("user2", rotation="a"), *want("user3"), *want("user4", fields={"models": ["mistral"]})]
    policy = Policy(prune=exact)
    before, calls = dict(served.model.rows), len(served.writes())
    foretold = apply(served, wanted, policy, check_mode=True)
    assert served.model.rows == before and len(served.writes()) == calls
    real = apply(served, wanted, policy)
    one, other = foretold.to_result(with_diff=True), real.to_result(with_diff=True)
    assert foretold.changed and real.changed
    deleted = [entry["alias"] for entry in other["virtual_keys"] if entry["action"] == "deleted" and entry["retired_from"]]
    assert len(deleted) == 1, "the rotated value, which check mode shows as rotated"
    assert one["diff"]["after"] == other["diff"]["after"]
    assert {alias: state for alias, state in other["diff"]["before"].items() if alias not in deleted} == one["diff"]["before"]
    assert [(entry["alias"], entry["action"]) for entry in other["virtual_keys"] if entry["alias"] not in deleted] == [
        (entry["alias"], entry["action"]) for entry in one["virtual_keys"]
    ]


def test_results_and_diffs_hold_no_value(served: ServedModel) -> None:
    apply(served, want("user1", "user2"), secret=SECRET)
    outcome = apply(served, want("user1", rotation="a"), EXACT)
    assert "sk-" not in repr(outcome.to_result(with_diff=True))
    revealed = outcome.to_result(reveal=reconciler(served).value_of)
    values = [entry.get("value") for entry in revealed["virtual_keys"]]
    assert values[0] == derive.value(SECRET, "virtkey-abc-user1", 1) and values[1:] == [None, None]


def test_keep_admits_that_a_value_is_unknown(served: ServedModel) -> None:
    served.model.handle("POST", "/key/generate", {}, {"key": "sk-made-by-hand-012345", "key_alias": "virtkey-abc-user1"})
    outcome = apply(served, want("user1"), Policy(on_unrecoverable=OnUnrecoverable.KEEP))
    (entry,) = outcome.to_result(reveal=reconciler(served).value_of)["virtual_keys"]
    assert entry["recoverable"] is False and "value" not in entry
