# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What the worker found out about requests that are looked at: what the rules would say now, and what keys have spent.

Only the worker can ask the rules and the gateway. Whoever looks at a request lets this note it for the worker, behind the answer, and
sees what was found out before, with its age; the page follows when there is more.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import durations
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.base import Store
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import StoreError
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.insight import Insight, published_insights, want_insight

from .errors import shown
from .recent import Recent

log = logging.getLogger("portal")

READ_SECONDS = 1.0
"""For how long what the worker published is used again."""
FRESH = timedelta(minutes=1)
"""For how long what was found out is shown without asking for it again."""
OLD = timedelta(minutes=5)
"""From then on the page says that it is old."""
WAIT_SECONDS = 0.2
"""How long wishes are collected before they are noted."""
PATIENCE_SECONDS = 10.0
"""For how long the same is not noted again."""


@dataclass(frozen=True)
class SeenInsight:
    """What was found out, or None if nothing was yet, and whether that is old."""

    insight: Insight | None = None
    is_old: bool = False

    @property
    def at(self) -> str:
        """When it was found out; empty if it was not."""
        return self.insight.at if self.insight else ""


class Insights:
    """What the worker found out. `clock` gives the time in the form of records, `patience` is how many seconds callers wait."""

    def __init__(self, store: Store, clock: Callable[[], str], *, patience: float = 10.0, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store, self._clock, self._monotonic = store, clock, monotonic
        self._found = Recent(lambda: published_insights(store), READ_SECONDS, patience=patience)
        self._lock = threading.Lock()
        self._wanted: dict[str, float] = {}
        """When each request was wanted last."""
        self._waiting: list[str] = []
        """Those that are not noted yet."""

    def of(self, request_ids: Iterable[str]) -> dict[str, SeenInsight]:
        """Return what is known of each of these requests, and let the worker find out what is not known, or not any more. Raises StoreError."""
        known, now = self._found.get(), durations.parse_time(self._clock())
        found = dict[str, SeenInsight]()
        stale: list[str] = []
        for each in request_ids:
            insight = known.get(each)
            age = None if insight is None else abs(now - durations.parse_time(insight.at))
            found[each] = SeenInsight(insight, age is not None and age > OLD)
            if age is None or age > FRESH:
                stale.append(each)
        self._want(stale)
        return found

    def forget(self) -> None:
        """Read again what the worker published."""
        self._found.forget()

    def _want(self, request_ids: Iterable[str]) -> None:
        with self._lock:
            now = self._monotonic()
            self._wanted = {each: at for each, at in self._wanted.items() if now - at < PATIENCE_SECONDS}
            new = [each for each in request_ids if each not in self._wanted]
            self._wanted |= dict.fromkeys(new, now)
            begins = bool(new) and not self._waiting
            self._waiting += new
        if begins:
            timer = threading.Timer(WAIT_SECONDS, self.note_wanted)
            timer.daemon = True
            timer.start()

    def note_wanted(self) -> None:
        """Note for the worker what is wanted by now. What a store that does not answer lost is wanted again by the next who looks."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        try:
            want_insight(self._store, waiting, self._clock())
        except (StoreError, ValueError) as error:
            log.warning("The worker could not be told which requests are looked at: %s", shown(str(error)))
