# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Which models LiteLLM has no price of. It counts their calls as 0 USD, so no budget ever ends for them.

LiteLLM takes prices from the model's own parameters or from a list that its release carries along. For a model in neither it shows a
price of 0 (`/v2/model/info` of LiteLLM 1.82.6 and 1.102.4), which an admin may also give on purpose, in the parameters.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..common.names import MODEL_WORDS, matches_model
from . import errors
from .client import Client
from .models import served_deployments

_MOST_NAMED = 3


def has_price(name: str, params: Mapping[str, Any], info: Mapping[str, Any]) -> bool:
    """Return whether LiteLLM knows what a call of the model costs. `params` and `info` are its litellm_params and model_info.

    A wildcard stands for models that LiteLLM knows one by one, and counts as priced.
    """
    if "*" in name or any("cost" in param for param, value in params.items() if value is not None):
        return True
    return any("cost" in each and isinstance(value, int | float) and value > 0 for each, value in info.items())


def unpriced_models(client: Client) -> dict[str, frozenset[str]]:
    """Return the access groups of each model that the gateway serves without a price, by its name. Raises GatewayError."""
    try:
        return {name: groups for name, priced, groups in served_deployments(client, _read_price) if not priced}
    except errors.NotFound:
        return {}  # what is in front of LiteLLM does not pass this on, and a budget is no reason to fail


def _read_price(row: Mapping[str, Any]) -> tuple[str, bool, frozenset[str]]:
    """Return a model's name, whether it has a price, and its access groups."""
    name, info = str(row["model_name"]), row["model_info"]
    return name, has_price(name, row["litellm_params"], info), frozenset(map(str, info.get("access_groups") or ()))


def unpriced_among(models: Collection[str], unpriced: Mapping[str, Collection[str]]) -> list[str]:
    """Return the models without a price that a key with these `models` may call, sorted. `unpriced` is what `unpriced_models` returns."""
    if not models or any(name in MODEL_WORDS for name in models):
        return sorted(unpriced)
    return sorted(name for name, groups in unpriced.items() if any(matches_model(name, each) or each in groups for each in models))


def without_price(names: Collection[str]) -> str:
    """Return a warning about models without a price."""
    some, more = ", ".join(sorted(names)[:_MOST_NAMED]), len(names) - _MOST_NAMED
    return (
        f"LiteLLM has no price of {some}{f' and {more} more' if more > 0 else ''} and counts every call as 0 USD, so no budget holds for it;"
        " give the model input_cost_per_token and output_cost_per_token, 0 if it is free."
    )
