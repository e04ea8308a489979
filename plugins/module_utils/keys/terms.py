# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What a key has after a change, and a new value takes over from the former one: metadata, notes, limits and end. Pure, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from ..common import durations
from ..litellm.notes import NOTES_NAME
from .key import LiveKey, Notes, WantedKey, is_set, normal
from .retirement import EXPIRY_TOLERANCE, original_end


def lifetime_of_new_value(want: WantedKey, base: LiveKey | None, now: datetime) -> int | None:
    """Return the seconds that a new value lives, at least as long as `base`, the row that it takes over from; None means for ever."""
    lifetime = want.lifetime
    if base:
        ends = original_end(base)
        if ends is None or ends > now:
            lifetime = durations.whole_seconds(ends - now) if ends else None
        elif not want.renews:
            lifetime = 0  # an expired key stays expired
    if want.expires_by and lifetime is not None:
        lifetime = max(lifetime, durations.whole_seconds(want.expires_by - now))
    return lifetime


def spell_end(lifetime: int | None, base: LiveKey | None, now: datetime) -> str:
    """Return the end of a new value as diff mode shows it: the same in check mode and a moment later, in the real run."""
    if lifetime is None:
        return "never"
    ends = original_end(base) if base else None
    if ends and abs(now + timedelta(seconds=lifetime) - ends) <= EXPIRY_TOLERANCE:
        return durations.iso(ends)
    return f"in {durations.spell(lifetime)}"


def asked(fields: Mapping[str, Any], want: WantedKey, old: Notes, lifetime: int | None) -> tuple[str, ...]:
    """Return the names of the limits that a new value is made with. What the gateway filled in on its predecessor was not asked for."""
    filled = {name for name in old.filled if not is_set(want.fields.get(name))}
    given = {name for name, value in fields.items() if is_set(value)} - filled - {"blocked"}
    return tuple(sorted(given | ({"duration"} if lifetime is not None else set())))


def filled_in(want: WantedKey, row: LiveKey) -> dict[str, Any]:
    """Return the limits that `want` leaves off, and that the gateway's own rules set when it made the key."""
    off = [name for name, value in want.fields.items() if not is_set(normal(name, value)) and name != "blocked"]
    filled = dict(row.notes.filled) if row.notes else {}
    if row.notes and row.notes.asked is not None and row.untouched:
        filled |= {name: row.fields[name] for name in off if is_set(row.fields.get(name)) and name not in row.notes.asked}
    owners = ("team_id", "user_id")  # kept where they are, and never given again: a note must not hand a key to somebody else
    return {name: filled[name] for name in off if name in filled and (name not in owners or row.fields.get(name) == filled[name])}


def notes_for_copy(row: LiveKey) -> Notes | None:
    """Return the notes of a key for a copy of it, on which every limit that somebody has set since it was made counts as asked for.

    Nobody has changed the copy, so what is not noted there would look as if its gateway had filled it in.
    """
    notes = row.notes
    if notes is None or notes.asked is None or row.untouched:
        return notes
    given = {name for name in row.set_fields if name not in notes.filled} - {"blocked"}
    return replace(notes, asked=tuple(sorted({*notes.asked, *given})))


def carried(row: LiveKey) -> LiveKey:
    """Return what a successor takes over from a key that somebody else made: its limits and its end."""
    return replace(row, fields={**row.fields, "user_id": None, "team_id": None}, metadata={}, notes=None)


def fit_for_team(row: LiveKey, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return what must change on a key before `payload` moves it to another team; {} if nothing must.

    LiteLLM lets a key into a team only if the team has what the key had before: its models, its limits and its user.
    """
    if not payload.get("team_id"):
        return {}
    first = {name: payload[name] for name in ("user_id",) if name in payload}
    for name in ("rpm_limit", "tpm_limit"):
        old, new = row.fields.get(name), payload.get(name)
        if new is not None and old is not None and new < old:
            first[name] = new
    models = payload.get("models")
    if models and set(row.fields["models"]) - set(models):
        first["models"] = [model for model in models if model in row.fields["models"]] or models
    return first


def noted(old: Notes, want: WantedKey) -> Notes:
    """Return the notes after a change: whom the key is for, if `want` says so, and everything else as it was."""
    return replace(
        old,
        lab=want.lab or old.lab,
        guid=want.guid or old.guid,
        user=want.user or old.user,
        package=want.package or old.package,
    )


def metadata_with(old: Mapping[str, Any], new: Mapping[str, Any], notes: Notes | None) -> dict[str, Any]:
    """Return the complete metadata, because LiteLLM replaces all of it. None in `new` removes a name."""
    merged = {**old, **new, **({NOTES_NAME: notes.to_metadata()} if notes else {})}
    return {name: value for name, value in merged.items() if value is not None}
