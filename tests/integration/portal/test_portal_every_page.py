# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Every page of the portal in a real browser: axe-core finds nothing, narrow and wide, light and dark. A new page must be looked at here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import itsdangerous
import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import MoreTime
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import StoreUnreachable
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.insight import Outlook
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import Record
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.errors import is_page
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.signing import ASKING, SIGNING_IN
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.installation import COLD
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.portal_here import ADMIN_ADDRESS, TownHere, portal_here
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.web_pages import HEIGHT, NARROW, TOO_WIDE, check_access, opened
from fastapi.routing import APIRoute
from playwright.sync_api import Browser, Page, expect
from starlette.routing import Match

ADA = "ada@company.com"
NO_PAGES = {
    ("GET", "/admin/audit.jsonl"),  # a file
    ("GET", "/admin/{request_id}/insight"),  # a part of a page, which is looked at with the page
    ("POST", "/language"),  # leads to another page, or to the error 403
    ("POST", "/sign-out"),  # the same
    ("POST", "/open/{box_id}"),  # JSON for the script of the page
    ("POST", "/mine/{request_id}/extend"),  # answers as renew does
}
HOSTILE_TEXTS = (
    "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}",
    "abc\u202egnp.exe\u202c \u2066x",
    "zero\u200bwidth\ufeff\u200d",
    "x" * 10_000,
    "w" * 200,
    "\N{WOMAN}\u200d\N{PERSONAL COMPUTER}\N{GRINNING FACE}" * 50,
    "a\u0000b",
    "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627 " + "e\u0301" * 100 + "\u0e4e" * 40,
    "\r\n\t ",
)
SEND = """([action, fields]) => {
  const form = Object.assign(document.createElement("form"), { method: "post", action });
  for (const [name, value] of Object.entries(fields)) {
    const field = Object.assign(document.createElement("textarea"), { name, value });
    form.append(field);
  }
  document.body.append(form);
  form.submit();
}"""


class Tour:
    """Somebody who looks at pages, and notes which."""

    def __init__(self, page: Page, town: TownHere, seen: set[tuple[str, str]]) -> None:
        self.page, self.town, self.seen = page, town, seen
        self.count = 0

    def see(self, path: str, status: int = 200, ready: Callable[[Page], Any] | None = None) -> None:
        """Look at a page, when it is `ready`."""
        answer = self.page.goto(self.town.address(path))
        assert answer is not None and answer.status == status, (path, answer and answer.status)
        if ready is not None:
            ready(self.page)
        self._check("GET", path.partition("#")[0])

    def send(self, path: str, status: int, **fields: str) -> None:
        """Send a form, and look at the page that answers it."""
        assert self.post(path, **fields) == status, path
        self._check("POST", path)

    def post(self, path: str, **fields: str) -> int:
        """Send a form, and return the status of the page that is shown then."""
        if "csrf" not in fields:
            self.page.goto(self.town.address("/sent"))
            fields["csrf"] = self.page.locator("[name=csrf]").first.get_attribute("value") or ""
        with self.page.expect_navigation() as shown:
            self.page.evaluate(SEND, [path, fields])
        assert shown.value is not None
        return int(shown.value.status)

    def _check(self, method: str, path: str) -> None:
        self.count += 1
        check_access(self.page, f"{self.page.locator('html').get_attribute('lang')}-{self.count:02}-{method.lower()}{path[:30]}", thorough=COLD)
        scope = {"type": "http", "method": method, "path": path.partition("?")[0], "headers": []}
        self.seen |= {(method, route.path) for route in page_routes(self.town) if route.matches(scope)[0] is Match.FULL}


def page_routes(town: TownHere) -> list[APIRoute]:
    """Return the routes of the application that browsers call."""
    routers = [entry.original_router for entry in town.app.routes if hasattr(entry, "original_router")]
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute) and is_page(route.path)]
    assert len(routes) > 20
    return routes


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TownHere]:
    with portal_here(tmp_path_factory.mktemp("portal"), identity="basic,link", mails_per_peer="20/hour", requests_per_address="1000/hour") as found:
        yield found


def requests_in(town: TownHere) -> dict[str, Record]:
    """Return a request of Ada in every state that has a page of its own."""
    names = ("pending", "failed", "review", "denied", "making", "ready", "ended")
    found = {name: town.submit(ADA, models=(f"model-{number}",)) for number, name in enumerate(names)}
    for name in ("making", "ready", "ended"):
        town.desk.approve(found[name].id, by="boss", reason="Welcome.")
    town.fail(found["making"], "mint", "the gateway does not answer")
    town.fail(found["failed"], "decide", "the gateway does not answer")
    town.review(found["review"])
    town.desk.deny(found["denied"].id, by="boss", reason="Not now.")
    town.mint(found["ready"])
    town.seal(found["ready"])
    town.mint(found["ended"], expires="2026-01-01T00:00:00Z")
    renewal = town.desk.renew(found["ready"].id, MoreTime("7d")).after
    assert renewal is not None
    trace = ({"rule": "budget", "decision": "CONTINUE", "detail": "At most 10 USD."}, {"rule": "email", "decision": "APPROVE", "matched": "*@company.com"})
    outlook = Outlook("APPROVE", "Your request meets the rules for automatic approval.", {"models": ["model-1"], "max_budget": 5}, trace, ("http",))
    town.spend(found["pending"], found["review"], found["ready"], outlook=outlook)
    return {**found, "renewal": renewal}


def tour_of_strangers(tour: Tour, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in ("/ask", "/ask?q=zzz", "/ask?what=other", "/sign-in", "/signed-out", "/sent", "/about"):
        tour.see(path)
    for path, status in (("/oidc/sign-in", 404), ("/oidc/callback", 404)):  # without a provider
        tour.see(path, status)
    for path, status in (("/mine", 401), ("/nothing", 404), ("/link?t=zz", 400), ("/ask?what=" + "z" * 400, 422)):
        tour.see(path, status)
    tour.page.goto(tour.town.address("/admin?q=zz"))
    assert tour.page.url == tour.town.address("/sign-in?next=%2Fadmin%3Fq%3Dzz")
    tour.send("/sign-in/password", 401, username="zz", password="zz")
    tour.send("/ask", 422, what="other", other="*", email="zz", max_budget="zz", duration="zz", purpose="sk-" + "a" * 40)
    tour.send("/ask", 403, csrf="zz")
    tour.send("/ask", 413, purpose="z" * 70_000)
    tour.send("/sign-in", 422, email="zz")
    wish = {"email": ADA, "package": "dev", "purpose": "A demo", "duration": "7d", "max_budget": 5}
    asking = tour.town.link(ASKING, ADA, wish=wish).removeprefix(tour.town.url)
    for path in (asking, tour.town.link(SIGNING_IN, ADA).removeprefix(tour.town.url)):
        tour.see(path)
    with monkeypatch.context() as patch:
        patch.setattr(itsdangerous.TimestampSigner, "get_timestamp", lambda _signer: 1_700_000_000)
        old = tour.town.signer.sign(SIGNING_IN, {"email": ADA})
    tour.see(f"/link?t={old}", 410)
    tour.send("/link", 410, t=old)
    for _mail in range(20):
        tour.town.app.state.rates.allows("peer", "127.0.0.1")
    tour.send("/sign-in", 429, email="bob@company.com")


def tour_of_sealed_keys(tour: Tour, record: Record) -> None:
    link = tour.town.seal(record).removeprefix(tour.town.url)
    tour.see(link.partition("#")[0], ready=lambda page: expect(page.locator("[data-open-state='incomplete']")).to_be_visible())
    tour.page.goto("about:blank")
    tour.see(link, ready=lambda page: expect(page.locator("[data-open-state='ready']")).to_be_visible())

    def press(page: Page) -> None:
        page.locator("[data-open-state='ready'] [data-open-button]").click()

    def opens(page: Page) -> None:
        press(page)
        expect(page.locator("[data-open-state='shown']")).to_be_visible()

    def finds_it_used(page: Page) -> None:
        press(page)
        expect(page.locator("[data-open-state='opened']")).to_be_visible()

    for then in (opens, finds_it_used):
        tour.page.goto("about:blank")
        tour.see(link, ready=then)


def tour_of_people(tour: Tour, requests: dict[str, Record]) -> None:
    sign_in(tour, "nobody@company.com")
    tour.see("/mine")
    sign_in(tour, ADA)
    tour.see("/ask")
    tour.see("/mine")
    tour.see("/admin", 403)
    for record in requests.values():
        tour.see(f"/mine/{record.id}")
    tour.see(f"/mine/{requests['ready'].id}?said=resealed")
    tour.send(f"/mine/{requests['ready'].id}/cancel", 409)
    tour.send(f"/mine/{requests['ready'].id}/renew", 422, duration="zz")
    tour.send(f"/mine/{requests['ready'].id}/reseal", 409)


def tour_of_administrators(tour: Tour, requests: dict[str, Record]) -> None:
    sign_in(tour, ADMIN_ADDRESS)
    for path in ("/admin", "/admin?tab=in-review", "/admin?tab=all", "/admin?tab=all&q=zzz", "/admin?said=several&done=2&failed=1"):
        tour.see(path)
    for record in requests.values():
        tour.see(f"/admin/{record.id}")
    tour.see(f"/admin/{requests['pending'].id}", ready=lambda page: page.locator("summary").click())  # the form for other terms
    tour.send("/admin/several", 422, action="approve")
    tour.send(f"/admin/{requests['pending'].id}/approve", 409, version="zz")
    tour.send(f"/admin/{requests['pending'].id}/deny", 422)
    tour.send(f"/admin/{requests['pending'].id}/retry", 409)


def tour_of_faults(tour: Tour, record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    sign_in(tour, ADA)
    for error, status in ((StoreUnreachable("down"), 503), (ZeroDivisionError("zz"), 500)):
        with monkeypatch.context() as patch:
            patch.setattr(tour.town.app.state.portal.store, "_read", _raising(error))
            tour.see(f"/mine/{record.id}", status)


def _raising(error: Exception) -> Callable[..., Any]:
    def fail(*_arguments: Any) -> Any:
        raise error

    return fail


def sign_in(tour: Tour, email: str) -> None:
    tour.page.context.clear_cookies()
    tour.page.goto(tour.town.link(SIGNING_IN, email))
    tour.page.locator("main button").click()
    tour.page.wait_for_url("**/admin" if email == ADMIN_ADDRESS else "**/mine")


def test_everybody_can_use_every_page(chromium: Browser, town: TownHere, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[tuple[str, str]] = set()
    requests = requests_in(town)
    with opened(chromium) as page:
        tour_of_strangers(Tour(page, town, seen), monkeypatch)
        tour_of_sealed_keys(Tour(page, town, seen), requests["ready"])
    with opened(chromium, locale="de") as page:
        tour_of_people(Tour(page, town, seen), requests)
    with opened(chromium, locale="es") as page:
        tour_of_administrators(Tour(page, town, seen), requests)
    with opened(chromium, statuses="45") as page:
        tour_of_faults(Tour(page, town, seen), requests["ready"], monkeypatch)
    known = {(method, route.path) for route in page_routes(town) for method in route.methods}
    assert sorted(known - seen) == sorted(NO_PAGES), "look at every page of the application here"


@pytest.mark.parametrize("email", ["a" * 64 + "@" + "b" * 60 + ".example.com"])
def test_hostile_text_is_refused_or_shown_without_harm(chromium: Browser, town: TownHere, email: str) -> None:
    """Whatever can be typed is typed into every field of the form: each page fits into a narrow window, and nothing of it becomes HTML."""
    with opened(chromium, viewport={"width": NARROW, "height": HEIGHT}) as person, opened(chromium, viewport={"width": NARROW, "height": HEIGHT}) as admin:
        owner, boss = Tour(person, town, set()), Tour(admin, town, set())
        sign_in(owner, email)
        sign_in(boss, ADMIN_ADDRESS)
        for number, text in enumerate(HOSTILE_TEXTS):
            for field in ("other", "purpose", "duration", "max_budget"):
                answer = owner.post("/ask", **{"what": "other", "other": f"model-{number}-{field}", "purpose": "A demo", "agree": "yes", field: text})
                assert answer in (200, 422), (field, text)
                fits(person)
            admin.goto(town.address(f"/admin?tab=all&q={quote(text[:2_000])}"))
            fits(admin)
            boss.post("/admin/several", action="deny", reason=text, ids="x y")
            fits(admin)
        person.goto(town.address("/mine"))
        fits(person)
        admin.goto(town.address("/admin?tab=all&q=example.com"))
        fits(admin)
        mine = [record for record in town.of(email) if record.purpose in HOSTILE_TEXTS or record.models[0] in HOSTILE_TEXTS]
        assert len(mine) >= 4
        assert not [record for record in town.of(email) if {"\u0000", "\u202e", "\u200b"} & set(record.purpose + record.models[0])]
        for record in mine:
            person.goto(town.address(f"/mine/{record.id}"))
            fits(person)
            if record.state == "pending":
                boss.post(f"/admin/{record.id}/deny", reason=(HOSTILE_TEXTS[0] + "x" * 1_000)[:1_000])
            admin.goto(town.address(f"/admin/{record.id}"))
            fits(admin)


def fits(page: Page) -> None:
    """Check that a page is no wider than the window, and that nothing that was typed became an element."""
    assert page.evaluate(TOO_WIDE) == [], page.url
    assert page.locator("main script, main img").count() == 0
