# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Two processes of the portal on one store, as behind a proxy: every other call goes to the other one, and nobody notices."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
import requests
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery.sealed import seal
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import now
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import Record
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.sealed_box import SealedBox, new_box_id, proof_digest
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.portal import PASSWORD, PortalProcess, running_portal
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.portal_visitor import PortalVisitor, link_to, mail_variables
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.smtp import Mailbox, mail_servers

SECRET = "one secret for all processes of the portal"
ADA = "ada@company.com"
KEPT_SECONDS = "30"
"""For which each of them uses a listing again: long, so that one that is out of date is seen."""


class PortalPair:
    """Two processes, and what a proxy does: `url` is the one of either in turn."""

    def __init__(self, portals: list[PortalProcess], store: DirectoryStore, mailbox: Mailbox) -> None:
        self.portals, self.store, self.mailbox = portals, store, mailbox
        self._turns = itertools.cycle(portals)

    @property
    def url(self) -> str:
        return next(self._turns).url

    def records(self, email: str) -> list[Record]:
        return [record for record in self.store.listing().records if record.email == email]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalPair]:
    """Two portals for all tests here, of which each has people of its own."""
    folder = tmp_path_factory.mktemp("pair")
    with ExitStack() as stack:
        server = stack.enter_context(mail_servers(folder))(tls="none")
        variables = {
            "LITELLM_KEY_REQUESTS_DIR": str(folder / "requests"),
            "PORTAL_SECRET": SECRET,
            "PORTAL_URL": "http://localhost:8000",
            "PORTAL_LISTING_SECONDS": KEPT_SECONDS,
            **mail_variables(server.port),
        }
        portals = []
        for name in ("one", "two"):
            (folder / name).mkdir()
            portals.append(stack.enter_context(running_portal(folder / name, **variables)))
        yield PortalPair(portals, DirectoryStore(str(folder / "requests")), server.mailbox)


def visitor(pair: PortalPair, password: str = "") -> PortalVisitor:
    """Return a browser that is sent from one to the other. The addresses differ in their ports, which cookies do not tell apart."""
    return PortalVisitor(pair, password)  # type: ignore[arg-type]  # it only wants an address


def test_the_whole_story(pair: PortalPair) -> None:
    ada, admin = visitor(pair), visitor(pair, PASSWORD)
    assert _listed(admin, "all") == _listed(admin, "all") == []
    ada.ask(ADA, what="other", other="granite")
    path = ada.follow(link_to(pair.mailbox, ADA))
    request_id = path.removeprefix("/mine/").partition("?")[0]
    for _number in range(2):
        assert "granite" in ada.see("/mine") and "granite" in ada.see(path)
    assert ada.session.get(f"{pair.url}/api/v1/requests", headers={"Accept": "*/*"}, timeout=30).json()["total"] == 1
    assert admin.approve(request_id).startswith("/admin")
    for _number in range(2):
        assert _listed(admin, "pending") == [] and _listed(admin, "all") == [request_id]
    assert "approved" in ada.see(path).lower()
    ada.send("/ask", {"purpose": "More", "agree": "yes", "what": "other", "other": "mistral"})
    (second,) = [record.id for record in pair.records(ADA) if record.id != request_id]
    ada.send(f"/mine/{second}/cancel")
    for _number in range(2):
        page = ada.see("/mine")
        assert "granite" in page and "mistral" in page and "withdrawn" in page.lower()
    ada.send("/sign-out")
    ada.see("/mine", 401)


def _listed(admin: PortalVisitor, tab: str) -> list[str]:
    return list(dict.fromkeys(re.findall(r'href="/admin/([0-9a-f-]{36})', admin.see(f"/admin?tab={tab}&q={ADA}"))))


def test_two_who_decide_at_once(pair: PortalPair) -> None:
    request_id = pair.portals[0].ask("bob@company.com")
    version = pair.store.get(request_id).version
    bodies = {"approve": {"version": version}, "deny": {"reason": "No.", "version": version}}

    def decide(name: str) -> int:
        return requests.post(f"{pair.url}/api/v1/admin/requests/{request_id}/{name}", json=bodies[name], auth=("admin", PASSWORD), timeout=30).status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(decide, ["approve", "deny"] * 4)) == [200] + [409] * 7


def test_the_same_asked_many_times_at_once_is_one_request(pair: PortalPair) -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(lambda number: pair.portals[number % 2].ask("carol@company.com"), range(16)))
    assert [record.id for record in pair.records("carol@company.com")] == list(ids)


def test_a_link_that_is_opened_twice_at_once(pair: PortalPair) -> None:
    dan = visitor(pair)
    dan.ask("dan@company.com", what="other", other="granite")
    link = link_to(pair.mailbox, "dan@company.com")
    browsers = [visitor(pair) for _number in range(6)]
    with ThreadPoolExecutor(6) as pool:
        paths = {path.partition("?")[0] for path in pool.map(lambda browser: browser.follow(link), browsers)}
    (record,) = pair.records("dan@company.com")
    assert paths == {f"/mine/{record.id}"}


def test_a_sealed_key_is_opened_once(pair: PortalPair) -> None:
    request_id = pair.portals[0].ask("eve@company.com")
    box_id = new_box_id(request_id)
    sealed = seal({"key": "sk-hush-0123456789"}, box_id=box_id, request_id=request_id)
    pair.store.boxes.put(SealedBox(box_id, "eve@company.com", now(), "2099-01-01T00:00:00Z", "0123456789abcdef", proof_digest(sealed.proof), sealed.contents))
    browsers = [visitor(pair) for _number in range(8)]

    def take(browser: PortalVisitor) -> int:
        headers = {"X-CSRF-Token": browser.token(f"/open/{box_id}"), "Accept": "application/json"}
        return browser.session.post(f"{pair.url}/open/{box_id}", json={"proof": sealed.proof}, headers=headers, timeout=30).status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(take, browsers)) == [200] + [410] * 7
