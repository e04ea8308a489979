# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What people do on the portal's pages, in a real browser, on a real store and a real mail server."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery.sealed import document_of, link_of, seal
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import transitions
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.catalogue_snapshot import publish_catalogue, snapshot_of
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import Desk, Wish, now
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.insight import (
    Insight,
    KeyFigures,
    Outlook,
    publish_insights,
    wanted_insights,
)
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import IN_REVIEW, Record
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.sealed_box import SealedBox, new_box_id, proof_digest
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.language import languages
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.portal import PASSWORD, PortalProcess, running_portal
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.smtp import Received, Server, mail_servers
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.web_pages import NARROW, WIDE, check_page, opened
from playwright.sync_api import Browser, Page, expect

KEY = "sk-" + "k" * 40
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
ADMIN = {"username": "admin", "password": PASSWORD}
CONFIG = {
    "models": [
        {"id": "granite-3-8b", "title": "Granite 3 8B", "icon": "simple-icons:ibm", "color": "#0f62fe", "description": "A small model for chat and code."},
        {"id": "mistral-small", "title": "Mistral Small", "icon": "simple-icons:mistralai", "color": "#fa520f", "description": "Fast and cheap."},
        {"id": "hostile", "title": HOSTILE, "icon": "mdi:alert", "color": "red", "description": HOSTILE},
    ],
    "featured_models": [
        {
            "id": "gpt-4o",
            "title": "GPT-4o",
            "subtitle": "Our usual choice",
            "description": "Good at most things.",
            "documentation_link": "https://docs.example.com/",
            "icon": "simple-icons:openai",
            "color": "#000000",
        }
    ],
}
PACKAGES = {
    "dev": {"models": ["granite-3-8b", "mistral-small"], "duration": "30d", "max_budget": 10, "rpm_limit": 60},
    "workshop": {"models": ["granite-3-8b"], "duration": "7d", "max_budget": 2.5, "budget_duration": "1d", "max_parallel_requests": 2},
}
LOOKS = {
    "dev": {"title": "Development", "icon": "mdi:code-tags", "color": "#6753ac", "description": "For trying things out."},
    "workshop": {"title": "Workshop", "icon": "mdi:school", "color": "#147878", "description": "For a day with a class."},
}


class Town:
    """A portal, its store as the worker sees it, and the mail server."""

    def __init__(self, portal: PortalProcess, store: DirectoryStore, mail: Server) -> None:
        self.portal, self.store, self.mail = portal, store, mail
        self.desk = Desk(store)

    def address(self, path: str) -> str:
        return self.portal.url + path

    def mail_to(self, address: str) -> Received:
        """Return the last mail to an address, when it has come."""
        deadline = time.monotonic() + 10
        while not (found := self.mail.mailbox.of(address)):
            assert time.monotonic() < deadline, f"no mail came to {address}"
            time.sleep(0.05)
        return found[-1]

    def link_to(self, address: str) -> str:
        """Return the link that was mailed to an address."""
        match = re.search(r"http://127\.0\.0\.1:\d+/link\?t=\S+", self.mail_to(address).part("plain"))
        assert match is not None
        return match[0]

    def of(self, email: str) -> list[Record]:
        return [record for record in self.store.listing().records if record.email == email]

    def submit(self, email: str, **wish: Any) -> Record:
        after = self.desk.ask(Wish(email, **(wish or {"package": "dev"}), purpose="A demo")).after
        assert after is not None
        return after

    def review(self, record: Record) -> None:
        """Let the rules give a request to a person."""
        terms = {"models": ["granite-3-8b"], "duration": "30d", "max_budget": 5}
        trace = [{"rule": "budget", "decision": "REVIEW", "reason": "More than 5 USD need a person."}]
        ruling = transitions.Ruling("More than 5 USD need a person.", terms, trace=trace)
        self.store.transition(self.store.get(record.id), lambda found: transitions.decide(found, IN_REVIEW, ruling, by="chain", at=now()))

    def seal(self, record: Record) -> str:
        """Seal a key for the person, and return the link that opens it."""
        box_id = new_box_id(record.id)
        document = document_of(KEY, "https://llm.example.com", models=["granite-3-8b"], alias="request-1", vendors=["openai"], paths={})
        done = seal(document, box_id=box_id, request_id=record.id)
        box = SealedBox(box_id, record.email, now(), "2030-12-21T04:00:00Z", "0" * 16, proof_digest(done.proof), done.contents)
        self.store.boxes.put(box)
        return link_of(self.portal.url, box_id, done.secret)

    def mint(self, record: Record, expires: str = "2030-12-21T04:00:00Z") -> None:
        """Let the key of an approved request be made and sent."""
        self.store.transition(self.store.get(record.id), lambda found: transitions.mark_minted(found, at=now(), key_alias="request-1", expires=expires))
        self.store.transition(self.store.get(record.id), lambda found: transitions.mark_delivered(found, at=now(), via="mail", ways=("mail",)))


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder: Path = tmp_path_factory.mktemp("portal")
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    store = DirectoryStore(str(folder / "requests"))
    publish_catalogue(store, snapshot_of(now(), [f"model-{number}" for number in range(40)], packages=PACKAGES, looks=LOOKS))
    with mail_servers(folder) as make:
        mail = make(tls="none")
        variables = {
            "LITELLM_KEY_REQUESTS_DIR": str(folder / "requests"),
            "CONFIG_FILE": str(folder / "config.yaml"),
            "SMTP_HOST": "localhost",
            "SMTP_PORT": str(mail.port),
            "SMTP_USE_TLS": "none",
            "PORTAL_SECRET": "s" * 40,
            "PORTAL_ADMINS": "boss@example.com",
            "PORTAL_LISTING_SECONDS": "0.1",
        }
        with running_portal(folder, **variables) as portal:
            yield Town(portal, store, mail)


@contextmanager
def admin_page(chromium: Browser, town: Town, **options: Any) -> Iterator[Page]:
    with opened(chromium, http_credentials={**ADMIN, "origin": town.portal.url}, **options) as page:
        yield page


def fill_in(page: Page, email: str = "") -> None:
    """Fill in the form for the package Development."""
    page.locator("input[value='package:dev']").check()
    page.locator("#ask-purpose").fill("A demo for customers\nwith " + HOSTILE)
    page.locator("#ask-duration").select_option("7d")
    page.locator("#ask-max_budget").fill("2,5")
    if email:
        page.locator("#ask-email").fill(email)
    page.locator("#ask-agree").check()


def open_session(page: Page, town: Town, email: str) -> None:
    """Sign in by mail."""
    page.goto(town.address("/sign-in"))
    page.locator("#email").fill(email)
    page.locator("main button").click()
    page.goto(town.link_to(email))
    page.locator("main button").click()
    page.wait_for_url(re.compile(r"/(mine|admin)$"))


@pytest.mark.parametrize(("code", "axe_at"), [("en", (NARROW, WIDE)), ("de", (NARROW,)), ("es", ())])
def test_somebody_asks_and_an_administrator_approves(chromium: Browser, town: Town, code: str, axe_at: tuple[int, ...]) -> None:
    email, t = f"ada-{code}@company.com", languages()[code]
    dark = "dark" if code == "de" else "light"
    with opened(chromium, locale=code, color_scheme=dark) as page:
        page.goto(town.portal.url)
        expect(page.locator("h1")).to_have_text(t("ask.title"))
        expect(page.locator("html")).to_have_attribute("lang", code)
        check_page(page, f"{code}-ask", axe_at=axe_at)
        fill_in(page, email)
        page.get_by_role("button", name=t("ask.submit_link")).click()
        expect(page.locator("h1")).to_contain_text(t("sent.title"))
        check_page(page, f"{code}-sent", axe_at=axe_at)
        assert town.of(email) == []
        mail = town.mail_to(email)
        assert (mail.message["Subject"], mail.message["Content-Language"]) == (t("mail.ask_subject"), code)
        assert "<script>" not in mail.part("html")

        page.goto(town.link_to(email))
        check_page(page, f"{code}-link", axe_at=axe_at)
        assert town.of(email) == []
        page.get_by_role("button", name=t("link.submit_ask")).click()
        page.wait_for_url("**/mine/*")
        check_page(page, f"{code}-asked", axe_at=axe_at)
        (record,) = town.of(email)
        assert (record.package, record.duration, record.max_budget, record.language) == ("dev", "7d", 2.5, code)
        assert record.purpose.endswith(HOSTILE) and record.verified_at

        with admin_page(chromium, town, locale=code, color_scheme=dark) as admin:
            admin.goto(town.address("/admin"))
            check_page(admin, f"{code}-admin", axe_at=axe_at)
            admin.get_by_role("link", name=email).click()
            check_page(admin, f"{code}-decide", axe_at=axe_at)
            admin.locator("summary").click()
            admin.locator("#grant-max_budget").fill("2")
            check_page(admin, f"{code}-grant", axe_at=axe_at)
            admin.locator("form[action$='/approve'] button").click()
            expect(admin.locator(".pf-m-success").first).to_contain_text(t("said.approved"))
        expect(page.locator(".portal-state")).to_contain_text(t("state.making"))
        town.mint(record)
        expect(page.locator(".portal-state")).to_contain_text(t("state.ready"))
        page.goto(town.address("/mine"))
        check_page(page, f"{code}-mine", axe_at=axe_at)
        page.locator(f"#request-{record.id}").click()
        check_page(page, f"{code}-ready", axe_at=axe_at)
    assert town.store.get(record.id).granted == {"max_budget": 2}


def test_everything_works_without_javascript(chromium: Browser, town: Town) -> None:
    with opened(chromium, java_script_enabled=False) as page:
        page.goto(town.address("/ask"))
        page.locator("#search").fill("workshop")
        page.get_by_role("button", name="Search").click()
        assert [each.get_attribute("value") for each in page.locator(".portal-cards input").all()] == ["package:workshop"]
        page.goto(town.address("/ask"))
        fill_in(page, "eve@company.com")
        page.locator("#ask button[type='submit']").click()
        page.goto(town.link_to("eve@company.com"))
        page.locator("main button").click()
        page.get_by_role("button", name="Withdraw the request").click()
        expect(page.locator(".portal-state")).to_contain_text("Withdrawn")
        page.get_by_role("button", name="Deutsch").click()
        expect(page.locator(".portal-state")).to_contain_text("Zurückgezogen")
        page.get_by_role("button", name="Abmelden").click()
        page.goto(town.address("/mine"))
        expect(page.locator("h1")).to_have_text("Das ging nicht")
    with admin_page(chromium, town, java_script_enabled=False) as admin:
        record = town.submit("max@company.com")
        admin.goto(town.address("/admin?q=max"))
        admin.get_by_role("button", name="Deny").click()
        expect(admin.locator(".pf-m-danger").first).to_contain_text("Choose at least one")
        admin.locator(f"#tick-{record.id}").check()
        admin.locator("#several-reason").fill("Not now " + HOSTILE)
        admin.get_by_role("button", name="Deny").click()
        expect(admin.locator(".pf-m-success").first).to_contain_text("One request was decided.")
        assert (town.store.get(record.id).state, town.store.get(record.id).history[-1].by) == ("denied", "admin")


def test_a_wrong_form_says_what_is_wrong(chromium: Browser, town: Town) -> None:
    with opened(chromium, java_script_enabled=False) as page:
        page.goto(town.address("/ask?what=other"))
        page.locator("#ask-other").fill("openai/*")
        page.locator("#ask-purpose").fill("my key is sk-" + "a" * 40)
        page.locator("#ask-email").fill("ada@localhost")
        page.locator("#ask-agree").check()
        page.locator("#ask button[type='submit']").click()
        for words in ("without wildcards", "Never write a key", "ada@example.com"):
            expect(page.locator(".portal-alert")).to_contain_text(words)
        expect(page.locator("#ask-email")).to_have_attribute("aria-invalid", "true")
        expect(page.locator("#ask-email")).to_have_value("ada@localhost")
    with opened(chromium) as page:
        page.goto(town.address("/ask"))
        page.locator("input[value='package:dev']").check()
        page.locator("#ask-purpose").fill(" ")
        page.locator("#ask-email").fill("ada@localhost")
        page.locator("#ask-agree").check()
        page.locator("#ask button[type='submit']").click()
        check_page(page, "problems")


def test_the_catalogue_is_searched_while_typing(chromium: Browser, town: Town) -> None:
    with opened(chromium) as page:
        page.goto(town.address("/ask"))
        page.locator("#search").fill("workshop")
        expect(page.locator(".portal-cards input")).to_have_count(1)
        page.locator("#search").fill("")
        page.locator("input[value='package:dev']").check()
        page.locator("#search").press_sequentially("fast")
        expect(page.locator(".portal-cards input")).to_have_count(2)
        assert page.locator("input[value='package:dev']").is_checked()
        page.locator("#search").fill("")
        expect(page.locator(".portal-cards input")).to_have_count(24)
        expect(page.locator("#choices")).to_contain_text("There are 22 more")


def test_the_keyboard_is_enough(chromium: Browser, town: Town) -> None:
    with opened(chromium, viewport={"width": NARROW, "height": 800}) as page:
        page.goto(town.address("/ask"))
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.getAttribute('href')") == "#main"
        page.keyboard.press("Enter")
        to(page, "document.activeElement.name === 'what'")
        page.keyboard.press("Space")
        to(page, "document.activeElement.id === 'ask-purpose'")
        page.keyboard.type("For the keyboard")
        to(page, "document.activeElement.id === 'ask-email'")
        page.keyboard.type("kim@company.com")
        to(page, "document.activeElement.id === 'ask-agree'")
        page.keyboard.press("Space")
        to(page, "document.activeElement.type === 'submit'")
        page.keyboard.press("Enter")
        page.wait_for_url("**/sent")
    assert town.link_to("kim@company.com")


def to(page: Page, condition: str) -> None:
    """Press Tab until the focus is where `condition` says."""
    for _press in range(60):
        page.keyboard.press("Tab")
        if page.evaluate(condition):
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
            return
    raise AssertionError(f"Tab never came to {condition}")


def test_the_list_follows_what_happens_and_keeps_what_was_ticked(chromium: Browser, town: Town) -> None:
    first = town.submit("list-1@company.com")
    with admin_page(chromium, town) as admin:
        with admin.expect_response(lambda answer: "seen=" in answer.url):  # with nothing ticked
            admin.goto(town.address("/admin?q=list-"))
        admin.locator(f"#tick-{first.id}").check()
        second = town.submit("list-2@company.com", package="workshop")
        town.review(second)
        third = town.submit("list-3@company.com")
        expect(admin.locator(f"#open-{third.id}")).to_be_visible()
        assert admin.locator(f"#tick-{first.id}").is_checked()
        assert not admin.locator(f"#tick-{third.id}").is_checked()
        admin.get_by_role("link", name="In review").click()
        expect(admin.locator(f"#open-{second.id}")).to_be_visible()
        admin.locator(f"#open-{second.id}").click()
        expect(admin.locator("main")).to_contain_text("How the rules decided")
        check_page(admin, "review")


def test_pages_follow_what_the_worker_finds_out(chromium: Browser, town: Town) -> None:
    waiting, living = town.submit("una@company.com"), town.submit("max2@company.com", package="workshop")
    town.review(waiting)
    town.desk.approve(living.id, by="boss")
    town.mint(living)
    trace = ({"rule": "budget", "decision": "CONTINUE", "detail": "At most 10 USD."}, {"rule": "email", "decision": "APPROVE", "matched": "*@company.com"})
    outlook = Outlook("APPROVE", "Your request meets the rules for automatic approval.", {"models": ["granite-3-8b"], "max_budget": 5}, trace, ("http",))

    def find_out() -> None:
        deadline = time.monotonic() + 10
        while not {waiting.id, living.id} & set(wanted_insights(town.store)):
            assert time.monotonic() < deadline, "nobody wants to know"
            time.sleep(0.05)
        figures = KeyFigures(1.256, 2.5, "1d", "2031-01-01T00:00:00Z")
        publish_insights(town.store, {waiting.id: Insight(now(), now(), outlook), living.id: Insight(now(), now(), key=figures)})

    with admin_page(chromium, town, locale="de", color_scheme="dark") as admin:
        admin.goto(town.address(f"/admin/{waiting.id}"))
        expect(admin.locator("#insight")).to_contain_text("Die Regeln werden gefragt.")
        find_out()
        expect(admin.locator("#insight")).to_contain_text("Sie würden die Anfrage genehmigen")
        check_page(admin, "outlook")
        admin.goto(town.address(f"/admin/{living.id}"))
        expect(admin.locator("#insight")).to_contain_text("1,26")
        check_page(admin, "figures")
    with opened(chromium) as page:
        open_session(page, town, "max2@company.com")
        expect(page.locator("#mine")).to_contain_text("$1.26 of $2.50 spent")
        check_page(page, "mine-figures")
        page.locator(f"#request-{living.id}").click()
        expect(page.locator("#request")).to_contain_text("Jan 1, 2031")
        check_page(page, "ready-figures")


def test_two_administrators_decide_at_once(chromium: Browser, town: Town) -> None:
    record = town.submit("both@company.com")
    with admin_page(chromium, town) as one:
        one.goto(town.address(f"/admin/{record.id}"))
        town.desk.deny(record.id, by="the other", reason="No.")
        one.locator("form[action$='/approve'] button").click()
        expect(one.locator(".pf-m-danger").first).to_contain_text("The request was not changed.")
    assert town.store.get(record.id).state == "denied"


def test_a_key_gets_more_time(chromium: Browser, town: Town) -> None:
    record = town.submit("zoe@company.com")
    town.desk.approve(record.id, by="boss")
    town.mint(record)
    with opened(chromium) as page:
        open_session(page, town, "zoe@company.com")
        page.locator(f"#request-{record.id}").click()
        page.locator("#renew-duration").select_option("30d")
        page.get_by_role("button", name="Count from the present end").click()
        expect(page.locator(".portal-alert")).to_contain_text("You asked for more time.")
        check_page(page, "renewal")
    (renewal,) = [each for each in town.of("zoe@company.com") if each.renews]
    assert (renewal.renews, renewal.from_end, renewal.duration) == (record.id, True, "30d")


def test_an_administrator_signs_in_by_mail(chromium: Browser, town: Town) -> None:
    with opened(chromium) as page:
        open_session(page, town, "boss@example.com")
        expect(page.locator("h1")).to_have_text("Requests for keys")
        with page.expect_download() as download:
            page.get_by_role("link", name="Export the audit log").click()
        assert download.value.suggested_filename == "key-requests-audit.jsonl"
        page.goto(town.address("/sign-in"))
        check_page(page, "sign-in")
        page.goto(town.address("/mine"))
        check_page(page, "mine-empty")
        page.goto(town.address("/nothing"))
        check_page(page, "error")


def test_a_sealed_key_is_opened_once(chromium: Browser, town: Town) -> None:
    record = town.submit("sam@company.com")
    link = town.seal(record)
    with opened(chromium, locale="es") as page:
        page.goto(link.partition("#")[0])
        expect(page.locator("[data-open-state='incomplete']")).to_be_visible()
    with opened(chromium, locale="de", color_scheme="dark") as page:
        page.goto(link)
        check_page(page, "open-ready")
        page.get_by_role("button", name="Meinen Schlüssel öffnen").click()
        expect(page.locator("[data-open-field='key']").first).to_have_text(KEY)
        expect(page.locator("[data-open-variables]")).to_contain_text("OPENAI_API_KEY")
        check_page(page, "open-shown")
        with page.expect_download() as download:
            page.get_by_role("button", name="Als Datei speichern").click()
        assert KEY in download.value.path().read_text()
    box = town.store.boxes.get(record.id)
    assert box is not None and box.opened_at and not box.contents
    with opened(chromium) as page:
        page.goto(link)
        page.get_by_role("button", name="Open my key").click()
        expect(page.locator("[data-open-state='opened']")).to_be_visible()
