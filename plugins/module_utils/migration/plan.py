# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""From one gateway to another: what has to happen. Pure, no I/O; `migrate.py` carries it out.

A key is made at the target with the value that it has at the source, so nobody has to be told anything. A note in its
metadata says where it came from, what it had spent there, and in which state it was seen: that is how a further run
tells what has changed at the source since from what has changed at the target, which it leaves alone.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ..common.durations import iso, whole_seconds
from ..keys import derive
from ..keys.key import FIELDS, LiveKey, Notes
from ..keys.plan import EXPIRY_TOLERANCE, KeyAction, ValueOf, derivable, state_of
from ..litellm import errors
from ..litellm.notes import NOTES_NAME

NOTE = "litellm_virtual_keys_migration"
CENT = 1e-9  # what sums of floating-point numbers may differ by


class SameGateway(errors.GatewayError):
    """Source and target are one."""

    code = "same_gateway"


@dataclass(frozen=True)
class Move:
    """What happens to one key at the target. `value` is secret, and never shown."""

    row: LiveKey
    action: KeyAction
    value: str = field(repr=False)
    there: LiveKey | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)
    expires: bool = False  # whether the end is written as well
    renewed: bool = False  # the value is another one than at the source
    superseded: bool = False  # rotated at the target since
    only_spend: bool = False

    @property
    def alias(self) -> str:
        return self.row.alias

    @property
    def token(self) -> str:
        """What the target knows the key by: after a rotation there, by its successor's."""
        return self.there.token if self.superseded and self.there else derive.token(self.value)

    def body(self, now: datetime) -> dict[str, Any]:
        """The body of the call that is due at `now`: LiteLLM counts a key's remaining time from there."""
        body = dict(self.payload)
        if self.expires:
            body["duration"] = f"{max(1, whole_seconds(self.row.expires - now))}s" if self.row.expires else "-1"
            if self.action is KeyAction.CREATE and not self.row.expires:
                del body["duration"]
        return body


@dataclass(frozen=True)
class LeftOut:
    """A key that stays where it is, and why."""

    row: LiveKey
    code: str
    reason: str


@dataclass(frozen=True)
class MovePlan:
    """All of it. `conflicts` must be settled before anything is written."""

    moves: Sequence[Move] = ()
    left_out: Sequence[LeftOut] = ()
    conflicts: Sequence[str] = ()

    @property
    def changed(self) -> bool:
        return any(move.action is not KeyAction.KEEP for move in self.moves)


def plan_moves(
    source: Iterable[LiveKey],
    target: Iterable[LiveKey],
    *,
    origin: str,
    value_of: ValueOf,
    given: Mapping[str, str],
    renew: bool,
    now: datetime,
) -> MovePlan:
    """Compare the keys of both gateways, and say what to do at the target.

    `origin` is the address of the source, `given` are known values by their sha256. With `renew`, a key whose value
    nobody knows gets a new one. Raises SameGateway when source and target are one gateway.
    """
    there = {row.token: row for row in target}
    newer = {row.alias: row for row in there.values() if _from(row, origin) and row.generation and derivable(row, value_of)}
    moves: list[Move] = []
    left_out: list[LeftOut] = []
    for row in sorted(source, key=lambda row: row.alias):
        found = _value(row, value_of, given, renew=renew)
        same = there.get(row.token)
        if same and same.created_at and same.created_at == row.created_at:
            raise SameGateway("nothing was changed: source and target are the same gateway, or share a database; give another target.")
        if row.expired(now):
            left_out.append(LeftOut(row, "expired", "it has expired, so there is nothing to carry"))
        elif row.unmanaged_settings:
            reason = f"it has {', '.join(row.unmanaged_settings)}, which this collection does not manage; make it at the target by hand"
            left_out.append(LeftOut(row, "not_carried", reason))
        elif found is None:
            left_out.append(
                LeftOut(
                    row,
                    "unrecoverable",
                    "its value is random and nobody has given it; name it in known_values, or set on_unrecoverable to renew for a new one",
                )
            )
        elif derive.token(found[0]) not in there and row.alias in newer and newer[row.alias].generation > row.generation:
            moves.append(Move(row, KeyAction.KEEP, found[0], there=newer[row.alias], superseded=True))
        else:
            moves.append(_move(row, found, there, origin, now))
    return MovePlan(moves, left_out, _conflicts(moves, there.values(), value_of))


def differences(move: Move, there: LiveKey) -> list[str]:
    """The names of what is not at the target as it is at the source. Spend is not among them, it goes on."""
    row = move.row
    names = [name for name in FIELDS if row.fields.get(name) != there.fields.get(name)]
    wanted, found = _carried(move.row, renewed=move.renewed), {name: value for name, value in there.metadata.items() if name != NOTE}
    names += ["metadata"] if wanted != found else []
    names += ["alias"] if row.alias != there.alias else []
    ends = {row.expires, there.expires}
    apart = len(ends) > 1 and (row.expires is None or there.expires is None or abs(row.expires - there.expires) > EXPIRY_TOLERANCE)
    return names + (["expires"] if apart else [])


def shown(row: LiveKey) -> dict[str, Any]:
    """A key as diff mode shows it."""
    state = state_of(row)
    state["metadata"] = {name: value for name, value in state["metadata"].items() if name != NOTE}
    return {**state, "spend": row.spend}


def _value(row: LiveKey, value_of: ValueOf, given: Mapping[str, str], *, renew: bool) -> tuple[str, bool] | None:
    """The value that the key has at the target, and whether it is a new one; None when there is none."""
    if derivable(row, value_of):
        return value_of(row.served_alias, row.generation), False
    if row.token in given:
        return given[row.token], False
    if renew and row.alias and row.in_service:
        return value_of(row.alias, row.generation), True
    return None


def _carried(row: LiveKey, *, renewed: bool) -> dict[str, Any]:
    """The metadata that goes along. A new value is derived, so the note of an adopted one stays behind."""
    carried = {name: value for name, value in row.metadata.items() if name != NOTE}
    if renewed and row.notes:
        carried[NOTES_NAME] = replace(row.notes, adopted="").to_metadata()
    elif renewed:
        carried[NOTES_NAME] = Notes(guid=row.guid).to_metadata()
    return carried


def _from(row: LiveKey, origin: str) -> Mapping[str, Any]:
    """The note on a key at the target that came from `origin`, or nothing."""
    note = row.metadata.get(NOTE)
    return note if isinstance(note, Mapping) and note.get("from") == origin else {}


def _seen(row: LiveKey) -> str:
    """The state of a key, in a few letters that differ when it does."""
    state = [row.alias, dict(row.fields), dict(row.metadata), iso(row.expires) if row.expires else ""]
    return hashlib.sha256(json.dumps(state, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _move(row: LiveKey, found: tuple[str, bool], there: Mapping[str, LiveKey], origin: str, now: datetime) -> Move:
    value, renewed = found
    held = there.get(derive.token(value))
    note = {"from": origin, "at": iso(now), "spend": row.spend, "seen": _seen(row)}
    carried = {**_carried(row, renewed=renewed), NOTE: note}
    if held is None:
        payload = dict(row.set_fields)
        payload |= {"key_alias": row.alias, "metadata": carried, "spend": row.spend}
        return Move(row, KeyAction.CREATE, value, payload=payload, expires=True, renewed=renewed)

    old = _from(held, origin)
    more = row.spend - float(old.get("spend") or 0.0)
    spent = {"spend": held.spend + more} if more > CENT else {}
    if old.get("seen") == note["seen"]:
        superseded = held.alias != row.alias
        if not spent:
            return Move(row, KeyAction.KEEP, value, there=held, renewed=renewed, superseded=superseded)
        payload = {"key": held.token, "metadata": {**held.metadata, NOTE: note}, **spent}
        return Move(row, KeyAction.UPDATE, value, there=held, payload=payload, renewed=renewed, superseded=superseded, only_spend=True)

    payload = {"key": held.token, "metadata": carried, **spent}
    payload |= {name: row.fields.get(name) for name in FIELDS if row.fields.get(name) != held.fields.get(name)}
    if held.alias != row.alias:
        payload["key_alias"] = row.alias
    later = held.expires is not None and (row.expires is None or held.expires + EXPIRY_TOLERANCE < row.expires)
    return Move(row, KeyAction.UPDATE, value, there=held, payload=payload, expires=later, renewed=renewed)


def _conflicts(moves: Sequence[Move], target: Iterable[LiveKey], value_of: ValueOf) -> list[str]:
    """The aliases that another key holds at the target. One that a rotation at the target has put there is a successor."""
    freed = {move.token for move in moves if "key_alias" in move.payload and move.there}
    wanted = {move.alias: move for move in moves if not move.superseded}
    superseded = {move.alias for move in moves if move.superseded}
    aliases = [move.alias for move in moves]
    twice = sorted(alias for alias, count in Counter(aliases).items() if count > 1)
    found = [f"the source holds the alias {alias} twice; provision its lab there again with state exact" for alias in twice]
    for row in target:
        move = wanted.get(row.alias)
        if move is None or row.token == move.token or row.token in freed or row.alias in superseded:
            continue
        older = derivable(row, value_of) and row.generation < move.row.generation
        cause = "a former value of it, for it was rotated at the source since" if older else "another value"
        found.append(f"the target holds the alias {row.alias} with {cause}; delete or rename that key at the target, if it is not needed")
    return found
