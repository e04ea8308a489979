# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import document
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import record as records
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import Record
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.request_records import AT, lives
from hypothesis import HealthCheck, given, settings


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(lives())
def test_a_record_survives_being_written_and_read(record: Record) -> None:
    assert document.parse_document(json.loads(json.dumps(document.render_document(record)))) == record
    json.dumps(document.public(record), allow_nan=False)


def written(**changes: Any) -> dict[str, Any]:
    record = records.new(email="ada@example.com", models=["gpt-4"], at=AT)
    return {**document.render_document(record), **changes}


def test_a_state_that_differs_from_the_history_is_a_decision_by_hand() -> None:
    record = document.parse_document(written(state="approved"))
    assert record.state == "approved"
    assert (record.history[-1].by, record.history[-1].was, record.history[-1].now) == ("by hand", "pending", "approved")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": "aproved"}, "aproved"),
        ({"stat": "approved"}, "'stat' that does not exist"),
        ({"state": ["approved"]}, "state is not a text"),
        ({"email": "eve@example.com"}, "that of another request"),
        ({"models": "gpt-4"}, "models is not a list"),
        ({"models": ["*"]}, "more than one model"),
        ({"history": [1]}, "history is not a mapping"),
        ({"history": [{"at": "now", "to": "pending"}]}, "not an ISO 8601 time"),
        ({"progress": {"minted_at": AT}}, "noted as minted"),
        ({"progress": {"finished_at": AT}}, "noted as finished"),
        ({"progress": {"failure": {"step": "mail", "attempts": True}}}, "attempts is not"),
        ({"max_budget": "much"}, "max_budget is not a number"),
        ({"cancelled": True}, "noted as cancelled"),
        ({"granted": {"api_key": "x"}}, "not a limit"),
        ({"trace": [{"why": "\x1b[31m"}]}, "trace holds control"),
        ({"reason": "\ud800"}, "control or direction"),
        ({"updated_at": "2026-11-21 04:00"}, "updated_at"),
    ],
)
def test_nonsense_is_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        document.parse_document(written(**changes))


@pytest.mark.parametrize("raw", [None, [], "text", 5, {}])
def test_data_that_is_not_a_record_is_a_value_error(raw: object) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        document.parse_document(raw)


def test_the_admission_policy_knows_the_format_that_is_written() -> None:
    policy = (Path(__file__).parents[5] / "roles" / "key_requests" / "templates" / "admission.yaml.j2").read_text(encoding="utf-8")
    assert f"""'"format": {document.FORMAT}'""" in policy
