# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Lifetimes in the form that LiteLLM reads: a whole number and one unit.

LiteLLM reads `1h30m` as one hour and answers 500 to `1y` or `30D` (measured on 1.102.4), so durations are checked here
before anything is sent.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from .printable import quoted

UNITS: dict[str, int] = {
    "s": 1,
    "m": 60,
    "h": 3_600,
    "d": 86_400,
    "w": 7 * 86_400,
    "mo": 30 * 86_400,
}
LONGEST_SECONDS = 10 * 365 * 86_400

_DURATION = re.compile(r"([0-9]{1,12})(s|m|h|d|w|mo)")


def seconds(text: str, name: str = "duration", *, least: int = 1) -> int:
    """Return the seconds of a duration such as `30d`; a month (`mo`) counts as 30 days.

    Raises ValueError, in one sentence that begins with `name`, if the text is not a whole number followed by s, m, h, d,
    w or mo, or if it is shorter than `least` seconds or longer than ten years.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{name} is {quoted(text)}, which is not a duration; give a whole number and one of s, m, h, d, w, mo, such as 30d.")
    value = int(match[1]) * UNITS[match[2]]
    if value < least:
        raise ValueError(f"{name} is {quoted(text)}, which lasts no time at all; give at least 1s.")
    if value > LONGEST_SECONDS:
        raise ValueError(f"{name} is {quoted(text)}, which is longer than ten years; give a shorter one.")
    return value


def spell(total: int) -> str:
    """Return `total` seconds in the largest unit that divides them: 2592000 is `30d`."""
    for unit in ("d", "h", "m"):
        if total % UNITS[unit] == 0:
            return f"{total // UNITS[unit]}{unit}"
    return f"{total}s"


EARLIEST_YEAR, LATEST_YEAR = 1970, 9900


def parse_time(text: str, name: str = "time") -> datetime:
    """Return the time in ISO 8601 text; without an offset it is UTC. Raises ValueError that begins with `name`.

    Years before 1970 and after 9900 are refused, because sums and offsets beyond them overflow.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{name} is {quoted(text)}, which is not an ISO 8601 time such as 2026-12-31T18:00:00Z.") from None
    if not EARLIEST_YEAR <= time.year <= LATEST_YEAR:
        raise ValueError(f"{name} is {quoted(text)}, which is not a time of the years {EARLIEST_YEAR} to {LATEST_YEAR}.")
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def is_time(text: str) -> bool:
    """Return whether `parse_time` can read the text."""
    try:
        parse_time(text)
    except ValueError:
        return False
    return True


def iso(time: datetime) -> str:
    """Return the time in UTC, to the second: 2026-12-31T18:00:00Z."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def whole_seconds(span: timedelta) -> int:
    """Return the span in seconds, rounded up."""
    return -int(-span.total_seconds() // 1)
