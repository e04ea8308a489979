# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The turn of a pass in Kubernetes: taking, renewing, losing and giving back the Lease. The real API is tried in `integration/requests`."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import lease
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import Busy, Conflict, Missing, StoreUnreachable
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.lease import LeaseTurn, hold, last_pass


class Api:
    """A Lease with optimistic concurrency."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.down = False

    def __call__(self, verb: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        if self.down:
            raise StoreUnreachable("no answer.")
        if verb == "create":
            self.lease = {"metadata": {"resourceVersion": "1", "annotations": {}}, "spec": {}}
        if self.lease is None:
            raise Missing("none")
        if verb == "patch" and body is not None:
            if body["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
                raise Conflict("changed")
            self.lease["spec"] |= body.get("spec", {})
            self.lease["metadata"]["annotations"] |= body["metadata"].get("annotations", {})
            self.lease["metadata"]["resourceVersion"] += "."
        return {"metadata": dict(self.lease["metadata"]), "spec": dict(self.lease["spec"])}


class Clock:
    """Stands in for `time`: nothing waits, and a test moves it."""

    def __init__(self) -> None:
        self.at = 1000.0

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(lease, "time", clock)
    return clock


def test_one_pass_at_a_time_has_the_turn_and_leaves_its_report(clock: Clock) -> None:
    api = Api()
    assert last_pass(api) is None
    with hold(api, "here", 0) as turn:
        turn.check()
        turn.report({"due": 3})
        with pytest.raises(Busy, match="Another pass was at work in here for 5 s"):
            LeaseTurn(api, "here").take(5)
    assert last_pass(api) == {"due": 3}
    with hold(api, "here", 0) as turn:
        turn.check()


def test_the_lease_of_a_pass_that_died_is_taken_over_when_it_has_not_changed_for_its_duration(clock: Clock) -> None:
    api = Api()
    LeaseTurn(api, "here").take(0)
    other, began = LeaseTurn(api, "here"), clock.at
    other.take(120)
    assert lease.SECONDS < clock.at - began < lease.SECONDS + 2
    other.check()


def test_a_pass_that_could_not_renew_its_lease_stops(clock: Clock) -> None:
    api = Api()
    turn = LeaseTurn(api, "here")
    turn.take(0)
    clock.at += lease.SECONDS + 1
    with pytest.raises(Busy, match="lost its turn in here"):
        turn.check()


class Once(threading.Event):
    """Lets a renewal happen once."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = 0

    def wait(self, timeout: float | None = None) -> bool:
        self.waits += 1
        return self.waits > 1


def test_a_renewal_prolongs_the_turn_and_one_that_others_took_is_lost(clock: Clock) -> None:
    api = Api()
    turn = LeaseTurn(api, "here")
    turn.take(0)
    clock.at += lease.SECONDS - 1
    turn.renew(Once())
    clock.at += lease.SECONDS - 1
    turn.check()
    api.down = True
    turn.renew(Once())
    turn.check()
    api.down = False
    LeaseTurn(api, "here").take(120)
    turn.renew(Once())
    with pytest.raises(Busy, match="lost its turn"):
        turn.check()
    turn.release()
    assert api.lease is not None and api.lease["spec"]["holderIdentity"], "the other one's turn stays"
