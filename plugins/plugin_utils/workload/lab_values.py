# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Find again what the workload role published about a lab: in facts, or in the data that it saved for users."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

KEY = "litellm_virtual_key"
KEYS_OF_USERS = "_litellm_user_data"

Facts = Callable[[str], Any]
"""Returns the value of a name; None if it is not set."""


def lab_value(name: str, user: str, hosts: Sequence[Facts], saved: Facts) -> Any:
    """Return the first value of `name` that is not empty: in the facts of `hosts`, else `saved`, which is not called before. Empty if there is none.

    With `user`, a key is that of the user, and never that of the lab.
    """
    for facts in hosts:
        value = _key_of_user(user, facts) if user and name == KEY else facts(name)
        if value:
            return value
    return saved(name) or ""


def _key_of_user(user: str, facts: Facts) -> Any:
    return (facts(KEYS_OF_USERS) or {}).get(f"litellm_{user}_virtual_key")
