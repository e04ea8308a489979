# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The results of the modules for keys, and their diff."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..common.durations import iso
from ..litellm import errors
from ..litellm.notes import NOTES_NAME
from .derive import derivable
from .key import LiveKey
from .plan import KeyAction, KeyPlan, KeyStep, plan_key_deletion
from .revocation import Revocation

_ACTION_NAMES = {
    KeyAction.CREATE: "created",
    KeyAction.UPDATE: "updated",
    KeyAction.ROTATE: "rotated",
    KeyAction.KEEP: "unchanged",
    KeyAction.DELETE: "deleted",
}


@dataclass
class KeyOutcome:
    """The steps that were done, or in check mode would be done.

    `live` holds the keys by alias as the gateway listed them afterwards, if it did; `left_out` the keys that could not be
    made. `touched`: a call got through, even if only for a key that is not done.
    """

    plan: KeyPlan
    done: list[KeyStep] = field(default_factory=list)
    live: dict[str, LiveKey] = field(default_factory=dict)
    left_out: dict[str, errors.GatewayError] = field(default_factory=dict)
    revocation: Revocation | None = None
    touched: bool = False
    warnings: list[str] = field(default_factory=list)

    @property
    def absent(self) -> list[str]:
        """The aliases of keys that do not exist, and were not to be created."""
        return [step.alias for step in self.done if step.action is KeyAction.ABSENT]

    @property
    def changed(self) -> bool:
        return self.touched or any(step.calls or step.action is KeyAction.DELETE for step in self.done)

    def to_result(
        self,
        *,
        reveal: Callable[[str, int], str] | None = None,
        known: Mapping[str, str] | None = None,
        with_diff: bool = False,
    ) -> dict[str, Any]:
        """Return a module's result: one entry for each key, counts, and the diff if asked for.

        For a task that hides its output, `reveal` derives values, and `known` are values that the caller knows, by their sha256.
        """
        shown = [step for step in self.done if step.action is not KeyAction.ABSENT]
        keys = [_entry(step, self.live.get(step.alias), reveal, known or {}) for step in shown]
        counts = {word: sum(1 for entry in keys if entry["action"] == word) for word in _ACTION_NAMES.values()}
        result: dict[str, Any] = {
            "changed": self.changed,
            "virtual_keys": keys,
            "counts": counts,
        }
        if self.absent:
            result["absent"] = self.absent
        if self.left_out:
            result["left_out"] = [{"alias": alias, "code": error.code, "msg": str(error)} for alias, error in sorted(self.left_out.items())]
        if with_diff:
            result["diff"] = diff_of(self.done)
        if self.revocation is not None:
            result["revocation"] = self.revocation.to_result()
        return result


class KeysIncomplete(errors.Incomplete):
    """Some of the keys are not as wanted; running again does the rest."""

    outcome: KeyOutcome

    def __init__(self, message: str, outcome: KeyOutcome) -> None:
        super().__init__(message, outcome)


class NotProven(KeysIncomplete):
    """Keys are deleted, but it is not proven that the gateway refuses their values. `code` is `still_accepted` or `unproven`."""

    def __init__(self, code: str, message: str, outcome: KeyOutcome) -> None:
        super().__init__(message, outcome)
        self.code = code


def outcome_of_writes(plan: KeyPlan, done: Sequence[KeyStep], final: KeyPlan | None = None, *, touched: bool = False) -> KeyOutcome:
    """Return the outcome of writing: one step for each alias in the order of `plan`, with the rows of the `final` plan if it is known."""
    best: dict[tuple[str, str], KeyStep] = {}
    for step in done:
        name = (step.alias, step.live.token if step.action is KeyAction.DELETE and step.live else "")  # many rows may hold one alias
        if name not in best or best[name].action is KeyAction.KEEP:
            best[name] = step
    order = {step.alias: number for number, step in enumerate(plan.steps) if step.action is not KeyAction.DELETE}
    entries = sorted(best.values(), key=lambda step: (step.action is KeyAction.DELETE, order.get(step.alias, len(order))))
    live = {step.alias: step.live for step in final.steps if step.live and step.action is not KeyAction.DELETE} if final else {}
    return KeyOutcome(plan, done=entries, live=live, touched=touched)


def outcome_of_deletion(rows: Sequence[LiveKey], remaining: Sequence[LiveKey]) -> KeyOutcome:
    """Return the outcome of deleting `rows`; the gateway still lists those in `remaining`."""
    tokens = {row.token for row in remaining}
    plan = plan_key_deletion(rows)
    return KeyOutcome(plan, done=[step for step in plan.steps if step.live and step.live.token not in tokens])


def diff_of(steps: Iterable[KeyStep]) -> dict[str, Mapping[str, Any]]:
    """Return the state before and after, by alias, of every key that changes."""
    changing = [step for step in steps if step.calls or step.action is KeyAction.DELETE]
    return {
        "before": {step.alias: step.before for step in changing if step.before},
        "after": {step.alias: step.after for step in changing if step.after},
    }


def describe_key(row: LiveKey) -> dict[str, Any]:
    """Return a live key as modules return it. Nothing in it is secret."""
    notes = row.notes
    return {
        "alias": row.alias,
        "key_id": row.token,
        "guid": row.guid,
        "user": notes.user if notes else "",
        "package": notes.package if notes else "",
        "generation": row.generation,
        **row.fields,
        "expires": iso(row.expires) if row.expires else None,
        "spend": row.spend,
        "created_at": iso(row.created_at) if row.created_at else None,
        "metadata": {name: value for name, value in row.metadata.items() if name != NOTES_NAME},
        "managed": notes is not None,
        "retired_from": "" if row.in_service else row.served_alias,
    }


def _entry(step: KeyStep, live: LiveKey | None, reveal: Callable[[str, int], str] | None, known: Mapping[str, str]) -> dict[str, Any]:
    row = step.live if step.action is KeyAction.DELETE else live or step.expected
    if row is None:
        raise AssertionError("only what deletes, or leads to a row, is carried out")
    entry = {**describe_key(row), "action": _ACTION_NAMES[step.action], "recoverable": step.recoverable}
    if reveal and step.action is not KeyAction.DELETE:
        # Another run may have given the alias a later value than the step did, so the row decides.
        if derivable(row, reveal):
            entry["value"] = reveal(row.served_alias, row.generation)
        elif row.token in known:
            entry["value"] = known[row.token]
    return entry
