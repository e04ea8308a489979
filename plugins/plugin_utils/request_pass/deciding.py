# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The step of a pass in which the approval chain decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ...module_utils.key_requests import transitions
from ...module_utils.key_requests.record import APPROVED, DENIED, IN_REVIEW, LONGEST_REASON, PENDING, Record
from ...module_utils.key_requests.review import is_plain_decision
from ...module_utils.key_requests.text import clip
from ...module_utils.key_requests.transitions import Change, Ruling
from ...module_utils.litellm.errors import GatewayError
from ..approval.chain import ChainOutcome
from ..approval.decision import Decision
from . import plan
from .offers import NotOffered, Offers, terms_left
from .parts import CHAIN, ApprovalChain
from .renewing import deny_renewals, living_originals
from .state import PassState

STATES = {Decision.APPROVE: APPROVED, Decision.DENY: DENIED, Decision.REVIEW: IN_REVIEW}


def decide_pending(state: PassState) -> None:
    """Let the chain decide the pending requests, and note on those that it cannot decide why."""
    chain = state.parts.chain
    if isinstance(chain, ValueError):
        state.report.errors.append(f"nothing is decided: {chain}")
        return
    pending = state.in_state(PENDING) + (_approved_early(state) if chain.needs_several else [])
    if not pending:
        return
    renewed, over = living_originals(state, [record for record in pending if record.renews])
    deny_renewals(state, over)
    renewed = _without_lived_out(state, chain.offers, pending, renewed)
    pending = [record for record in pending if not record.renews or record.id in renewed]
    if not chain.has_rules:
        state.report.warnings.append("no approval rules are configured, so every request is denied; give rules, or withdraw the requests first.")
    models, usage, waiting = _asked_of_gateway(state, chain, pending)
    state.fail(waiting, transitions.DECIDE)
    state.put_off(waiting)
    decidable = [record for record in pending if record.id not in waiting]
    asked = {record.id: asked_of_chain(chain.offers, record, renewed.get(record.id), state.parts.clock()) for record in decidable}
    requests = [plan.as_asked(record, asked[record.id], renewed.get(record.id)) for record in decidable]
    outcomes = chain.decide(requests, models, usage)
    changes: list[tuple[Record, Change]] = []
    parked: dict[str, ChainOutcome] = {}
    for record, request, outcome in zip(decidable, requests, outcomes, strict=True):
        if record.state == APPROVED and chain.may_need_several(outcome):
            parked[record.id] = outcome
        elif outcome.decision in STATES:
            left = terms_left(asked[record.id], outcome.request, request["models"] if record.renews else None)
            changes.append((record, _decision(state, record, outcome, left, chain.policy)))
        elif record.state == PENDING:
            parked[record.id] = outcome
    state.record(changes)
    traces = {each: _trace(outcome) for each, outcome in parked.items()}
    state.fail({each: _why_parked(outcome) for each, outcome in parked.items()}, transitions.DECIDE, traces=traces)
    state.put_off(parked)


def _asked_of_gateway(
    state: PassState, chain: ApprovalChain, pending: Sequence[Record]
) -> tuple[list[str] | None, list[dict[str, Any]] | None, dict[str, str | Exception]]:
    """Return the gateway's models, the keys to count, and which requests wait because the gateway did not say.

    An outage never becomes a denial. A gateway that serves no model has not read its models yet.
    """
    models: list[str] | None = None
    usage: list[dict[str, Any]] | None = None
    if chain.counts_keys:
        try:
            promised = [record for record in state.open.values() if record.state == APPROVED and not record.progress.minted_at]
            usage = plan.quota_usage(state.parts.gateway.living_keys(), promised)
        except GatewayError as error:
            return None, None, {record.id: error for record in pending}
    by_model = [record.id for record in pending if record.models]
    if not by_model:
        return None, usage, {}
    try:
        models = state.parts.gateway.models()
    except GatewayError as error:
        return None, usage, dict.fromkeys(by_model, error)
    return models, usage, {} if models else dict.fromkeys(by_model, "the gateway serves no models at present")


def _approved_early(state: PassState) -> list[Record]:
    """Return the requests that a person approved before the chain had looked at them, which must not get around a review by several.

    Until the chain has answered as far as that review, such a request waits: its key is not made.
    """
    return [record for record in state.in_state(APPROVED) if not record.terms and not record.progress.key_alias]


def _decision(state: PassState, record: Record, outcome: ChainOutcome, terms: Mapping[str, Any] | None, policy: str) -> Change:
    ruling = Ruling(
        reason=clip(outcome.reason, LONGEST_REASON),
        terms=terms,
        trace=_trace(outcome),
        reviewers=outcome.reviewers,
        review=outcome.review,
        policy=policy,
    )
    if record.state == APPROVED:
        if outcome.decision is Decision.REVIEW and not is_plain_decision(outcome.review):
            return partial(transitions.review_after_all, ruling=ruling, by=CHAIN, at=state.parts.clock())
        return lambda approved: approved  # the person decided, and no review stands against it
    return partial(transitions.decide, state=STATES[outcome.decision], ruling=ruling, by=CHAIN, at=state.parts.clock(), only_from=(PENDING,))


def _without_lived_out(state: PassState, offers: Offers, pending: Sequence[Record], renewed: Mapping[str, Record]) -> dict[str, Record]:
    """Deny the renewals of keys that already live as long as they may without a person's leave, and return the others."""
    at = state.parts.clock()
    over = [each for each in pending if each.state == PENDING and each.id in renewed and offers.is_used_up(each, renewed[each.id], at)]
    for record in over:
        deny_renewals(state, [record], used_up_reason(offers, renewed[record.id]))
    return {each: original for each, original in renewed.items() if each not in {record.id for record in over}}


def used_up_reason(offers: Offers, renewed: Record) -> str:
    """Return why the key of the request `renewed` cannot live longer without a person's leave."""
    end = max(offers.end_of_life(renewed), renewed.progress.expires)
    return f"Your key may live until {end} at most; ask for a new one when it has ended, or ask an administrator for more time."


def asked_of_chain(offers: Offers, record: Record, renewed: Record | None, at: str) -> dict[str, Any]:
    """Return the terms for what was asked; for a package that does not exist, what the chain needs to say so."""
    try:
        return offers.asked(record, renewed, at=at)
    except NotOffered:
        return {"models": list(record.models)}


def _trace(outcome: ChainOutcome) -> list[dict[str, Any]]:
    return [step.as_recorded() for step in outcome.trace]


def _why_parked(outcome: ChainOutcome) -> str:
    detail = outcome.trace[-1] if outcome.trace else None
    return f"{detail.rule}: {detail.detail}" if detail and detail.detail else outcome.reason
