# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Decide which keys outlived their lab, and what happens to them. Pure, no I/O.

A key whose lab is not among the living is blocked, and the time is noted on it. After it has stayed blocked for the grace
period, it is deleted. No run does both to the same key. If its lab comes back, the key is restored to its former state.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from ..common import durations, names
from ..keys.key import LiveKey, WantedKey
from ..keys.orphan import ORPHAN, OrphanMark
from ..litellm.errors import Refused
from .labs import LabSummary, by_lab, is_ours


class Stage(StrEnum):
    """How far a run goes."""

    REPORT = "report"
    BLOCK = "block"
    DELETE = "delete"


class LabVerdict(StrEnum):
    """The verdict on a key."""

    KEEP = "keep"  # its lab lives
    UNBLOCK = "unblock"  # its lab lives again
    YOUNG = "young"  # its lab may not be on the list yet
    BLOCK = "block"
    WAIT = "wait"  # blocked, and the grace period has not ended
    DELETE = "delete"
    UNMANAGED = "unmanaged"  # has the alias prefix, but no note of its lab


ORPHANED = (LabVerdict.BLOCK, LabVerdict.WAIT, LabVerdict.DELETE)
NOTEWORTHY = (*ORPHANED, LabVerdict.UNBLOCK, LabVerdict.YOUNG, LabVerdict.UNMANAGED)


@dataclass(frozen=True)
class ReapingRules:
    """The limits of reaping: `grace` and `min_age` in seconds, and `max_share`, the percentage of the keys that may be orphans.

    `unmanaged`: keys without notes are judged, too.
    """

    grace: int
    min_age: int
    max_share: float
    unmanaged: bool = False
    user_base: str = "user"

    def __post_init__(self) -> None:
        if not 0 <= self.max_share <= 100:
            raise ValueError(f"max_share is {self.max_share:g}; give a percentage from 0 to 100.")


@dataclass(frozen=True)
class Living:
    """The labs that live. Case does not matter: in doubt, a lab counts as living."""

    guids: frozenset[str]

    @classmethod
    def of(cls, guids: Collection[str]) -> Living:
        return cls(frozenset(guid.casefold() for guid in guids))

    def has(self, row: LiveKey) -> bool:
        """Return whether the lab of a key lives. Without notes, it does if any living lab could have made the alias."""
        if row.guid:
            return row.guid.casefold() in self.guids
        rest = row.served_alias.removeprefix(names.ALIAS_PREFIX).casefold()
        parts = rest.split("-")
        return any("-".join(parts[:number]) in self.guids for number in range(1, len(parts) + 1))


def verdict_of(row: LiveKey, living: Living, rules: ReapingRules, now: datetime) -> LabVerdict:
    """Return the verdict on a key with the alias prefix."""
    mark = OrphanMark.of(row)
    if living.has(row):
        return LabVerdict.UNBLOCK if mark else LabVerdict.KEEP
    if not row.guid and not rules.unmanaged:
        return LabVerdict.UNMANAGED
    if row.created_at is not None and row.created_at > now - timedelta(seconds=rules.min_age):
        return LabVerdict.YOUNG
    if mark is None or not row.fields["blocked"]:
        return LabVerdict.BLOCK
    over = durations.parse_time(mark.since) + timedelta(seconds=rules.grace) <= now
    return LabVerdict.DELETE if over else LabVerdict.WAIT


@dataclass(frozen=True)
class Reaping:
    """A verdict on each key with the alias prefix."""

    verdicts: Sequence[tuple[LiveKey, LabVerdict]]
    rules: ReapingRules
    now: datetime
    living: Living

    @classmethod
    def of(cls, rows: Iterable[LiveKey], living: Living, rules: ReapingRules, now: datetime) -> Reaping:
        ours = [row for row in rows if is_ours(row)]
        return cls([(row, verdict_of(row, living, rules, now)) for row in ours], rules, now, living)

    def rows(self, *verdicts: LabVerdict) -> list[LiveKey]:
        """Return the keys with one of these verdicts."""
        return [row for row, verdict in self.verdicts if verdict in verdicts]

    @property
    def fleet(self) -> int:
        """The number of keys that were judged."""
        return sum(verdict is not LabVerdict.UNMANAGED for _row, verdict in self.verdicts)

    @property
    def share(self) -> float:
        """The percentage of the fleet that are orphans, including those that wait for their deletion."""
        return 100 * len(self.rows(*ORPHANED)) / self.fleet if self.fleet else 0.0

    def check(self) -> None:
        """Raise Refused if more of the fleet would be orphans than `max_share` allows."""
        if self.share > self.rules.max_share:
            raise Refused(
                f"{len(self.rows(*ORPHANED))} of {self.fleet} keys ({self.share:.1f} %) would be of labs that live no more, and max_share is"
                f" {self.rules.max_share:g} %; look at the report and at the list of living labs, and raise max_share if both are right.",
                "too_many_orphans",
            )

    def change(self, row: LiveKey) -> WantedKey:
        """Return the wanted state of a key to block or unblock, from its state now: what another reaper has done already stays."""
        mark = OrphanMark.of(row)
        fields: dict[str, Any] = {}
        if self.living.has(row):
            note: Any = None
            fields |= mark.lifted() if mark else {}
        else:
            blocked = bool(row.fields["blocked"])
            note = row.metadata[ORPHAN] if mark and blocked else OrphanMark(durations.iso(self.now), stopped=blocked).to_metadata()
            fields["blocked"] = True
        return WantedKey(alias=row.served_alias, guid=row.guid, fields=fields, metadata={ORPHAN: note})

    def still_to_delete(self, rows: Iterable[LiveKey]) -> list[LiveKey]:
        """Return those of `rows`, as they are now, that should still be deleted and should have been from the start."""
        tokens = {row.token for row in self.rows(LabVerdict.DELETE)}
        return [row for row in rows if row.token in tokens and verdict_of(row, self.living, self.rules, self.now) is LabVerdict.DELETE]

    # -------------------------------------------------------------------------------------------------------- results
    def counts(self) -> dict[str, int]:
        """Return how many keys have each verdict."""
        counted = Counter(verdict for _row, verdict in self.verdicts)
        return {verdict.value: counted[verdict] for verdict in LabVerdict}

    def report(self) -> list[dict[str, Any]]:
        """Return every lab with a key whose verdict is noteworthy, and how many of its keys have each verdict."""
        verdicts = {row.token: verdict for row, verdict in self.verdicts}
        labs = by_lab((row for row, verdict in self.verdicts if verdict in NOTEWORTHY), self.rules.user_base)
        return [self._entry(LabSummary.of(name, rows), Counter(verdicts[row.token] for row in rows)) for name, rows in sorted(labs.items())]

    def _entry(self, lab: LabSummary, counted: Counter[LabVerdict]) -> dict[str, Any]:
        since = lab.orphaned_at
        until = durations.parse_time(since) + timedelta(seconds=self.rules.grace) if since else None
        return {
            "lab_alias": lab.alias,
            "guid": lab.guid,
            "keys": {verdict.value: count for verdict, count in sorted(counted.items())},
            "aliases": list(lab.aliases),
            "owner": lab.owner,
            "package": lab.packages[0] if lab.packages else "",
            "spend": lab.spend,
            "orphaned_at": since or None,
            "deleted_from": durations.iso(until) if until else None,
        }
