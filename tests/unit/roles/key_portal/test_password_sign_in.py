# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The administrator signs in with a form, and out again. The session ends when it shall, and nobody else gets one."""

from __future__ import annotations

import base64
import json
import logging
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.roles.key_portal.conftest import PASSWORD, KeptMails, TestPortal, Visitor, basic
from fastapi.testclient import TestClient

GOOD = {"username": "admin", "password": PASSWORD}
DOCUMENTED = "change-me-in-production"
CHALLENGE = 'Basic realm="LLM keys", charset="UTF-8"'


@pytest.fixture
def make_site(make_portal: Callable[..., TestPortal], mails: KeptMails) -> Callable[..., TestPortal]:
    usual = {"url": "https://portal", "secret": "s" * 40, "admins": "boss@example.com", "identity": "basic,link", "listing_seconds": 0}
    return lambda **options: make_portal(mails=mails, **{**usual, **options})


def sign_in(visitor: Visitor, status: int = 303, **fields: str) -> str:
    return visitor.send("/sign-in/password", {**GOOD, **fields}, status)


def status_with_cookies_of(visitor: Visitor, site: TestPortal) -> int:
    """Return what another portal answers this browser."""
    other = Visitor(site)
    other.client.cookies = visitor.client.cookies
    return int(other.client.get("/admin").status_code)


# ---------------------------------------------------------------------------------------------------------------- in and out
def test_the_administrator_signs_in_decides_and_signs_out(site: TestPortal, visitor: Visitor) -> None:
    record = site.ask()
    answer = visitor.client.get("/admin?q=ada")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=%2Fadmin%3Fq%3Dada")
    page = visitor.see(answer.headers["location"])
    assert 'name="next" value="/admin?q=ada"' in page and page.count(" required") == 3
    assert sign_in(visitor, next="/admin?q=ada") == "/admin?q=ada"
    assert record.email in visitor.see("/admin?q=ada") and ">admin</span>" in visitor.see("/admin") and "Sign out" in visitor.see("/admin")
    assert visitor.client.get("/api/v1/me").json()["method"] == "basic"
    visitor.send(f"/admin/{record.id}/approve", {"version": record.version})
    assert site.store.get(record.id).history[-1].by == "admin"
    assert visitor.send("/sign-out") == "/ask"
    assert "Sign out" not in visitor.see("/ask")
    visitor.see("/admin", 303)
    assert sign_in(visitor) == "/admin"  # the second time is as the first
    assert "Sign out" in visitor.see("/admin")


def test_the_cookie_tells_nothing_and_is_for_this_host_only(visitor: Visitor) -> None:
    token = visitor.token()
    answer = visitor.client.post("/sign-in/password", data={"csrf": token, **GOOD})
    (cookie,) = [each for each in answer.headers.get_list("set-cookie") if "-session=" in each]
    assert cookie.startswith("__Host-portal-session=") and f"Max-Age={12 * 3600};" in cookie
    assert all(f"; {word}" in cookie for word in ("HttpOnly", "Path=/", "SameSite=lax", "Secure")) and "Domain" not in cookie
    payload = cookie.partition("=")[2].partition(".")[0]
    content = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert list(content) == ["digest"] and re.fullmatch(r"[\w-]{43}", content["digest"])
    assert visitor.token() != token  # whoever knew the token of the forms before does not know this one


def test_a_session_ends_in_time(site: TestPortal, visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    sign_in(visitor)
    present = time.time()
    for hours, status in ((11.99, 200), (12.01, 303)):
        with monkeypatch.context() as patch:
            patch.setattr(time, "time", lambda hours=hours: present + hours * 3600)
            assert status_with_cookies_of(visitor, site) == status


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({}, 200),
        ({"admin_password": "another password"}, 303),
        ({"admin_username": "root"}, 303),
        ({"secret": "t" * 40}, 303),
        ({"identity": "link"}, 303),
    ],
)
def test_a_session_ends_with_the_password_the_name_and_the_secret(
    make_site: Callable[..., TestPortal], visitor: Visitor, changed: dict[str, Any], status: int
) -> None:
    sign_in(visitor)
    other = make_site(**changed)
    assert status_with_cookies_of(visitor, other) == status
    assert status_with_cookies_of(visitor, visitor.portal) == 200


def test_a_session_of_somebody_else_is_not_the_administrators(site: TestPortal, visitor: Visitor) -> None:
    signer, name = site.app.state.signer, site.settings.cookie("session")
    visitor.sign_in("ada@company.com")
    visitor.see("/admin", 403)
    for purpose, content in (
        ("session", {"digest": "x"}),
        ("session", {"email": "admin"}),
        ("admin_session", {}),
        ("admin_session", {"digest": ""}),
        ("admin_session", {"digest": ["x"]}),
        ("admin_session", {"digest": "\u00e9"}),
        ("ask", {"digest": signer.derive("admin_session", "admin", PASSWORD)}),
    ):
        other = Visitor(site)
        other.client.cookies.set(name, signer.sign(purpose, content))
        other.see("/admin", 303)


# ------------------------------------------------------------------------------------------------------------------ refusals
def test_what_is_wrong_is_said_and_counted_with_what_programs_send(visitor: Visitor, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "portal.audit")
    for field in GOOD:
        assert "Give both the user name and the password." in sign_in(visitor, 422, **{field: ""})
    for _number in range(9):
        page = sign_in(visitor, 401, password="wrong-secret")
        assert visitor.client.get("/api/admin/requests", headers=basic(password="wrong-secret")).status_code == 401
    assert "The user name or the password is wrong." in page and "wrong-secret" not in page and 'value="admin"' in page
    assert "is wrong" in sign_in(visitor, 401, username="typed-password")
    assert "is wrong" in sign_in(visitor, 401, username="jürgen\ufffe", password="é" * 5_000)
    assert "Too many wrong passwords" in sign_in(visitor, 429)
    assert visitor.client.get("/api/admin/requests", headers=basic()).status_code == 429
    found = [json.loads(record.getMessage()) for record in caplog.records if record.name == "portal.audit"]
    assert [line["event"] for line in found] == ["sign_in_failed"] * 20
    assert {line["who"] for line in found} == {"admin", "somebody"} and {line["method"] for line in found} == {"basic"}
    assert not any(words in caplog.text for words in ("wrong-secret", "typed-password", PASSWORD))


def test_signing_in_and_out_are_in_the_audit_log(visitor: Visitor, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "portal.audit")
    sign_in(visitor)
    visitor.see("/admin")
    visitor.send("/sign-out")
    found = [json.loads(record.getMessage()) for record in caplog.records if record.name == "portal.audit"]
    assert [(line["event"], line["who"], line["method"]) for line in found] == [("signed_in", "admin", "basic"), ("signed_out", "admin", "basic")]


def test_the_form_is_taken_from_our_page_only(visitor: Visitor) -> None:
    for fields, headers in (({"csrf": "0" * 64}, {}), ({}, {"Sec-Fetch-Site": "cross-site"})):
        answer = visitor.client.post("/sign-in/password", data={"csrf": visitor.token(), **GOOD, **fields}, headers=headers)
        assert answer.status_code == 403 and "session" not in str(answer.headers.get_list("set-cookie"))


def test_without_the_method_there_is_no_form(make_site: Callable[..., TestPortal]) -> None:
    visitor = Visitor(make_site(identity="link"))
    assert 'name="password"' not in visitor.see("/sign-in")
    visitor.send("/sign-in/password", GOOD, 404)
    only = Visitor(make_site(identity="basic"))
    assert 'name="email"' not in only.see("/sign-in") and ">Sign in</a>" in only.see("/ask")
    assert sign_in(only) == "/admin"


def test_without_a_page_to_sign_in_programs_and_browsers_get_the_same(make_site: Callable[..., TestPortal]) -> None:
    answer = Visitor(make_site(identity="proxy")).client.get("/admin")
    assert answer.status_code == 401 and "www-authenticate" not in answer.headers


@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example/admin", "/\\evil.example", "/sign-out", "/sign-in", "javascript:alert(1)", "admin", "", "/%0d%0a\r\nx"]
)
def test_nobody_is_led_elsewhere(visitor: Visitor, path: str) -> None:
    assert sign_in(visitor, next=path) == "/admin"


# ---------------------------------------------------------------------------------------------------- the documented password
def test_the_documented_password_is_for_this_machine_only(make_site: Callable[..., TestPortal]) -> None:
    site = make_site(admin_password=DOCUMENTED)
    here, elsewhere = Visitor(site), Visitor(site)
    here.client = TestClient(site.app, base_url="https://portal", client=("127.0.0.1", 50000), headers=here.client.headers, follow_redirects=False)
    assert "is wrong" in sign_in(elsewhere, 401, password=DOCUMENTED)
    sign_in(here, password=DOCUMENTED)
    here.see("/admin")
    here.see("/admin", 303, **{"X-Forwarded-For": "192.0.2.7"})  # a cookie that was carried elsewhere


# ----------------------------------------------------------------------------------------------------- who is asked in which way
@pytest.mark.parametrize(
    ("headers", "status", "challenge"),
    [
        ({}, 303, None),
        ({"Accept": "*/*"}, 401, CHALLENGE),
        ({"Accept": "application/json"}, 401, CHALLENGE),
        ({"Authorization": "Basic x"}, 401, CHALLENGE),
        (basic(password="wrong"), 401, CHALLENGE),
        ({"Accept": "*/*", "HX-Request": "true"}, 401, None),
        (basic(), 200, None),
    ],
)
def test_browsers_get_the_page_and_programs_the_challenge(visitor: Visitor, headers: dict[str, str], status: int, challenge: str | None) -> None:
    answer = visitor.client.get("/admin", headers=headers)
    assert (answer.status_code, answer.headers.get("www-authenticate")) == (status, challenge)
    for path in ("/api/admin/requests", "/api/v1/admin/requests"):
        answer = visitor.client.get(path, headers={"Accept": "text/html", **headers})
        assert answer.status_code == (200 if status == 200 else 401)
        assert status == 200 or answer.headers["www-authenticate"].startswith("Basic")


def test_whoever_sends_a_form_after_the_session_comes_back_to_its_page(site: TestPortal, visitor: Visitor) -> None:
    record = site.ask()
    assert visitor.send(f"/admin/{record.id}/deny", {"reason": "No."}) == f"/sign-in?next=%2Fadmin%2F{record.id}"
    assert visitor.send("/admin/several", {"action": "approve"}) == "/sign-in?next=%2Fadmin"
    assert site.store.get(record.id) == record


def test_a_person_without_the_role_is_told_so(visitor: Visitor) -> None:
    visitor.sign_in("ada@company.com")
    page = visitor.see("/admin?tab=all", 403)
    assert "This page is for administrators." in page and "/sign-in?next=%2Fadmin%3Ftab%3Dall" in page
    sign_in(visitor)
    assert visitor.see("/admin?tab=all")
    visitor.see("/mine", 401)  # a browser has one session
    visitor.sign_in("ada@company.com")
    assert visitor.see("/mine") and visitor.see("/admin", 403)
