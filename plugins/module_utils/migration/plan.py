# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Plan the move of keys from one gateway to another. Pure, no I/O; `reconcile.py` carries the plan out.

A key is made at the target with the value that it has at the source, so its user need not know of the move. A note in its
metadata says where it came from, when the key there was made, what it had spent, and in which state it was seen. A gateway has
many addresses, so the time at which the key was made tells whether a note is about it. By this note, a later run
distinguishes changes at the source, which it carries over, from changes at the target, which it leaves alone.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ..common.durations import iso, whole_seconds
from ..keys import derive
from ..keys.derive import ValueOf, derivable
from ..keys.history import KeyHistory
from ..keys.key import FIELDS, LiveKey, Notes
from ..keys.plan import KeyAction, state_of
from ..keys.retirement import EXPIRY_TOLERANCE
from ..litellm import errors
from ..litellm.notes import NOTES_NAME

NOTE = "litellm_virtual_keys_migration"
CENT = 1e-9  # the difference that sums of floating-point numbers may have


class SameGateway(errors.GatewayError):
    """Source and target are the same gateway."""

    code = "same_gateway"


@dataclass(frozen=True)
class Move:
    """The action on one key at the target. `live` is its row there. `value` is secret, and never shown."""

    row: LiveKey
    action: KeyAction
    value: str = field(repr=False)
    live: LiveKey | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)
    expires: bool = False  # the expiry is written as well
    new_generation: int | None = None  # of a value that differs from the one at the source
    superseded: bool = False  # the key was rotated at the target since
    only_spend: bool = False

    @property
    def alias(self) -> str:
        return self.row.alias

    @property
    def renewed(self) -> bool:
        """Whether the value differs from the one at the source."""
        return self.new_generation is not None

    @property
    def token(self) -> str:
        """The key's id at the target: after a rotation there, the id of its successor."""
        return self.live.token if self.superseded and self.live else derive.token(self.value)

    def body(self, now: datetime) -> dict[str, Any]:
        """Return the body of the call if it is made at `now`: LiteLLM counts a key's remaining time from the call."""
        body = dict(self.payload)
        if self.expires:
            body["duration"] = f"{max(1, whole_seconds(self.row.expires - now))}s" if self.row.expires else "-1"
            if self.action is KeyAction.CREATE and not self.row.expires:
                del body["duration"]
        return body


@dataclass(frozen=True)
class LeftOut:
    """A key that stays at the source, and the reason."""

    row: LiveKey
    code: str
    reason: str


@dataclass(frozen=True)
class MovePlan:
    """The moves of all keys. `conflicts` must be settled before anything is written."""

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
    known: Mapping[str, str],
    renew: bool,
    now: datetime,
    history: KeyHistory | None = None,
    source_history: KeyHistory | None = None,
) -> MovePlan:
    """Compare the keys of both gateways, and return what to do at the target.

    `origin` is the address of the source, `known` are values that the caller knows, by their sha256. `history` is what the target
    remembers of deleted keys, and `source_history` what the source does: a value that was revoked stays revoked. With `renew`, a
    key gets a new value if nobody knows the one that it has, or if that was revoked. Raises SameGateway if source and target are
    the same gateway.
    """
    history, source_history = history or KeyHistory(value_of), source_history or KeyHistory(value_of)
    at_target = {row.token: row for row in target}
    rows = sorted(source, key=lambda row: row.alias)
    made = {_made(row) for row in rows if row.created_at}
    genuine = [row for row in at_target.values() if derivable(row, value_of) and not history.revoked(row)]
    newer = {row.alias: row for row in genuine if _came_from(row, made, origin) and row.generation}
    moves: list[Move] = []
    left_out: list[LeftOut] = []
    for row in rows:
        found = _value(row, value_of, known)
        revoked = found is not None and (history.revoked(row) or history.has(derive.token(found)) or source_history.revoked(row))
        successor = newer.get(row.alias)
        same = at_target.get(row.token)
        if same and same.created_at and same.created_at == row.created_at:
            raise SameGateway("nothing was changed: source and target are the same gateway, or share a database; give another target.")
        if row.expired(now):
            left_out.append(LeftOut(row, "expired", "it has expired, so there is nothing to carry"))
        elif row.unmanaged_settings:
            reason = f"it has {', '.join(row.unmanaged_settings)}, which this collection does not manage; make it at the target by hand"
            left_out.append(LeftOut(row, "not_carried", reason))
        elif found is not None and successor and derive.token(found) not in at_target and successor.generation > row.generation and not _renewed(successor):
            moves.append(Move(row, KeyAction.KEEP, found, live=successor, superseded=True))
        elif found is not None and not revoked:
            moves.append(_move(row, found, None, at_target, origin, now))
        elif renew and row.alias and row.in_service:
            generation = _new_generation(row, at_target.values(), value_of, history, origin)
            moves.append(_move(row, value_of(row.alias, generation), generation, at_target, origin, now))
        elif revoked:
            reason = "its value was revoked before, here or at the target, and stays revoked; set on_unrecoverable to renew for a new one"
            left_out.append(LeftOut(row, "revoked", reason))
        else:
            reason = "its value is random and nobody has given it; name it in known_values, or set on_unrecoverable to renew for a new one"
            left_out.append(LeftOut(row, "unrecoverable", reason))
    return MovePlan(moves, left_out, _conflicts(moves, at_target.values(), value_of))


def differences(move: Move, live: LiveKey) -> list[str]:
    """Return the names of everything in which `live`, the key at the target, differs from the source, except for its spend."""
    row = move.row
    names = [name for name in FIELDS if row.fields.get(name) != live.fields.get(name)]
    wanted, found = _carried(move.row, move.new_generation), {name: value for name, value in live.metadata.items() if name != NOTE}
    names += ["metadata"] if wanted != found else []
    names += ["alias"] if row.alias != live.alias else []
    ends = {row.expires, live.expires}
    apart = len(ends) > 1 and (row.expires is None or live.expires is None or abs(row.expires - live.expires) > EXPIRY_TOLERANCE)
    return names + (["expires"] if apart else [])


def shown(row: LiveKey) -> dict[str, Any]:
    """Return a key as diff mode shows it."""
    state = state_of(row)
    state["metadata"] = {name: value for name, value in state["metadata"].items() if name != NOTE}
    return {**state, "spend": row.spend}


def _value(row: LiveKey, value_of: ValueOf, known: Mapping[str, str]) -> str | None:
    """Return the value of a key at the source; None if nobody knows it."""
    return value_of(row.served_alias, row.generation) if derivable(row, value_of) else known.get(row.token)


def _new_generation(row: LiveKey, target: Iterable[LiveKey], value_of: ValueOf, history: KeyHistory, origin: str) -> int:
    """Return the generation of the new value that a key has at the target, or gets there: one that was never used there."""
    rivals = [live for live in target if live.served_alias == row.alias]
    for live in rivals:
        if live.in_service and derivable(live, value_of) and _note_about(live, row, origin) and _renewed(live):
            return live.generation
    return history.next_generation(row.alias, row.generation, {live.token for live in rivals})


def _carried(row: LiveKey, new_generation: int | None) -> dict[str, Any]:
    """Return the metadata to carry over. A new value is derived, so the note of an adopted one is dropped."""
    carried = {name: value for name, value in row.metadata.items() if name != NOTE}
    if new_generation is not None:
        notes = row.notes or Notes(guid=row.guid)
        carried[NOTES_NAME] = replace(notes, adopted="", generation=new_generation).to_metadata()
    return carried


def _note_on(live: LiveKey) -> Mapping[str, Any]:
    """Return the note of a migration on a key at the target, or an empty mapping."""
    note = live.metadata.get(NOTE)
    return note if isinstance(note, Mapping) else {}


def _renewed(live: LiveKey) -> bool:
    """Return whether a key at the target was made there with another value than at the source."""
    return _note_on(live).get("renewed") is True


def _made(row: LiveKey) -> str:
    """Return when a key was made, to the microsecond; '' if the gateway does not say."""
    return row.created_at.isoformat() if row.created_at else ""


def _note_about(live: LiveKey, row: LiveKey, origin: str) -> Mapping[str, Any]:
    """Return the note on `live`, a key at the target, if it is about `row`, a key at the source; or an empty mapping."""
    note = _note_on(live)
    known = note.get("made")
    return note if note and (known == _made(row) if known else note.get("from") == origin) else {}


def _came_from(live: LiveKey, made: Collection[str], origin: str) -> bool:
    """Return whether a key at the target was once made from a key at the source, of which `made` are the times at which they were made."""
    note = _note_on(live)
    return bool(note) and (note.get("from") == origin or str(note.get("made")) in made)


def changed(row: LiveKey, before: LiveKey, *, was_deleted: bool = False) -> bool:
    """Return whether a key at the source was changed; what it has spent does not count. LiteLLM's list of deleted keys shows no soft budgets."""
    if was_deleted:
        row = replace(row, fields={**row.fields, "soft_budget": before.fields["soft_budget"]})
    return _seen(row) != _seen(before)


def _seen(row: LiveKey) -> str:
    """Return a short digest of a key's state, which differs if the state does."""
    state = [row.alias, dict(row.fields), dict(row.metadata), iso(row.expires) if row.expires else ""]
    return hashlib.sha256(json.dumps(state, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _move(row: LiveKey, value: str, new_generation: int | None, at_target: Mapping[str, LiveKey], origin: str, now: datetime) -> Move:
    """Return the move of one key. `value` is the one at the target, and `new_generation` its generation if it is a new one."""
    live = at_target.get(derive.token(value))
    note = {"from": origin, "made": _made(row), "at": iso(now), "spend": row.spend, "seen": _seen(row)}
    if new_generation is not None:
        note["renewed"] = True
    carried = {**_carried(row, new_generation), NOTE: note}
    if live is None:
        payload = dict(row.set_fields)
        payload |= {"key_alias": row.alias, "metadata": carried, "spend": row.spend}
        return Move(row, KeyAction.CREATE, value, payload=payload, expires=True, new_generation=new_generation)

    old = _note_about(live, row, origin)
    noted = old.get("spend")
    more = row.spend - (float(noted) if isinstance(noted, int | float) else 0.0)
    spent = {"spend": live.spend + more} if more > CENT else {}
    if old.get("seen") == note["seen"]:
        superseded = live.alias != row.alias
        if not spent:
            return Move(row, KeyAction.KEEP, value, live=live, new_generation=new_generation, superseded=superseded)
        payload = {"key": live.token, "metadata": {**live.metadata, NOTE: note}, **spent}
        return Move(row, KeyAction.UPDATE, value, live=live, payload=payload, new_generation=new_generation, superseded=superseded, only_spend=True)

    payload = {"key": live.token, "metadata": carried, **spent}
    payload |= {name: row.fields.get(name) for name in FIELDS if row.fields.get(name) != live.fields.get(name)}
    if live.alias != row.alias:
        payload["key_alias"] = row.alias
    later = live.expires is not None and (row.expires is None or live.expires + EXPIRY_TOLERANCE < row.expires)
    retired = not row.in_service and live.expires != row.expires  # it ends with its grace period
    return Move(row, KeyAction.UPDATE, value, live=live, payload=payload, expires=later or retired, new_generation=new_generation)


def _conflicts(moves: Sequence[Move], target: Iterable[LiveKey], value_of: ValueOf) -> list[str]:
    """Return a message for each alias that another key holds at the target. The successor after a rotation at the target may hold it."""
    freed = {move.token for move in moves if "key_alias" in move.payload and move.live}
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
