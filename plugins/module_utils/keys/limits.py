# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""From module arguments to wanted keys. The doc fragment `limits` describes the arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from ansible.module_utils.basic import env_fallback

from ..common import durations
from .key import Record, WantedKey
from .plan import OnUnrecoverable, Policy

Clock = Callable[[], datetime]
"""The gateway's: what is counted from now on must not depend on this machine's time."""

LIMITS_SPEC: dict[str, dict[str, Any]] = {
    "models": {"type": "list", "elements": "str"},
    "duration": {"type": "str"},
    "extend_for": {"type": "str"},
    "extend_until": {"type": "str"},
    "max_budget": {"type": "float"},
    "soft_budget": {"type": "float"},
    "budget_duration": {"type": "str"},
    "rpm_limit": {"type": "int"},
    "tpm_limit": {"type": "int"},
    "max_parallel_requests": {"type": "int"},
    "model_max_budget": {"type": "dict"},
    "allowed_routes": {"type": "list", "elements": "str"},
    "tags": {"type": "list", "elements": "str"},
    "metadata": {"type": "dict"},
    "user_id": {"type": "str"},
    "team_id": {"type": "str"},
    "package": {"type": "str"},
}

VALUE_SPEC: dict[str, dict[str, Any]] = {
    "secret": {"type": "str", "no_log": True, "fallback": (env_fallback, ["LITELLM_DERIVATION_SECRET"])},
    "on_unrecoverable": {"type": "str", "choices": ["fail", "rotate", "keep"], "default": "fail"},
    "rotation": {"type": "str"},
    "rotation_grace": {"type": "str", "default": "0s"},
    "check_models": {"type": "bool", "default": True},
}

SHORTEST_SECRET = 16

# The highest of each that LiteLLM's database and JSON carry without a loss.
_NUMBERS = {
    "max_budget": 1e12,
    "soft_budget": 1e12,
    "rpm_limit": 2**53,
    "tpm_limit": 2**53,
    "max_parallel_requests": 2**31 - 1,
}
_TEXTS = ("user_id", "team_id")
NEVER = "never"


def wanted_key(alias: str, record: Record, params: Mapping[str, Any], clock: Clock) -> WantedKey:
    """The key that `params` (names of `LIMITS_SPEC`, and `rotation`) describe. None means not given. `clock` is asked only for extensions.

    Raises ValueError, in one sentence that names the argument, for a value that makes no sense.
    """
    fields: dict[str, Any] = {}
    for name, highest in _NUMBERS.items():
        value = params.get(name)
        if value is not None:
            if value != -1 and not 0 <= value <= highest:
                raise ValueError(f"{name} is {value}; give a number from 0 to {highest:.0f}, or -1 for no limit.")
            fields[name] = None if value == -1 else value
    for name in _TEXTS:
        if params.get(name) is not None:
            fields[name] = params[name] or None
    if params.get("budget_duration") is not None:
        text = params["budget_duration"]
        if text != NEVER:
            durations.seconds(text, "budget_duration")
        fields["budget_duration"] = None if text == NEVER else text
    if params.get("models") is not None:
        fields["models"] = _names("models", params["models"])
        if not fields["models"]:
            raise ValueError("models is empty, which to LiteLLM means all models; name the models, or give all-proxy-models.")
    if params.get("allowed_routes") is not None:
        fields["allowed_routes"] = _names("allowed_routes", params["allowed_routes"])
    if params.get("model_max_budget") is not None:
        fields["model_max_budget"] = params["model_max_budget"]
    metadata = dict(params.get("metadata") or {})
    if params.get("tags") is not None:
        metadata["tags"] = _names("tags", params["tags"]) or None
    record = Record(**{**record.__dict__, "package": params.get("package") or record.package})
    return WantedKey(
        alias=alias,
        record=record,
        fields=fields,
        metadata=metadata,
        lifetime=lifetime(params.get("duration")),
        expires_by=_expires_by(params, clock),
        rotation=params.get("rotation") or "",
        endless=params.get("duration") == NEVER,
    )


def lifetime(text: str | None) -> int | None:
    """Seconds; None for `never` and for nothing."""
    return None if text is None or text == NEVER else durations.seconds(text)


def secret_of(params: Mapping[str, Any]) -> str:
    """The secret to derive values from. Raises ValueError for one that could be guessed."""
    secret = params["secret"]
    if not secret:
        return str(params["api_key"])
    if len(secret) < SHORTEST_SECRET:
        raise ValueError(f"secret has {len(secret)} characters; give at least {SHORTEST_SECRET}, for every key's value follows from it.")
    return str(secret)


def policy(params: Mapping[str, Any], *, prune: bool = False) -> Policy:
    """The policy that the arguments of `VALUE_SPEC` describe."""
    grace = params["rotation_grace"]
    return Policy(
        prune=prune,
        on_unrecoverable=OnUnrecoverable(params["on_unrecoverable"]),
        grace=0 if grace == "0" else durations.seconds(grace, "rotation_grace", least=0),
    )


def _names(name: str, values: list[str]) -> list[str]:
    if any(not value or value != value.strip() for value in values):
        raise ValueError(f"{name} holds an empty name or one with blanks around it; remove it.")
    return list(dict.fromkeys(values))


def _expires_by(params: Mapping[str, Any], clock: Clock) -> datetime | None:
    times = []
    if params.get("extend_for"):
        seconds = durations.seconds(params["extend_for"], "extend_for")
        times.append(clock() + timedelta(seconds=seconds))
    if params.get("extend_until"):
        until = durations.parse_time(params["extend_until"], "extend_until")
        now = clock()
        if until <= now:
            raise ValueError(f"extend_until is {params['extend_until']}, which has passed; give a time to come.")
        if until > now + timedelta(seconds=durations.LONGEST_SECONDS):
            raise ValueError(f"extend_until is {params['extend_until']}, more than ten years away; give an earlier time.")
        times.append(until)
    return max(times, default=None)
