# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The limits of a key: their options, and the wanted key that the options describe. The doc fragment is `limits`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from ..common import durations, names
from ..common.printable import quoted
from ..litellm.notes import NOTES_NAME
from .key import WantedKey
from .orphan import ORPHAN

Clock = Callable[[], datetime]
"""The gateway's clock: an expiry counted from now must not depend on this machine's time."""

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

# The highest value that LiteLLM's database and JSON carry without loss.
_NUMBERS = {
    "max_budget": 1e12,
    "soft_budget": 1e12,
    "rpm_limit": 2**53,
    "tpm_limit": 2**53,
    "max_parallel_requests": 2**31 - 1,
}
_SECRET_NAME = re.compile(
    r"(?:^|[_-])(?:password|secret|key|token|auth|authorization|cookie|credentials?|access|private|certificate|fingerprint|tenancy|service_account)(?=[_-]|$)",
    re.IGNORECASE,
)
_TEXTS = ("user_id", "team_id")
NEVER = "never"


def wanted_key(alias: str, params: Mapping[str, Any], clock: Clock) -> WantedKey:
    """Return the key that `params` (names of `LIMITS_SPEC`, and `rotation`) describe. None means that nothing was given. `clock` is read only for extensions.

    Raises ValueError, with one sentence that names the argument, for a value that cannot be used.
    """
    _check_texts(params)
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
    return WantedKey(
        alias=alias,
        package=params.get("package") or "",
        fields=fields,
        metadata=_metadata(params),
        lifetime=lifetime(params.get("duration")),
        expires_by=_expires_by(params, clock),
        rotation=params.get("rotation") or "",
        endless=params.get("duration") == NEVER,
        create=params.get("create") is not False,
    )


def _check_texts(params: Mapping[str, Any]) -> None:
    """Raise ValueError for a text that the database cannot store, and for a name with blanks around it."""
    for name in (*_TEXTS, "models", "allowed_routes", "model_max_budget", "metadata", "tags", "package", "rotation"):
        names.check_storable(params.get(name), name)
    for name in (*_TEXTS, "package", "rotation"):
        if params.get(name) and params[name] != params[name].strip():
            raise ValueError(f"{name} is {quoted(params[name])}; give it without blanks around it.")


def lifetime(text: str | None) -> int | None:
    """Return a duration in seconds; None for `never` and for None."""
    return None if text is None or text == NEVER else durations.seconds(text)


def _metadata(params: Mapping[str, Any]) -> dict[str, Any]:
    metadata = dict(params.get("metadata") or {})
    for name in (NOTES_NAME, ORPHAN):
        if name in metadata:
            raise ValueError(f"metadata holds {name}, under which this collection keeps its own notes; choose another name.")
    hidden = next(_encrypted(metadata), "")
    if hidden:
        raise ValueError(
            f"metadata holds {hidden}, which LiteLLM encrypts, so that nobody can compare it with what is wanted; give it to the key's team,"
            " or set it in LiteLLM's UI, where it stays."
        )
    if params.get("tags") is not None:
        metadata["tags"] = _names("tags", params["tags"]) or None
    return metadata


def _encrypted(metadata: Mapping[str, Any]) -> Iterator[str]:
    """Yield the place of each secret of a callback, which LiteLLM encrypts when it stores a key (1.102.4, proxy/common_utils/callback_utils.py)."""
    logging = metadata.get("logging")
    places = {f"logging[{number}]": entry for number, entry in enumerate(logging if isinstance(logging, list) else ())}
    for place, entry in {**places, "callback_settings": metadata.get("callback_settings")}.items():
        values = entry.get("callback_vars") if isinstance(entry, Mapping) else None
        for name, value in values.items() if isinstance(values, Mapping) else ():
            if value and isinstance(value, str) and _SECRET_NAME.search(str(name)):
                yield f"{place}.callback_vars.{name}"


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
