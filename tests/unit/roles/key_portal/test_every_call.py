# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Every call and every page that there is, whichever it is: with hostile text everywhere, from elsewhere, and while the store is down."""

from __future__ import annotations

import importlib
import logging
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import Record
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal import api, pages
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.roles.key_portal.conftest import KeptMails, TestPortal, Visitor

KEY = "sk-" + "q" * 43
HOSTILE = (
    "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>",
    "{{ 7 * 7 }}{% raw %}",
    "\u202edaol",
    "a\x00b",
    "x" * 10_000,
    "../../../etc/passwd",
    "\r\nSet-Cookie: evil=1",
    KEY,
    "é\U0001f4a9\u0663",
    "9" * 400,
    "",
)
FIELDS: dict[str, tuple[str, ...]] = {
    "/ask": ("what", "other", "purpose", "duration", "max_budget", "email", "agree"),
    "/sign-in": ("email",),
    "/sign-in/password": ("username", "password", "next"),
    "/link": ("t",),
    "/language": ("language", "back"),
    "/mine/{request_id}/renew": ("duration", "purpose"),
    "/mine/{request_id}/extend": ("duration", "purpose"),
    "/admin/several": ("action", "reason", "back", "ids"),
    "/admin/{request_id}/approve": ("models", "duration", "max_budget", "rpm_limit", "reason", "version", "beyond", "back"),
    "/admin/{request_id}/deny": ("reason", "version"),
    "/open/{box_id}": ("proof",),
    "/api/request-key": ("llm", "email"),
    "/api/admin/requests/{request_id}/deny": ("reason",),
    "/api/v1/requests": ("models", "package", "purpose", "duration", "max_budget", "language"),
    "/api/v1/requests/{request_id}/cancel": ("reason",),
    "/api/v1/requests/{request_id}/renew": ("duration", "purpose", "max_budget"),
    "/api/v1/requests/{request_id}/extend": ("duration", "purpose", "max_budget"),
    "/api/v1/admin/requests/{request_id}/approve": ("reason", "version", "granted", "beyond"),
    "/api/v1/admin/requests/{request_id}/deny": ("reason", "version"),
}
"""What each call with a body takes."""
QUERIES = ("what", "q", "t", "page", "said", "tab", "sort", "ids", "seen", "done", "failed", "filter", "state", "search", "since", "until", "page_size")
HEADERS = (
    *("Accept", "Accept-Language", "Accept-Encoding", "Authorization", "Content-Type", "Cookie", "Forwarded", "Host", "HX-Request", "If-None-Match", "Origin"),
    *("Range", "Referer", "Sec-Fetch-Site", "X-CSRF-Token", "X-Forwarded-Email", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP"),
)
GOOD = {"what": "other", "other": "granite", "purpose": "A demo", "agree": "yes", "action": "approve", "llm": "granite", "email": "ada@company.com"}
JSON = ("/api/", "/open/")
DOWN = "cannot be read at the moment"


def calls() -> list[tuple[str, str]]:
    """Return method and path of every call, those of pages and of the API: each of their files has a router."""
    names = [f"{package.__name__}.{module.name}" for package in (api, pages) for module in pkgutil.iter_modules(package.__path__)]
    routers = [router for name in names if (router := getattr(importlib.import_module(name), "router", None))]
    return sorted((method, route.path) for router in routers for route in router.routes for method in route.methods)


CALLS = calls()
WRITING = [path for method, path in CALLS if method == "POST"]


def test_the_fields_of_every_call_are_known() -> None:
    without = {"/sign-out", "/mine/{request_id}/cancel", "/mine/{request_id}/reseal", "/admin/{request_id}/retry", "/api/admin/verify"}
    without |= {"/api/admin/requests/{request_id}/approve", "/api/v1/admin/requests/{request_id}/retry"}
    assert {*FIELDS, *without} == set(WRITING)


class Boss(Visitor):
    """An administrator with an address, who has a request as well."""

    def __init__(self, site: TestPortal, records: dict[str, Record]) -> None:
        super().__init__(site)
        self.records = records
        self.enter()

    def enter(self) -> None:
        """Sign in, with a new token of forms."""
        self.sign_in("boss@example.com")
        self.form_token = self.token()

    def call(self, method: str, path: str, fields: dict[str, Any] | None = None, headers: dict[str, Any] | None = None, **values: str) -> httpx2.Response:
        """Make a call with the fields that it takes, the good ones by default."""
        request_id = self.records["admin" if "/admin" in path else "mine"].id
        filled = {"request_id": request_id, "box_id": f"{request_id}.{'0' * 32}", "digest": "0", "name": "portal.css", **values}
        for name, value in filled.items():
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
        given = GOOD if fields is None else fields
        usual = {"X-CSRF-Token": self.form_token}
        if method == "GET":
            return self.client.get(path, headers=headers)
        if path.startswith(JSON):
            return self.client.post(path, json=given, headers={**usual, **(headers or {})})
        return self.client.post(path, data={"csrf": self.form_token, **given}, headers=headers)


@pytest.fixture
def many(make_portal: Callable[..., TestPortal], mails: KeptMails) -> TestPortal:
    """A portal on which one may do a lot."""
    often = dict.fromkeys(("mails_per_peer", "mails_per_address", "requests_per_peer", "requests_per_address", "failures_per_peer"), "1000000/hour")
    identity = {"identity": "basic,link,proxy", "trusted_proxies": "10.0.0.1", "admins": "boss@example.com"}
    return make_portal(mails=mails, url="https://portal", secret="s" * 40, listing_seconds=0, **identity, **often)


@pytest.fixture
def boss(many: TestPortal) -> Boss:
    return Boss(many, {"mine": many.ask("boss@example.com"), "admin": many.ask("ada@company.com", package="dev")})


@pytest.fixture(autouse=True)
def _log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.INFO, "portal")
    yield
    assert "qqqqqqqqqq" not in caplog.text, "a key stands in the log"


def check_answer(answer: httpx2.Response, what: str) -> None:
    """Check what is so of every answer: it is not a fault of ours, shows text as text, leads nowhere else and has a strict policy."""
    assert answer.status_code < 500, f"{what}: {answer.status_code} {answer.text[:300]}"
    is_page = answer.headers.get("content-type", "").startswith("text/html")
    assert not is_page or not [bad for bad in ("<script>alert", "<img src=x", ">49<") if bad in answer.text], what
    assert is_page or "qqqqqqqqqq" not in answer.text, f"{what}: repeats a key"
    location = answer.headers.get("location", "/")
    assert location.startswith("/") and not location.startswith("//") and "\\" not in location, f"{what}: leads to {location}"
    assert "evil=1" not in str(answer.headers.get_list("set-cookie")), what
    assert "default-src 'none'" in answer.headers["content-security-policy"], what


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_hostile_text_everywhere(many: TestPortal, boss: Boss, mails: KeptMails, method: str) -> None:
    for path in [path for each, path in CALLS if each == method]:
        for text in HOSTILE:
            what, odd = f"{method} {path} with {text[:20]!r}", text or "-"
            if "{" in path:
                check_answer(boss.call(method, path, request_id=odd, box_id=odd, digest=odd, name=odd), f"{what} in the path")
            if method == "GET":
                query = "&".join(f"{name}={quote(text[:2_000])}" for name in QUERIES)
                for more in ({}, {"HX-Request": "true"}):
                    check_answer(boss.call(method, f"{path}?{query}", headers=more), f"{what} in the query")
            for name in FIELDS.get(path, ()) if method == "POST" else ():
                answer = boss.call(method, path, {**{each: GOOD[each] for each in FIELDS[path] if each in GOOD}, name: text})
                check_answer(answer, f"{what} in {name}")
        if path == "/sign-out":
            boss.enter()
    for kept in (*(str(record) for record in many.store.listing().records), *(mail.as_string() for mail in mails.kept)):
        assert "qqqqqqqqqq" not in kept and "\u202e" not in kept and "\x00" not in kept


def test_hostile_headers(boss: Boss) -> None:
    odd = (
        "Basic w7bDtg==",
        "Basic " + "A" * 9_000,
        "q=0.9, de;q=inf, *;q=nan",
        "portal-language=../x; __Host-portal-visitor=" + "é" * 43,
        "[::1",
        "a/../b?c#d",
    )
    for header in HEADERS:
        for text in (*HOSTILE, *odd):
            for path in ("/admin", "/api/v1/me"):
                raw = text.replace("\r\n", " ").encode("utf-8")
                check_answer(boss.call("GET", path, headers={header: raw}), f"{path} with {header}: {text[:20]!r}")


def test_no_form_is_taken_from_elsewhere(many: TestPortal, boss: Boss) -> None:
    before, own, others = many.store.listing(), boss.form_token, Visitor(many).token()
    for path in [path for path in WRITING if not path.startswith("/api/")]:
        for token, more in (("", {}), ("0" * 64, {}), (others, {}), (own, {"Sec-Fetch-Site": "cross-site"}), (own, {"Sec-Fetch-Site": "same-site"})):
            answer = boss.call("POST", path, {**GOOD, "proof": "x", "csrf": token}, {"X-CSRF-Token": token, **more})
            assert answer.status_code == 403 and "did not come from this site" in answer.text, path
    assert many.store.listing() == before


def test_no_call_is_taken_from_a_page_elsewhere(many: TestPortal, boss: Boss) -> None:
    before = many.store.listing()
    for path in [path for path in WRITING if path.startswith("/api/") and path != "/api/request-key"]:
        for origin in ("https://evil.example", "null", "https://portal.evil.example", "https://evil.example@portal", "https://[", "none", ""):
            host = "none" if origin == "null" else "portal"
            assert boss.call("POST", path, {}, {"Origin": origin, "Host": host}).status_code in (401, 403), f"{path} from {origin}"
    assert many.store.listing() == before


def test_a_call_from_a_page_of_ours_is_taken_behind_a_proxy_that_changes_the_host(many: TestPortal, boss: Boss) -> None:
    cookies = "; ".join(f"{name}={value}" for name, value in boss.client.cookies.items())
    headers = {"Origin": "https://portal", "Host": "127.0.0.1:8000", "Cookie": cookies}
    assert boss.call("POST", "/api/v1/requests", {"models": ["granite"]}, headers).status_code == 200


@pytest.mark.parametrize("identity", ["basic", "link", "proxy", "basic,link", "basic,link,proxy"])
@pytest.mark.parametrize("trusted", [False, True])
def test_nobody_becomes_somebody_by_a_header(make_portal: Callable[..., TestPortal], mails: KeptMails, identity: str, trusted: bool) -> None:
    """Only the method proxy believes the header, and only on connections from the proxy."""
    client = "10.0.0.1" if trusted else "10.0.0.2"
    portal = make_portal(mails=mails, client=client, identity=identity, trusted_proxies="10.0.0.1", admins="boss@example.com", url="https://portal")
    names = ("X-Forwarded-Email", "X-Forwarded-User", "X-Remote-User", "Remote-User", "X-Auth-Request-Email")
    spoofed = {**dict.fromkeys(names, "boss@example.com"), "X-Forwarded-For": "127.0.0.1, 10.0.0.1", "Forwarded": "for=127.0.0.1", "X-Real-IP": "127.0.0.1"}
    spoofed |= {"Host": "127.0.0.1", "X-Forwarded-Host": "127.0.0.1", "X-Forwarded-Proto": "https"}
    is_boss = trusted and "proxy" in identity
    assert portal.client.get("/api/v1/me", headers=spoofed).status_code == (200 if is_boss else 401)
    assert portal.client.get("/admin", headers=spoofed).status_code == (200 if is_boss else 401)
    assert portal.client.get("/api/admin/requests", headers=spoofed).status_code == (200 if is_boss else 401)


@pytest.mark.parametrize("down", ["writable by others", "no directory"])
def test_while_the_store_is_down(many: TestPortal, boss: Boss, tmp_path: Path, down: str) -> None:
    before, place, away = many.store.listing(), tmp_path / "requests", tmp_path / "away"
    for method, path in CALLS:
        if down == "no directory":
            place.rename(away)
            place.write_text("something else")
        else:
            place.chmod(0o777)
        answer = boss.call(method, path)
        if down == "no directory":
            place.unlink()
            away.rename(place)
        else:
            place.chmod(0o700)
        of_the_requestor = path.startswith("/api/admin/requests") and answer.status_code == 500 and "Failed to" in answer.text
        assert answer.status_code < 500 or answer.status_code == 503 or of_the_requestor, f"{method} {path}: {answer.status_code} {answer.text[:300]}"
        if answer.status_code == 503 and not path.startswith(("/api/", "/open/", "/health")):
            assert DOWN in answer.text, path
        assert str(tmp_path) not in answer.text, path
        assert DirectoryStore(str(place)).listing() == before, f"{path} lost something"
        if path == "/sign-out":
            boss.enter()
