# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""More time for a key: asked for, decided by the chain, given once, and told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import MoreTime
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import RequestRefused
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import Record
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.request_desk import TestDesk

END = "2026-12-21T04:00:00Z"  # of the keys that the desk's gateway makes
MINE = "ada@company.com"
REVIEW = [{"name": "humanintheloop", "config": {"email": "boss@company.com", "patterns": ["*"]}}]


@pytest.fixture
def desk(tmp_path: Path) -> TestDesk:
    desk = TestDesk(tmp_path)
    desk.first = desk.ask()  # type: ignore[attr-defined]
    desk.make_pass()
    desk.post.sent.clear()
    desk.hours_later(48)
    return desk


def renew(desk: TestDesk, *, again: bool = False, name: str = "", **more: Any) -> Record:
    after = desk.people.renew(name or desk.first, MoreTime(**more), again=again).after  # type: ignore[attr-defined]
    assert after is not None
    return after


def first(desk: TestDesk) -> Record:
    return desk.get(desk.first)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("more", "end"),
    [
        ({}, "2026-12-23T04:00:00Z"),  # the package's 30 days from the approval
        ({"duration": "7d"}, END),  # less than the key has anyway
        ({"duration": "14d", "from_end": True}, "2027-01-04T04:00:00Z"),
        ({"duration": "90d", "from_end": True}, "2027-01-20T04:00:00Z"),  # the package gives 30 days at most
    ],
)
def test_the_key_lives_as_long_as_was_granted(desk: TestDesk, more: dict[str, Any], end: str) -> None:
    renewal = renew(desk, **more)
    assert (renewal.state, renewal.renews) == ("pending", first(desk).id)
    report = desk.make_pass()
    assert (report.renewed, report.minted, report.failures, report.warnings) == (1, 0, [], [])
    assert desk.gateway.changed == {first(desk).progress.key_alias: {"extend_until": end}}
    assert (first(desk).progress.expires, desk.get(renewal.id).progress.expires) == (end, end)
    assert desk.post.kinds_to(MINE) == ["renewal"]
    assert (desk.get(renewal.id).progress.status, first(desk).progress.status) == ("finished", "finished")


def test_the_request_of_the_key_tells_of_its_renewal(desk: TestDesk) -> None:
    renewal = renew(desk, duration="1d", from_end=True)
    desk.make_pass()
    last = first(desk).history[-1]
    assert (last.by, last.reason, dict(last.terms)) == ("approval chain", f"Renewed by {renewal.id}.", {"duration": "1d"})


def test_time_is_given_once_however_often_a_pass_is_made(desk: TestDesk) -> None:
    renew(desk, duration="14d", from_end=True)
    desk.make_pass()
    desk.gateway.changed.clear()
    assert desk.make_pass().due == 0
    assert (desk.gateway.changed, desk.post.kinds_to(MINE)) == ({}, ["renewal"])


@pytest.mark.parametrize("number", [2, 3])
def test_every_renewal_counts_from_the_new_end(desk: TestDesk, number: int) -> None:
    for _each in range(number):
        renewal = renew(desk, duration="10d", from_end=True)
        assert renewal.state == "pending"
        desk.make_pass()
    assert first(desk).progress.expires == {2: "2027-01-10T04:00:00Z", 3: "2027-01-20T04:00:00Z"}[number]
    assert desk.post.kinds_to(MINE) == ["renewal"] * number
    assert len([entry for entry in desk.get(renewal.id).history if entry.now == "pending"]) == number, "nothing is left out of the history"


def test_a_pass_that_died_after_the_change_adds_no_time_again(desk: TestDesk) -> None:
    renew(desk, duration="14d", from_end=True)
    change = desk.gateway.change

    def and_die(wanted: Any) -> Any:
        change(wanted)
        raise KeyboardInterrupt

    desk.gateway.change = and_die  # type: ignore[method-assign, assignment]
    with pytest.raises(KeyboardInterrupt):
        desk.make_pass()
    desk.gateway.change = change  # type: ignore[method-assign]
    desk.make_pass()
    assert first(desk).progress.expires == "2027-01-04T04:00:00Z"
    assert desk.gateway.keys[first(desk).progress.key_alias]["expires"] == "2027-01-04T04:00:00Z"


def test_whoever_asks_twice_has_one_renewal(desk: TestDesk) -> None:
    assert renew(desk).id == renew(desk, duration="1d").id == renew(desk, name=renew(desk).id).id


def test_a_denied_renewal_leaves_the_key_as_it_is(desk: TestDesk) -> None:
    desk.rules = [{"name": "blacklist", "config": {"list": ["*"]}}]
    renewal = renew(desk)
    desk.make_pass()
    assert (desk.get(renewal.id).state, first(desk).state, first(desk).progress.expires) == ("denied", "approved", END)
    assert (desk.gateway.changed, desk.post.kinds_to(MINE)) == ({}, ["denial"])
    assert (renew(desk).state, renew(desk, again=True).state) == ("denied", "pending")


def test_a_cancelled_renewal_leaves_the_key_as_it_is_and_can_be_asked_again(desk: TestDesk) -> None:
    desk.people.cancel(renew(desk).id)
    desk.make_pass()
    assert (desk.gateway.changed, first(desk).progress.expires, desk.post.sent) == ({}, END, [])
    assert renew(desk).state == "pending"


def test_a_renewal_is_no_further_key_for_a_quota(desk: TestDesk) -> None:
    desk.rules = [{"name": "quota", "config": {"per_person": 0}}, *desk.rules]
    renewal = renew(desk)
    desk.make_pass()
    assert desk.get(renewal.id).state == "approved"


def test_a_renewal_does_not_bring_the_models_that_a_package_has_by_now(desk: TestDesk) -> None:
    desk.packages = {"dev": {"models": ["granite", "mistral", "llama"], "duration": "30d", "max_budget": 500, "rpm_limit": 9}}
    renew(desk)
    desk.make_pass()
    assert set(*desk.gateway.changed.values()) == {"extend_until"}


def test_a_model_that_the_gateway_serves_no_more_stops_no_renewal(desk: TestDesk) -> None:
    desk.gateway.served = ["other"]
    renew(desk)
    assert desk.make_pass().renewed == 1


@pytest.mark.parametrize(("asked", "given"), [(3, 3), (50, 5)])
def test_a_budget_is_changed_only_if_asked_for_and_within_the_package(desk: TestDesk, asked: float, given: float) -> None:
    renew(desk, max_budget=asked)
    desk.make_pass()
    assert next(iter(desk.gateway.changed.values()))["max_budget"] == given


def test_a_reviewer_sees_that_it_is_a_renewal_and_may_give_less(desk: TestDesk) -> None:
    desk.rules = REVIEW
    renewal = renew(desk, duration="20d", from_end=True)
    desk.make_pass()
    question = next(mail for mail in desk.post.sent if mail["to"] == "boss@company.com")
    assert question["note"].splitlines() == [
        "duration: 20d",
        f"renews: {first(desk).id}, counted from the present end of the key",
        f"the key was made 2026-11-21T04:00:00Z and ends {END}",
    ]
    assert question["models"] == ["granite", "mistral"]
    desk.people.approve(renewal.id, by="boss", granted={"duration": "2d"})
    desk.make_pass()
    assert first(desk).progress.expires == "2026-12-23T04:00:00Z"
    assert first(desk).history[-1].by == "boss"


def test_no_renewal_reaches_further_than_ten_years(desk: TestDesk) -> None:
    renewal = renew(desk, duration="30d", from_end=True)
    desk.people.approve(renewal.id, by="boss", granted={"duration": "never"}, beyond=True)
    desk.make_pass()
    assert first(desk).progress.expires == "2036-11-19T04:00:00Z"
    desk.packages = {"dev": {"models": ["granite"], "duration": "never"}}
    renew(desk, duration="3000d", from_end=True)
    desk.make_pass()
    assert first(desk).progress.expires == "2036-11-19T04:00:00Z"


# ------------------------------------------------------------------------------------------------- keys that are no more
def test_the_request_of_an_ended_key_starts_again(desk: TestDesk) -> None:
    desk.at = "2026-12-22T00:00:00Z"
    again = renew(desk, duration="5d")
    assert (again.id, again.state, again.renews, again.duration) == (first(desk).id, "pending", "", "5d")
    assert again.history[-1].former_key == {"key_alias": first(desk).history[-1].former_key["key_alias"], "minted_at": "2026-11-21T04:00:00Z"} | {
        "expires": END,
        "ended_at": "2026-12-22T00:00:00Z",
        "delivered": {"mail": "2026-11-21T04:00:00Z"},
    }


def test_an_ended_key_cannot_be_extended(desk: TestDesk) -> None:
    desk.at = "2026-12-22T00:00:00Z"
    with pytest.raises(RequestRefused, match="has ended"):
        renew(desk, from_end=True, duration="5d")


def test_a_renewal_waits_for_the_key(desk: TestDesk) -> None:
    other = desk.ask("bob")
    with pytest.raises(RequestRefused, match="no key yet"):
        renew(desk, name=other)


def test_a_key_without_an_end_is_not_renewed(desk: TestDesk) -> None:
    bob = desk.ask("bob")
    desk.people.approve(bob, by="boss", granted={"duration": "never"}, beyond=True)
    mint = desk.gateway.mint

    def endless(wanted: Any) -> Any:
        minted = mint(wanted)
        for key in minted.keys.values():
            key["expires"] = None  # type: ignore[index]
        return minted

    desk.gateway.mint = endless  # type: ignore[method-assign]
    desk.make_pass()
    with pytest.raises(RequestRefused, match="has no end"):
        renew(desk, name=bob)


@pytest.mark.parametrize("decided", [False, True])
def test_a_key_that_was_deleted_meanwhile_does_not_come_back(desk: TestDesk, decided: bool) -> None:
    renewal = renew(desk)
    if decided:
        desk.people.approve(renewal.id, by="boss")
    desk.gateway.delete(first(desk).progress.key_alias)
    desk.make_pass()
    assert (desk.get(renewal.id).state, first(desk).progress.status, desk.gateway.keys) == ("denied", "ended", {})
    assert desk.post.kinds_to(MINE) == ["denial"]


def test_a_renewal_is_for_the_key_that_the_person_had_when_asking(desk: TestDesk) -> None:
    desk.rules = REVIEW
    renewal = renew(desk)
    desk.make_pass()
    desk.gateway.delete(first(desk).progress.key_alias)
    desk.at = "2026-12-22T00:00:00Z"
    desk.ask()
    desk.people.approve(first(desk).id, by="boss")
    desk.make_pass()
    assert first(desk).progress.minted_at == desk.at
    desk.people.approve(renewal.id, by="boss")
    desk.make_pass()
    assert (desk.get(renewal.id).state, desk.gateway.changed) == ("denied", {})


@pytest.mark.parametrize("approved", [False, True])
def test_a_record_that_names_somebody_else_s_request_renews_nothing(desk: TestDesk, approved: bool) -> None:
    eve = desk.ask("eve")
    desk.make_pass()
    renewal = renew(desk, name=eve)
    path = Path(desk.store.directory) / f"{renewal.id}.json"
    path.write_text(path.read_text().replace(eve, first(desk).id))
    if approved:
        desk.people.approve(renewal.id, by="boss")
    desk.make_pass()
    assert (desk.get(renewal.id).state, desk.gateway.changed, first(desk).progress.expires) == ("denied", {}, END)


def test_the_renewal_of_a_request_that_was_removed_is_denied(desk: TestDesk) -> None:
    renewal = renew(desk)
    desk.people.forget(first(desk).id)
    desk.make_pass()
    assert (desk.get(renewal.id).state, desk.gateway.changed) == ("denied", {})


def test_a_gateway_that_refuses_one_renewal_stops_no_other(desk: TestDesk) -> None:
    bob = desk.ask("bob")
    desk.make_pass()
    desk.gateway.refuses[first(desk).progress.key_alias] = "no"
    mine, his = renew(desk), renew(desk, name=bob)
    report = desk.make_pass()
    assert [(failure.request_id, failure.step) for failure in report.failures] == [(mine.id, "renew")]
    assert desk.get(his.id).progress.status == "finished"
    desk.gateway.refuses.clear()
    desk.hours_later(49)
    desk.make_pass()
    assert desk.get(mine.id).progress.status == "finished"


def test_a_gateway_that_is_down_loses_no_renewal(desk: TestDesk) -> None:
    renewal = renew(desk)
    desk.people.approve(renewal.id, by="boss")
    desk.gateway.down = True
    desk.make_pass()
    assert desk.get(renewal.id).progress.failure is not None
    desk.gateway.down = False
    desk.hours_later(49)
    assert desk.make_pass().renewed == 1


def test_a_renewal_that_was_given_cannot_be_denied(desk: TestDesk) -> None:
    renewal = renew(desk)
    desk.make_pass()
    with pytest.raises(RequestRefused, match="lives longer already"):
        desk.people.deny(renewal.id, by="boss", reason="no")


@pytest.mark.parametrize(("wish", "budget"), [(50.0, 50.0), (100.0, 100.0), (500.0, 100.0), (2.0, 2.0)])
@pytest.mark.parametrize("early", [False, True])
def test_whoever_was_granted_more_than_the_offer_may_ask_for_as_much_again(desk: TestDesk, wish: float, budget: float, early: bool) -> None:
    bob = desk.ask("bob")
    desk.people.approve(bob, by="boss", granted={"max_budget": 100.0}, beyond=True)
    desk.make_pass()
    renewal = renew(desk, name=bob, duration="1d", from_end=True, max_budget=wish)
    if early:
        desk.people.approve(renewal.id, by="boss")
    desk.make_pass()
    (changed,) = desk.gateway.changed.values()
    assert changed["max_budget"] == budget == desk.get(bob).terms["max_budget"]
    lower = renew(desk, name=bob, duration="1s", max_budget=1.0)
    desk.make_pass()
    assert desk.get(bob).terms["max_budget"] == 1.0 and desk.get(lower.id).progress.expires == desk.get(bob).progress.expires
    assert desk.make_pass().changed is False


def test_a_renewal_that_was_approved_in_an_editor_without_a_history_is_served(desk: TestDesk) -> None:
    renewal, other = renew(desk, duration="1d", from_end=True), desk.ask("bob")
    path = desk.store.directory / f"{renewal.id}.json"
    record = {**json.loads(path.read_text()), "state": "approved"}
    del record["history"]
    path.write_text(json.dumps(record))
    report = desk.make_pass()
    assert (report.renewed, report.minted, report.warnings) == (1, 1, [])
    assert desk.get(renewal.id).progress.status == desk.get(other).progress.status == "finished"


@pytest.mark.parametrize("more", [{"models": ["llama"]}, {"max_budget": 1000.0}, {"max_budget": 5.01}, {"duration": "2d"}])
def test_a_reviewer_who_gives_a_renewed_key_more_than_it_has_must_say_so(desk: TestDesk, more: dict[str, Any]) -> None:
    desk.rules = REVIEW
    renewal = renew(desk, duration="1d", from_end=True)
    desk.make_pass()
    with pytest.raises(RequestRefused, match="more than its terms allow"):
        desk.people.approve(renewal.id, by="boss", granted=more)
    desk.people.approve(renewal.id, by="boss", granted={"max_budget": 1, "models": ["granite"]})
    desk.people.approve(renewal.id, by="boss", granted=more, beyond=True)
    desk.make_pass()
    (changed,) = desk.gateway.changed.values()
    assert changed["max_budget"] == more.get("max_budget", 1) and changed["models"] == more.get("models", ["granite"])
