# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The arguments of each step of a pass over the queue of requests."""

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
    """Return a request as key_request_info returns it, with the alias of its key."""
    progress = {"minted_at": None, "key_alias": None, "delivered": {}, "finished_at": None, "ended_at": None, "notified": {}, **fields.pop("progress", {})}
    record = {
        "request_id": f"id-{number}",
        "email": f"user{number}@example.com",
        "state": "approved",
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
    (aliased,) = steps.aliased_requests([record])
    return aliased


def key(**fields: Any) -> dict[str, Any]:
    (made,) = steps.request_keys([request(**fields)], PACKAGES, "14d")
    return made


# --------------------------------------------------------------------------------------------------------------- aliases
def test_an_alias_belongs_to_the_request_and_to_its_submission():
    again = request(history=[*request()["history"], {"at": "2026-12-01T04:00:00Z", "by": "user", "from": "approved", "to": "pending", "reason": ""}])
    assert request()["key_alias"] == "request-id-1-20261121040000"
    assert again["key_alias"] == "request-id-1-20261201040000"
    assert request(2)["key_alias"] != request()["key_alias"]


def test_an_alias_stays_once_the_key_is_minted():
    assert request(progress={"key_alias": "request-old"})["key_alias"] == "request-old"


def test_the_alias_of_a_request_for_a_lab_begins_like_the_aliases_of_its_keys():
    alias = request(guid="abc")["key_alias"]
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


def test_the_error_about_a_missing_package_names_it():
    with pytest.raises(ValueError, match="request id-1 asks for the package gold"):
        key(package="gold")


# ----------------------------------------------------------------------------------------------------- decisions, minting
def test_decisions_become_changes_and_parked_requests_stay():
    requests = [request(number) for number in (1, 2, 3, 4)]
    answers = [
        {"decision": decision, "reason": decision.lower(), "trace": [], "request": {**requests[0], "duration": "7d"}}
        for decision in ("APPROVE", "DENY", "REVIEW", "PENDING")
    ]
    changes = steps.request_changes(requests, answers=answers)
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
def test_a_request_waits_for_an_answer_of_the_gateway_that_it_needs(served, living, waits, words):
    requests = [request(1), request(2, models=[], package="dev")]
    triage = steps.request_triage(requests, served, living)
    changes = triage["waiting"]
    assert [(change["request_id"], change["action"], change["step"]) for change in changes] == [(each, "failed", "decide") for each in waits]
    assert all(words in change["reason"] for change in changes)
    assert [each["request_id"] for each in triage["decidable"]] == [each for each in ("id-1", "id-2") if each not in waits]


def test_an_outage_while_minting_is_a_failed_attempt_and_no_decision():
    changes = steps.request_changes([request(1), request(2)], minted={"failed": True, "msg": "no answer from the gateway"})
    assert [(change["action"], change["step"], change["reason"]) for change in changes] == [("failed", "mint", "no answer from the gateway")] * 2


def test_keys_that_were_left_out_fail_and_the_others_are_minted():
    one, two, three = request(1), request(2), request(3, progress={"minted_at": AT, "key_alias": "request-three"})
    result = {
        "virtual_keys": [{"alias": one["key_alias"], "action": "created", "expires": AT}, {"alias": "request-three", "action": "unchanged"}],
        "left_out": [{"alias": two["key_alias"], "code": "unknown_model", "msg": "no such model"}],
    }
    assert steps.request_changes([one, two, three], minted=result) == [
        {"request_id": "id-1", "action": "minted", "key_alias": one["key_alias"], "expires": AT},
        {"request_id": "id-2", "action": "failed", "step": "mint", "reason": "no such model"},
    ]


def test_a_key_that_was_revoked_since_it_was_minted_is_not_made_again():
    new, minted = request(1), request(2, progress={"minted_at": AT, "key_alias": "request-two"})
    assert [each["create"] for each in steps.request_keys([new, minted], {}, "30d")] == [True, False]
    result = {"virtual_keys": [{"alias": new["key_alias"], "action": "created", "expires": AT}], "absent": ["request-two"]}
    assert steps.request_changes([new, minted], minted=result)[1:] == [{"request_id": "id-2", "action": "ended"}]


def test_keys_of_requests_that_were_taken_back_are_deleted_and_not_delivered():
    one, two = request(1), request(2)
    result = {"virtual_keys": [{"alias": each["key_alias"], "value": f"sk-{each['request_id']}"} for each in (one, two)]}
    refused = [{"request_id": "id-2", "action": "minted", "code": "refused", "msg": "taken back"}]
    split = steps.minted_keys([one, two], result, refused, ["mail"])
    assert split["withdrawn"] == [{"alias": two["key_alias"]}]
    (out,) = split["deliverable"]["mail"]
    assert (out["email"], out["value"]) == ("user1@example.com", "sk-id-1")


# -------------------------------------------------------------------------------------------------------------- delivery
def test_each_key_goes_to_its_own_person_once_by_each_method():
    requests = [request(number) for number in range(1, 30)]
    requests[3]["progress"]["delivered"] = {"mail": AT}
    result = {"virtual_keys": [{"alias": each["key_alias"], "value": f"sk-{each['email']}"} for each in reversed(requests)]}
    deliverable = steps.minted_keys(requests, result, [], ["mail", "kubernetes_secret"])["deliverable"]
    out = deliverable["mail"]
    assert [entry["email"] for entry in out] == [each["email"] for each in requests if each is not requests[3]]
    assert all(entry["value"] == f"sk-{entry['email']}" for entry in out)
    assert len(deliverable["kubernetes_secret"]) == 29


def test_a_request_is_finished_when_its_key_was_delivered_by_all_methods():
    half = request(1, progress={"delivered": {"mail": AT}})
    done = {"alias": half["key_alias"], "request_id": "id-1", "method": "kubernetes_secret", "status": "delivered", "reason": ""}
    assert [change["action"] for change in steps.request_changes([half], deliveries=[done], methods=["mail", "kubernetes_secret"])] == ["delivered", "finished"]
    lost = {**done, "status": "failed", "reason": "quota exceeded"}
    (change,) = steps.request_changes([half], deliveries=[lost], methods=["mail", "kubernetes_secret"])
    assert (change["action"], change["step"], change["reason"]) == ("failed", "deliver", "kubernetes_secret: quota exceeded")
    assert steps.request_changes([half], deliveries=[], methods=["mail"])[0]["action"] == "finished"


def test_a_mail_about_a_request_does_not_count_as_the_delivery_of_its_key():
    """A request that was denied in one pass may be approved before the next."""
    mail = {"alias": "", "request_id": "id-1", "method": "mail", "status": "delivered", "reason": ""}
    assert steps.request_changes([request(1)], deliveries=[mail], methods=["mail"]) == []


# ----------------------------------------------------------------------------------------------------------------- mails
def test_the_rule_that_sent_a_request_to_review_names_its_reviewers():
    rules = [
        {"name": "denylist", "config": {"list": ["x"]}},
        {"name": "humanintheloop", "config": {"email": "ada@example.com", "patterns": ["*"]}},
        {"name": "http", "config": {}, "reviewers": ["bob@example.com"]},
    ]
    by_ada = request(state="in-review", trace=[{"index": 0, "decision": "CONTINUE"}, {"index": 1, "decision": "REVIEW"}])
    by_bob = request(state="in-review", trace=[{"index": 2, "decision": "REVIEW"}])
    assert [mail["to"] for mail in steps.request_mails([by_ada, by_bob], rules, ["zoe@example.com"])] == ["ada@example.com", "bob@example.com"]
    assert [mail["to"] for mail in steps.request_mails([request(state="in-review")], rules, ["zoe@example.com"])] == ["zoe@example.com"]
    assert steps.request_mails([request(state="in-review")], rules, []) == []


def test_the_commands_in_a_mail_survive_a_shell():
    (mail,) = steps.request_mails([request(state="in-review")], [], ["zoe@example.com"])
    approve, deny = (shlex.split(command) for command in mail["commands"])
    assert approve[-2:] == ["-e", f"request_id={request()['request_id']}"]
    assert parse_kv(deny[-1].replace("...", "not this month")) == {"reason": "not this month"}


def test_the_outcome_of_mails_is_recorded():
    requests = [request(number, state="denied") for number in (1, 2, 3)]
    deliveries = [
        {"request_id": "id-1", "status": "delivered", "reason": ""},
        {"request_id": "id-2", "status": "failed", "reason": "550 no such user"},
    ]
    assert [(change["request_id"], change["action"]) for change in steps.request_changes(requests, deliveries=deliveries, methods=["mail"])] == [
        ("id-1", "delivered"),
        ("id-1", "finished"),
        ("id-2", "failed"),
    ]
    assert [change["action"] for change in steps.request_changes(requests, deliveries=[])] == ["finished"] * 3
    reviews = [{**each, "state": "in-review"} for each in requests]
    assert [change["action"] for change in steps.request_changes(reviews, deliveries=deliveries, methods=["mail"])] == ["notified", "failed"]


def test_changes_are_made_after_one_step_at_a_time():
    with pytest.raises(ValueError, match="nothing is given; give one of answers, minted, deliveries and living_keys"):
        steps.request_changes([])
    with pytest.raises(ValueError, match="answers and minted is given"):
        steps.request_changes([], answers=[], minted={})


def test_a_mail_about_the_same_state_is_the_same_mail():
    (one,), (two,), (other,) = (steps.request_mails([request(number, state="denied")]) for number in (1, 1, 2))
    assert one["id"] == two["id"] != other["id"]
    assert steps.request_mails([request(state="approved")]) == []


# ---------------------------------------------------------------------------------------------------------- living keys
def test_requests_whose_keys_are_gone_have_ended():
    finished = request(1, progress={"finished_at": AT, "key_alias": "k1"})
    living_one = request(2, progress={"finished_at": AT, "key_alias": "k2"})
    unfinished = request(3, progress={"key_alias": "k3"})
    over = request(4, progress={"finished_at": AT, "ended_at": AT, "key_alias": "k4"})
    changes = steps.request_changes([finished, living_one, unfinished, over], living_keys=[{"alias": "k2"}])
    assert changes == [{"request_id": "id-1", "action": "ended"}]


def test_quota_counts_living_keys_of_owners_once():
    keys = [
        {"alias": "a", "user_id": "u", "package": "", "metadata": {"owner": "ada@example.com"}},
        {"alias": "a.retired-1", "user_id": "u", "package": "", "metadata": {}, "retired_from": "a"},
    ]
    assert steps.quota_usage(keys) == [{"owner": "ada@example.com", "package": None, "alias": "a"}]
