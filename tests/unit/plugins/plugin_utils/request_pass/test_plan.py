# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Aliases, quota and mails of a pass."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from ansible.parsing.splitter import parse_kv
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import durations
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import transitions
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import IN_REVIEW, Record, new
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.transitions import Ruling
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass import plan

ZOE = plan.Question("zoe@example.com", 0, plan.notice_name("zoe@example.com"))
AT, LATER = "2026-11-21T04:00:00Z", "2026-12-01T04:00:00Z"


def asked(**wish: str) -> Record:
    return new(email="ada@example.com", package="dev", at=AT, **wish)


def in_review(**wish: str) -> Record:
    ruling = Ruling(terms={"models": ["granite"], "duration": "7d", "max_budget": 5}, reviewers=["zoe@example.com"])
    return transitions.decide(asked(**wish), IN_REVIEW, ruling, by="approval chain", at=AT)


# ------------------------------------------------------------------------------------------------------------- aliases
def test_an_alias_belongs_to_the_request_and_to_its_submission() -> None:
    record = asked()
    assert plan.alias_of(record) == f"request-{record.id}-20261121040000"
    again = transitions.resubmit(transitions.cancel(record, by="ada", at=AT), replace(record, history=record.history, updated_at=LATER))
    assert plan.alias_of(again) == f"request-{record.id}-20261201040000"


def test_an_alias_stays_once_the_key_is_minted_and_begins_with_the_lab_s() -> None:
    record = asked(guid="abc12")
    assert plan.alias_of(record).startswith("virtkey-abc12-request-")
    minted = transitions.mark_minted(transitions.approve(record, {}, by="boss", at=LATER), at=LATER, key_alias="request-old")
    assert plan.alias_of(minted) == "request-old"


def test_a_retry_or_a_corrected_decision_changes_no_alias() -> None:
    approved = transitions.approve(asked(), {}, by="boss", at=LATER)
    failed = transitions.mark_failed(approved, at=LATER, step="mint", reason="no")
    assert plan.alias_of(transitions.retry(failed, by="boss", at=LATER)) == plan.alias_of(asked())


# --------------------------------------------------------------------------------------------------------------- mails
def test_the_question_to_a_reviewer_shows_what_is_decided() -> None:
    mail = plan.review_mail(in_review(guid="abc12", purpose="a course"), ZOE, {})
    assert mail["note"].splitlines() == ["duration: 7d", "max_budget: 5", "guid: abc12"]
    assert (mail["models"], mail["purpose"]) == (["granite"], "a course")


@pytest.mark.parametrize("directory", ["/srv/llm requests", "/srv/it's", '/srv/"x"', "/srv/$HOME"])
def test_the_commands_in_a_mail_survive_a_shell_and_name_the_store(directory: str) -> None:
    approve, deny = (shlex.split(command) for command in plan.review_mail(in_review(), ZOE, {"key_requests_directory": directory})["commands"])
    assert approve[:4] == ["ansible-playbook", "rhpds.litellm_virtual_keys.approve", "-e", f"request_id={asked().id}"]
    assert json.loads(approve[5]) == {"key_requests_directory": directory}
    assert parse_kv(deny[-1].replace("...", "not this month")) == {"reason": "not this month"}


def test_each_reviewer_is_asked_once() -> None:
    record = in_review()
    assert plan.questions_due(record, ["usual@example.com"], LATER) == [ZOE]
    told = transitions.mark_notified(record, at=AT, notices=[plan.notice_name("Zoe@example.com")])
    assert plan.questions_due(told, [], LATER) == []
    assert [each.reviewer for each in plan.questions_due(replace(record, reviewers=()), ["usual@example.com"], LATER)] == ["usual@example.com"]
    by_a_former_release = transitions.mark_notified(record, at=AT, notices=["review"])
    assert plan.questions_due(by_a_former_release, [], LATER) == []


def test_reminders_have_pauses_that_double_and_end() -> None:
    record = replace(in_review(), review={"remind_after": "1h"})
    at, sent = datetime(2026, 11, 21, 4, tzinfo=UTC), []
    for hour in range(100):
        now = durations.iso(at + timedelta(hours=hour))
        for question in plan.questions_due(record, [], now):
            record = transitions.mark_notified(record, at=now, notices=[question.notice])
            sent.append((hour, question.reminders, plan.review_mail(record, question, {})["id"]))
    assert [(hour, number) for hour, number, _id in sent] == [(0, 0), (1, 1), (3, 2), (7, 3), (15, 4), (31, 5)]
    assert len({name for _hour, _number, name in sent}) == 6, "a reminder is another mail"


def test_a_mail_about_the_same_state_is_the_same_mail() -> None:
    one, two = plan.denial_mail(asked()), plan.denial_mail(asked())
    assert one["id"] == two["id"] != plan.denial_mail(replace(asked(), id="other"))["id"]
