# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Somebody who uses the pages of a running portal: forms with their tokens, links in mails, and sealed keys."""

from __future__ import annotations

import re
import time
from typing import Any

import requests
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery.sealed import open_sealed, opening_proof
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.portal import PortalProcess
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.smtp import Mailbox

MAIL_SECONDS = 10
_TOKEN = re.compile(r'(?:name="csrf" value|data-open-csrf)="([0-9a-f]{64})"')
_SIGN_IN_LINK = re.compile(r"https?://[^/\s]+(/link\?t=\S+)")
_KEY_LINK = re.compile(r"https?://[^/\s]+/open/([0-9a-f-]+\.[0-9a-f]{32})#([A-Za-z0-9_-]{43})")


class PortalVisitor:
    """A browser without scripts. `password` makes it that of the administrator."""

    def __init__(self, portal: PortalProcess, password: str = "") -> None:
        self.portal = portal
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Accept"] = "text/html"
        if password:
            self.session.auth = ("admin", password)

    def see(self, path: str, status: int = 200) -> str:
        """Return a page."""
        answer = self.session.get(self.portal.url + path, timeout=30, allow_redirects=False)
        assert answer.status_code == status, f"{path}: {answer.status_code} {answer.text[:500]}"
        return answer.text

    def send(self, path: str, fields: dict[str, Any] | None = None, status: int = 303) -> str:
        """Send a form, and return where the browser is sent to, or else the page."""
        body = {"csrf": self.token(), **(fields or {})}
        answer = self.session.post(self.portal.url + path, data=body, timeout=30, allow_redirects=False)
        assert answer.status_code == status, f"{path}: {answer.status_code} {answer.text[:500]}"
        return str(answer.headers.get("location", answer.text))

    def token(self, path: str = "/sent") -> str:
        return _TOKEN.findall(self.see(path))[0]

    def ask(self, email: str, **fields: Any) -> None:
        """Fill in the form, which mails a link."""
        self.send("/ask", {"purpose": "A demo", "agree": "yes", "email": email, **fields})

    def follow(self, link: str) -> str:
        """Open a mailed link and press its button; return where that leads."""
        return self.send("/link", {"t": link.partition("=")[2]})

    def approve(self, request_id: str, **fields: Any) -> str:
        """Approve a request as it is shown. Without a form on its page it has its key already."""
        version = next(iter(re.findall(r'name="version" value="([^"]*)"', self.see(f"/admin/{request_id}"))), None)
        if version is None:
            return f"/admin/{request_id}"
        return self.send(f"/admin/{request_id}/approve", {"version": version, **fields})

    def open_key(self, link: tuple[str, str]) -> dict[str, Any] | None:
        """Open a sealed key as the script of the page does, and return what is in it, or None if that is gone."""
        box_id, secret = link
        headers = {"X-CSRF-Token": self.token(f"/open/{box_id}"), "Accept": "application/json"}
        answer = self.session.post(f"{self.portal.url}/open/{box_id}", json={"proof": opening_proof(secret)}, headers=headers, timeout=30)
        if answer.status_code in (404, 410):
            return None
        assert answer.status_code == 200, answer.text
        found = answer.json()
        return open_sealed(found["contents"], secret, box_id=found["id"], request_id=found["request_id"])


def link_to(mailbox: Mailbox, address: str, seconds: float = MAIL_SECONDS) -> str:
    """Return the path of the last link to sign in or to ask that was mailed to an address, when it has come. Raises AssertionError if none does."""
    deadline = time.monotonic() + seconds
    while not (found := [match for mail in mailbox.of(address) for match in _SIGN_IN_LINK.findall(mail.part("plain"))]):
        assert time.monotonic() < deadline, f"no link came to {address}"
        time.sleep(0.02)
    return str(found[-1])


def key_links(mailbox: Mailbox, address: str) -> list[tuple[str, str]]:
    """Return box and secret of every sealed key that was mailed to an address, oldest first."""
    return [match for mail in mailbox.of(address) for match in _KEY_LINK.findall(mail.part("plain"))]


def mail_variables(port: int) -> dict[str, str]:
    """Return the portal's variables for a mail server without TLS on this machine."""
    return {"SMTP_HOST": "localhost", "SMTP_PORT": str(port), "SMTP_USE_TLS": "none"}
