# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The proof that deleted values are refused: how often they are tried, for how long, what counts, and what is said about it."""

from __future__ import annotations

import random
import time
from datetime import datetime
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.derive import token
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.revocation import Proof, ProofKind, Revocation, prove
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.client import Client, Connection
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import MASTER_KEY, LitellmModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.scripted import LoopbackServer, Reply
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.served_model import Fault, ServedModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.plugins.module_utils.keys.served_lab import AWAY, BROKEN, LOST

VALUES = [(f"virtkey-abc-user{number}", f"sk-a-users-value-{number:04d}") for number in range(1, 5)]
CERTAIN = Proof(ProofKind.CERTAIN)
PROXYS_WORDS = Reply(status=401, json={"message": "Unauthorized"})


def client_of(served: ServedModel, **options: Any) -> Client:
    """Return a client that never sleeps: a wait only moves the clock of the model."""
    settings = {"retries": 1, "retry_delay": 0, **options}
    return Client(Connection(url=served.url, api_key=MASTER_KEY, **settings), sleep=served.model.pass_time, clock=served.model.now_in_seconds)


def deleted(served: ServedModel, values: list[tuple[str, str]] = VALUES) -> list[tuple[str, str]]:
    """Make keys with these values and delete them, so that other workers remember them for the model's `memory`."""
    for alias, value in values:
        served.model.handle("POST", "/key/generate", {}, {"key": value, "key_alias": alias})
    served.model.handle("POST", "/key/delete", {}, {"keys": list(served.model.rows)})
    return values


def proven(served: ServedModel, proof: Proof, values: list[tuple[str, str]] = VALUES) -> Revocation:
    return prove(client_of(served), deleted(served, values), proof)


# ----------------------------------------------------------------------------------------------------------- how strong
def test_with_one_worker_each_value_is_refused_twice_and_at_once(served: ServedModel) -> None:
    found = proven(served, Proof())
    assert found.to_result() == {
        "proof": "quick",
        "proven": [alias for alias, _value in VALUES],
        "listed_only": [],
        "still_accepted": [],
        "unproven": [],
        "refusals": 2,
        "seconds": 0,
        "summary": "4 proven in 0.0 s (quick)",
    }
    assert found.failure() is None
    assert sorted(request.key for request in served.asked("/models")) == sorted(value for _alias, value in VALUES * 2)


@pytest.mark.parametrize("workers", [2, 4, 8])
def test_a_quick_proof_for_several_workers_misses_few_and_a_certain_one_none(workers: int) -> None:
    """With two calls for each value, which was all until November 2026, 28, 67 and 93 of 120 were taken to be refused by all workers."""

    class Met(Client):
        """A client that meets the model without HTTP, and notes when it last asked about each value."""

        def __init__(self, model: LitellmModel) -> None:
            connection = Connection(url="http://127.0.0.1:9", api_key=MASTER_KEY, parallel_calls=1)
            super().__init__(connection, sleep=model.pass_time, clock=model.now_in_seconds)
            self.model = model
            self.last: dict[str, datetime] = {}

        def accepts(self, key_value: str, *, until: float | None = None) -> bool:
            self.last[key_value] = self.model.now
            return self.model.works(key_value)

    def wrong(proof: Proof) -> int:
        model = LitellmModel(memory=60, workers=workers, luck=random.Random(7))
        values = [(f"a{number}", f"sk-a-users-value-{number:04d}") for number in range(200)]
        for alias, value in values:
            model.handle("POST", "/key/generate", {}, {"key": value, "key_alias": alias})
        model.handle("POST", "/key/delete", {}, {"keys": list(model.rows)})
        client = Met(model)
        assert len(prove(client, values, proof).proven) == 200
        return sum(model.remembered[token(value)] > when for value, when in client.last.items())

    assert wrong(Proof()) > 200 * 0.2, "which is why several workers need more calls"
    assert wrong(Proof(workers=workers)) <= 200 * 0.04
    assert wrong(Proof(ProofKind.CERTAIN, workers=workers)) == 0


def test_a_certain_proof_asks_nothing_before_every_worker_has_forgotten(served: ServedModel) -> None:
    served.model.memory, served.model.workers = 60, 4
    found = proven(served, CERTAIN)
    assert found.failure() is None and 65 <= found.seconds < 66
    assert len(served.asked("/models")) == 2 * len(VALUES)


def test_a_gateway_that_remembers_longer_than_was_said_is_not_proven() -> None:
    with ServedModel(LitellmModel(memory=300)) as served:
        found = proven(served, CERTAIN)
        code, message = found.failure() or ("", "")
        assert code == "still_accepted" and "4 values, that of virtkey-abc-user1 among them after 65 s" in message and "proof_cache_time" in message
        assert len(served.asked("/models")) == len(VALUES), "one acceptance is enough"
    with ServedModel(LitellmModel(memory=300)) as served:
        assert proven(served, Proof(ProofKind.CERTAIN, cache_time=300)).failure() is None
    with ServedModel(LitellmModel(memory=300)) as served:
        assert (proven(served, Proof()).failure() or ("",))[0] == "still_accepted"
    with ServedModel(LitellmModel(memory=300)) as served:
        found = proven(served, Proof(cache_time=300))
        assert found.failure() is None and 299 < found.seconds < 305


def test_no_proof_says_so(served: ServedModel) -> None:
    found = prove(client_of(served), VALUES, Proof(ProofKind.NONE), listed_only=["by-hand"])
    assert served.requests == [] and found.failure() is None
    result = found.to_result()
    assert result["proof"] == "none" and result["proven"] == [] and result["refusals"] == 0
    assert result["listed_only"] == ["by-hand", *(alias for alias, _value in VALUES)]


def test_nothing_to_ask_takes_no_time(served: ServedModel) -> None:
    found = prove(client_of(served), [], CERTAIN, listed_only=["by-hand"])
    assert found.to_result() == {**Revocation(ProofKind.CERTAIN, listed_only=["by-hand"]).to_result(), "refusals": 0} and found.seconds == 0


def test_an_alias_is_as_good_as_its_worst_value(served: ServedModel) -> None:
    served.model.handle("POST", "/key/generate", {}, {"key": VALUES[0][1], "key_alias": "somewhere-else"})
    found = prove(client_of(served), [("a", VALUES[0][1]), ("a", VALUES[1][1]), ("b", VALUES[2][1]), ("c", VALUES[3][1])], Proof(), listed_only=["b"])
    result = found.to_result()
    assert (result["still_accepted"], result["listed_only"], result["proven"]) == (["a"], ["b"], ["c"])
    assert result["summary"] == "1 proven in 65.0 s (quick), 1 still accepted after 65.0 s, 1 only by the gateway's list"


def test_values_that_nobody_knows_lead_to_a_warning() -> None:
    unknown = Revocation(ProofKind.QUICK, listed_only=["a", "b"])
    assert (unknown.warning() or "").startswith("2 values, that of a among them cannot be derived, so only the gateway's list shows")
    assert Revocation(ProofKind.NONE, listed_only=["a", "b"]).warning() is None
    assert Revocation(ProofKind.QUICK, proven=["a"]).warning() is None


# ----------------------------------------------------------------------------------------------------------- what counts
@pytest.mark.parametrize("reply", [PROXYS_WORDS, Reply(status=401, text="<html>"), BROKEN, AWAY, LOST], ids=["proxy", "HTML", "broken", "away", "lost"])
def test_a_failure_is_not_a_refusal(served: ServedModel, reply: Reply) -> None:
    deleted(served)
    served.faults = [Fault("/models", reply, when=lambda request: request.key == VALUES[1][1])]
    found = prove(client_of(served, parallel_calls=1), VALUES, Proof())
    code, message = found.failure() or ("", "")
    assert code == "unproven" and "virtkey-abc-user2" in message
    assert found.proven[:1] == ["virtkey-abc-user1"]


def test_values_that_were_proven_stay_so_when_another_one_cannot_be_asked(served: ServedModel) -> None:
    deleted(served)
    served.faults = [Fault("/models", BROKEN, when=lambda request: request.key == VALUES[1][1])]
    found = prove(client_of(served), VALUES, Proof())
    assert found.to_result()["unproven"] == ["virtkey-abc-user2"]
    assert found.to_result()["proven"] == ["virtkey-abc-user1", "virtkey-abc-user3", "virtkey-abc-user4"]


# ------------------------------------------------------------------------------------------------------------- how long
def test_a_gateway_that_goes_down_is_not_asked_for_every_value(served: ServedModel) -> None:
    values = [(f"virtkey-abc-user{number}", f"sk-a-users-value-{number:04d}") for number in range(400)]
    served.faults = [Fault("/models", LOST)]
    found = prove(client_of(served, retries=3, retry_delay=5), values, Proof())
    assert (found.failure() or ("",))[0] == "unproven" and len(found.unproven) == 400
    assert len(served.asked("/models")) <= 8 * 4, "each of 8 threads finds out for itself"


def test_a_gateway_that_goes_down_between_the_rounds_ends_the_proof() -> None:
    with ServedModel(LitellmModel(memory=30)) as served:
        deleted(served)
        served.faults = [Fault("/models", LOST, skip=len(VALUES))]
        found = prove(client_of(served), VALUES, Proof())
        assert (found.failure() or ("",))[0] == "unproven", "that it still accepted them is no news by then"
        assert sorted(set(found.unproven)) == [alias for alias, _value in VALUES] and found.seconds < 5


def test_the_whole_proof_has_an_end_however_slow_the_gateway_is() -> None:
    with LoopbackServer(lambda _request: Reply(status=503, json={"message": "no healthy upstream"}, wait=0.3)) as server:
        client = Client(Connection(url=server.url, api_key=MASTER_KEY, retries=20, retry_delay=0.1, parallel_calls=2))
        started = time.monotonic()
        found = prove(client, [(f"a{number}", f"sk-a-users-value-{number:04d}") for number in range(50)], Proof(timeout=1.5))
        assert time.monotonic() - started < 3
        assert (found.failure() or ("",))[0] == "unproven" and len(found.unproven) == 50


@pytest.mark.parametrize(("values", "workers", "seconds"), [(1, 1, 125), (500, 1, 125), (501, 1, 185), (1000, 4, 65 + 17 * 60), (100_000, 1000, 65 + 1800)])
def test_the_time_for_a_proof_grows_with_the_calls_and_never_reaches_an_hour(values: int, workers: int, seconds: float) -> None:
    assert Proof(workers=workers).time_for(values) == seconds < 3600
    assert Proof(workers=workers, timeout=7).time_for(values) == 7


# ------------------------------------------------------------------------------------------------------------- settings
@pytest.mark.parametrize(("workers", "refusals"), [(1, 2), (2, 7), (3, 12), (4, 17), (8, 35)])
def test_more_workers_are_asked_more_often(workers: int, refusals: int) -> None:
    assert Proof(workers=workers).refusals() == refusals
    assert Proof(workers=workers).refusals(2) > refusals, "a value that was accepted once"
    assert Proof(ProofKind.CERTAIN, workers=workers).refusals() == 2
    assert workers == 1 or (1 - 1 / workers) ** refusals <= 0.01 < (1 - 1 / workers) ** (refusals - 1)


@pytest.mark.parametrize(
    ("name", "value"),
    [("cache_time", -1), ("cache_time", 86_401), ("cache_time", float("nan")), ("workers", 0), ("workers", 1001), ("timeout", 0), ("timeout", 65)],
)
def test_a_number_out_of_range_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^proof_{name} is .*; give a number"):
        Proof(**{"kind": ProofKind.CERTAIN, name: value})  # type: ignore[arg-type]
