# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""kill -9 of the portal at every step of asking, approving and opening, and of the worker at every exchange with the gateway."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.tests.drill.lab import Job, Lost
from ansible_collections.rhpds.litellm_virtual_keys.tests.drill.yard import Yard
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.faulty_proxy import Harm
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.portal import PortalProcess, running_portal
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.portal_story import PortalStory
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.portal_visitor import key_links, mail_variables
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.requests_worker import RequestsWorker, reviewed_and_sealed
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.smtp import Server, mail_servers

ASK_TO_OPEN = Job("ask, approve, open", {}, {}, begins_with_keys=False, generation=0, lives=None)
MOST_STEPS, MOST_EXCHANGES = 40, 20
DELIVERY_SECONDS = 60.0


@dataclass
class Site:
    """A portal, its worker behind the yard's proxy, and their mail server."""

    yard: Yard
    portal: PortalProcess
    worker: RequestsWorker
    mail: Server
    store: DirectoryStore

    def story(self, name: str) -> PortalStory:
        email = f"{name}@company.com"
        return PortalStory(self.portal, self.store, email, links=self.mail.mailbox, keys=self.mail.mailbox, deliver=lambda: self.deliver(email))

    def deliver(self, email: str) -> None:
        """Wait until the worker has nothing left to do, and start it again if it was killed."""
        deadline = time.monotonic() + DELIVERY_SECONDS
        while any(record.open for record in self.store.listing().records) or not key_links(self.mail.mailbox, email):
            if not self.worker.is_alive:
                self.worker.start()
            if time.monotonic() > deadline:
                raise Lost(f"no key was delivered in {DELIVERY_SECONDS:.0f} s: {self.worker.log.read_text(errors='replace')[-1000:]}")
            time.sleep(0.1)


def run(yard: Yard) -> None:
    with _site(yard) as site:
        for number in range(1, MOST_STEPS):
            if not _told(site, "kill -9 of the portal", f"step {number}", partial(_die_at, site.portal, number)):
                break
        for number in range(MOST_EXCHANGES):
            struck: list[int] = []
            for answered in (False, True):
                fault = f"exchange {number + 1}, {'after the answer' if answered else 'before the request arrives'}"
                _told(site, "kill -9 of the worker", fault, partial(_kill_worker_at, site, number, struck, answered=answered))
            if not struck:
                break


@contextlib.contextmanager
def _site(yard: Yard) -> Iterator[Site]:
    folder = yard.directory / "portal"
    folder.mkdir(mode=0o700)
    requests = folder / "requests"
    with mail_servers(folder) as make:
        mail = make(tls="none")
        more = {"PORTAL_SECRET": "s" * 40, "PORTAL_LISTING_SECONDS": "0", "PORTAL_MAILS_PER_PEER": "1000/hour"}
        with running_portal(folder, LITELLM_KEY_REQUESTS_DIR=str(requests), **more, **mail_variables(mail.port)) as portal:
            given = reviewed_and_sealed(yard.proxy.url, yard.gateway.master_key, str(requests), portal.url, mail)
            worker = RequestsWorker(folder, given)
            try:
                yield Site(yard, portal, worker, mail, DirectoryStore(str(requests)))
            finally:
                worker.stop()


def _told(site: Site, family: str, fault: str, prepare: Callable[[], None]) -> bool:
    """Tell a story with a fault in it, as a drill, and return whether the fault came."""
    with site.yard.drill(family, ASK_TO_OPEN, fault) as lab:
        prepare()
        story = site.story(lab.guid)
        try:
            story.tell()
        except AssertionError as error:
            raise Lost(str(error)) from None
        if faults := story.faults(site.yard.gateway):
            raise Lost(", ".join(faults))
        return bool(story.deaths)
    return True  # it was lost


def _die_at(portal: PortalProcess, step: int) -> None:
    portal.stop()
    portal.dies_at = step
    portal.start()


def _kill_worker_at(site: Site, number: int, struck: list[int], *, answered: bool) -> None:
    """Let the worker be killed at its exchange number `number` from now on, counted from 0, and note it in `struck` if it came so far."""

    def strike(after: bool) -> None:
        if after != answered:
            return
        struck.append(number)
        site.worker.kill()
        if not after:
            raise ConnectionResetError  # the request never arrives

    site.yard.proxy.harms = [Harm("call", skip=number, times=1, work=strike)]
