# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Readings of the store that many callers share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import StoreError, StoreUnreachable

Value = TypeVar("Value")


@dataclass(frozen=True)
class _Reading(Generic[Value]):
    """What one reading gave, or why it failed."""

    number: int
    changes: int
    """How often the value had been forgotten when the reading began."""
    at: float
    value: Value | Exception


class Recent(Generic[Value]):
    """A value that is read again when it is older than `seconds`. One thread reads, and all callers wait for it, for `patience` seconds at most.

    An error is kept as long, so that callers do not wait for a store that is down one after another. A store that takes longer than
    `patience` is down for whoever comes, until it answers.
    """

    def __init__(self, read: Callable[[], Value], seconds: float, *, patience: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._read, self._seconds, self._patience, self._clock = read, seconds, patience, clock
        self._done = threading.Condition()
        self._changes = 0
        self._readings = 0
        """How many readings have begun."""
        self._reading_since: float | None = None
        self._kept: _Reading[Value] | None = None

    def get(self, *, anew: bool = False) -> Value:
        """Return the value, with `anew` from a reading that begins after this call. Raises StoreError."""
        reading = (None if anew else self._fresh()) or self._awaited(anew=anew)
        if isinstance(reading.value, Exception):
            raise reading.value
        return reading.value

    def forget(self) -> None:
        """Make the next caller read: the value has changed. What is being read now is not kept."""
        self._changes += 1

    def _fresh(self) -> _Reading[Value] | None:
        kept = self._kept
        if kept is None or kept.changes != self._changes or self._clock() - kept.at >= self._seconds:
            return None
        return kept

    def _awaited(self, *, anew: bool) -> _Reading[Value]:
        """Return a reading that began after this call, or without `anew` one that is fresh."""
        with self._done:
            first = self._readings + 1
            deadline = time.monotonic() + self._patience
            while True:
                kept = self._kept
                if kept is not None and (kept.number >= first or (self._fresh() is kept and not anew)):
                    return kept
                if self._reading_since is None:
                    self._begin()
                left = min(deadline, (self._reading_since or 0) + self._patience) - time.monotonic()
                if left <= 0 or not self._done.wait(left):
                    raise StoreUnreachable(f"The store did not answer within {self._patience:g} s; try again later.")

    def _begin(self) -> None:
        self._readings += 1
        self._reading_since = time.monotonic()
        threading.Thread(target=self._read_now, args=(self._readings, self._changes), name="reading", daemon=True).start()

    def _read_now(self, number: int, changes: int) -> None:
        try:
            value: Value | Exception = self._read()
        except Exception as error:  # noqa: BLE001 - whoever waits for the value gets it
            value = error
        with self._done:
            expected = not isinstance(value, Exception) or isinstance(value, StoreError)
            self._kept = _Reading(number, changes if expected else -1, self._clock(), value)
            self._reading_since = None
            self._done.notify_all()
