# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""How a review is made: how many people must approve, who does not count, when reviewers are reminded, and when it ends. Pure.

A rule that sends a request to review may say so. Nothing said means: one approval by anybody, one question, and no end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from ..common import durations, email_address
from ..common.printable import quoted

APPROVALS, BY_OTHERS, REMIND_AFTER, EXPIRES_AFTER = "approvals", "by_others", "remind_after", "expires_after"
MOST_APPROVALS = 10
MOST_REMINDERS = 5


def check_review(review: Mapping[str, Any]) -> None:
    """Raise ValueError for a setting that does not exist or cannot be."""
    for name, value in review.items():
        if name not in _CHECKS:
            raise ValueError(f"the review names {quoted(name, 40)}, which is not a setting of a review; give {', '.join(_CHECKS)}.")
        _CHECKS[name](value)


def _check_approvals(value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST_APPROVALS:
        raise ValueError(f"approvals is {quoted(value, 40)}; give a number from 1 to {MOST_APPROVALS}.")


def _check_flag(value: object) -> None:
    if not isinstance(value, bool):
        raise ValueError(f"by_others is {quoted(value, 40)}; give true or false.")


def _check_duration(value: object) -> None:
    durations.seconds(value if isinstance(value, str) else "", "the time of a review")


_CHECKS: dict[str, Callable[[object], None]] = {
    APPROVALS: _check_approvals,
    BY_OTHERS: _check_flag,
    REMIND_AFTER: _check_duration,
    EXPIRES_AFTER: _check_duration,
}
SETTINGS = frozenset(_CHECKS)
"""The names of all settings of a review."""


def approvals_needed(review: Mapping[str, Any]) -> int:
    """Return how many people must approve."""
    return int(review.get(APPROVALS) or 1)


def is_plain_decision(review: Mapping[str, Any]) -> bool:
    """Return whether one approval by anybody is enough, so that a decision need not say who made it."""
    return approvals_needed(review) == 1 and not review.get(BY_OTHERS)


def same_person(one: str, other: str) -> bool:
    """Return whether both names are those of one person: addresses, or the part of one before the @. Case and a `+tag` do not count."""
    first, second = (re.sub(r"\+[^@]*", "", email_address.ascii_lower(name.strip())) for name in (one, other))
    return first == second or first == second.partition("@")[0] or first.partition("@")[0] == second


def has_expired(review: Mapping[str, Any], began: str, now: str) -> bool:
    """Return whether the review has lasted too long."""
    return EXPIRES_AFTER in review and _passed(began, review[EXPIRES_AFTER], now)


def is_to_be_reminded(review: Mapping[str, Any], asked: str, reminders: int, now: str) -> bool:
    """Return whether a reviewer, who was `asked` last at that time, is to be reminded once more. The pauses double."""
    if REMIND_AFTER not in review or reminders >= MOST_REMINDERS:
        return False
    return _time(asked) + timedelta(seconds=durations.seconds(review[REMIND_AFTER]) * 2**reminders) <= _time(now)


def _passed(since: str, duration: str, now: str) -> bool:
    return _time(since) + timedelta(seconds=durations.seconds(duration)) <= _time(now)


def _time(text: str) -> datetime:
    return durations.parse_time(text)
