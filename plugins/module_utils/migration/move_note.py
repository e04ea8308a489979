# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The note that a migration leaves on a key at the target. Pure, no I/O.

It says where the key came from, when it was made there, what it had spent, and in which state it was seen. A gateway has many addresses,
so the time at which the key was made tells whether a note is about it. Whoever may create keys at the target can write such a note as
well, so it has a mark that takes the secret; one without the mark is not believed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..common.durations import iso
from ..keys import derive
from ..keys.derive import ValueOf
from ..keys.key import LiveKey

NOTE = "litellm_virtual_keys_migration"


@dataclass(frozen=True)
class MoveNotes:
    """Writes and reads the notes of one migration. `origin` is the address of the source, and `destination` tells the target from other gateways."""

    origin: str
    destination: str
    value_of: ValueOf

    def new(self, row: LiveKey, now: datetime, *, renewed: bool) -> dict[str, Any]:
        """Return the note for `row`, a key at the source. `renewed`: it gets another value at the target."""
        note = {"from": self.origin, "made": made(row), "at": iso(now), "spend": row.spend, "seen": seen(row), **({"renewed": True} if renewed else {})}
        return {**note, "mark": self._mark(row.served_alias, note)}

    def about(self, live: LiveKey, row: LiveKey) -> Mapping[str, Any]:
        """Return the note on `live`, a key at the target, if it is about `row`, a key at the source, and marked; or an empty mapping."""
        note = note_on(live)
        return note if self._concerns(note, row) and note.get("mark") == self._mark(live.served_alias, note) else {}

    def is_unproven(self, live: LiveKey, row: LiveKey) -> bool:
        """Return whether a key at the target has a note about `row` that anybody may have written, or an earlier release."""
        return self._concerns(note_on(live), row) and not self.about(live, row)

    def came_from(self, live: LiveKey, times: Collection[str]) -> bool:
        """Return whether a key at the target was made from one at the source, by its note. `times` are those at which the keys there were made."""
        note = note_on(live)
        return bool(note) and (note.get("from") == self.origin or str(note.get("made")) in times)

    def _concerns(self, note: Mapping[str, Any], row: LiveKey) -> bool:
        known = note.get("made")
        return bool(note) and (known == made(row) if known else note.get("from") == self.origin)

    def _mark(self, alias: str, note: Mapping[str, Any]) -> str:
        spend = note.get("spend")
        number = float(spend) if isinstance(spend, int | float) else spend  # which a database may return as a whole number
        told = json.dumps([alias, self.destination, number, *(note.get(name) for name in ("from", "made", "at", "seen", "renewed"))])
        return derive.token(self.value_of(f"moved\0{told}", 0))


def note_on(live: LiveKey) -> Mapping[str, Any]:
    """Return the note of a migration on a key at the target, whoever wrote it, or an empty mapping."""
    note = live.metadata.get(NOTE)
    return note if isinstance(note, Mapping) else {}


def is_renewed(live: LiveKey) -> bool:
    """Return whether a key at the target was made there with another value than at the source, by its note."""
    return note_on(live).get("renewed") is True


def made(row: LiveKey) -> str:
    """Return when a key was made, to the microsecond; '' if the gateway does not say."""
    return row.created_at.isoformat() if row.created_at else ""


def seen(row: LiveKey) -> str:
    """Return a short digest of a key's state, which differs if the state does."""
    state = [row.alias, dict(row.fields), dict(row.metadata), iso(row.expires) if row.expires else ""]
    return hashlib.sha256(json.dumps(state, sort_keys=True, default=str).encode()).hexdigest()[:16]
