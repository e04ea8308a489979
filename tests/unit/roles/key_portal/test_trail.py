# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later


"""The audit log: who signed in or failed to, and who did what, by every method of identity, and never a secret or a link."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.roles.key_portal.conftest import AT, PASSWORD, KeptMails, TestPortal, Visitor, basic

BOSS, ADA = "boss@example.com", "ada@company.com"
WISH = {"what": "other", "other": "granite", "purpose": "A secret purpose", "email": ADA, "agree": "yes"}


@pytest.fixture(autouse=True)
def _everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return what the audit log has got since it was looked at last."""
    found = [json.loads(each.message) for each in caplog.records if each.name == "portal.audit"]
    caplog.clear()
    return found


def short(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, str]]:
    return [(line["event"], line["who"], line["method"]) for line in lines(caplog)]


@pytest.fixture
def proxied(make_portal: Callable[..., TestPortal], mails: KeptMails) -> TestPortal:
    """Return a portal behind a proxy that signs people in."""
    return make_portal(mails=mails, identity="proxy", url="https://portal", admins=BOSS, trusted_proxies="127.0.0.1", listing_seconds=0)


def test_signing_in_by_a_link_asking_and_signing_out(site: TestPortal, visitor: Visitor, mails: KeptMails, caplog: pytest.LogCaptureFixture) -> None:
    visitor.send("/ask", WISH)
    assert lines(caplog) == []
    visitor.send("/link", {"t": mails.link().partition("=")[2]})
    (record,) = site.store.listing().records
    asked, signed_in = lines(caplog)
    about = {"time": AT, "who": ADA, "method": "link", "peer": "testclient"}
    assert asked == {**about, "event": "asked", "request": record.id, "email": ADA, "state": "pending"}
    assert signed_in == {**about, "event": "signed_in"}
    visitor.see("/mine")
    visitor.send(f"/mine/{record.id}/cancel")
    visitor.see("/admin", 403)
    visitor.send("/sign-out")
    assert short(caplog) == [("withdrawn", ADA, "link"), ("forbidden", ADA, "link"), ("signed_out", ADA, "link")]


def test_links_that_are_old_or_forged(site: TestPortal, visitor: Visitor, mails: KeptMails, caplog: pytest.LogCaptureFixture, monkeypatch: Any) -> None:
    import time

    visitor.send("/sign-in", {"email": ADA})
    visitor.see("/link?t=forged", 400)
    present = time.time()
    monkeypatch.setattr(time, "time", lambda: present + 31 * 60)
    visitor.see(mails.link(), 410)
    assert [line["why"] for line in lines(caplog)] == ["the link is not valid", "the link is too old"]
    for _number in range(50):
        visitor.see("/link?t=forged", 400)
    assert len(lines(caplog)) < 15, "nobody can fill the log"


def test_decisions_with_a_password(site: TestPortal, caplog: pytest.LogCaptureFixture) -> None:
    one, two, three = (site.ask(f"{name}@company.com") for name in ("one", "two", "three"))
    site.post(f"/api/admin/requests/{one.id}/approve")
    site.post(f"/api/admin/requests/{two.id}/deny", {"reason": "A secret reason"})
    site.post(f"/api/v1/admin/requests/{three.id}/approve", {"granted": {"max_budget": 5}, "beyond": True})
    site.post(f"/api/v1/admin/requests/{three.id}/approve", {"granted": {"max_budget": 5}, "beyond": True})
    site.post(f"/api/v1/admin/requests/{one.id}/retry", status=409)
    found = lines(caplog)
    assert [(line["event"], line["who"], line["method"], line.get("email")) for line in found] == [
        ("signed_in", "admin", "basic", None),
        ("approved", "admin", "basic", "one@company.com"),
        ("denied", "admin", "basic", "two@company.com"),
        ("approved", "admin", "basic", "three@company.com"),
    ]
    assert (found[-1]["granted"], found[-1]["beyond"], found[-1]["state"]) == ({"max_budget": 5}, True, "approved")


def test_decisions_on_pages(site: TestPortal, visitor: Visitor, caplog: pytest.LogCaptureFixture) -> None:
    one, two = site.ask("one@company.com"), site.ask("two@company.com")
    visitor.sign_in(BOSS)
    lines(caplog)
    visitor.send(f"/admin/{one.id}/approve", {"version": one.version})
    visitor.send("/admin/several", {"action": "deny", "reason": "No.", "ids": [f"{two.id} {two.version}"]})
    visitor.see("/admin/audit.jsonl")
    assert short(caplog) == [("approved", BOSS, "link"), ("denied", BOSS, "link"), ("audit_exported", BOSS, "link")]


def test_wrong_passwords(site: TestPortal, visitor: Visitor, caplog: pytest.LogCaptureFixture) -> None:
    site.get("/api/admin/requests", basic(password="wrong-secret"), 401)
    site.get("/api/admin/requests", basic(name="typed-password"), 401)
    visitor.see("/admin", 401, **basic(password="wrong-secret"))
    text = caplog.text
    assert short(caplog) == [("sign_in_failed", "admin", "basic"), ("sign_in_failed", "somebody", "basic"), ("sign_in_failed", "admin", "basic")]
    assert not any(words in text for words in ("wrong-secret", "typed-password", PASSWORD))


def test_a_wrong_password_on_a_page_counts_once(site: TestPortal, visitor: Visitor) -> None:
    for _number in range(15):
        visitor.see("/admin", 401, **basic(password="wrong"))
    visitor.see("/admin", 200, **basic())


def test_a_proxy_signs_people_in(proxied: TestPortal, caplog: pytest.LogCaptureFixture) -> None:
    record = proxied.ask()
    for _number in range(3):
        proxied.get("/api/v1/admin/requests", {"X-Forwarded-Email": BOSS})
    proxied.post(f"/api/v1/admin/requests/{record.id}/deny", {"reason": "No."}, {"X-Forwarded-Email": BOSS})
    proxied.get("/api/v1/admin/requests", {"X-Forwarded-Email": ADA}, 403)
    proxied.get("/api/v1/admin/requests", {"X-Forwarded-Email": "nobody"}, 401)
    found = lines(caplog)
    assert [(line["event"], line["who"], line["method"]) for line in found] == [
        ("signed_in", BOSS, "proxy"),
        ("denied", BOSS, "proxy"),
        ("signed_in", ADA, "proxy"),
        ("forbidden", ADA, "proxy"),
        ("sign_in_failed", "somebody", "proxy"),
    ]
    assert found[3]["path"] == "/api/v1/admin/requests" and {line["peer"] for line in found} == {"127.0.0.1"}


def test_somebody_who_only_typed_an_address(site: TestPortal, caplog: pytest.LogCaptureFixture) -> None:
    site.post("/api/request-key", {"llm": "granite", "email": ADA}, {})
    assert short(caplog) == [("asked", ADA, "unproven")]


def test_no_secret_and_no_link_is_in_any_log(site: TestPortal, visitor: Visitor, mails: KeptMails, caplog: pytest.LogCaptureFixture) -> None:
    visitor.send("/ask", WISH)
    token = mails.link().partition("=")[2]
    visitor.see(mails.link())
    visitor.see(f"/link?t={token[:-3]}", 400)
    visitor.send("/link", {"t": token})
    (record,) = site.store.listing().records
    site.post(f"/api/v1/admin/requests/{record.id}/deny", {"reason": "A secret reason"})
    session = next(str(cookie.value) for cookie in visitor.client.cookies.jar if cookie.name.endswith("session"))
    for words in (token[:20], token[-20:], session, PASSWORD, "secret purpose", "secret reason", "/link?", visitor.token()):
        assert words not in "\n".join(str(each.message) for each in caplog.records if each.name.startswith("portal"))
