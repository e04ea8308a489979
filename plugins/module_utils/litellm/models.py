# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The models that a gateway serves, and those asked for that it does not serve."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence

from . import errors
from .client import Client

# Names with a special meaning to LiteLLM in a key's list of models; no model has them.
MODEL_WORDS = ("all-proxy-models", "all-team-models", "no-default-models")


def served_models(client: Client) -> list[str]:
    """Return the names of the models and model access groups that the gateway serves, sorted. Raises GatewayError."""
    answer = client.get("/models", {"include_model_access_groups": "true"})
    try:
        return sorted({str(model["id"]) for model in answer["data"]})
    except (KeyError, TypeError):
        raise errors.not_litellm(client.connection.base, "GET /models", "a list of models") from None


def unserved(wanted: Iterable[str], served: Sequence[str]) -> list[str]:
    """Return the models in `wanted` that are neither served, nor covered by a served wildcard such as `openai/*`, nor in `MODEL_WORDS`."""
    exact = {*served, *MODEL_WORDS}
    patterns = [name for name in served if "*" in name]
    return [name for name in dict.fromkeys(wanted) if name not in exact and not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]
