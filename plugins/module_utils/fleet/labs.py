# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The fleet: every lab on a gateway, summed up from its keys. Pure, no I/O.

What is summed up holds times, never what follows from the present one, so that it can be kept and asked later.
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
"""Hours ahead for which there is a group of labs whose keys end."""


class LabName(NamedTuple):
    """Which lab a key is of. `guid` is '' for a lab that was made under an alias alone."""

    alias: str
    guid: str


def lab_name(row: LiveKey, user_base: str = "user") -> LabName | None:
    """The lab of a key by its notes, or by its alias when it has none; None for a key that is of no lab."""
    if row.notes and row.notes.lab:
        return LabName(row.notes.lab, row.notes.guid)
    if row.guid:
        return LabName(names.lab_alias(row.guid), row.guid)
    if row.notes or not is_ours(row):
        return None
    # Release 1.3.2 wrote no lab into its keys: what precedes the user is the guid.
    lab, _user = names.lab_of_alias(row.served_alias, user_base)
    return LabName(lab, lab.removeprefix(names.ALIAS_PREFIX))


def is_ours(row: LiveKey) -> bool:
    """Whether a key has an alias of this collection's own pattern."""
    return row.served_alias.startswith(names.ALIAS_PREFIX)


def by_lab(rows: Iterable[LiveKey], user_base: str = "user") -> dict[LabName, list[LiveKey]]:
    """The keys of each lab. Keys of no lab are left out."""
    labs: dict[LabName, list[LiveKey]] = {}
    for row in rows:
        name = lab_name(row, user_base)
        if name:
            labs.setdefault(name, []).append(row)
    return labs


@dataclass(frozen=True)
class LabSummary:
    """What a fleet's operator wants to know of a lab. No value, and nothing to compute one from, is in it.

    `ends` are the different ends of its keys, in the form of `durations.iso`, which sorts as time does; `endless` tells
    that a key has none. `spend` and `budget` are USD, `budget` None when a key has no limit; `share` is the largest part
    of its budget that a key has spent. `orphaned_at`: when the reaper found the lab dead, or ''.
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
        """From all keys of a lab. Former values, which a rotation left to live on for a while, count only where there are no others."""
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
        """From what `to_plain` made. Raises TypeError for anything else."""
        return cls(**plain)

    def to_plain(self) -> dict[str, Any]:
        """As text, numbers and lists, for a cache."""
        return asdict(self)

    # -------------------------------------------------------------------------------------------- what time tells
    def expired(self, now: datetime) -> bool:
        """Whether every key has ended."""
        return not self.endless and bool(self.ends) and self.ends[-1] <= iso(now)

    def next_end(self, now: datetime) -> str | None:
        """When the next key ends, or the last one has; None when what is left has no end."""
        coming = [end for end in self.ends if end > iso(now)]
        if coming:
            return coming[0]
        return None if self.endless or not self.ends else self.ends[-1]

    def ends_within(self, hours: int, now: datetime) -> bool:
        """Whether a key that lives ends within so many hours."""
        return any(iso(now) < end <= iso(now + timedelta(hours=hours)) for end in self.ends)

    def state(self, now: datetime) -> str:
        """One word: `orphan`, `blocked`, `expired`, `over_budget` or `active`. All but the first are said of a lab only when they hold for every key."""
        if self.orphaned_at:
            return "orphan"
        if self.blocked == self.keys:
            return "blocked"
        if self.expired(now):
            return "expired"
        return "over_budget" if self.over_budget == self.keys else "active"

    @property
    def owner_domain(self) -> str:
        """What follows the `@` of the owner, in small letters; '' when the owner is no address."""
        return self.owner.rpartition("@")[2].lower() if "@" in self.owner else ""

    def facts(self, now: datetime) -> dict[str, Any]:
        """Everything, as variables of a host."""
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
        """The names of the groups that the lab is in, as they are; an inventory makes them safe."""
        groups = [f"package_{package}" for package in self.packages]
        if self.owner_domain:
            groups.append(f"owner_{self.owner_domain}")
        groups += [f"expiring_{hours}h" for hours in SOON if self.ends_within(hours, now)]
        told = {
            "expired": self.expired(now),
            "over_budget": self.over_budget > 0,
            "blocked": self.blocked == self.keys,
            "orphan": bool(self.orphaned_at),
            "unmanaged": not self.managed,
        }
        return groups + [name for name, so in told.items() if so]


def summaries(rows: Iterable[LiveKey], user_base: str = "user") -> list[LabSummary]:
    """Every lab that has a key among `rows`, ordered by alias."""
    return [LabSummary.of(name, keys) for name, keys in sorted(by_lab(rows, user_base).items())]


def _share(row: LiveKey) -> float:
    """The part of its budget that a key has spent; a budget of nothing is spent from the start."""
    limit = row.fields["max_budget"]
    return round(row.spend / limit, 4) if limit else 1.0


def _user(row: LiveKey, name: LabName) -> str:
    if row.notes:
        return row.notes.user
    return row.served_alias.removeprefix(name.alias).removeprefix("-")


def _owner(rows: Sequence[LiveKey]) -> str:
    """Who stands as owner on most keys; without one, whose user id all keys carry."""
    owners = Counter(row.owner for row in rows if row.owner)
    if owners:
        return owners.most_common(1)[0][0]
    users = {str(row.fields["user_id"] or "") for row in rows}
    return users.pop() if len(users) == 1 else ""


def _natural(text: str) -> list[tuple[bool, int, str]]:
    """So that user2 comes before user10."""
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"([0-9]+)", text)]
