# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import durations
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common.names import MODEL_WORDS
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import record as records
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import transitions
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import RequestRefused
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import (
    APPROVED,
    DENIED,
    IN_REVIEW,
    PENDING,
    STATES,
    Record,
)
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.transitions import TRANSITIONS, Change, Ruling
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.request_records import AT, changes, lives, wishes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

LATER = "2026-11-21T05:00:00Z"


def pending(**more: object) -> Record:
    return records.new(**{"email": "ada@example.com", "models": ["gpt-4"], "at": AT, **more})  # type: ignore[arg-type]


def in_state(state: str) -> Record:
    return pending() if state == PENDING else transitions.decide(pending(), state, Ruling("so"), by="admin", at=AT)


def with_key() -> Record:
    return transitions.mark_minted(in_state(APPROVED), at=AT, key_alias="virtkey-ada")


# ------------------------------------------------------------------------------------------------------ properties
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(wishes(), st.lists(changes(), max_size=12))
def test_no_sequence_of_changes_leads_to_an_illegal_state(wish: Record, sequence: list[Change]) -> None:
    record = wish
    for change in sequence:
        before = record
        try:
            record = change(before)
        except RequestRefused:
            record = before
        records.check(record)
        assert (record.id, record.email) == (wish.id, wish.email), "a request never turns into another"
        assert record.state == before.state or (before.state, record.state) in TRANSITIONS
        assert len(record.history) <= records.MOST_STEPS
        assert record.history[: len(before.history)] == before.history, "nothing is left out of the history"
        lives_on = before.progress.minted_at and not before.progress.ended_at and not before.renews
        noted = record.history[-1].former_key.get("ended_at")  # by asking again when the time of the key was over
        assert not lives_on or noted or (record.state == APPROVED and record.progress.minted_at), "a living key is never forgotten"
        assert not record.progress.minted_at or record.state == APPROVED


@settings(max_examples=100, deadline=None)
@given(lives(), changes())
def test_a_change_that_is_made_again_after_a_lost_answer_does_no_harm(record: Record, change: Change) -> None:
    try:
        once = change(record)
    except RequestRefused:
        return
    try:
        twice = change(once)
    except RequestRefused:
        return
    assert twice.state == once.state or not once.open
    assert twice.progress.minted_at == once.progress.minted_at


@given(wishes(), wishes())
def test_the_id_is_the_persons_wish(one: Record, other: Record) -> None:
    about_one, about_other = ((each.email.lower(), set(each.models), each.package, each.guid, each.user, bool(each.renews)) for each in (one, other))
    same = about_one == about_other
    assert (one.id == other.id) == same == records.same_wish(one, other)


# ----------------------------------------------------------------------------------------------------- transitions
@pytest.mark.parametrize("was", STATES)
@pytest.mark.parametrize("goal", STATES)
def test_the_table(was: str, goal: str) -> None:
    allowed = {
        PENDING: {IN_REVIEW, APPROVED, DENIED},
        IN_REVIEW: {PENDING, APPROVED, DENIED},
        APPROVED: {IN_REVIEW, DENIED},  # pending only after the key has ended
        DENIED: {PENDING, APPROVED},
    }
    record = in_state(was)
    if goal == was:
        assert transitions.decide(record, goal, by="admin", at=LATER) is record
    elif goal in allowed[was]:
        moved = transitions.decide(record, goal, by="admin", at=LATER)
        assert (moved.state, moved.updated_at, moved.history[-1].was, moved.history[-1].by) == (goal, LATER, was, "admin")
    else:
        with pytest.raises(RequestRefused, match=f"is {was}"):
            transitions.decide(record, goal, by="admin", at=LATER)


def test_a_request_whose_key_lives_cannot_be_denied_cancelled_or_asked_for_again() -> None:
    record = with_key()
    with pytest.raises(RequestRefused, match="delete the key instead"):
        transitions.decide(record, DENIED, Ruling("no"), by="admin", at=LATER)
    with pytest.raises(RequestRefused, match="delete the key instead"):
        transitions.cancel(record, by="ada@example.com", at=LATER)
    assert transitions.resubmit(record, pending(at=LATER), again=True) is record


def test_the_chain_does_not_overrule_an_administrator() -> None:
    for state in (IN_REVIEW, APPROVED, DENIED):
        with pytest.raises(RequestRefused, match="by now"):
            transitions.decide(in_state(state), DENIED if state != DENIED else APPROVED, by="chain", at=LATER, only_from=(PENDING,))
    approved = in_state(APPROVED)
    assert transitions.decide(approved, APPROVED, Ruling("other words"), by="chain", at=LATER, only_from=(PENDING,)) is approved


def test_an_administrator_can_correct_the_reason_and_the_terms_until_a_key_exists() -> None:
    denied = transitions.decide(in_state(DENIED), DENIED, Ruling("better words"), by="admin", at=LATER)
    assert (denied.reason, len(denied.history)) == ("better words", 3)
    less = transitions.approve(in_state(APPROVED), {"duration": "7d"}, by="admin", at=LATER)
    assert less.granted == {"duration": "7d"}
    with pytest.raises(RequestRefused, match="change the key instead"):
        transitions.approve(with_key(), {"duration": "7d"}, by="admin", at=LATER)


@pytest.mark.parametrize("state", STATES)
def test_a_request_in_somebodys_name_is_proven_when_they_ask_for_the_same(state: str) -> None:
    before = in_state(state)
    wish = pending(purpose="my own words", duration="7d", max_budget=2, verified_at=LATER, at=LATER)
    after = transitions.resubmit(before, wish)
    assert (after.state, after.verified_at, after.updated_at, after.asked_at) == (state, LATER, LATER, before.asked_at)
    assert (after.history[-1].reason, after.history[-1].by, len(after.history)) == ("The address was proven.", "ada@example.com", len(before.history) + 1)
    words = ("my own words", "7d", 2) if state == PENDING else ("", "", None)
    assert (after.purpose, after.duration, after.max_budget) == words, "nobody has decided on a pending request yet"
    assert transitions.resubmit(after, pending(verified_at="2027-01-01T00:00:00Z", purpose="again", at=LATER)) is after
    assert transitions.resubmit(after, pending(purpose="by a stranger", at=LATER)) is after


def test_a_request_that_starts_again_is_as_proven_as_the_last_wish() -> None:
    withdrawn = transitions.cancel(pending(verified_at=AT), by="ada", at=AT)
    assert transitions.resubmit(withdrawn, pending(at=LATER)).verified_at == ""
    assert transitions.resubmit(withdrawn, pending(verified_at=LATER, at=LATER)).verified_at == LATER
    assert records.check(transitions.resubmit(withdrawn, pending(at=LATER)))


def test_asking_again_starts_a_new_request_only_when_the_former_one_is_over() -> None:
    wish = pending(purpose="another try", at=LATER)
    for state in STATES:
        assert transitions.resubmit(in_state(state), wish) == in_state(state)
    assert transitions.resubmit(in_state(DENIED), wish, again=True).state == PENDING
    for over in (transitions.cancel(pending(), by="ada", at=AT), transitions.mark_ended(with_key(), at=AT)):
        fresh = transitions.resubmit(over, wish)
        assert (fresh.state, fresh.purpose, fresh.cancelled, fresh.progress, fresh.created_at) == (
            PENDING,
            "another try",
            False,
            records.Progress(),
            AT,
        )


def test_a_key_that_was_minted_for_a_request_no_longer_approved_is_refused_by_name() -> None:
    denied = transitions.decide(in_state(APPROVED), DENIED, Ruling("changed my mind"), by="admin", at=LATER)
    with pytest.raises(RequestRefused, match="virtkey-ada must be deleted"):
        transitions.mark_minted(denied, at=LATER, key_alias="virtkey-ada")


# --------------------------------------------------------------------------------------------------------- progress
def test_an_answer_is_delivered_only_if_it_exists() -> None:
    for state in (PENDING, IN_REVIEW):
        with pytest.raises(RequestRefused, match="no answer"):
            transitions.mark_delivered(in_state(state), at=LATER, via="mail")
    with pytest.raises(RequestRefused, match="not minted"):
        transitions.mark_finished(in_state(APPROVED), at=LATER)
    done = transitions.mark_finished(transitions.mark_delivered(in_state(DENIED), at=LATER, via="mail"), at=LATER)
    assert not done.open
    assert done.progress.status == "finished"


def test_failures_wait_longer_each_time_and_not_forever() -> None:
    record, waits = with_key(), []
    for _turn in range(8):
        record = transitions.mark_failed(record, at=AT, step="mail", reason="refused")
        assert record.progress.failure is not None
        waits.append(durations.parse_time(record.progress.failure.next_attempt_at) - durations.parse_time(AT))
    assert [wait / timedelta(minutes=1) for wait in waits] == [1, 2, 4, 8, 16, 30, 30, 30]
    assert record.progress.status == "failed"
    assert record.open
    assert transitions.mark_delivered(record, at=LATER, via="mail").progress.failure is None, "success clears the failure"
    assert transitions.mark_delivered(record, at=LATER, via="kubernetes_secret").progress.failure is not None, "the success of another step does not"


def test_a_failure_is_due_when_its_time_comes_and_when_the_clock_jumped() -> None:
    record = transitions.mark_failed(with_key(), at="2026-11-21T04:00:00Z", step="mail", reason="x")
    assert not transitions.is_due(record, "2026-11-21T04:00:30Z")
    assert transitions.is_due(record, "2026-11-21T04:01:00Z")
    assert transitions.is_due(record, "2026-11-20T04:00:00Z"), "a day back: no wait is ever that long"
    assert not transitions.is_due(transitions.mark_finished(record, at=AT), "2030-01-01T00:00:00Z")


def test_a_reviewer_is_noted_once() -> None:
    once = transitions.mark_notified(in_state(IN_REVIEW), at=AT, notices=["review"])
    assert transitions.mark_notified(once, at=LATER, notices=["review"]) is once


# -------------------------------------------------------------------------------------------------------- bad input
@pytest.mark.parametrize(
    ("what", "words"),
    [
        ({"email": "not an address"}, "email is"),
        ({"email": "ada@example.com\nBcc: eve@example.com"}, "email is"),
        ({"email": "a" * 10_000 + "@example.com"}, "email is"),
        ({"models": []}, "both or none"),
        ({"package": "x"}, "both or none"),
        ({"models": ["*"]}, "more than one model"),
        ({"models": ["openai/*"]}, "more than one model"),
        *(({"models": [word]}, "more than one model") for word in MODEL_WORDS),
        ({"models": ["a,b"]}, "model is"),
        ({"models": ["x" * 257]}, "model is"),
        ({"models": ["\x1b[31mred"]}, "model is"),
        ({"models": ["a\nb"]}, "model is"),
        ({"models": [f"m{number}" for number in range(201)]}, "201 models"),
        ({"models": [], "package": "../etc"}, "package is"),
        ({"purpose": "x" * 10_000}, "purpose has 10000 characters"),
        ({"purpose": "\x1b]0;title\x07"}, "control or direction"),
        ({"purpose": "see \u202egnp.exe"}, "control or direction"),
        ({"purpose": "my key is sk-" + "A" * 43}, "looks like a key"),
        ({"duration": "1h30m"}, "duration is"),
        ({"max_budget": -1.0}, "max_budget is"),
        ({"max_budget": float("nan")}, "max_budget is"),
        ({"guid": "a/b"}, "guid is"),
        ({"user": "user1"}, "guid of the lab is missing"),
        ({"by": "x" * 300}, "300 characters"),
    ],
)
def test_bad_input_is_refused_by_name_and_nothing_of_10_kilobytes_is_repeated(what: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        pending(**what)
    assert len(str(caught.value)) < 400
    assert "sk-AAAA" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_a_look_alike_domain_is_another_person() -> None:
    assert pending(email="ada@ex\u0430mple.com").email == "ada@xn--exmple-4nf.com" != pending().email


@pytest.mark.parametrize(
    "terms", [{"duration": "1h30m"}, {"duration": "1" * 41 + "d"}, {"duration": 7}, {"max_budget": -1}, {"models": []}, {"api_key": "x"}, {"rpm_limit": True}]
)
def test_impossible_terms_are_refused(terms: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="granted"):
        transitions.approve(pending(), terms, by="admin", at=AT)


def test_the_trace_is_kept_within_bounds_and_without_keys() -> None:
    trace = [{"rule": "http", "why": "sk-" + "a" * 40 + "\x1b[0m" + "x" * 900}] * 100
    record = transitions.decide(pending(), APPROVED, Ruling(trace=trace), by="chain", at=AT)
    records.check(record)
    assert 5 < len(record.trace) < 50
    assert record.trace[-1] == {"cut": 101 - len(record.trace)}
    assert record.trace[0]["why"].startswith("sk-*** [0mxxx")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ({"state": "aproved"}, "the state is 'aproved'"),
        ({"email": "eve@example.com"}, "another request"),
        ({"models": ("gpt-5",)}, "another request"),
        ({"updated_at": "yesterday"}, "updated_at is"),
        ({"id": "../x"}, "not the id"),
    ],
)
def test_the_guard_sees_what_was_changed_by_hand(spoil: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        records.check(replace(pending(), **spoil))  # type: ignore[arg-type]
