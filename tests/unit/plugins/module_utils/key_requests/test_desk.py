# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The desk: the operations on requests that modules and the portal share."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import transitions
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import FILTERS, Desk, Wish
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import Missing, RequestRefused
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import APPROVED, DENIED, IN_REVIEW, PENDING, Record

AT = "2026-11-21T04:00:00Z"
ADA = Wish("ada@example.com", models=("gpt-4",))
BOB = Wish("bob@example.com", package="ai-developer")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(DirectoryStore(str(tmp_path / "requests")), clock=lambda: AT)


def asked(desk: Desk, wish: Wish = ADA) -> Record:
    record = desk.ask(wish).after
    assert record is not None
    return record


def test_asking_again_returns_the_request_as_it_is(desk: Desk) -> None:
    first, second = desk.ask(ADA, by="service-desk"), desk.ask(Wish("ADA@example.com", models=("gpt-4",), purpose="other"))
    assert (first.changed, second.changed) == (True, False)
    assert second.after == first.after
    assert first.after is not None
    assert (first.after.created_at, first.after.history[-1].by) == (AT, "service-desk")


def test_a_request_is_named_by_its_id_or_by_what_was_asked_for(desk: Desk) -> None:
    record = asked(desk)
    assert desk.find(record.id) == desk.find(ADA) == desk.find(Wish("ada@example.com", models=("gpt-4",), duration="7d", max_budget=1)) == record
    with pytest.raises(Missing, match=r"bob@example.com has no such request in the directory"):
        desk.find(BOB)
    with pytest.raises(ValueError, match="duration"):
        desk.ask(Wish("ada@example.com", models=("gpt-4",), duration="soon"))


def test_a_decision_on_what_somebody_saw_is_refused_when_it_has_changed(desk: Desk) -> None:
    seen = asked(desk)
    approved = desk.approve(seen.id, by="grace", version=seen.version).after
    assert approved is not None
    with pytest.raises(RequestRefused, match="is approved by now: somebody else changed it"):
        desk.deny(seen.id, by="linus", reason="no", version=seen.version)
    with pytest.raises(RequestRefused, match="somebody else"):
        desk.approve(seen.id, by="linus", granted={"duration": "7d"}, version=seen.version)
    assert desk.find(seen.id) == approved
    assert desk.deny(seen.id, by="linus", reason="no", version=approved.version).changed


def test_decisions_name_their_maker_and_keep_the_terms(desk: Desk) -> None:
    record = asked(desk)
    approved = desk.approve(record.id, by="grace", reason="fine", granted={"duration": "7d"}).after
    assert approved is not None
    assert (approved.state, approved.reason, approved.granted, approved.history[-1].by) == (APPROVED, "fine", {"duration": "7d"}, "grace")
    assert not desk.approve(ADA, by="grace").changed
    denied = desk.deny(ADA, by="linus", reason="no").after
    assert denied is not None
    assert (denied.state, denied.cancelled, denied.granted) == (DENIED, False, {})
    assert desk.ask(ADA).after == denied
    again = desk.ask(ADA, again=True).after
    assert again is not None
    assert again.state == PENDING


@pytest.mark.parametrize("decision", [IN_REVIEW, DENIED, APPROVED])
def test_a_denial_takes_back_what_a_person_granted(desk: Desk, decision: str) -> None:
    """Whoever approves after it, and grants nothing of their own, gives what the rules left, and no more than that unless they say so."""
    record = asked(desk)
    left = {"models": ["gpt-4"], "duration": "30d", "max_budget": 10}
    ruling = transitions.Ruling("The rules.", left, policy="sha256:0")
    desk.store.transition(record, lambda found: transitions.decide(found, decision, ruling, by="chain", at=AT))
    for granted in ({"max_budget": 500}, {"max_budget": 1}):
        desk.approve(record.id, by="grace", granted=granted, beyond=granted["max_budget"] > 10)
        desk.deny(record.id, by="linus", reason="no")
        again = desk.approve(record.id, by="ada").after
        assert again is not None
        assert (again.terms, again.granted) == (left, {})
        desk.deny(record.id, by="linus", reason="no")
        with pytest.raises(RequestRefused, match="more than its terms allow"):
            desk.approve(record.id, by="ada", granted={"max_budget": 20})


def test_a_request_with_a_key_is_not_denied(desk: Desk) -> None:
    desk.store.transition(
        asked(desk),
        lambda record: transitions.mark_minted(transitions.decide(record, APPROVED, by="chain", at=AT), at=AT, key_alias="k"),
    )
    with pytest.raises(RequestRefused, match="delete the key instead"):
        desk.deny(ADA, by="grace", reason="no")


@pytest.mark.parametrize(("by", "shown"), [("", "ada@example.com"), ("grace", "grace")])
def test_a_cancelled_request_can_be_asked_for_again(desk: Desk, by: str, shown: str) -> None:
    asked(desk)
    cancelled = desk.cancel(ADA, by=by).after
    assert cancelled is not None
    assert (cancelled.state, cancelled.cancelled, cancelled.history[-1].by) == (DENIED, True, shown)
    assert asked(desk).state == PENDING


def test_forgetting_removes_and_a_missing_request_is_not_an_error(desk: Desk) -> None:
    record = asked(desk)
    assert desk.forget(ADA).changed
    assert not desk.forget(ADA).changed
    assert not desk.forget(record.id).changed
    assert desk.list_requests().records == ()


def test_in_check_mode_it_predicts_and_writes_nothing(tmp_path: Path) -> None:
    desk = Desk(DirectoryStore(str(tmp_path / "requests"), check_mode=True), clock=lambda: AT)
    assert desk.ask(ADA).changed
    assert not (tmp_path / "requests").exists()


def test_listing_selects_by_state_person_and_what_is_due(desk: Desk, tmp_path: Path) -> None:
    ada, bob = asked(desk), asked(desk, BOB)
    desk.deny(bob.id, by="grace", reason="no")
    desk.store.transition(ada, lambda record: transitions.mark_failed(record, at=AT, step="decide", reason="gateway is down"))
    found = {which: {record.email for record in desk.list_requests(which).records} for which in FILTERS}
    both, first, second = {ADA.email, BOB.email}, {ADA.email}, {BOB.email}
    assert found == {"all": both, "pending": first, "review": set(), "approved": set(), "denied": second, "open": both, "due": second}
    assert [record.id for record in desk.list_requests(email="BOB@Example.com").records] == [bob.id]
    with pytest.raises(ValueError, match="email is 'bob'"):
        desk.list_requests(email="bob")


def test_one_request_is_looked_up_and_a_broken_one_is_set_aside(desk: Desk, tmp_path: Path) -> None:
    record = asked(desk)
    assert desk.look_up_request(record.id).records == (record,)
    assert desk.look_up_request(record.id, "approved").records == ()
    assert desk.look_up_request("none") == desk.list_requests("approved")
    (tmp_path / "requests" / f"{record.id}.json").write_text("{")
    listing = desk.look_up_request(record.id)
    assert (listing.records, [entry.name for entry in listing.set_aside]) == ((), [record.id])
