# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Passes at an interval, in one process, until a file says to stop."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ...module_utils.common.printable import quoted
from ...module_utils.key_requests.errors import StoreError
from .report import PassReport

ONCE = "once"
"""Instead of an interval: one pass."""
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_LOOK_SECONDS = 1.0
_MOST_IN_A_ROW = 5
"""Passes that follow each other at once because each of them, or somebody meanwhile, changed something."""


def seconds_of(interval: str) -> int:
    """Return an interval such as 30s, 5m or 1h in seconds. Raises ValueError."""
    match = re.fullmatch(r"([1-9][0-9]{0,6})([smh])", interval)
    if match is None:
        raise ValueError(f"The interval is {quoted(interval, 40)}; give a whole number and s, m or h, such as 30s, 5m or 1h.")
    return int(match[1]) * _SECONDS[match[2]]


def make_passes(
    make: Callable[[], PassReport],
    interval: float,
    stop_file: str | None,
    show: Callable[[PassReport | Exception], None],
    *,
    mark: Callable[[], object] = lambda: None,
    heartbeat: Callable[[], None] = lambda: None,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Make a pass every `interval` seconds, and whenever `mark` changes, until `stop_file` exists; without one, until the process is ended.

    `mark` returns something that differs after a change of a request (`Store.mark`). The reports are given to `show`. A pass that
    fails, for example because its store cannot be reached, is shown, too, and the next one goes on. `heartbeat` is called before each
    pass, and every second between two.
    """
    in_a_row = 0
    while not _stopped(stop_file):
        heartbeat()
        began, before = time.monotonic(), mark()
        try:
            show(make())
        except (StoreError, ValueError) as error:
            show(error)
        # What changed meanwhile may be a pass's own work, or somebody's request: another pass finds out. Not without end, for a pass
        # that changes something every time.
        after = mark()
        in_a_row = in_a_row + 1 if after != before else 0
        seen = before if in_a_row < _MOST_IN_A_ROW else after
        while (left := interval - (time.monotonic() - began)) > 0 and not _stopped(stop_file):
            sleep(min(left, _LOOK_SECONDS))
            heartbeat()
            if mark() != seen:
                break


def touch(path: str | None) -> None:
    """Set the time of a file to now, for whoever looks whether this process is alive. Without a path, or where it cannot be, do nothing."""
    if path:
        with suppress(OSError):
            Path(path).touch()


def _stopped(stop_file: str | None) -> bool:
    return bool(stop_file) and Path(str(stop_file)).exists()
