# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What the keys of requests may be: the offers of a site, and the terms that follow from them for one request. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from ...module_utils.common import durations
from ...module_utils.common.printable import printable, quoted
from ...module_utils.key_requests.record import PACKAGE, Record
from ...module_utils.key_requests.terms import BEYOND, LARGEST_AMOUNT, NEVER, Terms, exceeded, lowered, offer_from
from ..approval.request import Request

USUAL_LIMITS: dict[str, Any] = {"max_budget": 10, "rpm_limit": 60, "tpm_limit": 100_000}
"""What a request by model gets at most unless the site says otherwise: USD, requests and tokens per minute."""


MAX_LIFETIME = "max_lifetime"
"""Names, in a package or the limits, how long a key may live in all by what its owner and the rules alone agree on."""
USUAL_MAX_LIFETIME = "365d"
"""How long that is unless the site says otherwise; a package that gives more than half of it can be had twice."""
SHORTEST_RENEWAL = 60
"""Seconds."""


class NotOffered(ValueError):
    """The terms of a request cannot be worked out. The message may be shown to the requester."""


@dataclass(frozen=True)
class Offers:
    """The packages of a site, and the limits for requests that name models. All are terms, see `module_utils.key_requests.terms`.

    `longest` says by package, and under an empty name for requests by model, how many seconds a key may live with all its
    renewals, if there is a limit.
    """

    packages: Mapping[str, Terms] = field(default_factory=dict)
    limits: Terms = field(default_factory=dict)
    lifetime: str = "30d"
    longest: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def from_settings(cls, packages: Mapping[str, Any], limits: Mapping[str, Any], lifetime: str) -> Offers:
        """Return the offers that the role's variables describe. Raises ValueError for a package or limit that cannot be used."""
        durations.seconds(lifetime, "lifetime")
        offers: dict[str, Terms] = {}
        longest: dict[str, int] = {}
        for name, package in packages.items():
            shown = f"the package {printable(str(name), 80)}"
            if not isinstance(name, str) or not PACKAGE.fullmatch(name):
                raise ValueError(f"{shown} has a name that no request can hold; use up to 128 letters, digits, '.', '_' and '-'.")
            if not isinstance(package, Mapping):
                raise ValueError(f"{shown} is {type(package).__name__} and must be a mapping of limits such as models and duration.")
            offer = offer_from(package, shown)
            if not offer.get("models"):
                raise ValueError(f"{shown} names no models, which to LiteLLM means all of them; name its models.")
            offers[name] = {"duration": lifetime, **offer}
            longest |= _longest(name, package, offers[name], shown)
        ceiling = {**USUAL_LIMITS, "duration": lifetime, **{name: value for name, value in limits.items() if value is not None}}
        if "models" in ceiling:
            raise ValueError("the limits for requests by model name models; deny the others by a rule of the approval chain.")
        by_model = offer_from(ceiling, "the limits for requests by model")
        longest |= _longest("", limits, by_model, "the limits for requests by model")
        return cls(offers, by_model, lifetime, longest)

    def for_request(self, record: Record) -> dict[str, Any]:
        """Return the most that the request can get without a person's leave. Raises NotOffered if its package does not exist."""
        if not record.package:
            return {**self.limits, "models": list(record.models)}
        if record.package not in self.packages:
            raise NotOffered(f"package is {quoted(record.package)}, which is not offered; choose one of {', '.join(sorted(self.packages)) or 'none'}.")
        return {**self.packages[record.package], "package": record.package}

    def end_of_life(self, renewed: Record) -> str:
        """Return until when the key of a request may live at most without a person's leave; empty if there is no limit."""
        if renewed.package not in self.longest:
            return ""
        return durations.iso(durations.parse_time(renewed.progress.minted_at) + timedelta(seconds=self.longest[renewed.package]))

    def is_used_up(self, renewal: Record, renewed: Record, at: str) -> bool:
        """Return whether no time is left at `at` by which the key of the request `renewed` could live longer."""
        left = self._time_left(renewal, renewed, at)
        return left is not None and left < SHORTEST_RENEWAL

    def _time_left(self, renewal: Record, renewed: Record, at: str) -> int | None:
        end, start = self.end_of_life(renewed), renewed.progress.expires if renewal.from_end else at
        if not end or not start:  # a key whose end was taken away meanwhile has nothing to renew
            return None
        return int((durations.parse_time(end) - durations.parse_time(start)).total_seconds())

    def _within_life(self, terms: Terms, renewal: Record, renewed: Record | None, at: str) -> dict[str, Any]:
        """Return the terms of a renewal with as much time as its key may live longer. Raises NotOffered if that is none."""
        left = None if renewed is None else self._time_left(renewal, renewed, at)
        if renewed is None or left is None:
            return dict(terms)
        if left < SHORTEST_RENEWAL:
            raise NotOffered(f"its key may live until {self.end_of_life(renewed)} at most; approve it again with a duration and beyond, or deny it.")
        return lowered(terms, {"duration": _in_round_units(left)})

    def asked(self, record: Record, renewed: Record | None = None, *, at: str, any_time: bool = False) -> dict[str, Any]:
        """Return the terms for what was asked at `at`, as far as it is offered. Raises NotOffered.

        A renewal, for the key of the request `renewed`, may ask for the budget that the key has, even if that was more than the
        offer. Its time ends with the life of the key, unless `any_time` was granted.
        """
        present = renewed.terms if renewed else None
        wish = {name: value for name, value in {"duration": record.duration or None, "max_budget": record.max_budget}.items() if value is not None}
        offer = self.for_request(record)
        if present and "max_budget" in offer:
            offer["max_budget"] = max(offer["max_budget"], present.get("max_budget", LARGEST_AMOUNT))
        terms = lowered(offer if any_time else self._within_life(offer, record, renewed, at), wish)
        # A renewal changes nothing but the end of the key, and its budget if that was asked for.
        return {name: value for name, value in terms.items() if name == "duration" or name in wish} if record.renews else terms

    def settled(self, record: Record, renewed: Record | None = None, *, at: str) -> dict[str, Any]:
        """Return the terms of an approved request: those that the chain left, else what a person granted of the offer (see `asked`).

        Raises NotOffered if the person granted more than the offer without saying that it may be more.
        """
        if record.terms:
            return dict(record.terms)
        granted = record.granted
        beyond = bool(granted.get(BEYOND))
        more = [] if beyond else exceeded(granted, self._within_life(self.for_request(record), record, renewed, at))
        if more:
            raise NotOffered(f"more was granted than is offered: {'; '.join(more)}; approve it again with less, or with beyond.")
        return {**self.asked(record, renewed, at=at, any_time=beyond and "duration" in granted), **granted}

    def digest(self, rules: Any) -> str:
        """Return a short digest of the rules and offers, which changes when any of them does."""
        content = json.dumps([rules, self.packages, self.limits, self.lifetime, self.longest], sort_keys=True, default=str)
        return f"sha256:{hashlib.sha256(content.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def _longest(package: str, given: Mapping[str, Any], offer: Terms, name: str) -> dict[str, int]:
    """Return how long a key of an offer may live in all, by the name of its package; nothing if there is no limit. Raises ValueError."""
    duration = offer.get("duration", NEVER)
    limit = given.get(MAX_LIFETIME)
    if limit == NEVER or (duration == NEVER and limit is None):
        return {}
    if limit is None:
        return {package: max(durations.seconds(USUAL_MAX_LIFETIME), 2 * durations.seconds(duration))}
    if not isinstance(limit, str):
        raise ValueError(f"{name}.{MAX_LIFETIME} is {quoted(limit, 40)}; give a duration such as 365d, or never.")
    longest = durations.seconds(limit, f"{name}.{MAX_LIFETIME}")
    if duration == NEVER or longest < durations.seconds(duration):
        raise ValueError(f"{name}.{MAX_LIFETIME} is {limit}, and its duration is {duration}; a key cannot live longer than it may live in all.")
    return {package: longest}


def _in_round_units(total: int) -> str:
    """Return a duration of at most `total` seconds in whole days, hours or minutes, for people who read it."""
    unit = next(unit for unit in (86_400, 3_600, 60) if total >= 2 * unit or unit == 60)
    return durations.spell(total - total % unit)


def terms_left(asked: Terms, decided: Request | None, had: Sequence[str] | None = None) -> dict[str, Any] | None:
    """Return what the approval chain left of the terms that were asked for; None if it could not read the request.

    A renewal has the models that the key `had`, unless the chain took some away.
    """
    if decided is None:
        return None
    cut: dict[str, Any] = {"models": list(decided.models)} if had is None or set(decided.models) < set(had) else {}
    if decided.duration is not None:
        cut["duration"] = decided.duration
    if decided.max_budget is not None and (had is None or "max_budget" in asked):
        cut["max_budget"] = decided.max_budget
    return lowered(asked, cut)
