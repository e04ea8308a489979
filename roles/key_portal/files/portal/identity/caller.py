# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The caller: who makes a call, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass

PERSON, REVIEWER, OPERATOR, AUDITOR, ADMIN = "person", "reviewer", "operator", "auditor", "admin"
"""Roles; `roles.py` says what each may do."""


@dataclass(frozen=True)
class Caller:
    """Who makes a call. `who` is the name under which history and audit note what they do, `method` how they said who they are.

    `email` is the address that was proven to be theirs, empty for callers without one; PERSON is only in the roles of those who have one.
    With `has_session`, their sign-in was an event of its own, and they can sign out.
    """

    who: str
    method: str
    email: str = ""
    roles: frozenset[str] = frozenset()
    has_session: bool = False
