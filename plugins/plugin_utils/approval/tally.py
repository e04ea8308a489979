# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Count keys of a person, domain or package: the live ones on the gateway, and those that this pass granted."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...module_utils.common import email_address
from .request import Request

PERSON, DOMAIN, PACKAGE = "person", "domain", "package"


def _keys(request: Request) -> list[tuple[str, str]]:
    """Return what the key of a request counts for. A renewal makes no key."""
    if request.renews:
        return []
    keys = [(PERSON, request.address.person), (DOMAIN, request.domain)]
    return [*keys, (PACKAGE, request.package)] if request.package else keys


class Ledger:
    """The counts of one pass. Requests count in the order of their list, whatever the order of the answers.

    A request is decided as if all earlier ones were decided first: if the count depends on one that is still undecided,
    the asking thread waits. Callers hold `turn`, which guards everything here.
    """

    def __init__(self, usage: Iterable[Mapping[str, Any]], requests: Sequence[Request | None], turn: threading.Condition) -> None:
        self._live = Counter(key for row in usage for key in _usage_keys(row))
        self._turn = turn
        self._requests = requests
        self._undecided: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._granted: dict[tuple[str, str], list[int]] = defaultdict(list)
        for position, request in enumerate(requests):
            for key in _keys(request) if request else ():
                self._undecided[key].append(position)

    def decided(self, position: int, granted: bool) -> None:
        """Note that the request at `position` is decided."""
        request = self._requests[position]
        for key in _keys(request) if request else ():
            undecided = self._undecided[key]
            del undecided[bisect_left(undecided, position)]
            if granted:
                grants = self._granted[key]
                grants.insert(bisect_left(grants, position), position)
        self._turn.notify_all()

    def count(self, key: tuple[str, str], position: int, limit: int) -> int:
        """Return the number of keys before the request at `position`, once it is certain whether that is below `limit`."""
        while True:
            held = self._live[key] + bisect_left(self._granted[key], position)
            open_before = bisect_left(self._undecided[key], position)
            if held >= limit or held + open_before < limit:
                return held
            self._turn.wait()


@dataclass(frozen=True)
class Tally:
    """The ledger from the position of one request."""

    ledger: Ledger
    position: int

    def held(self, by: str, value: str, limit: int) -> int:
        """Return how many keys `value` (a person, domain or package, as `by` says) has, at least as to whether it reaches `limit`."""
        return self.ledger.count((by, value), self.position, limit)


def check_usage(row: object) -> str | None:
    """Return the fault of a row of `usage`, or None."""
    if not isinstance(row, Mapping):
        return "is not a mapping"
    unknown = sorted(str(key) for key in row if key not in ("owner", "domain", "package", "alias"))
    if unknown:
        return f"has the unknown field {unknown[0]!r}; known are owner, domain, package, alias"
    wrong = [key for key, value in row.items() if value is not None and not isinstance(value, str)]
    return f"has a {wrong[0]} that is no text" if wrong else None


def _usage_keys(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    owner, domain, package = (row.get(name) or "" for name in ("owner", "domain", "package"))
    try:
        address = email_address.parse_address(owner)
        person, domain = address.person, domain or address.domain
    except ValueError:  # the owners of keys of labs and services are not addresses
        person = email_address.ascii_lower(owner)
    keys = ((PERSON, person), (DOMAIN, email_address.ascii_lower(domain)), (PACKAGE, package))
    return [key for key in keys if key[1]]
