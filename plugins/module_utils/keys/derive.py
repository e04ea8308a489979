# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The value of a virtual key, computed instead of stored.

LiteLLM shows a key's value once and keeps only its sha256. It also accepts a value chosen by the caller. So the value
is the HMAC-SHA256 of the key's alias and generation under a secret: whoever has the secret can compute it again, a lost
answer loses nothing, and two runs at the same time make the same key.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable

from .key import LiveKey

_GENERATIONS_TRIED = 200
"""How many generations a value is compared with whose own is not noted on it; that takes a millisecond."""
_VERSION = b"rhpds.litellm_virtual_keys/1"

ValueOf = Callable[[str, int], str]
"""Derives a key's value from its alias and generation."""


def value(secret: str, alias: str, generation: int = 0) -> str:
    """Return a key's value: `sk-` and 43 characters of base64url.

    `generation` counts rotations from 0. Raises ValueError for an empty secret or alias, or a negative generation.
    """
    if not secret:
        raise ValueError("the secret that key values are derived from is empty; set it, or the master key it falls back to.")
    if not alias or generation < 0:
        raise ValueError(f"no key value can be derived for alias {alias!r} in generation {generation}.")
    message = b"\0".join((_VERSION, alias.encode(), str(generation).encode()))
    digest = hmac.new(secret.encode(), message, hashlib.sha256).digest()
    return "sk-" + base64.urlsafe_b64encode(digest).decode().rstrip("=")


def token(key_value: str) -> str:
    """Return the sha256 of a key's value, in hexadecimal: all that LiteLLM keeps of the value, and the key's id in its API."""
    return hashlib.sha256(key_value.encode()).hexdigest()


def derivable(row: LiveKey, value_of: ValueOf) -> bool:
    """Return whether the value behind `row` is the one derived for the alias that it serves, or served."""
    alias = row.served_alias
    return bool(alias) and token(value_of(alias, row.generation)) == row.token


def lost_generation(row: LiveKey, value_of: ValueOf) -> int | None:
    """Return the generation of the value behind `row`, whose notes were lost or changed; None if it is none of the first ones of the alias that it serves."""
    if not row.served_alias:
        return None
    return next((number for number in range(_GENERATIONS_TRIED) if token(value_of(row.served_alias, number)) == row.token), None)
