# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""How often somebody may do what costs others something: ask for a mail or a key, or try a password. Counted in this process."""

from __future__ import annotations

import ipaddress

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common.email_address import parse_address
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common.printable import quoted
from fastapi import Request
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter


def check_rate(text: str, name: str) -> RateLimitItem:
    """Return the rate that a text such as 5/hour names. Raises ValueError, which begins with `name`."""
    try:
        return parse(text)
    except ValueError:
        raise ValueError(f"{name} is {quoted(text)}; give a number for a time, such as 5/hour.") from None


class Rates:
    """Counts what happens, each kind under its own rate."""

    def __init__(self, **rates: str) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._rates = {kind: check_rate(text, kind) for kind, text in rates.items()}
        self._once = {kind: type(rate)(1, rate.multiples) for kind, rate in self._rates.items()}

    def allows(self, kind: str, whose: str) -> bool:
        """Count one more, and return whether that is not too many."""
        return self._limiter.hit(self._rates[kind], kind, whose)

    def allows_another(self, kind: str, whose: str, what: str) -> bool:
        """Do as `allows` does, and count the same `what` once only."""
        if not self._limiter.test(self._once[kind], kind, whose, what):
            return True
        allowed = self.allows(kind, whose)
        if allowed:
            self._limiter.hit(self._once[kind], kind, whose, what)
        return allowed

    def is_used_up(self, kind: str, whose: str) -> bool:
        """Return whether one more would be too many, and count nothing."""
        return not self._limiter.test(self._rates[kind], kind, whose)


def may_ask(request: Request, email: str, request_id: str) -> bool:
    """Return whether somebody whose address is proven may ask for one more key. The same again counts once. Raises ValueError."""
    rates: Rates = request.app.state.rates
    return rates.allows_another("asked_by", mailbox_of(email), request_id)


def peer_of(request: Request) -> str:
    """Return from where a call comes: an IPv4 address, or the network of an IPv6 address, which one person has as a whole."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return host
    if address.ipv4_mapped is not None:  # as some proxies write an IPv4 address; their /64 is that of all others as well
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))


def mailbox_of(email: str) -> str:
    """Return whom mails to an address reach, to count by: without a `+tag`, of which everybody has any number. Raises ValueError."""
    return parse_address(email).person
