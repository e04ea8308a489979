# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""GUIDs, users, and the aliases built from them.

A lab is known by its alias, `virtkey-{guid}` unless the caller formats another one. A lab with one key uses that alias
for the key; a lab of many users has one key per user, `{lab alias}-{user}`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from .printable import quoted

ALIAS_PREFIX = "virtkey-"
LONGEST_NAME = 128
LARGEST_INTEGER = 2**53

# Words in a key's list of models that LiteLLM understands as a set of models.
MODEL_WORDS = ("all-proxy-models", "all-team-models", "no-default-models")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+:/-]*")
_RETIRED_SUFFIX = re.compile(r"\.retired-[0-9a-f]{12}\Z")


def _check(text: str, name: str, pattern: re.Pattern[str], longest: int, allowed: str) -> str:
    if not text:
        raise ValueError(f"{name} is empty; name one.")
    if len(text) > longest:
        raise ValueError(f"{name} has {len(text)} characters, and at most {longest} are allowed; shorten it.")
    if ".." in text or not pattern.fullmatch(text):
        raise ValueError(f"{name} is {quoted(text)}; it may hold {allowed}, must begin with a letter or digit, and has no '..'.")
    served = without_retired_suffix(text)
    if served != text:
        former = quoted(served)
        raise ValueError(f"{name} is {quoted(text)}, which is how a rotation names a former value of {former}; give {former}, or choose another name.")
    return text


def check_guid(guid: str) -> str:
    """Return `guid`: at most 128 letters, digits, `.`, `_` and `-`. Raises ValueError for anything else."""
    return _check(guid, "guid", _NAME, LONGEST_NAME, "letters, digits, '.', '_' and '-'")


def check_user(user: str, name: str = "user") -> str:
    """Return `user`, which follows the rule for a guid. Raises ValueError, which calls it `name`, for anything else."""
    return _check(user, name, _NAME, LONGEST_NAME, "letters, digits, '.', '_' and '-'")


def check_alias(alias: str) -> str:
    """Return `alias`: at most 255 letters, digits and `._@+:/-`. Raises ValueError for anything else."""
    return _check(alias, "alias", _ALIAS, 255, "letters, digits and '._@+:/-'")


def check_composed(alias: str) -> str:
    """Return an alias that was put together from names that may be used. Raises ValueError for one that looks like a former value's."""
    served = without_retired_suffix(alias)
    if served != alias:
        raise ValueError(f"the alias {alias} is how a rotation names a former value of {served}; choose another guid or user name.")
    return alias


def matches_model(name: str, pattern: str) -> bool:
    """Return whether `pattern` stands for the model; as in LiteLLM, each `*` in it stands for any text, and nothing else is special."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name, re.DOTALL) is not None


def check_storable(tree: Any, name: str) -> None:
    """Raise ValueError, which calls it `name`, for what LiteLLM's database cannot store: NUL, half a surrogate pair, infinity, integers beyond 2**53.

    `tree` is any structure of mappings, lists, texts and numbers.
    """
    if isinstance(tree, str):
        if "\0" in tree or any("\ud800" <= character <= "\udfff" for character in tree):
            raise ValueError(f"{name} holds a character that LiteLLM's database cannot store (NUL, or half of a surrogate pair); remove it.")
    elif isinstance(tree, float) and not math.isfinite(tree):
        raise ValueError(f"{name} holds the number {tree}, which LiteLLM's database cannot store; remove it.")
    elif isinstance(tree, int) and abs(tree) > LARGEST_INTEGER:
        raise ValueError(f"{name} holds the number {tree}, which LiteLLM's database would round; give it as a text.")
    elif isinstance(tree, Mapping):
        for key, value in tree.items():
            check_storable(key, name)
            check_storable(value, name)
    elif isinstance(tree, list | tuple):
        for value in tree:
            check_storable(value, name)


def lab_alias(guid: str) -> str:
    """Return the alias of the lab `guid`: `virtkey-{guid}`."""
    return ALIAS_PREFIX + guid


def user_alias(lab: str, user: str | None) -> str:
    """Return the alias of the key of `user` in the lab with alias `lab`; without a user, of the lab's only key."""
    return f"{lab}-{user}" if user else lab


def lab_of_alias(alias: str, user_base: str = "user") -> tuple[str, str]:
    """Return lab and user of a key without notes, by its alias: `virtkey-{guid}` or `virtkey-{guid}-{user_base}{N}`.

    Both are '' for an alias of any other pattern.
    """
    if not alias.startswith(ALIAS_PREFIX):
        return "", ""
    match = re.fullmatch(f"({re.escape(ALIAS_PREFIX)}.+)-({re.escape(user_base)}[0-9]+)", alias)
    return (match[1], match[2]) if match else (alias, "")


def is_legacy_alias(alias: str, guid: str) -> bool:
    """Return whether release 1.3.2 may have made a key with this alias for the GUID: `virtkey-{guid}`, or that and any user name with a number."""
    return re.fullmatch(re.escape(ALIAS_PREFIX + guid) + "(-.*[0-9])?", alias) is not None


def retired_alias(alias: str, digest: str) -> str:
    """Return the alias of a key's former value, which it has from a rotation until the end of its grace period. `digest` is in hexadecimal."""
    return f"{alias}.retired-{digest[:12]}"


def is_retired_alias(alias: str, served: str) -> bool:
    """Return whether `alias` is one that a rotation gives to a former value of the alias `served`."""
    return bool(served) and alias.startswith(f"{served}.retired-")


def contradicts_guid(alias: str, guid: str) -> bool:
    """Return whether an alias was made for a GUID, and not for this one: `virtkey-lab10-user1` was not made for `lab1`."""
    part = f"(?<![A-Za-z0-9]){re.escape(guid)}(?![A-Za-z0-9])"
    return alias.startswith(ALIAS_PREFIX) and re.search(part, alias) is None


def contradicts_lab(alias: str, lab: str) -> bool:
    """Return whether an alias was made for a lab, and not for the one with the alias `lab`."""
    return alias.startswith(ALIAS_PREFIX) and lab.startswith(ALIAS_PREFIX) and not alias.startswith(lab)


def without_retired_suffix(alias: str) -> str:
    """Return `alias` as it was before a rotation retired the key."""
    return _RETIRED_SUFFIX.sub("", alias)


def user_of_legacy_alias(alias: str, lab: str, user_base: str) -> str | None:
    """Return the user of a key that release 1.3.2 made, by its alias: '' for the lab's only key, None for another lab's key."""
    if alias == lab:
        return ""
    match = re.fullmatch(re.escape(f"{lab}-") + f"({re.escape(user_base)}[0-9]+)", alias)
    return match[1] if match else None
