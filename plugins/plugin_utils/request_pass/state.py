# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""A pass in progress: its parts, the open requests in their present form, and the recording of each change."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ...module_utils.key_requests import transitions
from ...module_utils.key_requests.base import Turn
from ...module_utils.key_requests.errors import Broken, Busy, Missing, NotRecordable, RequestRefused, StoreRejected
from ...module_utils.key_requests.record import Record
from ...module_utils.key_requests.transitions import Change
from ...module_utils.litellm.errors import GatewayError
from .parts import PassParts, PassSettings
from .post import PostResult
from .report import PassReport, RequestFailure


@dataclass
class PassState:
    """One pass. `open` holds the open requests by id, `due` the ids of those that may be tried now."""

    parts: PassParts
    settings: PassSettings
    turn: Turn
    report: PassReport
    open: dict[str, Record] = field(default_factory=dict)
    due: list[str] = field(default_factory=list)
    fresh: dict[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    """The keys that this pass made, with their values, by request. Their values are kept nowhere else."""

    def in_state(self, state: str) -> list[Record]:
        """Return the due requests in a state in which something is left to do."""
        return [record for each in self.due if (record := self.open.get(each)) and record.state == state and record.open]

    def original_of(self, renewal: Record) -> Record | None:
        """Return the request for the key that a renewal is for; None if it is not a renewal, or if that cannot be read."""
        try:
            return self.parts.store.get(renewal.renews) if renewal.renews else None
        except (Missing, Broken):
            return None

    def put_off(self, request_ids: Collection[str]) -> None:
        """Leave these requests alone for the rest of the pass."""
        self.due = [each for each in self.due if each not in request_ids]

    def record(self, changes: Sequence[tuple[Record, Change]]) -> dict[str, Record]:
        """Make the changes, and return the changed records by id. What cannot be recorded is that request's failure."""
        self.turn.check()
        recorded: dict[str, Record] = {}
        for (record, _change), outcome in zip(changes, self.parts.store.transition_all(changes), strict=True):
            if outcome.transition is not None and outcome.transition.after is not None:
                recorded[record.id] = self.open[record.id] = outcome.transition.after
                self.report.changed |= outcome.transition.changed
            elif isinstance(outcome.error, Missing):
                self.open.pop(record.id, None)
            elif isinstance(outcome.error, NotRecordable):
                self.fail({record.id: str(outcome.error)}, "record")
            elif isinstance(outcome.error, StoreRejected):  # nothing can be noted on it, and the pass leaves it alone
                self.open.pop(record.id, None)
                self.report.failures.append(RequestFailure(record.id, "record", str(outcome.error), self.parts.clock()))
            elif isinstance(outcome.error, (RequestRefused, Broken, Busy)):
                self.report.warnings.append(str(outcome.error))
        return recorded

    def fail(self, reasons: Mapping[str, str | Exception], step: str, *, final: frozenset[str] = frozenset(), traces: Mapping[str, Any] | None = None) -> None:
        """Note for each request why `step` failed: words, or an error, whose code is noted as well. For those in `final` passes give up."""
        at = self.parts.clock()
        changes: list[tuple[Record, Change]] = []
        for request_id, reason in reasons.items():
            if request_id in self.open:
                trace = (traces or {}).get(request_id, ())
                code = reason.code if isinstance(reason, GatewayError) else ""
                change = partial(transitions.mark_failed, at=at, step=step, reason=str(reason), code=code, final=request_id in final, trace=trace)
                changes.append((self.open[request_id], change))
        self.record(changes)

    def note_results(self, results: Mapping[str, PostResult], step: str, method: str, ways: Collection[str]) -> None:
        """Note for each request whether it was delivered by a method, one of `ways`, or why not."""
        at = self.parts.clock()
        delivered = [self.open[each] for each, result in results.items() if result.delivered and each in self.open]
        self.record([(record, partial(transitions.mark_delivered, at=at, via=method, ways=ways)) for record in delivered])
        failed = {each: result for each, result in results.items() if not result.delivered}
        final = frozenset(each for each, result in failed.items() if result.final)
        self.fail({each: f"{method}: {result.reason or 'failed'}" for each, result in failed.items()}, step, final=final)
