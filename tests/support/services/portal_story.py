# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The way to one key through a portal that may die anywhere: ask, follow the link, approve, open. Whoever is interrupted does the same again."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import requests
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import durations
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.base import Store
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import Desk
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import Record
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import MOCK_MODELS, Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.portal import PASSWORD, PortalProcess
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.portal_visitor import PortalVisitor, key_links, link_to
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.smtp import Mailbox

Value = TypeVar("Value")
DEATH_SECONDS = 5.0
MOST_TRIES = 4


class PortalStory:
    """Somebody with the address `email` and an administrator. `deliver` lets the worker do what is to be done, and returns when it is.

    `links` is where the portal's own mails arrive, `keys` where those of passes do.
    """

    def __init__(self, portal: PortalProcess, store: Store, email: str, *, links: Mailbox, keys: Mailbox, deliver: Callable[[], None]) -> None:
        self.portal, self.store, self.email = portal, store, email
        self._links, self._keys, self._deliver = links, keys, deliver
        self.values: list[str] = []
        """Every value that was shown."""
        self.deaths = 0

    @property
    def records(self) -> list[Record]:
        return [record for record in self.store.listing().records if record.email == self.email]

    def tell(self) -> None:
        """Live through it all, until somebody has seen the key."""
        person, admin = PortalVisitor(self.portal), PortalVisitor(self.portal, PASSWORD)
        link = self._asked(person)
        self._insist(lambda: person.follow(link))
        (record,) = self.records
        self._insist(lambda: admin.approve(record.id))
        self._deliver()
        for _try in range(MOST_TRIES):
            document = self._insist(lambda: person.open_key(key_links(self._keys, self.email)[-1]))
            if document is not None:
                self.values.append(document["key"])
                return
            self._ask_for_another_link(record)
            self._deliver()
        raise AssertionError("no link showed the key")

    def _asked(self, person: PortalVisitor) -> str:
        for _try in range(MOST_TRIES):
            self._insist(lambda: person.ask(self.email, what="other", other=MOCK_MODELS[0]))
            try:
                return link_to(self._links, self.email, seconds=3)
            except AssertionError:  # it died before it had sent the mail, so somebody asks again
                self._revive()
        raise AssertionError("no link came")

    def _ask_for_another_link(self, record: Record) -> None:
        """Press the button for a new link, ten minutes after the last one."""
        later = durations.iso(datetime.now(UTC) + timedelta(minutes=10))
        Desk(self.store, clock=lambda: later).reseal(record.id)

    def _insist(self, act: Callable[[], Value]) -> Value:
        for _try in range(MOST_TRIES):
            try:
                return act()
            except requests.ConnectionError:
                self._revive()
        raise AssertionError("the portal died again and again")

    def _revive(self) -> None:
        """Start the portal again if it died."""
        deadline = time.monotonic() + DEATH_SECONDS
        while not self.portal.has_died():
            if time.monotonic() > deadline:
                return
            time.sleep(0.02)
        self.deaths += 1
        self.portal.dies_at = 0
        self.portal.start()

    def faults(self, gateway: Gateway) -> list[str]:
        """Return what is not as it must be afterwards: one request, one working key, one value, nothing set aside or left in a box."""
        records, full = self.records, self.store.boxes.listing(only_full=True).boxes
        rows = [row for record in records for row in gateway.keys(record.progress.key_alias or f"request-{record.id}")]
        found = {
            f"{len(records)} requests": len(records) != 1,
            f"{len(rows)} keys": len(rows) != 1,
            f"{len(set(self.values))} values": len(set(self.values)) != 1,
            "a record was set aside": bool(self.store.listing().set_aside),
            "a box is left": bool(full),
            "no mail": not key_links(self._keys, self.email),
            "the request is not finished": [record.progress.status for record in records] != ["finished"],
            "its key is another one": [row["token"] for row in rows] != [hashlib.sha256(value.encode()).hexdigest() for value in self.values[-1:]],
            "the key does not work": bool(self.values) and gateway.chat(self.values[-1]).status_code != 200,
        }
        return [fault for fault, present in found.items() if present]
