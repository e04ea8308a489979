# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""A pass that is killed with kill -9 at any step is finished by the next one: one key for each, none lost, nobody answered twice by different mails.

A step is a call to the gateway, a mail, or the renaming of a record, and a pass is killed before it or after it.
"""

from __future__ import annotations

from datetime import timedelta

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import durations
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.requests.deadly_pass import is_killed, options_of
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.requests.desk import MISTRAL, Desk


def test_a_pass_that_is_killed_before_or_after_any_step_is_finished_by_the_next(desk: Desk, unique: str) -> None:
    ids = {email: desk.ask(email) for email in (f"k{number}-{unique}@company.com" for number in range(4))}
    desk.ask(f"eve-{unique}@evil.com")
    desk.ask(f"rev-{unique}@company.com", model=MISTRAL)
    options, cuts = options_of(desk), 0
    for step in range(1, 100):
        desk.forget_the_wait()
        if not is_killed(options, step):
            break
        cuts += 1
    assert cuts >= 10
    desk.forget_the_wait()
    desk.process()
    desk.served(ids)
    for each in (f"eve-{unique}@evil.com", "boss@company.com"):
        assert len({mail.message["Message-ID"] for mail in desk.mails(each)}) == 1, "one mail, perhaps sent again"
    assert desk.statuses() == {("approved", "finished"), ("denied", "finished"), ("in-review", "")}


def test_a_renewal_whose_pass_is_killed_at_any_step_adds_its_time_once(desk: Desk, unique: str) -> None:
    first = desk.ask(f"ada-{unique}@company.com")
    desk.process()
    options, cuts = options_of(desk), 0
    for step in range(1, 100):
        end = durations.parse_time(desk.request(first)["progress"]["expires"])
        desk.module("key_request", state="extended", request_id=first, duration="1d")
        killed = is_killed(options, step)
        desk.forget_the_wait()
        assert not is_killed(options, 10_000)
        noted = durations.parse_time(desk.request(first)["progress"]["expires"])
        (row,) = desk.rows(first)
        # The gateway counts from the moment of the change, in whole seconds.
        assert abs(noted - end - timedelta(days=1)) < timedelta(seconds=30), f"step {step}"
        assert abs(durations.parse_time(row["expires"]) - noted) < timedelta(seconds=90), f"step {step}"
        if not killed:
            break
        cuts += 1
    assert cuts >= 10
