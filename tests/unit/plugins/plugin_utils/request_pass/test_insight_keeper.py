# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What a worker finds out about requests that somebody looks at: nothing else, without changing anything, and without a key's value."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import MoreTime
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.document import render_document
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.insight import (
    FOUND,
    WANTED,
    Insight,
    KeyFigures,
    Outlook,
    bounded_steps,
    publish_insights,
    published_insights,
    want_insight,
    wanted_insights,
)
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass.insight_keeper import MOST_AT_ONCE, InsightKeeper
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.request_desk import AT, TestDesk

REVIEW = {"name": "human_review", "config": {"email": "boss@company.com", "patterns": ["*"]}}
EMAIL = {"name": "email", "config": {"pattern": "*@company.com"}}


@pytest.fixture
def desk(tmp_path: Path) -> TestDesk:
    return TestDesk(tmp_path)


def look(desk: TestDesk, *request_ids: str) -> dict[str, Insight]:
    """Look at requests, let the worker find out, and return what it published."""
    want_insight(desk.store, request_ids, desk.at)
    InsightKeeper(desk.store, desk.chain(), desk.gateway, lambda: desk.at).refresh()
    return published_insights(desk.store)


def outlook(desk: TestDesk, request_id: str) -> Outlook:
    found = look(desk, request_id)[request_id].outlook
    assert found is not None
    return found


def test_what_the_rules_would_say_now(desk: TestDesk) -> None:
    desk.rules = [REVIEW]
    asked = desk.ask()
    desk.make_pass()
    before = desk.get(asked)
    assert before.state == "in-review"
    desk.rules = [EMAIL]
    found = outlook(desk, asked)
    assert (found.decision, [step["rule"] for step in found.trace], found.unasked) == ("APPROVE", ["email"], ())
    assert found.trace[0]["said"] == [{"name": "address_matches", "values": {}}]
    assert found.terms["max_budget"] == 5
    assert render_document(desk.get(asked)) == render_document(before), "nothing is changed"
    assert look(desk, asked)[asked].key is None


def test_a_denied_request_is_looked_up_and_others_are_not(desk: TestDesk) -> None:
    desk.rules = [{"name": "denylist", "config": {"patterns": ["*"]}}]
    denied, withdrawn = desk.ask(), desk.ask("bob")
    desk.people.cancel(withdrawn)
    desk.make_pass()
    found = look(desk, denied, withdrawn, "nothing")
    assert [found[each].outlook is not None for each in (denied, withdrawn, "nothing")] == [True, False, False]


def test_no_service_is_asked(desk: TestDesk) -> None:
    desk.rules = [{"name": "http", "config": {"endpoint": "http://127.0.0.1:9/", "allow_http": True, "retries": 0}}, EMAIL]
    began = time.monotonic()
    found = outlook(desk, desk.ask())
    assert (found.decision, found.unasked) == ("APPROVE", ("http",))
    assert time.monotonic() - began < 5


def test_rules_that_cannot_be_used_are_the_reason(desk: TestDesk) -> None:
    desk.rules = [{"name": "nothing"}]
    found = outlook(desk, desk.ask())
    assert found.decision == "" and "nothing" in found.reason


def test_a_gateway_that_is_down_is_the_reason(desk: TestDesk) -> None:
    asked, by_model = desk.ask(), desk.ask("bob", models=("granite",))
    desk.make_pass()
    desk.gateway.down = True
    desk.rules = [EMAIL]
    third = desk.ask("eve", models=("granite",))
    found = look(desk, asked, by_model, third)
    assert found[asked].key == KeyFigures(problem="the gateway does not answer.")
    assert found[third].outlook == Outlook(reason="the gateway does not answer.")


def test_what_a_key_has_spent_and_when_it_really_ends(desk: TestDesk) -> None:
    asked = desk.ask()
    desk.make_pass()
    alias = desk.get(asked).progress.key_alias
    desk.gateway.keys[alias] |= {"max_budget": 5.0, "expires": "2027-01-01T00:00:00Z", "blocked": True, "budget_duration": "1d"}
    insight = look(desk, asked)[asked]
    assert insight == Insight(AT, AT, None, KeyFigures(1.25, 5.0, "1d", "2027-01-01T00:00:00Z", blocked=True))
    desk.gateway.delete(alias)
    desk.at = "2026-11-21T04:01:00Z"
    assert look(desk, asked)[asked].key == KeyFigures(exists=False)


def test_no_value_of_a_key_is_published(desk: TestDesk) -> None:
    asked = desk.ask()
    desk.make_pass()
    alias = desk.get(asked).progress.key_alias
    look(desk, asked)
    assert desk.gateway.keys[alias]["value"] not in json.dumps([desk.store.published(FOUND), desk.store.published(WANTED)])


def test_renewals(desk: TestDesk) -> None:
    asked = desk.ask()
    desk.make_pass()
    after = desk.people.renew(asked, MoreTime("7d")).after
    assert after is not None
    assert outlook(desk, after.id).decision == "APPROVE"
    desk.at = "2027-11-21T04:00:00Z"
    found = outlook(desk, after.id)
    assert found.decision == "DENY" and "no such key" in found.reason


def test_nothing_is_looked_up_twice_and_nothing_that_nobody_looks_at(desk: TestDesk) -> None:
    asked = desk.ask("bob", models=("granite",))
    keeper = InsightKeeper(desk.store, desk.chain(), desk.gateway, lambda: desk.at)
    keeper.refresh()
    assert (desk.gateway.calls, desk.store.published(FOUND)) == (0, None)
    want_insight(desk.store, [asked], desk.at)
    keeper.refresh()
    calls = desk.gateway.calls
    assert calls > 0
    keeper.refresh()
    assert desk.gateway.calls == calls
    desk.at = "2026-11-21T04:02:00Z"
    want_insight(desk.store, [asked], desk.at)
    keeper.refresh()
    assert desk.gateway.calls > calls and published_insights(desk.store)[asked].at == desk.at


def test_the_others_wait_for_the_next_pass(desk: TestDesk) -> None:
    names = [f"x{number}" for number in range(MOST_AT_ONCE + 1)]
    assert len(look(desk, *names)) == MOST_AT_ONCE
    InsightKeeper(desk.store, desk.chain(), desk.gateway, lambda: desk.at).refresh()
    assert len(published_insights(desk.store)) == MOST_AT_ONCE + 1


def test_who_looked_long_ago_is_forgotten(desk: TestDesk) -> None:
    want_insight(desk.store, ["a"], "2026-11-21T03:00:00Z")
    want_insight(desk.store, ["b"], "2026-11-21T03:55:00Z")
    want_insight(desk.store, ["c", "b"], AT)
    assert wanted_insights(desk.store) == {"c": AT, "b": AT}
    want_insight(desk.store, [f"x{number}" for number in range(1000)], AT)
    assert len(wanted_insights(desk.store)) == 300


def test_a_worker_wakes_up_when_somebody_looks(desk: TestDesk) -> None:
    asked = desk.ask()
    before = desk.store.mark(WANTED), desk.store.mark()
    want_insight(desk.store, [asked], AT)
    wanted = desk.store.mark(WANTED)
    assert wanted != before[0] and desk.store.mark() == before[1]
    InsightKeeper(desk.store, desk.chain(), desk.gateway, lambda: desk.at).refresh()
    assert desk.store.mark(WANTED) == wanted, "a worker that finds out does not wake itself up"


@pytest.mark.parametrize(
    "planted",
    [
        {},
        {"found": []},
        {"found": {"x": 1, "../x": {}, "y": {"wanted": AT, "at": "soon"}}},
        {"found": {"x": {"wanted": AT, "at": AT, "outlook": {"decision": ["APPROVE"], "trace": [1, {"a": {"b": "c"}}], "terms": {"x": 1}}, "key": 5}}},
        {"found": {"x": {"wanted": AT, "at": AT, "key": {"spend": "1", "max_budget": True, "expires": "<b>", "exists": 1}}}},
        {"found": {"x": {"wanted": AT, "at": AT, "outlook": {"decision": "DENY", "trace": [{"said": json.loads("[" * 300 + "]" * 300)}]}}}},
        {"found": {"x": {"wanted": AT, "at": AT, "outlook": {"reason": "sk-" + "a" * 40, "trace": [{"detail": "\u202esk-" + "a" * 40}] * 900}}}},
    ],
)
def test_what_was_planted_does_no_harm(desk: TestDesk, planted: dict[str, object]) -> None:
    desk.ask()
    desk.store.publish(FOUND, planted)
    desk.store.publish(WANTED, {"wanted": planted.get("found")})
    assert "aaaa" not in str(published_insights(desk.store))
    InsightKeeper(desk.store, desk.chain(), desk.gateway, lambda: desk.at).refresh()


def test_there_is_room_for_many_long_traces(desk: TestDesk) -> None:
    long = Outlook("DENY", "é" * 500, {}, bounded_steps([{"detail": "é" * 900}] * 100))
    found = {f"x{number}": Insight(AT, f"2026-11-21T04:{number:02}:00Z", long) for number in range(60)}
    publish_insights(desk.store, found)
    kept = published_insights(desk.store)
    assert len(kept) > 10 and "x59" in kept and "x0" not in kept
    outlook = kept["x59"].outlook
    assert outlook is not None and outlook == replace(long, trace=outlook.trace) and "cut" in outlook.trace[-1]


def test_a_worker_at_rest_lists_no_requests(desk: TestDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = InsightKeeper(desk.store, desk.chain(), desk.gateway, lambda: desk.at)
    look(desk, desk.ask())
    monkeypatch.setattr(desk.store, "_names", lambda: pytest.fail("the directory was listed"))
    began = time.process_time()
    for _number in range(100):
        keeper.refresh()
    assert time.process_time() - began < 1, "a hundredth of a second each"
