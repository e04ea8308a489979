# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Carry a migration out: read both gateways, plan, check, write, read again, call with every value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..common import names
from ..keys import derive
from ..keys.api import KeyApi
from ..keys.derive import ValueOf
from ..keys.key import LiveKey
from ..keys.lab import Lab, history_of, searches_for
from ..keys.plan import KeyAction
from ..keys.reconcile import Reconciler
from ..keys.release_checks import refusal_of_payload
from ..keys.results import KeysIncomplete
from ..keys.revocation import Proof
from ..litellm import errors
from ..litellm.errors import HOPELESS, Refused
from ..litellm.models import Teams, named_among, served_models, unserved
from .move_note import MoveNotes
from .plan import CENT, Move, MovePlan, changed, differences, plan_moves
from .results import MigrationIncomplete, MigrationOutcome

MANY = 50  # with more aliases than this, reading the whole gateway costs less than searching for each


@dataclass(frozen=True)
class MigrationScope:
    """The keys to move: those of a lab, those of a package, or all that this collection manages."""

    guid: str = ""
    package: str = ""

    def rows(self, source: KeyApi, value_of: ValueOf) -> list[LiveKey]:
        """Return the keys of the scope at the source."""
        if not self.guid:
            return [row for row in source.keys() if row.notes and self.package in ("", row.notes.package)]  # noqa: SIM118 - a gateway is not a dict
        lab = Lab(names.check_guid(self.guid), names.lab_alias(self.guid))
        return lab.rows(source, value_of=value_of)

    def __str__(self) -> str:
        if self.guid:
            return f"the lab {self.guid}"
        return f"the package {self.package}" if self.package else "all managed keys"


class Migration:
    """The move of one scope from one source to one target."""

    def __init__(
        self,
        source: KeyApi,
        target: KeyApi,
        reconciler: Reconciler,
        scope: MigrationScope,
        *,
        known: Mapping[str, str],
        renew: bool = False,
        check_models: bool = True,
    ) -> None:
        self.source, self.target, self.scope = source, target, scope
        self.reconciler = reconciler  # of the source: it derives the values, and deletes at the source
        self.known, self.renew, self.check_models = known, renew, check_models

    def copy(self) -> MigrationOutcome:
        """Make the keys at the target. Raises Refused before the first write, MigrationIncomplete if keys are not as they should be."""
        plan = self._plan()
        if not plan.moves and not plan.left_out:
            raise Refused(
                f"there are no keys to move at {self.source.client.connection.base} ({self.scope}); check the scope and the address.", "nothing_to_migrate"
            )
        self._refuse(plan)
        outcome = MigrationOutcome(plan)
        if self.reconciler.check_mode:
            return outcome
        self._write(outcome)
        self._verify(outcome)
        return outcome

    def retire(self, proof: Proof) -> MigrationOutcome:
        """Delete the keys at the source, if all are proven to be at the target, and prove that as `proof` says. Raises as `copy` does."""
        plan = self._plan()
        self._refuse(plan)
        behind = [move.alias for move in plan.moves if move.action is not KeyAction.KEEP and not move.only_spend]
        if behind:
            raise Refused(
                f"{len(behind)} keys are not at the target as they are at the source, {behind[0]} among them; migrate without retire_source first.",
                "not_migrated",
            )
        outcome = MigrationOutcome(plan)
        if not self.reconciler.check_mode:
            self._write(outcome)
            self._verify(outcome)
        moved = {move.row.token: move.row for move in plan.moves}
        left_out = {left.row.token for left in plan.left_out}

        def still_there() -> list[LiveKey]:
            rows = self.scope.rows(self.source, self.reconciler.value_of)
            for row in rows:
                if row.token not in left_out and (row.token not in moved or changed(row, moved[row.token])):
                    raise Refused(f"the key {row.alias} was changed at the source since it was compared; migrate again.", "changed_meanwhile")
            return [row for row in rows if row.token in moved]

        try:
            outcome.retired = self.reconciler.delete(still_there, proof=proof)
        except KeysIncomplete as error:
            outcome.retired = error.outcome
            raise MigrationIncomplete(str(error), outcome, error.code) from None
        except errors.GatewayError as error:
            if not outcome.touched:
                raise
            raise MigrationIncomplete(f"the target was brought up to date, and nothing was deleted at the source: {error}", outcome) from None
        if not self.reconciler.check_mode:
            self._refuse_late_changes(moved, outcome)
        return outcome

    def _refuse_late_changes(self, moved: Mapping[str, LiveKey], outcome: MigrationOutcome) -> None:
        """Raise MigrationIncomplete if a key was changed between the last look at it and its deletion, as the source's list of deleted keys shows."""
        aliases = {row.alias for row in moved.values()}
        deleted = self.source.deleted_keys_like(*searches_for(aliases), aliases=sorted(aliases)) if aliases else []
        last = {row.token: row for row in sorted(deleted or [], key=lambda row: row.deleted_at or self.source.client.now())}
        late = sorted(row.alias for token, row in moved.items() if token in last and changed(last[token], row, was_deleted=True))
        if late:
            raise MigrationIncomplete(
                f"the key {late[0]} was changed at the source while it was deleted there, and not at the target; repeat the change at the target.",
                outcome,
                "changed_meanwhile",
            )

    # ---------------------------------------------------------------------------------------------------- reading
    def _plan(self) -> MovePlan:
        self.source.check_admin()
        self.target.check_admin()
        rows = self.scope.rows(self.source, self.reconciler.value_of)
        source, target = self.source.client.connection, self.target.client.connection
        aliases = {row.served_alias for row in rows}
        at_source, at_target = (history_of(api, aliases, self.reconciler.value_of) for api in (self.source, self.target))
        return plan_moves(
            rows,
            self._at_target(rows),
            notes=MoveNotes(source.base, derive.token(target.api_key), self.reconciler.value_of),
            known=self.known,
            renew=self.renew,
            now=self.source.client.now(),
            history=at_target,
            source_history=at_source,
        )

    def _at_target(self, rows: Sequence[LiveKey]) -> list[LiveKey]:
        aliases = {row.alias for row in rows}
        if len(aliases) > MANY or not self.scope.guid:
            return list(self.target.keys())
        return self.target.keys_like(*searches_for(aliases))

    def _refuse(self, plan: MovePlan) -> None:
        """Raise Refused for moves that would fail half-way, or make keys that cannot be used."""
        if plan.conflicts:
            more = f" (and {len(plan.conflicts) - 1} more)" if len(plan.conflicts) > 1 else ""
            raise Refused(f"{plan.conflicts[0]}{more}.", "conflict")
        to_write = [move for move in plan.moves if move.action is not KeyAction.KEEP]
        for move in to_write:
            refusal = refusal_of_payload(self.target.client, move.alias, move.payload)
            if refusal:
                raise refusal
        wanted = {model for move in to_write for model in move.payload.get("models") or []}
        served = served_models(self.target.client) if wanted and self.check_models else None
        unknown = [] if served is None else unserved(sorted(wanted), served)
        if served is not None and unknown:
            raise Refused(
                f"the target serves no model named {', '.join(unknown)}; it serves {named_among(unknown, served)}: add the model to the target, or set"
                " check_models to false.",
                "unknown_model",
            )
        teams = sorted({str(move.payload["team_id"]) for move in to_write if move.payload.get("team_id")})
        known = Teams(self.target.client)
        absent = [team for team in teams if not known.exists(team)]
        if absent:
            raise Refused(f"the target has no team {', '.join(absent)}; create it there first.", "unknown_team")

    # ---------------------------------------------------------------------------------------------------- writing
    def _write(self, outcome: MigrationOutcome) -> None:
        """Make the changes, which may free an alias, and then the new keys."""

        def write(move: Move) -> None:
            body = move.body(self.target.client.now())
            if move.action is KeyAction.CREATE:
                self.target.client.post("/key/generate", {**body, "key": move.value})
            else:
                self.target.client.post("/key/update", body)
            outcome.touched = True

        hopeless: errors.GatewayError | None = None
        for action in (KeyAction.UPDATE, KeyAction.CREATE):
            to_write = [move for move in outcome.plan.moves if move.action is action]
            results = [hopeless] * len(to_write) if hopeless else self.target.client.each(write, to_write)
            for move, result in zip(to_write, results, strict=True):
                if isinstance(result, errors.GatewayError):
                    outcome.failures[move.alias] = str(result)
                    hopeless = hopeless or (result if isinstance(result, HOPELESS) else None)
        if hopeless and not outcome.touched:
            raise hopeless

    def _verify(self, outcome: MigrationOutcome) -> None:
        """Read the target again, and call it with every value. Raises MigrationIncomplete."""
        moves = outcome.plan.moves
        try:
            found = {row.token: row for row in self._at_target([move.row for move in moves])}
        except errors.GatewayError as error:
            raise MigrationIncomplete(f"keys were written, but the target could not be asked what it has: {error}", outcome) from None
        outcome.after = {move.alias: found[move.token] for move in moves if move.token in found}
        for move in moves:
            live = found.get(move.token)
            if live is None:
                outcome.failures.setdefault(move.alias, "the target does not list it")
            elif move.action is not KeyAction.KEEP and not move.only_spend:
                names = differences(move, live)
                later = names == ["expires"] and move.action is KeyAction.UPDATE and not move.expires  # the target's later expiry stays
                if move.action is KeyAction.CREATE and live.spend < move.row.spend - CENT:
                    names.append("spend")
                if names and not later:
                    outcome.failures.setdefault(move.alias, f"it differs at the target in {', '.join(names)}")

        callable_ = [move for move in moves if move.alias in outcome.after and not outcome.after[move.alias].fields.get("blocked")]
        callable_ = [move for move in callable_ if not move.superseded]
        for move, answer in zip(callable_, self.target.client.each(lambda move: self.target.client.accepts(move.value), callable_), strict=True):
            if answer is not True:
                outcome.failures.setdefault(move.alias, str(answer) if isinstance(answer, errors.GatewayError) else "the target refuses its value")
        outcome.verified = {move.alias for move in moves if move.alias not in outcome.failures}
        if outcome.failures:
            alias, why = next(iter(sorted(outcome.failures.items())))
            raise MigrationIncomplete(
                f"{len(outcome.failures)} of {len(moves)} keys are not at the target as they should be ({alias}: {why});"
                " nothing was deleted at the source, and what is done stays done, so run again.",
                outcome,
            )
