# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Bring a gateway's keys to the wanted state: read, plan, check, write, read again.

The plan comes from `plan.py` and nothing here second-guesses it. After writing, the gateway is read and planned
for once more, because LiteLLM's answers to writes prove nothing; whatever the new plan still wants is done in a
further round or reported as failed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache, partial

from ..litellm import errors
from ..litellm.errors import Refused
from . import derive
from .api import KeyApi
from .derive import derivable
from .history import KeyHistory
from .key import LiveKey, WantedKey
from .model_checks import budget_warnings, refusals_of
from .plan import KeyAction, KeyPlan, KeyScope, KeyStep, Policy, plan_key_updates, plan_keys
from .results import KeyOutcome, KeysIncomplete, NotProven, outcome_of_deletion, outcome_of_writes
from .revocation import DeletedValue, Proof, ProofKind, prove

ROUNDS = 5
QUICK_PROOF = Proof()
DAY = timedelta(days=1)

NO_HISTORY = (
    "this release of LiteLLM keeps no list of deleted keys, so a key that is made again under the alias of a deleted"
    " one has the same value; give first_generation if the alias was used before."
)


class ChangedMeanwhile(errors.GatewayError):
    """Somebody else changed a key between reading and writing it, so that the plan for it no longer holds."""

    code = "changed_meanwhile"


OVERTAKEN = (errors.AliasTaken, errors.NotFound, ChangedMeanwhile)
"""What a write meets if somebody else was faster. It is planned for once more."""

IGNORED = errors.ServerFailed("the gateway took the call and did not act on it; see its log, then run again.")


@dataclass
class Written:
    """The result of one round of writing: the steps that went through, and the failures by alias. `touched`: a call got through."""

    done: list[KeyStep] = field(default_factory=list)
    failures: dict[str, errors.GatewayError] = field(default_factory=dict)
    touched: bool = False


class Reconciler:
    """Carries plans out on one gateway. `secret` is what key values are derived from."""

    def __init__(self, api: KeyApi, secret: str, *, check_mode: bool = False) -> None:
        self.api = api
        self.check_mode = check_mode
        self._history: KeyHistory | None = None
        self._history_is_old = False
        self._has_history = True
        self._others: Sequence[LiveKey] = ()

        @cache
        def value_of(alias: str, generation: int) -> str:
            return derive.value(secret, alias, generation)

        self.value_of: Callable[[str, int], str] = value_of

    # ------------------------------------------------------------------------------------------------ wanted keys
    def apply(
        self,
        wanted: Sequence[WantedKey],
        scope: KeyScope,
        policy: Policy,
        *,
        check_models: bool = True,
        keep_going: bool = False,
        proof: Proof = QUICK_PROOF,
    ) -> KeyOutcome:
        """Make `wanted` true within `scope`.

        Raises Refused before the first write when a value cannot be derived, an alias belongs to another lab, or a
        model, a team or the right to manage keys is missing. Raises KeysIncomplete when writes failed, and NotProven. With `keep_going`,
        keys that cannot be made are left out instead, and the others are made. Deletions are proven as `proof` says.
        """
        self._history = None
        plan = self._plan(wanted, scope, policy)
        refused = {key.alias: Refused(key.reason, key.action.value) for key in plan.blockers}
        warnings: list[str] = []
        if plan.changed and (keep_going or not refused):
            refused |= self._refusals(plan, check_models)
            warnings = budget_warnings(self.api.client, plan.steps) if check_models else []
        if refused and not keep_going:
            raise next(iter(refused.values()))
        if refused:
            wanted = [want for want in wanted if want.alias not in refused]
            spared, is_member = set(refused), scope.is_member  # a key that was left out must not be pruned
            scope = replace(scope, is_member=lambda row: is_member(row) and row.served_alias not in spared)
            plan = self._plan(wanted, scope, policy)
        if not plan.changed:
            if policy.prune:
                self.api.check_sees_all(plan.live)  # an API key that sees only its own keys would find nothing to prune
            outcome = outcome_of_writes(plan, plan.steps, plan)
        elif self.check_mode:
            plan = self._without_taken_values(plan, wanted, scope, policy)
            outcome = KeyOutcome(plan, done=self._predict(plan, wanted, scope, policy))
        else:
            outcome = self._carry_out(plan, wanted, scope, policy, keep_going, proof)
        outcome.left_out |= refused
        outcome.warnings += warnings
        if plan.mints and not self._has_history:
            outcome.warnings.append(NO_HISTORY)
        return outcome

    def _carry_out(self, first: KeyPlan, wanted: Sequence[WantedKey], scope: KeyScope, policy: Policy, keep_going: bool, proof: Proof) -> KeyOutcome:
        """Write and read again until nothing is left to write."""
        started = self.api.client.now()
        plan, done, must_exist, touched = first, [key for key in first.steps if key.action in (KeyAction.KEEP, KeyAction.ABSENT)], set[str](), False
        for _round in range(ROUNDS):
            written = self._write(plan)
            done += written.done
            touched |= written.touched
            taken = {alias for alias, error in written.failures.items() if isinstance(error, errors.AliasTaken)}
            must_exist |= taken | {key.alias for key in written.done if key.action is not KeyAction.DELETE}
            if plan.mints:
                # A run that revokes keys may have made the same value and deleted it since the history was read. LiteLLM then answers to the
                # minting as to any other, and its list of living keys shows nothing, so only the list of deleted keys tells.
                self._history = None
            self._history_is_old = True
            rotated = [key for key in written.done if key.action is KeyAction.ROTATE]
            try:
                plan = self._plan(wanted, scope, policy, must_exist, rotated)
            except errors.GatewayError as error:
                if written.failures and not touched:
                    raise next(iter(written.failures.values())) from None
                reason = f"keys were written, but the gateway could not be asked what it has: {error}"
                raise KeysIncomplete(reason, outcome_of_writes(first, done, touched=touched)) from None
            if plan.blockers:
                raise KeysIncomplete(f"keys were written, but {plan.blockers[0].reason}", outcome_of_writes(first, done, touched=touched))
            absent = {key.alias: key for key in plan.steps if key.action is KeyAction.ABSENT}  # others deleted these meanwhile
            done = [key for key in done if key.alias not in absent or key.action is KeyAction.DELETE] + list(absent.values())
            done += _steps_without_answer(first, plan, done, started)
            if not plan.changed:
                outcome = outcome_of_writes(first, done, plan, touched=touched)
                outcome.warnings += plan.warnings
                self._prove(outcome, proof)
                return outcome
            if not all(isinstance(error, OVERTAKEN) for error in written.failures.values()):
                break
        left = {key.alias: written.failures.get(key.alias, IGNORED) for key in plan.steps if key.action not in (KeyAction.KEEP, KeyAction.ABSENT)}
        outcome = outcome_of_writes(first, [key for key in done if key.alias not in left], plan, touched=touched)
        if keep_going:
            outcome.left_out = left
            return outcome
        if written.failures and not touched:
            raise next(iter(written.failures.values()))
        some = "; ".join(f"{alias}: {error}" for alias, error in list(left.items())[:3])
        few = "1 key is" if len(left) == 1 else f"{len(left)} keys are"
        raise KeysIncomplete(
            f"{few} not as wanted ({some}{'; ...' if len(left) > 3 else ''}); what is done stays done, so run again.",
            outcome,
        )

    def _plan(self, wanted: Sequence[WantedKey], scope: KeyScope, policy: Policy, must_exist: Iterable[str] = (), rotated: Sequence[KeyStep] = ()) -> KeyPlan:
        """Read and plan. If a search misses an alias in `must_exist`, fall back to listing every key. `rotated`: see `plan_keys`."""
        if self._history is None:  # before the living keys: one that is deleted in between must not look as if it had been made again
            self._read_history(scope.searches, {*scope.aliases, *(row.alias for step in rotated for row in step.retired)})
        found = {row.token: row for row in scope.restored(self.api.keys_like(*scope.searches))}
        if not {row.alias for row in found.values()}.issuperset(must_exist):
            found = {row.token: row for row in scope.restored(self.api.keys())}
        rows = [row for row in found.values() if scope.concerns(row)]
        self._others = [row for row in found.values() if not scope.concerns(row)]
        plan = self._plan_for(rows, wanted, scope, policy, rotated)
        if not (plan.mints and self._history_is_old):
            return plan
        self._history = None  # what was deleted since must not be minted
        return self._plan(wanted, scope, policy, must_exist, rotated)

    def _plan_for(self, rows: Sequence[LiveKey], wanted: Sequence[WantedKey], scope: KeyScope, policy: Policy, rotated: Iterable[KeyStep] = ()) -> KeyPlan:
        return plan_keys(
            wanted,
            rows,
            value_of=self.value_of,
            now=self.api.client.now(),
            policy=policy,
            is_member=scope.is_member,
            history=self._history,
            rotated=rotated,
            others=self._others,
        )

    def _without_taken_values(self, plan: KeyPlan, wanted: Sequence[WantedKey], scope: KeyScope, policy: Policy) -> KeyPlan:
        """Return `plan` with later values for those that somebody has made already, under an alias that no search finds.

        LiteLLM answers 200 to minting such a value again, and keeps the other key. A real run notices when it reads the keys again.
        """
        asked = set[str]()
        while tokens := sorted({step.expected.token for step in plan.steps if step.expected and any(call.mint for call in step.calls)} - asked):
            asked.update(tokens)
            taken = self._living_with(tokens)
            if taken:
                self._others = [*self._others, *taken]
                plan = self._plan_for(plan.live, wanted, scope, policy)
        return plan

    def _predict(self, plan: KeyPlan, wanted: Sequence[WantedKey], scope: KeyScope, policy: Policy) -> list[KeyStep]:
        """Return the steps that a real run would do: those of `plan`, and the deletions that only a later round can do."""
        later = self._plan_for(plan.rows_afterwards, wanted, scope, policy)
        return [*plan.steps, *(step for step in later.steps if step.action is KeyAction.DELETE)]

    def _read_history(self, searches: Sequence[str], aliases: Iterable[str]) -> None:
        """Read which values were deleted."""
        self._remember(self.api.deleted_keys_like(*searches, aliases=sorted(aliases)))

    def _remember(self, deleted: Iterable[LiveKey] | None) -> None:
        """Note which values were deleted. A gateway that keeps no list of deleted keys has no history, which counts as an empty one."""
        self._history = KeyHistory(self.value_of, deleted or [])
        self._history_is_old = False
        self._has_history = deleted is not None

    def _refusals(self, plan: KeyPlan, check_models: bool) -> dict[str, Refused]:
        """Return a refusal for each key that the gateway would accept although it could not be used.

        Raises NotAdmin if the API key may not manage keys at all.
        """
        self.api.check_admin()
        return refusals_of(self.api.client, plan.steps, check_models=check_models)

    def _write(self, plan: KeyPlan) -> Written:
        """Make the calls of `plan`, several keys at a time, and its deletions afterwards if nothing failed. Failures are kept by alias."""
        to_write = [key for key in plan.steps if key.calls]
        written = Written()

        def write(key: KeyStep) -> None:
            try:
                self._check_unchanged(key)
                for call in key.calls:
                    minted = {"key": self.value_of(*call.mint)} if call.mint else {}
                    self.api.client.post(call.path, {**call.payload, **minted})
                    written.touched = True
            except errors.EnterpriseOnly as error:
                raise error.with_free_way("instead of model_max_budget, make a key for each model, with a max_budget of its own") from None

        for key, result in zip(to_write, self.api.client.each(write, to_write), strict=True):
            if isinstance(result, errors.GatewayError):
                written.failures[key.alias] = result
            else:
                written.done.append(key)
        if plan.to_delete and not written.failures:
            deletions = [key for key in plan.steps if key.action is KeyAction.DELETE]
            try:
                self.api.delete([row.token for row in plan.to_delete])
                written.done += deletions
                written.touched = True
            except errors.GatewayError as error:
                written.failures |= {key.alias: error for key in deletions}
        return written

    def _check_unchanged(self, step: KeyStep) -> None:
        """Raise ChangedMeanwhile if somebody changed a key since it was read that a rotation would retire, with the settings then read."""
        if step.action is not KeyAction.ROTATE or step.live is None:
            return
        found = self.api.keys(key_hash=step.live.token)
        if not found or any(getattr(found[0], name) != getattr(step.live, name) for name in ("alias", "fields", "metadata", "expires")):
            raise ChangedMeanwhile(f"somebody changed the key {step.alias} at the same time; run again.")

    # ------------------------------------------------------------------------------------------- keys as they are
    def change(
        self,
        rows: Sequence[LiveKey],
        change: Callable[[LiveKey], WantedKey],
        reread: Callable[[], Iterable[LiveKey]],
        *,
        find_deleted: Callable[[Sequence[LiveKey]], Iterable[LiveKey] | None] | None = None,
        check_models: bool = True,
    ) -> KeyOutcome:
        """Apply `change` to live rows, without needing to know their values. Raises as `apply` does.

        `reread` returns the rows that are to be changed after the writes: a key that somebody rotated meanwhile has a new one. With
        `find_deleted`, which returns deleted keys as `KeyApi.deleted_keys_like` does, a key whose value was revoked before is only ever blocked.
        """
        if find_deleted:
            self._remember(find_deleted(rows))
            if any(self._is_revoked(row) for row in rows):
                rows = list(reread())  # without those that were deleted just now
        first = self._plan_changes(rows, change)
        warnings = [_left_alone(row) for row in rows if self._is_revoked(row) and not change(row).fields.get("blocked")]
        if not first.changed:
            return KeyOutcome(first, done=list(first.steps), warnings=warnings)
        for refusal in self._refusals(first, check_models).values():
            raise refusal
        warnings += budget_warnings(self.api.client, first.steps) if check_models else []
        if self.check_mode:
            return KeyOutcome(first, done=list(first.steps), warnings=warnings)
        done, touched, plan = {key.alias: key for key in first.steps if not key.calls}, False, first
        for _round in range(ROUNDS):
            written = self._write(plan)
            done |= {key.alias: key for key in written.done}
            touched |= written.touched
            overtaken = all(isinstance(error, OVERTAKEN) for error in written.failures.values())
            if not (overtaken or touched):
                raise next(iter(written.failures.values()))
            try:
                after = list(reread())
            except errors.GatewayError as error:
                if not touched:
                    raise
                reason = f"keys were written, and could not be read again: {error}"
                raise KeysIncomplete(reason, KeyOutcome(plan, done=written.done, touched=True)) from None
            plan = self._plan_changes(after, change)
            if not (overtaken and plan.changed):
                break
        left = {key.alias: written.failures.get(key.alias, IGNORED) for key in plan.steps if key.calls}
        finished = [key for alias, key in done.items() if alias not in left]
        outcome = KeyOutcome(first, done=finished, live={row.alias: row for row in after}, touched=touched, warnings=warnings)
        if left:
            alias, failure = next(iter(left.items()))
            raise KeysIncomplete(f"{len(left)} of {len(rows)} keys are not as wanted ({alias}: {failure}); run again.", outcome)
        return outcome

    def _plan_changes(self, rows: Iterable[LiveKey], change: Callable[[LiveKey], WantedKey]) -> KeyPlan:
        wanted = [(row, change(row)) for row in rows]
        allowed = [(row, want) for row, want in wanted if self._may_be_changed(row, want.fields.get("blocked"))]
        return plan_key_updates(allowed, value_of=self.value_of, now=self.api.client.now())

    def _may_be_changed(self, row: LiveKey, blocked: bool | None) -> bool:
        """Return whether a row may be changed: a revoked value may only be `blocked`, and one without a successor also unblocked."""
        if self._is_revoked(row):
            return bool(blocked)
        return blocked is not None or not self._is_over(row)

    def _is_revoked(self, row: LiveKey) -> bool:
        return self._history is not None and self._history.revoked(row)

    def _is_over(self, row: LiveKey) -> bool:
        """Return whether a retired value will have no successor: that was deleted. A gateway without history cannot tell, so there it counts as over."""
        if self._history is None or row.in_service:
            return False
        return not self._has_history or self._history.has_later(row)

    # --------------------------------------------------------------------------------------------------- deletion
    def delete(
        self,
        find: Callable[[], Iterable[LiveKey]],
        *,
        proof: Proof = QUICK_PROOF,
        deleted_elsewhere: Sequence[DeletedValue] = (),
        find_deleted: Callable[[], Iterable[LiveKey]] = tuple,
    ) -> KeyOutcome:
        """Delete what `find` finds until it finds nothing, then prove as `proof` says that the values are refused. Raises NotProven.

        `deleted_elsewhere` names values that were deleted directly in LiteLLM's database: they are proven, too, as far as they can be derived.
        So are the keys of `find_deleted` that were deleted within a day, perhaps by a run whose proof failed. A key that somebody made again with
        one of these values is deleted, whatever its alias.
        """
        rows = list(find())
        self.api.check_sees_all(rows)  # an API key that sees only its own keys would find too few keys, or none
        recent: list[LiveKey] = []
        since = self.api.client.now() - DAY
        recent = [row for row in find_deleted() if row.deleted_at and row.deleted_at > since]
        if proof.kind is not ProofKind.NONE:
            derived = [DeletedValue(row.served_alias, row.generation, row.token) for row in recent if derivable(row, self.value_of)]
            deleted_elsewhere = list(dict.fromkeys([*deleted_elsewhere, *derived]))
        remade = self._remade(recent, {row.token for row in rows})
        rows += remade
        if self.check_mode or not (rows or deleted_elsewhere):
            return outcome_of_deletion(rows, ())
        find = partial(_with_those_of, find, self.api, [row.token for row in remade])
        left: Sequence[LiveKey] = rows
        try:
            for _round in range(ROUNDS):
                if left:
                    self.api.delete([row.token for row in left])
                    left = list(find())
        except errors.GatewayError as error:
            try:
                left = list(find())
            except errors.GatewayError:
                reason = f"keys may have been deleted, but the gateway could not be asked what is left: {error}"
                raise KeysIncomplete(reason, replace(outcome_of_deletion(rows, rows), touched=True)) from None
            if len(left) >= len(rows):
                raise
        outcome = outcome_of_deletion(rows, left)
        self._prove(outcome, proof, deleted_elsewhere)
        if left:
            names = ", ".join(sorted(row.alias for row in left)[:5])
            raise KeysIncomplete(
                f"the gateway still lists {len(left)} of {len(rows)} keys after their deletion, {names} among them;"
                " run again, or remove them from its database, as the role ocp4_workload_litellm_virtual_keys does"
                " with ocp4_workload_litellm_virtual_keys_force_db_delete.",
                outcome,
            )
        return outcome

    def _remade(self, deleted: Iterable[LiveKey], known: Collection[str]) -> list[LiveKey]:
        """Return the living keys with a value of `deleted`, besides the `known` tokens. Nobody but somebody who knew the value can have made them."""
        tokens = sorted({row.token for row in deleted} - set(known))
        found = self._living_with(tokens)
        for row in found:
            self.api.warn_once(f"the key {row.alias} has a value that was revoked before, so somebody made it again; it is deleted.")
        return found

    def _living_with(self, tokens: Sequence[str]) -> list[LiveKey]:
        """Return the living keys that have one of `tokens`, whatever their alias, at a call for each."""
        return [row for rows in self.api.client.all(lambda token: self.api.keys(key_hash=token), tokens) for row in rows]

    def _prove(self, outcome: KeyOutcome, proof: Proof, deleted_elsewhere: Sequence[DeletedValue] = ()) -> None:
        """Prove that the values of the keys that `outcome` has deleted are refused, and note the proof in it. Raises NotProven.

        Values that cannot be derived cannot be tried: for those, the only proof is a list without the key.
        """
        gone = [key.live for key in outcome.done if key.action is KeyAction.DELETE and key.live]
        if not gone and not deleted_elsewhere:
            return
        known = [row for row in gone if derivable(row, self.value_of)]
        values = [(row.alias, self.value_of(row.served_alias, row.generation)) for row in known]
        unknown = [row.alias for row in gone if row not in known]
        for deleted in deleted_elsewhere:
            value = self.value_of(deleted.alias, deleted.generation)
            if deleted.key_id in ("", derive.token(value)):
                values.append((deleted.alias, value))
            else:  # it was adopted, or made by another tool: that another value is refused proves nothing
                unknown.append(deleted.alias)
        outcome.revocation = prove(self.api.client, values, proof, listed_only=unknown)
        failure = outcome.revocation.failure()
        if failure:
            raise NotProven(*failure, outcome)


def _with_those_of(find: Callable[[], Iterable[LiveKey]], api: KeyApi, tokens: Sequence[str]) -> list[LiveKey]:
    """Return what `find` finds, and the keys that have these tokens."""
    found = list(find())
    known = {row.token for row in found}
    return found + [row for token in tokens if token not in known for row in api.keys(key_hash=token)]


def _left_alone(row: LiveKey) -> str:
    """Return the warning about a key whose value was revoked before."""
    return f"the key {row.alias} has a value that was revoked before, so somebody made it again; it is left alone: provision the lab to replace it."


def _steps_without_answer(first: KeyPlan, final: KeyPlan, done: Sequence[KeyStep], started: datetime) -> list[KeyStep]:
    """Return a step for each key of `final` that `done` lacks: a call of ours whose answer was lost, or somebody else's.

    A key that is older than this run, according to its row in LiteLLM, is somebody else's.
    """
    planned = {key.alias: key for key in first.steps if key.action is not KeyAction.DELETE}
    have = {key.alias for key in done if key.action is not KeyAction.DELETE}
    found = []
    for key in final.steps:
        plan = planned.get(key.alias)
        if key.action is not KeyAction.KEEP or key.alias in have or plan is None or key.live is None:
            continue
        made = key.live.created_at
        older = plan.action is KeyAction.CREATE and made is not None and made < started - timedelta(seconds=2)
        found.append(key if older else plan)
    return found
