# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The calls of the LLM Key Requestor, as its front end, its admin panel and scripts make them (facts of release 39602c9)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import transitions
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import StoreUnreachable
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import DENIED, IN_REVIEW
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.transitions import Ruling
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.catalogue import site_catalogue
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.roles.key_portal.conftest import AT, PASSWORD, TestPortal, basic

CREATED = "Key request for granite has been created successfully. You will be notified via email once your request is processed."
TROUBLE = "An error occurred while processing your request. Please try again later."
NOBODY: dict[str, str] = {}


def request_key(portal: TestPortal, email: str = "ada@company.com", llm: str = "granite") -> dict[str, Any]:
    answer: dict[str, Any] = portal.post("/api/request-key", {"llm": llm, "email": email}, NOBODY)
    return answer


def test_the_root_says_what_it_is(portal: TestPortal) -> None:
    assert portal.get("/", NOBODY) == {"message": "LLM Key Requestor API", "status": "active"}


def test_models_have_the_fields_of_the_requestor(make_portal: Callable[..., TestPortal]) -> None:
    site, _warnings = site_catalogue(
        [{"id": "granite", "title": "Granite", "icon": "simple-icons:ibm", "color": "#0f62fe", "description": "Good."}],
        [{"id": "granite", "title": "Granite", "subtitle": "Open", "documentation_link": "https://example.com/granite"}],
    )
    portal = make_portal(site=site)
    card = {"id": "granite", "title": "Granite", "icon": "simple-icons:ibm", "color": "#0f62fe", "description": "Good."}
    assert portal.get("/api/models", NOBODY) == {"models": [card]}
    (featured,) = portal.get("/api/featured-models", NOBODY)["models"]
    assert featured == {
        "id": "granite",
        "title": "Granite",
        "subtitle": "Open",
        "description": "",
        "documentation_link": "https://example.com/granite",
        "icon": "mdi:robot",
        "color": "#6366f1",
    }


# ------------------------------------------------------------------------------------------------------------- asking
def test_a_new_request_is_created(portal: TestPortal) -> None:
    answer = request_key(portal)
    record = portal.store.get(answer["request_id"])
    assert answer == {"message": CREATED, "success": True, "request_id": record.id}
    assert (record.email, record.models, record.state, record.origin, record.verified_at) == ("ada@company.com", ("granite",), "pending", "portal", "")


def decided(portal: TestPortal, state: str) -> None:
    record = portal.ask()
    if state == "approved":
        portal.people.approve(record.id, by="boss")
    elif state == "denied":
        portal.people.deny(record.id, by="boss", reason="No.")
    elif state == "in-review":
        portal.store.transition(record, lambda found: transitions.decide(found, IN_REVIEW, Ruling("Look."), by="chain", at=AT))


MESSAGES = {
    "pending": "Your key request for granite is pending approval. You will be notified via email once approved.",
    "approved": "Your key request for granite has been approved. Check your email for the API key.",
    "denied": "Your key request for granite was denied. Please contact support for more information.",
    "in-review": "Your key request for granite is being processed.",
}


@pytest.mark.parametrize("state", MESSAGES)
def test_an_earlier_request_is_told_if_that_is_wanted(make_portal: Callable[..., TestPortal], state: str) -> None:
    portal = make_portal(tell_state=True)
    decided(portal, state)
    answer = request_key(portal)
    assert answer == {"message": MESSAGES[state], "success": True, "request_id": portal.ask().id}


@pytest.mark.parametrize("state", MESSAGES)
def test_a_stranger_learns_nothing_of_an_earlier_request(make_portal: Callable[..., TestPortal], tmp_path: Path, state: str) -> None:
    fresh = TestPortal(tmp_path / "other")
    known = make_portal()
    decided(known, state)
    assert request_key(known) == request_key(fresh)


def test_a_cancelled_request_starts_again(make_portal: Callable[..., TestPortal]) -> None:
    portal = make_portal(tell_state=True)
    portal.people.cancel(portal.ask().id)
    assert request_key(portal)["message"] == CREATED


@pytest.mark.parametrize("email", ["", "nobody", "ada@", "ada@company.com\r\nBcc: all@company.com", "erased@erased.invalid", "a" * 300 + "@company.com"])
def test_a_bad_address_is_no_success_and_no_error(portal: TestPortal, email: str) -> None:
    assert request_key(portal, email) == {"message": TROUBLE, "success": False, "request_id": None}
    assert portal.store.listing().records == ()


@pytest.mark.parametrize("llm", ["", "openai/*", "*", "all-proxy-models", "a,b", "sk-" + "a" * 40, "x" * 300, "a\nb", "\u202egpt"])
def test_what_is_not_one_model_cannot_be_asked_for(portal: TestPortal, llm: str) -> None:
    assert request_key(portal, llm=llm)["success"] is False


@pytest.mark.parametrize("body", [{}, {"llm": "granite"}, {"email": "ada@company.com"}, {"llm": 1, "email": []}, [], "x", None])
def test_a_missing_field_is_422(portal: TestPortal, body: Any) -> None:
    problems = portal.post("/api/request-key", body, NOBODY, 422)["detail"]
    assert problems and all(set(problem) == {"loc", "msg", "type"} for problem in problems)


def test_a_field_more_does_no_harm(portal: TestPortal) -> None:
    assert portal.post("/api/request-key", {"llm": "granite", "email": "ada@company.com", "locale": "de"}, NOBODY)["success"] is True


def test_a_store_that_is_down_is_no_success(portal: TestPortal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portal.store, "_read", _down)
    assert request_key(portal) == {"message": TROUBLE, "success": False, "request_id": None}


def _down(*_arguments: Any, **_options: Any) -> Any:
    raise StoreUnreachable("The Kubernetes API at https://10.0.0.1 does not answer.")


# ----------------------------------------------------------------------------------------------------- administrators
def test_credentials_are_verified(portal: TestPortal) -> None:
    assert portal.post("/api/admin/verify") == {"authenticated": True, "username": "admin"}


WRONG = [
    basic(password="wrong"),
    basic("root"),
    basic("admin", ""),
    {"Authorization": "Basic %%%"},
    {"Authorization": "Basic"},
    {"Authorization": "Basic " + "A" * 999},
]


@pytest.mark.parametrize("headers", WRONG)
@pytest.mark.parametrize(("method", "path"), [("POST", "/api/admin/verify"), ("GET", "/api/admin/requests"), ("GET", "/api/admin/requests/x")])
def test_wrong_credentials_are_refused(portal: TestPortal, headers: dict[str, str], method: str, path: str) -> None:
    answer = portal.client.request(method, path, headers=headers)
    assert (answer.status_code, answer.json(), answer.headers["www-authenticate"]) == (401, {"detail": "Invalid credentials"}, "Basic")


def test_without_credentials_there_is_a_challenge(portal: TestPortal) -> None:
    answer = portal.client.get("/api/admin/requests")
    assert answer.status_code == 401 and answer.headers["www-authenticate"].startswith("Basic")


def test_credentials_may_be_of_any_language(make_portal: Callable[..., TestPortal]) -> None:
    portal = make_portal(admin_username="jürgen", admin_password="päß:wort")
    assert portal.post("/api/admin/verify", headers=basic("jürgen", "päß:wort"))["username"] == "jürgen"


def test_the_documented_password_is_for_this_machine_only(make_portal: Callable[..., TestPortal]) -> None:
    documented = basic(password="change-me-in-production")
    here, elsewhere = (make_portal(admin_password="change-me-in-production", client=client) for client in ("127.0.0.1", "192.0.2.7"))
    assert here.post("/api/admin/verify", headers=documented)["authenticated"]
    elsewhere.post("/api/admin/verify", headers=documented, status=401)
    here.post("/api/admin/verify", headers={**documented, "X-Forwarded-For": "192.0.2.7"}, status=401)
    assert make_portal(client="192.0.2.7").post("/api/admin/verify", headers=basic(password=PASSWORD))["authenticated"]


def test_filters(portal: TestPortal) -> None:
    pending = portal.ask("pending@company.com")
    reviewed = portal.ask("review@company.com")
    portal.store.transition(reviewed, lambda found: transitions.decide(found, IN_REVIEW, Ruling("Look."), by="chain", at=AT))
    denied = portal.ask("denied@company.com")
    portal.people.deny(denied.id, by="boss", reason="No.")
    ids = {name: {entry["request_id"] for entry in portal.get("/api/admin/requests", filter=name)} for name in ("pending", "review", "all", "", "whatever")}
    everything = {pending.id, reviewed.id, denied.id}
    assert ids == {"pending": {pending.id}, "review": {reviewed.id}, "all": everything, "": everything, "whatever": everything}
    assert {entry["request_id"] for entry in portal.get("/api/admin/requests")} == {pending.id}


def test_the_shape_of_a_request(portal: TestPortal) -> None:
    record = portal.ask()
    shape = {"request_id": record.id, "email": "ada@company.com", "model": "granite", "state": "pending", "created_at": AT, "updated_at": AT, "api_key": None}
    assert portal.get("/api/admin/requests") == [shape]
    assert portal.get(f"/api/admin/requests/{record.id}") == shape


def test_a_package_stands_where_the_model_does(portal: TestPortal) -> None:
    portal.ask(package="dev")
    assert [entry["model"] for entry in portal.get("/api/admin/requests")] == ["dev"]


def test_approving(portal: TestPortal) -> None:
    record = portal.ask()
    assert portal.post(f"/api/admin/requests/{record.id}/approve") == {"success": True, "message": f"Request {record.id} approved successfully"}
    found = portal.store.get(record.id)
    assert (found.state, found.reason, found.history[-1].by) == ("approved", "Manually approved by admin admin", "admin")
    assert portal.get("/api/admin/requests") == [], "what was changed here shows at once"


def test_denying(portal: TestPortal) -> None:
    record = portal.ask()
    answer = portal.post(f"/api/admin/requests/{record.id}/deny", {"reason": "Too dear."})
    assert answer == {"success": True, "message": f"Request {record.id} denied successfully"}
    found = portal.store.get(record.id)
    assert (found.state, found.reason) == (DENIED, "Manually denied by admin admin: Too dear.")


def test_a_decision_can_be_turned_around_until_there_is_a_key(portal: TestPortal) -> None:
    record = portal.ask()
    portal.post(f"/api/admin/requests/{record.id}/deny", {"reason": "No."})
    portal.post(f"/api/admin/requests/{record.id}/approve")
    portal.post(f"/api/admin/requests/{record.id}/approve")
    portal.store.transition(portal.store.get(record.id), lambda found: transitions.mark_minted(found, at=AT, key_alias=f"request-{found.id}"))
    answer = portal.post(f"/api/admin/requests/{record.id}/deny", {"reason": "No."}, status=409)
    assert "delete the key" in answer["detail"]


@pytest.mark.parametrize("body", [None, {}, {"reason": None}, {"reason": 5}, {"reason": "x" * 2000}, {"reason": "sk-" + "a" * 40}, {"reason": "a\x1b[2Jb"}])
def test_a_denial_needs_a_reason_that_can_be_kept(portal: TestPortal, body: Any) -> None:
    record = portal.ask()
    answer = portal.post(f"/api/admin/requests/{record.id}/deny", body, status=422)
    assert "aaaaaaaaaa" not in str(answer)
    assert portal.store.get(record.id).state == "pending"


@pytest.mark.parametrize("name", ["6d0f0b1e-53a7-5c0b-9a0e-0f5f1c1d2a37", "..", "%2e%2e%2fetc", "A", "x" * 300, "%00", "a%0d%0ab", "\u202e"])
@pytest.mark.parametrize(("method", "rest"), [("GET", ""), ("POST", "/approve"), ("POST", "/deny")])
def test_an_unknown_request_is_404(portal: TestPortal, method: str, rest: str, name: str) -> None:
    answer = portal.client.request(method, f"/api/admin/requests/{name}{rest}", headers=basic(), json={"reason": "No."} if rest == "/deny" else None)
    assert answer.status_code == 404
    assert answer.json()["detail"] in ("Request not found", "Not Found")  # the latter where the path is another one


@pytest.mark.parametrize(
    ("method", "rest", "message"),
    [
        ("GET", "", "Failed to fetch requests"),
        ("GET", "/some-id", "Failed to fetch request details"),
        ("POST", "/some-id/approve", "Failed to approve request"),
        ("POST", "/some-id/deny", "Failed to deny request"),
    ],
)
def test_a_store_that_is_down_is_500_in_the_words_of_the_requestor(
    portal: TestPortal, monkeypatch: pytest.MonkeyPatch, method: str, rest: str, message: str
) -> None:
    monkeypatch.setattr(portal.store, "_read", _down)
    monkeypatch.setattr(portal.store, "_names", _down)
    answer = portal.client.request(method, f"/api/admin/requests{rest}", headers=basic(), json={"reason": "No."} if "deny" in rest else None)
    assert (answer.status_code, answer.json()) == (500, {"detail": message})


def test_a_record_that_cannot_be_read_breaks_no_list(portal: TestPortal) -> None:
    good = portal.ask()
    (Path(str(portal.store.place).removeprefix("the directory ")) / "bad.json").write_text("{")
    assert [entry["request_id"] for entry in portal.get("/api/admin/requests", filter="all")] == [good.id]
    assert portal.get("/api/admin/requests/bad", status=500) == {"detail": "Failed to fetch request details"}


# ---------------------------------------------------------------------------------------------------------------- CORS
PANEL = "http://localhost:5174"


def test_the_admin_panel_may_call_from_its_origin(portal: TestPortal) -> None:
    asked = {"Origin": PANEL, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    answer = portal.client.options("/api/admin/verify", headers=asked)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == PANEL
    assert answer.headers["access-control-allow-credentials"] == "true"
    answer = portal.client.post("/api/admin/verify", headers={**basic(), "Origin": PANEL})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, PANEL)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:5174.evil.example", "http://portal.evil.example", "http://["])
def test_a_page_of_another_origin_can_decide_nothing(portal: TestPortal, origin: str) -> None:
    record = portal.ask()
    answer = portal.client.post(f"/api/admin/requests/{record.id}/approve", headers={**basic(), "Origin": origin})
    assert answer.status_code == 403 and "access-control-allow-origin" not in answer.headers
    assert portal.store.get(record.id).state == "pending"


def test_a_page_of_the_portal_itself_may_call(portal: TestPortal) -> None:
    assert portal.post("/api/admin/verify", headers={**basic(), "Origin": "http://portal"})["authenticated"]


def test_several_origins(make_portal: Callable[..., TestPortal]) -> None:
    portal = make_portal(cors_origins="https://keys.example.com; https://admin.example.com/")
    for origin in ("https://keys.example.com", "https://admin.example.com"):
        answer = portal.client.get("/api/models", headers={"Origin": origin})
        assert answer.headers["access-control-allow-origin"] == origin
    assert "access-control-allow-origin" not in portal.client.get("/api/models", headers={"Origin": PANEL}).headers


def test_every_origin_may_call_without_credentials(make_portal: Callable[..., TestPortal]) -> None:
    portal = make_portal(cors_origins="*")
    answer = portal.client.get("/api/models", headers={"Origin": "https://evil.example", "Cookie": "a=b"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
    portal.post("/api/admin/verify", headers={**basic(), "Origin": "https://evil.example"}, status=403)


def test_few_keys_are_asked_for_one_address_and_the_answers_tell_nothing_of_the_store(make_portal: Callable[..., TestPortal]) -> None:
    portal = make_portal(requests_per_address="2/hour")
    portal.ask("ada@company.com", models=("recorded",))

    def ask(model: str, email: str = "ada@company.com") -> bool:
        return bool(portal.post("/api/request-key", {"llm": model, "email": email}, {})["success"])

    assert [ask("new"), ask("other"), ask("third"), ask("recorded")] == [True, True, False, False]
    assert [ask("new"), ask("new", "ADA@company.com"), ask("third", "bob@company.com")] == [True, True, True], "the same again is no other key"
    assert {record.models[0] for record in portal.store.listing().records if record.email == "ada@company.com"} == {"recorded", "new", "other"}


def test_few_keys_are_asked_for_one_mailbox_under_all_its_names(make_portal: Callable[..., TestPortal]) -> None:
    portal = make_portal(requests_per_address="2/hour")
    made = [portal.post("/api/request-key", {"llm": "granite", "email": f"ada+{number}@company.com"}, {})["success"] for number in range(4)]
    assert made == [True, True, False, False]


def test_one_peer_asks_for_few_keys(make_portal: Callable[..., TestPortal]) -> None:
    portal = make_portal(requests_per_peer="3/hour")
    for number in range(3):
        portal.post("/api/request-key", {"llm": "granite", "email": f"p{number}@company.com"}, {})
    assert "Too many requests" in portal.post("/api/request-key", {"llm": "granite", "email": "one@company.com"}, {}, 429)["detail"]
    assert len(portal.store.listing().records) == 3
