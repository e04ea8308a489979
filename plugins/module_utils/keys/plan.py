# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Compare wanted keys with live keys, and decide what to do. Pure, no I/O.

`plan_keys` is the only place that decides. Check mode prints its plan, the real run carries it out and then makes a
second plan from what the gateway says afterwards: whatever that still wants to do has failed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from ..common import durations
from ..litellm.notes import NOTES_NAME
from . import derive
from .derive import ValueOf, derivable
from .history import KeyHistory
from .key import FIELDS, NEVER_ENDS, LiveKey, Notes, WantedKey, normal
from .marks import adoption_mark, is_adopted, is_former_value, is_trusted, retirement_mark, untaken_retired_alias, with_own_generation
from .orphan import ORPHAN, OrphanMark
from .retirement import EXPIRY_TOLERANCE, grace_has_ended, was_overtaken
from .terms import asked, carried, filled_in, fit_for_team, lifetime_of_new_value, metadata_with, noted, spell_end


class KeyAction(StrEnum):
    """The action that a plan takes on an alias."""

    CREATE = "create"
    UPDATE = "update"
    ROTATE = "rotate"
    KEEP = "keep"
    DELETE = "delete"
    UNRECOVERABLE = "unrecoverable"
    CONFLICT = "conflict"
    NOT_CARRIED = "not_carried"
    ABSENT = "absent"


_BLOCKING = (KeyAction.UNRECOVERABLE, KeyAction.CONFLICT, KeyAction.NOT_CARRIED)


class OnUnrecoverable(StrEnum):
    """The choices for a key whose value cannot be derived: fail, replace it, or manage it without knowing its value."""

    FAIL = "fail"
    ROTATE = "rotate"
    KEEP = "keep"


@dataclass(frozen=True)
class Policy:
    """The choices that `plan_keys` leaves to the caller.

    `prune`: delete what belongs to the lab and is not wanted. `grace`: seconds for which a rotated key's former value
    lives on. `renew_expired`: give an expired key its lifetime again, if a lifetime is given. `first_generation`: the lowest
    generation of a new key. `take_over`: write the collection's notes on a key that has none.
    """

    prune: bool = False
    on_unrecoverable: OnUnrecoverable = OnUnrecoverable.FAIL
    grace: int = 0
    renew_expired: bool = True
    first_generation: int = 0
    take_over: bool = True


@dataclass(frozen=True)
class KeyScope:
    """Which rows of the gateway concern a task: the aliases wanted, the searches that list the rows, and the tests that pick them.

    `restored` returns the listed rows with the notes that were lost from keys of the lab.
    """

    aliases: Collection[str]
    searches: Sequence[str]
    concerns: Callable[[LiveKey], bool]
    is_member: Callable[[LiveKey], bool] = lambda _row: False
    restored: Callable[[Collection[LiveKey]], list[LiveKey]] = list


@dataclass(frozen=True)
class Call:
    """One writing call to LiteLLM. `payload` never holds a key's value: `mint` names the alias and generation whose value to add."""

    path: str
    payload: Mapping[str, Any]
    mint: tuple[str, int] | None = None


@dataclass(frozen=True)
class KeyStep:
    """The action on one alias and its reason, with the state before and after for diff mode (nothing secret).

    `live` is the row as it is, `expected` the row as the gateway should have it afterwards, and `retired` are the rows that
    a rotation moves off the alias, as they are afterwards. `recoverable`: the value can be derived.
    """

    alias: str
    action: KeyAction
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    calls: Sequence[Call] = ()
    wanted: WantedKey | None = None
    live: LiveKey | None = None
    expected: LiveKey | None = None
    retired: Sequence[LiveKey] = ()
    recoverable: bool = True
    reason: str = ""


@dataclass(frozen=True)
class KeyPlan:
    """The steps for all keys of a task. `to_delete` are the rows to delete, many in one call; `live` are the rows that it was made from."""

    steps: Sequence[KeyStep]
    to_delete: Sequence[LiveKey] = ()
    warnings: Sequence[str] = ()
    live: Sequence[LiveKey] = ()

    @property
    def rows_afterwards(self) -> list[LiveKey]:
        """The rows as they are when the plan has been carried out."""
        gone = {row.token for row in self.to_delete}
        new = {row.token: row for step in self.steps for row in (*step.retired, *([step.expected] if step.expected else []))}
        return [*(new.pop(row.token, row) for row in self.live if row.token not in gone), *new.values()]

    @property
    def changed(self) -> bool:
        return bool(self.to_delete) or any(step.calls for step in self.steps)

    @property
    def mints(self) -> bool:
        """Whether a new value is minted."""
        return any(call.mint for step in self.steps for call in step.calls)

    @property
    def blockers(self) -> Sequence[KeyStep]:
        """The steps that must be settled before anything is written."""
        return [step for step in self.steps if step.action in _BLOCKING]


def plan_keys(
    wanted: Sequence[WantedKey],
    live: Iterable[LiveKey],
    *,
    value_of: ValueOf,
    now: datetime,
    policy: Policy,
    is_member: Callable[[LiveKey], bool] = lambda _row: False,
    history: KeyHistory | None = None,
    rotated: Iterable[KeyStep] = (),
    others: Iterable[LiveKey] = (),
) -> KeyPlan:
    """Compare wanted keys with live ones and return what to do.

    `live` holds every row that the wanted aliases or the lab may concern; `now` is the gateway's time; `is_member`
    picks the rows of the lab, which `policy.prune` may delete. A new value is of a later generation than all in `history`.
    `rotated` are the rotations that were carried out just before `live` was read: what others did to the former values
    meanwhile is done to the new ones, too. `others` are keys under other aliases: one that has a value of a wanted alias, because
    somebody renamed it, is left alone, and deleted if that value was revoked before.
    """
    aliases = {want.alias for want in wanted}
    rows = [with_own_generation(row, value_of) if row.served_alias in aliases else row for row in live]
    elsewhere = {row.token: row for row in [*rows, *others] if row.served_alias not in aliases}
    minting = Minting(value_of, now, policy, history or KeyHistory(value_of), elsewhere, {row.alias for row in [*rows, *others]})
    rotations = {step.alias: step for step in rotated}
    by_token = {row.token: row for row in rows}
    by_alias: dict[str, list[LiveKey]] = {}
    retired: dict[str, list[LiveKey]] = {}
    claimed: dict[str, list[LiveKey]] = {}
    for row in rows:
        if row.in_service or is_former_value(row, value_of):
            (by_alias if row.in_service else retired).setdefault(row.served_alias, []).append(row)
        else:  # it looks like a former value, and no rotation with this secret made it one
            elsewhere[row.token] = row
            if row.notes and row.notes.retired_from == row.served_alias and row.notes.retired_until:
                claimed.setdefault(row.served_alias, []).append(row)

    steps: list[KeyStep] = []
    to_delete: list[LiveKey] = []
    warnings: list[str] = []
    for want in wanted:
        rotation = rotations.get(want.alias)
        followed, undone = _follow(want, rotation, by_token, minting.history) if rotation else (want, [])
        holders = [row for row in by_alias.get(want.alias, []) if row not in undone]
        decision = _plan_alias(followed, holders, retired.get(want.alias, []), claimed.get(want.alias, []), minting)
        steps.append(decision.step)
        to_delete += [*undone, *decision.to_delete]
        warnings += decision.warnings

    remade = [row for row in elsewhere.values() if minting.history.alias_of(row.token) in aliases]
    to_delete += remade
    warnings += [f"the key {row.alias} has a value that was revoked before, so somebody made it again; it is deleted." for row in remade]
    if policy.prune:
        to_delete += [row for row in rows if is_member(row) and row.served_alias not in aliases and row not in remade]
    steps += _deletions(to_delete)
    return KeyPlan(steps, to_delete, warnings, rows)


def plan_key_deletion(rows: Iterable[LiveKey]) -> KeyPlan:
    """Return the plan that deletes all of `rows`."""
    to_delete = list(rows)
    return KeyPlan(_deletions(to_delete), to_delete)


def plan_key_updates(wanted: Iterable[tuple[LiveKey, WantedKey]], *, value_of: ValueOf, now: datetime) -> KeyPlan:
    """Return the plan that makes each row as it is wanted, without needing to know its value."""
    policy = Policy(renew_expired=False, take_over=False)
    return KeyPlan([_reconcile(want, row, now, policy, value_of, recoverable=derivable(row, value_of)) for row, want in wanted])


def living_generations(rows: Iterable[LiveKey], aliases: Collection[str], value_of: ValueOf, history: KeyHistory) -> dict[str, int]:
    """Return the generation of the key in service under each of `aliases`.

    Raises ValueError for an alias without a key, for one whose value cannot be derived, and for one whose value was revoked before.
    """
    rows = [with_own_generation(row, value_of) for row in rows if row.alias in aliases]
    found = {row.alias: row for row in sorted(rows, key=lambda row: row.generation) if row.in_service and derivable(row, value_of)}
    for alias in aliases:
        if alias in found and history.revoked(found[alias]):
            raise ValueError(f"the key {alias} has a value that was revoked before, so somebody made it again; provision its lab, which replaces it.")
        if alias not in found:
            raise ValueError(f"the gateway has no key {alias} whose value can be derived from this secret; provision it, or give the secret it was made with.")
    return {alias: found[alias].generation for alias in aliases}


def state_of(row: LiveKey) -> dict[str, Any]:
    """Return a row as diff mode shows it: what is set, and nothing secret."""
    shown = dict(row.set_fields)
    shown["expires"] = durations.iso(row.expires) if row.expires else "never"
    shown["metadata"] = {name: value for name, value in row.metadata.items() if name != NOTES_NAME}
    shown["generation"] = row.generation
    return shown


def _deletions(to_delete: Iterable[LiveKey]) -> list[KeyStep]:
    return [KeyStep(alias=row.alias, action=KeyAction.DELETE, before=state_of(row), live=row) for row in to_delete]


@dataclass(frozen=True)
class Minting:
    """All that planning needs besides the keys themselves.

    `now` is the gateway's time, `elsewhere` are keys under other aliases, by token, and `taken` all aliases seen.
    """

    value_of: ValueOf
    now: datetime
    policy: Policy
    history: KeyHistory
    elsewhere: Mapping[str, LiveKey]
    taken: Collection[str]

    def retired_alias(self, row: LiveKey, alias: str) -> str:
        """Return an alias that nobody has for a value that is taken off `alias`."""
        return untaken_retired_alias(row, alias, self.value_of, self.taken)

    def trusts(self, row: LiveKey) -> bool:
        return is_trusted(row, self.value_of)

    def next_generation(self, alias: str, rows: Iterable[LiveKey]) -> int:
        """Return the generation of a new value of `alias`, later than those of `rows` and of deleted keys."""
        living = list(rows)
        least = max(((row.generation if self.trusts(row) else 0) + 1 for row in living), default=self.policy.first_generation)
        # The notes on a living row may have been lost, or lowered: its value is never the next one.
        return self.history.next_generation(alias, least, {row.token for row in living} | self.elsewhere.keys())


@dataclass(frozen=True)
class _Decision:
    """What to do about one alias."""

    step: KeyStep
    to_delete: Sequence[LiveKey] = ()
    warnings: Sequence[str] = ()


def _plan_alias(want: WantedKey, holders: list[LiveKey], former: list[LiveKey], claimed: list[LiveKey], minting: Minting) -> _Decision:
    """Return what to do about an alias, of which `former` are the retired values. Nothing of a value that was revoked before is kept.

    `claimed` are values that a rotation with another secret may have retired: they end and are blocked as former values are, and that is all.
    """
    policy, now = minting.policy, minting.now
    revoked = [row for row in [*holders, *former] if minting.history.revoked(row)]
    holders, former = [row for row in holders if row not in revoked], [row for row in former if row not in revoked]
    displaced = [row for row in revoked if row.in_service] if not holders else []  # deleted when the alias has its new key
    step, duplicates = _plan_key(want, holders, former, displaced, minting)
    if step.action in _BLOCKING:
        return _Decision(step)
    at_once = step.action is KeyAction.ROTATE and not policy.grace  # whoever rotates without grace wants all former values gone
    over = [row for row in former if holders and (at_once or grace_has_ended(row, now) or was_overtaken(row, former, now))]
    others = [row for row in claimed if not row.other_owner(want.lab, want.guid)]
    over += [row for row in others if holders and (at_once or was_overtaken(row, former, now))]
    others = others if want.fields.get("blocked") else []
    more = duplicates if not policy.prune and want.fields.get("blocked") is not None else []  # values that work under the alias, too
    step = _with_former_values(step, want, [*(row for row in (*former, *others) if row not in over), *more], now)
    goes = step.action is KeyAction.ABSENT and want.rotation  # a rotation alone has no terms for a key in its place
    to_delete = [*over, *(row for row in revoked if goes or row not in displaced)]
    warnings = _warnings(step, displaced)
    if step.action is KeyAction.ROTATE and step.live and not displaced and not minting.trusts(step.live):
        warnings.append(
            f"the key {want.alias} was not made with the gateway's master key, and its value cannot be derived; its new value takes over its limits"
            " and its end, but not its user, team and metadata: name those that it shall have."
        )
    if duplicates and policy.prune:
        to_delete += duplicates
    elif duplicates:
        hold = "1 more key holds" if len(duplicates) == 1 else f"{len(duplicates)} more keys hold"
        warnings.append(f"{hold} the alias {want.alias}; the module virtual_keys with state exact deletes what is too much.")
    return _Decision(step, to_delete, warnings)


def _plan_key(want: WantedKey, holders: list[LiveKey], former: list[LiveKey], revoked: list[LiveKey], minting: Minting) -> tuple[KeyStep, list[LiveKey]]:
    """Return the step for one alias, and the duplicate rows that hold it besides the one that counts.

    If the alias has no key besides `revoked` ones, it gets a new key in their place.
    """
    policy = minting.policy
    for row in [*holders, *former]:
        owner = row.other_owner(want.lab, want.guid)
        if owner:
            reason = f"the alias {want.alias} belongs to the lab {owner}; choose another guid or user name."
            return KeyStep(want.alias, KeyAction.CONFLICT, before=state_of(row), wanted=want, live=row, reason=reason), []

    unfinished = [row for row in former if not minting.history.has_later(row)]  # a rotation that was cut off between its two calls
    if not holders and not (want.create or (unfinished and want.rotation)):
        return KeyStep(want.alias, KeyAction.ABSENT, wanted=want, reason=f"the gateway has no key {want.alias}"), []
    if not holders:
        base = max(unfinished, key=lambda row: row.generation, default=None)
        return _displacing(revoked, _create(want, minting.next_generation(want.alias, [*former, *revoked]), base, minting), minting), []

    ours = [row for row in holders if derivable(row, minting.value_of)]
    adopted = [row for row in holders if is_adopted(row, minting.value_of)]
    row = max(ours or adopted or holders, key=lambda row: row.generation)
    want = _revived(want, row)
    duplicates = [other for other in holders if other is not row]
    if want.rotation and (row.notes is None or row.notes.rotation != want.rotation):
        return _rotate(want, row, holders, former, minting), []
    if not (ours or adopted) and policy.on_unrecoverable is OnUnrecoverable.FAIL:
        reason = (
            f"the value of the key {want.alias} cannot be derived: it was made with another secret, or by another tool;"
            " give the secret it was made with, take the key over with the module key_adoption (ACTION adopt of the workload role),"
            " or set on_unrecoverable to rotate or keep."
        )
        return KeyStep(want.alias, KeyAction.UNRECOVERABLE, before=state_of(row), wanted=want, live=row, reason=reason), []
    if not ours and policy.on_unrecoverable is OnUnrecoverable.ROTATE:
        return _rotate(want, row, holders, former, minting), []
    return _reconcile(want, row, minting.now, policy, minting.value_of, recoverable=bool(ours)), duplicates


def _revived(want: WantedKey, row: LiveKey) -> WantedKey:
    """Return `want` with the reaper's mark removed: a lab that asks for its keys is alive. A key that was already blocked stays blocked."""
    mark = OrphanMark.of(row)
    if mark is None:
        return want
    return replace(want, fields={**mark.lifted(), **want.fields}, metadata={ORPHAN: None, **want.metadata})


def _with_former_values(step: KeyStep, want: WantedKey, former: Sequence[LiveKey], now: datetime) -> KeyStep:
    """Return `step` with what is to be done on the other values of its alias: those in their grace period, and duplicates in service.

    They are blocked with the key in service, and unblocked with it; a rotation unblocks none. A lab that asks for its keys is alive, so the
    reaper's block is lifted from them, too. One that somebody extended while it was being retired ends with its grace period again.
    """
    blocked = want.fields.get("blocked")
    if step.action is KeyAction.ABSENT and not blocked:
        return step
    starts = blocked is False and step.action is not KeyAction.ROTATE and (step.live is None or step.live.fields["blocked"])
    calls, changed = [], []
    for row in former:
        lifted = _revived(WantedKey(row.served_alias), row)
        if blocked or (starts and (row.in_service or not grace_has_ended(row, now))):
            lifted = replace(lifted, fields={**lifted.fields, "blocked": blocked})
        fields = {name: value for name, value in lifted.fields.items() if row.fields.get(name) != value}
        payload = dict(fields)
        metadata = metadata_with(row.metadata, lifted.metadata, None)
        if metadata != dict(row.metadata):
            payload["metadata"] = metadata
        ends = durations.parse_time(row.notes.retired_until) if row.notes and row.notes.retired_until else None
        outlives = ends is not None and ends > now and (row.expires is None or row.expires > ends + EXPIRY_TOLERANCE)
        if ends and outlives:
            payload["duration"] = f"{max(1, durations.whole_seconds(ends - now))}s"
        if payload:
            calls.append(Call("/key/update", {"key": row.token, **payload}))
            changed.append(replace(row, fields={**row.fields, **fields}, metadata=metadata, expires=ends if outlives else row.expires))
    if not calls:
        return step
    if step.action is KeyAction.ABSENT:  # only its former values are left
        last = max(former, key=lambda row: row.generation)
        step = replace(step, before=state_of(last), after={**state_of(last), "blocked": True}, live=last)
    action = KeyAction.UPDATE if step.action in (KeyAction.KEEP, KeyAction.ABSENT) else step.action
    # Before the key in service: what it says tells a run that was cut off whether they are still to be unblocked.
    return replace(step, action=action, calls=[*calls, *step.calls], retired=[*step.retired, *changed])


def _follow(want: WantedKey, rotation: KeyStep, live: Mapping[str, LiveKey], history: KeyHistory) -> tuple[WantedKey, list[LiveKey]]:
    """Return `want` after a rotation, with what others did to the former value meanwhile, and the new keys that must not be.

    Somebody who stops, extends or revokes a key while it is rotated sees only its former value. If that was revoked before the
    new one was made, the new one has to go, too, unless the caller creates keys.
    """
    new = live.get(rotation.expected.token) if rotation.expected else None
    if new is None:
        return want, []
    found = [(row, live.get(row.token)) for row in rotation.retired]
    if not want.create and all(history.deleted_before(row.token, new.created_at) for row in rotation.retired):
        return want, [new]
    for row, now_live in found:
        if now_live is None:
            continue
        fields = {name: value for name, value in now_live.fields.items() if value != row.fields[name]}
        metadata = {name: value for name, value in now_live.metadata.items() if name != NOTES_NAME and value != row.metadata.get(name)}
        want = replace(want, fields={**fields, **want.fields}, metadata={**metadata, **want.metadata})
        if now_live.expires and row.expires and now_live.expires > row.expires + EXPIRY_TOLERANCE:
            want = replace(want, expires_by=max(now_live.expires, want.expires_by or now_live.expires))
    return want, []


def _displacing(revoked: Sequence[LiveKey], step: KeyStep, minting: Minting) -> KeyStep:
    """Return `step`, which mints a key, so that it first blocks `revoked` and takes them off its alias. Nothing of theirs is kept."""
    if not revoked:
        return step
    calls, displaced = [], []
    for row in revoked:
        alias = minting.retired_alias(row, step.alias)
        calls.append(Call("/key/update", {"key": row.token, "key_alias": alias, "blocked": True}))
        displaced.append(replace(row, alias=alias, fields={**row.fields, "blocked": True}))
    return replace(step, action=KeyAction.ROTATE, before=state_of(revoked[0]), calls=[*calls, *step.calls], live=revoked[0], retired=displaced)


def _create(want: WantedKey, generation: int, base: LiveKey | None, minting: Minting) -> KeyStep:
    """Return the step that mints a key. Settings that `want` does not mention come from `base`, the row that it takes over from."""
    now = minting.now
    if base and not minting.trusts(base):
        base = carried(base)
    fields = {**(base.set_fields if base else {}), **want.fields}
    fields = {name: value for name, value in fields.items() if value is not None}
    old = base.notes.in_service() if base and base.notes else Notes()
    notes = replace(noted(old, want), generation=generation, rotation=want.rotation or old.rotation)
    lifetime = lifetime_of_new_value(want, base, now)
    notes = replace(notes, asked=asked(fields, want, old, lifetime))
    metadata = metadata_with(base.metadata if base else {}, want.metadata, notes)
    payload: dict[str, Any] = {"key_alias": want.alias, **fields, "metadata": metadata}
    payload.pop("blocked", None)
    if fields.get("blocked"):
        payload["blocked"] = True
    if base:
        payload["spend"] = base.spend
    if lifetime is not None:
        payload["duration"] = f"{lifetime}s"
    after = {name: value for name, value in payload.items() if name not in ("key_alias", "metadata", "duration", "spend")}
    after["expires"] = spell_end(lifetime, base, now)
    after["metadata"] = {name: value for name, value in metadata.items() if name != NOTES_NAME}
    after["generation"] = generation
    call = Call("/key/generate", payload, mint=(want.alias, generation))
    expected = LiveKey(
        alias=want.alias,
        token=derive.token(minting.value_of(want.alias, generation)),
        fields={name: normal(name, fields.get(name)) for name in FIELDS},
        metadata=metadata,
        notes=notes,
        expires=now + timedelta(seconds=lifetime) if lifetime is not None else None,
        spend=base.spend if base else 0.0,
    )
    return KeyStep(want.alias, KeyAction.CREATE, after=after, calls=[call], wanted=want, expected=expected)


def _warnings(step: KeyStep, revoked: Sequence[LiveKey]) -> list[str]:
    """Return what the caller should know about a key: that its value was a `revoked` one, or that the gateway's own rules changed it."""
    row, want = step.live, step.wanted
    if revoked and step.action is KeyAction.ROTATE:
        return [f"the key {step.alias} had a value that was revoked before, so somebody made it again; it gets a new one, and that one is deleted."]
    if revoked and want and want.rotation:
        return [f"the key {step.alias} has a value that was revoked before, so somebody made it again; it is deleted: provision the lab for a new one."]
    if row is None or want is None or not want.endless or row.expires is None or not row.notes or not row.untouched:
        return []
    if row.notes.asked is None or "duration" in row.notes.asked or step.action not in (KeyAction.KEEP, KeyAction.UPDATE):
        return []
    end = durations.iso(row.expires)
    rules = "upperbound_key_generate_params and default_key_generate_params in its litellm_settings"
    return [f"the key {row.alias} was to have no end, and the gateway ends it on {end}; see {rules}."]


def _rotate(want: WantedKey, row: LiveKey, holders: list[LiveKey], former: list[LiveKey], minting: Minting) -> KeyStep:
    """Return the step that moves the values of all `holders` off the alias, for the grace period, and mints the next value under it.

    The former value works until the new one exists, wherever the run is cut off: only a later plan deletes it, once it
    sees the new key and the grace period has ended.
    """
    unmanaged = sorted({name for holder in holders if minting.trusts(holder) for name in holder.unmanaged_settings})
    if unmanaged:
        reason = (
            f"the key {want.alias} has {', '.join(unmanaged)}, which this collection does not manage and a new value would not have;"
            " take these settings off the key, or make its successor by hand."
        )
        return KeyStep(want.alias, KeyAction.NOT_CARRIED, before=state_of(row), wanted=want, live=row, reason=reason)
    now, grace = minting.now, minting.policy.grace
    calls, retired = [], []
    ends = now + timedelta(seconds=grace)
    for holder in holders:
        notes = replace(
            holder.notes if holder.notes and minting.trusts(holder) else Notes(lab=want.lab, guid=want.guid),
            retired_from=want.alias,
            retired_until=durations.iso(ends),
            retired_mark="" if derivable(holder, minting.value_of) else retirement_mark(holder, minting.value_of),
            ends=durations.iso(holder.expires) if holder.expires else NEVER_ENDS,
        )
        payload: dict[str, Any] = {
            "key": holder.token,
            "key_alias": minting.retired_alias(holder, want.alias),
            "metadata": {**holder.metadata, NOTES_NAME: notes.to_metadata()},
        }
        if grace and (holder.expires is None or holder.expires > ends):
            payload["duration"] = f"{grace}s"
        fields = dict(holder.fields)
        if want.fields.get("blocked") and not fields["blocked"]:
            payload["blocked"] = fields["blocked"] = True
        expires = ends if "duration" in payload else holder.expires
        retired.append(replace(holder, alias=payload["key_alias"], fields=fields, metadata=payload["metadata"], notes=notes, expires=expires))
        calls.append(Call("/key/update", payload))
    minted = _create(want, minting.next_generation(want.alias, [*holders, *former]), row, minting)
    return replace(minted, action=KeyAction.ROTATE, before=state_of(row), calls=[*calls, *minted.calls], live=row, retired=retired)


def _reconcile(want: WantedKey, row: LiveKey, now: datetime, policy: Policy, value_of: ValueOf, *, recoverable: bool) -> KeyStep:
    """Return the step that changes what differs, and leaves alone what nobody asked for."""
    payload: dict[str, Any] = {}
    after = dict(row.fields)
    filled = filled_in(want, row)
    for name, value in {**want.fields, **filled}.items():
        if normal(name, value) != row.fields.get(name):
            payload[name] = value
            after[name] = normal(name, value)

    notes: Notes | None = noted(row.notes or Notes(), want)
    if want.adopt and notes:
        notes = replace(notes, adopted=adoption_mark(row, value_of))
    elif row.notes is None and not policy.take_over:
        notes = None
    if notes and filled:
        notes = replace(notes, filled={**notes.filled, **filled})
    metadata = metadata_with(row.metadata, want.metadata, notes)
    if metadata != dict(row.metadata):
        payload["metadata"] = metadata

    expires = row.expires
    if row.expired(now) and policy.renew_expired and want.renews:
        expires = now + timedelta(seconds=want.lifetime) if want.lifetime is not None else None
    if want.expires_by and expires is not None and expires + EXPIRY_TOLERANCE < want.expires_by:
        expires = want.expires_by
    if expires != row.expires:
        payload["duration"] = f"{max(1, durations.whole_seconds(expires - now))}s" if expires else "-1"

    after_row = replace(row, fields=after, metadata=metadata, notes=notes, expires=expires)
    return KeyStep(
        alias=row.alias,
        action=KeyAction.UPDATE if payload else KeyAction.KEEP,
        before=state_of(row),
        after=state_of(after_row),
        calls=[Call("/key/update", {"key": row.token, **part}) for part in (fit_for_team(row, payload), payload) if part],
        wanted=want,
        live=row,
        expected=after_row,
        recoverable=recoverable,
    )
