# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Finding out what pages show about requests that somebody looks at: what the approval chain would say now, and what keys have spent.

Nothing is changed and no service of a rule is asked. Without anybody who looks, this costs one look into the store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...module_utils.common.durations import iso
from ...module_utils.key_requests.base import Store
from ...module_utils.key_requests.errors import Broken, Missing
from ...module_utils.key_requests.insight import (
    Insight,
    KeyFigures,
    Outlook,
    bounded_steps,
    prepare_insight,
    publish_insights,
    published_insights,
    wanted_insights,
)
from ...module_utils.key_requests.record import APPROVED, Record
from ...module_utils.keys.key import LiveKey
from ...module_utils.litellm.errors import GatewayError
from ..approval.chain import ChainOutcome
from . import plan
from .deciding import asked_of_chain, used_up_reason
from .gateway import FEW
from .offers import terms_left
from .parts import ApprovalChain, Gateway
from .renewing import GONE, living_original

MOST_AT_ONCE = 5 * FEW
"""How many requests are looked up before the next pass. The others wait for the one after it."""


class InsightKeeper:
    """Publishes what was found out about the requests that somebody looks at."""

    def __init__(self, store: Store, chain: ApprovalChain | ValueError, gateway: Gateway, clock: Callable[[], str]) -> None:
        self._store, self._chain, self._gateway, self._clock = store, chain, gateway, clock
        self._is_prepared = False

    def refresh(self) -> None:
        """Find out what is wanted and not known yet. Raises StoreError."""
        if not self._is_prepared:
            prepare_insight(self._store)
            self._is_prepared = True
        wanted = wanted_insights(self._store)
        if not wanted:
            return
        known = published_insights(self._store)
        due = {each: time for each, time in wanted.items() if each not in known or known[each].wanted != time}
        if due:
            publish_insights(self._store, {**known, **self._found(dict(list(due.items())[:MOST_AT_ONCE]))})

    def _found(self, due: Mapping[str, str]) -> dict[str, Insight]:
        records = {each: record for each in due if (record := self._record(each)) is not None}
        minted = [record for record in records.values() if record.progress.minted_at]
        figures = dict[str, KeyFigures]()
        for first in range(0, len(minted), FEW):
            figures |= self._figures(minted[first : first + FEW])
        outlooks = self._outlooks([record for record in records.values() if is_undecided(record)])
        at = self._clock()
        return {each: Insight(time, at, outlooks.get(each), figures.get(each)) for each, time in due.items()}

    def _record(self, request_id: str) -> Record | None:
        try:
            return self._store.get(request_id)
        except (Missing, Broken):
            return None

    # -------------------------------------------------------------------------------------------------------- keys
    def _figures(self, records: Sequence[Record]) -> dict[str, KeyFigures]:
        """Return the keys of requests as the gateway has them, by the ids of the requests."""
        try:
            found = self._gateway.keys_with(sorted({record.progress.key_alias for record in records}))
        except GatewayError as error:
            return {record.id: KeyFigures(problem=str(error)) for record in records}
        return {record.id: _figures_of(found.get(record.progress.key_alias)) for record in records}

    # ---------------------------------------------------------------------------------------------------- the rules
    def _outlooks(self, records: Sequence[Record]) -> dict[str, Outlook]:
        """Return what the chain would say about each request by itself, by the ids of the requests."""
        chain = self._chain
        if not records:
            return {}
        if isinstance(chain, ValueError):
            return {record.id: Outlook(reason=str(chain)) for record in records}
        try:
            models = self._gateway.models() if any(record.models for record in records) else None
            usage = self._usage() if chain.counts_keys else None
        except GatewayError as error:
            return {record.id: Outlook(reason=str(error)) for record in records}
        return {record.id: self._outlook(chain, record, models if record.models else None, usage) for record in records}

    def _usage(self) -> list[dict[str, Any]]:
        listing = self._store.listing(only_open=True)
        promised = [record for record in listing.records if record.state == APPROVED and not record.progress.minted_at]
        return plan.quota_usage(self._gateway.living_keys(), promised)

    def _outlook(self, chain: ApprovalChain, record: Record, models: Sequence[str] | None, usage: Sequence[Mapping[str, Any]] | None) -> Outlook:
        at, renewed = self._clock(), None
        if record.renews:
            try:
                renewed = living_original(self._store, record, at)
            except Broken as error:
                return Outlook(reason=str(error))
            if renewed is None:
                return Outlook("DENY", GONE)
            if chain.offers.is_used_up(record, renewed, at):
                return Outlook("DENY", used_up_reason(chain.offers, renewed))
        asked = asked_of_chain(chain.offers, record, renewed, at)
        request = plan.as_asked(record, asked, renewed)
        outcome = chain.rehearse(request, models, usage)
        left = terms_left(asked, outcome.request, request["models"] if record.renews else None)
        return _outlook_of(outcome, left, chain.unasked(outcome))


def is_undecided(record: Record) -> bool:
    """Return whether somebody may still want to know what the chain would say: about a request that waits, or that was denied."""
    return record.state != APPROVED and not record.cancelled


def _outlook_of(outcome: ChainOutcome, left: Mapping[str, Any] | None, unasked: Sequence[str]) -> Outlook:
    trace = bounded_steps([step.as_recorded() for step in outcome.trace])
    return Outlook(str(outcome.decision), outcome.reason, dict(left or {}), trace, tuple(unasked))


def _figures_of(key: LiveKey | None) -> KeyFigures:
    if key is None:
        return KeyFigures(exists=False)
    budget = key.fields.get("max_budget")
    return KeyFigures(
        spend=round(key.spend, 6),
        max_budget=float(budget) if budget is not None else None,
        budget_duration=str(key.fields.get("budget_duration") or ""),
        expires=iso(key.expires) if key.expires else "",
        blocked=bool(key.fields.get("blocked")),
    )
