# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Two releases share a store: what only the newer one knows about a request stays, whatever this one does to the request."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import transitions
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.document import parse_document, render_document
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import RequestRefused
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import Failure, Record, new
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.retention import tombstone_of, without_mention
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.transitions import Ruling
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.newer_release import PARTS, PERSON, as_newer_release, parts_kept
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.request_records import changes, lives
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

AT = "2026-11-21T04:00:00Z"
ALWAYS = set(PARTS) - {"failure"}


def read(document: dict[str, Any]) -> Record:
    return parse_document(json.loads(json.dumps(document)))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(lives())
def test_what_a_newer_release_wrote_is_written_back_as_it_was(record: Record) -> None:
    newer = as_newer_release(render_document(record))
    assert render_document(read(newer)) == newer


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(lives(), st.lists(changes(), min_size=1, max_size=6))
def test_no_change_loses_what_a_newer_release_wrote(record: Record, more: list[Any]) -> None:
    record = read(as_newer_release(render_document(record)))
    for change in more:
        try:
            record = change(record)
        except RequestRefused:
            continue
        assert parts_kept(render_document(record)) >= ALWAYS
        assert read(render_document(record)) == record


def failed(record: Record) -> Record:
    return transitions.mark_failed(record, at=AT, step="mint", reason="no")


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(lives())
def test_a_failure_keeps_its_fields_until_it_is_over_and_a_decision_keeps_them_in_the_history(record: Record) -> None:
    record = read(as_newer_release(render_document(failed(record))))
    assert parts_kept(render_document(failed(record))) == set(PARTS)
    over = transitions.mark_failed(record, at=AT, step="mail", reason="no")
    assert parts_kept(render_document(over)) == ALWAYS and isinstance(over.progress.failure, Failure)
    try:
        moved = transitions.cancel(record, by="ada@example.com", at=AT)
    except RequestRefused:
        return
    if moved != record:
        assert parts_kept(render_document(moved)) == set(PARTS)
        assert "failure" in moved.history[-1].former_extra["progress"] and not moved.progress.extra


def test_what_nobody_decided_does_not_pass_for_decided_afterwards() -> None:
    asked = read(as_newer_release(render_document(new(email=PERSON, package="dev", at=AT))))
    decided = transitions.decide(asked, "approved", Ruling(terms={"duration": "1d"}), by="approval chain", at=AT)
    document = render_document(decided)
    assert document["terms"] == {"duration": "1d"} and "granted" not in document and "review" not in document
    assert "progress" not in document
    assert set(decided.history[-1].former_extra) == {"terms", "granted", "review", "progress"}


def test_a_record_that_an_older_release_must_not_work_on_says_so() -> None:
    document = as_newer_release(render_document(new(email=PERSON, package="dev", at=AT)))
    assert read({**document, "min_format": 3}).extra["min_format"] == 3
    for needed in (4, 99, "x", None):
        with pytest.raises(ValueError, match="only a newer release"):
            read({**document, "min_format": needed})


def test_fields_that_no_release_of_the_format_has_are_still_named() -> None:
    document = as_newer_release(render_document(new(email=PERSON, package="dev", at=AT)))
    with pytest.raises(ValueError, match="does not exist"):
        read({**document, "format": 3})


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(lives())
def test_an_erasure_takes_what_a_newer_release_wrote_with_it(record: Record) -> None:
    record = read(as_newer_release(render_document(record)))
    left = render_document(tombstone_of(record))
    assert not parts_kept(left) and PERSON not in json.dumps(left) and "mark-" not in json.dumps(left)
    if record.state != "in-review" and record.email != PERSON:
        others = render_document(without_mention(record, PERSON))
        assert PERSON not in json.dumps(others) and all(f"mark-{part}" in json.dumps(others) for part in ALWAYS)
