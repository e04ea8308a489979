# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Roles, what each may do, and who has which.

| role | what it may do |
| --- | --- |
| `person`, the requester | asks for keys, and sees, withdraws and renews what is theirs |
| `reviewer` | sees all requests, approves and denies |
| `operator` | sees all requests, lets a failed step be tried again, reads `/metrics` |
| `auditor` | sees all requests and exports the audit; changes nothing |
| `admin` | all of these except asking, which needs an address |

The administrator with the password and the addresses in PORTAL_ADMINS are `admin`. The methods `oidc` and `proxy` also say in which groups
somebody is, and PORTAL_REVIEWER_GROUPS and so on give roles to groups. Everybody who signs in with an address is a requester, unless
PORTAL_REQUESTER_GROUPS names groups: then only their members are, as far as their method knows groups.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common.email_address import ascii_lower, parse_address

from ..sign_on import SignOnSettings, groups_of
from .caller import ADMIN, AUDITOR, OPERATOR, PERSON, REVIEWER, Caller

ALL_OF_THEM = frozenset((ADMIN, REVIEWER, OPERATOR, AUDITOR))
"""The roles of an administrator."""

ASKS = frozenset((PERSON,))
SEES_ALL = frozenset((REVIEWER, OPERATOR, AUDITOR))
DECIDES = frozenset((REVIEWER,))
RETRIES = frozenset((OPERATOR,))
EXPORTS = frozenset((AUDITOR,))
MEASURES = frozenset((OPERATOR,))
"""What somebody may do, as the roles one of which it takes."""


@dataclass(frozen=True)
class RoleBook:
    """Who has which role: addresses of administrators, in small letters, and groups for each role."""

    admins: frozenset[str]
    groups: Mapping[str, frozenset[str]]

    def caller(self, email: str, method: str, groups: Collection[str] | None = None, *, has_session: bool = False) -> Caller:
        """Return the person with a proven address. `groups` is None if the method knows no groups."""
        roles = set[str]()
        wanted = self.groups.get(PERSON, frozenset())
        if groups is None or not wanted or not wanted.isdisjoint(groups):
            roles.add(PERSON)
        roles |= {role for role, names in self.groups.items() if role != PERSON and not names.isdisjoint(groups or ())}
        if ADMIN in roles or ascii_lower(email) in self.admins:
            roles |= ALL_OF_THEM
        return Caller(email, method, email=email, roles=frozenset(roles), has_session=has_session)

    def named(self, groups: Collection[str]) -> list[str]:
        """Return those of the groups that have a role. The others need not be remembered."""
        return sorted(frozenset[str]().union(*self.groups.values()).intersection(groups))


def role_book(settings: SignOnSettings) -> RoleBook:
    """Return who has which role by the settings. Raises ValueError."""
    admins = frozenset(ascii_lower(str(parse_address(part, "PORTAL_ADMINS"))) for part in settings.admins.split(",") if part.strip())
    return RoleBook(
        admins,
        {
            PERSON: groups_of(settings.requester_groups),
            REVIEWER: groups_of(settings.reviewer_groups),
            OPERATOR: groups_of(settings.operator_groups),
            AUDITOR: groups_of(settings.auditor_groups),
            ADMIN: groups_of(settings.admin_groups),
        },
    )
