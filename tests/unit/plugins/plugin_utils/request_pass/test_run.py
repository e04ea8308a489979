# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Passes over the queue: no request hinders another, what was approved is what the key gets, and what is gone stays gone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import record as records
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.audit import audit_events
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import Wish
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import Busy, RequestRefused
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass import plan
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass.post import PostResult
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.request_desk import TestDesk

KEY_LIKE = "sk-" + "a" * 24


@pytest.fixture
def desk(tmp_path: Path) -> TestDesk:
    return TestDesk(tmp_path)


def states(desk: TestDesk) -> dict[str, tuple[str, str]]:
    """Return state and progress of each request by the name of its requester."""
    return {record.email.partition("@")[0]: (record.state, record.progress.status) for record in desk.store.listing().records}


# ------------------------------------------------------------------------------------------- no request hinders another
@pytest.mark.parametrize(
    "odd",
    [
        {"package": "gold"},
        {"package": "dev", "purpose": "{{ lookup('pipe', 'id') }}"},
        {"models": ("<b>llama</b>",)},
        {"models": ("x" * 256,)},
        {"models": ("{{ 7 + 7 }}",)},
        {"package": "dev", "duration": "12h", "max_budget": 0.0},
        {"package": "dev", "guid": "abc12", "user": "user1"},
    ],
)
def test_an_odd_request_stops_no_other(desk: TestDesk, odd: dict[str, Any]) -> None:
    desk.ask("odd", **odd)
    desk.ask("ada")
    desk.make_pass()
    assert states(desk)["ada"] == ("approved", "finished")
    assert desk.make_pass().due == 0, "whatever became of the odd one is recorded"


@pytest.mark.parametrize("field", ["package", "guid"])
def test_what_looks_like_a_key_is_refused_at_the_door(desk: TestDesk, field: str) -> None:
    with pytest.raises(ValueError, match=f"{field} holds what looks like a key") as caught:
        desk.ask(**{field: KEY_LIKE})
    assert KEY_LIKE not in str(caught.value)
    with pytest.raises(ValueError, match="model holds what looks like a key"):
        desk.ask(models=(KEY_LIKE,))


def test_a_request_that_was_kept_with_such_a_name_is_denied_without_it(desk: TestDesk) -> None:
    """A former release kept it."""
    eve = replace(desk.get(desk.ask("eve")), package=KEY_LIKE, id=records.request_id("eve@company.com", (), KEY_LIKE), version="")
    desk.store._create(eve)
    desk.ask("ada")
    desk.make_pass()
    denied = desk.get(eve.id)
    assert denied.state == "denied" and "package is 'sk-***'" in denied.reason and KEY_LIKE not in denied.reason
    assert states(desk)["ada"] == ("approved", "finished")


@pytest.mark.parametrize("granted", [{"duration": "90d"}, {"max_budget": 50}, {"models": ["gpt-9"]}])
def test_a_person_who_grants_more_than_is_offered_fails_that_request_alone(desk: TestDesk, granted: dict[str, Any]) -> None:
    eager, ada = desk.ask("eager"), desk.ask("ada")
    desk.people.approve(eager, by="boss", granted=granted)
    report = desk.make_pass()
    assert desk.get(ada).progress.status == "finished"
    failure = desk.get(eager).progress.failure
    assert failure is not None and failure.step == "mint" and "more was granted than is offered" in failure.reason
    assert [failed.request_id for failed in report.failures] == [eager]
    desk.people.approve(eager, by="boss", granted=granted, beyond=True)
    desk.hours_later(1)
    desk.make_pass()
    assert desk.get(eager).progress.status == "finished"
    assert {name: desk.get(eager).terms[name] for name in granted} == granted


def test_an_approval_without_an_end_works(desk: TestDesk) -> None:
    eternal = desk.ask("eternal")
    desk.people.approve(eternal, by="boss", granted={"duration": "never"}, beyond=True)
    desk.make_pass()
    assert desk.gateway.wanted[0]["duration"] == "never"


def test_a_key_that_cannot_be_made_fails_alone_and_is_tried_again(desk: TestDesk) -> None:
    bad, good = desk.ask("bad"), desk.ask("good")
    desk.gateway.refuses[plan.alias_of(desk.get(bad))] = "no such team"
    report = desk.make_pass()
    assert [(failure.request_id, failure.step, failure.reason) for failure in report.failures] == [(bad, "mint", "no such team")]
    assert desk.get(good).progress.status == "finished"
    assert desk.make_pass().due == 0, "not before the next attempt is due"
    desk.gateway.refuses.clear()
    desk.hours_later(1)
    desk.make_pass()
    assert desk.get(bad).progress.status == "finished"


def test_a_record_that_cannot_be_read_is_set_aside_and_reported(desk: TestDesk) -> None:
    broken = desk.ask("broken")
    desk.ask("ada")
    (desk.store.directory / f"{broken}.json").write_text("{}")
    report = desk.make_pass()
    assert [entry.name for entry in report.set_aside] == [f"{broken}.json"] and report.failed
    assert (desk.store.directory / f"{broken}.json").read_text() == "{}"
    assert report.delivered == 1


# --------------------------------------------------------------------------------------------------- chain and outages
def test_a_mistake_in_the_chain_decides_nothing_and_delivers_what_people_have_approved(desk: TestDesk) -> None:
    approved = desk.ask("ada")
    desk.rules = [{"name": "human_review", "config": {"email": "boss@company.com", "patterns": ["*"]}}]
    desk.make_pass()
    desk.people.approve(approved, by="boss")
    desk.ask("bob")
    desk.rules = [{"name": "allowlist", "config": {"lits": ["*"]}}]
    report = desk.make_pass()
    assert states(desk) == {"ada": ("approved", "finished"), "bob": ("pending", "")}
    assert "unknown option 'lits'" in report.errors[0] and report.failed


@pytest.mark.parametrize(
    ("package", "words"),
    [({"duration": "30d"}, "names no models"), ({"models": ["granite"], "duration": "soon"}, "duration"), ({"models": "granite"}, "list of names"), (3, "int")],
)
def test_a_package_that_cannot_be_used_is_an_error_of_the_site_and_no_denial(desk: TestDesk, package: Any, words: str) -> None:
    desk.packages = {"dev": package}
    desk.ask()
    report = desk.make_pass()
    assert states(desk) == {"ada": ("pending", "")}
    assert words in report.errors[0]


@pytest.mark.parametrize(
    "package", [{"models": ["granite"], "duration": "never"}, {"models": ["granite"], "max_budget": -1}, {"models": ["granite"], "rpm_limit": "5"}]
)
def test_a_package_in_the_words_of_virtual_keys_is_offered(desk: TestDesk, package: dict[str, Any]) -> None:
    desk.packages = {"dev": package}
    desk.ask()
    desk.make_pass()
    assert states(desk) == {"ada": ("approved", "finished")}


def test_without_rules_everything_is_denied_and_the_report_says_so(desk: TestDesk) -> None:
    desk.rules = []
    desk.ask()
    report = desk.make_pass()
    assert desk.get(desk.ask()).reason == "No approval plugins configured"
    assert "no approval rules" in report.warnings[0]


def test_an_outage_of_the_gateway_delays_and_denies_nobody(desk: TestDesk) -> None:
    desk.ask("ada")
    desk.ask("dan", models=("granite",))
    desk.gateway.down = True
    desk.make_pass()
    assert states(desk) == {"ada": ("approved", "failed"), "dan": ("pending", "failed")}
    assert {record.progress.failure and record.progress.failure.code for record in desk.store.listing().records} == {"unreachable"}
    desk.gateway.down = False
    desk.hours_later(1)
    desk.make_pass()
    assert set(states(desk).values()) == {("approved", "finished")}


def test_a_rule_that_cannot_answer_leaves_its_reason_and_is_not_asked_in_every_pass(desk: TestDesk) -> None:
    desk.rules = [{"name": "http", "config": {"endpoint": "http://127.0.0.1:9/", "allow_http": True}, "on_error": "pending"}]
    waiting = desk.ask()
    desk.make_pass()
    record = desk.get(waiting)
    assert record.state == "pending" and record.trace[0]["said"][0]["name"] == "no_answer"
    assert record.progress.failure is not None and record.progress.failure.step == "decide" and "http: no answer" in record.progress.failure.reason
    assert desk.make_pass().due == 0


def test_a_stranger_s_key_stops_no_decision(desk: TestDesk) -> None:
    class Row:
        alias, notes, in_service = "theirs", None, True

        def __init__(self, owner: object) -> None:
            self.metadata, self.fields = {"owner": owner}, {"user_id": None}

    usage = plan.quota_usage([Row(42), Row({"a": 1}), Row("ada@company.com")], [])  # type: ignore[list-item]
    assert [row["owner"] for row in usage] == [None, None, "ada@company.com"]


def test_a_key_that_was_promised_counts_for_the_quota(desk: TestDesk) -> None:
    desk.rules = [{"name": "quota", "config": {"per_person": 1}}, *desk.rules]
    first = desk.ask("ada")
    desk.gateway.refuses["*"] = "not now"
    desk.make_pass()
    assert desk.get(first).state == "approved"
    second = desk.ask("ada", models=("granite",))
    desk.make_pass()
    assert desk.get(second).state == "denied"


# --------------------------------------------------------------------------------------------------------------- terms
def test_the_chain_s_caps_reach_the_reviewer_and_the_key(desk: TestDesk) -> None:
    desk.packages = {"dev": {"models": ["granite"], "duration": "90d"}}
    desk.rules = [
        {"name": "package", "config": {"allow": [{"max_duration": "7d", "max_budget": 5}]}},
        {"name": "human_review", "config": {"email": "boss@company.com", "patterns": ["*"]}},
    ]
    asked = desk.ask(duration="80d", max_budget=100000.0)
    desk.make_pass()
    record = desk.get(asked)
    assert (record.state, record.terms["duration"], record.terms["max_budget"], record.reviewers) == ("in-review", "7d", 5, ("boss@company.com",))
    (mail,) = desk.post.sent
    assert mail["to"] == "boss@company.com" and "duration: 7d" in mail["note"] and "max_budget: 5" in mail["note"]
    desk.people.approve(asked, by="boss")
    desk.make_pass()
    (key,) = desk.gateway.wanted
    assert (key["duration"], key["max_budget"], key["models"]) == ("7d", 5, ["granite"])
    history = desk.get(asked).history
    assert [(entry.by, dict(entry.terms).get("duration")) for entry in history] == [("ada@company.com", None), ("approval chain", "7d"), ("boss", "7d")]
    assert history[1].policy.startswith("sha256:")


def test_what_a_person_grants_is_what_the_key_gets(desk: TestDesk) -> None:
    asked = desk.ask()
    desk.people.approve(asked, by="boss", granted={"duration": "2d", "max_budget": 1, "rpm_limit": 5, "models": ["mistral"]})
    desk.make_pass()
    (key,) = desk.gateway.wanted
    assert {name: key[name] for name in ("duration", "max_budget", "rpm_limit", "models")} == {
        "duration": "2d",
        "max_budget": 1,
        "rpm_limit": 5,
        "models": ["mistral"],
    }


def test_a_request_by_model_gets_no_more_than_the_site_s_limits(desk: TestDesk) -> None:
    desk.ask(models=("granite",), duration="3650d")
    desk.make_pass()
    (key,) = desk.gateway.wanted
    assert {name: key[name] for name in ("duration", "max_budget", "rpm_limit", "tpm_limit")} == {
        "duration": "30d",
        "max_budget": 10,
        "rpm_limit": 60,
        "tpm_limit": 100_000,
    }
    desk.limits = {"max_budget": -1, "rpm_limit": None, "duration": "60d"}
    desk.ask("bob", models=("granite",), duration="3650d")
    desk.make_pass()
    assert (desk.gateway.wanted[1]["duration"], desk.gateway.wanted[1]["max_budget"]) == ("60d", -1)


def test_granted_models_never_widen_when_the_package_changes(desk: TestDesk) -> None:
    desk.gateway.refuses["*"] = "not now"
    asked = desk.ask()
    desk.people.approve(asked, by="boss", granted={"models": ["mistral"]})
    desk.make_pass()
    desk.packages = {"dev": {"models": ["granite", "llama", "gpt-9"], "duration": "300d"}}
    desk.gateway.refuses.clear()
    desk.hours_later(1)
    desk.make_pass()
    assert desk.gateway.wanted[-1]["models"] == ["mistral"]
    assert desk.gateway.wanted[-1]["duration"] == "30d"


# -------------------------------------------------------------------------------------- what is minted and what is gone
def test_a_key_is_made_once_and_delivered_by_deriving(desk: TestDesk) -> None:
    desk.post.results["ada@company.com"] = PostResult(False, "no route")
    ada = desk.ask()
    desk.make_pass()
    assert desk.get(ada).progress.status == "failed" and len(desk.gateway.wanted) == 1
    desk.post.results.clear()
    desk.hours_later(1)
    desk.make_pass()
    assert len(desk.gateway.wanted) == 1, "the second pass makes no key"
    (mail,) = desk.post.sent
    assert mail["value"] == desk.gateway.keys[desk.get(ada).progress.key_alias]["value"]


@pytest.mark.parametrize("remembers", [True, False])
def test_a_key_that_was_revoked_before_it_was_delivered_stays_revoked(desk: TestDesk, remembers: bool) -> None:
    desk.gateway.remembers = remembers
    desk.post.results = {f"{name}@company.com": PostResult(False, "no route") for name in ("ada", "bob")}
    ada, bob = desk.ask("ada"), desk.ask("bob")
    desk.make_pass()
    desk.gateway.delete(desk.get(ada).progress.key_alias)
    desk.post.results.clear()
    desk.hours_later(1)
    report = desk.make_pass()
    assert desk.get(ada).progress.status == "ended" and report.ended == 1
    assert desk.get(bob).progress.status == "finished"
    assert len(desk.gateway.wanted) == 2 and desk.get(ada).progress.key_alias not in desk.gateway.keys


def test_the_wrong_gateway_ends_no_request(desk: TestDesk) -> None:
    desk.post.results["ada@company.com"] = PostResult(False, "no route")
    ada = desk.ask()
    desk.make_pass()
    desk.gateway.keys.clear()  # another gateway, which never had the key
    desk.hours_later(1)
    desk.make_pass()
    failure = desk.get(ada).progress.failure
    assert failure is not None and "check that it is the right one" in failure.reason and len(desk.gateway.wanted) == 1


def test_an_address_that_the_mail_server_refuses_for_good_ends_the_attempts_until_an_administrator_retries(desk: TestDesk) -> None:
    desk.post.results["ada@company.com"] = PostResult(False, "550 no such user", final=True)
    ada = desk.ask()
    report = desk.make_pass()
    assert desk.get(ada).progress.status == "stopped" and report.failures[0].next_attempt_at == ""
    assert "not tried again until an administrator retries it" in report.lines()[1]
    desk.hours_later(48)
    assert desk.make_pass().due == 0
    desk.post.results.clear()
    desk.people.retry(ada, by="boss")
    desk.make_pass()
    assert desk.get(ada).progress.status == "finished" and len(desk.gateway.wanted) == 1


def test_a_request_that_is_taken_back_while_its_key_is_made_leaves_no_key(desk: TestDesk) -> None:
    ada = desk.ask("ada")
    bob = desk.ask("bob")
    desk.gateway.while_minting = lambda: desk.people.cancel(ada)
    desk.make_pass()
    assert list(desk.gateway.keys) == [desk.get(bob).progress.key_alias]
    assert desk.post.kinds_to("ada@company.com") == []
    desk.make_pass()
    assert desk.post.kinds_to("ada@company.com") == [], "whoever withdraws a request needs no answer"
    assert desk.get(ada).progress.status == "finished"


def test_a_key_is_delivered_by_every_method_once(desk: TestDesk) -> None:
    delivery = replace(desk.settings.delivery, methods=["mail", "kubernetes_secret"], namespace="llm", secret_prefix="llm-key-")
    desk.post.results["secret"] = PostResult(False, "quota exceeded")
    ada = desk.ask()
    desk.make_pass(delivery=delivery)
    assert set(desk.get(ada).progress.delivered) == {"mail"}
    desk.post.results.clear()
    desk.hours_later(1)
    desk.make_pass(delivery=delivery)
    assert desk.post.kinds_to("ada@company.com") == ["approval"] and desk.get(ada).progress.status == "finished"


# -------------------------------------------------------------------------------------------------- denials and reviews
def test_each_reviewer_is_asked_once_and_one_who_was_not_reached_is_asked_again(desk: TestDesk) -> None:
    desk.rules = [{"name": "human_review", "config": {"email": ["boss@company.com", "chief@company.com"], "patterns": ["*"]}}]
    desk.post.results["chief@company.com"] = PostResult(False, "no route")
    asked = desk.ask()
    desk.make_pass()
    assert desk.post.kinds_to("boss@company.com") == ["review"] and desk.get(asked).progress.failure is not None
    desk.post.results.clear()
    desk.rules = [{"name": "email", "config": {"pattern": "*"}}]  # a changed chain changes nothing about those who are asked
    desk.hours_later(1)
    desk.make_pass()
    assert desk.post.kinds_to("boss@company.com") == desk.post.kinds_to("chief@company.com") == ["review"]


def test_a_review_that_nobody_is_asked_about_is_reported(desk: TestDesk) -> None:
    desk.rules = [{"name": "package", "config": {"allow": [], "otherwise": "review"}}]
    desk.ask()
    assert "nobody was asked" in desk.make_pass().warnings[0]
    assert desk.make_pass(reviewers=["boss@company.com"]).warnings == []
    assert desk.post.kinds_to("boss@company.com") == ["review"]


def test_a_channel_is_asked_once_and_told_of_denials_until_it_takes_them(desk: TestDesk) -> None:
    desk.post.webhooks = {"chat": ["review", "denial"]}
    desk.rules = [{"name": "human_review", "config": {"patterns": ["mistral"]}}]
    asked, eve = desk.ask(models=("mistral",)), desk.ask("eve", models=("granite",))
    desk.post.results["#chat"] = PostResult(False, "HTTP status 500")
    assert desk.make_pass().warnings == []
    assert (desk.get(asked).progress.failure is None, desk.get(eve).progress.status) == (False, "failed")
    assert desk.post.kinds_to("eve@company.com") == ["denial"]
    desk.post.results.clear()
    for hours in (1, 2):
        desk.hours_later(hours)
        desk.make_pass()
    assert sorted(desk.post.kinds_to("#chat")) == ["denial", "review"] and desk.post.kinds_to("eve@company.com") == ["denial"]
    assert desk.get(eve).progress.status == "finished"


def in_review(desk: TestDesk, **config: Any) -> str:
    desk.rules = [{"name": "human_review", "config": {"email": "boss@company.com", "patterns": ["*"], **config}}]
    asked = desk.ask()
    desk.make_pass()
    return asked


def test_a_review_may_need_the_approval_of_several_people(desk: TestDesk) -> None:
    asked = in_review(desk, approvals=2)
    assert "approvals: 0 of 2" in desk.post.sent[0]["note"]
    for _twice in range(2):
        desk.people.approve(asked, by="boss")
        assert (desk.get(asked).state, list(desk.get(asked).progress.approvals)) == ("in-review", ["boss"])
    desk.people.approve(asked, by="chief", granted={"duration": "2d"})
    assert list(desk.get(asked).progress.approvals) == ["chief"], "the boss approved something else"
    desk.people.approve(asked, by="boss")
    desk.make_pass()
    assert desk.get(asked).progress.status == "finished" and desk.gateway.wanted[0]["duration"] == "2d"
    assert [entry.by for entry in desk.get(asked).history][2:] == ["boss", "chief", "boss", "boss"]


@pytest.mark.parametrize("name", ["boss@company.com", "BOSS@company.com", "boss", " Boss ", "boss+x@company.com"])
def test_one_person_under_two_names_approves_once(desk: TestDesk, name: str) -> None:
    asked = in_review(desk, approvals=2)
    desk.people.approve(asked, by="boss@company.com")
    desk.people.approve(asked, by=name)
    assert (desk.get(asked).state, len(desk.get(asked).progress.approvals)) == ("in-review", 1)
    desk.people.approve(asked, by="boss@elsewhere.com")
    assert desk.get(asked).state == "approved"


@pytest.mark.parametrize("name", ["ada@company.com", "ADA@company.com", "ada", " Ada ", "ada+x@company.com"])
def test_requesters_may_be_kept_from_approving_their_own_requests(desk: TestDesk, name: str) -> None:
    asked = in_review(desk, by_others=True)
    with pytest.raises(RequestRefused, match="who may not approve it"):
        desk.people.approve(asked, by=name)
    desk.people.approve(asked, by="boss")
    assert desk.get(asked).state == "approved"


@pytest.mark.parametrize("config", [{"approvals": 2}, {"by_others": True}])
def test_an_approval_by_hand_does_not_get_around_such_a_review(desk: TestDesk, config: dict[str, Any]) -> None:
    asked = in_review(desk, **config)
    path = desk.store.directory / f"{asked}.json"
    path.write_text(path.read_text().replace('"state": "in-review"', '"state": "approved"'))
    report = desk.make_pass()
    assert "needs to know who approves" in report.set_aside[0].reason and not desk.gateway.keys


@pytest.mark.parametrize("config", [{"approvals": 2}, {"by_others": True}])
@pytest.mark.parametrize("by_hand", [False, True])
def test_a_denial_is_no_way_around_such_a_review(desk: TestDesk, config: dict[str, Any], by_hand: bool) -> None:
    asked = in_review(desk, **config)
    desk.people.deny(asked, by="ada", reason="Not like this.")
    if by_hand:
        path = desk.store.directory / f"{asked}.json"
        path.write_text(path.read_text().replace('"state": "denied"', '"state": "approved"'))
        assert "needs to know who approves" in desk.make_pass().set_aside[0].reason
    else:
        with pytest.raises(RequestRefused, match="was denied in a review that needs"):
            desk.people.approve(asked, by="ada")
        desk.people.ask(Wish("ada@company.com", package="dev"), again=True)
        desk.make_pass()
        assert desk.get(asked).state == "in-review"
    assert not desk.gateway.keys


def test_a_review_that_nobody_makes_ends_in_a_denial(desk: TestDesk) -> None:
    asked = in_review(desk, expires_after="2h")
    desk.hours_later(1)
    desk.make_pass()
    assert desk.get(asked).state == "in-review"
    desk.hours_later(2)
    desk.make_pass()
    assert desk.get(asked).state == "denied" and "Nobody decided within 2h" in desk.get(asked).reason
    desk.make_pass()
    assert desk.post.kinds_to("ada@company.com") == ["denial"]


def test_a_denial_is_mailed_once_in_the_language_of_the_requester(desk: TestDesk) -> None:
    eve = desk.ask("eve", domain="evil.com", language="de")
    desk.make_pass()
    desk.make_pass()
    (mail,) = desk.post.sent
    assert (mail["kind"], mail["language"]) == ("denial", "de") and desk.get(eve).progress.status == "finished"


# ------------------------------------------------------------------------------------------------------- turns, reports
def test_a_pass_waits_for_another_one_and_gives_up_in_time(desk: TestDesk) -> None:
    other = DirectoryStore(str(desk.store.directory))
    with other.turn(0), pytest.raises(Busy, match="Another pass was at work"), desk.store.turn(0.2):
        pass
    with desk.store.turn(0):
        pass


def test_a_pass_leaves_its_report_behind(desk: TestDesk) -> None:
    assert desk.store.last_pass() is None
    desk.ask()
    desk.make_pass()
    kept = desk.store.last_pass()
    assert kept is not None and (kept["started_at"], kept["delivered"]) == (desk.at, 1)
    assert "sk-" not in str(kept)


def test_finished_requests_are_read_once_by_a_process_that_makes_many_passes(desk: TestDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        desk.ask(f"p{number}")
    desk.make_pass()
    desk.make_pass()
    reads = []
    read = desk.store._read
    monkeypatch.setattr(desk.store, "_read", lambda request_id: reads.append(request_id) or read(request_id))
    desk.make_pass()
    assert reads == []
    (path, *_others) = desk.store.directory.glob("*.json")
    path.write_text(path.read_text())
    desk.make_pass()
    assert reads == [path.stem], "somebody may have decided anew by editing the file"


def test_an_auditor_sees_the_terms_of_a_key_that_a_person_granted_before_the_chain_looked(desk: TestDesk) -> None:
    request_id = desk.ask()
    desk.people.approve(request_id, by="boss", granted={"duration": "2d"})
    desk.make_pass()
    (told,) = [event for event in audit_events([desk.get(request_id)]) if event["event"] == "changed"]
    assert (told["terms"], told["by"]) == ({"models": ["granite", "mistral"], "duration": "2d", "max_budget": 5, "package": "dev"}, "pass")
    assert told["policy"].startswith("sha256:")
    assert desk.make_pass().changed is False
