# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The fleet: every lab on a gateway, summarised from its keys. Pure, no I/O.

A summary holds times and nothing that depends on the present time, so it can be cached and evaluated later.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from ..common import names
from ..common.durations import iso
from ..keys.key import LiveKey
from ..keys.orphan import OrphanMark

SOON = (24, 72)
"""Hours from now: for each number there is a group of labs with a key that expires within that time."""


class LabName(NamedTuple):
    """The lab that a key belongs to. `guid` is '' for a lab that has only an alias."""

    alias: str
    guid: str


def lab_name(row: LiveKey, user_base: str = "user") -> LabName | None:
    """Return the lab of a key by its notes, or by its alias if it has no notes; None for a key without a lab, and for other tools' keys."""
    if row.notes and row.notes.lab:
        return LabName(row.notes.lab, row.notes.guid)
    if row.guid and (row.notes or is_ours(row)):
        return LabName(names.lab_alias(row.guid), row.guid)
    if row.notes or not is_ours(row):
        return None
    # Release 1.3.2 did not note the lab on its keys: the GUID is what precedes the user.
    lab, _user = names.lab_of_alias(row.served_alias, user_base)
    return LabName(lab, lab.removeprefix(names.ALIAS_PREFIX))


def is_ours(row: LiveKey) -> bool:
    """Return whether a key's alias has the prefix of this collection."""
    return row.served_alias.startswith(names.ALIAS_PREFIX)


def by_lab(rows: Iterable[LiveKey], user_base: str = "user") -> dict[LabName, list[LiveKey]]:
    """Return the keys of each lab. Keys without a lab are left out."""
    labs: dict[LabName, list[LiveKey]] = {}
    for row in rows:
        name = lab_name(row, user_base)
        if name:
            labs.setdefault(name, []).append(row)
    return labs


@dataclass(frozen=True)
class LabSummary:
    """A lab as its operator sees it, without the keys' values or anything that they could be computed from.

    `ends` are the distinct times at which its keys expire, in the form of `durations.iso`, which sorts in order of time;
    `endless` says that a key never expires. `spend` and `budget` are in USD, and `budget` is None if a key has no limit;
    `share` is the largest part of its budget that a key has spent. `orphaned_at` is when the reaper found the lab dead, or ''.
    """

    alias: str
    guid: str
    keys: int
    users: Sequence[str] = ()
    aliases: Sequence[str] = ()
    packages: Sequence[str] = ()
    owner: str = ""
    ends: Sequence[str] = ()
    endless: bool = False
    spend: float = 0.0
    budget: float | None = None
    share: float | None = None
    over_budget: int = 0
    blocked: int = 0
    managed: bool = True
    orphaned_at: str = ""
    models: Sequence[str] = field(default_factory=tuple)

    @classmethod
    def of(cls, name: LabName, rows: Sequence[LiveKey]) -> LabSummary:
        """Return the summary of a lab with the keys `rows`. Former values in their grace period count only if there are no others."""
        keys = [row for row in rows if row.in_service] or list(rows)
        limits = [row.fields["max_budget"] for row in keys]
        shares = [_share(row) for row in keys if row.fields["max_budget"] is not None]
        packages = Counter(row.notes.package for row in keys if row.notes and row.notes.package)
        marks = [mark.since for row in keys if (mark := OrphanMark.of(row))]
        return cls(
            alias=name.alias,
            guid=name.guid,
            keys=len(keys),
            users=sorted({user for row in keys if (user := _user(row, name))}, key=_natural),
            aliases=sorted({row.served_alias for row in keys}, key=_natural),
            packages=[package for package, _count in packages.most_common()],
            owner=_owner(keys),
            ends=sorted({iso(row.expires) for row in keys if row.expires}),
            endless=any(row.expires is None for row in keys),
            spend=round(sum(row.spend for row in keys), 6),
            budget=None if None in limits else float(sum(limits)),
            share=max(shares, default=None),
            over_budget=sum(share >= 1 for share in shares),
            blocked=sum(bool(row.fields["blocked"]) for row in keys),
            managed=any(row.notes is not None for row in keys),
            orphaned_at=min(marks, default=""),
            models=sorted({model for row in keys for model in row.fields["models"]}),
        )

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> LabSummary:
        """Return the summary that `to_plain` turned into `plain`. Raises TypeError for anything else."""
        return cls(**plain)

    def to_plain(self) -> dict[str, Any]:
        """Return the summary as text, numbers and lists, for a cache."""
        return asdict(self)

    # ------------------------------------------------------------------------------------ what depends on the time
    def expired(self, now: datetime) -> bool:
        """Return whether every key has expired."""
        return not self.endless and bool(self.ends) and self.ends[-1] <= iso(now)

    def next_end(self, now: datetime) -> str | None:
        """Return when the next key expires, or when the last one did; None if the remaining keys never expire."""
        coming = [end for end in self.ends if end > iso(now)]
        if coming:
            return coming[0]
        return None if self.endless or not self.ends else self.ends[-1]

    def ends_within(self, hours: int, now: datetime) -> bool:
        """Return whether a key that is still valid expires within `hours`."""
        return any(iso(now) < end <= iso(now + timedelta(hours=hours)) for end in self.ends)

    def state(self, now: datetime) -> str:
        """Return `orphan`, `blocked`, `expired`, `over_budget` or `active`. All but `orphan` and `active` mean every key of the lab."""
        if self.orphaned_at:
            return "orphan"
        if self.blocked == self.keys:
            return "blocked"
        if self.expired(now):
            return "expired"
        return "over_budget" if self.over_budget == self.keys else "active"

    @property
    def owner_domain(self) -> str:
        """The part after the `@` of the owner, in lower case; '' if the owner is not an address."""
        return self.owner.rpartition("@")[2].lower() if "@" in self.owner else ""

    def facts(self, now: datetime) -> dict[str, Any]:
        """Return the whole summary as variables of a host."""
        return {
            "lab_alias": self.alias,
            "lab_guid": self.guid,
            "lab_keys": self.keys,
            "lab_users": list(self.users),
            "lab_aliases": list(self.aliases),
            "lab_package": self.packages[0] if self.packages else "",
            "lab_packages": list(self.packages),
            "lab_models": list(self.models),
            "lab_owner": self.owner,
            "lab_owner_domain": self.owner_domain,
            "lab_expires": self.next_end(now),
            "lab_spend": self.spend,
            "lab_max_budget": self.budget,
            "lab_budget_share": self.share,
            "lab_state": self.state(now),
            "lab_managed": self.managed,
            "lab_orphaned_at": self.orphaned_at,
        }

    def groups(self, now: datetime) -> list[str]:
        """Return the unescaped names of the lab's groups; an inventory makes them safe."""
        groups = [f"package_{package}" for package in self.packages]
        if self.owner_domain:
            groups.append(f"owner_{self.owner_domain}")
        groups += [f"expiring_{hours}h" for hours in SOON if self.ends_within(hours, now)]
        conditions = {
            "expired": self.expired(now),
            "over_budget": self.over_budget > 0,
            "blocked": self.blocked == self.keys,
            "orphan": bool(self.orphaned_at),
            "unmanaged": not self.managed,
        }
        return groups + [name for name, holds in conditions.items() if holds]


def summaries(rows: Iterable[LiveKey], user_base: str = "user") -> list[LabSummary]:
    """Return every lab that has a key among `rows`, ordered by alias."""
    return [LabSummary.of(name, keys) for name, keys in sorted(by_lab(rows, user_base).items())]


def _share(row: LiveKey) -> float:
    """Return the part of its budget that a key has spent; a budget of 0 is spent from the start."""
    limit = row.fields["max_budget"]
    return round(row.spend / limit, 4) if limit else 1.0


def _user(row: LiveKey, name: LabName) -> str:
    if row.notes:
        return row.notes.user
    return row.served_alias.removeprefix(name.alias).removeprefix("-")


def _owner(rows: Sequence[LiveKey]) -> str:
    """Return the owner of most keys; without owners, the user id if all keys have the same."""
    owners = Counter(row.owner for row in rows if row.owner)
    if owners:
        return owners.most_common(1)[0][0]
    users = {str(row.fields["user_id"] or "") for row in rows}
    return users.pop() if len(users) == 1 else ""


def _natural(text: str) -> list[tuple[bool, int, str]]:
    """Return a sort key that puts user2 before user10."""
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"([0-9]+)", text)]
