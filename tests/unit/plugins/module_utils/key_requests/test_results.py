# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What modules return about requests: the same function serves every caller of the wing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.audit import audit_events, json_lines
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import Desk, MoreTime, Wish
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.erasure import Erasure, PruneOutcome
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.results import asked_before_note, erasure_result, prune_result

ADA = Wish("ada@example.com", models=("gpt-4",), duration="7d", purpose="a line\nand U+2028 \u00e9")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(DirectoryStore(str(tmp_path / "requests")), clock=lambda: "2026-11-21T04:00:00Z")


def test_whoever_asks_again_learns_what_is_asked_for(desk: Desk) -> None:
    assert asked_before_note(desk.ask(ADA), MoreTime("7d")) == ""
    assert asked_before_note(desk.ask(ADA), MoreTime("7d")) == asked_before_note(desk.ask(ADA), MoreTime()) == ""
    assert "(duration 7d)" in asked_before_note(desk.ask(ADA), MoreTime("9d")) and "(duration 7d)" in asked_before_note(desk.ask(ADA), MoreTime(max_budget=5))
    desk.deny(ADA, by="boss", reason="no")
    assert "again=true" in asked_before_note(desk.ask(ADA), MoreTime())
    assert asked_before_note(desk.ask(ADA, again=True), MoreTime()) == ""


def test_an_audit_has_an_event_a_line(desk: Desk) -> None:
    desk.ask(ADA)
    desk.ask(Wish("bob@example.com", models=("gpt-4",)))
    events = audit_events(desk.list_requests().records)
    text = json_lines(events)
    assert [json.loads(line) for line in text.split("\n")[:-1]] == events and text.endswith("}\n") and len(events) == 2
    assert json_lines([]) == ""


def test_retention_says_whether_anything_changed() -> None:
    assert prune_result(PruneOutcome())["changed"] is False and erasure_result(Erasure())["proof"]["complete"] is True
    assert erasure_result(Erasure(cleaned=["x"], left={"y": "no"})) == {
        "changed": True,
        "erased": [],
        "cleaned": ["x"],
        "left": {"y": "no"},
        "proof": {"requests_read": 0, "checked_at": "", "complete": False},
    }
