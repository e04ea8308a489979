# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Terms in words, for people who choose a package or wait for an answer. Pure.

These are the English words. A page in another language takes `name` and `value` of a line instead of `words`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import durations
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.terms import BEYOND, NEVER

_UNITS = (("d", "day"), ("h", "hour"), ("m", "minute"), ("s", "second"))


@dataclass(frozen=True)
class TermLine:
    """One term: its name and value as they are recorded, and the same in words."""

    name: str
    value: Any
    words: str


def terms_in_words(terms: Mapping[str, Any]) -> list[TermLine]:
    """Return the terms that concern the person who gets the key, the most important first."""
    return [TermLine(name, terms[name], words(terms[name])) for name, words in _WORDS.items() if terms.get(name) is not None]


def lifetime_in_words(duration: str) -> str:
    """Return a duration in the largest unit that divides it: `30d` is `30 days`."""
    total = durations.seconds(duration)
    letter, unit = next((letter, unit) for letter, unit in _UNITS if total % durations.UNITS[letter] == 0)
    return _counted(total // durations.UNITS[letter], unit)


def _counted(number: int, unit: str) -> str:
    return f"{number:,} {unit}{'' if number == 1 else 's'}"


def _dollars(amount: float) -> str:
    return f"{amount:,.2f} USD".replace(".00 ", " ")


def _times(unit: str, per: str) -> Callable[[float], str]:
    return lambda number: f"Up to {_counted(int(number), unit)} {per}"


_WORDS: dict[str, Callable[[Any], str]] = {
    "models": lambda models: f"Models: {', '.join(models)}",
    "duration": lambda duration: "Has no end" if duration == NEVER else f"Lasts {lifetime_in_words(duration)}",
    "max_budget": lambda amount: f"May spend {_dollars(amount)}",
    "budget_duration": lambda each: "The budget never starts again" if each == NEVER else f"The budget starts again after {lifetime_in_words(each)}",
    "soft_budget": lambda amount: f"A warning comes at {_dollars(amount)}",
    "rpm_limit": _times("request", "a minute"),
    "tpm_limit": _times("token", "a minute"),
    "max_parallel_requests": _times("request", "at a time"),
    "allowed_routes": lambda routes: f"Calls only {', '.join(routes)}",
    BEYOND: lambda more: "More than is usually offered" if more else "No more than is offered",
}
