# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The pages of the portal in a real browser: Debian's Chromium, driven by Playwright.

`LITELLM_VIRTUAL_KEYS_TEST_PICTURES=<folder>` keeps the pictures of pages.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
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
def opened(chromium: Browser, **options: Any) -> Iterator[Page]:
    """Open a page in a profile of its own, and fail if its policy was violated or a script of it failed."""
    context = chromium.new_context(**{"locale": "en", "viewport": {"width": WIDE, "height": HEIGHT}, **options})
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" and "status of 4" not in message.text else None)
    page.on("request", lambda request: faults.append(request.url) if "//127.0.0.1:" not in request.url else None)
    try:
        yield page
        assert faults == [], f"the page has faults: {faults}"
    finally:
        context.close()


def axe_source() -> str:
    """Return the script of axe-core, from the packages of the pages."""
    return (Path(os.environ["PORTAL_WEB_PACKAGES"]) / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def check_page(page: Page, name: str, *, axe_at: Collection[int] = (NARROW, WIDE)) -> None:
    """Check what everybody must be able to use, at both widths: nothing is wider than the window, and axe-core finds nothing.

    A page that was checked in another language need not be looked at by axe-core at every width again.
    """
    for width in (NARROW, WIDE):
        page.set_viewport_size({"width": width, "height": HEIGHT})
        page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")  # until it is laid out
        take_picture(page, f"{name}-{width}")
        wide = page.evaluate(TOO_WIDE)
        assert wide == [], f"{name} is too wide for a window of {width}: {wide}"
        violations = _violations(page) if width in axe_at else []
        assert violations == [], f"{name} at {width}: {violations}"


def take_picture(page: Page, name: str) -> None:
    """Keep pictures of the whole page, light and dark, if a folder for pictures is given."""
    folder = os.environ.get("LITELLM_VIRTUAL_KEYS_TEST_PICTURES")
    if not folder:
        return
    own: Literal["dark", "light"] = "dark" if page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") else "light"
    other: Literal["dark", "light"] = "light" if own == "dark" else "dark"
    for scheme in (other, own):
        page.emulate_media(color_scheme=scheme)
        page.evaluate("document.getAnimations().forEach(each => each.finish())")  # colours change slowly, and axe-core looks at them afterwards
        page.screenshot(path=Path(folder) / f"{re.sub(r'[^a-z0-9-]', '_', name)}-{scheme}.png", full_page=True)


def _violations(page: Page) -> list[str]:
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(axe_source())
    found = page.evaluate("rules => axe.run(document, rules)", RULES)["violations"]
    return [f"{each['id']}: {each['help']}: {[node['html'][:160] for node in each['nodes'][:3]]}" for each in found]
