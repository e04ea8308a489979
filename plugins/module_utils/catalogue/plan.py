# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Compare wanted models and credentials with live ones, and decide what to do. Pure, no I/O.

`plan_catalogue` is the only place that decides. Check mode prints its plan, the real run carries it out and then makes a
second plan from what the gateway says afterwards: whatever that still wants to do has failed, or has not reached all workers yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from .compare import HIDDEN, changed_info, changed_params, changed_secrets, prints_of, with_secrets_masked
from .entry import PRICES, EntryNotes, Kind, LiveEntry, WantedEntry
from .fingerprint import Fingerprints

# LiteLLM removes these if a change sets them to null. To remove anything else, the entry has to be replaced.
REMOVABLE = frozenset(PRICES)
# The info that a replaced model keeps. LiteLLM mixes all other info with what it knows about the model itself.
_KEPT_INFO = ("access_groups", "mode")


class CatalogueAction(StrEnum):
    """The action that a plan takes on an entry. REPLACE is a deletion and a creation, for what LiteLLM cannot change."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    KEEP = "keep"
    DELETE = "delete"


@dataclass(frozen=True)
class Blocker:
    """The reason why nothing may be written. `code` is stable."""

    code: str
    reason: str


@dataclass(frozen=True)
class CatalogueStep:
    """The action on one entry, the values to write, and its state before and after for diff mode (nothing secret).

    `params`, `secrets` and `info` are complete for a creation; for a change they are what changes.
    """

    kind: Kind
    name: str
    label: str
    id: str
    action: CatalogueAction
    params: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, Any] = field(default_factory=dict)
    info: Mapping[str, Any] = field(default_factory=dict)
    notes: EntryNotes | None = None
    blocked: bool | None = None
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    live: LiveEntry | None = None

    @property
    def writes(self) -> bool:
        return self.action is not CatalogueAction.KEEP


@dataclass(frozen=True)
class CataloguePlan:
    """The steps for all entries of a task. `blockers` must be settled before anything is written."""

    steps: Sequence[CatalogueStep]
    blockers: Sequence[Blocker] = ()

    @property
    def changed(self) -> bool:
        return any(step.writes for step in self.steps)


@dataclass(frozen=True)
class CatalogueScope:
    """The entries that may be deleted if they are not wanted: those of the set `set_name`, of the kinds in `exact`."""

    set_name: str
    exact: frozenset[Kind] = frozenset()


def plan_catalogue(wanted: Sequence[WantedEntry], live: Sequence[LiveEntry], prints: Fingerprints, scope: CatalogueScope) -> CataloguePlan:
    """Compare wanted entries with live ones and return what to do. `live` holds all models and credentials of the gateway."""
    steps: list[CatalogueStep] = []
    blockers: list[Blocker] = []
    taken: set[tuple[Kind, str]] = set()
    pairs = _matched(wanted, live)
    for _want, match in pairs:
        if match is not None:
            taken.add((match.kind, match.id))
            blockers += _owner_blockers(match, scope.set_name)
    for want, match in pairs:
        step, blocked = _create(want, prints) if match is None else _reconcile(want, match, prints)
        steps.append(step)
        blockers += blocked
    wanted_names = {want.name for want in wanted if want.kind is Kind.MODEL and not want.shares_name}
    to_delete: list[LiveEntry] = []
    for row in live:
        if (row.kind, row.id) in taken or row.team:
            continue
        if row.kind in scope.exact and row.notes is not None and row.notes.set_name == scope.set_name:
            to_delete.append(row)
        elif row.kind is Kind.MODEL and row.name in wanted_names and row.notes is None:
            if row.stored and Kind.MODEL in scope.exact:
                to_delete.append(row)
            else:
                blockers.append(_clash(row))
    steps += [_deletion(row) for row in to_delete]
    plan = CataloguePlan(steps, blockers)
    return CataloguePlan(steps, [*blockers, *_credential_blockers(plan, live)])


@dataclass(frozen=True)
class UnwantedEntry:
    """An entry that must not exist, by name. For a model: one deployment, one id, or all models of the name."""

    kind: Kind
    name: str
    deployment: str | None = None
    id: str | None = None

    def names(self, row: LiveEntry) -> bool:
        """Return whether `row` is the entry, or one of the entries, that this names."""
        if row.kind is not self.kind or row.team or (self.id or row.id) != row.id:
            return False
        return row.name == self.name and (self.deployment is None or (row.notes is not None and row.notes.deployment == self.deployment))


def plan_catalogue_deletion(unwanted: Sequence[UnwantedEntry] | None, live: Sequence[LiveEntry], scope: CatalogueScope) -> CataloguePlan:
    """Return the plan that deletes what `unwanted` names, or everything in the set if it is None."""
    if unwanted is None:
        rows = [row for row in live if row.notes is not None and row.notes.set_name == scope.set_name and row.stored]
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
    blockers += [blocker for row in rows for blocker in _owner_blockers(row, scope.set_name)]
    plan = CataloguePlan([_deletion(row) for row in rows if row.stored], blockers)
    return CataloguePlan(plan.steps, [*blockers, *_credential_blockers(plan, live)])


def _matched(wanted: Sequence[WantedEntry], live: Sequence[LiveEntry]) -> list[tuple[WantedEntry, LiveEntry | None]]:
    """Return each wanted entry with its live one, or None. A model that somebody else made is taken over if it is the only one of its name."""
    by_id = {(row.kind, row.id): row for row in live if row.stored}
    of_name: dict[str, list[LiveEntry]] = {}
    for each in live:
        if each.kind is Kind.MODEL and each.stored and not each.team:
            of_name.setdefault(each.name, []).append(each)
    times: dict[str, int] = {}
    for want in wanted:
        if want.kind is Kind.MODEL:
            times[want.name] = times.get(want.name, 0) + 1
    pairs: list[tuple[WantedEntry, LiveEntry | None]] = []
    for want in wanted:
        row = by_id.get((want.kind, want.key))
        if row is None and want.kind is Kind.MODEL and not want.id:
            rows = of_name.get(want.name, [])
            row = next((each for each in rows if each.notes is not None and each.notes.deployment == want.deployment), None)
            if row is None and len(rows) == 1 and rows[0].notes is None and times[want.name] == 1 and not want.shares_name:
                row = rows[0]
        pairs.append((want, row))
    return pairs


def _owner_blockers(row: LiveEntry, set_name: str) -> list[Blocker]:
    """Return a blocker if `row` belongs to a team or to another set."""
    if row.team:
        return [Blocker("name_clash", f"the model with the id {row.id} belongs to the team {row.team}; choose another id.")]
    if row.notes is not None and row.notes.set_name not in ("", set_name):
        return [
            Blocker(
                "other_set",
                f"the {row.kind} {row.label} belongs to the set {row.notes.set_name}; change it there, or give that set_name to take it.",
            )
        ]
    return []


def _clash(row: LiveEntry) -> Blocker:
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


def _credential_blockers(plan: CataloguePlan, live: Sequence[LiveEntry]) -> Iterable[Blocker]:
    """Yield a blocker for each model that would be left without its credential: LiteLLM accepts it, and then its calls fail."""
    gone = {(step.kind, step.id) for step in plan.steps if step.action is CatalogueAction.DELETE}
    available = {row.name for row in live if row.kind is Kind.CREDENTIAL} - {name for kind, name in gone if kind is Kind.CREDENTIAL}
    available |= {step.name for step in plan.steps if step.kind is Kind.CREDENTIAL and step.action is not CatalogueAction.DELETE}
    uses = {row.id: (row.label, row.credential) for row in live if row.kind is Kind.MODEL and (row.kind, row.id) not in gone}
    asked = set()
    for step in plan.steps:
        if step.kind is Kind.MODEL and step.action is not CatalogueAction.DELETE:
            before = step.live.credential if step.live else ""
            uses[step.id] = (step.label, str(step.params.get("litellm_credential_name", before) or ""))
            asked.add(step.id)
    for row_id, (label, credential) in uses.items():
        if not credential or credential in available:
            continue
        if row_id in asked:
            known = ", ".join(sorted(available)) or "none"
            yield Blocker("unknown_credential", f"the model {label} wants the credential {credential}, and the gateway has {known}; add the credential first.")
        elif (Kind.CREDENTIAL, credential) in gone:
            yield Blocker("in_use", f"the model {label} is called with the credential {credential}; give the model another one, or remove it, first.")


def _deletion(row: LiveEntry) -> CatalogueStep:
    return CatalogueStep(row.kind, row.name, row.label, row.id, CatalogueAction.DELETE, before=_described(row), live=row)


def _described(row: LiveEntry) -> dict[str, Any]:
    """Return an entry to be deleted as diff mode shows it."""
    secrets = frozenset(row.notes.secrets) if row.notes else frozenset[str]()
    return {name: value for name, value in with_secrets_masked(row.params, secrets).items() if value is not None and value is not False}


def _create(want: WantedEntry, prints: Fingerprints) -> tuple[CatalogueStep, list[Blocker]]:
    params, secrets, info = _without_none(want.params), _without_none(want.secrets), _without_none(want.info)
    notes = EntryNotes(want.set_name, want.deployment, prints_of(want, want.key, prints))
    after = {**params, **info, **dict.fromkeys(secrets, HIDDEN), **({"blocked": True} if want.blocked else {})}
    step = CatalogueStep(want.kind, want.name, want.label, want.key, CatalogueAction.CREATE, params, secrets, info, notes, want.blocked or None, after=after)
    if want.kind is Kind.MODEL and not params.get("model"):
        return step, [Blocker("bad_input", f"the gateway has no model {want.label}; give its upstream, so that it can be made.")]
    if want.kind is Kind.CREDENTIAL and not (params or secrets):
        return step, [Blocker("bad_input", f"the gateway has no credential {want.name}; give its provider_key or api_base, so that it can be made.")]
    return step, []


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _reconcile(want: WantedEntry, row: LiveEntry, prints: Fingerprints) -> tuple[CatalogueStep, list[Blocker]]:
    """Return the step that changes what differs, and leaves alone what nobody asked for."""
    fingerprints = prints_of(want, row.id, prints)
    params, info = changed_params(want, row), changed_info(want, row)
    secrets = changed_secrets(want, row, fingerprints)
    old = row.notes or EntryNotes()
    kept = {name: value for name, value in old.secrets.items() if want.secrets.get(name, value) is not None}
    notes = EntryNotes(want.set_name, want.deployment, {**kept, **fingerprints})
    blocked = want.blocked if want.blocked is not None and want.blocked != row.blocked else None
    before = {name: row.params.get(name) for name in params} | {name: row.info.get(name) for name in info}
    after = {**params, **info}
    for name, value in secrets.items():
        before[name] = HIDDEN if name in old.secrets or row.params.get(name) is not None else None
        after[name] = f"{HIDDEN} (new)" if value is not None else None
    if blocked is not None:
        before["blocked"], after["blocked"] = row.blocked, blocked
    before, after = with_secrets_masked(before), with_secrets_masked(after)
    removed = [name for name, value in {**params, **info, **secrets}.items() if value is None and name not in REMOVABLE]
    common: dict[str, Any] = {"notes": notes, "before": before, "after": after, "live": row}
    if removed:
        return _replace(want, row, notes, removed, common)
    if not (params or info or secrets) and blocked is None and notes == row.notes:
        return CatalogueStep(want.kind, want.name, want.label, row.id, CatalogueAction.KEEP, live=row), []
    return CatalogueStep(want.kind, want.name, want.label, row.id, CatalogueAction.UPDATE, params, secrets, info, blocked=blocked, **common), []


def _replace(want: WantedEntry, row: LiveEntry, notes: EntryNotes, removed: Sequence[str], common: Mapping[str, Any]) -> tuple[CatalogueStep, list[Blocker]]:
    """Return the step that makes the entry again without `removed`.

    Everything that stays has to be written again. Masked values are not known, so they block the step unless they are given.
    """
    if want.kind is Kind.CREDENTIAL:
        unknown = [name for name, value in row.params.items() if _is_masked(value)]
    else:
        unknown = [name for name, value in row.params.items() if _is_masked(value)] + list(notes.secrets)
        if row.notes is None and not want.secrets and not row.credential:
            unknown.append("api_key")
    shown = {name: value for name, value in row.params.items() if name not in removed and value is not False and not _is_masked(value)}
    needed = sorted(set(unknown) - set(want.secrets) - set(removed))
    info = {name: row.info[name] for name in _KEPT_INFO if row.info.get(name) is not None}
    if want.kind is Kind.CREDENTIAL:
        info = dict(row.info)
    step = CatalogueStep(
        want.kind,
        want.name,
        want.label,
        row.id,
        CatalogueAction.REPLACE,
        _without_none({**shown, **want.params}),
        _without_none(want.secrets),
        _without_none({**info, **want.info}),
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
