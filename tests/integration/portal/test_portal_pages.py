# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What people do on the portal's pages, in a real browser, on a real store and a real mail server."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import now
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.insight import (
    Insight,
    KeyFigures,
    Outlook,
    publish_insights,
    wanted_insights,
)
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.language import languages
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.portal import PASSWORD, running_portal
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.portal_town import CONFIG, HOSTILE, KEY, Town
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.smtp import Received, Server, mail_servers
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.web_pages import NARROW, TOO_WIDE, check_page, opened
from playwright.sync_api import Browser, Page, expect

SHOWS_FOCUS = "(style => style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1)(getComputedStyle(document.activeElement))"


class MailTown(Town):
    """The same with the mail server of the portal."""

    def __init__(self, url: str, store: DirectoryStore, mail: Server) -> None:
        super().__init__(url, store)
        self.mail = mail

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


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailTown]:
    folder: Path = tmp_path_factory.mktemp("portal")
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    store = DirectoryStore(str(folder / "requests"))
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
            yield MailTown(portal.url, store, mail)


@contextmanager
def admin_page(chromium: Browser, town: MailTown, **options: Any) -> Iterator[Page]:
    """Open a page in which the administrator has signed in with the password."""
    with opened(chromium, **options) as page:
        page.goto(town.address("/admin"))
        give_password(page, PASSWORD)
        page.wait_for_url("**/admin")
        yield page


def give_password(page: Page, password: str) -> None:
    page.locator("#username").fill("admin")
    page.locator("#password").fill(password)
    page.locator("form[action='/sign-in/password'] button").click()


def fill_in(page: Page, email: str = "") -> None:
    """Fill in the form for the package Development."""
    page.locator("input[value='package:dev']").check()
    page.locator("#ask-purpose").fill("A demo for customers\nwith " + HOSTILE)
    page.locator("#ask-duration").select_option("7d")
    page.locator("#ask-max_budget").fill("2,5")
    if email:
        page.locator("#ask-email").fill(email)
    page.locator("#ask-agree").check()


def open_session(page: Page, town: MailTown, email: str) -> None:
    """Sign in by mail."""
    page.goto(town.address("/sign-in"))
    page.locator("#email").fill(email)
    page.locator("form[action='/sign-in'] button").click()
    page.goto(town.link_to(email))
    page.locator("main button").click()
    page.wait_for_url(re.compile(r"/(mine|admin)$"))


@pytest.mark.parametrize("code", ["en", "de", "es"])
def test_somebody_asks_and_an_administrator_approves(chromium: Browser, town: MailTown, code: str) -> None:
    email, t = f"ada-{code}@company.com", languages()[code]
    dark = "dark" if code == "de" else "light"
    with opened(chromium, locale=code, color_scheme=dark) as page:
        page.goto(town.url)
        expect(page.locator("h1")).to_have_text(t("ask.title"))
        expect(page.locator("html")).to_have_attribute("lang", code)
        check_page(page, f"{code}-ask")
        fill_in(page, email)
        page.get_by_role("button", name=t("ask.submit_link")).click()
        expect(page.locator("h1")).to_contain_text(t("sent.title"))
        check_page(page, f"{code}-sent")
        assert town.of(email) == []
        mail = town.mail_to(email)
        assert (mail.message["Subject"], mail.message["Content-Language"]) == (t("mail.ask_subject"), code)
        assert "<script>" not in mail.part("html")

        page.goto(town.link_to(email))
        check_page(page, f"{code}-link")
        assert town.of(email) == []
        page.get_by_role("button", name=t("link.submit_ask")).click()
        page.wait_for_url("**/mine/*")
        check_page(page, f"{code}-asked")
        (record,) = town.of(email)
        assert (record.package, record.duration, record.max_budget, record.language) == ("dev", "7d", 2.5, code)
        assert record.purpose.endswith(HOSTILE) and record.verified_at

        with admin_page(chromium, town, locale=code, color_scheme=dark) as admin:
            admin.goto(town.address("/admin"))
            check_page(admin, f"{code}-admin")
            admin.get_by_role("link", name=email, exact=True).click()
            check_page(admin, f"{code}-decide")
            admin.locator("summary").click()
            admin.locator("#grant-max_budget").fill("2")
            check_page(admin, f"{code}-grant")
            admin.locator("form[action$='/approve'] button").click()
            expect(admin.locator(".pf-m-success").first).to_contain_text(t("said.approved"))
        expect(page.locator(".portal-state")).to_contain_text(t("state.making"))
        town.mint(record)
        expect(page.locator(".portal-state")).to_contain_text(t("state.ready"))
        page.goto(town.address("/mine"))
        check_page(page, f"{code}-mine")
        page.locator(f"#request-{record.id}").click()
        check_page(page, f"{code}-ready")
    assert town.store.get(record.id).granted == {"max_budget": 2}


def test_everything_works_without_javascript(chromium: Browser, town: MailTown) -> None:
    with opened(chromium, java_script_enabled=False) as page:
        page.goto(town.address("/ask"))
        page.locator("#search").fill("workshop")
        page.get_by_role("button", name="Search").click()
        assert [each.get_attribute("value") for each in page.locator(".portal-cards input").all()] == ["package:workshop"]
        page.goto(town.address("/ask"))
        fill_in(page, "eve@company.com")
        page.locator("#ask .portal-actions button").click()
        page.goto(town.link_to("eve@company.com"))
        page.locator("main button").click()
        page.get_by_role("button", name="Withdraw the request").click()
        expect(page.locator(".portal-state")).to_contain_text("Withdrawn")
        page.get_by_role("button", name="Deutsch").click()
        expect(page.locator(".portal-state")).to_contain_text("Zurückgezogen")
        page.get_by_role("button", name="Abmelden").click()
        page.goto(town.address("/mine"))
        expect(page.locator("h1")).to_have_text("Das ging nicht")
        page.goto(town.seal(town.submit("eve@company.com", package="workshop")))
        expect(page.get_by_text("braucht es JavaScript")).to_be_visible()
        expect(page.locator("main button:visible")).to_have_count(0)


def test_administrators_need_no_javascript(chromium: Browser, town: MailTown) -> None:
    with admin_page(chromium, town, java_script_enabled=False) as admin:
        record, other = town.submit("max@company.com"), town.submit("moritz@company.com")
        several = [town.submit(f"plain-{number}@company.com") for number in range(2)]
        admin.goto(town.address("/admin?q=max"))
        admin.get_by_role("button", name="Deny").click()
        expect(admin.locator(".pf-m-danger").first).to_contain_text("Choose at least one")
        admin.locator(f"#tick-{record.id}").check()
        admin.locator("#several-reason").fill("Not now " + HOSTILE)
        admin.get_by_role("button", name="Deny").click()
        expect(admin.locator(".pf-m-success").first).to_contain_text("One request was decided.")
        assert (town.store.get(record.id).state, town.store.get(record.id).history[-1].by) == ("denied", "admin")
        admin.goto(town.address("/admin"))
        admin.locator("#search").fill("moritz")
        admin.get_by_role("button", name="Search").click()
        admin.locator(f"#open-{other.id}").click()
        admin.locator("summary").click()
        admin.locator("#grant-max_budget").fill("2")
        admin.get_by_role("button", name="Approve").click()
        expect(admin.locator(".pf-m-success").first).to_contain_text("The request was approved.")
        assert town.store.get(other.id).granted == {"max_budget": 2}
        admin.goto(town.address("/admin?q=plain-"))
        for each in several:
            admin.locator(f"#tick-{each.id}").check()
        admin.get_by_role("button", name="Approve", exact=True).click()
        expect(admin.locator(".pf-m-success").first).to_contain_text("2 requests were decided.")
        admin.get_by_role("link", name="All").click()
        admin.locator("#sort-email").click()
        expect(admin.locator("tbody a[id^=open-]").first).to_have_text("plain-0@company.com")
        admin.locator(f"#open-{several[0].id}").click()
        admin.locator("#deny-reason").fill("After all not.")
        admin.get_by_role("button", name="Deny").click()
        expect(admin.locator(".pf-m-success").first).to_contain_text("The request was denied.")
    assert [town.store.get(each.id).state for each in several] == ["denied", "approved"]


def test_a_card_is_requested_by_its_own_button(chromium: Browser, town: MailTown) -> None:
    with opened(chromium, java_script_enabled=False) as page:
        page.goto(town.address("/ask"))
        page.get_by_role("button", name="Request GPT-4o").click()
        expect(page.locator(".portal-alert")).to_contain_text("Accept the terms of use.")
        page.locator("#ask-purpose").fill("A demo")
        page.locator("#ask-email").fill("fay@company.com")
        page.locator("#ask-agree").check()
        page.get_by_role("button", name="Request GPT-4o").click()
        page.goto(town.link_to("fay@company.com"))
        page.locator("main button").click()
        page.goto(town.address("/ask"))
        page.locator("input[value='package:dev']").check()
        page.locator("#ask-purpose").fill("Another demo")
        page.locator("#ask-agree").check()
        page.locator("#ask-max_budget").press("Enter")  # asks for what is chosen, and not for the first card with a button
        page.wait_for_url("**/mine/*")
    assert [(record.models, record.package) for record in town.of("fay@company.com")] == [(("gpt-4o",), ""), ((), "dev")]


def test_a_wrong_form_says_what_is_wrong(chromium: Browser, town: MailTown) -> None:
    with opened(chromium, java_script_enabled=False) as page:
        page.goto(town.address("/ask?what=other"))
        page.locator("#ask-other").fill("openai/*")
        page.locator("#ask-purpose").fill("my key is sk-" + "a" * 40)
        page.locator("#ask-email").fill("ada@localhost")
        page.locator("#ask-agree").check()
        page.locator("#ask .portal-actions button").click()
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
        page.locator("#ask .portal-actions button").click()
        check_page(page, "problems")


def test_the_catalogue_is_searched_while_typing(chromium: Browser, town: MailTown) -> None:
    with opened(chromium) as page:
        page.goto(town.address("/ask"))
        page.locator("#search").fill("workshop")
        expect(page.locator(".portal-cards input")).to_have_count(1)
        expect(page.locator("#found")).to_have_text("One choice.")
        expect(page.locator("#found")).to_have_count(1)
        page.locator("#search").fill("")
        page.locator("input[value='package:dev']").check()
        page.locator("#search").press_sequentially("fast")
        expect(page.locator(".portal-cards input")).to_have_count(2)
        assert page.locator("input[value='package:dev']").is_checked()
        page.locator("#search").fill("")
        expect(page.locator(".portal-cards input")).to_have_count(24)
        expect(page.locator("#choices")).to_contain_text("There are 22 more")


def test_the_keyboard_is_enough_to_get_a_key(chromium: Browser, town: MailTown) -> None:
    with opened(chromium, viewport={"width": NARROW, "height": 800}) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.goto(town.address("/ask"))
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.getAttribute('href')") == "#main"
        page.keyboard.press("Enter")
        press(page, "document.activeElement.name === 'what'", "Space")
        press(page, "document.activeElement.id === 'ask-agree'", "Space")
        press(page, "document.activeElement.type === 'submit' && document.activeElement.closest('.portal-actions')", "Enter")
        assert page.evaluate("document.activeElement.id") == "ask-purpose"  # the browser says what is missing
        page.keyboard.type("For the keyboard")
        to(page, "document.activeElement.id === 'ask-email'")
        page.keyboard.type("kim@localhost")
        page.keyboard.press("Enter")
        expect(page.locator(".portal-alert")).to_be_focused()
        press(page, "document.activeElement.getAttribute('href') === '#ask-email'", "Enter")
        to(page, "document.activeElement.id === 'ask-email'")
        page.keyboard.press("Control+a")
        page.keyboard.type("kim@company.com")
        press(page, "document.activeElement.type === 'submit' && document.activeElement.closest('.portal-actions')", "Enter")
        page.wait_for_url("**/sent")
        page.goto(town.link_to("kim@company.com"))
        press(page, "document.activeElement.matches('main button')", "Enter")
        page.wait_for_url("**/mine/*")
        (record,) = town.of("kim@company.com")
        press(page, "document.activeElement.matches('[data-copy]')", "Enter")
        expect(page.get_by_text("Copied.")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == record.id
        town.desk.approve(record.id, by="boss")
        expect(page.locator(".portal-state")).to_contain_text("Approved")
        assert page.evaluate("document.activeElement.id") == f"copy-{record.id}"  # though the part of the page was replaced
        town.mint(record)
        press(page, "document.activeElement.getAttribute('href') === '/mine'", "Enter")
        page.wait_for_url("**/mine")
        press(page, f"document.activeElement.id === 'request-{record.id}'", "Enter")
        page.wait_for_url(f"**/mine/{record.id}")
        page.goto(town.seal(record))
        press(page, "document.activeElement.matches('[data-open-button]')", "Enter")
        expect(page.locator("[data-open-state='shown']")).to_be_focused()
        press(page, "document.activeElement.dataset.openCopy === 'key'", "Space")
        expect(page.get_by_text("Copied.")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == KEY


def test_the_keyboard_is_enough_to_decide(chromium: Browser, town: MailTown) -> None:
    first, second, *several = [town.submit(f"keys-{number}@company.com") for number in range(4)]
    with admin_page(chromium, town) as admin:
        admin.goto(town.address("/admin?q=keys-"))
        ring = tab_ring(admin)
        assert {f"tick-{first.id}", f"open-{first.id}", "sort-email", "search", "tab-all", "several-reason"} <= set(ring)
        row = ["tick", "id", "open", "approve", "deny"]
        assert [each.partition("-")[0] for each in ring if each.endswith(first.id)] == row
        press(admin, f"document.activeElement.id === 'open-{first.id}'", "Enter")
        admin.wait_for_url(f"**/admin/{first.id}")
        press(admin, "document.activeElement.matches('summary')", "Enter")
        to(admin, "document.activeElement.id === 'grant-max_budget'")
        admin.keyboard.type("2")
        press(admin, "document.activeElement.closest('form[action$=approve]') && document.activeElement.type === 'submit'", "Enter")
        expect(admin.locator(".pf-m-success").first).to_contain_text("The request was approved.")
        press(admin, "document.activeElement.matches('.portal-crumbs a')", "Enter")
        admin.wait_for_url("**/admin")
        admin.goto(town.address(f"/admin/{second.id}"))
        to(admin, "document.activeElement.id === 'deny-reason'")
        admin.keyboard.type("Not now")
        press(admin, "document.activeElement.closest('form[action$=deny]') && document.activeElement.type === 'submit'", "Space")
        expect(admin.locator(".pf-m-success").first).to_contain_text("The request was denied.")
        admin.goto(town.address("/admin?q=keys-"))
        for each in several:
            press(admin, f"document.activeElement.id === 'tick-{each.id}'", "Space")
        town.submit("keys-9@company.com")
        expect(admin.locator("tbody tr")).to_have_count(3)
        assert admin.evaluate("document.activeElement.id") == f"tick-{several[-1].id}"  # though the list was replaced
        press(admin, "document.activeElement.value === 'approve'", "Enter")
        expect(admin.locator(".pf-m-success").first).to_contain_text("2 requests were decided.")
    assert town.store.get(first.id).granted == {"max_budget": 2}
    assert [town.store.get(each.id).state for each in (first, second, *several)] == ["approved", "denied", "approved", "approved"]


def press(page: Page, condition: str, key: str) -> None:
    """Press Tab until the focus is where `condition` says, and then `key`."""
    to(page, condition)
    page.keyboard.press(key)


def to(page: Page, condition: str) -> None:
    """Press Tab until the focus is where `condition` says."""
    for _press in range(90):
        page.keyboard.press("Tab")
        if page.evaluate(condition):
            assert page.evaluate(SHOWS_FOCUS)
            return
    raise AssertionError(f"Tab never came to {condition}")


def tab_ring(page: Page) -> list[str]:
    """Press Tab until the focus is where it began, and return the ids that it came by. Nothing holds it."""
    ids: list[str] = []
    for _press in range(150):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('href') === '#main'"):
            if ids:
                return ids
            continue
        assert page.evaluate(f"document.activeElement === document.body || {SHOWS_FOCUS}"), page.evaluate("document.activeElement.outerHTML")
        ids.append(page.evaluate("document.activeElement.id"))
    raise AssertionError(f"the focus did not come round: {ids[-5:]}")


def test_the_list_follows_what_happens_and_keeps_what_was_ticked(chromium: Browser, town: MailTown) -> None:
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


def test_pages_follow_what_the_worker_finds_out(chromium: Browser, town: MailTown) -> None:
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


def test_two_administrators_decide_at_once(chromium: Browser, town: MailTown) -> None:
    record = town.submit("both@company.com")
    with admin_page(chromium, town) as one:
        one.goto(town.address(f"/admin/{record.id}"))
        town.desk.deny(record.id, by="the other", reason="No.")
        one.locator("form[action$='/approve'] button").click()
        expect(one.locator(".pf-m-danger").first).to_contain_text("The request was not changed.")
    assert town.store.get(record.id).state == "denied"


def test_a_key_gets_more_time(chromium: Browser, town: MailTown) -> None:
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


def test_an_administrator_signs_in_by_mail(chromium: Browser, town: MailTown) -> None:
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


@pytest.mark.parametrize("java_script", [True, False])
def test_a_row_of_the_list_is_decided_by_its_own_buttons(chromium: Browser, town: MailTown, java_script: bool) -> None:
    one, two, three = [town.submit(f"row{number}-{java_script}@company.com") for number in range(3)]
    with admin_page(chromium, town, java_script_enabled=java_script, viewport={"width": NARROW, "height": 800}) as admin:
        admin.goto(town.address(f"/admin?q=row%20{java_script}"))
        if java_script:
            check_page(admin, "rows")
            for width in (780, 1024, 1201):  # where the table begins to be one
                admin.set_viewport_size({"width": width, "height": 800})
                assert admin.evaluate(TOO_WIDE) == [], width
            admin.set_viewport_size({"width": NARROW, "height": 800})
            admin.locator(f"#approve-{one.id}").focus()
            town.submit(f"row3-{java_script}@company.com")
            expect(admin.locator("tbody tr")).to_have_count(4)
            assert admin.evaluate("document.activeElement.id") == f"approve-{one.id}"  # though the list was replaced
        admin.locator(f"#tick-{three.id}").check()
        admin.locator("#several-reason").fill("For the others")
        admin.locator(f"#approve-{one.id}").press("Enter")
        expect(admin.locator(".pf-m-success").first).to_contain_text("One request was decided.")
        assert f"q=row+{java_script}" in admin.url
        admin.get_by_role("link", name=f"Deny {two.email}").press("Enter")
        admin.wait_for_url(f"**/admin/{two.id}#deny-reason")
        expect(admin.locator("#deny-reason")).to_be_focused()
        admin.keyboard.type("Not now")
        admin.get_by_role("button", name="Deny").click()
        expect(admin.locator(".pf-m-success").first).to_contain_text("The request was denied.")
        town.desk.deny(three.id, by="the other", reason="No.")
        admin.goto(town.address(f"/admin?tab=all&q=row%20{java_script}"))
        expect(admin.locator(f"#approve-{three.id}")).to_have_count(0)
        admin.locator(f"#id-{three.id}").click()
        admin.wait_for_url(f"**/admin/{three.id}")
    assert [(town.store.get(each.id).state, town.store.get(each.id).reason) for each in (one, two, three)] == [
        ("approved", ""),
        ("denied", "Not now"),
        ("denied", "No."),
    ]


@pytest.mark.parametrize("java_script", [True, False])
def test_an_administrator_signs_in_with_the_password_and_out(chromium: Browser, town: MailTown, java_script: bool) -> None:
    with opened(chromium, java_script_enabled=java_script, locale="de") as page:
        page.goto(town.address("/admin?tab=all"))
        page.keyboard.press("Tab")
        give_password(page, "wrong")
        expect(page.locator(".pf-m-danger")).to_contain_text("Benutzername oder Passwort ist falsch.")
        expect(page.locator("#username")).to_have_value("admin")
        expect(page.locator("#password")).to_have_value("")
        page.locator("#password").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**/admin?tab=all")
        expect(page.locator(".portal-address")).to_have_text("admin")
        page.get_by_role("button", name="Abmelden").click()
        page.wait_for_url("**/ask")
        page.goto(town.address("/admin"))
        expect(page.locator("h1")).to_have_text("Anmelden")


def test_a_browser_that_sends_the_password_needs_no_form(chromium: Browser, town: MailTown) -> None:
    given = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
    with opened(chromium, extra_http_headers={"Authorization": f"Basic {given}"}) as page:
        page.goto(town.address("/admin"))
        expect(page.locator("h1")).to_have_text("Requests for keys")
        expect(page.get_by_role("button", name="Sign out")).to_have_count(0)  # which would change nothing


def test_a_sealed_key_is_opened_once(chromium: Browser, town: MailTown) -> None:
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
