# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""A virtual key as it is wanted and as the gateway has it.

`FIELDS` names every limit that the collection manages. A wanted key holds only the fields that the caller gave; what it
does not hold is left as it is. The collection's own notes travel in LiteLLM's metadata under one name (`RECORD`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ..common import durations

RECORD = "litellm_virtual_keys"
RECORD_FORMAT = 1

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
_TEXTS = ("lab", "guid", "user", "package", "rotation", "retired_from", "retired_until", "ends", "adopted")

# What LiteLLM lets an admin set on a key beyond `FIELDS`; this collection never does.
_BEYOND = ("aliases", "config", "permissions", "org_id", "budget_limits", "access_group_ids", "object_permission_id", "router_settings", "budget_fallbacks")


@dataclass(frozen=True)
class Record:
    """The collection's notes on a key, kept in its metadata.

    `lab` is the lab's alias, `guid` and `user` whom the key is for, `generation` how often it was rotated, `rotation`
    the label of the last rotation, `retired_from` the alias that this value served before a rotation, `retired_until`
    the time (ISO 8601) up to which it may go on living, `ends` the end that the key had before it was retired (a time
    or `never`), `adopted` the sha256 of a value that somebody else chose and that stays until a rotation.
    """

    lab: str = ""
    guid: str = ""
    user: str = ""
    package: str = ""
    generation: int = 0
    rotation: str = ""
    retired_from: str = ""
    retired_until: str = ""
    ends: str = ""
    adopted: str = ""

    def in_service(self) -> Record:
        """The notes without what only a retired value has, and without what belongs to one value."""
        return replace(self, retired_from="", retired_until="", ends="", adopted="")

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any]) -> Record | None:
        """The notes in `metadata`; None when there are none, or none that this release can read."""
        notes = metadata.get(RECORD)
        if not isinstance(notes, Mapping) or notes.get("format") != RECORD_FORMAT:
            return None
        text = {name: str(notes.get(name) or "") for name in _TEXTS}
        generation = notes.get("generation", 0)
        return cls(generation=generation if isinstance(generation, int) and not isinstance(generation, bool) and generation > 0 else 0, **text)

    def to_metadata(self) -> dict[str, Any]:
        notes: dict[str, Any] = {"format": RECORD_FORMAT, "generation": self.generation}
        for name in _TEXTS:
            if getattr(self, name):
                notes[name] = getattr(self, name)
        return notes


@dataclass(frozen=True)
class WantedKey:
    """A key as it should be.

    `lifetime` in seconds counts from creation. None makes a key for ever; `endless` says that the caller asked for
    that. It says nothing about a key that exists, unless that has expired. `expires_by` is a time before which the key
    must not end: it moves an expiry forward, never back. `rotation`: a label; a key whose record carries another one is
    rotated.
    """

    alias: str
    record: Record
    fields: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    lifetime: int | None = None
    expires_by: datetime | None = None
    rotation: str = ""
    endless: bool = False

    @property
    def renews(self) -> bool:
        """Whether there is a lifetime to give to a key that has expired."""
        return self.endless or self.lifetime is not None


@dataclass(frozen=True)
class LiveKey:
    """A key as the gateway has it. `token` is the sha256 of its value, `expires` None means never, `spend` is in USD.

    `beyond` names what is set on it that this collection does not manage.
    """

    alias: str
    token: str
    fields: Mapping[str, Any]
    metadata: Mapping[str, Any]
    record: Record | None
    expires: datetime | None
    spend: float
    created_at: datetime | None = None
    beyond: tuple[str, ...] = ()

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> LiveKey:
        """From one object of `/key/list?return_full_object=true`. Raises ValueError when it is not such an object."""
        alias, token = row.get("key_alias"), row.get("token")
        if not isinstance(token, str) or not token:
            raise ValueError("an object in LiteLLM's list of keys has no token.")
        metadata = row.get("metadata") or {}
        values = {name: row.get(name) for name in FIELDS}
        values["soft_budget"] = (row.get("litellm_budget_table") or {}).get("soft_budget")
        return cls(
            alias=alias or "",
            token=token,
            fields={name: normal(name, value) for name, value in values.items()},
            metadata=metadata,
            record=Record.from_metadata(metadata),
            expires=durations.parse_time(row["expires"], "expires") if row.get("expires") else None,
            spend=float(row.get("spend") or 0.0),
            created_at=durations.parse_time(row["created_at"], "created_at") if row.get("created_at") else None,
            beyond=tuple(name for name in _BEYOND if row.get(name)),
        )

    @property
    def generation(self) -> int:
        return self.record.generation if self.record else 0

    @property
    def guid(self) -> str:
        """The GUID by the collection's notes, or by release 1.3.2's metadata; '' when neither tells."""
        return self.record.guid if self.record else str(self.metadata.get("guid") or "")

    @property
    def owner(self) -> str:
        """Who stands as owner in its metadata; '' without one, and for `unknown`, which the workload role writes when nobody is named."""
        owner = str(self.metadata.get("owner") or "")
        return "" if owner.lower() == "unknown" else owner

    def other_owner(self, record: Record) -> str:
        """The lab that the key belongs to, when it is another one than that of `record`; '' otherwise."""
        lab = self.record.lab if self.record else ""
        if lab and record.lab:
            return "" if lab == record.lab else self.guid or lab
        return self.guid if record.guid and self.guid != record.guid else ""

    @property
    def adopted(self) -> bool:
        """Whether its value was taken over from somebody else, and is not to be derived until it is rotated."""
        return self.record is not None and self.record.adopted == self.token

    def expired(self, now: datetime) -> bool:
        return self.expires is not None and self.expires <= now


def normal(name: str, value: Any) -> Any:
    """`value` in the one form that compares: lists without order sorted, nothing as None, numbers as numbers."""
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
