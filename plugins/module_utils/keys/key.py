# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""A virtual key as it is wanted and as the gateway has it.

`FIELDS` names every limit that the collection manages. A wanted key holds only the fields that the caller gave; other
fields are left as they are. The collection's own notes are kept in LiteLLM's metadata under one name (`NOTES_NAME`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from ..common import durations, names
from ..litellm.notes import NOTES_FORMAT, NOTES_NAME

# As LiteLLM names them in /key/generate, /key/update and /key/list.
FIELDS = (
    "models",
    "max_budget",
    "soft_budget",
    "budget_duration",
    "rpm_limit",
    "tpm_limit",
    "max_parallel_requests",
    "model_max_budget",
    "allowed_routes",
    "user_id",
    "team_id",
    "blocked",
)
_UNORDERED = {"models", "allowed_routes"}
_TEXTS = ("lab", "guid", "user", "package", "rotation", "retired_from", "retired_until", "retired_mark", "ends", "adopted")

_TIMES = ("retired_until", "ends")
MOST_ROTATIONS = 10**9
MOST_BELIEVED = 2 * 10**6
"""No key was rotated that often, so a generation from here on was forged."""
MASTER_KEY_USER = "default_user_id"
"""What LiteLLM notes as the maker of a key that was made with its master key."""
NEVER_ENDS = "never"
"""What `Notes.ends` says of a key that had no end."""
# The numbers and texts that LiteLLM's own rules may set on a new key.
_FILLED_NUMBERS = ("max_budget", "soft_budget", "rpm_limit", "tpm_limit", "max_parallel_requests")
_FILLED_TEXTS = ("budget_duration", "team_id", "user_id")

# Settings that LiteLLM lets an admin make on a key beyond `FIELDS`; this collection never makes them.
_UNMANAGED = (
    "access_group_ids",
    "agent_id",
    "aliases",
    "allowed_cache_controls",
    "auto_rotate",
    "budget_fallbacks",
    "budget_limits",
    "config",
    "object_permission_id",
    "org_id",
    "organization_id",
    "permissions",
    "policies",
    "project_id",
    "router_settings",
)
# What a budget tier of LiteLLM may limit, besides the soft budget that this collection itself sets through one.
_TIER_LIMITS = ("max_budget", "max_parallel_requests", "tpm_limit", "rpm_limit", "model_max_budget", "budget_duration", "allowed_models")


@dataclass(frozen=True)
class Notes:
    """The collection's notes on a key, kept in its metadata.

    `lab` is the lab's alias, `guid` and `user` say whom the key is for, `generation` is how often it was rotated,
    `rotation` the label of the last rotation, `retired_from` the alias that this value served before a rotation,
    `retired_until` the end of its grace period (ISO 8601), `retired_mark` the mark of a rotation on a value that cannot be
    derived, `ends` the expiry that the key had before it was retired (a time or `never`), `adopted` the mark of a value that
    somebody else chose and that stays until a rotation. `asked` names the limits, and `duration`, that the key was made with;
    None if that was not noted. `filled` holds limits that nobody asked for: the gateway set them when it made the key, and
    they stay as long as nobody asks for others.
    """

    lab: str = ""
    guid: str = ""
    user: str = ""
    package: str = ""
    generation: int = 0
    rotation: str = ""
    retired_from: str = ""
    retired_until: str = ""
    retired_mark: str = ""
    ends: str = ""
    adopted: str = ""
    asked: tuple[str, ...] | None = None
    filled: Mapping[str, Any] = field(default_factory=dict)

    def in_service(self) -> Notes:
        """Return the notes for the next value under the alias, without those that concern one value only."""
        return replace(self, retired_from="", retired_until="", retired_mark="", ends="", adopted="")

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any]) -> Notes | None:
        """Return the notes in `metadata`; None if there are none, or if this release cannot read them.

        Whoever may change the key at the gateway may have written them, so what cannot be a note is left out: a time that is not
        a time, and a limit that is not a number or that would hand the key to another team or user.
        """
        notes = metadata.get(NOTES_NAME)
        if not isinstance(notes, Mapping) or notes.get("format") != NOTES_FORMAT:
            return None
        text = {name: str(notes.get(name) or "") for name in _TEXTS}
        for name in _TIMES:
            if not durations.is_time(text[name]) and not (name == "ends" and text[name] == NEVER_ENDS):
                text[name] = ""
        generation = notes.get("generation", 0)
        asked, filled = notes.get("asked"), notes.get("filled")
        return cls(
            generation=generation if isinstance(generation, int) and not isinstance(generation, bool) and 0 < generation < MOST_ROTATIONS else 0,
            asked=tuple(map(str, asked)) if isinstance(asked, list) else None,
            filled={name: value for name, value in filled.items() if _may_be_filled(name, value)} if isinstance(filled, Mapping) else {},
            **text,
        )

    def to_metadata(self) -> dict[str, Any]:
        """Return the notes as they are kept in LiteLLM's metadata, under `NOTES_NAME`."""
        notes: dict[str, Any] = {"format": NOTES_FORMAT, "generation": self.generation}
        for name in _TEXTS:
            if getattr(self, name):
                notes[name] = getattr(self, name)
        if self.asked is not None:
            notes["asked"] = list(self.asked)
        if self.filled:
            notes["filled"] = dict(self.filled)
        return notes


@dataclass(frozen=True)
class WantedKey:
    """A key as a caller wants it; what the gateway knows of it is a `LiveKey`.

    `lab` (the lab's alias), `guid`, `user` and `package` say whom the key is for; an empty one keeps what is noted.
    `lifetime`, in seconds, counts from creation; None makes a key that never expires, and `endless` says that the caller
    asked for that. An existing key gets the lifetime only after it has expired. `expires_by` is a time before which the
    key must not expire: it can postpone the expiry, and never brings it forward. `rotation` is a label; a key noted under
    another label is rotated. `adopt` keeps the value that the key has, although it cannot be derived. Without `create`,
    a key that does not exist is not made.
    """

    alias: str
    lab: str = ""
    guid: str = ""
    user: str = ""
    package: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    lifetime: int | None = None
    expires_by: datetime | None = None
    rotation: str = ""
    endless: bool = False
    adopt: bool = False
    create: bool = True

    @property
    def renews(self) -> bool:
        """Whether a key that has expired gets a new lifetime."""
        return self.endless or self.lifetime is not None


@dataclass(frozen=True)
class LiveKey:
    """A key as the gateway has it. `token` is the sha256 of its value, `expires` None means never, `spend` is in USD.

    `unmanaged_settings` names the settings on it that this collection does not manage. `untouched`: nobody has changed
    it since it was made. `made_by_admin`: with the master key, as far as LiteLLM has noted by whom.
    """

    alias: str
    token: str
    fields: Mapping[str, Any]
    metadata: Mapping[str, Any]
    notes: Notes | None
    expires: datetime | None
    spend: float
    created_at: datetime | None = None
    deleted_at: datetime | None = None
    unmanaged_settings: tuple[str, ...] = ()
    untouched: bool = False
    made_by_admin: bool = True

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> LiveKey:
        """Return the key in one object of `/key/list?return_full_object=true`. Raises ValueError if it is not such an object."""
        alias, token = row.get("key_alias"), row.get("token")
        if not isinstance(token, str) or not token:
            raise ValueError("an object in LiteLLM's list of keys has no token.")
        metadata = row.get("metadata") or {}
        notes = Notes.from_metadata(metadata)
        if notes and notes.guid and alias and names.contradicts_guid(alias, notes.guid):
            notes = replace(notes, lab="", guid="")  # its alias was made for another GUID; somebody changed the notes
        if notes and notes.lab and alias and names.contradicts_lab(alias, notes.lab):
            notes = replace(notes, lab="")
        values = {name: row.get(name) for name in FIELDS}
        tier = row.get("litellm_budget_table") or {}
        values["soft_budget"] = tier.get("soft_budget")
        unmanaged = [name for name in _UNMANAGED if row.get(name)]
        if any(tier.get(name) not in (None, [], {}) for name in _TIER_LIMITS):
            unmanaged.append("budget_id")
        return cls(
            alias=alias or "",
            token=token,
            fields={name: normal(name, value) for name, value in values.items()},
            metadata=metadata,
            notes=notes,
            expires=durations.parse_time(row["expires"], "expires") if row.get("expires") else None,
            spend=float(row.get("spend") or 0.0),
            created_at=durations.parse_time(row["created_at"], "created_at") if row.get("created_at") else None,
            deleted_at=durations.parse_time(row["deleted_at"], "deleted_at") if row.get("deleted_at") else None,
            unmanaged_settings=tuple(unmanaged),
            untouched=_untouched(row),
            made_by_admin=row.get("created_by") in (None, "", MASTER_KEY_USER),
        )

    @property
    def served_alias(self) -> str:
        """The alias that the key serves, or served before it was retired.

        Its own alias counts as well as its notes: a run that began before the rotation may have overwritten the notes since.
        """
        if self.notes and names.is_retired_alias(self.alias, self.notes.retired_from):
            return self.notes.retired_from
        return names.without_retired_suffix(self.alias)

    @property
    def in_service(self) -> bool:
        """Whether it is the value in service under its alias, not a retired one in its grace period."""
        return self.served_alias == self.alias

    @property
    def set_fields(self) -> dict[str, Any]:
        """The limits that are set."""
        return {name: value for name, value in self.fields.items() if is_set(value)}

    @property
    def is_unowned(self) -> bool:
        """Whether the key belongs to no user, team or organisation of LiteLLM."""
        return not (self.fields["user_id"] or self.fields["team_id"] or {"org_id", "organization_id"} & set(self.unmanaged_settings))

    @property
    def generation(self) -> int:
        return self.notes.generation if self.notes else 0

    @property
    def guid(self) -> str:
        """The GUID in the collection's notes, or in the metadata of release 1.3.2; '' if it is in neither."""
        if self.notes:
            return self.notes.guid
        guid = self.metadata.get("guid")
        return guid if isinstance(guid, str) and not names.contradicts_guid(self.alias, guid) else ""

    @property
    def owner(self) -> str:
        """The owner in its metadata; '' without one, and for `unknown`, which the workload role writes if nobody is named."""
        owner = str(self.metadata.get("owner") or "")
        return "" if owner.lower() == "unknown" else owner

    def other_owner(self, lab: str, guid: str) -> str:
        """Return the lab that the key belongs to if it is not the one with alias `lab` and this `guid`; '' otherwise."""
        own = self.notes.lab if self.notes else ""
        if own and lab:
            return "" if own == lab else self.guid or own
        return self.guid if guid and self.guid != guid else ""

    def expired(self, now: datetime) -> bool:
        return self.expires is not None and self.expires <= now


def _may_be_filled(name: str, value: Any) -> bool:
    if name in _FILLED_NUMBERS:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return name in _FILLED_TEXTS and isinstance(value, str)


def _untouched(row: Mapping[str, Any]) -> bool:
    """Return whether nobody has changed a key since it was made.

    LiteLLM 1.102 sets `settings_updated_at` at the first change; older releases know only `updated_at`, which spending moves as well.
    """
    if "settings_updated_at" in row:
        return row["settings_updated_at"] is None
    made, changed = row.get("created_at"), row.get("updated_at")
    if not made or not changed:
        return False
    return abs(durations.parse_time(changed, "updated_at") - durations.parse_time(made, "created_at")) < timedelta(seconds=1)


def is_set(value: Any) -> bool:
    """Return whether a limit is set. Zero counts as set: nothing may be spent."""
    return value is not None and value is not False and value not in ([], {})


def normal(name: str, value: Any) -> Any:
    """Return `value` in the form to compare: unordered lists sorted, empty values as None, numbers as numbers."""
    if name in _UNORDERED:
        return sorted(value) if value else []
    if name == "blocked":
        return bool(value)
    if name == "model_max_budget":
        return value or {}
    if value is None or value == "":
        return None
    if name in ("max_budget", "soft_budget"):
        return float(value)
    if name in ("rpm_limit", "tpm_limit", "max_parallel_requests"):
        return int(value)
    return value
