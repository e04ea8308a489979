# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Bring the gateway's catalogue to the wanted state: read, plan, check, write, read again.

Credentials are written before the models that are called with them, and deleted after them. LiteLLM's answers to writes
prove nothing, so both lists are read and planned for once more, until all of LiteLLM's workers know of the changes.
"""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Mapping, Sequence

from ..litellm import errors
from ..litellm.errors import HOPELESS, Refused
from ..litellm.prices import without_price
from .api import CatalogueApi
from .entry import Kind, LiveEntry, WantedEntry
from .fingerprint import Fingerprints
from .plan import CatalogueAction, CataloguePlan, CatalogueScope, CatalogueStep, UnwantedEntry, plan_catalogue, plan_catalogue_deletion
from .results import CatalogueIncomplete, CatalogueOutcome

PATIENCE = 40.0
"""Seconds to wait for the gateway's workers to learn of a change, which takes them up to 30."""

MakePlan = Callable[[Sequence[LiveEntry]], CataloguePlan]


class CatalogueReconciler:
    """Carries plans out on one gateway. Secrets are compared by the fingerprints that `prints` makes."""

    def __init__(
        self,
        api: CatalogueApi,
        prints: Fingerprints,
        *,
        check_mode: bool = False,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.api = api
        self.check_mode = check_mode
        self._prints = prints
        self._sleep = sleep
        self._clock = clock

    def apply(self, wanted: Sequence[WantedEntry], scope: CatalogueScope) -> CatalogueOutcome:
        """Make `wanted` true within `scope`.

        Raises Refused before the first write if the plan has a blocker, CatalogueIncomplete if writes failed.
        """
        return self._carry_out(lambda live: plan_catalogue(wanted, live, self._prints, scope))

    def delete(self, unwanted: Sequence[UnwantedEntry] | None, scope: CatalogueScope) -> CatalogueOutcome:
        """Delete what `unwanted` names, or everything in the set if it is None. Raises as `apply` does."""
        return self._carry_out(lambda live: plan_catalogue_deletion(unwanted, live, scope))

    def _carry_out(self, make_plan: MakePlan) -> CatalogueOutcome:
        live = self._read()
        plan = make_plan(live)
        for blocker in plan.blockers:
            raise Refused(blocker.reason, blocker.code)
        warnings = self._check_providers(plan)
        if not plan.changed or self.check_mode:
            return CatalogueOutcome(plan.steps, live, [*warnings, *_price_warnings(plan.steps, live)])
        failures = self._write(plan)
        if len(failures) == sum(step.writes for step in plan.steps) and all(isinstance(error, HOPELESS) for error in failures.values()):
            raise next(iter(failures.values()))
        final, live = self._settled(make_plan, plan, failures)
        left = {(step.kind, step.id) for step in final.steps if step.writes} | set(failures)
        done = [step for step in plan.steps if (step.kind, step.id) not in left]
        outcome = CatalogueOutcome(done, live, [*warnings, *_price_warnings(done, live)])
        if left:
            raise CatalogueIncomplete(_what_is_left(plan, final, left, failures), outcome)
        return outcome

    def _read(self) -> list[LiveEntry]:
        """Return all entries, with one call for each list. Only admins may list credentials, and admins see all models."""
        return [*self.api.credentials(), *self.api.models()]

    def _check_providers(self, plan: CataloguePlan) -> list[str]:
        """Raise Refused for an unknown provider, because LiteLLM stores its models all the same. Return a warning if LiteLLM does not list providers."""
        asked = {}
        for step in plan.steps:
            if step.kind is Kind.MODEL and "model" in step.params and step.action is not CatalogueAction.DELETE:
                params = {**(step.live.params if step.live else {}), **step.params}
                asked[step.label] = str(params.get("custom_llm_provider") or str(step.params["model"]).partition("/")[0])
            if step.kind is Kind.CREDENTIAL and step.info.get("custom_llm_provider"):
                asked[f"credential {step.label}"] = str(step.info["custom_llm_provider"])
        if not asked:
            return []
        known = self.api.providers()
        if known is None:
            return ["this release of LiteLLM does not tell which providers it knows, so theirs could not be checked."]
        for label, provider in asked.items():
            if provider not in known:
                near = difflib.get_close_matches(provider, known, n=3)
                hint = f"did you mean {' or '.join(near)}?" if near else "GET /public/providers of the gateway lists them."
                raise Refused(f"LiteLLM knows no provider {provider!r}, which {label} names; {hint}", "unknown_provider")
        return []

    def _write(self, plan: CataloguePlan) -> dict[tuple[Kind, str], errors.GatewayError]:
        """Write credentials, then models, then delete credentials, several at a time in each stage. A failure stops the stages after it."""
        stages = (
            [step for step in plan.steps if step.kind is Kind.CREDENTIAL and step.action is not CatalogueAction.DELETE],
            [step for step in plan.steps if step.kind is Kind.MODEL],
            [step for step in plan.steps if step.kind is Kind.CREDENTIAL and step.action is CatalogueAction.DELETE],
        )
        failures: dict[tuple[Kind, str], errors.GatewayError] = {}
        for stage in stages:
            to_write = [step for step in stage if step.writes]
            if not to_write:
                continue
            if failures:
                first = next(iter(failures.values()))
                failures |= {(step.kind, step.id): first for step in to_write}
                continue
            for step, result in zip(to_write, self.api.client.each(self.api.write, to_write), strict=True):
                if isinstance(result, errors.GatewayError):
                    failures[step.kind, step.id] = result
        return failures

    def _settled(
        self, make_plan: MakePlan, plan: CataloguePlan, failures: Mapping[tuple[Kind, str], errors.GatewayError]
    ) -> tuple[CataloguePlan, list[LiveEntry]]:
        """Read and plan again until the plan has nothing left to write, apart from writes that failed; return the last plan and list."""
        started = self._clock()
        while True:
            try:
                live = self._read()
            except errors.GatewayError as error:
                reason = f"models or credentials were written, but the gateway could not be asked what it has: {error}"
                written = [step for step in plan.steps if (step.kind, step.id) not in failures]
                raise CatalogueIncomplete(reason, CatalogueOutcome(written)) from None
            final = make_plan(live)
            waiting = [step for step in final.steps if step.writes and (step.kind, step.id) not in failures]
            if not waiting or self._clock() - started > PATIENCE:
                return final, live
            self._sleep(1.0)


def _price_warnings(steps: Sequence[CatalogueStep], live: Sequence[LiveEntry]) -> list[str]:
    """Return a warning if models that were to be there have no price. Of a model that check mode would make, nobody knows."""
    wanted = {step.id for step in steps if step.kind is Kind.MODEL and step.action is not CatalogueAction.DELETE}
    unpriced = {row.name for row in live if row.kind is Kind.MODEL and row.id in wanted and not row.has_price}
    return [without_price(unpriced)] if unpriced else []


def _what_is_left(plan: CataloguePlan, final: CataloguePlan, left: set[tuple[Kind, str]], failures: Mapping[tuple[Kind, str], errors.GatewayError]) -> str:
    """Return a message that says which entries are not as wanted, and why."""
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
