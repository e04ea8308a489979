# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Which keys of requests have ended, because they expired or were revoked. A gateway that does not know a key proves nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from ...module_utils.common import durations
from ...module_utils.key_requests.record import Record


class History(Protocol):
    """A gateway that may remember its deleted keys."""

    def deleted(self, aliases: Sequence[str]) -> set[str] | None: ...


def split_ended(gateway: History, missing: Sequence[Record], *, now: str, right_gateway: bool) -> tuple[list[Record], list[Record]]:
    """Return those requests of `missing`, whose keys the gateway does not list, that have ended, and those whose keys it does not know."""
    expires = {record.progress.key_alias: record.progress.expires for record in missing}
    ended = ended_aliases(gateway, expires, now=now, right_gateway=right_gateway)
    return [record for record in missing if record.progress.key_alias in ended], [record for record in missing if record.progress.key_alias not in ended]


def ended_aliases(gateway: History, missing: Mapping[str, str], *, now: str, right_gateway: bool) -> set[str]:
    """Return which aliases of `missing`, keys that the gateway does not list, have ended. Each has its end, which is empty without one.

    A key has ended when its time is over or the gateway remembers its deletion. A gateway that remembers no deletions is
    believed if it is the `right_gateway`, which has the key of another request. Raises GatewayError.
    """
    at = durations.parse_time(now)
    over = {alias for alias, expires in missing.items() if expires and durations.parse_time(expires) <= at}
    rest = [alias for alias in missing if alias not in over]
    deleted = gateway.deleted(rest)
    known = set(rest) if deleted is None and right_gateway else deleted or set()
    return over | (known & set(rest))


def unknown_key(alias: str) -> str:
    """Return why nothing was done for a request whose key the gateway neither lists nor remembers."""
    return f"the gateway knows nothing of the key {alias}; check that it is the right one"
