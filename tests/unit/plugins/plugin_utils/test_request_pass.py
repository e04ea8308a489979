# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What stands between the steps of a pass over the queue of requests."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from ansible.parsing.splitter import parse_kv
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils import request_pass as steps

AT = "2026-11-21T04:00:00Z"
PACKAGES: dict[str, dict[str, Any]] = {
    "dev": {"models": ["granite", "mistral"], "duration": "30d", "max_budget": 5, "rpm_limit": 100},
    "free": {"models": ["granite"], "duration": "7d"},
}


def request(number: int = 1, **fields: Any) -> dict[str, Any]:
    """A request as key_request_info returns it."""
    progress = {"minted_at": None, "key_alias": None, "delivered": {}, "finished_at": None, "ended_at": None, "notified": {}, **fields.pop("progress", {})}
    return {
        "request_id": f"id-{number}",
        "email": f"user{number}@example.com",
        "models": ["granite"],
        "package": None,
        "duration": None,
        "max_budget": None,
        "guid": None,
        "granted": {},
        "trace": [],
        "reason": "",
        "history": [{"at": AT, "by": "user", "from": None, "to": "pending", "reason": ""}],
        "created_at": AT,
        **fields,
        "progress": progress,
    }


def key(**fields: Any) -> dict[str, Any]:
    (made,) = steps.keys([request(**fields)], PACKAGES, "14d")
    return made


# --------------------------------------------------------------------------------------------------------------- aliases
def test_an_alias_belongs_to_the_request_and_to_its_submission():
    again = request(history=[*request()["history"], {"at": "2026-12-01T04:00:00Z", "by": "user", "from": "approved", "to": "pending", "reason": ""}])
    assert steps.alias_of(request()) == "request-id-1-20261121040000"
    assert steps.alias_of(again) == "request-id-1-20261201040000"
    assert steps.alias_of(request(2)) != steps.alias_of(request())


def test_an_alias_stays_once_the_key_is_minted():
    assert steps.alias_of(request(progress={"key_alias": "request-old"})) == "request-old"


def test_the_alias_of_a_lab_begins_like_the_aliases_of_its_keys_and_is_none_of_them():
    alias = steps.alias_of(request(guid="abc"))
    assert alias.startswith("virtkey-abc-request-")


# ------------------------------------------------------------------------------------------------------------------ keys
def test_a_key_without_a_package_gets_what_was_asked_for_and_the_usual_lifetime():
    made = key(models=["granite", "llama"], max_budget=2.5)
    assert (made["models"], made["duration"], made["max_budget"]) == (["granite", "llama"], "14d", 2.5)
    assert made["user_id"] == "user1@example.com"
    assert made["metadata"] == {"owner": "user1@example.com", "request_id": "id-1", "guid": None}


def test_a_package_gives_the_limits():
    made = key(package="dev", models=[])
    assert (made["models"], made["duration"], made["max_budget"], made["rpm_limit"]) == (["granite", "mistral"], "30d", 5, 100)
    assert key(package="free", models=[])["max_budget"] == -1


@pytest.mark.parametrize(
    ("asked", "got"),
    [
        ({"duration": "365d"}, {"duration": "30d"}),
        ({"duration": "2d"}, {"duration": "2d"}),
        ({"max_budget": 99.0}, {"max_budget": 5}),
        ({"max_budget": 1.0}, {"max_budget": 1.0}),
        ({"max_budget": 0.0}, {"max_budget": 0.0}),
        ({"models": ["granite", "gpt-99"]}, {"models": ["granite"]}),
        ({"models": ["gpt-99"]}, {"models": ["granite", "mistral"]}),
    ],
)
def test_nobody_gets_more_than_the_package_by_asking(asked, got):
    made = key(package="dev", **asked)
    assert {name: made[name] for name in got} == got


def test_what_was_granted_counts_before_what_was_asked_for():
    made = key(models=["granite", "llama"], duration="90d", granted={"models": ["granite"], "duration": "7d", "max_budget": 1, "rpm_limit": 5})
    assert (made["models"], made["duration"], made["max_budget"], made["rpm_limit"]) == (["granite"], "7d", 1, 5)


def test_a_package_that_is_gone_is_an_error_that_names_it():
    with pytest.raises(ValueError, match="request id-1 is for the package gold"):
        key(package="gold")


# ----------------------------------------------------------------------------------------------------- decisions, minting
def test_decisions_become_changes_and_parked_requests_stay():
    requests = [request(number) for number in (1, 2, 3, 4)]
    answers = [
        {"decision": decision, "reason": decision.lower(), "trace": [], "request": {**requests[0], "duration": "7d"}}
        for decision in ("APPROVE", "DENY", "REVIEW", "PENDING")
    ]
    changes = steps.decisions(answers, requests)
    assert [(change["request_id"], change["action"]) for change in changes] == [("id-1", "approve"), ("id-2", "deny"), ("id-3", "review")]
    assert changes[0]["granted"] == {"duration": "7d"}


SKIPPED = {"skipped": True, "changed": False}


@pytest.mark.parametrize(
    ("served", "living", "waits", "words"),
    [
        (SKIPPED, SKIPPED, [], ""),
        ({"models": ["granite"]}, {"virtual_keys": []}, [], ""),
        ({"failed": True, "msg": "no answer"}, SKIPPED, ["id-1"], "no answer"),
        ({"models": []}, SKIPPED, ["id-1"], "serves no models at present"),
        ({"models": ["granite"]}, {"failed": True, "msg": "no answer"}, ["id-1", "id-2"], "no answer"),
        ({"failed": True, "msg": "no answer"}, {"virtual_keys": []}, ["id-1"], "no answer"),
    ],
)
def test_what_the_gateway_does_not_tell_is_waited_for(served, living, waits, words):
    requests = [request(1), request(2, models=[], package="dev")]
    changes = steps.waiting(requests, served, living)
    assert [(change["request_id"], change["action"], change["step"]) for change in changes] == [(each, "failed", "decide") for each in waits]
    assert all(words in change["reason"] for change in changes)
    assert [each["request_id"] for each in steps.decidable(requests, served, living)] == [each for each in ("id-1", "id-2") if each not in waits]


def test_an_outage_while_minting_is_a_failed_attempt_and_no_decision():
    changes = steps.minted([request(1), request(2)], {"failed": True, "msg": "no answer from the gateway"})
    assert [(change["action"], change["step"], change["reason"]) for change in changes] == [("failed", "mint", "no answer from the gateway")] * 2


def test_keys_that_were_left_out_fail_and_the_others_are_minted():
    one, two, three = request(1), request(2), request(3, progress={"minted_at": AT, "key_alias": "request-three"})
    result = {
        "virtual_keys": [{"alias": steps.alias_of(one), "action": "created", "expires": AT}, {"alias": "request-three", "action": "unchanged"}],
        "left_out": [{"alias": steps.alias_of(two), "code": "unknown_model", "msg": "no such model"}],
    }
    assert steps.minted([one, two, three], result) == [
        {"request_id": "id-1", "action": "minted", "key_alias": steps.alias_of(one), "expires": AT},
        {"request_id": "id-2", "action": "failed", "step": "mint", "reason": "no such model"},
    ]


def test_keys_of_requests_that_were_taken_back_are_orphans_and_are_not_delivered():
    one, two = request(1), request(2)
    result = {"virtual_keys": [{"alias": steps.alias_of(each), "value": f"sk-{each['request_id']}"} for each in (one, two)]}
    refused = [{"request_id": "id-2", "action": "minted", "code": "refused", "msg": "taken back"}]
    assert steps.orphans([one, two], refused) == [{"alias": steps.alias_of(two)}]
    (out,) = steps.deliverable([one, two], result, refused, "mail")
    assert (out["email"], out["value"]) == ("user1@example.com", "sk-id-1")


# -------------------------------------------------------------------------------------------------------------- delivery
def test_each_key_goes_to_its_own_person_and_by_each_way_once():
    requests = [request(number) for number in range(1, 30)]
    requests[3]["progress"]["delivered"] = {"mail": AT}
    result = {"virtual_keys": [{"alias": steps.alias_of(each), "value": f"sk-{each['email']}"} for each in reversed(requests)]}
    out = steps.deliverable(requests, result, [], "mail")
    assert [entry["email"] for entry in out] == [each["email"] for each in requests if each is not requests[3]]
    assert all(entry["value"] == f"sk-{entry['email']}" for entry in out)
    assert len(steps.deliverable(requests, result, [], "kubernetes_secret")) == 29


def test_a_request_is_finished_when_all_ways_are_done():
    half = request(1, progress={"delivered": {"mail": AT}})
    alias = steps.alias_of(half)
    done = {"alias": alias, "method": "kubernetes_secret", "status": "delivered", "reason": ""}
    assert [change["action"] for change in steps.delivered([half], [done], ["mail", "kubernetes_secret"])] == ["delivered", "finished"]
    lost = {**done, "status": "failed", "reason": "quota exceeded"}
    (change,) = steps.delivered([half], [lost], ["mail", "kubernetes_secret"])
    assert (change["action"], change["step"], change["reason"]) == ("failed", "deliver", "kubernetes_secret: quota exceeded")
    assert steps.delivered([half], [], ["mail"])[0]["action"] == "finished"


# ----------------------------------------------------------------------------------------------------------------- mails
def test_reviewers_are_those_of_the_rule_that_asked():
    rules = [
        {"name": "denylist", "config": {"list": ["x"]}},
        {"name": "humanintheloop", "config": {"email": "ada@example.com", "patterns": ["*"]}},
        {"name": "http", "config": {}, "reviewers": ["bob@example.com"]},
    ]
    by_ada = request(trace=[{"index": 0, "decision": "CONTINUE"}, {"index": 1, "decision": "REVIEW"}])
    by_bob = request(trace=[{"index": 2, "decision": "REVIEW"}])
    assert [mail["to"] for mail in steps.review_mails([by_ada, by_bob], rules, ["zoe@example.com"])] == ["ada@example.com", "bob@example.com"]
    assert [mail["to"] for mail in steps.review_mails([request()], rules, ["zoe@example.com"])] == ["zoe@example.com"]
    assert steps.review_mails([request()], rules, []) == []


def test_the_commands_in_a_mail_reach_ansible_through_a_shell_as_they_are_meant():
    (mail,) = steps.review_mails([request()], [], ["zoe@example.com"])
    approve, deny = (shlex.split(command) for command in mail["commands"])
    assert approve[-2:] == ["-e", f"request_id={request()['request_id']}"]
    assert parse_kv(deny[-1].replace("...", "not this month")) == {"reason": "not this month"}


def test_what_became_of_mails_is_recorded():
    requests = [request(1), request(2), request(3)]
    deliveries = [
        {"request_id": "id-1", "status": "delivered", "reason": ""},
        {"request_id": "id-2", "status": "failed", "reason": "550 no such user"},
    ]
    assert [(change["request_id"], change["action"]) for change in steps.denied(requests, deliveries)] == [
        ("id-1", "delivered"),
        ("id-1", "finished"),
        ("id-2", "failed"),
    ]
    assert [change["action"] for change in steps.denied(requests, None)] == ["finished"] * 3
    assert [change["action"] for change in steps.reviewed(requests, deliveries)] == ["notified", "failed"]


def test_a_mail_about_the_same_state_is_the_same_mail():
    (one,), (two,) = steps.denial_mails([request()]), steps.denial_mails([request()])
    assert one["id"] == two["id"]


# --------------------------------------------------------------------------------------------------------------- notices
def living(left: str, **fields: Any) -> dict[str, Any]:
    return {"alias": "a", "user_id": "user@example.com", "metadata": {}, "models": ["granite"], "expires": left, **fields}


BEFORE = ["72h", "24h", "1h"]


@pytest.mark.parametrize(
    ("ends", "due"),
    [("2026-11-25T04:00:00Z", None), ("2026-11-24T03:59:00Z", "72h"), ("2026-11-22T04:00:00Z", "24h"), ("2026-11-21T04:30:00Z", "1h"), (None, None)],
)
def test_the_latest_notice_is_sent_and_the_earlier_ones_count_as_sent(ends, due):
    mails = steps.notices([living(ends)], BEFORE, AT)
    assert [mail["id"] for mail in mails] == ([f"a-{due} before {ends}"] if due else [])
    if due:
        (noted,) = steps.noticed([living(ends)], [{"alias": "a", "status": "delivered"}], BEFORE, AT)
        assert steps.notices([living(ends, metadata=noted["metadata"])], BEFORE, AT) == []


def test_a_key_that_was_prolonged_is_warned_about_anew():
    noted = {"expiry_notices": ["72h before 2026-11-24T00:00:00Z"]}
    assert len(steps.notices([living("2026-11-24T02:00:00Z", metadata=noted)], BEFORE, AT)) == 1


def test_nobody_is_warned_about_what_has_no_address_or_is_retired():
    assert steps.notices([living("2026-11-21T05:00:00Z", user_id="team-blue")], BEFORE, AT) == []
    assert steps.notices([living("2026-11-21T05:00:00Z", retired_from="b")], BEFORE, AT) == []


def test_a_mail_that_failed_is_sent_again_next_time():
    assert steps.noticed([living("2026-11-21T05:00:00Z")], [{"alias": "a", "status": "failed"}], BEFORE, AT) == []


def test_requests_whose_keys_are_gone_have_ended():
    finished = request(1, progress={"finished_at": AT, "key_alias": "k1"})
    living_one = request(2, progress={"finished_at": AT, "key_alias": "k2"})
    unfinished = request(3, progress={"key_alias": "k3"})
    over = request(4, progress={"finished_at": AT, "ended_at": AT, "key_alias": "k4"})
    changes = steps.ended([finished, living_one, unfinished, over], [{"alias": "k2"}])
    assert changes == [{"request_id": "id-1", "action": "ended"}]


def test_quota_counts_living_keys_of_owners_once():
    keys = [
        {"alias": "a", "user_id": "u", "package": "", "metadata": {"owner": "ada@example.com"}},
        {"alias": "a.retired-1", "user_id": "u", "package": "", "metadata": {}, "retired_from": "a"},
    ]
    assert steps.usage(keys) == [{"owner": "ada@example.com", "package": None, "alias": "a"}]
