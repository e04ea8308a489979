# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Bring the gateway's catalogue to what is wanted: read, plan, check, write, read again.

Credentials are written before the models that are called with them, and deleted after. LiteLLM's answers to writes prove
nothing, so both lists are read and planned for once more; what another worker has yet to hear of is waited for.
"""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ..litellm import errors
from ..litellm.errors import HOPELESS, Incomplete, Refused
from .api import Catalogue
from .compare import without_secrets
from .entry import PRICES, Kind, Live
from .plan import Action, Plan, Step

# LiteLLM's workers read the database every 30 seconds.
PATIENCE = 40.0
_PAST = {Action.CREATE: "created", Action.UPDATE: "updated", Action.REPLACE: "replaced", Action.KEEP: "unchanged", Action.DELETE: "deleted"}

MakePlan = Callable[[Sequence[Live]], Plan]


@dataclass
class Outcome:
    """What was done, or in check mode would be. `live` is what the gateway says afterwards."""

    steps: Sequence[Step]
    live: Sequence[Live] = ()
    warnings: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return any(step.writes for step in self.steps)


class CatalogueReconciler:
    """Carries plans out on one gateway."""

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        check_mode: bool = False,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.catalogue = catalogue
        self.check_mode = check_mode
        self._sleep = sleep
        self._clock = clock

    def apply(self, make_plan: MakePlan) -> Outcome:
        """Do what the plan for the live lists says.

        Raises Refused before the first write when something stands in the way, Incomplete when writes failed.
        """
        live = self._read()
        plan = make_plan(live)
        for blocker in plan.blockers:
            raise Refused(blocker.reason, blocker.code)
        warnings = self._check_providers(plan)
        if not plan.changed or self.check_mode:
            return Outcome(plan.steps, live, warnings)
        failures = self._write(plan)
        if len(failures) == sum(step.writes for step in plan.steps) and all(isinstance(error, HOPELESS) for error in failures.values()):
            raise next(iter(failures.values()))
        final, live = self._settled(make_plan, plan, failures)
        left = {(step.kind, step.id) for step in final.steps if step.writes} | set(failures)
        done = [step for step in plan.steps if (step.kind, step.id) not in left]
        outcome = Outcome(done, live, warnings)
        if left:
            raise Incomplete(_told(plan, final, left, failures), outcome)
        return outcome

    def _read(self) -> list[Live]:
        """One call for each list. That of credentials is refused to all but admins, who see all models."""
        return [*self.catalogue.credentials(), *self.catalogue.models()]

    def _check_providers(self, plan: Plan) -> list[str]:
        """LiteLLM stores a model of a provider that it does not know. Raises Refused; returns a warning when it does not tell whom it knows."""
        asked = {}
        for step in plan.steps:
            if step.kind is Kind.MODEL and "model" in step.params and step.action is not Action.DELETE:
                params = {**(step.live.params if step.live else {}), **step.params}
                asked[step.label] = str(params.get("custom_llm_provider") or str(step.params["model"]).partition("/")[0])
            if step.kind is Kind.CREDENTIAL and step.info.get("custom_llm_provider"):
                asked[f"credential {step.label}"] = str(step.info["custom_llm_provider"])
        if not asked:
            return []
        known = self.catalogue.providers()
        if known is None:
            return ["this release of LiteLLM does not tell which providers it knows, so theirs could not be checked."]
        for who, provider in asked.items():
            if provider not in known:
                near = difflib.get_close_matches(provider, known, n=3)
                hint = f"did you mean {' or '.join(near)}?" if near else "GET /public/providers of the gateway lists them."
                raise Refused(f"LiteLLM knows no provider {provider!r}, which {who} names; {hint}", "unknown_provider")
        return []

    def _write(self, plan: Plan) -> dict[tuple[Kind, str], errors.GatewayError]:
        """Write credentials, then models, then delete credentials; each several at a time. A stage whose forerunner failed is left out."""
        stages = (
            [step for step in plan.steps if step.kind is Kind.CREDENTIAL and step.action is not Action.DELETE],
            [step for step in plan.steps if step.kind is Kind.MODEL],
            [step for step in plan.steps if step.kind is Kind.CREDENTIAL and step.action is Action.DELETE],
        )
        failures: dict[tuple[Kind, str], errors.GatewayError] = {}
        hopeless: list[errors.GatewayError] = []

        def attempt(step: Step) -> errors.GatewayError | None:
            if hopeless:
                return hopeless[0]
            try:
                self.catalogue.write(step)
            except errors.GatewayError as error:
                if isinstance(error, HOPELESS):
                    hopeless.append(error)
                return error
            return None

        for stage in stages:
            busy = [step for step in stage if step.writes]
            if not busy:
                continue
            if failures:
                first = next(iter(failures.values()))
                failures |= {(step.kind, step.id): first for step in busy}
                continue
            with ThreadPoolExecutor(self.catalogue.client.connection.parallel_calls) as pool:
                for step, error in zip(busy, pool.map(attempt, busy), strict=True):
                    if error is not None:
                        failures[step.kind, step.id] = error
        return failures

    def _settled(self, make_plan: MakePlan, plan: Plan, failures: Mapping[tuple[Kind, str], errors.GatewayError]) -> tuple[Plan, list[Live]]:
        """Read again until there is nothing left to write, as far as the writes went through."""
        started = self._clock()
        while True:
            try:
                live = self._read()
            except errors.GatewayError as error:
                reason = f"models or credentials were written, but the gateway could not be asked what it has: {error}"
                written = [step for step in plan.steps if (step.kind, step.id) not in failures]
                raise Incomplete(reason, Outcome(written)) from None
            final = make_plan(live)
            waiting = [step for step in final.steps if step.writes and (step.kind, step.id) not in failures]
            if not waiting or self._clock() - started > PATIENCE:
                return final, live
            self._sleep(1.0)


def _told(plan: Plan, final: Plan, left: set[tuple[Kind, str]], failures: Mapping[tuple[Kind, str], errors.GatewayError]) -> str:
    """Which entries are not as wanted, and why."""
    after = {(step.kind, step.id): step for step in final.steps}
    parts = []
    for step in plan.steps:
        key = (step.kind, step.id)
        if key not in left:
            continue
        differs = ", ".join(after[key].after) if key in after else ""
        reason = str(failures[key]) if key in failures else f"the gateway took the call and still shows otherwise{f': {differs}' if differs else ''}."
        parts.append(f"{step.kind} {step.label}: {reason}")
    some = " ".join(parts[:3]) + (" ..." if len(parts) > 3 else "")
    return f"{len(left)} of {len(plan.steps)} models and credentials are not as wanted; {some} What is done stays done, so run again."


def result_of(outcome: Outcome, *, with_diff: bool = False) -> dict[str, Any]:
    """What a module returns: an entry each for models and credentials, counts, and the diff if asked for. Nothing in it is secret."""
    after = {(row.kind, row.id): row for row in outcome.live}
    entries: dict[Kind, list[dict[str, Any]]] = {Kind.MODEL: [], Kind.CREDENTIAL: []}
    for step in outcome.steps:
        row = step.live if step.action is Action.DELETE else after.get((step.kind, step.id), step.live)
        entries[step.kind].append({**describe(row or _foretold(step)), "action": _PAST[step.action]})
    everything = [entry for kind in entries.values() for entry in kind]
    result: dict[str, Any] = {
        "changed": outcome.changed,
        "models": entries[Kind.MODEL],
        "credentials": entries[Kind.CREDENTIAL],
        "counts": {word: sum(1 for entry in everything if entry["action"] == word) for word in _PAST.values()},
    }
    if with_diff:
        busy = [step for step in outcome.steps if step.writes]
        result["diff"] = {
            "before": {f"{step.kind} {step.label}": step.before for step in busy if step.before},
            "after": {f"{step.kind} {step.label}": step.after for step in busy if step.after},
        }
    return result


def _foretold(step: Step) -> Live:
    """An entry that check mode would make, as far as it is known by then: not with what LiteLLM knows of a model by itself."""
    info = {name: step.params[name] for name in PRICES if name in step.params}
    return Live(step.kind, step.name, step.id, step.params, {**info, **step.info}, step.record, blocked=bool(step.blocked))


def describe(row: Live) -> dict[str, Any]:
    """A live entry as modules return it. Nothing in it is secret."""
    secrets = frozenset(row.record.secrets) if row.record else frozenset[str]()
    shown: dict[str, Any] = {
        "name": row.name,
        "params": {name: value for name, value in without_secrets(row.params, secrets).items() if value is not None and value is not False},
        "managed": row.record is not None,
        "set_name": row.record.set_name if row.record else "",
    }
    if row.kind is Kind.CREDENTIAL:
        return {**shown, "provider": str(row.info.get("custom_llm_provider") or "")}
    return {
        **shown,
        "deployment": row.record.deployment if row.record else "",
        "id": row.id,
        "upstream": row.params.get("model"),
        "credential": row.credential,
        "secrets": sorted(secrets),
        "mode": row.info.get("mode"),
        "access_groups": row.info.get("access_groups") or [],
        "prices": {name: row.info.get(name) for name in PRICES},
        "from_config_file": not row.stored,
        "team_id": row.team,
        "blocked": row.blocked,
    }
