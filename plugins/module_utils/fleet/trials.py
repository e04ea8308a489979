# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Find out from the gateway whether a class can begin: read the lab's keys and models, make a small call with each, judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..catalogue.api import CatalogueApi
from ..keys import derive
from ..keys.api import KeyApi
from ..keys.derive import derivable
from ..keys.key import LiveKey
from ..keys.lab import Lab
from ..litellm.client import Answer
from . import preflight
from .preflight import Load, Model, ModelTrial, Needs, Reason

_CHECK_MODE = "no model was called, because this is check mode."


@dataclass(frozen=True)
class Readiness:
    """The findings: `reasons` why the class cannot begin, how many `keys` there are, the small calls, and the load on each model."""

    reasons: Sequence[Reason]
    keys: int
    trials: Sequence[ModelTrial]
    loads: Sequence[Load]
    budgets: Sequence[str]
    """What is doubtful about the keys' budgets."""
    check_mode: bool

    def to_result(self) -> dict[str, Any]:
        """Return what the module returns. Nothing in it is secret."""
        doubts = [*preflight.doubts(self.loads, self.trials), *self.budgets]
        return {
            "changed": False,
            "go": not self.reasons,
            "reasons": preflight.as_dicts(self.reasons),
            "doubts": [_CHECK_MODE, *doubts] if self.check_mode else doubts,
            "keys": self.keys,
            "models": preflight.times(self.trials),
            "loads": preflight.as_dicts(self.loads),
        }


def judge_lab(api: KeyApi, lab: Lab, secret: str, needs: Needs, models: Sequence[str], *, check_mode: bool) -> Readiness:
    """Judge whether the lab can begin. `models` are those to try; empty means all that each key may call by name. Raises GatewayError."""
    value_of = partial(derive.value, secret)
    rows = [row for row in lab.existing_rows(api, value_of) if row.in_service]
    served = preflight.models_of(CatalogueApi(api.client).models())
    of_key = {row.alias: preflight.models_for(row, served, models) for row in rows}
    reasons = [*preflight.reasons_of_keys(rows, needs, api.client.now()), *preflight.reasons_of_models(rows, of_key, served)]
    recoverable = [row for row in rows if derivable(row, value_of)]
    for row in rows:
        if row not in recoverable:
            msg = f"the key {row.alias} cannot be tried, for its value was made with another secret or by another tool; give the secret it was made with."
            reasons.append(Reason("unrecoverable", msg, row.alias))
    unusable = {reason.alias for reason in reasons if reason.code in ("blocked", "expired")}
    to_try = [] if check_mode else [row for row in recoverable if row.alias not in unusable]
    trials = _try_keys(api, secret, to_try, of_key, served)
    loads = preflight.loads(rows, of_key, served, needs)
    reasons += [*preflight.reasons_of_trials(trials), *preflight.reasons_of_loads(loads)]
    return Readiness(reasons, len(rows), trials, loads, preflight.doubts_of_budgets(rows, of_key, served), check_mode)


def _try_keys(api: KeyApi, secret: str, rows: Sequence[LiveKey], of_key: Mapping[str, Sequence[str]], served: Mapping[str, Model]) -> list[ModelTrial]:
    """Make one small call for each key and model: several keys at a time, the calls of a key one after the other. Raises GatewayError."""

    def try_key(row: LiveKey) -> list[ModelTrial]:
        value = derive.value(secret, row.alias, row.generation)
        return [ModelTrial(row.alias, name, _call(api, value, name, served)) for name in of_key[row.alias]]

    return [trial for trials in api.client.all(try_key, rows) for trial in trials]


def _call(api: KeyApi, value: str, name: str, served: Mapping[str, Model]) -> Answer | None:
    model = preflight.known(name, served)
    call = preflight.CALLS.get(model.mode if model else "")
    return api.client.post_as(value, call[0], {"model": name, **call[1]}) if call else None
