# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Whoever approves a request before the chain has looked at it gets around no review by several people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import transitions
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import MoreTime
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.request_desk import CHAIN, TestDesk


@pytest.fixture
def desk(tmp_path: Path) -> TestDesk:
    return TestDesk(tmp_path)


@pytest.mark.parametrize(
    ("config", "by", "state", "counted"),
    [
        ({"approvals": 2}, "boss", "in-review", ["boss"]),
        ({"approvals": 2}, "by hand (kubectl)", "in-review", []),
        ({"by_others": True}, "ada", "in-review", []),
        ({"by_others": True}, "boss", "approved", []),
        ({"approvals": 2, "by_others": True}, "ADA@company.com", "in-review", []),
        ({}, "ada", "approved", []),
    ],
)
def test_whoever_is_faster_than_the_chain_does_not_get_around_such_a_review(
    desk: TestDesk, config: dict[str, Any], by: str, state: str, counted: list[str]
) -> None:
    desk.rules = [{"name": "human_review", "config": {"email": "boss@company.com", "patterns": ["*"], **config}}]
    asked = desk.ask()
    desk.people.approve(asked, by=by)
    desk.make_pass()
    record = desk.get(asked)
    assert (record.state, list(record.progress.approvals), len(desk.gateway.keys)) == (state, counted, int(state == "approved"))
    for name in ("chief", "third"):
        if desk.get(asked).state == "in-review":
            desk.people.approve(asked, by=name)
    desk.make_pass()
    assert desk.get(asked).progress.status == "finished"


CLOSED = {"name": "schedule", "config": {"blackout": ["2000-01-01/2999-12-31"]}}
SILENT = {"name": "http", "config": {"endpoint": "http://127.0.0.1:9/", "allow_http": True, "retries": 0}}
STRICT = {"name": "human_review", "config": {"email": "boss@company.com", "patterns": ["*"], "approvals": 2}}


@pytest.mark.parametrize("first", [CLOSED, *({**SILENT, "on_error": word} for word in ("pending", "review", "deny"))])
@pytest.mark.parametrize("renewal", [False, True])
def test_a_rule_without_an_answer_is_no_way_around_such_a_review_for_whoever_is_faster(desk: TestDesk, first: dict[str, Any], renewal: bool) -> None:
    if renewal:
        key = desk.ask()
        desk.make_pass()
        after = desk.people.renew(key, MoreTime("20d", from_end=True)).after
        assert after is not None
    asked, made = (after.id, 1) if renewal and after else (desk.ask(), 0)
    desk.people.approve(asked, by="boss")
    desk.rules = [first, STRICT, *CHAIN]
    for _twice in range(2):
        report = desk.make_pass()
        record = desk.get(asked)
        assert (record.state, record.terms, len(desk.gateway.keys), desk.gateway.changed) == ("approved", {}, made, {})
        assert record.progress.failure is not None and record.progress.failure.step == "decide" and record.progress.stopped_at == ""
        assert [failure.step for failure in report.failures] == ["decide"] and record.trace
        desk.hours_later(1 + _twice)
    desk.rules = [STRICT, *CHAIN]
    desk.make_pass()
    assert (desk.get(asked).state, list(desk.get(asked).progress.approvals)) == ("in-review", ["boss"])
    desk.people.approve(asked, by="chief")
    desk.make_pass()
    assert desk.get(asked).progress.status == "finished"


@pytest.mark.parametrize("rules", [[CLOSED], [{**STRICT, "config": {**STRICT["config"], "patterns": ["llama"]}}, CLOSED]])
def test_a_rule_without_an_answer_delays_no_approval_that_no_review_can_stand_against(desk: TestDesk, rules: list[dict[str, Any]]) -> None:
    desk.rules = rules
    asked = desk.ask()
    desk.people.approve(asked, by="boss")
    desk.make_pass()
    assert desk.get(asked).progress.status == "finished"


def test_a_gateway_without_an_answer_is_no_way_around_such_a_review_either(desk: TestDesk) -> None:
    desk.rules = [STRICT, *CHAIN]
    desk.gateway.served = []
    asked = desk.ask(models=("granite",))
    desk.people.approve(asked, by="boss")
    desk.make_pass()
    assert (desk.get(asked).state, desk.gateway.keys) == ("approved", {})


def test_whoever_was_faster_waits_as_long_as_a_rule_takes(desk: TestDesk) -> None:
    desk.rules = [CLOSED, STRICT]
    asked = desk.ask()
    desk.people.approve(asked, by="boss")
    for _number in range(transitions.MOST_ATTEMPTS + 2):
        desk.people.store.transition(desk.get(asked), lambda record: transitions.mark_failed(record, at=desk.at, step="decide", reason="no answer"))
    assert not desk.get(asked).progress.stopped_at
