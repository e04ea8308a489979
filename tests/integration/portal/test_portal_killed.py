# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The way from asking to an opened key, with the portal and a pass killed by SIGKILL on it. `make drill ARGS="--only portal"` tries every step."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.requests.deadly_pass import is_killed, options_of
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.requests.desk import Desk
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.portal import PortalFactory
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.portal_story import PortalStory
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.portal_visitor import mail_variables
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.smtp import SmtpFactory

NEVER = 10_000
CUTS = {"the request is recorded, and nobody was told": (5, 9), "the approval is recorded": (8, 6), "the box is empty, and its contents are lost": (11, NEVER)}
"""Steps at which the portal and the pass die."""


def test_killed_on_the_way_there_is_one_key_in_the_end(desk: Desk, smtp: SmtpFactory, run_portal: PortalFactory, unique: str) -> None:
    links = smtp(tls="none")
    kept = {"LITELLM_KEY_REQUESTS_DIR": str(desk.queue), "PORTAL_SECRET": "s" * 40}
    portal = run_portal(**kept, PORTAL_LISTING_SECONDS="0", **mail_variables(links.port))
    options = options_of(desk, delivery={"methods": ["sealed"], "portal_url": portal.url})
    store = DirectoryStore(str(desk.queue))

    def deliver(steps: Iterator[int]) -> None:
        """Make a pass that dies at the next of these steps, and one that does not."""
        is_killed(options, next(steps, NEVER))
        desk.forget_the_wait()
        assert not is_killed(options, NEVER)

    for number, (what, (of_portal, of_pass)) in enumerate(CUTS.items()):
        steps = iter((of_pass, NEVER))
        portal.stop()
        portal.dies_at = of_portal
        portal.start()
        story = PortalStory(portal, store, f"k{number}-{unique}@company.com", links=links.mailbox, keys=desk.server.mailbox, deliver=partial(deliver, steps))
        story.tell()
        assert (story.deaths, story.faults(desk.gateway)) == (1, []), what
