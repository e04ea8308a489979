# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Which requests have ended, because their keys expired or were revoked. A gateway that does not know a key proves nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ...module_utils.common import durations
from ...module_utils.key_requests.record import Record


class History(Protocol):
    """A gateway that may remember its deleted keys."""

    def deleted(self, aliases: Sequence[str]) -> set[str] | None: ...


def split_ended(gateway: History, missing: Sequence[Record], *, now: str, right_gateway: bool) -> tuple[list[Record], list[Record]]:
    """Return those requests of `missing`, whose keys the gateway does not list, that have ended, and those whose keys it does not know.

    A key has ended when its time is over or the gateway remembers its deletion. A gateway that remembers no deletions is
    believed if it is the `right_gateway`, which has the key of another request.
    """
    at = durations.parse_time(now)
    over = [record for record in missing if record.progress.expires and durations.parse_time(record.progress.expires) <= at]
    rest = [record for record in missing if record not in over]
    deleted = gateway.deleted([record.progress.key_alias for record in rest])
    known = {record.progress.key_alias for record in rest} if deleted is None and right_gateway else deleted or set()
    ended = [record for record in rest if record.progress.key_alias in known]
    return over + ended, [record for record in rest if record.progress.key_alias not in known]
