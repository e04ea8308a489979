# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The turn of a pass over requests in a real Kubernetes: one at a time, also when its holder dies, with the least rights."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import lease
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import Busy, Forbidden
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.kubernetes_secrets import Access, KubernetesStore
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.kubernetes.cluster import PASS_RULES, Account, Cluster


@pytest.fixture
def account(kube: Cluster, namespace: str) -> Account:
    return kube.account_with_rules(namespace, PASS_RULES)


def store_of(account: Account, **more: Any) -> KubernetesStore:
    return KubernetesStore(Access(kubeconfig=str(account.kubeconfig)), **more)


def test_one_pass_at_a_time_and_its_report(account: Account) -> None:
    first, second = store_of(account), store_of(account)
    assert first.last_pass() is None
    with first.turn(0) as turn:
        turn.check()
        with pytest.raises(Busy, match="Another pass was at work"), second.turn(1):
            pass
        turn.report({"due": 3, "failures": ["ü"]})
    assert second.last_pass() == {"due": 3, "failures": ["ü"]}
    with second.turn(0):
        pass


def test_the_report_of_a_pass_in_which_thousands_failed_is_kept_as_far_as_there_is_room(account: Account) -> None:
    failures = [{"request_id": str(number), "reason": "\u00fc" * 400} for number in range(3000)]
    with store_of(account).turn(0) as turn:
        turn.report({"due": 3000, "failures": failures, "warnings": []})
    kept = store_of(account).last_pass()
    assert kept is not None and (kept["due"], kept["warnings"]) == (3000, [])
    assert len(kept["failures"]) > 100 and kept["failures"] == failures[: len(kept["failures"])]


def test_the_turn_is_renewed_as_long_as_its_holder_lives(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "SECONDS", 3)
    with store_of(account).turn(0) as turn:
        with pytest.raises(Busy), store_of(account).turn(5):
            pass
        turn.check()


def hold_and_wait(kubeconfig: str, held: Any) -> None:
    with KubernetesStore(Access(kubeconfig=kubeconfig)).turn(0):
        held.set()
        time.sleep(600)


def test_the_turn_of_a_pass_that_was_killed_is_free_after_its_lease(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "SECONDS", 3)
    spawn = multiprocessing.get_context("fork")
    held = spawn.Event()
    holder = spawn.Process(target=hold_and_wait, args=(str(account.kubeconfig), held))
    holder.start()
    assert held.wait(60) and holder.pid
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    began = time.monotonic()
    with store_of(account).turn(60) as turn:
        turn.check()
    assert time.monotonic() - began > 2.5


def test_in_check_mode_nothing_is_taken(account: Account) -> None:
    with store_of(account).turn(0), store_of(account, check_mode=True).turn(0) as turn:
        turn.report({"due": 1})
    assert store_of(account).last_pass() is None


@pytest.mark.parametrize("lacking", ["get", "create", "patch"])
def test_a_missing_right_is_named(kube: Cluster, namespace: str, lacking: str) -> None:
    secrets, leases = PASS_RULES
    rules = [secrets, {**leases, "verbs": [verb for verb in leases["verbs"] if verb != lacking]}]
    poor = store_of(kube.account_with_rules(namespace, rules))
    with pytest.raises(Forbidden, match=f"may not {lacking} leases in the namespace {namespace}; give its Role the verb {lacking} on leases"), poor.turn(0):
        pass
