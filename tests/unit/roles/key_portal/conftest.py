# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The portal in this process, on a real store in a directory, with a clock that stands still."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery.mail import Mail
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery.mailer import mailer_from
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.base import Store
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import Desk, Wish
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import Record
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.app import create_app
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.catalogue import SiteCatalogue
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.errors import Refused
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.identity import PERSON, BasicIdentity, Caller
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.link_mail import MailThread
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.settings import Settings
from fastapi import Request
from fastapi.testclient import TestClient

AT = "2026-11-21T04:00:00Z"
PASSWORD = "correct horse battery staple"
VARIABLES = {str(field.validation_alias) for field in Settings.model_fields.values()} - {"PORTAL_WEB_PACKAGES"} | {"CONFIG"}


@pytest.fixture(autouse=True)
def _no_settings_of_whoever_runs_this(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


class NamedPerson:
    """Stands in for the methods of identity that give addresses: the header X-Test-Person holds one."""

    def identify(self, request: Request) -> Caller | None:
        email = request.headers.get("x-test-person")
        if email == "forged":
            raise Refused(401, "The link is not valid.")
        return Caller(email, "test", email=email, roles=frozenset((PERSON,))) if email else None


def basic(name: str = "admin", password: str = PASSWORD) -> dict[str, str]:
    """Return the header of an administrator."""
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def person(email: str) -> dict[str, str]:
    """Return the header of a person."""
    return {"X-Test-Person": email}


class KeptMails(MailThread):
    """Keeps the mails with links."""

    def __init__(self) -> None:
        super().__init__(mailer_from({}, {}))
        self.kept: list[EmailMessage] = []

    def send(self, mail: Mail) -> None:
        message = message_from_bytes(mail.data, policy=SMTP)
        assert isinstance(message, EmailMessage)
        self.kept.append(message)

    def link(self) -> str:
        """Return the path of the last link that was mailed."""
        body = self.kept[-1].get_body(("plain",))
        assert body is not None
        return re.findall(r"https://portal(/link\?t=\S+)", body.get_content())[0]


class Visitor:
    """A browser that looks at the pages of a portal."""

    def __init__(self, portal: TestPortal, language: str = "en") -> None:
        self.portal = portal
        headers = {"Accept": "text/html", "Accept-Language": language}
        self.client = TestClient(portal.app, base_url="https://portal", headers=headers, follow_redirects=False)

    def see(self, path: str, status: int = 200, **headers: str) -> str:
        """Return a page."""
        answer = self.client.get(path, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.text

    def token(self, path: str = "/sent") -> str:
        """Return the token of the forms."""
        return re.findall(r'name="csrf" value="([0-9a-f]{64})"', self.see(path))[0]

    def send(self, path: str, fields: dict[str, Any] | None = None, status: int = 303, headers: dict[str, str] | None = None) -> str:
        """Send a form with its token, and return where the browser is sent to, or the page if it is none."""
        answer = self.client.post(path, data={"csrf": self.token(), **(fields or {})}, headers=headers)
        assert answer.status_code == status, answer.text
        return str(answer.headers.get("location", answer.text))

    def sign_in(self, email: str) -> None:
        """Sign in by mail."""
        mails = self.portal.app.state.mails
        self.send("/sign-in", {"email": email})
        self.send("/link", {"t": mails.link().partition("=")[2]})


class TestPortal:
    """A portal, and its store as the worker sees it."""

    __test__ = False

    def __init__(
        self,
        directory: Path,
        *,
        site: SiteCatalogue | None = None,
        store: Store | None = None,
        client: str = "127.0.0.1",
        mails: KeptMails | None = None,
        **settings: Any,
    ) -> None:
        self.at = AT
        self.settings = Settings(**{"admin_password": PASSWORD, "listing_seconds": 60, **settings})
        self.store = store or DirectoryStore(str(directory / "requests"))
        self.people = Desk(self.store, clock=lambda: self.at)
        identifiers = [BasicIdentity(self.settings), NamedPerson()] if mails is None else None
        self.app = create_app(self.settings, site, store=self.store, identifiers=identifiers, mails=mails, clock=lambda: self.at)
        self.client = TestClient(self.app, base_url="http://portal", client=(client, 50000), raise_server_exceptions=True)

    def ask(self, email: str = "ada@company.com", **wish: Any) -> Record:
        """Make a request behind the portal's back."""
        after = self.people.ask(Wish(email, **(wish or {"models": ("granite",)}))).after
        assert after is not None
        return after

    def get(self, path: str, headers: dict[str, str] | None = None, status: int = 200, **query: Any) -> Any:
        answer = self.client.get(path, params=query, headers=basic() if headers is None else headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None, headers: dict[str, str] | None = None, status: int = 200) -> Any:
        answer = self.client.post(path, json=body, headers=basic() if headers is None else headers)
        assert answer.status_code == status, answer.text
        return answer.json()


@pytest.fixture
def make_portal(tmp_path: Path) -> Callable[..., TestPortal]:
    """Return a portal with settings of its own."""
    return lambda **options: TestPortal(tmp_path, **options)


@pytest.fixture
def portal(make_portal: Callable[..., TestPortal]) -> TestPortal:
    return make_portal()


@pytest.fixture
def mails() -> KeptMails:
    return KeptMails()


@pytest.fixture
def site(make_portal: Callable[..., TestPortal], mails: KeptMails) -> TestPortal:
    """Return a portal with pages, at https://portal."""
    return make_portal(mails=mails, url="https://portal", secret="s" * 40, admins="boss@example.com", identity="basic,link", listing_seconds=0)


@pytest.fixture
def visitor(site: TestPortal) -> Visitor:
    return Visitor(site)
