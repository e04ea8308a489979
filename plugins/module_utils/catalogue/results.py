# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The results of the modules for models and credentials, and their diff."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..litellm import errors
from .compare import with_secrets_masked
from .entry import PRICES, Kind, LiveEntry
from .plan import CatalogueAction, CatalogueStep

_ACTION_NAMES = {
    CatalogueAction.CREATE: "created",
    CatalogueAction.UPDATE: "updated",
    CatalogueAction.REPLACE: "replaced",
    CatalogueAction.KEEP: "unchanged",
    CatalogueAction.DELETE: "deleted",
}


@dataclass
class CatalogueOutcome:
    """The steps that were done, or in check mode would be done. `live` is what the gateway lists afterwards."""

    steps: Sequence[CatalogueStep]
    live: Sequence[LiveEntry] = ()
    warnings: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return any(step.writes for step in self.steps)

    def to_result(self, *, with_diff: bool = False) -> dict[str, Any]:
        """Return a module's result: one entry for each model and credential, counts, and the diff if asked for. Nothing in it is secret."""
        after = {(row.kind, row.id): row for row in self.live}
        entries: dict[Kind, list[dict[str, Any]]] = {Kind.MODEL: [], Kind.CREDENTIAL: []}
        for step in self.steps:
            row = step.live if step.action is CatalogueAction.DELETE else after.get((step.kind, step.id), step.live)
            entries[step.kind].append({**describe_entry(row or _expected(step)), "action": _ACTION_NAMES[step.action]})
        everything = [entry for kind in entries.values() for entry in kind]
        result: dict[str, Any] = {
            "changed": self.changed,
            "models": entries[Kind.MODEL],
            "credentials": entries[Kind.CREDENTIAL],
            "counts": {word: sum(1 for entry in everything if entry["action"] == word) for word in _ACTION_NAMES.values()},
        }
        if with_diff:
            writing = [step for step in self.steps if step.writes]
            result["diff"] = {
                "before": {f"{step.kind} {step.label}": step.before for step in writing if step.before},
                "after": {f"{step.kind} {step.label}": step.after for step in writing if step.after},
            }
        return result


class CatalogueIncomplete(errors.Incomplete):
    """Some models or credentials are not as wanted; running again does the rest."""

    outcome: CatalogueOutcome

    def __init__(self, message: str, outcome: CatalogueOutcome) -> None:
        super().__init__(message, outcome)


def _expected(step: CatalogueStep) -> LiveEntry:
    """Return the entry that check mode would make, without what LiteLLM would add from its own knowledge of the model."""
    info = {name: step.params[name] for name in PRICES if name in step.params}
    return LiveEntry(step.kind, step.name, step.id, step.params, {**info, **step.info}, step.notes, blocked=bool(step.blocked))


def describe_entry(row: LiveEntry) -> dict[str, Any]:
    """Return a live entry as modules return it. Nothing in it is secret."""
    secrets = frozenset(row.notes.secrets) if row.notes else frozenset[str]()
    shown: dict[str, Any] = {
        "name": row.name,
        "params": {name: value for name, value in with_secrets_masked(row.params, secrets).items() if value is not None and value is not False},
        "managed": row.notes is not None,
        "set_name": row.notes.set_name if row.notes else "",
    }
    if row.kind is Kind.CREDENTIAL:
        return {**shown, "provider": str(row.info.get("custom_llm_provider") or "")}
    return {
        **shown,
        "deployment": row.notes.deployment if row.notes else "",
        "id": row.id,
        "upstream": row.params.get("model"),
        "credential": row.credential,
        "secrets": sorted(secrets),
        "mode": row.info.get("mode"),
        "access_groups": row.info.get("access_groups") or [],
        "prices": {name: row.info.get(name) for name in PRICES},
        "from_config_file": not row.stored,
        "team_id": row.team,
        "blocked": row.blocked,
    }
