# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What the keys of requests may be: the offers of a site, and the terms that follow from them for one request. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...module_utils.common import durations
from ...module_utils.common.printable import printable, quoted
from ...module_utils.key_requests.record import PACKAGE, Record
from ...module_utils.key_requests.terms import BEYOND, LARGEST_AMOUNT, Terms, exceeded, lowered, offer_from
from ..approval.request import Request

USUAL_LIMITS: dict[str, Any] = {"max_budget": 10, "rpm_limit": 60, "tpm_limit": 100_000}
"""What a request by model gets at most unless the site says otherwise: USD, requests and tokens per minute."""


class NotOffered(ValueError):
    """The terms of a request cannot be worked out. The message may be shown to the requester."""


@dataclass(frozen=True)
class Offers:
    """The packages of a site, and the limits for requests that name models. All are terms, see `module_utils.key_requests.terms`."""

    packages: Mapping[str, Terms] = field(default_factory=dict)
    limits: Terms = field(default_factory=dict)
    lifetime: str = "30d"

    @classmethod
    def from_settings(cls, packages: Mapping[str, Any], limits: Mapping[str, Any], lifetime: str) -> Offers:
        """Return the offers that the role's variables describe. Raises ValueError for a package or limit that cannot be used."""
        durations.seconds(lifetime, "lifetime")
        offers: dict[str, Terms] = {}
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
        ceiling = {**USUAL_LIMITS, "duration": lifetime, **{name: value for name, value in limits.items() if value is not None}}
        if "models" in ceiling:
            raise ValueError("the limits for requests by model name models; deny the others by a rule of the approval chain.")
        return cls(offers, offer_from(ceiling, "the limits for requests by model"), lifetime)

    def for_request(self, record: Record) -> dict[str, Any]:
        """Return the most that the request can get without a person's leave. Raises NotOffered if its package does not exist."""
        if not record.package:
            return {**self.limits, "models": list(record.models)}
        if record.package not in self.packages:
            raise NotOffered(f"package is {quoted(record.package)}, which is not offered; choose one of {', '.join(sorted(self.packages)) or 'none'}.")
        return {**self.packages[record.package], "package": record.package}

    def asked(self, record: Record, present: Terms | None = None) -> dict[str, Any]:
        """Return the terms for what was asked, as far as it is offered. Raises NotOffered.

        A renewal may ask for the budget of the `present` terms of its key, even if that was more than the offer.
        """
        wish = {name: value for name, value in {"duration": record.duration or None, "max_budget": record.max_budget}.items() if value is not None}
        offer = self.for_request(record)
        if present and "max_budget" in offer:
            offer["max_budget"] = max(offer["max_budget"], present.get("max_budget", LARGEST_AMOUNT))
        terms = lowered(offer, wish)
        # A renewal changes nothing but the end of the key, and its budget if that was asked for.
        return {name: value for name, value in terms.items() if name == "duration" or name in wish} if record.renews else terms

    def settled(self, record: Record, present: Terms | None = None) -> dict[str, Any]:
        """Return the terms of an approved request: those that the chain left, else what a person granted of the offer (see `asked`).

        Raises NotOffered if the person granted more than the offer without saying that it may be more.
        """
        if record.terms:
            return dict(record.terms)
        granted = record.granted
        more = [] if granted.get(BEYOND) else exceeded(granted, self.for_request(record))
        if more:
            raise NotOffered(f"more was granted than is offered: {'; '.join(more)}; approve it again with less, or with beyond.")
        return {**self.asked(record, present), **granted}

    def digest(self, rules: Any) -> str:
        """Return a short digest of the rules and offers, which changes when any of them does."""
        content = json.dumps([rules, self.packages, self.limits, self.lifetime], sort_keys=True, default=str)
        return f"sha256:{hashlib.sha256(content.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


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
