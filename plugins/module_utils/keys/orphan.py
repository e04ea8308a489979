# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The note that the reaper leaves on a key whose lab it found dead. Pure, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..common.durations import iso, parse_time
from .key import LiveKey

ORPHAN = "litellm_virtual_keys_orphan"
"""The name in a key's metadata under which the reaper notes that it found the key's lab dead."""


@dataclass(frozen=True)
class OrphanMark:
    """The reaper's note on a key. `stopped`: somebody else had already blocked the key, so it stays blocked if its lab comes back."""

    since: str
    stopped: bool = False

    @classmethod
    def of(cls, row: LiveKey) -> OrphanMark | None:
        """Return the note on a key; None if there is none, or if it has no valid time."""
        note = row.metadata.get(ORPHAN)
        if not isinstance(note, Mapping):
            return None
        try:
            return cls(iso(parse_time(str(note.get("since")))), bool(note.get("stopped")))
        except ValueError:
            return None

    def lifted(self) -> dict[str, Any]:
        """Return the fields to set on the key if its lab turns out to be alive."""
        return {} if self.stopped else {"blocked": False}

    def to_metadata(self) -> dict[str, Any]:
        return {"since": self.since, "stopped": True} if self.stopped else {"since": self.since}
