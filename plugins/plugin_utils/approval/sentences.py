# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The sentences of the chain and of the rules of this collection, by name, so that what reads a trace can say them in other languages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

SENTENCES: Mapping[str, str] = MappingProxyType(
    {
        "address_matches": "the address matches",
        "address_unmatched": "the address matches no pattern",
        "blackout": "it is {weekday} {time} in {timezone}, a blackout date",
        "budget_capped": "budget cut from no limit to {cap} USD",
        "budget_cut": "budget cut from {asked} to {cap} USD",
        "condition_false": "not true: {condition}",
        "condition_true": "the condition is true",
        "duration_capped": "duration cut from no end to {duration}",
        "duration_cut": "duration cut from {duration_asked} to {duration}",
        "enough_keys": "{holder} has {held} live keys, and {option} is {limit}",
        "failed": "the rule failed: {error}",
        "few_keys": "{holder} has fewer than {limit}",
        "in_window": "it is {weekday} {time} in {timezone}, within a window",
        "model_listed": "the model {model} is on the list",
        "model_reviewed": "the model {model} needs a reviewer",
        "model_reviewed_by": "the model {model} needs a reviewer: {reviewers}",
        "model_unlisted": "the model {model} is not on the list",
        "models_listed": "every model is on the list",
        "models_unlisted": "no model is on the list",
        "models_unreviewed": "no model needs a reviewer",
        "no_answer": "no answer: {error} (on_error: {word})",
        "no_blackout": "it is {weekday} {time} in {timezone}, no blackout date",
        "no_models_for": "no entry gives models without a package to {domain}",
        "no_package": "the request is for no package",
        "no_package_for": "no entry gives the package {package} to {domain}",
        "not_asked": "would ask a service; not asked, and the next rule goes on",
        "out_of_windows": "it is {weekday} {time} in {timezone}, outside of every window",
        "renewal": "a renewal makes no key",
        "service_answered": "{service} answered {decision} for {model}",
        "service_answered_with": "{service} answered {decision} for {model} ({words})",
        "service_asked": "{service} was asked about {count} models: {decision}",
        "within_caps": "within the caps",
    }
)


@dataclass(frozen=True)
class Sentence:
    """One of SENTENCES, with what stands in it. Raises KeyError for a name that is none of them, and for a value that is missing."""

    name: str
    values: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return SENTENCES[self.name].format(**self.values)

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "values": dict(self.values)}


def sentence(name: str, **values: object) -> Sentence:
    """Return a sentence. The values become text as an f-string makes it."""
    return Sentence(name, {key: f"{value}" for key, value in values.items()})
