# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later


"""What the rules would say now and what keys have spent, on pages: what the worker published, how old it is, and who gets to see it."""

from __future__ import annotations

import time

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import transitions
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import StoreUnreachable
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.insight import (
    Insight,
    KeyFigures,
    Outlook,
    publish_insights,
    wanted_insights,
)
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import Record
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.insights import PATIENCE_SECONDS, Insights
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.roles.key_portal.conftest import AT, TestPortal, Visitor, person

STEPS = ({"rule": "budget", "decision": "CONTINUE", "detail": "Small <b>enough</b>."}, {"rule": "email", "decision": "DENY", "matched": "*@company.com"})
OUTLOOK = Outlook("DENY", "Not from here.", {"max_budget": 5}, STEPS, ("http",))


@pytest.fixture
def boss(visitor: Visitor) -> Visitor:
    visitor.sign_in("boss@example.com")
    return visitor


def minted(site: TestPortal, email: str = "ada@company.com") -> Record:
    """Return a request whose key works."""
    record = site.ask(email)
    site.people.approve(record.id, by="boss")
    change = transitions.mark_minted
    after = site.store.transition(site.store.get(record.id), lambda found: change(found, at=AT, key_alias="request-1", expires="2026-12-21T04:00:00Z")).after
    assert after is not None
    return after


def find_out(site: TestPortal, record: Record, *, at: str = AT, outlook: Outlook | None = None, key: KeyFigures | None = None) -> None:
    """Let the worker have found out about a request."""
    publish_insights(site.store, {record.id: Insight(at, at, outlook, key)})
    site.app.state.portal.insights.forget()


def wanted(site: TestPortal) -> list[str]:
    site.app.state.portal.insights.note_wanted()
    return list(wanted_insights(site.store))


def test_what_the_rules_would_say_now(site: TestPortal, boss: Visitor) -> None:
    record = site.ask()
    assert "The rules are being asked." in boss.see(f"/admin/{record.id}")
    assert wanted(site) == [record.id]
    find_out(site, record, outlook=OUTLOOK)
    page = boss.see(f"/admin/{record.id}")
    for words in ("They would deny the request", "Not from here.", "May spend $5", "ask a service", "http", "As of Nov 21, 2026", "&lt;b&gt;enough", "Goes on"):
        assert words in page
    find_out(site, record, outlook=Outlook(reason="no such rule."))
    assert "They cannot say anything at present" in boss.see(f"/admin/{record.id}")


def test_the_page_follows_what_the_worker_finds_out(site: TestPortal, boss: Visitor) -> None:
    record = site.ask()
    headers = {"HX-Request": "true"}
    path = f"/admin/{record.id}/insight"
    seen = boss.client.get(path, headers=headers).text.partition("seen=")[2].partition('"')[0]
    assert boss.client.get(path, params={"seen": seen}, headers=headers).status_code == 204
    find_out(site, record, outlook=OUTLOOK)
    part = boss.client.get(path, params={"seen": seen}, headers=headers).text
    assert "They would deny the request" in part and "<html" not in part
    boss.see("/admin/nothing/insight", 404)
    Visitor(site).see(path, 303)


def test_what_a_key_has_spent_and_when_it_really_ends(site: TestPortal, visitor: Visitor) -> None:
    record = minted(site)
    visitor.sign_in("ada@company.com")
    assert "is being looked up" in visitor.see("/mine") and "Dec 21, 2026" in visitor.see("/mine")
    assert wanted(site) == [record.id]
    find_out(site, record, key=KeyFigures(1.256, 5.0, "1d", "2027-02-03T04:00:00Z", blocked=True))
    for path in ("/mine", f"/mine/{record.id}"):
        page = visitor.see(path)
        assert "$1.26 of $5 spent" in page and "As of Nov 21, 2026" in page and "Feb 3, 2027" in page and "Dec 21, 2026" not in page
    page = visitor.see(f"/mine/{record.id}")
    assert "The key is blocked." in page and 'value="0.2512"' in page and "starts again after 1 day" in page


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        (KeyFigures(0.0001, None), "less than $0.01 spent, without a limit"),
        (KeyFigures(0.0, 0.0), "$0 of $0 spent"),
        (KeyFigures(7.0, 5.0), "$7 of $5 spent"),
        (KeyFigures(exists=False), "does not know the key any more"),
        (KeyFigures(problem="The gateway at https://10.0.0.1 does not answer."), "did not say what the key has spent"),
    ],
)
def test_figures_of_every_kind(site: TestPortal, visitor: Visitor, figures: KeyFigures, words: str) -> None:
    record = minted(site)
    visitor.sign_in("ada@company.com")
    find_out(site, record, key=figures)
    for path in ("/mine", f"/mine/{record.id}"):
        page = visitor.see(path)
        assert words in page and "10.0.0.1" not in page, "the gateway's answer is for administrators"


def test_administrators_see_the_use_and_the_reason(site: TestPortal, boss: Visitor) -> None:
    record = minted(site)
    find_out(site, record, key=KeyFigures(1, 5, "", "2027-02-03T04:00:00Z"))
    page = boss.see(f"/admin/{record.id}")
    assert "$1 of $5 spent" in page and "End at the gateway: Feb 3, 2027" in page and "What the rules would say now" not in page
    find_out(site, record, key=KeyFigures(problem="It is down."))
    assert "It is down." in boss.see(f"/admin/{record.id}")


def test_what_is_old_is_shown_as_such_and_asked_for_again(site: TestPortal, visitor: Visitor) -> None:
    record = minted(site)
    visitor.sign_in("ada@company.com")
    find_out(site, record, at="2026-11-21T03:59:30Z", key=KeyFigures(1, 5))
    assert "As of" in visitor.see("/mine") and wanted(site) == []
    site.at = "2026-11-21T04:01:00Z"
    assert "As of" in visitor.see("/mine") and wanted(site) == [record.id]
    site.at = "2026-11-21T04:10:00Z"
    assert "This is old: the worker has found out nothing since" in visitor.see("/mine")


def test_nothing_is_asked_for_requests_without_a_key_and_keys_of_others(site: TestPortal, visitor: Visitor) -> None:
    site.ask()
    other = minted(site, "bob@company.com")
    find_out(site, other, key=KeyFigures(1.25, 5))
    visitor.sign_in("ada@company.com")
    assert "$1.25" not in visitor.see("/mine")
    visitor.see(f"/mine/{other.id}", 404)
    assert wanted(site) == []


def test_looking_again_and_again_notes_it_once(site: TestPortal) -> None:
    clock = [100.0]
    insights = Insights(site.store, lambda: site.at, monotonic=lambda: clock[0])
    noted = []
    for _number in range(3):
        insights.of(["a", "b"])
        insights.note_wanted()
        noted.append(wanted_insights(site.store))
        site.at = "2026-11-21T04:00:05Z"
    assert noted[0] == noted[1] == noted[2] == {"a": AT, "b": AT}
    clock[0] += PATIENCE_SECONDS + 1
    insights.of(["a"])
    insights.note_wanted()
    assert wanted_insights(site.store) == {"b": AT, "a": site.at}


def test_it_is_noted_behind_the_answer(site: TestPortal) -> None:
    Insights(site.store, lambda: site.at).of(["a"])
    assert wanted_insights(site.store) == {}
    deadline = time.monotonic() + 10
    while not wanted_insights(site.store):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_store_that_cannot_note_it_is_only_logged(site: TestPortal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def down(*_arguments: object) -> None:
        raise StoreUnreachable("The store is down.")

    monkeypatch.setattr(site.store, "_publish", down)
    insights = Insights(site.store, lambda: site.at)
    assert insights.of(["a"])["a"].insight is None
    insights.note_wanted()
    assert "The store is down." in caplog.text


# ---------------------------------------------------------------------------------------------------------- our own API
def test_the_api_says_what_a_key_has_spent(portal: TestPortal) -> None:
    record = minted(portal)
    path, own = f"/api/v1/requests/{record.id}", person("ada@company.com")
    nothing = {"status": "waiting", "at": None, "is_old": False, "spend": None, "max_budget": None, "budget_duration": None, "expires": None, "blocked": False}
    assert portal.get(path, own)["use"] == nothing
    assert wanted(portal) == [record.id]
    find_out(portal, record, key=KeyFigures(1.256, 5.0, "1d", "2027-02-03T04:00:00Z", blocked=True))
    known = {"status": "known", "at": AT, "is_old": False, "spend": 1.256, "max_budget": 5.0, "budget_duration": "1d", "expires": "2027-02-03T04:00:00Z"}
    assert portal.get(path, own)["use"] == {**known, "blocked": True}
    assert [each["use"] for each in portal.get("/api/v1/requests", own)["requests"]] == [{**known, "blocked": True}]
    assert portal.get(f"/api/v1/admin/requests/{record.id}")["use"] == {**known, "blocked": True, "problem": None}
    portal.at = "2026-11-21T04:10:00Z"
    assert portal.get(path, own)["use"] == {**known, "blocked": True, "is_old": True}


@pytest.mark.parametrize(
    ("figures", "status", "spend"),
    [
        (KeyFigures(0.0, None), "known", 0.0),
        (KeyFigures(exists=False), "missing", None),
        (KeyFigures(problem="The gateway at https://10.0.0.1 does not answer."), "unanswered", None),
    ],
)
def test_the_api_hides_from_people_what_pages_hide(portal: TestPortal, figures: KeyFigures, status: str, spend: float | None) -> None:
    record = minted(portal)
    find_out(portal, record, key=figures)
    own = portal.get("/api/v1/requests", person("ada@company.com"))
    assert [(each["use"]["status"], each["use"]["spend"]) for each in own["requests"]] == [(status, spend)]
    assert "10.0.0.1" not in str(own)
    assert (portal.get(f"/api/v1/admin/requests/{record.id}")["use"]["problem"] or "") == figures.problem


def test_the_api_says_nothing_of_keys_of_others_and_of_requests_without_one(portal: TestPortal) -> None:
    other, own = minted(portal, "bob@company.com"), portal.ask()
    find_out(portal, other, key=KeyFigures(1.25, 5))
    assert [each["use"] for each in portal.get("/api/v1/requests", person("ada@company.com"))["requests"]] == [None]
    assert portal.get(f"/api/v1/requests/{own.id}", person("ada@company.com"))["use"] is None
    portal.get(f"/api/v1/requests/{other.id}", person("ada@company.com"), 404)
    portal.get(f"/api/v1/admin/requests/{other.id}", person("ada@company.com"), 403)
    portal.get(f"/api/v1/admin/requests/{other.id}", {}, 401)
    assert wanted(portal) == []


def test_the_api_documents_money_and_its_age(portal: TestPortal) -> None:
    schemas = portal.get("/openapi.json")["components"]["schemas"]
    assert "USD" in schemas["KeyUse"]["properties"]["spend"]["description"]
    assert all("description" in schemas["KeyUse"]["properties"][name] for name in ("status", "at", "max_budget", "expires"))
