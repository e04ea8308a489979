# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""More time that a key does not get: it is blocked, or has lived as long as it may. And what a renewal must not lose."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import transitions
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import MoreTime
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.erasure import erase_person, prune_requests
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import Missing
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import MOST_STEPS, Record
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.expiry_notices import expiry_mails
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass import plan
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass.offers import Offers
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.request_desk import TestDesk

END = "2026-12-21T04:00:00Z"  # of the keys that the desk's gateway makes
MINE = "ada@company.com"
REVIEW = [{"name": "humanintheloop", "config": {"email": "boss@company.com", "patterns": ["*"]}}]


class RenewalDesk(TestDesk):
    """A desk where Ada has a key."""

    __test__ = False

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.first = self.ask()
        self.make_pass()
        self.post.sent.clear()

    @property
    def original(self) -> Record:
        return self.get(self.first)

    def renew(self, name: str = "", **more: Any) -> Record:
        after = self.people.renew(name or self.first, MoreTime(**more), again=True).after
        assert after is not None
        return after


@pytest.fixture
def desk(tmp_path: Path) -> RenewalDesk:
    return RenewalDesk(tmp_path)


# -------------------------------------------------------------------------------------------------------- blocked keys
@pytest.mark.parametrize("early", [False, True])
def test_the_owner_of_a_blocked_key_reads_that_and_not_that_it_was_renewed(desk: RenewalDesk, early: bool) -> None:
    key = desk.gateway.keys[desk.original.progress.key_alias]
    key["blocked"] = True
    renewal = desk.renew(duration="7d", from_end=True)
    if early:
        desk.people.approve(renewal.id, by="boss")
    desk.make_pass()
    assert (desk.get(renewal.id).state, key["expires"], desk.gateway.changed, desk.post.kinds_to(MINE)) == ("denied", END, {}, ["denial"])
    assert "is blocked at the gateway" in desk.post.sent[-1]["reason"]
    key["blocked"] = False
    desk.renew(duration="7d", from_end=True)
    desk.make_pass()
    assert desk.original.progress.expires == "2026-12-28T04:00:00Z"


def test_a_key_that_was_blocked_before_it_was_delivered_is_not_called_ready(desk: RenewalDesk) -> None:
    bob = desk.ask("bob")
    desk.post.results["bob@company.com"] = replace(desk.post._take({}, "nobody"), delivered=False, reason="later")
    desk.make_pass()
    desk.post.results.clear()
    key = desk.gateway.keys[desk.get(bob).progress.key_alias]
    for blocked, kinds in ((True, []), (False, ["approval"])):
        key["blocked"] = blocked
        desk.hours_later(1 if blocked else 3)
        desk.make_pass()
        assert desk.post.kinds_to("bob@company.com") == kinds
    assert desk.get(bob).progress.status == "finished"


def test_the_owner_of_a_blocked_key_is_not_warned_of_its_end() -> None:
    key = {"alias": "a", "models": [], "expires": END, "user_id": MINE}
    assert len(expiry_mails([key], ["72h"], END)) == 1 and expiry_mails([{**key, "blocked": True}], ["72h"], END) == []


# ------------------------------------------------------------------------------------------------------ how long in all
def test_nobody_extends_a_key_for_ever_without_a_person(desk: RenewalDesk) -> None:
    ends = []
    for _number in range(20):
        renewal = desk.renew(duration="30d", from_end=True)
        desk.make_pass()
        ends.append(desk.original.progress.expires)
        if desk.get(renewal.id).state == "denied":
            break
        desk.at = ends[-1].replace("T04", "T03")
    assert len(ends) == 13 and ends[-1] == ends[-2] == "2027-11-21T04:00:00Z", "365 days after it was made"
    assert desk.get(renewal.id).terms == {} and "may live until 2027-11-21T04:00:00Z at most" in desk.get(renewal.id).reason
    desk.people.approve(renewal.id, by="boss", granted={"duration": "30d"}, beyond=True)
    desk.make_pass()
    assert desk.original.progress.expires == "2027-12-21T04:00:00Z"


@pytest.mark.parametrize(
    ("settings", "more", "end"),
    [
        ({"max_lifetime": "40d"}, {"duration": "30d", "from_end": True}, "2026-12-31T04:00:00Z"),
        ({"max_lifetime": "40d"}, {"from_end": True}, "2026-12-31T04:00:00Z"),
        ({"max_lifetime": "30d"}, {"duration": "30d", "from_end": True}, END),
        ({"max_lifetime": "never"}, {"duration": "30d", "from_end": True}, "2027-01-20T04:00:00Z"),
        ({}, {"duration": "30d", "from_end": True}, "2027-01-20T04:00:00Z"),
    ],
)
@pytest.mark.parametrize("by_model", [False, True])
@pytest.mark.parametrize("early", [False, True])
def test_a_key_lives_as_long_in_all_as_its_package_or_the_limits_say(
    desk: RenewalDesk, settings: dict[str, str], more: dict[str, Any], end: str, by_model: bool, early: bool
) -> None:
    if by_model:
        desk.limits = settings
    else:
        desk.packages = {"dev": {**desk.packages["dev"], **settings}}
    key = desk.ask(models=("granite",)) if by_model else desk.first
    desk.make_pass()
    renewal = desk.renew(key, **more)
    if early:
        desk.people.approve(renewal.id, by="boss")
    desk.make_pass()
    assert desk.get(key).progress.expires == end
    renewed = desk.get(renewal.id)
    assert renewed.state == ("denied" if end == END and not early else "approved")
    if end == END and early:
        assert renewed.progress.failure is not None and "approve it again with a duration and beyond" in renewed.progress.failure.reason


def test_a_reviewer_sees_how_much_is_left_and_may_say_that_it_may_be_more(desk: RenewalDesk) -> None:
    desk.rules, desk.packages = REVIEW, {"dev": {**desk.packages["dev"], "max_lifetime": "40d"}}
    renewal = desk.renew(duration="30d", from_end=True)
    desk.make_pass()
    assert desk.get(renewal.id).terms["duration"] == "10d"
    desk.people.approve(renewal.id, by="boss", granted={"duration": "30d"}, beyond=True)
    desk.make_pass()
    assert desk.original.progress.expires == "2027-01-20T04:00:00Z"


@pytest.mark.parametrize("from_end", [False, True])
def test_a_key_whose_end_was_taken_away_meanwhile_stops_no_pass(desk: RenewalDesk, from_end: bool) -> None:
    renewal = desk.renew(duration="7d", from_end=from_end)
    desk.store.transition(desk.original, lambda record: transitions.note_end(record, "", terms={}, reason="No end.", by="gateway", at=desk.at))
    desk.gateway.keys[desk.original.progress.key_alias]["expires"] = None
    bob = desk.ask("bob")
    desk.make_pass()
    assert (desk.get(bob).progress.status, desk.get(renewal.id).state, desk.original.progress.expires) == ("finished", "approved", "")


def test_the_reason_never_names_an_end_before_the_one_that_a_person_granted(desk: RenewalDesk) -> None:
    desk.people.approve(desk.renew(duration="1d", from_end=True).id, by="boss", granted={"duration": "500d"}, beyond=True)
    desk.make_pass()
    renewal = desk.renew(duration="1d", from_end=True)
    desk.make_pass()
    assert desk.original.progress.expires == "2028-05-04T04:00:00Z" and "may live until 2028-05-04T04:00:00Z at most" in desk.get(renewal.id).reason


def test_a_rule_sees_when_the_key_was_made(desk: RenewalDesk) -> None:
    desk.renew()
    (shown,) = [plan.as_asked(record, {}, desk.original) for record in desk.store.listing().records if record.renews]
    assert (shown["made_at"], shown["expires"]) == ("2026-11-21T04:00:00Z", END)


@pytest.mark.parametrize(("limit", "words"), [(5, "give a duration"), ("soon", "max_lifetime"), ("29d", "cannot live longer"), ("", "max_lifetime")])
def test_a_limit_that_cannot_be_is_named(limit: Any, words: str) -> None:
    package = {"models": ["granite"], "duration": "30d", "max_lifetime": limit}
    for packages, limits in (({"dev": package}, {}), ({}, {"max_lifetime": limit})):
        with pytest.raises(ValueError, match=words):
            Offers.from_settings(packages, limits, "30d")


def test_a_package_for_longer_than_usual_can_be_had_twice() -> None:
    offers = Offers.from_settings({"year": {"models": ["granite"], "duration": "365d"}, "free": {"models": ["granite"], "duration": "never"}}, {}, "30d")
    assert dict(offers.longest) == {"year": 2 * 365 * 86_400, "": 365 * 86_400}


# ------------------------------------------------------------------------------------------------- nothing gets lost
def test_the_new_end_of_a_key_is_noted_however_long_its_history_is(desk: RenewalDesk) -> None:
    def fill(record: Record) -> Record:
        return replace(record, history=(*record.history, *[record.history[-1]] * (MOST_STEPS - len(record.history))))

    desk.store.transition(desk.original, fill)
    renewal = desk.renew(duration="7d", from_end=True)
    report = desk.make_pass()
    assert (desk.original.progress.expires, report.warnings) == ("2026-12-28T04:00:00Z", [])
    assert len(desk.original.history) == MOST_STEPS and desk.get(renewal.id).progress.expires == "2026-12-28T04:00:00Z"


def test_the_mails_about_the_renewal_of_a_package_show_the_models(desk: RenewalDesk) -> None:
    desk.rules = REVIEW
    renewal = desk.renew(duration="7d")
    desk.make_pass()
    desk.people.approve(renewal.id, by="boss")
    desk.make_pass()
    assert [(mail["kind"], mail["models"]) for mail in desk.post.sent] == [("review", ["granite", "mistral"]), ("renewal", ["granite", "mistral"])]


@pytest.mark.parametrize("how", ["pruned", "erased", "removed"])
def test_whoever_renews_a_renewal_of_a_key_that_is_no_more_reads_why_and_what_next(desk: RenewalDesk, how: str) -> None:
    renewal = desk.renew(duration="7d", from_end=True)
    desk.make_pass()
    name = renewal.id
    if how == "removed":
        desk.people.forget(desk.first)
    else:
        desk.store.transition(desk.original, lambda record: transitions.mark_ended(record, at=desk.at))
        desk.at = "2027-12-21T04:00:00Z"
        if how == "pruned":
            prune_requests(desk.store, {"ended": "1d"}, desk.at, patience=0)
        else:
            name = next(each["tombstone"] for each in erase_person(desk.store, MINE, lambda: desk.at, patience=0).erased if each["request_id"] == renewal.id)
    with pytest.raises(Missing, match="was pruned, erased or removed since; submit a request for a new key"):
        desk.renew(name)
