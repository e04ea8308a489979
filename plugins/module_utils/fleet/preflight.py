# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Decide whether a class can begin: go, or no-go with the reasons. Pure, no I/O."""

from __future__ import annotations

import fnmatch
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from ..catalogue.entry import LiveEntry
from ..common import durations
from ..common.names import MODEL_WORDS
from ..keys.key import LiveKey
from ..litellm.client import Answer
from ..litellm.prices import without_price

RATES = ("rpm", "tpm")
_RATE_NAMES = {"rpm": "requests", "tpm": "tokens"}

# The smallest call for each mode of a model. A model of another mode is not tried.
_CHAT = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 1}
CALLS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "chat": ("/v1/chat/completions", _CHAT),
    "completion": ("/v1/completions", {"prompt": "Hello", "max_tokens": 1}),
    "embedding": ("/v1/embeddings", {"input": "hello"}),
}


@dataclass(frozen=True)
class Needs:
    """The needs of a class: `ends` is how long the keys must be valid, `keys` how many there must be, `budget` the USD that each must have left.

    `capacity` holds rates by model, and under `*` those of the whole gateway; `per_key` is the rate to assume for a key without a limit.
    """

    ends: datetime | None = None
    keys: int = 1
    budget: float = 0.0
    capacity: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    per_key: Mapping[str, int | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Reason:
    """A reason why the class cannot begin. `code` is stable; `alias` and `model` are '' if the reason does not concern one."""

    code: str
    msg: str
    alias: str = ""
    model: str = ""


@dataclass(frozen=True)
class Model:
    """A model as the gateway serves it. `rpm` and `tpm` are the capacity of all its deployments, None if one of them does not state it."""

    name: str
    mode: str = "chat"
    rpm: int | None = None
    tpm: int | None = None
    groups: frozenset[str] = frozenset()
    """The access groups that it is in. A key that names a group may call all models of the group."""
    has_price: bool = True
    """Whether LiteLLM knows what a call of each of its deployments costs."""


@dataclass(frozen=True)
class ModelTrial:
    """One small call. `answer` is None if the call was not made."""

    alias: str
    model: str
    answer: Answer | None


# ------------------------------------------------------------------------------------------------------------- models
def models_of(deployments: Iterable[LiveEntry]) -> dict[str, Model]:
    """Return the models by name, from the gateway's catalogue."""
    behind: dict[str, list[LiveEntry]] = {}
    for deployment in deployments:
        behind.setdefault(deployment.name, []).append(deployment)
    return {name: _model(name, each) for name, each in behind.items()}


def _model(name: str, deployments: Sequence[LiveEntry]) -> Model:
    modes = [str(each.info.get("mode") or "chat") for each in deployments]
    rates = {}
    for rate in RATES:
        values = [each.params.get(rate) or each.info.get(rate) for each in deployments]
        rates[rate] = None if None in values else sum(int(value or 0) for value in values)
    groups = {str(group) for each in deployments for group in each.info.get("access_groups") or ()}
    return Model(name, modes[0], groups=frozenset(groups), has_price=all(each.has_price for each in deployments), **rates)


def models_for(row: LiveKey, served: Mapping[str, Model], asked: Sequence[str]) -> list[str]:
    """Return the models to try a key with: those that are asked for, or else all that the key may call by name."""
    if asked:
        return list(asked)
    own = list(row.fields["models"])
    if "all-team-models" in own or (not own and row.fields["team_id"]):
        return []  # only the team knows its models
    if not own or "all-proxy-models" in own:
        return sorted(name for name in served if "*" not in name)
    names = (name for allowed in own for name in _members(allowed, served))
    return [name for name in dict.fromkeys(names) if name not in MODEL_WORDS and "*" not in name]


def _members(name: str, served: Mapping[str, Model]) -> list[str]:
    """Return the models that a name on a key stands for: that model, or those of an access group."""
    return ([] if name in served else sorted(model.name for model in served.values() if name in model.groups)) or [name]


def known(name: str, served: Mapping[str, Model]) -> Model | None:
    """Return the model of that name, or the wildcard that serves it."""
    if name in served:
        return served[name]
    return next((model for pattern, model in served.items() if "*" in pattern and fnmatch.fnmatchcase(name, pattern)), None)


# ------------------------------------------------------------------------------------------------------------- reasons
def reasons_of_keys(rows: Sequence[LiveKey], needs: Needs, now: datetime) -> list[Reason]:
    """Return the reasons that lie in the keys themselves."""
    reasons = []
    if len(rows) < needs.keys:
        reasons.append(Reason("too_few_keys", f"there are {len(rows)} keys and the class needs {needs.keys}; provision the lab for so many users."))
    for row in rows:
        if row.fields["blocked"]:
            reasons.append(Reason("blocked", f"the key {row.alias} is blocked; start the lab again.", row.alias))
        if row.expires is not None and row.expires <= now:
            reasons.append(Reason("expired", f"the key {row.alias} ended on {durations.iso(row.expires)}; extend the lab.", row.alias))
        elif row.expires is not None and needs.ends and row.expires < needs.ends:
            message = f"the key {row.alias} ends on {durations.iso(row.expires)}, before the class does on {durations.iso(needs.ends)}; extend the lab."
            reasons.append(Reason("ends_early", message, row.alias))
        limit = row.fields["max_budget"]
        left = None if limit is None else limit - row.spend
        if left is not None and (left <= 0 or left < needs.budget):
            message = f"the key {row.alias} has {max(0.0, left):.2f} USD of {limit:.2f} left, and the class needs {needs.budget:.2f}; raise max_budget."
            reasons.append(Reason("budget", message, row.alias))
    return reasons


def reasons_of_models(rows: Sequence[LiveKey], of_key: Mapping[str, Sequence[str]], served: Mapping[str, Model]) -> list[Reason]:
    """Return a reason for each key without a model to try, and for each model that is not served. `of_key` are each key's models, by alias."""
    reasons = [
        Reason("no_models", f"the key {row.alias} may call no model by name; name in models what to try.", row.alias) for row in rows if not of_key[row.alias]
    ]
    reasons += [
        Reason("unknown_model", f"the gateway serves no model named {name}; add it, or change the models of the keys.", model=name)
        for name in sorted({name for models in of_key.values() for name in models})
        if known(name, served) is None
    ]
    return reasons


def reasons_of_trials(trials: Iterable[ModelTrial]) -> list[Reason]:
    """Return a reason for each call that the gateway refused."""
    reasons = []
    for trial in trials:
        if trial.answer and not trial.answer.ok:
            message = f"the gateway refuses {trial.alias} a call of {trial.model} (HTTP {trial.answer.status}: {trial.answer.words})."
            reasons.append(Reason("call_failed", message, trial.alias, trial.model))
    return reasons


# ------------------------------------------------------------------------------------------------------------ capacity
@dataclass(frozen=True)
class Load:
    """The load on a model, or on the whole gateway (`*`): the rate that all keys may ask for together, and the capacity (None if unknown)."""

    model: str
    rate: str
    demand: int
    capacity: int | None
    keys: int
    unlimited: int
    """Keys without a limit, which are not in `demand`."""


def loads(rows: Sequence[LiveKey], of_key: Mapping[str, Sequence[str]], served: Mapping[str, Model], needs: Needs) -> list[Load]:
    """Return the load on each model in the worst case: every key uses its whole limit on one model. `of_key` are each key's models, by alias."""
    names = sorted({name for models in of_key.values() for name in models})
    found = []
    for name in [*names, "*"]:
        callers = [row for row in rows if name == "*" or name in of_key[row.alias]]
        model = known(name, served) if name != "*" else None
        for rate in RATES:
            asked = [_rate(row, rate, needs) for row in callers]
            capacity = needs.capacity.get(name, {}).get(rate)
            if capacity is None and model:
                capacity = getattr(model, rate)
            if name != "*" or capacity is not None:
                found.append(Load(name, rate, sum(each or 0 for each in asked), capacity, len(callers), asked.count(None)))
    return found


def _rate(row: LiveKey, rate: str, needs: Needs) -> int | None:
    own = row.fields[f"{rate}_limit"]
    return own if own is not None else needs.per_key.get(rate)


def reasons_of_loads(found: Iterable[Load]) -> list[Reason]:
    """Return a reason for each load above the capacity."""
    reasons = []
    for load in found:
        if load.capacity is not None and load.demand > load.capacity:
            who = "the gateway" if load.model == "*" else load.model
            what = _RATE_NAMES[load.rate]
            message = (
                f"{load.keys} keys may ask {who} for {load.demand} {what} a minute, and it bears {load.capacity};"
                f" lower {load.rate}_limit to {load.capacity // max(1, load.keys)} a key, or add capacity."
            )
            reasons.append(Reason("capacity", message, model="" if load.model == "*" else load.model))
    return reasons


def doubts_of_budgets(rows: Sequence[LiveKey], of_key: Mapping[str, Sequence[str]], served: Mapping[str, Model]) -> list[str]:
    """Return a message if a key with a budget may call models without a price. `of_key` are each key's models, by alias."""
    with_budget = {name for row in rows if row.fields["max_budget"] is not None for name in of_key[row.alias]}
    unpriced = {name for name in with_budget if name in served and not served[name].has_price}
    return [without_price(unpriced)] if unpriced else []


def doubts(found: Iterable[Load], trials: Iterable[ModelTrial]) -> list[str]:
    """Return a message for each thing that could not be judged. A doubt does not stop a class."""
    messages = []
    for load in found:
        who = "the gateway" if load.model == "*" else load.model
        if load.capacity is not None and load.unlimited:
            option = f"{load.rate}_per_key"
            messages.append(
                f"{load.unlimited} of {load.keys} keys have no {load.rate}_limit for {who} and are not in the sum; say in {option} what to count them with."
            )
    untried = sorted({trial.model for trial in trials if trial.answer is None})
    messages += [f"there is no small call for {name}, so it was not tried." for name in untried]
    return messages


# ------------------------------------------------------------------------------------------------------------- results
def no_go(reasons: Sequence[Reason]) -> str:
    """Return a message with the first of these reasons in full, and the number of the others."""
    more = len(reasons) - 1
    return f"no-go: {reasons[0].msg}" + (f" And {more} more reason{'s' if more > 1 else ''}." if more else "")


def times(trials: Iterable[ModelTrial]) -> dict[str, dict[str, Any]]:
    """Return for each model how many calls succeeded, and how many seconds they took: median and longest."""
    by_model: dict[str, list[Answer]] = {}
    for trial in trials:
        if trial.answer:
            by_model.setdefault(trial.model, []).append(trial.answer)
    result = {}
    for name, answers in sorted(by_model.items()):
        seconds = [answer.seconds for answer in answers if answer.ok]
        median, longest = (round(statistics.median(seconds), 3), round(max(seconds), 3)) if seconds else (None, None)
        result[name] = {"tried": len(answers), "well": len(seconds), "median_seconds": median, "longest_seconds": longest}
    return result


def as_dicts(items: Iterable[Reason | Load]) -> list[dict[str, Any]]:
    """Return reasons or loads as modules return them."""
    return [asdict(item) for item in items]
