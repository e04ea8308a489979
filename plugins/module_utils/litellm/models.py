# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The models that a gateway serves, those that a team may use, and those asked for that are among neither.

LiteLLM takes the names on a key as models, as wildcards such as `openai/*`, as names of model access groups, and as the words in
`MODEL_WORDS` (`proxy/auth/auth_checks.py` and `model_checks.py` of LiteLLM 1.74.15, 1.82.6 and 1.102.4).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from ..common.names import MODEL_WORDS, matches_model
from . import errors
from .client import Client

Row = TypeVar("Row")

PAGE_SIZE = 1000
ALL_TEAM_MODELS = "all-team-models"
# Names in a team's list of models that stand for every model.
_EVERY_MODEL = {"*", "all-proxy-models", ALL_TEAM_MODELS}
# Without these parameters /models leaves wildcards and access groups out.
_WITH_WILDCARDS = {"return_wildcard_routes": "true"}
_COMPLETE = {"include_model_access_groups": "true", **_WITH_WILDCARDS}


def served_models(client: Client, *, groups: bool = True, **team: str) -> list[str]:
    """Return the names of the models, wildcards and model access groups that the gateway serves, sorted. Raises GatewayError.

    Without `groups`, access groups are left out: they stand for models that a rule about names of models does not see.

    For a wildcard such as `openai/*` LiteLLM lists the models that it knows of that provider as well. With `team_id`, return what
    that team may use instead, with the members of its access groups; LiteLLM may take that from its cache.
    """
    answer = client.get("/models", {**(_COMPLETE if groups else _WITH_WILDCARDS), **team})
    try:
        return sorted({str(model["id"]) for model in answer["data"]})
    except (KeyError, TypeError):
        raise errors.not_litellm(client.connection.base, "GET /models", "a list of models") from None


def served_deployments(client: Client, read: Callable[[Mapping[str, Any]], Row]) -> list[Row]:
    """Return what `read` makes of each model that the gateway serves, from its database and from its configuration file. Raises GatewayError.

    `read` takes a row of GET /v2/model/info, and raises AttributeError, KeyError, TypeError or ValueError for anything else.
    """
    call = "/v2/model/info"
    found: list[Row] = []
    page = pages = 1
    while page <= pages:
        answer = client.get(call, {"size": PAGE_SIZE, "page": page})
        found += rows_of(client, answer, "data", read, f"GET {call}")
        try:
            pages = int(answer.get("total_pages") or 0)
        except (AttributeError, TypeError, ValueError):
            raise errors.not_litellm(client.connection.base, f"GET {call}", "a list of models") from None
        page += 1
    return found


def rows_of(client: Client, answer: Any, name: str, read: Callable[[Mapping[str, Any]], Row], call: str) -> list[Row]:
    """Return what `read` makes of each row of an answer's list `name`. Raises NotLitellm if the answer to `call` has no such list."""
    try:
        return [read(row) for row in answer[name]]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise errors.not_litellm(client.connection.base, call, f"LiteLLM's list ({type(error).__name__})") from None


def unserved(wanted: Iterable[str], served: Sequence[str]) -> list[str]:
    """Return the names in `wanted` that stand for nothing that is served, and are not in `MODEL_WORDS`.

    A wildcard in `wanted` stands for something if it matches a served model, or overlaps a served wildcard. A name without a
    provider, such as `gpt-4o`, is served by a wildcard for its provider if LiteLLM knows that, which then lists `openai/gpt-4o`.
    """
    exact = {*served, *MODEL_WORDS}
    patterns = [name for name in served if "*" in name]
    known = {name.partition("/")[2] for name in served if "*" not in name and any(matches_model(name, pattern) for pattern in patterns)}

    def is_served(name: str) -> bool:
        if name in exact or any(matches_model(name, pattern) for pattern in patterns):
            return True
        if "*" in name:
            return any(matches_model(model, name) for model in served) or any(_overlap(name, pattern) for pattern in patterns)
        return name in known

    return [name for name in dict.fromkeys(wanted) if not is_served(name)]


def _overlap(one: str, other: str) -> bool:
    """Return whether two wildcards may match the same name, judged by what is before their first `*`."""
    starts = one.partition("*")[0], other.partition("*")[0]
    return starts[0].startswith(starts[1]) or starts[1].startswith(starts[0])


def named_among(wanted: Sequence[str], served: Sequence[str]) -> str:
    """Return some of the served names in words, those like `wanted` first, for the message that refuses `wanted`."""
    close = [name for model in wanted for name in difflib.get_close_matches(model, served, n=3)]
    shown = list(dict.fromkeys([*close, *served]))[:8]
    return f"{', '.join(shown) or 'none'}{f' and {len(served) - len(shown)} more' if len(served) > len(shown) else ''}"


class Teams:
    """The teams of a gateway, each read once."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._read: dict[str, Mapping[str, Any] | None] = {}
        self._resolved: dict[str, list[str]] = {}

    def _team(self, team_id: str) -> Mapping[str, Any] | None:
        if team_id not in self._read:
            try:
                answer = self._client.get("/team/info", {"team_id": team_id})
            except errors.NotFound:
                answer = None
            self._read[team_id] = answer
        return self._read[team_id]

    def exists(self, team_id: str) -> bool:
        """Return whether LiteLLM has the team. It accepts a key for an unknown team, and then refuses the key's calls."""
        return self._team(team_id) is not None

    def lacking(self, team_id: str, wanted: Sequence[str]) -> tuple[list[str], list[str]]:
        """Return the names in `wanted` that a key of the team could not use because the team may not, and what the team may use.

        LiteLLM checks every call of a key against the list of its team as well. An empty list, and some words in it, allow
        everything. The team must exist. Raises GatewayError.
        """
        team = self._team(team_id) or {}
        try:
            allowed = [str(name) for name in team["team_info"]["models"] or []]
        except (KeyError, TypeError):
            raise errors.not_litellm(self._client.connection.base, "GET /team/info", "LiteLLM's description of a team") from None
        if not allowed or _EVERY_MODEL & set(allowed):
            return [], allowed
        lacking = unserved(wanted, allowed)
        if lacking:  # it may be in an access group, which only LiteLLM can resolve
            if team_id not in self._resolved:
                self._resolved[team_id] = sorted({*allowed, *served_models(self._client, team_id=team_id)})
            allowed = self._resolved[team_id]
            lacking = unserved(lacking, allowed)
        return lacking, allowed
