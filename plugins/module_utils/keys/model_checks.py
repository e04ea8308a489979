# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Refuse what LiteLLM would accept although it could not be used: models or teams that do not exist, or that do not go together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..litellm.client import Client
from ..litellm.errors import Refused
from ..litellm.models import ALL_TEAM_MODELS, Teams, named_among, served_models, unserved
from ..litellm.prices import unpriced_among, unpriced_models, without_price
from .plan import KeyStep
from .release_checks import refusal_by_release


def refusals_of(client: Client, steps: Iterable[KeyStep], *, check_models: bool) -> dict[str, Refused]:
    """Return a refusal, by alias, for each step that would make such a key, or that the gateway's release cannot carry out. Raises GatewayError.

    Reads models and teams only if a step asks for them. Without `check_models`, no models are checked.
    """
    asked = {step.alias: (step, asked_settings(step)) for step in steps}
    served = served_models(client) if check_models and any(settings.get("models") for _step, settings in asked.values()) else None
    teams = Teams(client)
    refused: dict[str, Refused] = {}
    for alias, (step, settings) in asked.items():
        refusal = refusal_by_release(client, step)
        refusal = refusal or _unknown_model(settings.get("models") or [], served)
        refusal = refusal or _unknown_team(settings.get("team_id"), teams)
        if not refusal and check_models and {"models", "team_id"} & set(settings):
            wanted = {**(step.expected.fields if step.expected else {}), **settings}
            refusal = _models_without_team(wanted.get("models") or [], wanted.get("team_id"), teams)
        if refusal:
            refused[alias] = refusal
    return refused


def budget_warnings(client: Client, steps: Iterable[KeyStep]) -> list[str]:
    """Return a warning if a step gives a budget to a key that may call models without a price. Reads models only then. Raises GatewayError."""
    with_budget = [step for step in steps if (asked_settings(step).get("max_budget") or 0) > 0]
    if not with_budget:
        return []
    unpriced = unpriced_models(client)
    names = {name for step in with_budget for name in unpriced_among(_models_afterwards(step), unpriced)}
    return [without_price(names)] if names else []


def _models_afterwards(step: KeyStep) -> Sequence[str]:
    """Return the models that the key will have, as far as its plan knows."""
    expected = step.expected.fields.get("models") if step.expected else None
    models: Sequence[str] = asked_settings(step).get("models") or expected or []
    return models


def asked_settings(step: KeyStep) -> dict[str, Any]:
    """Return the settings to be written that the caller asked for. A rotated key may keep models that are no longer served."""
    fields = step.wanted.fields if step.wanted else {}
    return {name: value for name, value in fields.items() if any(name in call.payload for call in step.calls)}


def _unknown_model(models: Sequence[str], served: Sequence[str] | None) -> Refused | None:
    unknown = [] if served is None else unserved(models, served)
    if served is None or not unknown:
        return None
    return Refused(
        f"the gateway serves no model named {', '.join(unknown)}; it serves {named_among(unknown, served)}: choose among these, or add the model"
        " to the gateway.",
        "unknown_model",
    )


def _unknown_team(team_id: str | None, teams: Teams) -> Refused | None:
    if not team_id or teams.exists(team_id):
        return None
    return Refused(f"the gateway has no team {team_id}; create it first, or give another team_id.", "unknown_team")


def _models_without_team(models: Sequence[str], team_id: str | None, teams: Teams) -> Refused | None:
    """Return a refusal if the models and the team of a key do not go together."""
    if ALL_TEAM_MODELS in models and not team_id:
        return Refused(
            f"models has {ALL_TEAM_MODELS}, and without a team LiteLLM takes that to mean every model; give team_id, or name the models.",
            "no_team",
        )
    if not team_id or not models or not teams.exists(team_id):
        return None
    lacking, allowed = teams.lacking(team_id, models)
    if not lacking:
        return None
    return Refused(
        f"the team {team_id} may not use {', '.join(lacking)}, and LiteLLM would refuse every call of such a key; it may use"
        f" {named_among(lacking, allowed)}: choose among these, or add the model to the team.",
        "model_not_in_team",
    )
