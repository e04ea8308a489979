# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Faults of the network, of the gateway and of our own process, on the real gateway: the same run or the next one succeeds."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.module_process import ModuleProcess
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.faulty_proxy import FaultyProxy, Harm
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import IN_COLD_RUNS, Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.live import GRANITE, SECRET, Live

PAGE = b"<html><body>502 Bad Gateway</body></html>"
BUSY = {"error": {"message": "slow down", "type": "throttling_error", "param": None, "code": "429"}}
USERS = ("user1", "user2", "user3")


@pytest.fixture
def proxy(gateway: Gateway, live: Live) -> Iterator[FaultyProxy]:
    with FaultyProxy(gateway.url) as proxy:
        live.url = proxy.url
        yield proxy


def values(result: dict[str, Any]) -> list[str]:
    return [key["value"] for key in result["virtual_keys"] if "value" in key]


def settled(live: Live, *users: str, old: list[str] | None = None, **arguments: Any) -> None:
    """Check that each user has one key that works with its returned value, that another run changes nothing, and that old values fail."""
    result = live.lab(*users, **arguments)
    assert not result["changed"]
    assert sorted(live.rows) == sorted(live.alias(user) for user in users)
    assert len(values(result)) == len(users) and all(live.works(value) for value in values(result))
    assert not any(live.works(value) for value in old or [])


# ---------------------------------------------------------------------------------------------------------- the network
HARMS = {
    "refused": {"kind": "refuse", "times": 2},
    "answer lost": {"kind": "lose", "times": 2},
    "answer cut": {"kind": "cut", "times": 2},
    "busy": {"kind": "answer", "status": 429, "body": BUSY, "headers": {"retry-after": "1"}, "times": 1},
    "a page of the ingress": {"kind": "answer", "status": 502, "body": PAGE, "times": 2},
    "too slow": {"kind": "delay", "seconds": 2.5, "times": 1},
    "repeated": {"kind": "repeat"},
}


def harmed_calls() -> Iterator[Any]:
    """Every fault of a call that writes, and a lost answer of one that reads; the drills at night do harm to every exchange."""
    for path in ("GET /key/list", "GET /models", "POST /key/.*"):
        for harm in HARMS:
            yield pytest.param(harm, path, marks=() if path.startswith("POST") or harm == "answer lost" else IN_COLD_RUNS)


@pytest.mark.parametrize(("harm", "path"), harmed_calls())
def test_a_fault_that_passes(live: Live, proxy: FaultyProxy, harm: str, path: str) -> None:
    """Create, change, rotate and delete despite the fault: no error, no duplicate key, and every change is reported."""

    def harmed() -> None:
        proxy.harms = [Harm(to=path, skip=1, **HARMS[harm])]  # type: ignore[arg-type]

    harmed()
    created = live.lab(*USERS, timeout=2)
    assert created["counts"]["created"] == 3
    harmed()
    assert live.lab(*USERS, max_budget=3, timeout=2)["counts"]["updated"] == 3
    harmed()
    assert live.lab(*USERS, rotation="a", timeout=2)["counts"]["rotated"] == 3
    proxy.harms = []
    settled(live, *USERS, old=values(created))
    harmed()
    assert live.run_ok("virtual_keys", guid=live.name, state="absent", timeout=2)["counts"]["deleted"] == 3
    assert not live.rows


def test_a_key_that_the_gateway_cannot_make_is_reported_and_made_by_the_next_run(live: Live, proxy: FaultyProxy) -> None:
    broken = {"error": {"message": "Internal Server Error.", "type": "internal_server_error", "param": None, "code": "500"}}
    proxy.harms = [Harm("answer", "POST /key/generate", skip=1, times=1, body=broken)]
    arguments = {"guid": live.name, "keys": [{"user": user} for user in USERS], "models": [GRANITE], "duration": "1d"}
    result = live("virtual_keys", **arguments)
    assert (result["code"], result["changed"], result["counts"]["created"]) == ("incomplete", True, 2)
    assert len(live.rows) == 2
    assert live.lab(*USERS)["counts"] == {"created": 1, "updated": 0, "rotated": 0, "unchanged": 2, "deleted": 0}
    settled(live, *USERS)


def test_a_gateway_that_goes_away_in_the_middle(live: Live, proxy: FaultyProxy) -> None:
    def go_away(answered: bool) -> None:
        if answered:
            proxy.harms = [Harm("refuse")]

    proxy.harms = [Harm("call", "POST /key/generate", times=1, work=go_away)]
    arguments = {"guid": live.name, "keys": [{"user": user} for user in USERS], "models": [GRANITE], "duration": "1d"}
    result = live("virtual_keys", **arguments, parallel_calls=1, retries=1)
    assert (result["code"], result["changed"]) == ("incomplete", True), result["msg"]
    proxy.harms = []
    live.lab(*USERS)
    settled(live, *USERS)


# ------------------------------------------------------------------------------------------------------------- kill -9
class Killer:
    """Runs the module in its own process, through a proxy that kills it with SIGKILL at one of its requests."""

    def __init__(self, live: Live, proxy: FaultyProxy, folder: Path) -> None:
        self.live, self.proxy, self.folder = live, proxy, folder
        self.process: ModuleProcess | None = None

    def __call__(self, arguments: dict[str, Any], *, at: int, answered: bool, to: str = "POST .*", **options: Any) -> bool:
        """Return whether the module was killed; it may have ended before request number `at`, counted from 0."""

        def strike(after: bool) -> None:
            if after == answered and self.process is not None:
                self.process.kill()
                if not after:
                    raise ConnectionResetError  # the request never arrives

        self.proxy.harms = [Harm("call", to, skip=at, times=1, work=strike)]
        connection = self.live.connection(secret=SECRET, retries=0, **options)
        self.process = ModuleProcess("virtual_keys", {**connection, "guid": self.live.name, **arguments}, self.folder)
        printed = self.process.output(timeout=60)
        self.proxy.harms = []
        return printed == ""


@pytest.fixture
def kill(live: Live, proxy: FaultyProxy, tmp_path: Path) -> Killer:
    return Killer(live, proxy, tmp_path)


def keys_of(*users: str) -> dict[str, Any]:
    return {"keys": [{"user": user} for user in users], "models": [GRANITE], "duration": "1d"}


@pytest.mark.parametrize("answered", [False, True], ids=["on the way", "answered"])
@pytest.mark.parametrize("at", range(3))
def test_killed_while_it_creates_keys(live: Live, kill: Killer, at: int, answered: bool) -> None:
    assert kill(keys_of(*USERS), at=at, answered=answered, parallel_calls=1)
    assert len(live.rows) == at + answered
    live.lab(*USERS)
    settled(live, *USERS)


@pytest.mark.parametrize("answered", [False, True], ids=["on the way", "answered"])
@pytest.mark.parametrize("at", range(5))
@pytest.mark.parametrize("then", ["the same again", pytest.param("a run that knows of no rotation", marks=IN_COLD_RUNS)])
def test_killed_while_it_rotates(live: Live, kill: Killer, at: int, answered: bool, then: str) -> None:
    """Make two updates, two new keys and a deletion. At every moment each user has a value that works."""
    users = USERS[:2]
    old = values(live.lab(*users, max_budget=4))
    assert kill({**keys_of(*users), "rotation": "a"}, at=at, answered=answered, parallel_calls=1)
    for user in users:
        candidates = [derive.value(SECRET, live.alias(user), generation) for generation in (0, 1)]
        assert any(live.works(value) for value in candidates)
    again = live.lab(*users, **({"rotation": "a"} if then == "the same again" else {}))
    rotated = [value for value in old if value not in values(again)]
    assert len(rotated) == 2 or then != "the same again"
    settled(live, *users, old=rotated)
    assert {row["max_budget"] for row in live.rows.values()} == {4.0}


@pytest.mark.parametrize("answered", [False, True], ids=["on the way", "answered"])
@pytest.mark.parametrize("at", range(2))
def test_killed_while_it_removes_users(live: Live, kill: Killer, at: int, answered: bool) -> None:
    """Add one user, then delete a former one."""
    old = live.lab("user1", "user2")
    assert kill({**keys_of("user1", "user3"), "state": "exact"}, at=at, answered=answered)
    live.lab("user1", "user3", state="exact")
    settled(live, "user1", "user3", old=[key["value"] for key in old["virtual_keys"] if key["user"] == "user2"])


@pytest.mark.parametrize(("to", "at"), [("POST .*", 0), ("GET /models", 0), ("GET /models", 3)])
@pytest.mark.parametrize("answered", [False, True], ids=["on the way", "answered"])
def test_killed_while_it_destroys(live: Live, kill: Killer, to: str, at: int, answered: bool) -> None:
    old = values(live.lab(*USERS))
    assert kill({"state": "absent"}, at=at, answered=answered, to=to)
    live.run_ok("virtual_keys", guid=live.name, state="absent")
    assert not live.rows and not any(live.works(value) for value in old)


def test_killed_again_and_again_at_random(live: Live, kill: Killer) -> None:
    """After a number of killed runs, one that succeeds puts everything in order."""
    dice = random.Random(20261121)
    first = values(live.lab(*USERS))
    runs = [keys_of(*USERS), {**keys_of(*USERS), "rotation": "a"}, {**keys_of(*USERS), "rotation": "b"}, {**keys_of("user1", "user2"), "state": "exact"}]
    for _turn in range(8):
        kill(dice.choice(runs), at=dice.randrange(14), answered=dice.random() < 0.5, to=".*")
    live.lab(*USERS, state="exact", rotation="end")
    settled(live, *USERS, rotation="end", old=first)
