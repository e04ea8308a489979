# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The actions themselves, run in this process: arguments, check mode, and how faults of rules are reported."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible_collections.rhpds.litellm_virtual_keys.plugins.action import approval, policy_check
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval.decision import Decision
from ansible_collections.rhpds.litellm_virtual_keys.plugins.sub_plugins.approval import allowlist
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.action_runs import run_action
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.approval_parts import rule

REQUEST = {"email": "user@company.com", "model": "gpt-4"}
ALLOW = rule("allowlist", list=["*"])


def test_one_request_or_a_list() -> None:
    (single,) = run_action(approval, rules=[ALLOW], request=REQUEST)["results"]
    assert single["decision"] == "APPROVE"
    assert not isinstance(single["decision"], Decision)
    assert [result["decision"] for result in run_action(approval, rules=[ALLOW], requests=[REQUEST] * 3)["results"]] == ["APPROVE"] * 3
    assert run_action(approval, rules=[ALLOW], requests=[])["results"] == []


def test_what_is_returned() -> None:
    entry = rule("human_review", email="boss@company.com", patterns=["gpt*"])
    (result,) = run_action(approval, rules=[rule("quota", per_person=5), entry], request={**REQUEST, "request_id": "req_1", "purpose": "thesis"}, usage=[])[
        "results"
    ]
    trace = result.pop("trace")
    assert result == {
        "request_id": "req_1",
        "email": "user@company.com",
        "models": ["gpt-4"],
        "package": None,
        "valid": True,
        "decision": "REVIEW",
        "reason": "Your request waits for a reviewer.",
        "rule": "human_review",
        "rule_index": 1,
        "reviewers": ["boss@company.com"],
        "review": {},
        "request": {
            "request_id": "req_1",
            "email": "user@company.com",
            "domain": "company.com",
            "model": "gpt-4",
            "models": ["gpt-4"],
            "package": None,
            "duration": None,
            "max_budget": None,
            "purpose": "thesis",
        },
    }
    assert [(step["index"], step["rule"], step["decision"], step["matched"]) for step in trace] == [
        (0, "quota", "CONTINUE", None),
        (1, "human_review", "REVIEW", "gpt*"),
    ]
    assert all(set(step) == {"index", "rule", "decision", "matched", "detail", "duration_ms"} for step in trace)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"rules": [ALLOW]}, "one of the following is required: request, requests"),
        ({"rules": [ALLOW], "request": REQUEST, "requests": [REQUEST]}, "mutually exclusive"),
        ({"request": REQUEST}, "missing required arguments: rules"),
        ({"rules": [ALLOW], "request": REQUEST, "paralel": 4}, "paralel"),
        ({"rules": [ALLOW], "request": REQUEST, "parallel": 0}, "parallel is 0; give a number from 1 to 64"),
        ({"rules": [ALLOW], "request": REQUEST, "now": "soon"}, "now is 'soon'"),
        ({"rules": [ALLOW], "request": REQUEST, "usage": ["me"]}, "usage[0] is not a mapping"),
        ({"rules": [ALLOW, rule("denylist", lst=["a"])], "request": REQUEST}, "rules[1] (denylist) has the unknown option 'lst'"),
    ],
)
def test_arguments_are_checked(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(AnsibleError) as raised:
        run_action(approval, **arguments)
    assert words in str(raised.value)


def test_check_mode_decides_alike_and_asks_nobody() -> None:
    chain = [rule("denylist", list=["gpt*"]), rule("http", endpoint="https://127.0.0.1:1/")]
    for check in (False, True):
        assert run_action(approval, check=check, rules=chain, request=REQUEST)["results"][0]["rule"] == "denylist"
    (result,) = run_action(approval, check=True, rules=chain[1:], request=REQUEST)["results"]
    assert result["trace"][0]["detail"] == "would be asked; check mode asks nobody and goes on"


def test_a_rule_with_a_bug_is_reported_once_and_harms_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(approval.display, "warning", warnings.append)
    monkeypatch.setattr(allowlist.Rule, "evaluate", lambda *_: 1 / 0)
    results = run_action(approval, rules=[ALLOW], requests=[REQUEST] * 3)["results"]
    assert [result["decision"] for result in results] == ["PENDING"] * 3
    assert len(warnings) == 1
    assert warnings[0].startswith("rules[0] (allowlist): the rule failed: ZeroDivisionError: division by zero; ")


def test_policy_check_passes_or_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr(policy_check.display, "display", shown.append)
    good = run_action(policy_check, rules=[ALLOW], cases=[{**REQUEST, "decision": "APPROVE"}])
    assert (good["passed"], good["failed"], good["changed"], good["findings"]) == (True, False, False, [])
    bad = run_action(policy_check, rules=[ALLOW], cases=[{**REQUEST, "decision": "DENY"}])
    assert (bad["passed"], bad["failed"]) == (False, True)
    assert good["msg"] == "1 case agrees with the chain." and bad["msg"].startswith("1 of 1 case disagrees with the chain: case 1")
    assert run_action(policy_check, rules=[ALLOW], cases=[{**REQUEST, "decision": "DENY"}] * 2)["msg"].startswith("2 of 2 cases disagree with the chain: ")
    assert bad["results"][0]["trace"][0]["decision"] == "APPROVE"
    only_lint = run_action(policy_check, rules=[])
    assert (only_lint["passed"], [finding["level"] for finding in only_lint["findings"]]) == (True, ["error"])
    strict = run_action(policy_check, rules=[], strict=True)
    assert strict["failed"] and strict["msg"].startswith("the lint finds 1 error: ")
    assert "WRONG" in shown[1]
