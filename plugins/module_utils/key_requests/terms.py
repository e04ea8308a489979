# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The terms of a request: which models its key may call, how long it lives, and what it may spend. Pure.

Terms are a mapping in the words of the module `virtual_keys`. A limit that is missing does not exist. Three sources make
them, and each can only take away from the one before: the offer (a package, or the limits for requests by model), the
wish of the requester, and the approval chain. A person who approves may give more, and says so with `beyond`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from ..common import durations
from ..common.names import matches_model
from ..common.printable import printable, quoted

Terms: TypeAlias = Mapping[str, Any]

NEVER = "never"
BEYOND = "beyond"
"""Notes in the terms that a person granted more than the offer."""
AMOUNTS = ("max_budget", "soft_budget", "rpm_limit", "tpm_limit", "max_parallel_requests")
"""Limits of which a smaller number gives less: USD, requests per minute, tokens per minute, requests at a time."""
GRANTABLE = ("models", "duration", *AMOUNTS)
"""What a person may set when approving."""

LONGEST_TEXT = 256
LARGEST_AMOUNT = 1e15
MOST_NAMES = 200


def check_terms(terms: Mapping[str, Any], name: str = "terms") -> None:
    """Raise ValueError, which begins with `name`, for a term that does not exist or cannot be."""
    for term, value in terms.items():
        if term not in _CHECKS:
            raise ValueError(f"{name} names {quoted(term, 40)}, which is not a limit of a key; give {', '.join(GRANTABLE)}.")
        _CHECKS[term](f"{name}.{term}", value)


def _check_duration(name: str, value: object) -> None:
    if value != NEVER:
        durations.seconds(_text(name, value), name)


def _check_amount(name: str, value: object) -> None:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= LARGEST_AMOUNT:
        raise ValueError(f"{name} is {quoted(value)}; give a number from 0 up, or leave it out for no limit.")


def _check_text(name: str, value: object) -> None:
    _text(name, value)


def _check_names(name: str, value: object) -> None:
    if not isinstance(value, (list, tuple)) or not 0 < len(value) <= MOST_NAMES:
        raise ValueError(f"{name} must be a list of 1 to {MOST_NAMES} names.")
    for entry in value:
        _text(name, entry)


def _check_flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise ValueError(f"{name} is {quoted(value)}; give true or false.")


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value or printable(value, LONGEST_TEXT) != value:
        raise ValueError(f"{name} is {quoted(value)}; give plain text of 1 to {LONGEST_TEXT} characters.")
    return str(value)


_CHECKS: dict[str, Callable[[str, object], None]] = {
    "models": _check_names,
    "duration": _check_duration,
    "budget_duration": _check_duration,
    **dict.fromkeys(AMOUNTS, _check_amount),
    **dict.fromkeys(("allowed_routes", "tags"), _check_names),
    **dict.fromkeys(("team_id", "package"), _check_text),
    BEYOND: _check_flag,
}
TERMS = frozenset(_CHECKS)
"""The names of all terms."""


# ------------------------------------------------------------------------------------------------------------- offers
def offer_from(limits: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the terms in `limits`, an admin's package in the words of `virtual_keys`, where -1, `never` and null mean no limit.

    Raises ValueError, which begins with `name`, for a limit that cannot be used. What is not a term (a title, say) is left out.
    """
    given = {term: value for term, value in limits.items() if term in _CHECKS and term != BEYOND and value is not None and value != []}
    offer: dict[str, Any] = {}
    for term, value in given.items():
        if term in ("models", "allowed_routes", "tags") and isinstance(value, str):
            raise ValueError(f"{name}.{term} is text and must be a list of names.")
        number = _number(value) if term in AMOUNTS else value
        if term in AMOUNTS and number == -1:
            continue
        offer[term] = list(number) if isinstance(number, tuple) else number
    check_terms(offer, name)
    return offer


def _number(value: object) -> object:
    """Return a number that a survey or extra variable gave as text as a number, and anything else as it is."""
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,15}(\.\d{1,15})?", value.strip()):
        return float(value) if "." in value else int(value)
    return value


# ---------------------------------------------------------------------------------------------------------- comparing
def lowered(terms: Terms, by: Terms) -> dict[str, Any]:
    """Return `terms` with whatever is less in `by`: fewer models, less time, smaller amounts. Terms only in `by` are added.

    If `terms` and `by` have no model in common, the result has none.
    """
    result = {**by, **terms}
    if "models" in by and "models" in terms:
        result["models"] = [model for model in by["models"] if includes_model(terms["models"], model)]
    if "duration" in by:
        result["duration"] = min((terms.get("duration", NEVER), by["duration"]), key=_seconds)
    for name in AMOUNTS:
        amounts = [given[name] for given in (terms, by) if given.get(name) is not None]
        if amounts:
            result[name] = min(amounts)
    return result


def exceeded(terms: Terms, limit: Terms) -> list[str]:
    """Return the names of the terms that give more than `limit` does, in words such as `duration 90d (30d)`."""
    more: list[str] = []
    if "models" in limit and "models" in terms:
        added = [model for model in terms["models"] if not includes_model(limit["models"], model)]
        more += [f"models {', '.join(added)}"] if added else []
    if "duration" in terms and _seconds(terms["duration"]) > _seconds(limit.get("duration", NEVER)):
        more.append(f"duration {terms['duration']} ({limit['duration']})")
    for name in AMOUNTS:
        if name in terms and limit.get(name) is not None and terms[name] > limit[name]:
            more.append(f"{name} {terms[name]:g} ({limit[name]:g})")
    return more


def includes_model(offered: Sequence[str], model: str) -> bool:
    """Return whether `model` is in a list of models, which may hold wildcards."""
    return any(matches_model(model, name) for name in offered)


def _seconds(duration: str) -> float:
    return math.inf if duration == NEVER else durations.seconds(duration)


def in_words(terms: Terms) -> list[str]:
    """Return the terms as short lines for people, such as `models: granite, mistral` and `max_budget: 5`."""
    shown = {name: value for name, value in terms.items() if name != BEYOND}
    lines = [f"{name}: {', '.join(value) if isinstance(value, (list, tuple)) else f'{value:g}' if name in AMOUNTS else value}" for name, value in shown.items()]
    return [*lines, "more than the offer, by an administrator's leave"] if terms.get(BEYOND) else lines
