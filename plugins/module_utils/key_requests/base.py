# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The interface of a store of requests, and how it copes with others that change the same records.

Nothing is locked between reading and writing. A write names the version that was read, and is refused if the record has
changed since; the record is then read again, and the change, a pure function, is applied to its present form.
"""

from __future__ import annotations

import json
import random
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

from .box_keeper import BoxKeeper
from .errors import Broken, Busy, Conflict, Exists, Missing, NotRecordable, RequestRefused, StoreError, StoreRejected
from .record import Record, check, check_id
from .transitions import Change, resubmit

TRIES = 12
LONGEST_PAUSE = 0.5  # seconds between two tries
LARGEST_PUBLISHED = 250_000
"""Bytes of what is published under one name. The annotations of an object of Kubernetes may have 256 KiB in all."""

_PUBLISHED_NAME = re.compile(r"[a-z][a-z-]{0,39}")


@dataclass(frozen=True)
class SetAside:
    """A record that cannot be read: the name of its file or Secret, and the reason."""

    name: str
    reason: str


@dataclass(frozen=True)
class Listing:
    """The contents of a store: the requests, oldest first, and the records that were set aside."""

    records: tuple[Record, ...]
    set_aside: tuple[SetAside, ...] = ()


@dataclass(frozen=True)
class Transition:
    """A record before and after a change; None where it does not exist."""

    before: Record | None
    after: Record | None

    @property
    def changed(self) -> bool:
        return self.before != self.after


@dataclass(frozen=True)
class ChangeOutcome:
    """The outcome of one of many changes: the transition, or the error that prevented this one only."""

    id: str
    transition: Transition | None = None
    error: StoreError | None = field(default=None, compare=False)


class Turn(Protocol):
    """The right to make a pass over a store, which one program has at a time."""

    def check(self) -> None:
        """Raise Busy if the right was lost, because this program was not able to renew it in time."""

    def report(self, report: Mapping[str, Any]) -> None:
        """Keep what the pass did, for `last_pass`."""


class Store(ABC):
    """A place where requests are kept. In check mode it reads and predicts but writes nothing."""

    parallel = 1
    """How many records may be written at the same time."""

    boxes: BoxKeeper
    """The sealed boxes of the requests, which are set by each kind of store."""

    def __init__(self, *, check_mode: bool = False, remember: bool = False) -> None:
        """With `remember` a listing reads again only what has changed since the last one, for a program that lists all requests often."""
        self.check_mode = check_mode
        self._remember = remember
        self._remembered: dict[str, tuple[object, Record]] = {}
        """What was read last under a name, with what differs after each change."""

    # ---------------------------------------------------------------------------------------------- the interface
    def get(self, request_id: str) -> Record:
        """Return the request. Raises Missing, or Broken if the record is set aside."""
        found = self._read(check_id(request_id))
        if found is None:
            raise Missing(f"There is no request {request_id} in {self.place}; key_request_info lists those that there are.")
        return found

    def find(self, wish: Record) -> Record | None:
        """Return the request of the same person for the same thing, or None."""
        return self._read(wish.id)

    @abstractmethod
    def listing(self, states: Sequence[str] | None = None, *, only_open: bool = False) -> Listing:
        """Return all requests, or those in `states`, or those with something left to do."""

    def submit(self, wish: Record, *, again: bool = False) -> Transition:
        """Keep a new request, or return the one in which the person already asked for the same (see `resubmit`)."""

        def change(found: Record) -> Record:
            return resubmit(found, wish, again=again)

        for attempt in range(TRIES):
            found = self.find(wish)
            if found is not None:
                return self.transition(found, change)
            if self.check_mode:
                return Transition(None, wish)
            try:
                return Transition(None, self._create(wish))
            except Exists:  # somebody submitted the same at the same moment
                _pause(attempt)
        raise Busy(f"Request {wish.id} came and went {TRIES} times while it was being submitted; try again.")

    def transition(self, record: Record, change: Change) -> Transition:
        """Apply `change` to the present form of the record. Raises what `change` raises, and Busy if others kept changing it."""
        before = record
        for attempt in range(TRIES):
            after = check(change(before))
            if after == before or self.check_mode:
                return Transition(before, after)
            try:
                return Transition(before, self._replace(after))
            except Conflict:
                _pause(attempt)
                before = self.get(record.id)
        raise Busy(f"Request {record.id} was changed by others {TRIES} times in a row; try again.")

    def transition_all(self, changes: Sequence[tuple[Record, Change]]) -> list[ChangeOutcome]:
        """Apply many changes, several at a time, in the order given. An error in one record leaves the others alone.

        Raises StoreError if the store itself fails. The changes made before that stay, and making them again is
        harmless.
        """

        def one(item: tuple[Record, Change]) -> ChangeOutcome:
            record, change = item
            try:
                return ChangeOutcome(record.id, self.transition(record, change))
            except (RequestRefused, Missing, Broken, Busy, StoreRejected) as error:
                return ChangeOutcome(record.id, error=error)
            except ValueError as error:
                return ChangeOutcome(record.id, error=NotRecordable(f"Request {record.id} cannot be changed: {error}"))

        return _in_parallel(one, changes, self.parallel)

    def delete(self, request_id: str, *, only_if: Callable[[Record], bool] = lambda record: True) -> Transition:
        """Remove the request, and before it its sealed box, if it is as `only_if` wants. Its key, if there is one, is not touched."""
        for attempt in range(TRIES):
            found = self._read(check_id(request_id))
            if found is not None and not only_if(found):
                return Transition(found, found)
            if found is None or self.check_mode:
                return Transition(found, None)
            try:
                self.boxes.remove(found.id)
                self._remove(found)
                return Transition(found, None)
            except Conflict:
                _pause(attempt)
        raise Busy(f"Request {request_id} was changed by others {TRIES} times in a row; try again.")

    def keep(self, record: Record) -> None:
        """Write a new record that nobody submitted: what is left of another one. Raises Exists if there is one with its id."""
        if not self.check_mode:
            self._create(check(record))

    # ------------------------------------------------------------------------------------------------------ passes
    def turn(self, patience: float) -> AbstractContextManager[Turn]:
        """Return the right to make a pass. Raises Busy if another program had it for `patience` seconds.

        A program that dies loses it. In check mode nothing is taken or kept.
        """
        return nullcontext(FreeTurn()) if self.check_mode else self._turn(patience)

    def mark(self, *published: str) -> object:
        """Return something that differs after a request was made, changed or removed, or something was `published` under one of these names.

        It is always the same if the store cannot tell that cheaply.
        """
        return None

    @abstractmethod
    def last_pass(self) -> dict[str, Any] | None:
        """Return what the last pass reported, or None if none did."""

    # --------------------------------------------------------------------------------- what passes tell the portal
    def publish(self, name: str, content: Mapping[str, Any]) -> None:
        """Keep `content` under `name` beside the requests, in place of what was kept there. It must not hold a secret.

        Raises ValueError if it is larger than LARGEST_PUBLISHED. In check mode nothing is kept.
        """
        text = json.dumps(content, ensure_ascii=True, separators=(",", ":")).encode()
        if len(text) > LARGEST_PUBLISHED:
            raise ValueError(f"{name} has {len(text)} bytes, and at most {LARGEST_PUBLISHED} can be published; leave some of it out.")
        if not self.check_mode:
            self._publish(_checked_name(name), text)

    def published(self, name: str) -> dict[str, Any] | None:
        """Return what is published under `name`, or None if nothing that can be read is."""
        text = self._published(_checked_name(name))
        try:
            content = None if text is None or len(text) > LARGEST_PUBLISHED else json.loads(text)
        except (ValueError, RecursionError):
            return None
        return content if isinstance(content, dict) else None

    # ------------------------------------------------------------------------------------------ what a store adds
    @property
    @abstractmethod
    def place(self) -> str:
        """The location of the requests, to be shown in messages."""

    @abstractmethod
    def _turn(self, patience: float) -> AbstractContextManager[Turn]:
        """Return the right to make a pass, outside of check mode. Raises Busy."""

    @abstractmethod
    def _publish(self, name: str, text: bytes) -> None:
        """Keep the text under this name."""

    @abstractmethod
    def _published(self, name: str) -> bytes | None:
        """Return the text that is kept under this name, or None."""

    @abstractmethod
    def _read(self, request_id: str) -> Record | None:
        """Return the record, or None. Raises Broken."""

    @abstractmethod
    def _create(self, record: Record) -> Record:
        """Write a new record and return it with its version. Raises Exists."""

    @abstractmethod
    def _replace(self, record: Record) -> Record:
        """Replace version `record.version` by the record. Raises Conflict if that is not the present version, and Missing."""

    @abstractmethod
    def _remove(self, record: Record) -> None:
        """Remove the record if it is still at `record.version`. Raises Conflict. A missing record is not an error."""


class FreeTurn:
    """The turn of a pass in check mode, which may overlap with others because it writes nothing."""

    def check(self) -> None:
        return

    def report(self, report: Mapping[str, Any]) -> None:
        return


def oldest_first(found: Iterable[Record]) -> tuple[Record, ...]:
    """Return the records in the order in which they are served: by age, then by id so that the order is always the same."""
    return tuple(sorted(found, key=lambda record: (record.created_at, record.id)))


def _checked_name(name: str) -> str:
    if not _PUBLISHED_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a name to publish under; use small letters and hyphens.")
    return name


def _pause(attempt: int) -> None:
    time.sleep(random.uniform(0, min(LONGEST_PAUSE, 0.01 * 2**attempt)))  # noqa: S311 - not a secret, it only spreads the tries


def _in_parallel(work: Callable[[tuple[Record, Change]], ChangeOutcome], items: Sequence[tuple[Record, Change]], parallel: int) -> list[ChangeOutcome]:
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
