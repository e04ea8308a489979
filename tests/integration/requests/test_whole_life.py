# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The whole life of a requester: ask, extend, renew, lose the key, ask again, be pruned and erased, with an auditor looking on."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import durations
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.requests.desk import GRANITE, MISTRAL, Desk


def end_of(desk: Desk, request_id: str) -> Any:
    """Return the end of the key by the gateway, which is also what the request says."""
    (row,) = desk.rows(request_id)
    gateway = durations.parse_time(row["expires"])
    noted = durations.parse_time(desk.request(request_id)["progress"]["expires"])
    assert abs(gateway - noted) < timedelta(seconds=90)
    return gateway


def renewal_of(desk: Desk, request_id: str, playbook: str, **variables: Any) -> str:
    run = desk.act(playbook, request_id=request_id, **variables)
    (found,) = [each for each in desk.module("key_request_info")["requests"] if each["renews"] == request_id]
    assert f"Request {found['request_id']} of {found['email']} is {found['state']}" in " ".join(run.output.split())
    return str(found["request_id"])


def test_a_key_lives_longer_three_times_with_the_same_value(desk: Desk, unique: str) -> None:
    ada = f"ada-{unique}@company.com"
    first = desk.ask(ada)
    desk.process()
    value, end = desk.key_of(ada), end_of(desk, first)
    for number in (1, 2, 3):
        renewal_of(desk, first, "extend_request", duration="10d", purpose="the course goes on")
        desk.process()
        assert abs(end_of(desk, first) - end - timedelta(days=10 * number)) < timedelta(seconds=90)
    renewal = renewal_of(desk, first, "renew_request", max_budget=1)
    desk.process()
    desk.process()
    assert abs(end_of(desk, first) - end - timedelta(days=30)) < timedelta(seconds=90), "the usual lifetime from now on would be less"
    (row,) = desk.rows(first)
    assert (row["max_budget"], row["models"], desk.gateway.chat(value, GRANITE).status_code) == (1, [GRANITE], 200)
    told = [mail for mail in desk.mails(ada) if "was renewed" in mail.message["Subject"]]
    assert len(told) == 4 and value not in told[-1].part("plain") and row["key_alias"] in told[-1].part("plain")
    assert desk.key_of(ada) == value
    assert desk.request(renewal)["progress"]["status"] == "finished"


def test_a_renewal_in_review_changes_nothing_until_somebody_approves(desk: Desk, unique: str) -> None:
    ada = f"ada-{unique}@company.com"
    first = desk.ask(ada, model=MISTRAL)
    desk.act("approve", request_id=first)
    desk.process()
    end = end_of(desk, first)
    renewal = renewal_of(desk, first, "extend_request", duration="5d")
    desk.process()
    assert desk.request(renewal)["state"] == "in-review" and end_of(desk, first) == end
    assert f"renews: {first}" in desk.mails("boss@company.com")[-1].part("plain")
    desk.act("deny", request_id=renewal, reason="no more")
    desk.process()
    assert end_of(desk, first) == end and desk.gateway.chat(desk.key_of(ada), MISTRAL).status_code == 200
    assert renewal_of(desk, first, "extend_request", duration="2d", again=True) == renewal
    desk.process()
    desk.act("approve", request_id=renewal)
    desk.process()
    assert abs(end_of(desk, first) - end - timedelta(days=2)) < timedelta(seconds=90)


def test_the_playbook_asks_for_all_that_it_is_given_and_forgives_what_a_survey_leaves_empty(desk: Desk, unique: str) -> None:
    ada = f"ada-{unique}@company.com"
    wish = {"email": ada, "package": "dev", "model": None, "duration": "2d", "max_budget": "1.5", "awx_user_name": "service"}
    assert "pending" in desk.act("request", **wish, purpose="", guid=None).output
    asked = desk.requests()[ada]
    assert (asked["max_budget"], asked["duration"], asked["history"][0]["by"]) == (1.5, "2d", "service")
    assert "what was asked first" in desk.act("request", **{**wish, "max_budget": 5}).output
    desk.process()
    assert desk.rows(asked["request_id"])[0]["max_budget"] == 1.5
    for nobody in ("", None):
        for playbook in ("extend_request", "approve", "cancel_request"):
            refused = desk.playbook(playbook, {**desk.variables, "request_id": nobody}, check=False)
            assert refused.returncode != 0 and "Name the request by its id" in refused.output


@pytest.mark.parametrize("approved", [False, True])
def test_a_renewal_does_not_bring_back_a_key_that_was_revoked_meanwhile(desk: Desk, unique: str, approved: bool) -> None:
    ada = f"ada-{unique}@company.com"
    first = desk.ask(ada)
    desk.process()
    value = desk.key_of(ada)
    renewal = renewal_of(desk, first, "renew_request")
    if approved:
        desk.act("approve", request_id=renewal)
    desk.gateway.post("/key/delete", keys=[row["token"] for row in desk.rows(first)])
    desk.process()
    assert not desk.rows(first) and desk.gateway.chat(value).status_code == 401
    assert (desk.request(renewal)["state"], desk.request(first)["progress"]["status"]) == ("denied", "ended")
    run = desk.playbook("extend_request", {**desk.variables, "request_id": first}, check=False)
    assert run.returncode != 0 and "has ended" in run.output
    desk.act("renew_request", request_id=first)
    desk.server.mailbox.received.clear()
    desk.process()
    assert desk.gateway.chat(desk.key_of(ada)).status_code == 200 and desk.key_of(ada) != value


def test_a_blocked_key_is_not_renewed_and_none_is_extended_for_ever(desk: Desk, unique: str) -> None:
    ada = f"ada-{unique}@company.com"
    packages = {"dev": {**desk.variables["key_requests_packages"]["dev"], "max_lifetime": "35d"}}
    first = desk.ask(ada)
    desk.process(key_requests_packages=packages)
    end = end_of(desk, first)
    (row,) = desk.rows(first)
    desk.gateway.post("/key/block", key=row["token"])
    renewal = renewal_of(desk, first, "extend_request", duration="3d")
    desk.process(key_requests_packages=packages)
    assert "is blocked at the gateway" in desk.mails(ada)[-1].part("plain") and end_of(desk, first) == end
    desk.gateway.post("/key/unblock", key=row["token"])
    for state, days in (("approved", 3), ("approved", 5), ("denied", 5)):
        assert renewal_of(desk, first, "extend_request", duration="3d", again=True) == renewal
        desk.process(key_requests_packages=packages)
        assert desk.request(renewal)["state"] == state and abs(end_of(desk, first) - end - timedelta(days=days)) < timedelta(seconds=3600)
    assert "at most" in desk.mails(ada)[-1].part("plain")


def test_an_auditor_reads_all_of_it_until_the_person_is_erased(desk: Desk, unique: str) -> None:
    ada = f"ada-{unique}@company.com"
    first = desk.ask(ada)
    desk.process()
    renewal_of(desk, first, "extend_request", duration="1d")
    desk.process()
    alias = desk.rows(first)[0]["key_alias"]
    audit = desk.folder / "audit.jsonl"
    desk.act("requests", output="audit", audit_file=str(audit))
    events = [json.loads(line) for line in audit.read_text().splitlines()]
    assert [event["event"] for event in events if event["request_id"] == first] == ["submitted", "approved", "key_made", "key_delivered", "changed"]
    assert {event["key_alias"] for event in events if "key_alias" in event} == {alias}
    assert audit.stat().st_mode & 0o777 == 0o600 and desk.key_of(ada) not in audit.read_text()
    shown = desk.act("requests", output="audit").output
    assert "key_made" in shown

    refused = desk.playbook("erase_person", {**desk.variables, "email": ada}, check=False)
    assert refused.returncode != 0 and "delete the key" in refused.output
    desk.gateway.post("/key/delete", keys=[row["token"] for row in desk.rows(first)])
    desk.act("notices")
    done = " ".join(desk.act("erase_person", email=ada).output.split())
    assert "1 requests were erased" in done or "2 requests were erased" in done
    assert ada not in "".join(path.read_text() for path in desk.queue.iterdir())
    assert "0 requests were erased" in " ".join(desk.act("erase_person", email=ada).output.split())
    desk.act("requests", output="audit", audit_file=str(audit))
    assert ada not in audit.read_text() and "key_ended" in audit.read_text()

    everything = {"denied": "1s", "cancelled": "1s", "ended": "1s", "renewed": "1s"}
    assert "2 requests were removed" in desk.act("prune_requests", key_requests_retention=everything).output
    assert desk.playbook("prune_requests", desk.variables, check=False).returncode != 0
