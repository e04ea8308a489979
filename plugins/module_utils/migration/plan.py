# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Plan the move of keys from one gateway to another. Pure, no I/O; `reconcile.py` carries the plan out.

A key is made at the target with the value that it has at the source, so its user need not know of the move. By the note in its
metadata (`move_note.py`), a later run distinguishes changes at the source, which it carries over, from changes at the target, which it
leaves alone. A key there with a note that nobody can prove gets the terms of the one at the source.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ..common.durations import whole_seconds
from ..keys import derive
from ..keys.derive import ValueOf, derivable
from ..keys.history import KeyHistory
from ..keys.key import FIELDS, LiveKey, Notes
from ..keys.marks import is_trusted
from ..keys.plan import KeyAction, state_of
from ..keys.retirement import EXPIRY_TOLERANCE
from ..keys.terms import notes_for_copy
from ..litellm import errors
from ..litellm.notes import NOTES_NAME
from .move_note import NOTE, MoveNotes, is_renewed, made, seen

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
    notes: MoveNotes,
    known: Mapping[str, str],
    renew: bool,
    now: datetime,
    history: KeyHistory | None = None,
    source_history: KeyHistory | None = None,
) -> MovePlan:
    """Compare the keys of both gateways, and return what to do at the target.

    `known` are values that the caller knows, by their sha256. `history` is what the target remembers of deleted keys, and
    `source_history` what the source does: a value that was revoked stays revoked. With `renew`, a key gets a new value if nobody
    knows the one that it has, or if that was revoked. Raises SameGateway if source and target are the same gateway.
    """
    value_of = notes.value_of
    history, source_history = history or KeyHistory(value_of), source_history or KeyHistory(value_of)
    at_target = {row.token: row for row in target}
    rows = sorted(source, key=lambda row: row.alias)
    times = {made(row) for row in rows if row.created_at}
    genuine = [row for row in at_target.values() if derivable(row, value_of) and not history.revoked(row)]
    newer = {row.alias: row for row in genuine if notes.came_from(row, times) and row.generation}
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
        elif found is not None and successor and derive.token(found) not in at_target and successor.generation > row.generation and not is_renewed(successor):
            moves.append(Move(row, KeyAction.KEEP, found, live=successor, superseded=True))
        elif found is not None and not revoked:
            moves.append(_move(row, found, None, at_target, notes, now))
        elif renew and row.alias and row.in_service and not _may_be_renewed(row, value_of, revoked=revoked):
            reason = "it was not made with the source's master key, so its settings may be anybody's; provision its lab at the target"
            left_out.append(LeftOut(row, "not_carried", reason))
        elif renew and row.alias and row.in_service:
            generation = _new_generation(row, at_target.values(), history, notes)
            moves.append(_move(row, value_of(row.alias, generation), generation, at_target, notes, now))
        elif revoked:
            reason = "its value was revoked before, here or at the target, and stays revoked; set on_unrecoverable to renew for a new one"
            left_out.append(LeftOut(row, "revoked", reason))
        else:
            reason = "its value is random and nobody has given it; name it in known_values, or set on_unrecoverable to renew for a new one"
            left_out.append(LeftOut(row, "unrecoverable", reason))
    return MovePlan(moves, left_out, [*_conflicts(moves, at_target.values(), notes, times), *_widened(moves, notes)])


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


def _new_generation(row: LiveKey, target: Iterable[LiveKey], history: KeyHistory, notes: MoveNotes) -> int:
    """Return the generation of the new value that a key has at the target, or gets there: one that was never used there."""
    rivals = [live for live in target if live.served_alias == row.alias]
    for live in rivals:
        ours = live.in_service and derivable(live, notes.value_of) and live.token != row.token and not history.revoked(live)
        if ours and notes.about(live, row) and is_renewed(live):
            return live.generation
    return history.next_generation(row.alias, row.generation, {live.token for live in rivals})


def _may_be_renewed(row: LiveKey, value_of: ValueOf, *, revoked: bool) -> bool:
    """Return whether the settings of a key may pass to a new value. Who makes a revoked value again chooses its settings, whatever its value says."""
    return row.made_by_admin if revoked else is_trusted(row, value_of)


def _carried(row: LiveKey, new_generation: int | None) -> dict[str, Any]:
    """Return the metadata to carry over. A new value is derived, so the note of an adopted one is dropped."""
    carried = {name: value for name, value in row.metadata.items() if name != NOTE}
    notes = notes_for_copy(row)
    if new_generation is not None:
        carried[NOTES_NAME] = replace(notes or Notes(guid=row.guid), adopted="", generation=new_generation).to_metadata()
    elif notes != row.notes and notes is not None:
        carried[NOTES_NAME] = notes.to_metadata()
    return carried


def changed(row: LiveKey, before: LiveKey, *, was_deleted: bool = False) -> bool:
    """Return whether a key at the source was changed; what it has spent does not count. LiteLLM's list of deleted keys shows no soft budgets."""
    if was_deleted:
        row = replace(row, fields={**row.fields, "soft_budget": before.fields["soft_budget"]})
    return seen(row) != seen(before)


def _move(row: LiveKey, value: str, new_generation: int | None, at_target: Mapping[str, LiveKey], notes: MoveNotes, now: datetime) -> Move:
    """Return the move of one key. `value` is the one at the target, and `new_generation` its generation if it is a new one."""
    live = at_target.get(derive.token(value))
    note = notes.new(row, now, renewed=new_generation is not None)
    carried = {**_carried(row, new_generation), NOTE: note}
    if live is None:
        payload = dict(row.set_fields)
        payload |= {"key_alias": row.alias, "metadata": carried, "spend": row.spend}
        return Move(row, KeyAction.CREATE, value, payload=payload, expires=True, new_generation=new_generation)

    old = notes.about(live, row)
    noted = old.get("spend", live.spend if notes.is_unproven(live, row) else 0.0)  # what an unproven note says may be too much
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


def _conflicts(moves: Sequence[Move], target: Iterable[LiveKey], notes: MoveNotes, times: Collection[str]) -> list[str]:
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
        cause = "another value"
        if derivable(row, notes.value_of) and row.generation < move.row.generation:
            was_moved = notes.came_from(row, times)
            cause = "a former value of it, for it was rotated at the source since" if was_moved else "a former value of it, which was made there and not moved"
        found.append(f"the target holds the alias {row.alias} with {cause}; delete or rename that key at the target, if it is not needed")
    return found


def _widened(moves: Iterable[Move], notes: MoveNotes) -> list[str]:
    """Return a message for each key with the same value at the target that somebody else may have made there, with settings that a move would leave on it."""
    return [
        f"the target has the key {move.live.alias} already, with {', '.join(move.live.unmanaged_settings)}, which this collection does not manage;"
        " delete that key at the target, or take these settings off it"
        for move in moves
        if move.live and move.live.unmanaged_settings and not move.superseded and not notes.about(move.live, move.row)
    ]
