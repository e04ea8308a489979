# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Models and credentials: as wanted, and as LiteLLM has them.

Both are entries with parameters, some of them secret. A model is what LiteLLM calls a deployment: several may serve one
name, and LiteLLM spreads the calls over them.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ..litellm.notes import NOTES_FORMAT, NOTES_NAME
from ..litellm.prices import has_price

PRICES = ("input_cost_per_token", "output_cost_per_token")
_NAMESPACE = uuid.UUID("6d1f6b52-6a0d-5a0e-9d0b-2b1a7c7a4f10")


class Kind(StrEnum):
    """The kind of an entry."""

    MODEL = "model"
    CREDENTIAL = "credential"


@dataclass(frozen=True)
class EntryNotes:
    """The collection's notes on an entry. `secrets` holds a fingerprint for each secret parameter that was written."""

    set_name: str = ""
    deployment: str = ""
    secrets: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_info(cls, info: Mapping[str, Any]) -> EntryNotes | None:
        """Return the notes in a model's or a credential's info; None if there are none, or if this release cannot read them."""
        notes = info.get(NOTES_NAME)
        if not isinstance(notes, Mapping) or notes.get("format") != NOTES_FORMAT:
            return None
        secrets = notes.get("secrets")
        prints = {str(name): str(value) for name, value in secrets.items()} if isinstance(secrets, Mapping) else {}
        return cls(str(notes.get("set") or ""), str(notes.get("deployment") or ""), prints)

    def to_info(self) -> dict[str, Any]:
        """Return the notes as they are kept in LiteLLM's info of the entry."""
        return {"format": NOTES_FORMAT, "set": self.set_name, "deployment": self.deployment, "secrets": dict(self.secrets)}


@dataclass(frozen=True)
class WantedEntry:
    """An entry as a caller wants it. A name that is missing stays as it is; the value None removes a name.

    `params` and `secrets` are LiteLLM's parameters of a model or values of a credential, `info` is LiteLLM's information about it.
    """

    kind: Kind
    name: str
    set_name: str
    deployment: str = ""
    id: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, Any] = field(default_factory=dict)
    info: Mapping[str, Any] = field(default_factory=dict)
    blocked: bool | None = None
    shares_name: bool = False

    @property
    def key(self) -> str:
        """The identifier that LiteLLM uses: the id of a model, the name of a credential."""
        return self.name if self.kind is Kind.CREDENTIAL else self.id or model_id(self.name, self.deployment)

    @property
    def label(self) -> str:
        return label_of(self.name, self.deployment)


@dataclass(frozen=True)
class LiveEntry:
    """An entry as LiteLLM shows it: secrets masked or left out.

    `stored`: in the database, not from the configuration file. LiteLLM does not show that for credentials.
    """

    kind: Kind
    name: str
    id: str
    params: Mapping[str, Any]
    info: Mapping[str, Any]
    notes: EntryNotes | None = None
    stored: bool = True
    team: str = ""
    blocked: bool = False

    @property
    def label(self) -> str:
        return label_of(self.name, self.notes.deployment if self.notes else "")

    @property
    def has_price(self) -> bool:
        """Whether LiteLLM knows what a call of the model costs."""
        return has_price(self.name, self.params, self.info)

    @property
    def credential(self) -> str:
        """The name of the credential that a model is called with."""
        return str(self.params.get("litellm_credential_name") or "") if self.kind is Kind.MODEL else ""


def label_of(name: str, deployment: str) -> str:
    """Return an entry's name as people read it."""
    return f"{name} ({deployment})" if deployment else name


def model_id(name: str, deployment: str) -> str:
    """Return the id of a model that this collection makes. It follows from the name, so two runs at the same time make one model."""
    return str(uuid.uuid5(_NAMESPACE, f"{name}\0{deployment}"))


def live_model(row: Mapping[str, Any]) -> LiveEntry:
    """Return the model in a row of GET /v2/model/info. Raises KeyError, TypeError or AttributeError for anything else."""
    info = dict(row["model_info"])
    return LiveEntry(
        Kind.MODEL,
        name=str(row["model_name"]),
        id=str(info.get("id") or ""),
        params=dict(row["litellm_params"]),
        info={name: value for name, value in info.items() if name not in (NOTES_NAME, "id", "db_model", "blocked")},
        notes=EntryNotes.from_info(info),
        stored=bool(info.get("db_model")),
        team=str(info.get("team_id") or ""),
        blocked=bool(info.get("blocked")),
    )


def live_credential(row: Mapping[str, Any]) -> LiveEntry:
    """Return the credential in a row of GET /credentials. Raises KeyError, TypeError or AttributeError for anything else."""
    info = dict(row["credential_info"] or {})
    name = str(row["credential_name"])
    return LiveEntry(
        Kind.CREDENTIAL,
        name=name,
        id=name,
        params=dict(row["credential_values"] or {}),
        info={name: value for name, value in info.items() if name != NOTES_NAME},
        notes=EntryNotes.from_info(info),
    )
