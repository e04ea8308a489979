# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Compare wanted entries with live ones, although LiteLLM masks what it considers a secret. Pure, no I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .entry import Kind, LiveEntry, WantedEntry
from .fingerprint import Fingerprints

HIDDEN = "********"

# LiteLLM masks a value whose name has one of these words (litellm_core_utils/sensitive_data_masker.py and
# litellm_logging._get_masked_values), except prices.
SECRET_WORDS = frozenset(
    ("password", "passwd", "secret", "key", "token", "auth", "authorization", "cookie", "credential", "credentials", "access", "private", "certificate")
)
_NOT_SECRET = frozenset(("litellm_credential_name", "default_api_key_tpm_limit", "default_api_key_rpm_limit"))
_UNORDERED = frozenset(("access_groups",))


def is_secret_name(name: str) -> bool:
    """Return whether a parameter's name marks it as a secret."""
    parts = re.split(r"[_\-\s]", name.lower())
    return name not in _NOT_SECRET and "cost" not in parts and not SECRET_WORDS.isdisjoint(parts)


def secret_path(name: str, value: Any) -> str:
    """Return the path of a text in `value` whose name marks it as a secret, such as `extra_headers.Authorization`; '' if there is none."""
    if isinstance(value, Mapping):
        found = (secret_path(f"{name}.{part}", inner) for part, inner in value.items())
        return next((path for path in found if path), "")
    if isinstance(value, list | tuple):
        return next((path for path in (secret_path(name, inner) for inner in value) if path), "")
    return name if isinstance(value, str) and is_secret_name(name.rsplit(".", 1)[-1]) else ""


def same(name: str, wanted: Any, shown: Any) -> bool:
    """Return whether a value that is not secret is the wanted one."""
    if name in _UNORDERED and isinstance(wanted, list) and isinstance(shown, list):
        return sorted(map(str, wanted)) == sorted(map(str, shown))
    if isinstance(wanted, bool) != isinstance(shown, bool):
        return False  # in Python, True == 1
    return bool(wanted == shown)


def fits_mask(value: Any, shown: Any) -> bool:
    """Return whether `value` may be behind `shown`, which is masked in whole or in part, or None if LiteLLM leaves it out."""
    if shown is None or value == shown:
        return True
    if isinstance(value, Mapping) and isinstance(shown, Mapping):
        return value.keys() == shown.keys() and all(fits_mask(inner, shown[name]) for name, inner in value.items())
    if isinstance(value, list) and isinstance(shown, list):
        return len(value) == len(shown) and all(map(fits_mask, value, shown))
    if not isinstance(shown, str) or "*" not in shown:
        return str(value) == str(shown)
    pattern = "(?s:.*)".join(re.escape(part) for part in re.split(r"\*+", shown))
    return re.fullmatch(pattern, str(value)) is not None


def changed_params(wanted: WantedEntry, live: LiveEntry) -> dict[str, Any]:
    """Return the plain parameters that have to be written."""
    return {name: value for name, value in wanted.params.items() if not same(name, value, live.params.get(name))}


def changed_info(wanted: WantedEntry, live: LiveEntry) -> dict[str, Any]:
    """Return the info that has to be written."""
    return {name: value for name, value in wanted.info.items() if not same(name, value, live.info.get(name))}


def changed_secrets(wanted: WantedEntry, live: LiveEntry, prints: Mapping[str, str]) -> dict[str, Any]:
    """Return the secrets that have to be written: those without a note, with another fingerprint, or that do not fit what LiteLLM shows."""
    noted = live.notes.secrets if live.notes else {}

    def is_kept(name: str, value: Any) -> bool:
        shown = live.params.get(name)
        if value is None:
            return shown is None and name not in noted
        if shown is None and live.kind is Kind.CREDENTIAL:
            return False  # LiteLLM shows all values of a credential, if only masked
        return noted.get(name) == prints[name] and fits_mask(value, shown)

    return {name: value for name, value in wanted.secrets.items() if not is_kept(name, value)}


def prints_of(wanted: WantedEntry, live_id: str, prints: Fingerprints) -> dict[str, str]:
    """Return the fingerprints of the wanted secrets, for the entry with the id `live_id`."""
    return {name: prints.of(wanted.kind, live_id, name, value) for name, value in wanted.secrets.items() if value is not None}


def with_secrets_masked(params: Mapping[str, Any], secret_names: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return parameters as they may be shown: with LiteLLM's masks, and a mask for every secret that it did not mask."""
    return {name: _shown(name, value, name in secret_names) for name, value in params.items()}


def _shown(name: str, value: Any, hide: bool = False) -> Any:
    if isinstance(value, Mapping):
        return {part: _shown(str(part), inner, hide) for part, inner in value.items()}
    if isinstance(value, list):
        return [_shown(name, inner, hide) for inner in value]
    if isinstance(value, str) and value and (hide or is_secret_name(name)) and not re.search(r"\*{3,}", value):
        return HIDDEN
    return value
