# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What somebody gets who has everything that is kept: the store, the archive of mails, the logs of both services, the portal's memory."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery.sealed import LEAST_PLAIN, CannotOpen, open_sealed
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.requests.desk import KEY, MISTRAL, Desk
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.processes import writable_memory
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.portal import PASSWORD, PortalFactory, PortalProcess
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.portal_visitor import PortalVisitor, key_links, link_to, mail_variables
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.smtp import Mailbox, SmtpFactory

BOX = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.[0-9a-f]{32}")
SECRET = re.compile(rb"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])")
CONTENTS = re.compile(rb"[A-Za-z0-9_-]{%d,}" % (LEAST_PLAIN * 4 // 3))
PIECE = 40
"""Characters of the contents of a box, of which each may show a part of the key to whoever has the secret."""


@dataclass
class Kept:
    """Everything that is kept, each kind as the bytes that it is made of."""

    store: bytes
    mails: bytes
    logs: bytes
    memory: bytes

    @property
    def all(self) -> list[bytes]:
        return [self.store, self.mails, self.logs, self.memory]


def kept_by(desk: Desk, portal: PortalProcess, mailboxes: Iterable[Mailbox], output: str) -> Kept:
    return Kept(
        b"\n".join(path.read_bytes() for path in desk.queue.rglob("*") if path.is_file()),
        "\n".join(mail.message.as_string() + mail.part("plain") + mail.part("html") for box in mailboxes for mail in box.received).encode(),
        portal.log.read_bytes() + output.encode(),
        writable_memory(portal.pid),
    )


def keys_in(parts: Iterable[bytes]) -> set[str]:
    """Return the keys that can be got: those that stand there, and those in boxes, on each of which every secret is tried."""
    known = list(parts)
    found = {each.decode() for part in known for each in re.findall(KEY.pattern.encode(), part)}
    boxes = {each.decode() for part in known for each in BOX.findall(part)}
    secrets = {each.decode() for part in known for each in SECRET.findall(part)}
    for contents in {each.decode() for part in known for each in CONTENTS.findall(part)}:
        for box_id in boxes:
            for secret in secrets:
                try:
                    document = open_sealed(contents, secret, box_id=box_id, request_id=box_id.rpartition(".")[0])
                except CannotOpen:
                    continue
                found.add(document["key"])
    return found


def test_nothing_that_is_kept_gives_a_key_after_it_was_opened(desk: Desk, smtp: SmtpFactory, run_portal: PortalFactory, unique: str) -> None:
    ada = f"ada-{unique}@company.com"
    server = smtp(tls="none")
    portal = run_portal(LITELLM_KEY_REQUESTS_DIR=str(desk.queue), PORTAL_LISTING_SECONDS="0", **mail_variables(server.port))
    desk.variables.update(key_requests_delivery_methods=["sealed"], key_requests_portal_url=portal.url)
    somebody, admin = PortalVisitor(portal), PortalVisitor(portal, PASSWORD)
    somebody.ask(ada, what="other", other=MISTRAL)
    somebody.follow(link_to(server.mailbox, ada))
    output = desk.act("process_requests").output
    request_id = desk.requests()[ada]["request_id"]
    admin.approve(request_id)
    output += desk.playbook("process_requests", desk.variables, "-vvvv").output
    (link,) = key_links(desk.server.mailbox, ada)
    somebody.see(f"/mine/{request_id}")
    boxes = (server.mailbox, desk.server.mailbox)

    before = kept_by(desk, portal, boxes, output)
    assert keys_in([before.store, before.logs, before.memory]) == set() and keys_in([before.mails]) == set()
    (value,) = keys_in([before.store, before.mails])
    contents = max(CONTENTS.findall(before.store), key=len)
    assert desk.gateway.chat(value, MISTRAL).status_code == 200, "the attack works"

    document = somebody.open_key(link)
    assert document is not None and document["key"] == value
    assert somebody.open_key(link) is None
    admin.see(f"/admin/{request_id}")
    output += desk.process().output
    after = kept_by(desk, portal, boxes, output)
    assert keys_in(after.all) == set()
    left = [place for place in range(0, len(contents) - PIECE, PIECE) for part in after.all if contents[place : place + PIECE] in part]
    assert left == [], "and no piece of the box is left, of which the link in the mail would show a piece of the key"
    assert link[1].encode() not in after.store + after.logs + after.memory, "the secret was in the mail only"
