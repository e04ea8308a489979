# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Our own calls for administrators: list, detail, decisions with changed terms, several who decide at once, and the audit."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import transitions
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import IN_REVIEW, Record
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.transitions import Ruling
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.roles.key_portal.conftest import AT, TestPortal, basic, person

ALL = "/api/v1/admin/requests"
CUT = {"models": ["granite"], "duration": "7d", "max_budget": 2}


def reviewed(portal: TestPortal, email: str = "ada@company.com", **wish: Any) -> Record:
    """Make a request that the chain sent to review with terms that it cut."""
    ruling = Ruling("Look.", terms=CUT, trace=[{"rule": "humanintheloop", "decision": "REVIEW"}], reviewers=["boss@company.com"])
    after = portal.store.transition(portal.ask(email, **wish), lambda found: transitions.decide(found, IN_REVIEW, ruling, by="chain", at=AT)).after
    assert after is not None
    return after


@pytest.mark.parametrize(("method", "path"), [("GET", ALL), ("GET", f"{ALL}/x"), ("POST", f"{ALL}/x/approve"), ("GET", "/api/v1/admin/audit")])
def test_it_is_for_administrators(portal: TestPortal, method: str, path: str) -> None:
    assert [portal.client.request(method, path, headers=who, json={}).status_code for who in ({}, person("ada@company.com"))] == [401, 403]


def test_list_search_sort_and_pages(portal: TestPortal) -> None:
    for number, name in enumerate(("carol", "ada", "bob")):
        portal.at = f"2026-11-21T04:00:0{number}Z"
        portal.ask(f"{name}@company.com", models=(f"model-{number}",), purpose=f"Demo for {name.title()}")
    reviewed(portal, "dora@company.com")

    def names(**query: Any) -> list[str]:
        return [entry["email"].partition("@")[0] for entry in portal.get(ALL, **query)["requests"]]

    assert names(sort="email") == ["ada", "bob", "carol", "dora"]
    assert names(sort="-what") == ["bob", "ada", "carol", "dora"]
    assert names(sort="email", page=2, page_size=3) == ["dora"]
    assert names(search="DEMO bob") == ["bob"] and names(search="model-1 bob") == []
    assert names(state="in-review") == ["dora"]
    found = portal.get(ALL, state="in-review")
    assert (found["total"], found["counts"]) == (1, {"pending": 3, "in-review": 1, "approved": 0, "denied": 0})
    for query in ({"sort": "name"}, {"search": "x" * 201}, {"page_size": 0}, {"serach": "x"}):
        portal.get(ALL, status=422, **query)


def test_a_broken_record_is_named_and_breaks_nothing(portal: TestPortal, tmp_path: Path) -> None:
    portal.ask()
    (tmp_path / "requests" / "bad.json").write_text('{"sk-' + "a" * 40 + '": 1}')
    found = portal.get(ALL)
    assert found["total"] == 1
    (aside,) = found["set_aside"]
    assert aside["name"] == "bad.json" and "aaaaaaa" not in aside["reason"]
    assert portal.get(f"{ALL}/bad", status=409)["detail"].startswith("The request cannot be read")
    assert portal.get("/api/v1/admin/audit")["set_aside"] == [aside]


def test_detail_has_terms_trace_and_history(portal: TestPortal) -> None:
    record = reviewed(portal, models=("granite", "llama"), duration="30d")
    found = portal.get(f"{ALL}/{record.id}")
    assert [term["words"] for term in found["asked"]] == ["Models: granite, llama", "Lasts 30 days"]
    assert [term["words"] for term in found["terms"]] == ["Models: granite", "Lasts 7 days", "May spend 2 USD"]
    assert found["request"]["trace"] == [{"rule": "humanintheloop", "decision": "REVIEW"}]
    assert [entry["to"] for entry in found["request"]["history"]] == ["pending", "in-review"]
    assert found["request"]["version"] == record.version


def test_approving_with_other_terms(portal: TestPortal) -> None:
    record = reviewed(portal)
    refused = portal.post(f"{ALL}/{record.id}/approve", {"granted": {"max_budget": 50}}, status=409)
    assert "max_budget 50 (2)" in refused["detail"]
    found = portal.post(f"{ALL}/{record.id}/approve", {"granted": {"max_budget": 1, "duration": "1d"}, "reason": "Be quick."})
    assert (found["request"]["state"], found["request"]["granted"]) == ("approved", {"max_budget": 1, "duration": "1d"})
    assert {term["words"] for term in found["granted"]} == {"May spend 1 USD", "Lasts 1 day"}


def test_approving_more_than_the_offer(portal: TestPortal) -> None:
    record = reviewed(portal)
    found = portal.post(f"{ALL}/{record.id}/approve", {"granted": {"max_budget": 50}, "beyond": True})
    assert found["request"]["terms"]["max_budget"] == 50 and found["request"]["terms"]["beyond"] is True


@pytest.mark.parametrize(
    "body",
    [
        {"granted": {"max_budget": -1}},
        {"granted": {"max_bugdet": 1}},
        {"granted": {"models": []}},
        {"granted": {"models": ["\x1b[2J"]}},
        {"granted": {"duration": "1y"}},
        {"granted": {"duration": "99999d"}},
        {"granted": {"team_id": "x"}},
        {"by": "somebody else"},
        {"reason": "sk-" + "c" * 40},
        {"beyond": "perhaps"},
    ],
)
def test_terms_that_cannot_be_granted(portal: TestPortal, body: Any) -> None:
    record = reviewed(portal)
    assert "ccccccc" not in str(portal.post(f"{ALL}/{record.id}/approve", body, status=422))
    assert portal.store.get(record.id).state == "in-review"


def test_the_second_of_two_who_saw_the_same_is_told(portal: TestPortal) -> None:
    record = reviewed(portal)
    portal.post(f"{ALL}/{record.id}/approve", {"version": record.version})
    refused = portal.post(f"{ALL}/{record.id}/deny", {"reason": "No.", "version": record.version}, status=409)
    assert "is approved by now" in refused["detail"]
    assert portal.store.get(record.id).state == "approved"


def test_many_who_decide_at_once_make_one_decision(portal: TestPortal) -> None:
    record = reviewed(portal)
    bodies = [("approve", {"version": record.version}), ("deny", {"reason": "No.", "version": record.version})] * 6

    def decide(call: tuple[str, Any]) -> int:
        return portal.client.post(f"{ALL}/{record.id}/{call[0]}", json=call[1], headers=basic()).status_code

    with ThreadPoolExecutor(len(bodies)) as pool:
        statuses = sorted(pool.map(decide, bodies))
    assert statuses == [200] + [409] * (len(bodies) - 1)
    assert len(portal.store.get(record.id).history) == 3


def test_denying(portal: TestPortal) -> None:
    record = portal.ask()
    found = portal.post(f"{ALL}/{record.id}/deny", {"reason": "Too dear."})["request"]
    assert (found["state"], found["reason"], found["history"][-1]["by"]) == ("denied", "Too dear.", "admin")
    portal.post(f"{ALL}/{record.id}/deny", {"reason": ""}, status=422)


def test_retrying(portal: TestPortal) -> None:
    record = portal.ask()
    portal.post(f"{ALL}/{record.id}/retry", status=409)
    portal.store.transition(record, lambda found: transitions.mark_failed(found, at=AT, step="decide", reason="down"))
    assert portal.post(f"{ALL}/{record.id}/retry")["request"]["progress"]["failure"] is None


def test_audit(portal: TestPortal) -> None:
    record = portal.ask()
    portal.at = "2026-11-21T05:00:00Z"
    portal.people.approve(record.id, by="boss", reason="Fine.")
    events = portal.get("/api/v1/admin/audit")["events"]
    assert [(event["time"], event["event"], event["by"]) for event in events] == [(AT, "submitted", "ada@company.com"), (portal.at, "approved", "boss")]
    lines = portal.client.get("/api/v1/admin/audit.jsonl", headers=basic())
    assert [json.loads(line) for line in lines.text.splitlines()] == events
    assert lines.headers["content-type"].startswith("application/jsonl") and "attachment" in lines.headers["content-disposition"]
    for query, names in (
        ({"since": portal.at}, ["approved"]),
        ({"until": "2026-11-21T06:00:00+01:00"}, ["submitted"]),
        ({"since": "2027-01-01T00:00:00"}, []),
        ({"since": "0983-10-03T01:48:35+20:32", "until": "9999-12-31"}, ["submitted", "approved"]),
    ):
        assert [event["event"] for event in portal.get("/api/v1/admin/audit", **query)["events"]] == names
    for query in ({"since": "yesterday"}, {"until": "0"}, {"form": "2026-01-01T00:00:00Z"}):
        portal.get("/api/v1/admin/audit", status=422, **query)
