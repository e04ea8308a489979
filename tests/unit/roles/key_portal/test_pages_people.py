# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Signing in by mail, asking, and what strangers cannot do or learn."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import transitions
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.signing import ASKING, SESSION, SIGNING_IN
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.roles.key_portal.conftest import AT, PASSWORD, KeptMails, TestPortal, Visitor, basic

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7-7 }}"
WISH = {"what": "other", "other": "granite", "purpose": "A demo", "email": "ada@company.com", "agree": "yes"}


def records(site: TestPortal) -> list[Any]:
    return list(site.store.listing().records)


def token_of(mails: KeptMails) -> str:
    return mails.link().partition("=")[2]


def test_a_request_is_made_by_the_click_only(site: TestPortal, visitor: Visitor, mails: KeptMails) -> None:
    assert visitor.send("/ask", {**WISH, "duration": "7d", "max_budget": "2,5"}) == "/sent"
    assert (records(site), visitor.client.cookies.get("__Host-portal-session")) == ([], None)
    page = visitor.see(mails.link())
    assert "ada@company.com" in page and "granite" in page
    assert records(site) == []
    path = visitor.send("/link", {"t": token_of(mails)})
    (record,) = records(site)
    assert path == f"/mine/{record.id}?said=asked"
    assert (record.email, record.models, record.purpose, record.duration, record.max_budget) == ("ada@company.com", ("granite",), "A demo", "7d", 2.5)
    assert (record.origin, record.verified_at, record.language, record.history[0].by) == ("portal", AT, "en", "ada@company.com")
    assert "Your request was made." in visitor.see(path)
    assert visitor.send("/link", {"t": token_of(mails)}) == f"/mine/{record.id}?said=known"
    assert visitor.send("/ask", {**WISH, "other": "mistral"}).startswith("/mine/")
    assert len(mails.kept) == 1


def test_a_request_that_anybody_made_is_proven_by_its_owner(site: TestPortal, visitor: Visitor, mails: KeptMails) -> None:
    site.post("/api/request-key", {"llm": "granite", "email": "ada@company.com"}, {})
    assert [(record.purpose, record.verified_at) for record in records(site)] == [("", "")]
    site.at = "2026-11-21T05:00:00Z"
    visitor.send("/ask", WISH)
    path = visitor.send("/link", {"t": token_of(mails)})
    (record,) = records(site)
    assert (record.purpose, record.verified_at, path) == ("A demo", site.at, f"/mine/{record.id}?said=known")


def test_more_time_is_asked_for_by_somebody_proven(site: TestPortal, visitor: Visitor) -> None:
    record = site.ask("ada@company.com")
    site.people.approve(record.id, by="boss")
    change = transitions.mark_minted
    site.store.transition(site.store.get(record.id), lambda found: change(found, at=AT, key_alias="request-1", expires="2026-12-21T04:00:00Z"))
    visitor.sign_in("ada@company.com")
    visitor.send(f"/mine/{record.id}/renew", {"duration": "7d"})
    assert [each.verified_at for each in records(site) if each.renews] == [AT]


def test_a_denied_request_is_not_called_withdrawn(site: TestPortal, visitor: Visitor) -> None:
    visitor.sign_in("ada@company.com")
    denied, pending = site.ask("ada@company.com"), site.ask("ada@company.com", models=("other",))
    site.people.deny(denied.id, by="boss", reason="No.")
    assert "cannot be withdrawn" in visitor.send(f"/mine/{denied.id}/cancel", status=409)
    for _number in range(2):
        assert visitor.send(f"/mine/{pending.id}/cancel").endswith("said=cancelled")


def test_more_time_that_was_asked_for_already_is_not_called_new(site: TestPortal, visitor: Visitor) -> None:
    visitor.sign_in("ada@company.com")
    record = site.ask("ada@company.com")
    site.people.approve(record.id, by="boss")
    change = transitions.mark_minted
    site.store.transition(site.store.get(record.id), lambda found: change(found, at=AT, key_alias="request-1", expires="2026-12-21T04:00:00Z"))
    said = [visitor.send(f"/mine/{record.id}/{way}", {"duration": "7d"}).partition("said=")[2] for way in ("renew", "extend")]
    assert said == ["renewed", "known"]


def test_a_stranger_cannot_have_own_words_mailed_to_others(site: TestPortal, visitor: Visitor, mails: KeptMails) -> None:
    visitor.send("/ask", {**WISH, "other": "https://evil.example/a", "purpose": "Your account is locked.\nGo to https://evil.example/b"})
    for part in mails.kept[-1].walk():
        if not part.is_multipart():
            assert "evil.example" not in part.get_content() and "locked" not in part.get_content()
    assert "https://evil.example/a" in visitor.see(mails.link()), "the page that the link opens says it all"
    assert "Your account is locked." in visitor.see(mails.link())


def test_one_person_asks_for_few_keys(make_portal: Any, mails: KeptMails) -> None:
    site = make_portal(mails=mails, url="https://portal", secret="s" * 40, identity="link", requests_per_address="2/hour", listing_seconds=0)
    visitor = Visitor(site)
    visitor.sign_in("ada@company.com")
    for model in ("one", "two", "one"):
        visitor.send("/ask", {**WISH, "other": model})
    assert "too many keys" in visitor.send("/ask", {**WISH, "other": "three"}, 429)
    answer = visitor.client.post("/api/v1/requests", json={"models": ["three"]})
    assert (answer.status_code, visitor.client.post("/api/v1/requests", json={"models": ["two"]}).status_code) == (429, 200)
    assert {record.models[0] for record in records(site)} == {"one", "two"}


def test_strangers_use_up_nothing_of_a_person(make_portal: Any, mails: KeptMails) -> None:
    site = make_portal(mails=mails, url="https://portal", secret="s" * 40, identity="link", requests_per_address="2/hour", listing_seconds=0)
    for model in ("one", "two", "three"):
        site.post("/api/request-key", {"llm": model, "email": "ada@company.com"}, {})
    visitor = Visitor(site)
    visitor.sign_in("ada@company.com")
    visitor.send("/ask", {**WISH, "other": "mine"})


def test_the_answer_is_the_same_for_every_address(site: TestPortal, mails: KeptMails) -> None:
    site.ask("ada@company.com")
    answers = []
    for email in ("ada@company.com", "nobody@company.com"):
        client = Visitor(site)
        for path, fields in (("/ask", {**WISH, "email": email}), ("/sign-in", {"email": email})):
            answer = client.client.post(path, data={"csrf": client.token(), **fields})
            answers.append((answer.status_code, answer.headers["location"], answer.text))
    assert answers[:2] == answers[2:]
    assert len(mails.kept) == 4


def test_one_address_gets_few_mails_and_nobody_learns_it(site: TestPortal, visitor: Visitor, mails: KeptMails) -> None:
    for _number in range(8):
        assert visitor.send("/sign-in", {"email": "ADA@company.com" if _number % 2 else "ada@company.com"}) == "/sent"
    assert len(mails.kept) == 5


def test_one_mailbox_gets_few_mails_under_all_its_names(site: TestPortal, visitor: Visitor, mails: KeptMails) -> None:
    for number in range(8):
        assert visitor.send("/sign-in", {"email": f"ada+{number}@company.com"}) == "/sent"
    assert len(mails.kept) == 5


def test_one_peer_asks_for_few_links(site: TestPortal, visitor: Visitor, mails: KeptMails) -> None:
    for number in range(30):
        visitor.send("/sign-in", {"email": f"ada{number}@company.com"})
    assert "Too many links" in visitor.send("/sign-in", {"email": "one@company.com"}, 429)
    assert len(mails.kept) == 30


def test_wrong_passwords_are_counted(site: TestPortal) -> None:
    for _number in range(20):
        site.get("/api/admin/requests", basic(password="wrong"), 401)
    site.get("/api/admin/requests", basic(), 429)


@pytest.mark.parametrize("written", ["::ffff:192.0.2.{}", "192.0.2.{}", "[::ffff:192.0.2.{}]:4711"])
def test_people_behind_a_proxy_do_not_use_up_each_others_tries(make_portal: Any, written: str) -> None:
    portal = make_portal(failures_per_peer="2/minute", trusted_proxies="127.0.0.1")

    def sign_in(number: int, password: str, status: int) -> None:
        portal.post("/api/admin/verify", headers={**basic(password=password), "X-Forwarded-For": written.format(number)}, status=status)

    for _number in range(2):
        sign_in(7, "wrong", 401)
    sign_in(7, PASSWORD, 429)
    sign_in(8, PASSWORD, 200)


def test_a_link_that_was_used_makes_no_other_request(site: TestPortal, visitor: Visitor, mails: KeptMails) -> None:
    """It may lie in a mailbox: whoever withdrew the request does not get it back by pressing the button again."""
    visitor.send("/ask", WISH)
    token, site.at = token_of(mails), "2026-11-21T04:00:10Z"
    path = visitor.send("/link", {"t": token}).partition("?")[0]
    visitor.send(f"{path}/cancel")
    site.at = "2026-11-21T04:00:20Z"
    assert visitor.send("/link", {"t": token}) == f"{path}?said=known"
    (record,) = site.store.listing().records
    assert record.cancelled
    visitor.send("/sign-out")
    visitor.send("/ask", WISH)
    site.at = "2026-11-21T04:00:30Z"
    assert visitor.send("/link", {"t": token_of(mails)}) == f"{path}?said=asked", "another link asks again"


def test_a_link_counts_although_a_stranger_asked_for_the_same_meanwhile(site: TestPortal, visitor: Visitor, mails: KeptMails) -> None:
    visitor.send("/ask", WISH)
    site.at = "2026-11-21T04:00:10Z"
    site.post("/api/request-key", {"llm": WISH["other"], "email": "ada@company.com"}, {})
    visitor.send("/link", {"t": token_of(mails)})
    (record,) = site.store.listing().records
    assert record.verified_at == site.at and record.purpose == WISH["purpose"]


def test_programs_that_check_mails_use_nothing_up(site: TestPortal, visitor: Visitor, mails: KeptMails, caplog: pytest.LogCaptureFixture) -> None:
    visitor.send("/ask", WISH)
    caplog.clear()
    scanner = Visitor(site)
    for method in ("GET", "HEAD", "GET"):
        answer = scanner.client.request(method, mails.link())
        assert answer.status_code in (200, 405) and "session" not in str(answer.headers.get_list("set-cookie"))
    assert site.store.listing().records == () and caplog.text == ""
    visitor.send("/link", {"t": token_of(mails)})
    assert len(site.store.listing().records) == 1


def test_a_button_that_is_pressed_again_on_an_old_page(site: TestPortal, visitor: Visitor, mails: KeptMails) -> None:
    """Browsers show the page from before signing in again when somebody goes back; the token of its form is gone by then."""
    visitor.send("/sign-in", {"email": "ada@company.com"})
    fields = {"csrf": visitor.token(mails.link()), "t": token_of(mails)}
    assert [visitor.client.post("/link", data=fields).headers.get("location") for _number in range(2)] == ["/mine", "/mine"]
    other = Visitor(site)
    other.sign_in("bob@company.com")
    visitor.send("/sign-in", {"email": "ada@company.com"})
    assert other.client.post("/link", data={"csrf": "0" * 64, "t": token_of(mails)}).status_code == 403
    assert "bob@company.com" in other.see("/mine")


@pytest.mark.parametrize("purpose", [SESSION, "form", ""])
def test_a_link_is_for_its_purpose_only(site: TestPortal, visitor: Visitor, purpose: str) -> None:
    token = site.app.state.signer.sign(purpose, {"email": "ada@company.com"})
    assert "not valid" in visitor.see(f"/link?t={token}", 400)
    visitor.send("/link", {"t": token}, 400)
    for other in (ASKING, SIGNING_IN):
        visitor.client.cookies.set("__Host-portal-session", site.app.state.signer.sign(other, {"email": "ada@company.com"}), domain="portal", path="/")
        visitor.see("/mine", 401)


@pytest.mark.parametrize("token", ["", "x", "a.b.c", ".eJw", "é", "x" * 20_000, "%00"])
def test_a_forged_link_does_nothing(site: TestPortal, visitor: Visitor, token: str) -> None:
    visitor.see("/link?t=" + token, 400)
    visitor.send("/link", {"t": token}, 400)
    assert records(site) == []


def test_a_changed_link_does_nothing(site: TestPortal, visitor: Visitor, mails: KeptMails) -> None:
    visitor.send("/sign-in", {"email": "ada@company.com"})
    token = token_of(mails)
    for place in range(0, len(token), 7):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        assert visitor.client.get("/link", params={"t": changed}).status_code in (400, 410)


def test_an_old_link_and_an_old_session_end(site: TestPortal, visitor: Visitor, mails: KeptMails, monkeypatch: pytest.MonkeyPatch) -> None:
    visitor.sign_in("ada@company.com")
    visitor.see("/mine")
    token, present = token_of(mails), time.time()
    monkeypatch.setattr(time, "time", lambda: present + 31 * 60)
    assert "too old" in visitor.see(f"/link?t={token}", 410)
    visitor.see("/mine")
    monkeypatch.setattr(time, "time", lambda: present + 13 * 3600)
    assert "Sign in first" in visitor.see("/mine", 401)


def test_a_session_of_another_secret_says_nothing(site: TestPortal, visitor: Visitor) -> None:
    from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.signing import Signer

    visitor.client.cookies.set("__Host-portal-session", Signer("x" * 40).sign(SESSION, {"email": "ada@company.com"}), domain="portal", path="/")
    visitor.see("/mine", 401)


@pytest.mark.parametrize(
    "path", ["/ask", "/sign-in", "/link", "/sign-out", "/language", "/mine/x/cancel", "/mine/x/renew", "/admin/several", "/admin/x/approve", "/admin/x/deny"]
)
@pytest.mark.parametrize("token", ["", "0" * 64, "é"])
def test_a_form_without_the_token_of_its_browser_is_refused(site: TestPortal, visitor: Visitor, path: str, token: str) -> None:
    visitor.sign_in("boss@example.com")
    visitor.see("/sent")
    assert "did not come from this site" in visitor.send(path, {**WISH, "csrf": token}, 403)
    assert "did not come from this site" in visitor.send(path, {**WISH, "csrf": Visitor(site).token()}, 403)
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    assert "did not come from this site" in visitor.send(path, WISH, 403, headers=elsewhere)
    assert records(site) == []


def test_cookies_are_safe(site: TestPortal, visitor: Visitor, mails: KeptMails) -> None:
    visitor.send("/sign-in", {"email": "ada@company.com"})
    answer = visitor.client.post("/link", data={"csrf": visitor.token(), "t": token_of(mails)})
    (cookie,) = [value for value in answer.headers.get_list("set-cookie") if value.startswith("__Host-portal-session=")]
    assert all(flag in cookie for flag in ("HttpOnly", "Secure", "SameSite=lax", "Path=/", "Max-Age=43200"))
    assert any(value.startswith('__Host-portal-visitor=""') for value in answer.headers.get_list("set-cookie"))


def test_links_do_not_follow_the_host_that_a_browser_names(site: TestPortal, visitor: Visitor, mails: KeptMails) -> None:
    visitor.send("/sign-in", {"email": "ada@company.com"}, headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"})
    assert "evil.example" not in mails.kept[-1].as_string()


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "", "/a\r\nSet-Cookie: x=1", "\u202e/"])
def test_the_language_leads_nowhere_else(visitor: Visitor, back: str) -> None:
    assert visitor.send("/language", {"language": "de", "back": back}) == "/ask"
    assert '<html lang="de">' in visitor.see("/ask")
    assert visitor.send("/language", {"language": "../x", "back": "/mine?page=2"}) == "/mine?page=2"
    assert '<html lang="de">' in visitor.see("/ask")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"what": ""}, "Choose a package or a model."),
        ({"what": "package:none"}, "Choose a package or a model."),
        ({"other": "openai/*"}, "without wildcards"),
        ({"other": ", ,"}, "without wildcards"),
        ({"other": "all-team-models"}, "cannot be asked for"),
        ({"other": ",".join(f"m{number}" for number in range(21))}, "up to 20 models"),
        ({"purpose": ""}, "Say what the key is for."),
        ({"purpose": "x" * 1001}, "too long"),
        ({"purpose": "\u202edaolnwod"}, "cannot be shown"),
        ({"purpose": "sk-" + "b" * 40}, "Never write a key"),
        ({"duration": "99y"}, "Choose a lifetime"),
        ({"max_budget": "-1"}, "Give an amount"),
        ({"max_budget": "nan"}, "Give an amount"),
        ({"max_budget": "1e400"}, "Give an amount"),
        ({"email": "ada"}, "Give an e-mail address"),
        ({"email": "ada@company.com\r\nBcc: eve@evil.example"}, "Give an e-mail address"),
        ({"email": HOSTILE}, "Give an e-mail address"),
        ({"agree": ""}, "Accept the terms of use."),
    ],
)
def test_a_wrong_form_is_shown_again(site: TestPortal, visitor: Visitor, mails: KeptMails, changes: dict[str, str], said: str) -> None:
    page = visitor.send("/ask", {**WISH, **changes}, 422)
    assert said in page and "<script>alert" not in page
    assert (records(site), mails.kept) == ([], [])


def test_hostile_text_is_shown_as_text(site: TestPortal, visitor: Visitor, mails: KeptMails) -> None:
    fields = {**WISH, "other": HOSTILE, "purpose": HOSTILE + "\r\n.\r\nQUIT"}
    assert "&lt;script&gt;" in visitor.see("/ask?" + "q=%3Cscript%3Ealert(1)%3C/script%3E&what=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
    visitor.send("/ask", fields)
    html = mails.kept[-1].get_body(("html",))
    assert html is not None and "<script>" not in html.get_content() and "alert(1)" not in html.get_content(), "words of strangers are not mailed"
    pages = [visitor.see(mails.link())]
    path = visitor.send("/link", {"t": token_of(mails)})
    pages += [visitor.see(path), visitor.see("/mine")]
    (record,) = records(site)
    assert record.purpose.startswith(HOSTILE)
    boss = Visitor(site)
    boss.sign_in("boss@example.com")
    boss.send(f"/admin/{record.id}/deny", {"reason": HOSTILE, "version": record.version})
    pages += [boss.see("/admin?tab=all&q=%3Cscript%3E&sort=%22%3E"), boss.see(f"/admin/{record.id}?said=%3Cscript%3E"), visitor.see(path)]
    for page in pages:
        assert ("<script>alert" not in page and "<img src=x" not in page and "{{ 7-7 }}" in page) or "No requests here" in page


def test_nobody_reaches_what_is_of_others(site: TestPortal, visitor: Visitor) -> None:
    theirs = site.ask("bob@company.com")
    visitor.sign_in("ada@company.com")
    assert theirs.id not in visitor.see("/mine")
    for path in (f"/mine/{theirs.id}", "/mine/nothing", "/mine/..%2F..%2Fetc", f"/admin/{theirs.id}", "/admin"):
        assert "bob@company.com" not in visitor.see(path, 403 if path.startswith("/admin") else 404)
    for action in ("cancel", "renew", "extend"):
        visitor.send(f"/mine/{theirs.id}/{action}", {}, 404)
    for path in (f"/admin/{theirs.id}/approve", f"/admin/{theirs.id}/deny", f"/admin/{theirs.id}/retry", "/admin/several"):
        visitor.send(path, {"ids": f"{theirs.id} {theirs.version}", "action": "approve", "reason": "x"}, 403)
    assert site.store.get(theirs.id) == theirs


def test_a_session_counts_for_the_api_of_people(site: TestPortal, visitor: Visitor) -> None:
    visitor.sign_in("Ada@company.com")
    assert visitor.client.get("/api/v1/me").json() == {"who": "Ada@company.com", "email": "Ada@company.com", "roles": ["person"], "method": "link"}
    evil = {"Origin": "https://evil.example"}
    assert visitor.client.post("/api/v1/requests", json={"models": ["granite"]}, headers=evil).status_code == 403
    assert visitor.client.post("/api/v1/requests", json={"models": ["granite"]}, headers={"Origin": "https://portal"}).status_code == 200


def test_signing_out(site: TestPortal, visitor: Visitor) -> None:
    visitor.sign_in("ada@company.com")
    visitor.send("/sign-out")
    visitor.see("/mine", 401)


def test_the_first_page_is_for_browsers_only(site: TestPortal, visitor: Visitor) -> None:
    assert visitor.client.get("/").headers["location"] == "/ask"
    assert site.get("/", {"Accept": "*/*"}) == {"message": "LLM Key Requestor API", "status": "active"}


def test_headers(visitor: Visitor) -> None:
    for path in ("/ask", "/nothing", "/api/models", "/static/0/x.css", "/health"):
        headers = visitor.client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"] and "unsafe" not in headers["content-security-policy"]
        assert (headers["x-content-type-options"], headers["x-frame-options"], headers["cache-control"]) == ("nosniff", "DENY", "no-store")
        assert headers["strict-transport-security"] == "max-age=31536000"


def test_files_are_kept_by_browsers(site: TestPortal, visitor: Visitor) -> None:
    assets = site.app.state.assets
    for name in ("patternfly.css", "portal.css", "htmx.js", "portal.svg"):
        answer = visitor.client.get(assets.address(name))
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "public, max-age=31536000, immutable")
        assert "url(" not in answer.text or name == "patternfly.css"
    assert visitor.client.get("/static/0/portal.css").status_code == 404
    size = sum(len(assets.find(assets.address(name).split("/")[2], name).compressed) for name in ("patternfly.css", "portal.css", "htmx.js"))
    assert size + len(visitor.see("/ask")) < 150_000
    assert 'class="portal-icon"' in assets.icon("nothing:here") and "<path" in assets.icon("simple-icons:openai")
    assert "<script" not in assets.icon("mdi:robot", '"><script>')


def test_without_their_packages_there_are_no_pages(make_portal: Any, tmp_path: Any, caplog: pytest.LogCaptureFixture) -> None:
    portal = make_portal(web_packages=str(tmp_path))
    assert "There are no pages" in caplog.text
    assert portal.client.get("/ask").status_code == 404
    assert portal.get("/", {"Accept": "text/html"}) == {"message": "LLM Key Requestor API", "status": "active"}


def test_a_store_that_is_down(site: TestPortal, visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import StoreUnreachable

    visitor.sign_in("boss@example.com")

    def fail(*_arguments: object, **_options: object) -> None:
        raise StoreUnreachable("The store at /secret/place does not answer.")

    monkeypatch.setattr(site.app.state.portal, "listing", fail)
    for name in ("get", "submit"):
        monkeypatch.setattr(site.store, name, fail)
    for path in ("/mine", "/admin", "/mine/x", "/admin/x"):
        page = visitor.see(path, 503)
        assert "cannot be read at the moment" in page and "/secret/place" not in page
    assert "cannot be read at the moment" in visitor.send("/ask", WISH, 503)
    visitor.see("/ask")


@pytest.mark.parametrize(
    ("peer", "values", "status"),
    [
        ("10.0.0.1", ["ada@company.com"], 200),
        ("10.0.0.2", ["ada@company.com"], 401),
        ("10.0.0.1", ["ada@company.com", "eve@company.com"], 401),
        ("10.0.0.1", ["not an address"], 401),
        ("10.0.0.1", [], 401),
    ],
)
def test_the_header_of_a_proxy(make_portal: Any, mails: KeptMails, peer: str, values: list[str], status: int) -> None:
    portal = make_portal(mails=mails, client=peer, identity="proxy", trusted_proxies="10.0.0.1", url="https://portal", secret="s" * 40)
    headers = [("X-Forwarded-Email", value) for value in values] + [("X-Forwarded-For", "10.0.0.1")]
    assert portal.client.get("/api/v1/requests", headers=headers).status_code == status
    assert portal.client.get("/mine", headers=headers).status_code == status


def test_a_request_is_sent_again_only_if_it_changed(site: TestPortal, visitor: Visitor) -> None:
    visitor.sign_in("ada@company.com")
    record = site.ask("ada@company.com")
    poll = re.findall(r'hx-get="(/mine/[^"]*)"', visitor.see(f"/mine/{record.id}"))[0]
    headers = {"HX-Request": "true"}
    assert [visitor.client.get(poll, headers=headers).status_code for _time in range(2)] == [204, 204]
    site.people.approve(record.id, by="boss")
    answer = visitor.client.get(poll, headers=headers)
    assert answer.status_code == 200 and "<html" not in answer.text and "Approved" in answer.text


def test_a_search_says_how_much_it_found(visitor: Visitor) -> None:
    answer = visitor.client.get("/ask?q=zzz", headers={"HX-Request": "true"})
    assert '<p id="found" hx-swap-oob="innerHTML">0 choices.</p>' in answer.text
    assert "hx-swap-oob" not in visitor.see("/ask?q=zzz")
