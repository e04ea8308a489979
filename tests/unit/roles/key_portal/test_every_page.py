# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later


"""Every page in every language: nothing of the English catalogue is left on a page in another language, and nothing fails."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import transitions
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.catalogue_snapshot import publish_catalogue, snapshot_of
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import MoreTime
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import StoreUnreachable
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.insight import Insight, KeyFigures, Outlook, publish_insights
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import DENIED, IN_REVIEW, Record
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval.decision import NO_RULES, NOTHING_APPROVED, USUAL_REASONS, Decision
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass.renewing import BLOCKED, GONE
from ansible_collections.rhpds.litellm_virtual_keys.plugins.sub_plugins.approval import email
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.language import FOLDER, languages, read_file
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.roles.key_portal.conftest import AT, KeptMails, TestPortal, Visitor

SOURCE = read_file(FOLDER / "en.toml")
OTHERS = sorted(path.stem for path in FOLDER.glob("*.toml") if path.stem != "en")
SHOWN_ATTRIBUTES = ("aria-label", "title", "alt", "placeholder", "data-label")
EMAIL, BOSS = "zora@zz.example", "boss@example.com"
TERMS = {"models": ["granite"], "duration": "30d", "max_budget": 5, "budget_duration": "1d", "soft_budget": 1, "rpm_limit": 2, "beyond": True}
SAID = [{"name": "models_unlisted", "values": {}}, {"name": "model_reviewed", "values": {"model": "zz"}}]
TRACE = [
    {"rule": "zz", "decision": each, "detail": "no model is on the list; the model zz needs a reviewer", "said": SAID}
    for each in ("CONTINUE", "APPROVE", "DENY", "REVIEW", "PENDING")
]


class Shown(HTMLParser):
    """Collects what people read on a page, and hear of it, apart from what is marked as English."""

    VOID = frozenset(("meta", "link", "input", "br", "img", "hr", "path"))

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.lang = ""
        self._open: list[tuple[str, bool]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "html":
            self.lang = given.get("lang") or ""
        hidden = tag in ("script", "style", "svg", "code", "pre") or given.get("lang", self.lang) not in (self.lang, None)
        if tag not in self.VOID:
            self._open.append((tag, hidden))
        if not self._is_hidden:
            self.texts += [str(given[name]) for name in SHOWN_ATTRIBUTES if given.get(name)]

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if data.strip() and not self._is_hidden:
            self.texts.append(" ".join(data.split()))

    @property
    def _is_hidden(self) -> bool:
        return any(hidden for _tag, hidden in self._open)


def english_left(page: str, code: str) -> set[str]:
    """Return the texts of the English catalogue that are left on a page in another language."""
    shown = Shown(page)
    assert shown.lang == code
    words = "\n".join(shown.texts)
    translated = "\n".join(text for value in languages()[code].texts.values() for text in (value.values() if isinstance(value, dict) else [value]))
    return {part for part in _parts() if _has(words, part) and not _has(translated, part)}


def _parts() -> Iterator[str]:
    """Yield what the English texts consist of beside their placeholders."""
    for value in SOURCE.values():
        for text in value.values() if isinstance(value, dict) else [value]:
            yield from (part.strip(" .:,;") for part in re.split(r"\{[a-z_]+\}", text) if len(part.strip(" .:,;")) > 3)


def _has(text: str, part: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(part)}(?!\w)", text) is not None


class Town:
    """A portal with a request in every state."""

    def __init__(self, site: TestPortal, mails: KeptMails) -> None:
        self.site, self.mails = site, mails
        looks = {"dev": {"title": "Zz", "description": "zz"}}
        publish_catalogue(site.store, snapshot_of(AT, [f"zz{number}" for number in range(40)], packages={"dev": TERMS}, looks=looks, limits=TERMS))
        self.requests = {
            name: getattr(self, f"_{name}")() for name in ("pending", "failed", "review", "denied", "withdrawn", "making", "ready", "ended", "renewal")
        }
        figures = KeyFigures(0.001, 5, "1d", "2027-01-01T00:00:00Z", blocked=True)
        outlooks = {
            name: Outlook(str(step["decision"]), NOTHING_APPROVED, TERMS, (*TRACE, {"cut": 3}), ("zz",))
            for name, step in zip(self.requests, TRACE, strict=False)
        }
        found = {record.id: Insight(AT, AT, outlooks.get(name), figures) for name, record in self.requests.items() if name != "making"}
        publish_insights(site.store, found)

    def _ask(self, name: str, **wish: Any) -> Record:
        return self.site.ask(EMAIL, models=(f"zz{name}",), purpose="zz", duration="30d", max_budget=5, **wish)

    def _change(self, record: Record, change: Callable[[Record], Record]) -> Record:
        after = self.site.store.transition(self.site.store.get(record.id), change).after
        assert after is not None
        return after

    def _pending(self) -> Record:
        return self._ask("pending", guid="zz123", user="user1")

    def _failed(self) -> Record:
        failure = {"at": AT, "step": "decide", "reason": "zz", "code": "unreachable", "trace": TRACE}
        return self._change(self._ask("failed"), lambda found: transitions.mark_failed(found, **failure))

    def _review(self) -> Record:
        ruling = transitions.Ruling(USUAL_REASONS[Decision.REVIEW], TERMS, trace=TRACE, reviewers=[BOSS], review={"approvals": 2})
        record = self._change(self._ask("review"), lambda found: transitions.decide(found, IN_REVIEW, ruling, by="zz", at=AT))
        self.site.people.approve(record.id, by="zz")
        return self.site.store.get(record.id)

    def _denied(self) -> Record:
        return self._change(self._ask("denied"), lambda found: transitions.decide(found, DENIED, transitions.Ruling(NO_RULES), by="zz", at=AT))

    def _withdrawn(self) -> Record:
        self.site.people.cancel(self._ask("withdrawn").id)
        return self.site.store.get(self._ask("withdrawn2").id)

    def _making(self) -> Record:
        record = self._ask("making")
        self.site.people.approve(record.id, by="zz", reason="Manually approved by admin zz")
        return self._change(record, lambda found: transitions.settle_terms(found, TERMS, at=AT))

    def _minted(self, name: str, expires: str) -> Record:
        record = self._ask(name)
        self.site.people.approve(record.id, by="zz")
        record = self._change(record, lambda found: transitions.mark_minted(found, at=AT, key_alias="zz", expires=expires))
        return self._change(record, lambda found: transitions.mark_delivered(found, at=AT, via="mail", ways=("mail",)))

    def _ready(self) -> Record:
        return self._minted("ready", "2026-12-21T04:00:00Z")

    def _ended(self) -> Record:
        return self._minted("ended", AT)

    def _renewal(self) -> Record:
        record = self._minted("renewed", "2026-12-21T04:00:00Z")
        after = self.site.people.renew(record.id, MoreTime("7d")).after
        assert after is not None
        return after


@pytest.fixture
def town(site: TestPortal, mails: KeptMails) -> Town:
    return Town(site, mails)


def stranger_pages(town: Town, visitor: Visitor) -> Iterator[tuple[str, str]]:
    """Yield the pages that somebody sees who is not signed in."""
    for path, status in (("/ask", 200), ("/ask?q=zzzz", 200), ("/ask?what=other", 200), ("/sign-in", 200), ("/sent", 200), ("/about", 200), ("/open/zz", 200)):
        yield path, visitor.see(path, status)
    for path, status in (("/mine", 401), ("/nothing", 404), ("/link?t=zz", 400), ("/ask?what=" + "z" * 400, 422)):
        yield path, visitor.see(path, status)
    yield "wrong form", visitor.send("/ask", {"what": "other", "other": "*", "email": "zz", "max_budget": "zz", "duration": "zz"}, 422)
    yield "wrong purpose", visitor.send("/ask", {"what": "zz", "purpose": "sk-" + "a" * 40, "email": "zz"}, 422)
    yield "wrong address", visitor.send("/sign-in", {"email": "zz"}, 422)
    for number, fields in enumerate(({}, *[{"username": "zz", "password": "zz"}] * 21)):
        yield f"password {number}", visitor.send("/sign-in/password", fields, 422 if not fields else 429 if number > 20 else 401)
    answer = visitor.client.post("/ask", data={"csrf": "zz"})
    yield "old form", answer.text
    answer = visitor.client.post("/ask", content=b"z" * 70_000)
    assert answer.status_code == 413
    yield "too large", answer.text
    visitor.send("/ask", {"what": "other", "other": "zz", "purpose": "zz", "email": EMAIL, "duration": "7d", "max_budget": "5", "agree": "yes"})
    yield "link", visitor.see(town.mails.link())
    visitor.send("/sign-in", {"email": EMAIL})
    yield "link to sign in", visitor.see(town.mails.link())


def person_pages(town: Town, visitor: Visitor) -> Iterator[tuple[str, str]]:
    """Yield the pages of somebody with requests in every state, and of somebody without."""
    visitor.sign_in("nobody@zz.example")
    yield "none", visitor.see("/mine")
    visitor.send("/sign-out")
    visitor.sign_in(EMAIL)
    yield "/mine", visitor.see("/mine")
    yield "/admin", visitor.see("/admin", 403)
    for name, record in town.requests.items():
        yield name, visitor.see(f"/mine/{record.id}")
    for said in ("asked", "known", "cancelled", "renewed", "resealed"):
        yield said, visitor.see(f"/mine/{town.requests['ready'].id}?said={said}")
    ready = town.requests["ready"].id
    yield "not withdrawn", visitor.send(f"/mine/{ready}/cancel", {}, 409)
    yield "wrong time", visitor.send(f"/mine/{ready}/renew", {"duration": "zz"}, 422)
    yield "not renewed", visitor.send(f"/mine/{town.requests['pending'].id}/renew", {}, 409)
    yield "no new link", visitor.send(f"/mine/{ready}/reseal", {}, 409)


def boss_pages(town: Town, visitor: Visitor) -> Iterator[tuple[str, str]]:
    """Yield the pages of an administrator."""
    visitor.sign_in(BOSS)
    for path in (
        "/admin",
        "/admin?tab=in-review",
        "/admin?tab=all",
        "/admin?tab=all&q=zzzz",
        "/admin?said=several&done=1&failed=1",
        "/admin?said=several&done=2&failed=3",
    ):
        yield path, visitor.see(path)
    for name, record in town.requests.items():
        yield name, visitor.see(f"/admin/{record.id}")
    for said in ("approved", "denied", "retried"):
        yield said, visitor.see(f"/admin/{town.requests['making'].id}?said={said}")
    pending, review, ready = (town.requests[name].id for name in ("pending", "review", "ready"))
    yield "none chosen", visitor.send("/admin/several", {"action": "approve"}, 422)
    yield "no reason", visitor.send("/admin/several", {"action": "deny", "ids": "zz zz"}, 422)
    yield "no reason either", visitor.send(f"/admin/{pending}/deny", {}, 422)
    yield "changed", visitor.send(f"/admin/{pending}/approve", {"version": "zz"}, 409)
    yield "a wrong number", visitor.send(f"/admin/{pending}/approve", {"rpm_limit": "zz"}, 422)
    yield "a wrong term", visitor.send(f"/admin/{pending}/approve", {"duration": "zz"}, 422)
    yield "a wrong reason", visitor.send(f"/admin/{pending}/approve", {"reason": "z" * 2000}, 422)
    yield "too much", visitor.send(f"/admin/{review}/approve", {"max_budget": "50", "rpm_limit": "50"}, 409)
    yield "a key", visitor.send(f"/admin/{ready}/deny", {"reason": "zz"}, 409)
    yield "nothing failed", visitor.send(f"/admin/{pending}/retry", {}, 409)
    yield "insight", "<html lang='" + visitor.client.headers["accept-language"] + "'>" + visitor.see(f"/admin/{review}/insight")


@pytest.mark.parametrize("pages", [stranger_pages, person_pages, boss_pages])
@pytest.mark.parametrize("code", OTHERS)
def test_no_english_is_left(town: Town, code: str, pages: Callable[[Town, Visitor], Iterator[tuple[str, str]]]) -> None:
    left = {name: found for name, page in pages(town, Visitor(town.site, code)) if (found := english_left(page, code))}
    assert left == {}


@pytest.mark.parametrize("code", OTHERS)
def test_pages_of_what_goes_wrong(town: Town, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    visitor = Visitor(town.site, code)
    visitor.sign_in(EMAIL)
    pages = []
    for error, status in ((StoreUnreachable("down"), 503), (ZeroDivisionError("zz"), 500)):
        monkeypatch.setattr(town.site.store, "_read", _raising(error))
        pages.append(visitor.see(f"/mine/{town.requests['ready'].id}", status))
    assert [english_left(page, code) for page in pages] == [set(), set()]
    assert languages()[code]("error.internal") in pages[1]


def _raising(error: Exception) -> Callable[..., Any]:
    def fail(*_arguments: Any) -> Any:
        raise error

    return fail


@pytest.mark.parametrize("code", OTHERS)
def test_mails_with_links(town: Town, code: str) -> None:
    visitor = Visitor(town.site, code)
    visitor.send("/ask", {"what": "other", "other": "zz", "purpose": "zz", "email": EMAIL, "agree": "yes"})
    visitor.send("/sign-in", {"email": EMAIL})
    for message in town.mails.kept:
        html = message.get_body(("html",))
        assert html is not None and english_left(html.get_content(), code) == set()
        assert message["Subject"] not in (SOURCE["mail.ask_subject"], SOURCE["mail.sign_in_subject"])


def reasons_of_rules() -> list[str]:
    """Return the reasons in the files of the rules: the sentences that begin with a capital letter and end with a point."""
    files = Path(email.__file__).parent.glob("*.py")
    nodes = [node for path in files for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    plain = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    found = [text for text in plain if re.fullmatch(r"(You|Your|Keys|No|All) [^\n`]+\.", text)]
    assert len(found) == 6
    return [*found, "The model gpt is not given out."]


@pytest.mark.parametrize("code", ["en", *OTHERS])
def test_reasons_that_programs_write_are_translated(code: str) -> None:
    t = languages()[code]
    written = [
        *(reason for reason in USUAL_REASONS.values()),
        NOTHING_APPROVED,
        NO_RULES,
        GONE,
        BLOCKED,
        "Cancelled by the requester.",
        "Renewed by 61675744-cffc-5b79-8a46-d69b1c18c28e.",
        "1 of 2 approvals.",
        "Manually denied by admin boss: Not\nnow {x}.",
        *reasons_of_rules(),
    ]
    assert [text for text in written if (t.reason(text) == text) != (code == "en")] == []
    assert t.reason("What a person wrote {x}.") == "What a person wrote {x}."
    assert "30 " in t.reason("Nobody decided within 30d; ask again if you still need the key.")
    until = "Your key may live until 2026-12-21T04:00:00Z at most; ask for a new one when it has ended, or ask an administrator for more time."
    assert "2026" in t.reason(until) and "T04:00" not in t.reason(until)


def test_english_that_is_left_is_found() -> None:
    page = '<html lang="de"><body><p>Save as a file</p><p lang="en">Ask for a key</p><code>Models</code><a title="My requests">x</a></body></html>'
    assert english_left(page, "de") == {"Save as a file", "My requests"}
