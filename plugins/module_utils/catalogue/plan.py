# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What has to happen: wanted models and credentials against live ones. Pure, no I/O.

`make_plan` is the only place that decides. Check mode prints its plan, the real run carries it out and then makes a
second plan from what the gateway says afterwards: whatever that still wants to do has failed, or has yet to arrive.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from .compare import HIDDEN, changed_info, changed_params, changed_secrets, prints_of, without_secrets
from .entry import PRICES, Kind, Live, Record, Wanted
from .fingerprint import Fingerprints

# LiteLLM takes null for these in a change, and removes them. Anything else goes only with the whole entry.
REMOVABLE = frozenset(PRICES)
# What a model that is made anew takes along of LiteLLM's notes; the others cannot be told from what LiteLLM knows by itself.
_KEPT_INFO = ("access_groups", "mode")


class Action(StrEnum):
    """What happens to an entry. REPLACE is a deletion and a creation, for what LiteLLM cannot change."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    KEEP = "keep"
    DELETE = "delete"


@dataclass(frozen=True)
class Blocker:
    """Why nothing may be written. `code` stays the same."""

    code: str
    reason: str


@dataclass(frozen=True)
class Step:
    """What happens to one entry, what is written, and what it was and will be (for diff mode; no secrets).

    `params`, `secrets` and `info` are what a creation takes whole and a change takes in part.
    """

    kind: Kind
    name: str
    label: str
    id: str
    action: Action
    params: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, Any] = field(default_factory=dict)
    info: Mapping[str, Any] = field(default_factory=dict)
    record: Record | None = None
    blocked: bool | None = None
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    live: Live | None = None

    @property
    def writes(self) -> bool:
        return self.action is not Action.KEEP


@dataclass(frozen=True)
class Plan:
    """All of it."""

    steps: Sequence[Step]
    blockers: Sequence[Blocker] = ()

    @property
    def changed(self) -> bool:
        return any(step.writes for step in self.steps)


@dataclass(frozen=True)
class Scope:
    """Which entries may be deleted beside those that are wanted: of these kinds, those of the set."""

    set_name: str
    exact: frozenset[Kind] = frozenset()


def make_plan(wanted: Sequence[Wanted], live: Sequence[Live], prints: Fingerprints, scope: Scope) -> Plan:
    """Compare, and say what to do. `live` holds all models and all credentials of the gateway."""
    steps: list[Step] = []
    blockers: list[Blocker] = []
    taken: set[tuple[Kind, str]] = set()
    pairs = _matched(wanted, live)
    for _want, match in pairs:
        if match is not None:
            taken.add((match.kind, match.id))
            blockers += _owned_elsewhere(match, scope.set_name)
    for want, match in pairs:
        step, blocked = _create(want, prints) if match is None else _reconcile(want, match, prints)
        steps.append(step)
        blockers += blocked
    wanted_names = {want.name for want in wanted if want.kind is Kind.MODEL and not want.shares_name}
    doomed: list[Live] = []
    for row in live:
        if (row.kind, row.id) in taken or row.team:
            continue
        if row.kind in scope.exact and row.record is not None and row.record.set_name == scope.set_name:
            doomed.append(row)
        elif row.kind is Kind.MODEL and row.name in wanted_names and row.record is None:
            if row.stored and Kind.MODEL in scope.exact:
                doomed.append(row)
            else:
                blockers.append(_clash(row))
    steps += [_deletion(row) for row in doomed]
    plan = Plan(steps, blockers)
    return Plan(steps, [*blockers, *_credential_blockers(plan, live)])


@dataclass(frozen=True)
class Unwanted:
    """What shall not exist: an entry by name; of a model, one deployment, one id, or all of the name."""

    kind: Kind
    name: str
    deployment: str | None = None
    id: str | None = None

    def names(self, row: Live) -> bool:
        if row.kind is not self.kind or row.team or (self.id or row.id) != row.id:
            return False
        return row.name == self.name and (self.deployment is None or (row.record is not None and row.record.deployment == self.deployment))


def plan_deletion(unwanted: Sequence[Unwanted] | None, live: Sequence[Live], scope: Scope) -> Plan:
    """Delete what is named; with None, all of the set."""
    if unwanted is None:
        rows = [row for row in live if row.record is not None and row.record.set_name == scope.set_name and row.stored]
    else:
        rows = [row for row in live if any(each.names(row) for each in unwanted)]
    blockers = [
        Blocker(
            "config_model",
            f"the model {row.name} comes from the gateway's configuration file, which no call can change; remove it there and restart the gateway.",
        )
        for row in rows
        if not row.stored
    ]
    blockers += [blocker for row in rows for blocker in _owned_elsewhere(row, scope.set_name)]
    plan = Plan([_deletion(row) for row in rows if row.stored], blockers)
    return Plan(plan.steps, [*blockers, *_credential_blockers(plan, live)])


def _matched(wanted: Sequence[Wanted], live: Sequence[Live]) -> list[tuple[Wanted, Live | None]]:
    """Each wanted entry with the live one that it is. One of somebody else's, the only one of its name, is taken over."""
    by_id = {(row.kind, row.id): row for row in live if row.stored}
    of_name: dict[str, list[Live]] = {}
    for each in live:
        if each.kind is Kind.MODEL and each.stored and not each.team:
            of_name.setdefault(each.name, []).append(each)
    times: dict[str, int] = {}
    for want in wanted:
        if want.kind is Kind.MODEL:
            times[want.name] = times.get(want.name, 0) + 1
    pairs: list[tuple[Wanted, Live | None]] = []
    for want in wanted:
        row = by_id.get((want.kind, want.key))
        if row is None and want.kind is Kind.MODEL and not want.id:
            rows = of_name.get(want.name, [])
            row = next((each for each in rows if each.record is not None and each.record.deployment == want.deployment), None)
            if row is None and len(rows) == 1 and rows[0].record is None and times[want.name] == 1 and not want.shares_name:
                row = rows[0]
        pairs.append((want, row))
    return pairs


def _owned_elsewhere(row: Live, set_name: str) -> list[Blocker]:
    if row.team:
        return [Blocker("name_clash", f"the model with the id {row.id} belongs to the team {row.team}; choose another id.")]
    if row.record is not None and row.record.set_name not in ("", set_name):
        return [
            Blocker(
                "other_set",
                f"the {row.kind} {row.label} belongs to the set {row.record.set_name}; change it there, or give that set_name to take it.",
            )
        ]
    return []


def _clash(row: Live) -> Blocker:
    if row.stored:
        return Blocker(
            "name_clash",
            f"model name clash: the gateway has a model {row.name} (id {row.id}) that this collection did not make; give that id to take it over,"
            " choose another name, or set shares_name for calls to be spread over both.",
        )
    return Blocker(
        "name_clash",
        f"model name clash: the gateway's configuration file has a model {row.name}, which no call can change; change it there, remove it there,"
        " choose another name, or set shares_name for calls to be spread over both.",
    )


def _credential_blockers(plan: Plan, live: Sequence[Live]) -> Iterable[Blocker]:
    """Models that would be left with a credential that is not there: LiteLLM takes them without a word, and their calls fail."""
    gone = {(step.kind, step.id) for step in plan.steps if step.action is Action.DELETE}
    there = {row.name for row in live if row.kind is Kind.CREDENTIAL} - {name for kind, name in gone if kind is Kind.CREDENTIAL}
    there |= {step.name for step in plan.steps if step.kind is Kind.CREDENTIAL and step.action is not Action.DELETE}
    uses = {row.id: (row.label, row.credential) for row in live if row.kind is Kind.MODEL and (row.kind, row.id) not in gone}
    asked = set()
    for step in plan.steps:
        if step.kind is Kind.MODEL and step.action is not Action.DELETE:
            before = step.live.credential if step.live else ""
            uses[step.id] = (step.label, str(step.params.get("litellm_credential_name", before) or ""))
            asked.add(step.id)
    for row_id, (who, credential) in uses.items():
        if not credential or credential in there:
            continue
        if row_id in asked:
            known = ", ".join(sorted(there)) or "none"
            yield Blocker("unknown_credential", f"the model {who} wants the credential {credential}, and the gateway has {known}; add the credential first.")
        elif (Kind.CREDENTIAL, credential) in gone:
            yield Blocker("in_use", f"the model {who} is called with the credential {credential}; give the model another one, or remove it, first.")


def _deletion(row: Live) -> Step:
    return Step(row.kind, row.name, row.label, row.id, Action.DELETE, before=_described(row), live=row)


def _described(row: Live) -> dict[str, Any]:
    """An entry as diff mode shows it when it goes."""
    secrets = frozenset(row.record.secrets) if row.record else frozenset[str]()
    return {name: value for name, value in without_secrets(row.params, secrets).items() if value is not None and value is not False}


def _create(want: Wanted, prints: Fingerprints) -> tuple[Step, list[Blocker]]:
    params, secrets, info = _given(want.params), _given(want.secrets), _given(want.info)
    record = Record(want.set_name, want.deployment, prints_of(want, want.key, prints))
    after = {**params, **info, **dict.fromkeys(secrets, HIDDEN), **({"blocked": True} if want.blocked else {})}
    step = Step(want.kind, want.name, want.label, want.key, Action.CREATE, params, secrets, info, record, want.blocked or None, after=after)
    if want.kind is Kind.MODEL and not params.get("model"):
        return step, [Blocker("bad_input", f"the gateway has no model {want.label}; give its upstream, so that it can be made.")]
    if want.kind is Kind.CREDENTIAL and not (params or secrets):
        return step, [Blocker("bad_input", f"the gateway has no credential {want.name}; give its provider_key or api_base, so that it can be made.")]
    return step, []


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _reconcile(want: Wanted, row: Live, prints: Fingerprints) -> tuple[Step, list[Blocker]]:
    """Repair what differs, leave alone what nobody asked for."""
    fingerprints = prints_of(want, row.id, prints)
    params, info = changed_params(want, row), changed_info(want, row)
    secrets = changed_secrets(want, row, fingerprints)
    old = row.record or Record()
    kept = {name: value for name, value in old.secrets.items() if want.secrets.get(name, value) is not None}
    record = Record(want.set_name, want.deployment, {**kept, **fingerprints})
    blocked = want.blocked if want.blocked is not None and want.blocked != row.blocked else None
    before = {name: row.params.get(name) for name in params} | {name: row.info.get(name) for name in info}
    after = {**params, **info}
    for name, value in secrets.items():
        before[name] = HIDDEN if name in old.secrets or row.params.get(name) is not None else None
        after[name] = f"{HIDDEN} (new)" if value is not None else None
    if blocked is not None:
        before["blocked"], after["blocked"] = row.blocked, blocked
    before, after = without_secrets(before), without_secrets(after)
    removed = [name for name, value in {**params, **info, **secrets}.items() if value is None and name not in REMOVABLE]
    common: dict[str, Any] = {"record": record, "before": before, "after": after, "live": row}
    if removed:
        return _replace(want, row, record, removed, common)
    if not (params or info or secrets) and blocked is None and record == row.record:
        return Step(want.kind, want.name, want.label, row.id, Action.KEEP, live=row), []
    return Step(want.kind, want.name, want.label, row.id, Action.UPDATE, params, secrets, info, blocked=blocked, **common), []


def _replace(want: Wanted, row: Live, record: Record, removed: Sequence[str], common: Mapping[str, Any]) -> tuple[Step, list[Blocker]]:
    """Make the entry anew without `removed`. Everything that stays has to be written again, and masked values are not known."""
    if want.kind is Kind.CREDENTIAL:
        unknown = [name for name, value in row.params.items() if _is_masked(value)]
    else:
        unknown = [name for name, value in row.params.items() if _is_masked(value)] + list(record.secrets)
        if row.record is None and not want.secrets and not row.credential:
            unknown.append("api_key")
    shown = {name: value for name, value in row.params.items() if name not in removed and value is not False and not _is_masked(value)}
    needed = sorted(set(unknown) - set(want.secrets) - set(removed))
    info = {name: row.info[name] for name in _KEPT_INFO if row.info.get(name) is not None}
    if want.kind is Kind.CREDENTIAL:
        info = dict(row.info)
    step = Step(
        want.kind,
        want.name,
        want.label,
        row.id,
        Action.REPLACE,
        _given({**shown, **want.params}),
        _given(want.secrets),
        _given({**info, **want.info}),
        blocked=(row.blocked if want.blocked is None else want.blocked) or None,
        **common,
    )
    if not needed:
        return step, []
    reason = (
        f"{', '.join(sorted(removed))} of the {want.kind} {want.label} can be removed only by making it anew, and the gateway does not tell its"
        f" {', '.join(needed)}; give that too."
    )
    return step, [Blocker("secret_needed", reason)]


def _is_masked(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_is_masked, value.values()))
    if isinstance(value, list):
        return any(map(_is_masked, value))
    return isinstance(value, str) and "***" in value
