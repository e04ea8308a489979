# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The pages of the portal in a real browser: Debian's Chromium, driven by Playwright.

`LITELLM_VIRTUAL_KEYS_TEST_PICTURES=<folder>` keeps the pictures of pages.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.browser import find, install
from playwright.sync_api import Browser, Page, expect, sync_playwright

NARROW, WIDE = 360, 1920
HEIGHT = 1000
PATIENCE = 10_000  # milliseconds until something must have appeared
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}}
"""What axe-core looks for."""
SCHEMES: dict[str, dict[str, Any]] = {"light": RULES, "dark": {"runOnly": {"type": "rule", "values": ["color-contrast"]}}}
"""What it looks for in each scheme: they differ in colours only."""
UNTIL_LAID_OUT = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
NO_MOVES = "document.getAnimations().forEach(each => each.finish())"
"""Ends what changes slowly, such as colours."""
TOO_WIDE = """
document.documentElement.scrollWidth <= innerWidth ? [] : [...document.querySelectorAll("body *")]
  .filter(each => each.getBoundingClientRect().right > innerWidth).map(each => each.outerHTML.slice(0, 120)).slice(0, 5)
"""


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A browser without a window. Each test opens contexts of its own in it."""
    problem = "" if find() else install()
    program = find()
    if program is None:
        pytest.skip(problem)
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@contextmanager
def opened(chromium: Browser, *, statuses: str = "4", **options: Any) -> Iterator[Page]:
    """Open a page in a profile of its own, and fail if its policy was violated or a script of it failed.

    Answers whose status begins with one of the digits `statuses` are none of the faults.
    """
    expected = re.compile(f"status of [{statuses}]")
    context = chromium.new_context(**{"locale": "en", "viewport": {"width": WIDE, "height": HEIGHT}, **options})
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" and not expected.search(message.text) else None)
    page.on("request", lambda request: faults.append(request.url) if "//127.0.0.1:" not in request.url else None)
    try:
        yield page
        assert faults == [], f"the page has faults: {faults}"
    finally:
        context.close()


def axe_source() -> str:
    """Return the script of axe-core, from the packages of the pages."""
    return (Path(os.environ["PORTAL_WEB_PACKAGES"]) / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def check_page(page: Page, name: str) -> None:
    """Check at both widths that nothing is wider than the window."""
    for width in (NARROW, WIDE):
        page.set_viewport_size({"width": width, "height": HEIGHT})
        page.evaluate(UNTIL_LAID_OUT)
        take_picture(page, f"{name}-{width}")
        wide = page.evaluate(TOO_WIDE)
        assert wide == [], f"{name} is too wide for a window of {width}: {wide}"


def check_access(page: Page, name: str, *, thorough: bool = False) -> None:
    """Check what everybody must be able to use: axe-core finds nothing, narrow and light, and wide and dark; if `thorough`, wide and light and so on."""
    check_page(page, name)
    for width, scheme in itertools.product((NARROW, WIDE), SCHEMES) if thorough else ((WIDE, "dark"), (NARROW, "light")):
        page.set_viewport_size({"width": width, "height": HEIGHT})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.evaluate(UNTIL_LAID_OUT)
        page.evaluate(NO_MOVES)
        violations = _violations(page, SCHEMES[scheme])
        assert violations == [], f"{name} at {width}, {scheme}: {violations}"


def take_picture(page: Page, name: str) -> None:
    """Keep pictures of the whole page, light and dark, if a folder for pictures is given."""
    folder = os.environ.get("LITELLM_VIRTUAL_KEYS_TEST_PICTURES")
    if not folder:
        return
    own: Literal["dark", "light"] = "dark" if page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") else "light"
    other: Literal["dark", "light"] = "light" if own == "dark" else "dark"
    for scheme in (other, own):
        page.emulate_media(color_scheme=scheme)
        page.evaluate(NO_MOVES)
        page.screenshot(path=Path(folder) / f"{re.sub(r'[^a-z0-9-]', '_', name)}-{scheme}.png", full_page=True)


def _violations(page: Page, rules: dict[str, Any]) -> list[str]:
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(axe_source())
    found = page.evaluate("rules => axe.run(document, rules)", rules)["violations"]
    return [f"{each['id']}: {each['help']}: {[node['html'][:160] for node in each['nodes'][:3]]}" for each in found]
