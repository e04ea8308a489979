# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Bring a gateway to what is wanted: read, plan, check, write, read again.

The plan comes from `plan.py` and nothing here second-guesses it. After writing, the gateway is read and planned
for once more, because LiteLLM's answers to writes prove nothing; whatever the new plan still wants is done in a
further round or reported as failed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from . import derive, errors
from .durations import iso
from .gateway import Gateway, unserved
from .key import RECORD, LiveKey, WantedKey
from .plan import Action, KeyPlan, Plan, Policy, derivable, home, make_plan, plan_deletion, plan_update

ROUNDS = 3
REVOCATION_SECONDS = 65.0  # LiteLLM's workers remember a key for up to 60 s
PROBES = 2


class Refused(errors.GatewayError):
    """Something stands in the way, and nothing was written. `code` says what."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(f"nothing was changed: {message}")
        self.code = code


class Incomplete(errors.GatewayError):
    """Some of the writes failed. Running again does the rest."""

    code = "incomplete"

    def __init__(self, message: str, outcome: Outcome) -> None:
        super().__init__(message)
        self.outcome = outcome


@dataclass
class Outcome:
    """What was done, or in check mode would be."""

    plan: Plan
    done: list[KeyPlan] = field(default_factory=list)
    live: dict[str, LiveKey] = field(default_factory=dict)
    left_out: dict[str, errors.GatewayError] = field(default_factory=dict)
    revocation: dict[str, Any] | None = None

    @property
    def changed(self) -> bool:
        return any(key.calls or key.action is Action.DELETE for key in self.done)


@dataclass(frozen=True)
class Scope:
    """Which rows of the gateway concern a task: the searches that list them, and the test that keeps them."""

    searches: Sequence[str]
    concerns: Callable[[LiveKey], bool]
    is_member: Callable[[LiveKey], bool] = lambda _key: False


class Reconciler:
    """Carries plans out on one gateway. `secret` is what key values are derived from."""

    def __init__(
        self, gateway: Gateway, secret: str, *, check_mode: bool = False, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.gateway = gateway
        self.check_mode = check_mode
        self._sleep = sleep

        @cache
        def value_of(alias: str, generation: int) -> str:
            return derive.value(secret, alias, generation)

        self.value_of: Callable[[str, int], str] = value_of

    # ------------------------------------------------------------------------------------------------ wanted keys
    def apply(
        self,
        wanted: Sequence[WantedKey],
        scope: Scope,
        policy: Policy,
        *,
        check_models: bool = True,
        keep_going: bool = False,
    ) -> Outcome:
        """Make `wanted` true within `scope`.

        Raises Refused before the first write when a value cannot be derived, an alias belongs to another lab, or a
        model, a team or the right to manage keys is missing. Raises Incomplete when writes failed. With `keep_going`,
        keys that cannot be made are left out instead, and the others are made.
        """
        plan = self._plan(wanted, scope, policy)
        refused = {key.alias: Refused(key.reason, key.action.value) for key in plan.blockers}
        if plan.changed and (keep_going or not refused):
            refused |= self._refusals(plan, check_models)
        if refused and not keep_going:
            raise next(iter(refused.values()))
        if refused:
            wanted = [want for want in wanted if want.alias not in refused]
            plan = self._plan(wanted, scope, policy)
        if not plan.changed:
            outcome = _outcome(plan, plan.keys, plan)
        elif self.check_mode:
            outcome = Outcome(plan, done=list(plan.keys))
        else:
            outcome = self._carry_out(plan, wanted, scope, policy, keep_going)
        outcome.left_out |= refused
        return outcome

    def _carry_out(
        self, first: Plan, wanted: Sequence[WantedKey], scope: Scope, policy: Policy, keep_going: bool
    ) -> Outcome:
        """Write and look again, until there is nothing left to write."""
        plan, done, taken = first, [key for key in first.keys if key.action is Action.KEEP], set[str]()
        for _round in range(ROUNDS):
            failures = self._write(plan)
            done += [key for key in plan.keys if key.action is not Action.KEEP and key.alias not in failures]
            taken |= {alias for alias, failure in failures.items() if isinstance(failure, errors.AliasTaken)}
            try:
                plan = self._plan(wanted, scope, policy, taken)
            except errors.GatewayError as error:
                reason = f"keys were written, but the gateway could not be asked what it has: {error}"
                raise Incomplete(reason, _outcome(first, done)) from None
            if plan.blockers:
                raise Incomplete(f"keys were written, but {plan.blockers[0].reason}", _outcome(first, done))
            if not plan.changed:
                outcome = _outcome(first, done, plan)
                gone = [key.live for key in done if key.action is Action.DELETE and key.live]
                outcome.revocation = self.prove_revocation(gone) if gone else None
                return outcome
            if set(failures) - taken:
                break
        ignored = errors.ServerFailed("the gateway took the call and did not act on it; see its log, then run again.")
        left = {key.alias: failures.get(key.alias, ignored) for key in plan.keys if key.calls}
        if keep_going:
            outcome = _outcome(first, [key for key in done if key.alias not in left], plan)
            outcome.left_out = left
            return outcome
        if failures and not any(key.action is not Action.KEEP for key in done):
            raise next(iter(failures.values()))
        some = "; ".join(f"{alias}: {error}" for alias, error in list(left.items())[:3])
        raise Incomplete(
            f"{len(left)} of {len(wanted)} keys are not as wanted ({some}{'; ...' if len(left) > 3 else ''});"
            " what is done stays done, so run again.",
            _outcome(first, done),
        )

    def _plan(self, wanted: Sequence[WantedKey], scope: Scope, policy: Policy, taken: Iterable[str] = ()) -> Plan:
        """Read and plan. `taken` are aliases that LiteLLM calls taken: a release without substring search shows them only when asked by name."""
        found = {row.token: row for search in scope.searches for row in self.gateway.keys_like(search)}
        for alias in taken:
            found.update({row.token: row for row in self.gateway.keys(key_alias=alias)})
        rows = [row for row in found.values() if scope.concerns(row)]
        return make_plan(
            wanted,
            rows,
            value_of=self.value_of,
            now=self.gateway.client.now(),
            policy=policy,
            is_member=scope.is_member,
        )

    def _refusals(self, plan: Plan, check_models: bool = True) -> dict[str, Refused]:
        """The keys that the gateway would take though they could not be used: it accepts unknown models and teams without a word.

        Raises NotAdmin when the API key may not manage keys at all.
        """
        self.gateway.check_admin()
        payloads = [(key.alias, call.payload) for key in plan.keys for call in key.calls]
        served = (
            self.gateway.models() if check_models and any(payload.get("models") for _, payload in payloads) else None
        )
        teams = {payload["team_id"] for _, payload in payloads if payload.get("team_id")}
        absent = {team for team in teams if not self.gateway.team_exists(team)}
        refused: dict[str, Refused] = {}
        for alias, payload in payloads:
            unknown = [] if served is None else unserved(payload.get("models") or [], served)
            if unknown:
                refused[alias] = Refused(
                    f"the gateway serves no model named {', '.join(unknown)}; it serves {', '.join(served or []) or 'none'}:"
                    " choose among these, or add the model to the gateway.",
                    "unknown_model",
                )
            elif payload.get("team_id") in absent:
                refused[alias] = Refused(
                    f"the gateway has no team {payload['team_id']}; create it first, or give another team_id.",
                    "unknown_team",
                )
        return refused

    def _write(self, plan: Plan) -> dict[str, errors.GatewayError]:
        """Make the calls of `plan`, several keys at a time, then delete. Returns the failures by alias."""
        busy = [key for key in plan.keys if key.calls]

        def write(key: KeyPlan) -> None:
            for call in key.calls:
                minted = {"key": self.value_of(*call.mint)} if call.mint else {}
                self.gateway.client.post(call.path, {**call.payload, **minted})

        results = self.gateway.each(write, busy)
        failures = {
            key.alias: result
            for key, result in zip(busy, results, strict=True)
            if isinstance(result, errors.GatewayError)
        }
        if plan.doomed and not failures:
            self.gateway.delete([row.token for row in plan.doomed])
        return failures

    # ------------------------------------------------------------------------------------------- keys as they are
    def change(
        self, rows: Sequence[LiveKey], change: Callable[[LiveKey], WantedKey], reread: Callable[[], Iterable[LiveKey]]
    ) -> Outcome:
        """Apply `change` to live rows, without a need to know any value."""
        plan = plan_update(rows, change, value_of=self.value_of, now=self.gateway.client.now())
        if self.check_mode or not plan.changed:
            return Outcome(plan, done=list(plan.keys), live={row.alias: row for row in rows})
        for refusal in self._refusals(plan).values():
            raise refusal
        failures = self._write(plan)
        after = {row.token: row for row in reread()}
        again = [after[row.token] for row in rows if row.token in after]
        rest = plan_update(again, change, value_of=self.value_of, now=self.gateway.client.now())
        left = [key for key in rest.keys if key.calls]
        done = [key for key in plan.keys if key.alias not in failures]
        outcome = Outcome(plan, done=done, live={row.alias: row for row in again})
        if failures or left:
            names = sorted({*failures, *(key.alias for key in left)})
            cause = f" ({next(iter(failures.values()))})" if failures else ""
            raise Incomplete(
                f"{len(names)} of {len(rows)} keys are not as wanted, {names[0]} among them{cause}; run again.", outcome
            )
        return outcome

    # --------------------------------------------------------------------------------------------------- deletion
    def delete(
        self, find: Callable[[], Iterable[LiveKey]], *, prove: bool = True, elsewhere: Sequence[tuple[str, int]] = ()
    ) -> Outcome:
        """Delete what `find` finds until it finds nothing, then prove that the values are refused.

        `elsewhere` names values, by alias and generation, that somebody has deleted past LiteLLM: they are proven too.
        """
        rows = list(find())
        plan = plan_deletion(rows)
        if not rows:
            self.gateway.check_admin()  # an empty list from a key that may not see the others is no answer
        if self.check_mode or not (rows or elsewhere):
            return Outcome(plan, done=list(plan.keys))
        left = rows
        for _round in range(ROUNDS):
            if not left:
                break
            self.gateway.delete([row.token for row in left])
            left = list(find())
        outcome = Outcome(
            plan, done=[key for key in plan.keys if key.live and key.live.token not in {row.token for row in left}]
        )
        if left:
            names = ", ".join(sorted(row.alias for row in left)[:5])
            raise Incomplete(
                f"the gateway still lists {len(left)} of {len(rows)} keys after their deletion, {names} among them;"
                " run again, or remove them from its database with force_db_delete.",
                outcome,
            )
        if prove:
            outcome.revocation = self.prove_revocation(rows, elsewhere)
        return outcome

    def prove_revocation(
        self, rows: Sequence[LiveKey], elsewhere: Sequence[tuple[str, int]] = (), patience: float = REVOCATION_SECONDS
    ) -> dict[str, Any]:
        """Call the gateway with each deleted value until every probe is refused.

        Values that cannot be derived cannot be tried: for them the list without the key is all there is. Raises
        Incomplete when a value is still accepted after `patience` seconds.
        """
        values = {alias: self.value_of(alias, generation) for alias, generation in elsewhere}
        unknown: list[str] = []
        for row in rows:
            if derivable(row, self.value_of):
                values[row.alias] = self.value_of(home(row), row.generation)
            else:
                unknown.append(row.alias)
        started = time.monotonic()
        alive = list(values)
        while alive:
            asked = self.gateway.each(
                lambda alias: any(self.gateway.client.accepts(values[alias]) for _ in range(PROBES)), alive
            )
            failed = [answer for answer in asked if isinstance(answer, errors.GatewayError)]
            if failed:
                raise failed[0]
            alive = [alias for alias, accepted in zip(alive, asked, strict=True) if accepted]
            if alive and time.monotonic() - started > patience:
                raise Incomplete(
                    f"the gateway still accepts {len(alive)} deleted keys after {patience:.0f} s, {alive[0]} among them;"
                    " restart its workers, and lower user_api_key_cache_ttl in its general_settings.",
                    Outcome(plan_deletion(rows), done=list(plan_deletion(rows).keys)),
                )
            if alive:
                self._sleep(1.0)
        return {
            "proven": sorted(values),
            "listed_only": sorted(unknown),
            "seconds": round(time.monotonic() - started, 2),
        }


# ------------------------------------------------------------------------------------------------------------ results
_PAST = {
    Action.CREATE: "created",
    Action.UPDATE: "updated",
    Action.ROTATE: "rotated",
    Action.KEEP: "unchanged",
    Action.DELETE: "deleted",
}


def result_of(
    outcome: Outcome, *, reveal: Callable[[str, int], str] | None = None, with_diff: bool = False
) -> dict[str, Any]:
    """What a module returns: one entry a key, counts, and the diff if asked for. `reveal` derives values for a task that hides its output."""
    keys = [_entry(key, outcome.live.get(key.alias), reveal) for key in outcome.done]
    counts = {word: sum(1 for entry in keys if entry["action"] == word) for word in _PAST.values()}
    result: dict[str, Any] = {
        "changed": outcome.changed,
        "keys": keys,
        "counts": counts,
    }
    if outcome.left_out:
        result["left_out"] = [
            {"alias": alias, "code": error.code, "msg": str(error)} for alias, error in sorted(outcome.left_out.items())
        ]
    if with_diff:
        result["diff"] = diff_of(outcome.done)
    if outcome.revocation is not None:
        result["revocation"] = outcome.revocation
    return result


def diff_of(plans: Iterable[KeyPlan]) -> dict[str, Mapping[str, Any]]:
    """Before and after, by alias, of what changes."""
    busy = [key for key in plans if key.calls or key.action is Action.DELETE]
    return {
        "before": {key.alias: key.before for key in busy if key.before},
        "after": {key.alias: key.after for key in busy if key.after},
    }


def describe(row: LiveKey) -> dict[str, Any]:
    """A live key as modules return it. Nothing in it is secret."""
    record = row.record
    return {
        "alias": row.alias,
        "key_id": row.token,
        "guid": row.guid,
        "user": record.user if record else "",
        "package": record.package if record else "",
        "generation": row.generation,
        **row.fields,
        "expires": iso(row.expires) if row.expires else None,
        "spend": row.spend,
        "created_at": iso(row.created_at) if row.created_at else None,
        "metadata": {name: value for name, value in row.metadata.items() if name != RECORD},
        "managed": record is not None,
        "retired_from": record.retired_from if record else "",
    }


def _entry(key: KeyPlan, live: LiveKey | None, reveal: Callable[[str, int], str] | None) -> dict[str, Any]:
    row = key.live if key.action is Action.DELETE else live or key.live
    entry = (
        describe(row)
        if row
        else {"alias": key.alias, "user": key.wanted.record.user if key.wanted else "", **key.after}
    )
    entry["action"] = _PAST[key.action]
    generation = key.generation if key.action in (Action.CREATE, Action.ROTATE) else (row.generation if row else 0)
    entry["recoverable"] = key.known
    if reveal and key.known and key.action is not Action.DELETE:
        entry["value"] = reveal(key.alias, generation)
    return entry


def _outcome(plan: Plan, done: Sequence[KeyPlan], final: Plan | None = None) -> Outcome:
    """What was done, one entry an alias, with the rows of the final plan where it is known."""
    best: dict[tuple[str, bool], KeyPlan] = {}
    for key in done:
        name = (key.alias, key.action is Action.DELETE)
        if name not in best or best[name].action is Action.KEEP:
            best[name] = key
    live = {key.alias: key.live for key in (final or plan).keys if key.live and key.action is not Action.DELETE}
    return Outcome(plan, done=list(best.values()), live=live)
