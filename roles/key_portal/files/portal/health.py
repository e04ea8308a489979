# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What `/health` says: whether the store answers, when the last pass was, and whether it could send mail. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import durations

_INTERVAL = re.compile(r"([0-9]{1,7})([smh])")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
USUAL_INTERVAL = 30
"""Seconds between two passes, as in the requestor if the interval cannot be read."""
GRACE = 120
"""Seconds that a pass may last, beside its interval, before it counts as late."""


@dataclass(frozen=True)
class PassHealth:
    """The last pass: how long ago it ended (in seconds), and how many requests failed in it."""

    status: Literal["on time", "late", "never"]
    age_seconds: int | None = None
    failed: int = 0
    mails_failed: int = 0


def seconds_of_interval(interval: str) -> int:
    """Return an interval such as 30s, 5m or 1h in seconds; 30 for one that cannot be read, as the requestor does."""
    match = _INTERVAL.fullmatch(interval)
    return (int(match[1]) * _SECONDS[match[2]] if match else 0) or USUAL_INTERVAL


def health_of_pass(report: Mapping[str, Any] | None, interval: int, now: datetime) -> PassHealth:
    """Return the health of the last pass from its `report`, which is another program's and may hold anything."""
    try:
        ended = durations.parse_time(str((report or {})["started_at"])) + timedelta(seconds=_number((report or {}).get("seconds")))
    except (KeyError, ValueError, OverflowError):
        return PassHealth("never")
    age = max(0, int((now - ended).total_seconds()))
    failures = (report or {}).get("failures")
    known = [failure for failure in failures if isinstance(failure, Mapping)] if isinstance(failures, list) else []
    return PassHealth("late" if age > 2 * interval + GRACE else "on time", age, len(known), sum(map(_is_of_mail, known)))


def _is_of_mail(failure: Mapping[str, Any]) -> bool:
    """Return whether a mail could not be sent. Keys are delivered, and answers given, in other ways too, which the reason begins with."""
    step, reason = failure.get("step"), str(failure.get("reason", ""))
    return (step == "deliver" and reason.startswith("mail:")) or (step == "mail" and not reason.startswith("webhook"))


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) and 0 <= value < 1e6 else 0.0
