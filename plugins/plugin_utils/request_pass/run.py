# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""A pass over the queue of requests: read, decide, make keys, deliver answers, and record each step before the next.

A pass starts from what is recorded, so the next one finishes what one that was cut off began. A key is made only for a
request that never had one; an answer is delivered again by deriving the same value; a key that is gone has ended. What
goes wrong with a request is noted on that request, with the time of its next attempt, and stops no other. One pass at a
time works on a store.
"""

from __future__ import annotations

import time

from ...module_utils.key_requests import transitions
from ...module_utils.key_requests.record import APPROVED, DENIED
from .answering import answer_denied, ask_reviewers
from .deciding import decide_pending
from .minting import mint_and_deliver
from .parts import PATIENCE, PassParts, PassSettings
from .renewing import renew_keys
from .report import PassReport
from .sealing import empty_boxes
from .state import PassState


def run_pass(parts: PassParts, settings: PassSettings, *, patience: float = PATIENCE) -> PassReport:
    """Make one pass and return what it did.

    Raises StoreError if the store fails, and Busy if another pass was at work for `patience` seconds. What was recorded
    before that stays, and the next pass goes on from there.
    """
    with parts.store.turn(patience) as turn:
        began, report = time.monotonic(), PassReport(parts.clock())
        calls = parts.gateway.calls
        _make(PassState(parts, settings, turn, report))
        report.calls, report.seconds = parts.gateway.calls - calls, time.monotonic() - began
        turn.report(report.as_dict())
    return report


def _make(state: PassState) -> None:
    listing = state.parts.store.listing(only_open=True)
    state.report.set_aside = list(listing.set_aside)
    state.open = {record.id: record for record in listing.records}
    at = state.parts.clock()
    state.due = [record.id for record in listing.records if transitions.is_due(record, at)]
    state.report.due = len(state.due)
    decide_pending(state)
    state.report.approved, state.report.denied = (len(state.in_state(each)) for each in (APPROVED, DENIED))
    for step in (mint_and_deliver, renew_keys, ask_reviewers, answer_denied, empty_boxes):
        state.turn.check()
        step(state)
    state.report.note_left(list(state.open.values()))
