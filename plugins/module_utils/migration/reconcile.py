# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Carries a migration out: read both gateways, plan, check, write, read again, call with every value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..common import names
from ..keys import derive
from ..keys.api import Gateway, unserved
from ..keys.key import LiveKey
from ..keys.lab import Lab, searches
from ..keys.plan import Action
from ..keys.reconcile import Outcome, Reconciler, describe
from ..litellm import errors
from ..litellm.errors import HOPELESS, Incomplete, Refused
from .plan import CENT, NOTE, Move, MovePlan, differences, plan_moves, shown

MANY = 50  # aliases for which reading the whole gateway costs less than looking for each


@dataclass(frozen=True)
class Scope:
    """Which keys: those of a lab, those of a package, or all that this collection manages."""

    guid: str = ""
    package: str = ""

    def rows(self, source: Gateway) -> list[LiveKey]:
        if not self.guid:
            return [row for row in source.keys() if row.record and self.package in ("", row.record.package)]  # noqa: SIM118 - a gateway is no dict
        lab = Lab(names.check_guid(self.guid), names.lab_alias(self.guid))
        return [row for row in source.keys_like(self.guid, thorough=True) if lab.covers(row)]

    def __str__(self) -> str:
        if self.guid:
            return f"the lab {self.guid}"
        return f"the package {self.package}" if self.package else "all managed keys"


@dataclass
class Report:
    """What was done, or in check mode would be."""

    plan: MovePlan
    after: dict[str, LiveKey] = field(default_factory=dict)
    verified: set[str] = field(default_factory=set)
    failures: dict[str, str] = field(default_factory=dict)
    touched: bool = False
    retired: Outcome | None = None


class Failed(errors.GatewayError):
    """Some keys are not at the target as they should be, or are still at the source. Running again does the rest."""

    code = "incomplete"

    def __init__(self, message: str, report: Report) -> None:
        super().__init__(message)
        self.report = report


class Migration:
    """One scope, one source, one target."""

    def __init__(
        self,
        source: Gateway,
        target: Gateway,
        reconciler: Reconciler,
        scope: Scope,
        *,
        given: Mapping[str, str],
        renew: bool = False,
        check_models: bool = True,
    ) -> None:
        self.source, self.target, self.scope = source, target, scope
        self.reconciler = reconciler  # of the source: it derives the values, and deletes there
        self.given, self.renew, self.check_models = given, renew, check_models

    def copy(self) -> Report:
        """Make the keys at the target. Raises Refused before the first write, Failed when keys are not as they should be."""
        plan = self._plan()
        if not plan.moves and not plan.left_out:
            raise Refused(f"{self.scope} has no key at {self.source.client.connection.base}; check the scope and the address.", "nothing_to_migrate")
        self._refuse(plan)
        report = Report(plan)
        if self.reconciler.check_mode:
            return report
        self._write(report)
        self._verify(report)
        return report

    def retire(self) -> Report:
        """Delete at the source what is proven to be at the target, and nothing when one of the keys is not. Raises as `copy` does."""
        plan = self._plan()
        self._refuse(plan)
        behind = [move.alias for move in plan.moves if move.action is not Action.KEEP and not move.only_spend]
        if behind:
            raise Refused(
                f"{len(behind)} keys are not at the target as they are at the source, {behind[0]} among them; migrate without retire_source first.",
                "not_migrated",
            )
        report = Report(plan)
        if not self.reconciler.check_mode:
            self._write(report)
            self._verify(report)
        tokens = {move.row.token for move in plan.moves}
        try:
            report.retired = self.reconciler.delete(lambda: [row for row in self.scope.rows(self.source) if row.token in tokens])
        except Incomplete as error:
            report.retired = error.outcome
            raise Failed(str(error), report) from None
        except errors.GatewayError as error:
            if not report.touched:
                raise
            raise Failed(f"the target was brought up to date, and nothing was deleted at the source: {error}", report) from None
        return report

    # ---------------------------------------------------------------------------------------------------- reading
    def _plan(self) -> MovePlan:
        self.source.check_admin()
        self.target.check_admin()
        rows = self.scope.rows(self.source)
        return plan_moves(
            rows,
            self._at_target(rows),
            origin=self.source.client.connection.base,
            value_of=self.reconciler.value_of,
            given=self.given,
            renew=self.renew,
            now=self.source.client.now(),
        )

    def _at_target(self, rows: Sequence[LiveKey]) -> list[LiveKey]:
        aliases = {row.alias for row in rows}
        if len(aliases) > MANY or not self.scope.guid:
            return list(self.target.keys())
        found = {row.token: row for part in searches(aliases) for row in self.target.keys_like(part, thorough=True)}
        return list(found.values())

    def _refuse(self, plan: MovePlan) -> None:
        """Raises Refused for what would fail half way, or be of no use."""
        if plan.conflicts:
            more = f" (and {len(plan.conflicts) - 1} more)" if len(plan.conflicts) > 1 else ""
            raise Refused(f"{plan.conflicts[0]}{more}.", "conflict")
        busy = [move for move in plan.moves if move.action is not Action.KEEP]
        wanted = {model for move in busy for model in move.payload.get("models") or []}
        unknown = unserved(sorted(wanted), self.target.models()) if wanted and self.check_models else []
        if unknown:
            raise Refused(f"the target serves no model named {', '.join(unknown)}; add it to the target, or set check_models to false.", "unknown_model")
        teams = sorted({str(move.payload["team_id"]) for move in busy if move.payload.get("team_id")})
        absent = [team for team in teams if not self.target.team_exists(team)]
        if absent:
            raise Refused(f"the target has no team {', '.join(absent)}; create it there first.", "unknown_team")

    # ---------------------------------------------------------------------------------------------------- writing
    def _write(self, report: Report) -> None:
        """Changes first, which may free an alias, then what is new."""
        hopeless: list[errors.GatewayError] = []

        def write(move: Move) -> None:
            if hopeless:
                raise hopeless[0]
            body = move.body(self.target.client.now())
            try:
                if move.action is Action.CREATE:
                    self.target.client.post("/key/generate", {**body, "key": move.value})
                else:
                    self.target.client.post("/key/update", body)
            except HOPELESS as error:
                hopeless.append(error)
                raise
            report.touched = True

        for action in (Action.UPDATE, Action.CREATE):
            busy = [move for move in report.plan.moves if move.action is action]
            for move, result in zip(busy, self.target.each(write, busy), strict=True):
                if isinstance(result, errors.GatewayError):
                    report.failures[move.alias] = str(result)
        if hopeless and not report.touched:
            raise hopeless[0]

    def _verify(self, report: Report) -> None:
        """Look at the target again, and call it with every value. Raises Failed."""
        moves = report.plan.moves
        try:
            found = {row.token: row for row in self._at_target([move.row for move in moves])}
        except errors.GatewayError as error:
            raise Failed(f"keys were written, but the target could not be asked what it has: {error}", report) from None
        report.after = {move.alias: found[move.token] for move in moves if move.token in found}
        for move in moves:
            there = found.get(move.token)
            if there is None:
                report.failures.setdefault(move.alias, "the target does not list it")
            elif move.action is not Action.KEEP and not move.only_spend:
                names = differences(move, there)
                later = names == ["expires"] and move.action is Action.UPDATE and not move.expires  # stays
                if move.action is Action.CREATE and there.spend < move.row.spend - CENT:
                    names.append("spend")
                if names and not later:
                    report.failures.setdefault(move.alias, f"it differs at the target in {', '.join(names)}")

        callable_ = [move for move in moves if move.alias in report.after and not report.after[move.alias].fields.get("blocked")]
        callable_ = [move for move in callable_ if not move.superseded]
        for move, answer in zip(callable_, self.target.each(lambda move: self.target.client.accepts(move.value), callable_), strict=True):
            if answer is not True:
                report.failures.setdefault(move.alias, str(answer) if isinstance(answer, errors.GatewayError) else "the target refuses its value")
        report.verified = {move.alias for move in moves if move.alias not in report.failures}
        if report.failures:
            alias, why = next(iter(sorted(report.failures.items())))
            raise Failed(
                f"{len(report.failures)} of {len(moves)} keys are not at the target as they should be ({alias}: {why});"
                " nothing was deleted at the source, and what is done stays done, so run again.",
                report,
            )


_PAST = {Action.CREATE: "created", Action.UPDATE: "updated", Action.KEEP: "unchanged"}


def result_of(report: Report, *, reveal: bool, with_diff: bool) -> dict[str, Any]:
    """What the module returns. Values are in it only with `reveal`, and only those that the target has."""
    keys = [_entry(move, report, reveal=reveal) for move in report.plan.moves if move.alias not in report.failures]
    retired = [] if report.retired is None else [key.alias for key in report.retired.done]
    counts = {word: sum(1 for key in keys if key["action"] == word) for word in _PAST.values()}
    result: dict[str, Any] = {
        "changed": (report.plan.changed if not report.failures else report.touched) or (report.retired is not None and report.retired.changed),
        "virtual_keys": keys,
        "counts": {**counts, "left_out": len(report.plan.left_out), "retired": len(retired)},
        "left_out": [{"alias": each.row.alias, "key_id": each.row.token, "code": each.code, "msg": each.reason} for each in report.plan.left_out],
        "retired": sorted(retired),
    }
    if report.failures:
        result["failures"] = dict(sorted(report.failures.items()))
    if report.retired is not None and report.retired.revocation is not None:
        result["revocation"] = report.retired.revocation
    if with_diff:
        busy = [move for move in report.plan.moves if move.action is not Action.KEEP]
        result["diff"] = {
            "before": {move.alias: shown(move.there) for move in busy if move.there},
            "after": {move.alias: shown(report.after.get(move.alias, move.row)) for move in busy},
        }
    return result


def _entry(move: Move, report: Report, *, reveal: bool) -> dict[str, Any]:
    there = report.after.get(move.alias) or move.there
    entry = describe(there or move.row)
    entry["metadata"] = {name: value for name, value in entry["metadata"].items() if name != NOTE}
    entry |= {
        "alias": move.alias,
        "key_id": move.token,
        "action": _PAST[move.action],
        "verified": move.alias in report.verified,
        "renewed": move.renewed,
        "differs": differences(move, there) if there else [],
    }
    if reveal and derive.token(move.value) == move.token:
        entry["value"] = move.value
    return entry
