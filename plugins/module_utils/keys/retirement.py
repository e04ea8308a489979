# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The values that a rotation retired: how long each of them lives on, and when the key would have ended without it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from ..common import durations
from .key import NEVER_ENDS, LiveKey

# Two clocks and whole seconds meet here: an expiry this close to the wanted one counts as the wanted one.
EXPIRY_TOLERANCE = timedelta(seconds=60)


def original_end(row: LiveKey) -> datetime | None:
    """Return when a key ends, or would have ended if it had not been retired; None means never."""
    if not (row.notes and row.notes.ends) or row.in_service:  # a note on the value in service was forged
        return row.expires
    if row.notes.ends == NEVER_ENDS:
        return None
    ends = durations.parse_time(row.notes.ends)
    return max(ends, row.expires) if row.expires else ends  # somebody may have extended it while it was being rotated


def grace_has_ended(row: LiveKey, now: datetime) -> bool:
    """Return whether the grace period of a retired row has ended."""
    until = row.notes.retired_until if row.notes else ""
    return not until or durations.parse_time(until) <= now


def was_overtaken(row: LiveKey, former: Iterable[LiveKey], now: datetime) -> bool:
    """Return whether a rotation without grace came after the one that retired `row`: that ends all former values.

    A value that was retired without grace has kept its own end, which is later than its grace period.
    """
    return any(later.generation > row.generation and grace_has_ended(later, now) and not later.expired(now + EXPIRY_TOLERANCE) for later in former)
