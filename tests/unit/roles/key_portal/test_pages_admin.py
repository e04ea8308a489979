# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The admin panel: the list, decisions, and what happens when somebody else was faster."""

from __future__ import annotations

import json
import re
import time
from functools import partial

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import transitions
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import IN_REVIEW, Record
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.roles.key_portal.conftest import AT, TestPortal, Visitor, basic


@pytest.fixture
def boss(visitor: Visitor) -> Visitor:
    visitor.sign_in("boss@example.com")
    return visitor


def reviewed(site: TestPortal, email: str = "ada@company.com") -> Record:
    ruling = transitions.Ruling("Too much.", {"models": ["granite"], "duration": "30d", "max_budget": 5}, trace=[{"rule": "budget", "decision": "REVIEW"}])
    record = site.ask(email, package="dev")
    after = site.store.transition(record, lambda found: transitions.decide(found, IN_REVIEW, ruling, by="chain", at=AT)).after
    assert after is not None
    return after


def test_programs_are_asked_for_a_password(site: TestPortal) -> None:
    stranger = Visitor(site)
    for headers in ({"Accept": "*/*"}, {"Authorization": "Bearer x"}, basic(password="wrong")):
        answer = stranger.client.get("/admin", headers=headers)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Basic realm="LLM keys", charset="UTF-8"')
    assert "Requests for keys" in stranger.see("/admin", **basic())
    stranger.see("/admin", 401, **basic(password="wrong"))


def test_tabs_search_sort_and_pages(site: TestPortal, boss: Visitor) -> None:
    for number in range(60):
        site.ask(f"p{number:02}@company.com")
    reviewed(site)
    page = boss.see("/admin?sort=email&page=2")
    assert re.findall(r'href="/admin/[^"]*">([^<]*)</a>', page)[0] == "p25@company.com"
    assert "26 to 50 of 60" in page and 'aria-sort="ascending"' in page
    assert [int(count) for count in re.findall(r"pf-v6-c-badge[^>]*>(\d+)<", page)] == [60, 1, 61]
    assert "1 to 1 of 1" in boss.see("/admin?tab=in-review")
    assert "1 to 1 of 1" in boss.see("/admin?tab=all&q=P07%20granite")
    for odd in ("tab=x&sort=x&page=x", "page=-1", "page=999999", "q=" + "x" * 5000, "tab=all&page=1&page=2", "ids=1&ids=2"):
        boss.see(f"/admin?{odd}")


def test_ten_thousand_requests(site: TestPortal, boss: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.base import Listing

    one = site.ask("ada@company.com")
    many = Listing(tuple(replace(one, id=f"r{number}", email=f"p{number}@company.com") for number in range(10_000)))
    monkeypatch.setattr(site.app.state.portal, "listing", lambda: many)
    boss.see("/admin")
    for path, words in (
        ("/admin?sort=-email", "1 to 25 of 10,000"),
        ("/admin?sort=what&page=400", "9,976 to 10,000 of 10,000"),
        ("/admin?tab=all&sort=updated_at", "1 to 25 of 10,000"),
        ("/admin?q=p9999%20granite", "1 to 1 of 1"),
        ("/admin?q=" + "x" * 200, "No request in this list has all of these words."),
    ):
        began = time.monotonic()
        assert words in boss.see(path)
        assert time.monotonic() - began < 1, path


def test_the_list_is_sent_again_only_if_it_changed(site: TestPortal, boss: Visitor) -> None:
    record = site.ask("ada@company.com")
    poll = re.findall(r'hx-get="(/admin\?[^"]*)"', boss.see("/admin"))[0].replace("&amp;", "&")
    headers = {"HX-Request": "true"}
    assert boss.client.get(poll, headers=headers).status_code == 204
    ticked = boss.client.get("/admin", params={"ids": f"{record.id} {record.version}"}, headers=headers).text
    assert "<html" not in ticked and re.search(r'name="ids"[^>]* checked', ticked)
    site.ask("bob@company.com")
    assert "bob@company.com" in boss.client.get(poll, headers=headers).text


def test_a_failure_is_named_in_the_language_and_told_in_english(site: TestPortal, boss: Visitor) -> None:
    record = site.ask("ada@company.com")
    for code, words in (("unreachable", "Das Gateway ist nicht erreichbar."), ("of_a_newer_release", "")):
        change = partial(transitions.mark_failed, at=AT, step="mint", reason="GET /health: no answer", code=code)
        site.store.transition(site.store.get(record.id), change)
        page = boss.see(f"/admin/{record.id}", **{"Accept-Language": "de"})
        assert '<p lang="en">GET /health: no answer</p>' in page and words in page
        assert ("Das Gateway" in page) is bool(words)


def test_a_request_with_its_terms(site: TestPortal, boss: Visitor) -> None:
    page = boss.see(f"/admin/{reviewed(site).id}")
    for words in ("After the rules", "30 days", "$5", "Address not proven", "Too much.", "Asks a person", "budget"):
        assert words in page


def test_approving_with_other_terms(site: TestPortal, boss: Visitor) -> None:
    record = reviewed(site)
    path = f"/admin/{record.id}"
    more = {"version": record.version, "max_budget": "50", "reason": "Fine."}
    refused = boss.send(f"{path}/approve", more, 409)
    assert "The request was not changed." in refused and "more than the rules and the offer allow: Budget (USD)" in refused
    assert "not a number" in boss.send(f"{path}/approve", {**more, "rpm_limit": "many"}, 422)
    assert "cannot be granted: Lifetime" in boss.send(f"{path}/approve", {**more, "duration": "soon"}, 422)
    assert site.store.get(record.id).state == IN_REVIEW
    assert boss.send(f"{path}/approve", {**more, "beyond": "yes", "models": "granite, mistral", "rpm_limit": "10"}) == f"{path}?said=approved"
    after = site.store.get(record.id)
    assert (after.state, after.history[-1].by) == ("approved", "boss@example.com")
    assert {name: after.granted[name] for name in ("max_budget", "models", "rpm_limit")} == {
        "max_budget": 50,
        "models": ["granite", "mistral"],
        "rpm_limit": 10,
    }


def test_denying(site: TestPortal, boss: Visitor) -> None:
    record = site.ask("ada@company.com")
    assert "Give a reason" in boss.send(f"/admin/{record.id}/deny", {"version": record.version, "reason": " "}, 422)
    boss.send(f"/admin/{record.id}/deny", {"version": record.version, "reason": "Not now.\r\nLater."})
    assert site.store.get(record.id).reason == "Not now.\nLater."
    assert "Somebody else changed it" in boss.send(f"/admin/{record.id}/approve", {"version": record.version}, 409)


def test_several_at_once(site: TestPortal, boss: Visitor) -> None:
    one, two, changed = site.ask("one@company.com"), site.ask("two@company.com"), site.ask("three@company.com")
    ids = [f"{record.id} {record.version}" for record in (one, two, changed)]
    site.people.deny(changed.id, by="the other", reason="No.")
    assert "Choose at least one" in boss.send("/admin/several", {"action": "approve"}, 422)
    assert "Give a reason" in boss.send("/admin/several", {"action": "deny", "ids": ids}, 422)
    path = boss.send("/admin/several", {"action": "approve", "ids": [*ids, "nothing x", "../x y", one.id], "back": "tab=all&q=company"})
    assert path == "/admin?tab=all&q=company&sort=-created_at&page=1&said=several&done=2&failed=4"
    assert "2 requests were decided." in boss.see(path)
    assert [site.store.get(record.id).state for record in (one, two, changed)] == ["approved", "approved", "denied"]


def test_each_row_has_its_id_and_what_can_be_done(site: TestPortal, boss: Visitor) -> None:
    waiting, review, denied = site.ask("one@company.com"), reviewed(site), site.ask("three@company.com")
    site.people.deny(denied.id, by="boss", reason="No.")
    page = boss.see("/admin?tab=all")
    for record in (waiting, review, denied):
        assert re.search(rf'<a id="id-{record.id}" href="/admin/{record.id}" [^>]*><code>{record.id[:8]}</code></a>', page)
    for record, is_there in ((waiting, True), (review, True), (denied, False)):
        assert (f'formaction="/admin/{record.id}/approve"' in page) is is_there
        assert (f'href="/admin/{record.id}#deny-reason"' in page) is is_there


def test_a_row_is_approved_as_it_was_shown_and_the_list_is_there_again(site: TestPortal, boss: Visitor) -> None:
    one, two = site.ask("one@company.com"), site.ask("two@company.com")
    row = {"version": one.version, "back": "tab=pending&q=company&page=2"}
    for _press in range(2):
        path = boss.send(f"/admin/{one.id}/approve", row)
        assert path == "/admin?tab=pending&q=company&sort=-created_at&page=2&said=several&done=1&failed=0"
    assert "One request was decided." in boss.see(path)
    assert (site.store.get(one.id).state, site.store.get(one.id).granted) == ("approved", {})
    assert boss.send(f"/admin/{two.id}/approve", {"version": two.version, "back": "//evil.example"}).startswith("/admin?")
    for version in ("", one.version):
        assert "The request was not changed." in boss.send(f"/admin/{reviewed(site).id}/approve", {"version": version or "x", "back": ""}, 409)
    answer = boss.client.post(f"/admin/{reviewed(site).id}/approve", data={"csrf": "0" * 64, **row})
    assert answer.status_code == 403 and site.store.get(reviewed(site).id).state == IN_REVIEW


def test_what_failed_is_tried_again(site: TestPortal, boss: Visitor) -> None:
    record = site.ask("ada@company.com")
    site.people.approve(record.id, by="boss")
    change = transitions.mark_failed
    site.store.transition(site.store.get(record.id), lambda found: change(found, at=AT, step="mint", reason="The gateway is down.", final=True))
    assert "This step failed once: Making the key." in boss.see(f"/admin/{record.id}")
    boss.send(f"/admin/{record.id}/retry")
    assert site.store.get(record.id).progress.failure is None or not site.store.get(record.id).progress.stopped_at


def test_the_audit(site: TestPortal, boss: Visitor) -> None:
    record = site.ask("ada@company.com")
    boss.send(f"/admin/{record.id}/deny", {"reason": "No.", "version": record.version})
    lines = [json.loads(line) for line in boss.see("/admin/audit.jsonl").splitlines()]
    assert [(line["event"], line["by"]) for line in lines] == [("submitted", "ada@company.com"), ("denied", "boss@example.com")]


@pytest.mark.parametrize("request_id", ["nothing", "%00", "a" * 300, "audit.jsonl2"])
def test_requests_that_are_not_there(boss: Visitor, request_id: str) -> None:
    boss.see(f"/admin/{request_id}", 404)
    boss.send(f"/admin/{request_id}/approve", {}, 404)


def test_a_button_that_is_pressed_twice_decides_once(site: TestPortal, boss: Visitor) -> None:
    one, two, three = site.ask("one@company.com"), site.ask("two@company.com"), site.ask("three@company.com")
    for _press in range(2):
        assert boss.send(f"/admin/{one.id}/approve", {"version": one.version, "max_budget": "5"}) == f"/admin/{one.id}?said=approved"
        assert boss.send(f"/admin/{two.id}/deny", {"version": two.version, "reason": "No.\r\nNot now."}) == f"/admin/{two.id}?said=denied"
        assert "done=1&failed=0" in boss.send("/admin/several", {"action": "approve", "ids": f"{three.id} {three.version}"})
    assert [len(site.store.get(record.id).history) for record in (one, two, three)] == [2, 2, 2]
    assert "The request was not changed." in boss.send(f"/admin/{one.id}/approve", {"version": one.version, "max_budget": "6"}, 409)
    assert "The request was not changed." in boss.send(f"/admin/{two.id}/deny", {"version": two.version, "reason": "Never."}, 409)
    assert "done=0&failed=1" in boss.send("/admin/several", {"action": "deny", "reason": "No.", "ids": f"{three.id} {three.version}"})


def test_a_decision_of_somebody_else_is_never_taken_for_ones_own(site: TestPortal, boss: Visitor) -> None:
    record = site.ask("one@company.com")
    site.people.approve(record.id, by="the other")
    assert "Somebody else changed it" in boss.send(f"/admin/{record.id}/approve", {"version": record.version}, 409)


def test_no_key_is_written_into_what_is_granted(site: TestPortal, boss: Visitor) -> None:
    record, key = site.ask("ada@company.com"), "sk-" + "g" * 43
    for field in ("models", "reason"):
        assert "The request was not changed." in boss.send(f"/admin/{record.id}/approve", {"version": record.version, field: key}, 422)
    body = {"granted": {"models": ["granite", key]}, "beyond": True}
    assert "never write a key" in str(site.post(f"/api/v1/admin/requests/{record.id}/approve", body, status=422))
    assert site.store.get(record.id) == record
