# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What has to happen: wanted keys against live keys. Pure, no I/O.

`make_plan` is the only place that decides. Check mode prints its plan, the real run carries it out and then makes a
second plan from what the gateway says afterwards: whatever that still wants to do has failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from ..common import durations, names
from . import derive
from .key import FIELDS, RECORD, LiveKey, Record, WantedKey, normal
from .orphan import ORPHAN, Mark

# Two clocks and whole seconds meet here: an expiry this close to the wanted one is the wanted one.
EXPIRY_TOLERANCE = timedelta(seconds=60)


class Action(StrEnum):
    """What happens to an alias."""

    CREATE = "create"
    UPDATE = "update"
    ROTATE = "rotate"
    KEEP = "keep"
    DELETE = "delete"
    UNRECOVERABLE = "unrecoverable"
    CONFLICT = "conflict"


class OnUnrecoverable(StrEnum):
    """What to do with a key whose value cannot be derived: stop, replace it, or manage it without knowing its value."""

    FAIL = "fail"
    ROTATE = "rotate"
    KEEP = "keep"


@dataclass(frozen=True)
class Policy:
    """How `make_plan` decides where there is a choice.

    `prune`: delete what belongs to the lab and is not wanted. `grace`: seconds for which a rotated key's former value
    lives on. `renew_expired`: give an expired key its lifetime again, if a lifetime is given.
    """

    prune: bool = False
    on_unrecoverable: OnUnrecoverable = OnUnrecoverable.FAIL
    grace: int = 0
    renew_expired: bool = True


@dataclass(frozen=True)
class Call:
    """One writing call to LiteLLM. `payload` holds no key value: `mint` says whose value to add."""

    path: str
    payload: Mapping[str, Any]
    mint: tuple[str, int] | None = None


@dataclass(frozen=True)
class KeyPlan:
    """What happens to one alias, why, and what it was and will be (for diff mode; no secrets).

    `live` is the row that it is about, `then` the row as the gateway is to have it afterwards.
    """

    alias: str
    action: Action
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    calls: Sequence[Call] = ()
    wanted: WantedKey | None = None
    live: LiveKey | None = None
    then: LiveKey | None = None
    generation: int = 0
    known: bool = True
    reason: str = ""


@dataclass(frozen=True)
class Plan:
    """All of it. `doomed` are the rows that go, in one call for many."""

    keys: Sequence[KeyPlan]
    doomed: Sequence[LiveKey] = ()
    warnings: Sequence[str] = ()

    @property
    def changed(self) -> bool:
        return bool(self.doomed) or any(key.calls for key in self.keys)

    @property
    def blockers(self) -> Sequence[KeyPlan]:
        """What must be settled before anything is written."""
        return [key for key in self.keys if key.action in (Action.UNRECOVERABLE, Action.CONFLICT)]


ValueOf = Callable[[str, int], str]


def make_plan(
    wanted: Sequence[WantedKey],
    live: Iterable[LiveKey],
    *,
    value_of: ValueOf,
    now: datetime,
    policy: Policy,
    is_member: Callable[[LiveKey], bool] = lambda _key: False,
) -> Plan:
    """Compare, and say what to do.

    `live` holds every row that the wanted aliases or the lab may concern. `value_of(alias, generation)` derives a
    value. `now` is the gateway's time. `is_member` tells the rows of the lab, which `policy.prune` may delete.
    """
    rows = list(live)
    by_alias: dict[str, list[LiveKey]] = {}
    retired: dict[str, list[LiveKey]] = {}
    for row in rows:
        (by_alias if home(row) == row.alias else retired).setdefault(home(row), []).append(row)

    plans: list[KeyPlan] = []
    doomed: list[LiveKey] = []
    warnings: list[str] = []
    for want in wanted:
        holders, former = by_alias.get(want.alias, []), retired.get(want.alias, [])
        key, rest = _plan_key(want, holders, former, value_of, now, policy)
        plans.append(key)
        if holders:
            doomed += [row for row in former if _over(row, now)]
        if rest and policy.prune:
            doomed += rest
        elif rest:
            more = "1 more key holds" if len(rest) == 1 else f"{len(rest)} more keys hold"
            warnings.append(f"{more} the alias {want.alias}; the module virtual_keys with state exact deletes what is too much.")

    if policy.prune:
        kept = {want.alias for want in wanted}
        doomed += [row for row in rows if is_member(row) and home(row) not in kept]
    plans += _deletions(doomed)
    return Plan(keys=plans, doomed=doomed, warnings=warnings)


def plan_deletion(rows: Iterable[LiveKey]) -> Plan:
    """The plan that deletes `rows`, whatever they are."""
    doomed = list(rows)
    return Plan(keys=_deletions(doomed), doomed=doomed)


def plan_update(rows: Iterable[LiveKey], change: Callable[[LiveKey], WantedKey], *, value_of: ValueOf, now: datetime) -> Plan:
    """The plan that applies `change` to each of `rows` as it is, without a need to know any value."""
    policy = Policy(renew_expired=False)
    return Plan(keys=[_reconcile(change(row), row, now, policy, known=derivable(row, value_of)) for row in rows])


def derivable(row: LiveKey, value_of: ValueOf) -> bool:
    """Whether the value behind `row` is the one that is derived for the alias it serves, or served."""
    alias = home(row)
    return bool(alias) and derive.token(value_of(alias, row.generation)) == row.token


def state_of(row: LiveKey) -> dict[str, Any]:
    """A row as diff mode and results show it: what was set, and nothing that is secret."""
    shown = _set_fields(row)
    shown["expires"] = durations.iso(row.expires) if row.expires else "never"
    shown["metadata"] = {name: value for name, value in row.metadata.items() if name != RECORD}
    shown["generation"] = row.generation
    return shown


def _set_fields(row: LiveKey) -> dict[str, Any]:
    """The limits that a row has. Zero is one: nothing may be spent."""
    return {name: value for name, value in row.fields.items() if value is not None and value is not False and value not in ([], {})}


def home(row: LiveKey) -> str:
    """The alias that a row serves, or served before it was retired.

    Its alias tells as well as its notes: a run that began before the rotation may have written over the notes since.
    """
    if row.record and row.record.retired_from:
        return row.record.retired_from
    return names.served_alias(row.alias, row.token)


def _end(row: LiveKey) -> datetime | None:
    """When a key ends, or would have ended had it not been retired; None is never."""
    if row.record and row.record.ends:
        return None if row.record.ends == "never" else durations.parse_time(row.record.ends)
    return row.expires


def _over(row: LiveKey, now: datetime) -> bool:
    """Whether the grace period of a retired row has ended."""
    until = row.record.retired_until if row.record else ""
    return not until or durations.parse_time(until) <= now


def _deletions(doomed: Iterable[LiveKey]) -> list[KeyPlan]:
    return [KeyPlan(alias=row.alias, action=Action.DELETE, before=state_of(row), live=row) for row in doomed]


def _plan_key(
    want: WantedKey, holders: list[LiveKey], former: list[LiveKey], value_of: ValueOf, now: datetime, policy: Policy
) -> tuple[KeyPlan, list[LiveKey]]:
    """The plan for one alias, and the further rows that hold it though only one should."""
    for row in [*holders, *former]:
        owner = row.other_owner(want.record)
        if owner:
            reason = f"the alias {want.alias} belongs to the lab {owner}; choose another guid or user name."
            return KeyPlan(want.alias, Action.CONFLICT, before=state_of(row), wanted=want, live=row, reason=reason), []

    top = max((row.generation for row in [*holders, *former]), default=-1)
    if not holders:
        # A rotation was cut off between its two calls: the next value takes over from the retired one.
        base = max(former, key=lambda row: row.generation, default=None)
        return _create(want, top + 1, base, value_of, now), []

    ours = [row for row in holders if derivable(row, value_of)]
    row = max(ours or holders, key=lambda row: row.generation)
    want = _living(want, row)
    rest = [other for other in holders if other is not row]
    if want.rotation and (row.record is None or row.record.rotation != want.rotation):
        return _rotate(want, row, holders, top + 1, value_of, now, policy), []
    if not ours and policy.on_unrecoverable is OnUnrecoverable.FAIL and not row.adopted:
        reason = (
            f"the value of the key {want.alias} cannot be derived: it was made with another secret, or by another tool;"
            " give the secret it was made with, take the key over with the module key_adoption (ACTION adopt of the workload role),"
            " or set on_unrecoverable to rotate or keep."
        )
        return KeyPlan(want.alias, Action.UNRECOVERABLE, before=state_of(row), wanted=want, live=row, reason=reason), []
    if not ours and policy.on_unrecoverable is OnUnrecoverable.ROTATE:
        return _rotate(want, row, holders, top + 1, value_of, now, policy), []
    return _reconcile(want, row, now, policy, known=bool(ours)), rest


def _living(want: WantedKey, row: LiveKey) -> WantedKey:
    """A lab that is given its keys lives: what the reaper blocked works again, unless somebody had stopped it before."""
    mark = Mark.of(row)
    if mark is None:
        return want
    return replace(want, fields={**mark.lifted(), **want.fields}, metadata={ORPHAN: None, **want.metadata})


def _create(want: WantedKey, generation: int, base: LiveKey | None, value_of: ValueOf, now: datetime) -> KeyPlan:
    """Mint a key. With `base`, the row that it takes over from: what is not wanted otherwise is taken from there."""
    record = replace(want.record, generation=generation, rotation=want.rotation or want.record.rotation)
    fields = {**(_set_fields(base) if base else {}), **want.fields}
    fields = {name: value for name, value in fields.items() if value is not None}
    if base and base.record:
        record = _merged(base.record, record).in_service()
    metadata = _metadata(base.metadata if base else {}, want.metadata, record)
    payload: dict[str, Any] = {"key_alias": want.alias, **fields, "metadata": metadata}
    payload.pop("blocked", None)
    if fields.get("blocked"):
        payload["blocked"] = True
    lifetime = want.lifetime
    if base:
        payload["spend"] = base.spend
        ends = _end(base)
        if ends is None or ends > now:
            lifetime = durations.whole_seconds(ends - now) if ends else None
        elif not want.renews:
            lifetime = 1  # what is over stays over
    if want.expires_by and lifetime is not None:
        lifetime = max(lifetime, durations.whole_seconds(want.expires_by - now))
    if lifetime is not None:
        payload["duration"] = f"{lifetime}s"
    after = {name: value for name, value in payload.items() if name not in ("key_alias", "metadata", "duration", "spend")}
    after["expires"] = f"in {durations.spell(lifetime)}" if lifetime is not None else "never"
    after["metadata"] = {name: value for name, value in metadata.items() if name != RECORD}
    after["generation"] = generation
    call = Call("/key/generate", payload, mint=(want.alias, generation))
    then = LiveKey(
        alias=want.alias,
        token=derive.token(value_of(want.alias, generation)),
        fields={name: normal(name, fields.get(name)) for name in FIELDS},
        metadata=metadata,
        record=record,
        expires=now + timedelta(seconds=lifetime) if lifetime is not None else None,
        spend=base.spend if base else 0.0,
    )
    return KeyPlan(want.alias, Action.CREATE, after=after, calls=[call], wanted=want, then=then, generation=generation)


def _rotate(want: WantedKey, row: LiveKey, holders: list[LiveKey], generation: int, value_of: ValueOf, now: datetime, policy: Policy) -> KeyPlan:
    """Move the present value of `row`, and whatever else holds it, off the alias, to live for the grace period, and mint the next one under the alias.

    The former value works until the new one exists, whatever is cut off where: it is deleted only by a later plan,
    which sees the new key and a grace period that is over.
    """
    calls = []
    ends = now + timedelta(seconds=policy.grace)
    for holder in holders:
        former = holder.record or Record(guid=want.record.guid, lab=want.record.lab)
        record = replace(
            former,
            retired_from=want.alias,
            retired_until=durations.iso(ends),
            ends=durations.iso(holder.expires) if holder.expires else "never",
        )
        payload: dict[str, Any] = {
            "key": holder.token,
            "key_alias": names.retired_alias(want.alias, holder.token),
            "metadata": {**holder.metadata, RECORD: record.to_metadata()},
        }
        if policy.grace and (holder.expires is None or holder.expires > ends):
            payload["duration"] = f"{policy.grace}s"
        calls.append(Call("/key/update", payload))
    minted = _create(want, generation, row, value_of, now)
    return replace(minted, action=Action.ROTATE, before=state_of(row), calls=[*calls, *minted.calls], live=row)


def _reconcile(want: WantedKey, row: LiveKey, now: datetime, policy: Policy, *, known: bool) -> KeyPlan:
    """Repair what differs, leave alone what nobody asked for."""
    payload: dict[str, Any] = {}
    after = dict(row.fields)
    for name, value in want.fields.items():
        if normal(name, value) != row.fields.get(name):
            payload[name] = value
            after[name] = normal(name, value)

    record = _merged(row.record or Record(), want.record)
    metadata = _metadata(row.metadata, want.metadata, record)
    if metadata != dict(row.metadata):
        payload["metadata"] = metadata

    expires = row.expires
    if row.expired(now) and policy.renew_expired and want.renews:
        expires = now + timedelta(seconds=want.lifetime) if want.lifetime is not None else None
    if want.expires_by and expires is not None and expires + EXPIRY_TOLERANCE < want.expires_by:
        expires = want.expires_by
    if expires != row.expires:
        payload["duration"] = f"{max(1, durations.whole_seconds(expires - now))}s" if expires else "-1"

    after_row = replace(row, fields=after, metadata=metadata, record=record, expires=expires)
    return KeyPlan(
        alias=row.alias,
        action=Action.UPDATE if payload else Action.KEEP,
        before=state_of(row),
        after=state_of(after_row),
        calls=[Call("/key/update", {"key": row.token, **payload})] if payload else [],
        wanted=want,
        live=row,
        then=after_row,
        generation=row.generation,
        known=known,
    )


def _merged(old: Record, new: Record) -> Record:
    """The notes after a change: what the new ones do not say stays. `new.generation` counts only above the old one."""
    return Record(
        lab=new.lab or old.lab,
        guid=new.guid or old.guid,
        user=new.user or old.user,
        package=new.package or old.package,
        generation=max(new.generation, old.generation),
        rotation=new.rotation or old.rotation,
        retired_from=new.retired_from or old.retired_from,
        retired_until=new.retired_until or old.retired_until,
        ends=new.ends or old.ends,
        adopted=new.adopted or old.adopted,
    )


def _metadata(old: Mapping[str, Any], new: Mapping[str, Any], record: Record) -> dict[str, Any]:
    """LiteLLM replaces metadata as a whole, so everything that was there goes along. A value of None removes a name."""
    merged = {**old, **new, RECORD: record.to_metadata()}
    return {name: value for name, value in merged.items() if value is not None}
