# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What every store of requests can do, and how it survives that others change the same records.

Nothing is locked between reading and writing. A write names the version that was read, and is refused when the record
is another one by then; the record is read again, and the change, a pure function, is applied to what it is now.
"""

from __future__ import annotations

import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from . import record as records
from .errors import Broken, Busy, Conflict, Exists, Missing, Refused, StoreError
from .record import Change, Record

TRIES = 12
LONGEST_PAUSE = 0.5  # seconds between two tries


@dataclass(frozen=True)
class SetAside:
    """A record that cannot be read: where it is, and what is wrong with it."""

    name: str
    reason: str


@dataclass(frozen=True)
class Listing:
    """What a store holds: the requests, oldest first, and what had to be set aside."""

    records: tuple[Record, ...]
    set_aside: tuple[SetAside, ...] = ()


@dataclass(frozen=True)
class Transition:
    """A record before and after a change; None when it did not or does not exist."""

    before: Record | None
    after: Record | None

    @property
    def changed(self) -> bool:
        return self.before != self.after


@dataclass(frozen=True)
class Outcome:
    """One of many changes: the transition, or the error that kept it from happening to this record only."""

    id: str
    transition: Transition | None = None
    error: StoreError | None = field(default=None, compare=False)


class Store(ABC):
    """A place where requests are kept. In check mode it reads and predicts, and writes nothing."""

    parallel = 1
    """How many records may be written at the same time."""

    def __init__(self, *, check_mode: bool = False) -> None:
        self.check_mode = check_mode

    # ---------------------------------------------------------------------------------------------- the interface
    def get(self, request_id: str) -> Record:
        """The request. Raises Missing, or Broken when it is set aside."""
        found = self._read(records.check_id(request_id))
        if found is None:
            raise Missing(f"There is no request {request_id} in {self.place}; key_request_info lists those that there are.")
        return found

    def find(self, wish: Record) -> Record | None:
        """The request of the same person for the same thing, if there is one."""
        return self._read(wish.id)

    @abstractmethod
    def listing(self, states: Sequence[str] | None = None, *, only_open: bool = False) -> Listing:
        """All requests; those in `states`; or those with something left to do."""

    def submit(self, wish: Record, *, again: bool = False) -> Transition:
        """Ask for a key. When the person asked for the same before, that request is what comes back (see `asked_again`)."""

        def change(found: Record) -> Record:
            return records.asked_again(found, wish, again=again)

        for attempt in range(TRIES):
            found = self.find(wish)
            if found is not None:
                return self.transition(found, change)
            if self.check_mode:
                return Transition(None, wish)
            try:
                return Transition(None, self._create(wish))
            except Exists:  # somebody was faster: theirs is the request
                _pause(attempt)
        raise Busy(f"Request {wish.id} came and went {TRIES} times while it was being submitted; try again.")

    def transition(self, record: Record, change: Change) -> Transition:
        """Apply `change` to the record as it is by now. Raises what `change` raises; Busy when others kept changing it."""
        before = record
        for attempt in range(TRIES):
            after = records.check(change(before))
            if after == before or self.check_mode:
                return Transition(before, after)
            try:
                return Transition(before, self._replace(after))
            except Conflict:
                _pause(attempt)
                before = self.get(record.id)
        raise Busy(f"Request {record.id} was changed by others {TRIES} times in a row; try again.")

    def transition_all(self, changes: Sequence[tuple[Record, Change]]) -> list[Outcome]:
        """Apply many changes, several at a time, in the order given. What concerns one record only stops that one.

        Raises StoreError when the store itself fails; what was changed by then stays so, and changing it again is
        harmless.
        """

        def one(item: tuple[Record, Change]) -> Outcome:
            record, change = item
            try:
                return Outcome(record.id, self.transition(record, change))
            except (Refused, Missing, Broken, Busy) as error:
                return Outcome(record.id, error=error)

        return _in_parallel(one, changes, self.parallel)

    def delete(self, request_id: str) -> Transition:
        """Forget the request. The key, when there is one, is not touched."""
        for attempt in range(TRIES):
            found = self._read(records.check_id(request_id))
            if found is None or self.check_mode:
                return Transition(found, None)
            try:
                self._remove(found)
                return Transition(found, None)
            except Conflict:
                _pause(attempt)
        raise Busy(f"Request {request_id} was changed by others {TRIES} times in a row; try again.")

    # ------------------------------------------------------------------------------------------ what a store adds
    @property
    @abstractmethod
    def place(self) -> str:
        """Where the requests are, in words."""

    @abstractmethod
    def _read(self, request_id: str) -> Record | None:
        """The record, None when there is none. Raises Broken."""

    @abstractmethod
    def _create(self, record: Record) -> Record:
        """Write a new record, and return it with its version. Raises Exists."""

    @abstractmethod
    def _replace(self, record: Record) -> Record:
        """Write the record in place of `record.version`. Raises Conflict when that is not the present one, Missing."""

    @abstractmethod
    def _remove(self, record: Record) -> None:
        """Remove the record if it is still at `record.version`. Raises Conflict. Already gone: fine."""


def oldest_first(found: Iterable[Record]) -> tuple[Record, ...]:
    """The order in which requests are served: by age; the id breaks ties, so that it is the same for everybody."""
    return tuple(sorted(found, key=lambda record: (record.created_at, record.id)))


def _pause(attempt: int) -> None:
    time.sleep(random.uniform(0, min(LONGEST_PAUSE, 0.01 * 2**attempt)))  # noqa: S311 - no secret, only apart from each other


def _in_parallel(work: Callable[[tuple[Record, Change]], Outcome], items: Sequence[tuple[Record, Change]], parallel: int) -> list[Outcome]:
    if parallel == 1 or len(items) < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(parallel) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            return [future.result() for future in futures]
        except BaseException:
            for future in futures:
                future.cancel()
            raise
