# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import record as records
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import secret, transitions
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import APPROVED, DENIED, PENDING, Record
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.request_records import AT, lives
from hypothesis import HealthCheck, given, settings

# The labels that the API accepts; whatever people write must fit.
LABEL = r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?"


def merged(old: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7386), as the API does."""
    if not isinstance(patch, dict):
        return patch
    result = dict(old) if isinstance(old, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def stored(record: Record) -> dict[str, Any]:
    return secret.new_secret(record, "llm-keys")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(lives())
def test_a_record_survives_being_made_as_a_secret_and_read(record: Record) -> None:
    made = json.loads(json.dumps(stored(record)))
    assert secret.parse_secret(made) == record
    assert all(re.fullmatch(LABEL, value) for value in made["metadata"]["labels"].values())
    assert None not in made["data"].values()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(lives(), lives())
def test_a_patch_brings_a_secret_from_any_record_to_any_other_and_leaves_what_is_not_ours(old: Record, new: Record) -> None:
    before = stored(old)
    before["metadata"]["labels"]["team"] = "physics"
    before["data"]["other"] = encoded("kept")
    patch = secret.secret_patch(new)
    patch["metadata"]["name"] = secret.name_of(new.id)  # two requests have two names; here both have the same
    after = merged(before, patch)
    assert secret.parse_secret(after) == new
    assert after["metadata"]["labels"]["team"] == "physics"
    assert after["data"]["other"] == encoded("kept")


def test_the_layout_is_the_requestors() -> None:
    record = records.new(email="ada@example.com", models=["ollama/llama3"], purpose="<b>", at=AT)
    made = stored(record)
    assert made["metadata"]["name"] == f"llm-key-request-{record.id}"
    assert made["metadata"]["labels"] == {
        "app.kubernetes.io/name": "llm-key-requestor",
        "app.kubernetes.io/component": "llm-key-request",
        "app.kubernetes.io/managed-by": "rhpds.litellm_virtual_keys",
        "request-state": "pending",
    }
    assert made["metadata"]["annotations"] == {
        "app.kubernetes.io/component": "llm-key-request",
        "email": "ada@example.com",
        "state": "pending",
        "created_at": AT,
        "updated_at": AT,
    }
    data = {name: base64.b64decode(value).decode() for name, value in made["data"].items()}
    assert json.loads(data.pop("details"))["purpose"] == "<b>"
    assert data == {"request_id": record.id, "email": "ada@example.com", "model": "ollama/llama3", "state": "pending"}


def of_the_requestor(label: str = PENDING, note: str = PENDING, datum: str = PENDING, api_key: str = "") -> dict[str, Any]:
    """Return a Secret as the LLM Key Requestor itself writes it, with its random id and its times."""
    uid = "7b0cf6f7-5c52-4f5e-9d55-0a3d6b6f1c11"
    data = {"request_id": uid, "email": "Ada@Example.com", "model": "gpt-4", "state": datum, "api_key": api_key}
    return {
        "metadata": {
            "name": f"llm-key-request-{uid}",
            "resourceVersion": "7",
            "labels": {"app.kubernetes.io/component": "llm-key-request", "request-state": label},
            "annotations": {"email": "Ada@Example.com", "state": note, "created_at": "2026-01-02T03:04:05.678901", "updated_at": AT},
        },
        "data": {name: encoded(value) for name, value in data.items()},
    }


def test_a_request_of_the_requestor_is_read() -> None:
    record = secret.parse_secret(of_the_requestor())
    assert (record.email, record.models, record.state, record.created_at) == (
        "Ada@example.com",
        ("gpt-4",),
        PENDING,
        "2026-01-02T03:04:05Z",
    )
    assert record.open
    assert records.same_wish(record, records.new(email="ada@example.com", models=["gpt-4"], at=AT))


def test_a_key_that_the_requestor_delivered_is_not_made_again_and_never_read() -> None:
    value = "sk-" + "x" * 30
    record = secret.parse_secret(of_the_requestor(APPROVED, APPROVED, APPROVED, api_key=value))
    assert not record.open
    assert record.progress.key_alias == "user-Ada@example.com-gpt-4"
    assert value not in repr(record)
    assert value not in json.dumps(secret.secret_patch(record))


def test_its_manual_approval_which_made_no_key_leads_to_one_here() -> None:
    record = secret.parse_secret(of_the_requestor(APPROVED, APPROVED))
    assert (record.state, record.open, record.history[-1].by) == (APPROVED, True, "by hand (unknown)")


def by_kubectl(record: Record, label: str | None, note: str | None) -> dict[str, Any]:
    made = stored(record)
    metadata = made["metadata"]
    metadata["managedFields"] = [
        {"manager": "rhpds.litellm_virtual_keys", "time": "2026-11-21T06:00:00Z"},
        {"manager": "kubectl-label", "time": "2026-11-21T05:00:00Z"},
        {"manager": "kubectl-annotate", "time": "2026-11-21T05:00:01Z"},
    ]
    for where, name, value in ((metadata["labels"], "request-state", label), (metadata["annotations"], "state", note)):
        if value is None:
            del where[name]
        else:
            where[name] = value
    return made


ASKED = records.new(email="ada@example.com", models=["gpt-4"], at=AT)
REFUSED = transitions.mark_finished(transitions.decide(ASKED, DENIED, transitions.Ruling("no"), by="chain", at=AT), at=AT)
SERVED = transitions.mark_finished(transitions.mark_minted(transitions.decide(ASKED, APPROVED, by="chain", at=AT), at=AT, key_alias="k"), at=AT)


@pytest.mark.parametrize(("record", "goal"), [(ASKED, APPROVED), (ASKED, DENIED), (REFUSED, APPROVED), (REFUSED, PENDING)])
def test_label_and_annotation_together_decide_by_hand(record: Record, goal: str) -> None:
    decided = secret.parse_secret(by_kubectl(record, goal, goal))
    assert (decided.state, decided.open) == (goal, True)
    last = decided.history[-1]
    assert (last.was, last.now, last.by, last.at) == (record.state, goal, "by hand (kubectl-annotate)", "2026-11-21T05:00:01Z")


@pytest.mark.parametrize(
    ("record", "label", "note", "words"),
    [
        (ASKED, APPROVED, PENDING, "label request-state is 'approved' and the annotation state is 'pending'"),
        (ASKED, PENDING, APPROVED, "set both to the same state"),
        (ASKED, APPROVED, None, "annotation state is missing"),
        (ASKED, None, None, "the state is missing"),
        (ASKED, "aproved", "aproved", "'aproved'; it must be one of"),
        (SERVED, DENIED, DENIED, "delete the key instead"),
        (SERVED, PENDING, PENDING, "has not ended"),
        (SERVED, "in-review", "in-review", "nothing to review"),
    ],
)
def test_invalid_edits_by_hand_are_set_aside(record: Record, label: str | None, note: str | None, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        secret.parse_secret(by_kubectl(record, label, note))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("email", encoded("eve@example.com"), "name different people"),
        ("request_id", encoded("another"), "request_id is not"),
        ("state", encoded("approved"), "history ends otherwise"),
        ("details", encoded("{"), "not JSON"),
        ("details", encoded('{"email": "eve@example.com"}'), "stands nowhere else"),
        ("details", encoded("[" * 100_000), "not JSON"),
        ("model", encoded("gpt-5"), "another request"),
        ("model", "%%%", "not text"),
        ("model", base64.b64encode(b"\xff\xfe").decode(), "not text"),
    ],
)
def test_data_that_was_edited_is_set_aside(name: str, value: str, words: str) -> None:
    made = stored(ASKED)
    made["data"][name] = value
    with pytest.raises(ValueError, match=words):
        secret.parse_secret(made)


def test_the_selectors_of_open_requests_miss_nothing_that_is_open() -> None:
    def selected(made: dict[str, Any]) -> int:
        labels = made["metadata"]["labels"]
        state, finished = labels.get("request-state"), labels.get("request-finished")
        return (state not in (APPROVED, DENIED)) + (state == APPROVED and finished != APPROVED) + (state == DENIED and finished != DENIED)

    assert secret.OPEN == (
        "app.kubernetes.io/component=llm-key-request,request-state notin (approved,denied)",
        "app.kubernetes.io/component=llm-key-request,request-state=approved,request-finished!=approved",
        "app.kubernetes.io/component=llm-key-request,request-state=denied,request-finished!=denied",
    )
    for record in (ASKED, REFUSED, SERVED):
        assert selected(stored(record)) == record.open
        for goal in records.STATES:
            assert selected(by_kubectl(record, goal, goal)) == (record.open or goal != record.state)
