# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Our own calls for people: what somebody does with requests of their own, and that nobody reaches those of others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import transitions
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.catalogue_snapshot import publish_catalogue, snapshot_of
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import Record
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.roles.key_portal.conftest import AT, TestPortal, basic, person

ADA, BOB = person("ada@company.com"), person("bob@company.com")
MINE = "/api/v1/requests"


def minted(portal: TestPortal, record: Record, expires: str = "2026-12-21T04:00:00Z") -> Record:
    portal.people.approve(record.id, by="boss", granted={"models": ["granite"], "duration": "30d"})
    change = portal.store.transition(
        portal.store.get(record.id), lambda found: transitions.mark_minted(found, at=AT, key_alias=f"request-{found.id}", expires=expires)
    )
    assert change.after is not None
    return change.after


def test_who_calls(portal: TestPortal) -> None:
    assert portal.get("/api/v1/me", ADA) == {"who": "ada@company.com", "email": "ada@company.com", "roles": ["person"], "method": "test"}
    assert portal.get("/api/v1/me") == {"who": "admin", "email": None, "roles": ["admin", "auditor", "operator", "reviewer"], "method": "basic"}
    portal.get("/api/v1/me", {}, 401)
    assert portal.get("/api/v1/me", person("forged"), 401) == {"detail": "The link is not valid."}


def test_asking(portal: TestPortal) -> None:
    wanted = {"package": "dev", "purpose": "A demo\nfor customers", "duration": "7d", "max_budget": 2.5, "language": "de"}
    answer = portal.post(MINE, wanted, ADA)
    record = portal.store.get(answer["request"]["id"])
    assert answer["changed"] is True
    assert (record.email, record.package, record.purpose, record.duration, record.max_budget) == ("ada@company.com", *list(wanted.values())[:4])
    assert (record.language, record.origin, record.verified_at, record.history[0].by) == ("de", "portal", AT, "ada@company.com")
    assert portal.post(MINE, wanted, ADA) == {"request": answer["request"], "changed": False}


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"models": ["a"], "package": "b"},
        {"models": ["openai/*"]},
        {"models": ["a", ""]},
        {"package": "../x"},
        {"package": "dev", "duration": "1y"},
        {"package": "dev", "duration": "0d"},
        {"package": "dev", "duration": "99999d"},
        {"package": "dev", "max_budget": -1},
        {"package": "dev", "max_budget": 1e400},
        {"package": "dev", "max_budget": "much"},
        {"package": "dev", "budget": 5},
        {"package": "dev", "purpose": "x" * 2001},
        {"package": "dev", "purpose": "the key is sk-" + "b" * 40},
        {"package": "dev", "purpose": "\u202edaolnwod"},
        {"package": "dev", "language": "../../"},
    ],
)
def test_what_no_request_can_hold_is_refused_and_not_repeated(portal: TestPortal, wanted: dict[str, Any]) -> None:
    answer = portal.client.post(MINE, content=json.dumps(wanted), headers={**ADA, "Content-Type": "application/json"})
    assert answer.status_code == 422, answer.text
    assert "bbbbbbbb" not in answer.text and "xxxxxx" not in answer.text
    assert portal.store.listing().records == ()


def test_only_my_requests(portal: TestPortal) -> None:
    mine = portal.ask("Ada@company.com")
    portal.ask("bob@company.com")
    found = portal.get(MINE, ADA)
    assert [entry["id"] for entry in found["requests"]] == [mine.id] and found["total"] == 1
    assert "bob" not in str(found)
    portal.get(MINE, {}, 401)
    portal.get(MINE, basic(), 403)


def test_pages(portal: TestPortal) -> None:
    for number in range(5):
        portal.at = f"2026-11-21T04:00:0{number}Z"
        portal.ask(models=(f"model-{number}",))
    seen = [[entry["models"] for entry in portal.get(MINE, ADA, page=page, page_size=2)["requests"]] for page in (1, 2, 3, 4)]
    assert seen == [[["model-4"], ["model-3"]], [["model-2"], ["model-1"]], [["model-0"]], []]
    assert portal.get(MINE, ADA, state="approved")["total"] == 0
    for query in ({"page": 0}, {"page_size": 501}, {"page": "x"}, {"state": "open"}):
        portal.get(MINE, ADA, 422, **query)


def test_what_a_requester_sees(portal: TestPortal) -> None:
    record = minted(portal, portal.ask(purpose="A demo", models=("granite",)))
    shown = portal.get(f"{MINE}/{record.id}", ADA)
    assert shown["key"] == {"alias": f"request-{record.id}", "minted_at": AT, "expires": "2026-12-21T04:00:00Z", "ended_at": None, "delivered": {}}
    assert [(entry["at"], entry["state"]) for entry in shown["timeline"]] == [(AT, "pending"), (AT, "approved")]
    assert {entry["words"] for entry in shown["timeline"][1]["terms"]} == {"Models: granite", "Lasts 30 days"}
    assert "boss" not in str(shown), "who decided is no business of the requester's"


@pytest.mark.parametrize(("method", "rest", "body"), [("GET", "", None), ("POST", "/cancel", {}), ("POST", "/renew", {}), ("POST", "/extend", {})])
@pytest.mark.parametrize("caller", [BOB, basic(), {}, person("ada@company.com.evil.example")])
def test_an_id_is_no_right(portal: TestPortal, method: str, rest: str, body: Any, caller: dict[str, str]) -> None:
    record = minted(portal, portal.ask())
    answer = portal.client.request(method, f"{MINE}/{record.id}{rest}", json=body, headers=caller)
    missing = portal.client.request(method, f"{MINE}/{record.id[::-1]}{rest}", json=body, headers=caller)
    assert answer.status_code == missing.status_code and answer.status_code in (401, 403, 404)
    assert answer.json() == missing.json(), "whether it exists stays unknown"
    assert portal.store.get(record.id) == record


def test_cancelling(portal: TestPortal) -> None:
    record = portal.ask()
    answer = portal.post(f"{MINE}/{record.id}/cancel", {"reason": "Not needed."}, ADA)["request"]
    assert (answer["state"], answer["cancelled"], answer["reason"]) == ("denied", True, "Not needed.")
    assert portal.get(MINE, ADA)["requests"][0]["state"] == "denied"


def test_a_key_cannot_be_cancelled(portal: TestPortal) -> None:
    record = minted(portal, portal.ask())
    assert "delete the key" in portal.post(f"{MINE}/{record.id}/cancel", {}, ADA, 409)["detail"]


@pytest.mark.parametrize(("call", "from_end"), [("renew", False), ("extend", True)])
def test_more_time(portal: TestPortal, call: str, from_end: bool) -> None:
    record = minted(portal, portal.ask())
    answer = portal.post(f"{MINE}/{record.id}/{call}", {"duration": "7d", "purpose": "The demo goes on."}, ADA)["request"]
    assert (answer["renews"], answer["from_end"], answer["duration"], answer["state"]) == (record.id, from_end, "7d", "pending")


def test_nothing_to_renew(portal: TestPortal) -> None:
    assert "has no key yet" in portal.post(f"{MINE}/{portal.ask().id}/renew", {}, ADA, 409)["detail"]


def test_a_key_that_has_ended_cannot_be_extended_but_asked_for_again(portal: TestPortal) -> None:
    record = minted(portal, portal.ask(), expires="2026-11-21T05:00:00Z")
    portal.at = "2026-11-22T00:00:00Z"
    portal.post(f"{MINE}/{record.id}/extend", {}, ADA, 409)
    assert portal.post(f"{MINE}/{record.id}/renew", {}, ADA)["request"]["state"] == "pending"


def test_a_record_that_cannot_be_read_is_nobodys(portal: TestPortal, tmp_path: Path) -> None:
    record = portal.ask()
    (tmp_path / "requests" / f"{record.id}.json").write_text("{")
    portal.get(f"{MINE}/{record.id}", ADA, 404)
    assert portal.get(MINE, ADA)["requests"] == []


def test_the_catalogue(portal: TestPortal) -> None:
    dev = {"models": ["granite"], "duration": "30d", "max_budget": 5, "rpm_limit": 60, "team_id": "secret-team"}
    snapshot = snapshot_of(AT, ["granite", "openai/*"], ["beta"], packages={"dev": dev}, looks={"dev": {"title": "Development"}}, limits={"max_budget": 10})
    publish_catalogue(portal.store, snapshot)
    found = portal.get("/api/v1/catalogue", {})
    assert [model["id"] for model in found["models"]] == ["granite"]
    assert (found["wildcards"], found["groups"], found["at"]) == (["openai/*"], ["beta"], AT)
    (package,) = found["packages"]
    assert (package["id"], package["title"]) == ("dev", "Development")
    assert [term["words"] for term in package["terms"]] == ["Models: granite", "Lasts 30 days", "May spend 5 USD", "Up to 60 requests a minute"]
    assert [term["words"] for term in found["limits"]] == ["May spend 10 USD"]
    assert "secret-team" not in str(found)


def test_a_page_of_another_origin_asks_for_nothing(portal: TestPortal) -> None:
    portal.post(MINE, {"package": "dev"}, {**ADA, "Origin": "https://evil.example"}, 403)
