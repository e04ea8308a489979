# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What a pass did, as data for the caller and as lines for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ...module_utils.common.printable import printable
from ...module_utils.key_requests.base import SetAside
from ...module_utils.key_requests.record import IN_REVIEW, Record


@dataclass(frozen=True)
class RequestFailure:
    """A step of one request that failed. `next_attempt_at` is empty if passes gave up."""

    request_id: str
    step: str
    reason: str
    next_attempt_at: str = ""


class TaskReport:
    """What a task over the requests did: data, lines for people, and whether the task fails because of it."""

    warnings: list[str]
    errors: Sequence[str] = ()
    """What makes the task fail in any case."""

    @property
    def changed(self) -> bool:
        """Whether anything was changed."""
        raise NotImplementedError

    @property
    def failed(self) -> bool:
        """Whether something went wrong that an administrator should see."""
        raise NotImplementedError

    def as_dict(self) -> dict[str, Any]:
        """Return the report as data."""
        raise NotImplementedError

    def lines(self) -> list[str]:
        """Return what there is to say, a line each."""
        raise NotImplementedError

    def to_result(self, fail_on: str) -> dict[str, Any]:
        """Return the result of the task. `fail_on`: `failures` fails it if anything went wrong."""
        result = {"changed": self.changed, "report": self.as_dict(), "lines": self.lines()}
        fails = self.errors or (self.failed and fail_on == "failures")
        return {**result, "failed": True, "msg": " ".join(self.lines())} if fails else result


@dataclass
class PassReport(TaskReport):
    """The counts and failures of one pass. Times are UTC, `seconds` is how long it took."""

    started_at: str
    due: int = 0
    approved: int = 0
    denied: int = 0
    in_review: int = 0
    minted: int = 0
    renewed: int = 0
    delivered: int = 0
    ended: int = 0
    failures: list[RequestFailure] = field(default_factory=list)
    set_aside: list[SetAside] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    """What kept the pass from deciding at all, such as a mistake in the approval chain."""
    warnings: list[str] = field(default_factory=list)
    changed: bool = False
    """Whether a request was changed."""
    calls: int = 0
    """HTTP requests to the gateway."""
    seconds: float = 0.0

    def note_left(self, records: Sequence[Record]) -> None:
        """Note what is left of the requests that were open: how many are in review, and what failed."""
        self.in_review = sum(record.state == IN_REVIEW for record in records)
        for record in records:
            failure = record.progress.failure
            if failure:
                again = "" if record.progress.stopped_at else failure.next_attempt_at
                self.failures.append(RequestFailure(record.id, failure.step, failure.reason, again))

    @property
    def failed(self) -> bool:
        return bool(self.failures or self.set_aside or self.errors)

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "seconds": round(self.seconds, 3)}

    def lines(self) -> list[str]:
        return [
            f"{self.due} requests were due: {self.approved} approved, {self.denied} denied, {self.in_review} in review.",
            *self.errors,
            *(_failure_line(failure) for failure in self.failures),
            *(f"{entry.name} is set aside: {entry.reason}" for entry in self.set_aside),
        ]


def _failure_line(failure: RequestFailure) -> str:
    what = "is tried again" if failure.next_attempt_at else "is not tried again until an administrator retries it"
    return f"{failure.request_id} failed and {what}: {printable(failure.reason, 400)}"
