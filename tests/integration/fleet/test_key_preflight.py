# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Ask the real gateway whether a class can begin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.live import GRANITE, LLAMA, MISTRAL, SECRET, Live


def codes(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    return sorted((reason["code"], reason["alias"], reason["model"]) for reason in result["reasons"])


def test_go(live: Live) -> None:
    values = [key["value"] for key in live.lab("user1", "user2", models=[GRANITE, MISTRAL], rpm_limit=60)["virtual_keys"]]
    asked = {"guid": live.name, "num_keys": 2, "capacity": {GRANITE: {"rpm": 120}, "*": {"rpm": 120}}}
    result = live.run_ok("key_preflight", **asked)
    assert result["go"] and result["reasons"] == result["doubts"] == [] and not result["changed"]
    assert {name: (counts["tried"], counts["well"]) for name, counts in result["models"].items()} == {GRANITE: (2, 2), MISTRAL: (2, 2)}
    assert not any(value in json.dumps(result) for value in values)
    checked = live.run_ok("key_preflight", _check=True, **asked)
    assert checked["go"] and checked["models"] == {}
    assert checked["doubts"] == ["no model was called, because this is check mode."]


def test_no_go_names_every_reason(live: Live) -> None:
    live.lab("fine", "stopped", "narrow", duration="3h", rpm_limit=50)
    live.run_ok("virtual_keys", guid=live.name, keys=[{"user": "short", "duration": "1h"}, {"user": "poor", "max_budget": 0}], models=[GRANITE], duration="3h")
    live.run_ok("virtual_keys", guid=live.name, keys=[{"user": "stopped"}], blocked=True)
    live.run_ok("virtual_keys", guid=live.name, keys=[{"user": "narrow", "models": [LLAMA]}])
    live.gateway.post("/key/generate", key_alias=live.alias("user9"), models=[GRANITE], key=f"sk-by-hand-{live.name}")
    ends = live.run_ok("virtual_key_info", guid=live.name, alias=live.alias("fine"))["virtual_keys"][0]["expires"]
    result = live("key_preflight", guid=live.name, models=[GRANITE], num_keys=7, class_ends=ends, capacity={GRANITE: {"rpm": 100}})
    assert result["failed"] and result["code"] == "no_go" and result["go"] is False
    assert codes(result) == [
        ("blocked", live.alias("stopped"), ""),
        ("budget", live.alias("poor"), ""),
        ("call_failed", live.alias("narrow"), GRANITE),
        ("call_failed", live.alias("poor"), GRANITE),
        ("capacity", "", GRANITE),
        ("ends_early", live.alias("short"), ""),
        ("too_few_keys", "", ""),
        ("unrecoverable", live.alias("user9"), ""),
    ]
    assert "3 of 6 keys have no rpm_limit" in result["doubts"][0]
    assert result["msg"].endswith(" And 7 more reasons.")
    two = live("key_preflight", guid=live.name, models=[GRANITE], num_keys=7, _check=True)
    assert [code for code, _alias, _model in codes(two)] == ["blocked", "budget", "too_few_keys", "unrecoverable"]


def test_missing_models(live: Live) -> None:
    live.lab("user1", models=[GRANITE, "not-served"], check_models=False)
    result = live("key_preflight", guid=live.name)
    assert [code for code, _alias, _model in codes(result)] == ["unknown_model"]
    assert "not tried" in result["doubts"][0]


def test_invalid_questions(live: Live) -> None:
    for bad in ({"capacity": {GRANITE: 5}}, {"capacity": {GRANITE: {"rps": 5}}}, {"class_ends": "tomorrow"}, {"num_keys": -1}):
        assert live("key_preflight", guid=live.name, **bad)["code"] == "bad_input"
    assert live("key_preflight", guid=live.name)["code"] == "no_such_lab"


def test_the_playbook_is_a_gate(live: Live, playbook: Playbooks, gateway: Gateway, tmp_path: Path) -> None:
    live.lab("user1", "user2")
    report = tmp_path / "report.json"
    variables = {**gateway.variables, "litellm_derivation_secret": SECRET, "guid": live.name, "preflight_report": str(report)}
    assert "Go: 2 keys work" in playbook("preflight", {**variables, "num_users": 2}).output
    assert json.loads(report.read_text())["go"] is True
    run = playbook("preflight", {**variables, "num_users": 3}, "-vvv", check=False)
    assert run.returncode != 0 and "no-go: there are 2 keys and the class needs 3" in run.output
    assert [reason["code"] for reason in json.loads(report.read_text())["reasons"]] == ["too_few_keys"]
    assert SECRET not in run.output
