# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Every call of the LLM Key Requestor in one table: who may make it, what it takes, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.roles.key_portal.conftest import TestPortal, basic

ID = "{id}"
"""Stands for the id of the request that is there."""
REQUEST = {"request_id", "email", "model", "state", "created_at", "updated_at", "api_key"}


@dataclass(frozen=True)
class Call:
    """A call; `fields` are those of its answer or of each entry of it, `missing` is a body in which a field is missing."""

    method: str
    path: str
    body: Any = None
    answer: Any = None
    fields: frozenset[str] = frozenset()
    is_admin: bool = False
    missing: Any = None
    field: str = ""


CALLS = [
    Call("GET", "/", answer={"message": "LLM Key Requestor API", "status": "active"}),
    Call("GET", "/health", fields=frozenset(("status", "components"))),
    Call("GET", "/api/models", answer={"models": []}),
    Call("GET", "/api/featured-models", answer={"models": []}),
    Call(
        "POST",
        "/api/request-key",
        {"llm": "mistral", "email": "bob@company.com"},
        fields=frozenset(("message", "success", "request_id")),
        missing={"llm": "mistral"},
        field="email",
    ),
    Call("POST", "/api/admin/verify", answer={"authenticated": True, "username": "admin"}, is_admin=True),
    Call("GET", "/api/admin/requests", fields=frozenset(REQUEST), is_admin=True),
    Call("GET", "/api/admin/requests?filter=review", answer=[], is_admin=True),
    Call("GET", "/api/admin/requests?filter=all", fields=frozenset(REQUEST), is_admin=True),
    Call("GET", "/api/admin/requests?filter=whatever", fields=frozenset(REQUEST), is_admin=True),
    Call("GET", f"/api/admin/requests/{ID}", fields=frozenset(REQUEST), is_admin=True),
    Call("POST", f"/api/admin/requests/{ID}/approve", answer={"success": True, "message": f"Request {ID} approved successfully"}, is_admin=True),
    Call(
        "POST",
        f"/api/admin/requests/{ID}/deny",
        {"reason": "No."},
        answer={"success": True, "message": f"Request {ID} denied successfully"},
        is_admin=True,
        missing={},
        field="reason",
    ),
]


def by_call(applies: Callable[[Call], object] = bool) -> pytest.MarkDecorator:
    """Return the mark that runs a test for each call to which it applies."""
    return pytest.mark.parametrize("call", [call for call in CALLS if applies(call)], ids=lambda call: f"{call.method} {call.path}")


def make(portal: TestPortal, call: Call, request_id: str, *, path: str = "", body: Any = None, **headers: str) -> Any:
    target = (path or call.path).replace(ID, request_id)
    return portal.client.request(call.method, target, json=call.body if body is None else body, headers={**(basic() if call.is_admin else {}), **headers})


@by_call()
def test_its_answer(portal: TestPortal, call: Call) -> None:
    request_id = portal.ask().id
    answer = make(portal, call, request_id)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    found = answer.json()
    if call.answer is not None:
        assert found == (call.answer if ID not in str(call.answer) else {**call.answer, "message": call.answer["message"].replace(ID, request_id)})
    for entry in found if isinstance(found, list) else [found]:
        assert call.fields <= entry.keys()


@by_call(lambda call: call.is_admin)
def test_who_may_make_it(portal: TestPortal, call: Call) -> None:
    request_id = portal.ask().id
    for wrong, detail in (({"Authorization": ""}, "Not authenticated"), (basic(password="wrong"), "Invalid credentials")):
        answer = make(portal, call, request_id, **wrong)
        assert (answer.status_code, answer.json(), answer.headers["www-authenticate"].startswith("Basic")) == (401, {"detail": detail}, True)


@by_call(lambda call: call.field)
def test_a_field_that_is_missing_and_no_body(portal: TestPortal, call: Call) -> None:
    request_id = portal.ask().id
    answer = make(portal, call, request_id, body=call.missing)
    assert answer.status_code == 422
    (problem,) = answer.json()["detail"]
    assert (problem["loc"], problem["type"], set(problem)) == (["body", call.field], "missing", {"loc", "msg", "type"})
    empty = portal.client.request(call.method, call.path.replace(ID, request_id), headers=basic())
    assert (empty.status_code, empty.json()["detail"][0]["loc"]) == (422, ["body"])


@by_call(lambda call: call.path != "/")
def test_a_slash_more_is_another_path(portal: TestPortal, call: Call) -> None:
    path, mark, query = call.path.partition("?")
    assert make(portal, call, portal.ask().id, path=f"{path}/{mark}{query}").status_code == 404


@by_call()
def test_a_panel_may_ask_first_whether_it_may(portal: TestPortal, call: Call) -> None:
    headers = {"Origin": "http://localhost:5174", "Access-Control-Request-Method": call.method, "Access-Control-Request-Headers": "authorization, x-own"}
    answer = portal.client.options(call.path.replace(ID, "x"), headers=headers)
    allowed = {name.removeprefix("access-control-allow-"): value for name, value in answer.headers.items() if name.startswith("access-control-allow-")}
    assert (answer.status_code, allowed["origin"], allowed["credentials"]) == (200, "http://localhost:5174", "true")
    assert call.method in allowed["methods"] and "x-own" in allowed["headers"]
    assert portal.client.options(call.path.replace(ID, "x"), headers={**headers, "Origin": "https://evil.example"}).status_code == 400


@by_call(lambda call: ID in call.path)
def test_a_request_that_does_not_exist(portal: TestPortal, call: Call) -> None:
    answer = make(portal, call, "6d0f0b1e-53a7-5c0b-9a0e-0f5f1c1d2a37")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Request not found"})
