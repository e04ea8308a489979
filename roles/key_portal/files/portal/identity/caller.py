# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The caller: who makes a call, and what they may do."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common.email_address import ascii_lower

ADMIN, PERSON = "admin", "person"
"""An administrator decides on requests. A person asks, and sees what is theirs."""


@dataclass(frozen=True)
class Caller:
    """Who makes a call. `who` is the name under which history and audit note what they do, `method` how they said who they are.

    `email` is the address that was proven to be theirs, empty for callers without one; PERSON is only in the roles of those who have one.
    """

    who: str
    method: str
    email: str = ""
    roles: frozenset[str] = frozenset()


def caller_with_address(email: str, method: str, admins: Collection[str]) -> Caller:
    """Return the person with a proven address, who is an administrator as well if the address is one of `admins` (in small letters)."""
    roles = {PERSON, ADMIN} if ascii_lower(email) in admins else {PERSON}
    return Caller(email, method, email=email, roles=frozenset(roles))
