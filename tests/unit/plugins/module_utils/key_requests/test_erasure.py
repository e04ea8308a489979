# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Old requests go and living keys keep theirs; an erased person is nowhere, and an audit still adds up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import transitions
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.audit import audit_events
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import Desk, MoreTime, Wish
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.erasure import Erasure, erase_person, prune_requests
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import Busy, RequestRefused
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.insight import (
    Insight,
    Outlook,
    publish_insights,
    published_insights,
    want_insight,
)
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import DENIED, IN_REVIEW, PENDING, Record
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.retention import NOBODY, check_ages, tombstone_of
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.transitions import Ruling

AT, LATER, END = "2026-11-21T04:00:00Z", "2026-12-01T04:00:00Z", "2026-12-21T04:00:00Z"
AGES = {"denied": "9d", "cancelled": "9d", "ended": "9d", "renewed": "9d"}


class TestStore:
    """A store with a request in each state, by name."""

    __test__ = False

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.store = DirectoryStore(str(directory))
        self.desk = Desk(self.store, clock=lambda: AT)
        self.made: dict[str, Record] = {}
        for name in ("waiting", "reviewed", "promised", "refused", "withdrawn", "alive", "over", "stopped"):
            self.made[name] = self.ask(name)
        self.change("reviewed", transitions.decide, IN_REVIEW, Ruling(reviewers=["boss@example.com"]), by="approval chain", at=AT)
        for name in ("promised", "alive", "over", "stopped"):
            self.change(name, transitions.approve, {}, by="boss@example.com", at=AT, reason=f"{name}@example.com is fine")
        for name in ("alive", "over"):
            self.change(name, transitions.mark_minted, at=AT, key_alias=f"request-{self.made[name].id}-1", expires=END)
            self.change(name, transitions.mark_finished, at=AT)
        self.change("over", transitions.mark_ended, at=AT)
        self.change("refused", transitions.decide, DENIED, Ruling("no, Ms Refused"), by="boss@example.com", at=AT)
        self.change("refused", transitions.mark_finished, at=AT)
        self.change("withdrawn", transitions.cancel, by="withdrawn@example.com", at=AT)
        self.change("withdrawn", transitions.mark_finished, at=AT)
        self.change("stopped", transitions.mark_failed, at=AT, step="mint", reason="no", final=True)

    def ask(self, name: str, **wish: Any) -> Record:
        after = self.desk.ask(Wish(f"{name}@example.com", package="dev", purpose=f"for {name}", **wish)).after
        assert after is not None
        return after

    def change(self, name: str, change: Any, *arguments: Any, **options: Any) -> None:
        after = self.store.transition(self.store.get(self.made[name].id), lambda record: change(record, *arguments, **options)).after
        assert after is not None
        self.made[name] = after

    def erase(self, name: str) -> Erasure:
        return erase_person(self.store, f"{name}@example.com", lambda: LATER, patience=0)

    def names(self) -> set[str]:
        return {record.email.partition("@")[0] for record in self.store.listing().records}

    def text(self) -> str:
        return "".join(path.name + path.read_text() for path in self.directory.iterdir())


@pytest.fixture
def state(tmp_path: Path) -> TestStore:
    return TestStore(tmp_path / "requests")


# ------------------------------------------------------------------------------------------------------------ pruning
def test_only_what_is_over_and_old_enough_is_removed(state: TestStore) -> None:
    before = state.names()
    assert prune_requests(state.store, AGES, "2026-11-30T03:59:59Z", patience=0).removed == []
    outcome = prune_requests(state.store, AGES, LATER, patience=0)
    assert before - state.names() == {"refused", "withdrawn", "over"}
    assert sorted(entry["kind"] for entry in outcome.removed) == ["cancelled", "denied", "ended"]
    assert prune_requests(state.store, AGES, LATER, patience=0).removed == []


@pytest.mark.parametrize("kind", ["denied", "cancelled", "ended"])
def test_what_has_no_age_is_kept_for_ever(state: TestStore, kind: str) -> None:
    outcome = prune_requests(state.store, {kind: "1d"}, "2036-01-01T00:00:00Z", patience=0)
    assert [entry["kind"] for entry in outcome.removed] == [kind]


def test_a_request_that_starts_again_is_not_removed(state: TestStore) -> None:
    remove = state.store.delete

    def after_asking_again(*arguments: Any, **options: Any) -> Any:
        state.ask("withdrawn")
        return remove(*arguments, **options)

    state.store.delete = after_asking_again  # type: ignore[method-assign]
    outcome = prune_requests(state.store, {"cancelled": "1d"}, LATER, patience=0)
    assert (outcome.removed, state.store.get(state.made["withdrawn"].id).state) == ([], "pending")


def test_a_renewal_is_removed_by_its_own_age(state: TestStore) -> None:
    renewal = state.desk.renew(state.made["alive"].id, MoreTime()).after
    assert renewal is not None
    state.made["renewal"] = renewal
    state.change("renewal", transitions.approve, {}, by="boss", at=AT)
    assert prune_requests(state.store, AGES | {"denied": "", "cancelled": "", "ended": ""}, LATER, patience=0).removed == []
    state.change("renewal", transitions.plan_renewal, at=AT, key_alias="k", expires=END)
    state.change("renewal", transitions.mark_renewed, at=AT)
    state.change("renewal", transitions.mark_finished, at=AT)
    (erased,) = state.erase("alive").erased
    assert erased["request_id"] == renewal.id, "the request of the living key is kept"
    assert [entry["kind"] for entry in prune_requests(state.store, {"renewed": "9d"}, LATER, patience=0).removed] == ["renewed"]
    assert state.store.get(state.made["alive"].id)


@pytest.mark.parametrize("ages", [{"approved": "1d"}, {"denied": "soon"}, {"denied": 9}])
def test_ages_that_cannot_be_are_refused(ages: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"approved|denied"):
        check_ages(ages)


def test_both_wait_for_a_pass(state: TestStore) -> None:
    with DirectoryStore(str(state.directory)).turn(0):
        with pytest.raises(Busy):
            prune_requests(state.store, AGES, LATER, patience=0)
        with pytest.raises(Busy):
            state.erase("refused")


# ------------------------------------------------------------------------------------------------------------ erasing
@pytest.mark.parametrize("name", ["waiting", "reviewed", "promised", "refused", "withdrawn", "over", "stopped"])
def test_an_erased_person_is_nowhere(state: TestStore, name: str) -> None:
    erasure = state.erase(name.upper())
    assert (erasure.complete, len(erasure.erased), erasure.cleaned) == (True, 1, [])
    assert name not in state.text() and state.made[name].id not in state.text()
    tombstone = state.store.get(erasure.erased[0]["tombstone"])
    assert (tombstone.email, tombstone.package, tombstone.open, tombstone.purpose) == (NOBODY, "dev", False, "")
    assert [entry.at for entry in tombstone.history][: len(state.made[name].history)] == [entry.at for entry in state.made[name].history]
    assert state.erase(name).erased == [], "a second time there is nothing left"
    assert name in {record.email.partition("@")[0] for record in [state.ask(name)]}, "and the person may ask anew"


@pytest.mark.parametrize("name", ["waiting", "refused", "over"])
def test_nothing_more_becomes_of_what_is_left(state: TestStore, name: str) -> None:
    (erased,) = state.erase(name).erased
    with pytest.raises(RequestRefused, match="erased|has its key"):
        state.desk.approve(erased["tombstone"], by="boss", granted={"duration": "1d"})
    with pytest.raises((RequestRefused, ValueError), match="no key yet|people who were erased"):
        state.desk.renew(erased["tombstone"], MoreTime())


def test_a_living_key_has_to_be_deleted_first(state: TestStore) -> None:
    state.ask("alive", guid="abc12")
    erasure = state.erase("alive")
    assert (len(erasure.erased), list(erasure.left)) == (1, [state.made["alive"].id])
    assert "delete the key" in erasure.left[state.made["alive"].id]
    assert state.store.get(state.made["alive"].id) == state.made["alive"]
    state.change("alive", transitions.mark_ended, at=AT)
    assert state.erase("alive").complete


def test_an_erased_reviewer_is_nowhere_but_where_a_decision_waits(state: TestStore) -> None:
    erasure = state.erase("boss")
    assert {state.made[name].id for name in ("promised", "refused", "alive", "over", "stopped")} == set(erasure.cleaned)
    assert list(erasure.left) == [state.made["reviewed"].id]
    assert state.store.get(state.made["refused"].id).history[-1].by == "erased"
    state.desk.deny(state.made["reviewed"].id, by="other", reason="no")
    assert state.erase("boss").complete
    assert "boss@example.com" not in state.text()


def test_what_was_found_out_about_an_erased_person_is_nowhere(state: TestStore) -> None:
    record = state.made["refused"]
    outlook = Outlook("DENY", "no", trace=({"rule": "denylist", "matched": record.email},))
    want_insight(state.store, [record.id], AT)
    publish_insights(state.store, {record.id: Insight(AT, AT, outlook)})
    assert erase_person(state.store, record.email, lambda: AT, patience=0).complete
    for path in state.directory.rglob("*"):
        if path.is_file():
            assert record.email not in path.read_text() and record.id not in path.read_text(), path.name
    assert published_insights(state.store) == {}


def test_whoever_has_a_similar_address_is_left_alone(state: TestStore) -> None:
    state.change(
        "refused", transitions.decide, DENIED, Ruling("ask xboss@example.com, o'boss@example.com, boss@example.com.au or 'boss@example.com'."), by="b", at=AT
    )
    state.erase("boss")
    assert state.store.get(state.made["refused"].id).reason == "ask xboss@example.com, o'boss@example.com, boss@example.com.au or 'erased'."


def test_an_erasure_that_was_cut_off_leaves_one_tombstone(state: TestStore) -> None:
    def die(*_arguments: Any, **_options: Any) -> Any:
        raise KeyboardInterrupt

    delete = state.store.delete
    state.store.delete = die  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        state.erase("waiting")
    state.store.delete = delete  # type: ignore[method-assign]
    assert state.erase("waiting").complete
    assert len([record for record in state.store.listing().records if record.email == NOBODY]) == 1


def test_what_cannot_be_read_is_told_and_stops_nothing(state: TestStore) -> None:
    (state.directory / "odd.json").write_text("{")
    erasure = state.erase("refused")
    assert (len(erasure.erased), list(erasure.left)) == (1, ["odd.json"])


def test_in_check_mode_nothing_is_written(state: TestStore) -> None:
    before = state.text()
    store = DirectoryStore(str(state.directory), check_mode=True)
    assert len(prune_requests(store, AGES, LATER, patience=0).removed) == 3
    erasure = erase_person(store, "refused@example.com", lambda: LATER, patience=0)
    assert (len(erasure.erased), erasure.complete) == (1, True)
    assert len(erase_person(store, "boss@example.com", lambda: LATER, patience=0).cleaned) == 5
    assert state.text() == before


def test_nobody_is_left_under_the_name_before_the_at_sign_or_in_the_report_of_the_last_pass(state: TestStore) -> None:
    """AWX knows people by names, and a mail server names the address that it refuses."""
    state.change("waiting", transitions.approve, {}, by="Waiting", at=AT)
    with state.store.turn(0) as turn:
        turn.report({"failures": [{"request_id": "x", "reason": "550 <waiting@example.com> is unknown, boss@example.com is not"}], "due": 1})
    assert erase_person(state.store, "waiting@example.com", lambda: LATER, patience=0).complete
    assert "waiting" not in state.text().lower() and "boss@example.com is not" in state.text()
    assert erase_person(state.store, "waiting@example.com", lambda: LATER, patience=0).erased == []


# -------------------------------------------------------------------------------------------------------------- audit
def events(state: TestStore, name: str) -> list[tuple[str, str]]:
    return [(event["event"], event.get("by", "")) for event in audit_events([state.store.get(state.made[name].id)])]


def test_an_auditor_sees_every_key_of_a_request_that_started_again(state: TestStore) -> None:
    first = state.made["over"].progress.key_alias
    state.desk.ask(Wish("over@example.com", package="dev"))
    state.change("over", transitions.approve, {"duration": "3d"}, by="eve", at=LATER)
    state.change("over", transitions.mark_minted, at=LATER, key_alias="second", expires=END)
    state.change("over", transitions.mark_delivered, at=LATER, via="mail")
    told = audit_events([state.store.get(state.made["over"].id)])
    assert [(event["key_alias"], event.get("expires")) for event in told if event["event"] == "key_made"] == [(first, END), ("second", END)]
    assert [event["key_alias"] for event in told if event["event"] == "key_ended"] == [first]
    assert [event["method"] for event in told if event["event"] == "key_delivered"] == ["mail"]
    assert [(event["by"], event.get("terms")) for event in told if event["event"] == "approved"] == [("boss@example.com", None), ("eve", {"duration": "3d"})]
    assert [event["time"] for event in told] == sorted(event["time"] for event in told)


def test_what_an_auditor_saw_of_a_key_stays_when_its_request_starts_again(state: TestStore) -> None:
    """And when the person is erased, without the alias."""
    state.change("alive", transitions.mark_delivered, at=LATER, via="mail")
    state.change("alive", transitions.mark_ended, at=LATER)
    before = audit_events([state.made["alive"]])
    state.ask("alive")
    again = state.store.get(state.made["alive"].id)
    assert again.state == PENDING and [event for event in before if event not in audit_events([again])] == []
    assert ("key_delivered", "mail") in [(event["event"], event.get("method")) for event in audit_events([tombstone_of(again)])]


def test_an_auditor_sees_why_a_request_was_in_review_after_a_person_decided(state: TestStore) -> None:
    trace = [{"rule": "human_review", "detail": "a big model"}]
    state.change("waiting", transitions.decide, IN_REVIEW, Ruling("ask", trace=trace, policy="sha256:1"), by="approval chain", at=AT)
    state.desk.approve(state.made["waiting"].id, by="eve")
    told = {event["event"]: event for event in audit_events([state.store.get(state.made["waiting"].id)])}
    assert (told["sent_to_review"]["trace"], told["sent_to_review"]["policy"]) == (trace, "sha256:1")
    assert "trace" not in told["approved"] and told["approved"]["by"] == "eve"


def test_events_of_the_same_second_are_told_in_the_order_in_which_they_happened(state: TestStore) -> None:
    state.change("promised", transitions.mark_minted, at=AT, key_alias="first", expires=END)
    state.change("promised", transitions.mark_delivered, at=AT, via="mail")
    state.change("promised", transitions.mark_finished, at=AT)
    state.change("promised", transitions.note_end, LATER, terms={}, reason="", by="gateway", at=AT)
    state.change("promised", transitions.mark_ended, at=AT)
    state.ask("promised")
    kinds = [event["event"] for event in audit_events([state.store.get(state.made["promised"].id)])]
    assert kinds == ["submitted", "approved", "key_made", "key_delivered", "changed", "key_ended", "submitted"]


def test_every_state_has_its_events(state: TestStore) -> None:
    assert events(state, "refused") == [("submitted", "refused@example.com"), ("denied", "boss@example.com")]
    assert {name for name, _by in events(state, "over")} == {"submitted", "approved", "key_made", "key_ended"}
    assert len(audit_events(state.store.listing().records)) == 18
