# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Readings of the store that many callers share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import StoreError

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """A value that is read again when it is older than `seconds`. One caller reads, the others wait for it.

    An error is kept as long, so that callers do not wait for a store that is down one after another.
    """

    def __init__(self, read: Callable[[], Value], seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._read, self._seconds, self._clock = read, seconds, clock
        self._lock = threading.Lock()
        self._changes = 0
        self._kept: tuple[float, int, Value | StoreError] | None = None

    def get(self) -> Value:
        """Return the value. Raises StoreError."""
        value = self._fresh()
        if value is None:
            with self._lock:
                value = self._fresh()
                if value is None:
                    value = self._read_now()
        if isinstance(value, StoreError):
            raise value
        return value

    def forget(self) -> None:
        """Make the next caller read: the value has changed. What is being read now is not kept."""
        self._changes += 1

    def _fresh(self) -> Value | StoreError | None:
        kept = self._kept
        if kept is None or kept[1] != self._changes or self._clock() - kept[0] >= self._seconds:
            return None
        return kept[2]

    def _read_now(self) -> Value | StoreError:
        changes = self._changes
        try:
            value: Value | StoreError = self._read()
        except StoreError as error:
            value = error
        self._kept = (self._clock(), changes, value)
        return value
