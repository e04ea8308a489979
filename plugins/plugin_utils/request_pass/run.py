# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""A pass over the queue of requests: read, decide, make keys, deliver answers, and record each step before the next.

A pass starts from what is recorded, so the next one finishes what one that was cut off began. A key is made only for a
request that never had one; an answer is delivered again by deriving the same value; a key that is gone has ended. What
goes wrong with a request is noted on that request, with the time of its next attempt, and stops no other. One pass at a
time works on a store.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from ...module_utils.key_requests import transitions
from ...module_utils.key_requests.base import Listing, Store, Turn
from ...module_utils.key_requests.errors import Broken, Busy, Missing, NotRecordable, RequestRefused
from ...module_utils.key_requests.record import APPROVED, DENIED, IN_REVIEW, LONGEST_REASON, PENDING, Record, is_for_key_of
from ...module_utils.key_requests.review import has_expired
from ...module_utils.key_requests.text import clip
from ...module_utils.key_requests.transitions import Change, Ruling
from ...module_utils.keys.key import LiveKey
from ...module_utils.litellm.errors import GatewayError
from ..approval.chain import ChainOutcome
from ..approval.decision import Decision
from ..delivery import MAIL, DeliverySettings
from . import plan
from .ended import split_ended
from .gateway import Minted
from .key_secrets import SecretKeeper
from .offers import NotOffered, Offers, terms_left
from .post import ChannelPoster, MailSender, PostResult
from .report import PassReport
from .ways import DeliveryWay, ways_of

CHAIN = "approval chain"
"""Who decides, as the history shows it."""
STATES = {Decision.APPROVE: APPROVED, Decision.DENY: DENIED, Decision.REVIEW: IN_REVIEW}
PATIENCE = 120
"""Seconds that a pass waits for another one to end."""


class ApprovalChain(Protocol):
    """The approval chain of a site with its offers."""

    offers: Offers
    policy: str
    """The digest of chain and offers."""
    counts_keys: bool
    """Whether a rule asks how many keys somebody has."""
    has_rules: bool

    def decide(self, requests: Sequence[Mapping[str, Any]], models: Sequence[str] | None, usage: Sequence[Mapping[str, Any]] | None) -> list[ChainOutcome]:
        """Return the decision on each request, in the same order."""


class Gateway(Protocol):
    """See `gateway.PassGateway`."""

    @property
    def calls(self) -> int: ...

    def models(self) -> list[str]: ...

    def living_keys(self) -> list[LiveKey]: ...

    def mint(self, wanted: Mapping[str, Mapping[str, Any]]) -> Minted: ...

    def in_service(self, aliases: Sequence[str]) -> dict[str, dict[str, Any]]: ...

    def revoke(self, aliases: Sequence[str]) -> None: ...

    def deleted(self, aliases: Sequence[str]) -> set[str] | None: ...

    def change(self, wanted: Mapping[str, Mapping[str, Any]]) -> dict[str, str]: ...


@dataclass(frozen=True)
class PassSettings:
    """What a pass does besides deciding. `store_variables` name the store in the commands that reviewers get."""

    delivery: DeliverySettings
    mails_answers: bool = True
    """Whether those who are denied, those whose key is in a Secret only, and the reviewers get mails."""
    reviewers: Sequence[str] = ()
    store_variables: Mapping[str, str] | None = None

    @property
    def ways(self) -> list[DeliveryWay]:
        """The ways in which keys are delivered, in order."""
        return ways_of(self.delivery, announces=self.mails_answers)


@dataclass(frozen=True)
class PassParts:
    """The parts of a pass: the store, the chain or the reason why there is none, the gateway, and the ways to people."""

    store: Store
    chain: ApprovalChain | ValueError
    gateway: Gateway
    mailer: MailSender
    secrets: SecretKeeper
    channels: ChannelPoster
    clock: Callable[[], str]


def run_pass(parts: PassParts, settings: PassSettings, *, patience: float = PATIENCE) -> PassReport:
    """Make one pass and return what it did.

    Raises StoreError if the store fails, and Busy if another pass was at work for `patience` seconds. What was recorded
    before that stays, and the next pass goes on from there.
    """
    with parts.store.turn(patience) as turn:
        began, report = time.monotonic(), PassReport(parts.clock())
        calls = parts.gateway.calls
        _Pass(parts, settings, turn, report).make()
        report.calls, report.seconds = parts.gateway.calls - calls, time.monotonic() - began
        turn.report(report.as_dict())
    return report


class _Pass:
    """One pass. `_open` holds the open requests in their present form, by id."""

    def __init__(self, parts: PassParts, settings: PassSettings, turn: Turn, report: PassReport) -> None:
        self._parts, self._settings, self._turn, self._report = parts, settings, turn, report
        self._open: dict[str, Record] = {}
        self._due: list[str] = []

    def make(self) -> None:
        listing: Listing = self._parts.store.listing(only_open=True)
        self._report.set_aside = list(listing.set_aside)
        self._open = {record.id: record for record in listing.records}
        at = self._parts.clock()
        self._due = [record.id for record in listing.records if transitions.is_due(record, at)]
        self._report.due = len(self._due)
        self._decide()
        self._report.approved, self._report.denied = (len(self._in_state(state)) for state in (APPROVED, DENIED))
        for step in (self._mint_and_deliver, self._renew, self._ask_reviewers, self._answer_denied):
            self._turn.check()
            step()
        self._report.note_left(list(self._open.values()))

    def _in_state(self, state: str) -> list[Record]:
        return [record for each in self._due if (record := self._open.get(each)) and record.state == state and record.open]

    # -------------------------------------------------------------------------------------------------- recording
    def _record(self, changes: Sequence[tuple[Record, Change]]) -> dict[str, Record]:
        """Make the changes, and return the changed records by id. What cannot be recorded is that request's failure."""
        self._turn.check()
        recorded: dict[str, Record] = {}
        for (record, _change), outcome in zip(changes, self._parts.store.transition_all(changes), strict=True):
            if outcome.transition is not None and outcome.transition.after is not None:
                recorded[record.id] = self._open[record.id] = outcome.transition.after
                self._report.changed |= outcome.transition.changed
            elif isinstance(outcome.error, Missing):
                self._open.pop(record.id, None)
            elif isinstance(outcome.error, NotRecordable):
                self._fail({record.id: str(outcome.error)}, "record")
            elif isinstance(outcome.error, (RequestRefused, Broken, Busy)):
                self._report.warnings.append(str(outcome.error))
        return recorded

    def _fail(self, reasons: Mapping[str, str], step: str, *, final: frozenset[str] = frozenset(), traces: Mapping[str, Any] | None = None) -> None:
        """Note for each request why `step` failed. For those in `final` passes give up."""
        at = self._parts.clock()
        changes: list[tuple[Record, Change]] = []
        for request_id, reason in reasons.items():
            if request_id in self._open:
                trace = (traces or {}).get(request_id, ())
                change = partial(transitions.mark_failed, at=at, step=step, reason=reason, final=request_id in final, trace=trace)
                changes.append((self._open[request_id], change))
        self._record(changes)

    # --------------------------------------------------------------------------------------------------- deciding
    def _decide(self) -> None:
        pending = self._in_state(PENDING)
        chain = self._parts.chain
        if isinstance(chain, ValueError):
            self._report.errors.append(f"nothing is decided: {chain}")
            return
        if not pending:
            return
        renewed, over = self._renewed([record for record in pending if record.renews])
        self._deny_renewals(over)
        pending = [record for record in pending if not record.renews or record.id in renewed]
        if not chain.has_rules:
            self._report.warnings.append("no approval rules are configured, so every request is denied; give rules, or withdraw the requests first.")
        models, usage, waiting = self._asked_of_gateway(chain, pending)
        self._fail(waiting, "decide")
        decidable = [record for record in pending if record.id not in waiting]
        asked = {record.id: _asked(chain.offers, record) for record in decidable}
        requests = [plan.as_asked(record, asked[record.id], renewed.get(record.id)) for record in decidable]
        outcomes = chain.decide(requests, models, usage)
        changes: list[tuple[Record, Change]] = []
        parked: dict[str, ChainOutcome] = {}
        for record, request, outcome in zip(decidable, requests, outcomes, strict=True):
            if outcome.decision in STATES:
                left = terms_left(asked[record.id], outcome.request, request["models"] if record.renews else None)
                changes.append((record, self._ruling(outcome, left, chain.policy)))
            else:
                parked[record.id] = outcome
        self._record(changes)
        traces = {each: _trace(outcome) for each, outcome in parked.items()}
        self._fail({each: _why_parked(outcome) for each, outcome in parked.items()}, "decide", traces=traces)

    def _asked_of_gateway(self, chain: ApprovalChain, pending: Sequence[Record]) -> tuple[list[str] | None, list[dict[str, Any]] | None, dict[str, str]]:
        """Return the gateway's models, the keys to count, and which requests wait because the gateway did not say.

        An outage never becomes a denial. A gateway that serves no model has not read its models yet.
        """
        models: list[str] | None = None
        usage: list[dict[str, Any]] | None = None
        if chain.counts_keys:
            try:
                promised = [record for record in self._open.values() if record.state == APPROVED and not record.progress.minted_at]
                usage = plan.quota_usage(self._parts.gateway.living_keys(), promised)
            except GatewayError as error:
                return None, None, {record.id: str(error) for record in pending}
        by_model = [record.id for record in pending if record.models]
        if not by_model:
            return None, usage, {}
        try:
            models = self._parts.gateway.models()
        except GatewayError as error:
            return None, usage, dict.fromkeys(by_model, str(error))
        return models, usage, {} if models else dict.fromkeys(by_model, "the gateway serves no models at present")

    def _ruling(self, outcome: ChainOutcome, terms: Mapping[str, Any] | None, policy: str) -> Change:
        ruling = Ruling(
            reason=clip(outcome.reason, LONGEST_REASON),
            terms=terms,
            trace=_trace(outcome),
            reviewers=outcome.reviewers,
            review=outcome.review,
            policy=policy,
        )
        return partial(transitions.decide, state=STATES[outcome.decision], ruling=ruling, by=CHAIN, at=self._parts.clock(), only_from=(PENDING,))

    # ------------------------------------------------------------------------------------- minting and delivering
    def _mint_and_deliver(self) -> None:
        approved = self._in_state(APPROVED)
        self._mint([record for record in approved if not record.progress.minted_at and not record.renews])
        minted = [record for record in self._in_state(APPROVED) if record.progress.minted_at and not record.renews]
        keys = self._keys_of(minted)
        for way in self._settings.ways:
            self._deliver(way, keys)
        self._finish([record for each in keys if (record := self._open.get(each))])

    def _mint(self, records: Sequence[Record]) -> None:
        """Make the keys of requests that never had one. Their values are used in this pass and kept nowhere."""
        self._fresh: dict[str, Mapping[str, Any]] = {}
        settled, failures = self._settled(records)
        wanted = {record.id: (plan.alias_of(record), plan.key_arguments(record, record.terms)) for record in settled}
        minted = self._parts.gateway.mint(dict(wanted.values())) if wanted else Minted()
        at = self._parts.clock()
        changes: list[tuple[Record, Change]] = []
        for request_id, (alias, _arguments) in wanted.items():
            key = minted.keys.get(alias)
            if key is None:
                failures[request_id] = minted.failures.get(alias, "the gateway did not make the key")
            else:
                self._fresh[request_id] = key
                changes.append((self._open[request_id], partial(transitions.mark_minted, at=at, key_alias=alias, expires=key.get("expires") or "")))
        recorded = self._record(changes)
        self._report.minted += len(recorded)
        self._fail(failures, "mint")
        self._withdraw([(record.id, wanted[record.id][0]) for record, _change in changes if record.id not in recorded])

    def _settled(self, records: Sequence[Record]) -> tuple[list[Record], dict[str, str]]:
        """Note the terms of each request, and return the requests with their terms, and by id why others have none."""
        chain, at = self._parts.chain, self._parts.clock()
        failures: dict[str, str] = {}
        changes: list[tuple[Record, Change]] = []
        for record in records:
            try:
                if isinstance(chain, ValueError) and not record.terms:
                    raise NotOffered(f"its terms cannot be worked out: {chain}")
                terms = dict(record.terms) if isinstance(chain, ValueError) else chain.offers.settled(record)
                changes.append((record, partial(transitions.settle_terms, terms=terms, at=at)))
            except ValueError as error:
                failures[record.id] = str(error)
        return list(self._record(changes).values()), failures

    def _withdraw(self, taken_back: Sequence[tuple[str, str]]) -> None:
        """Delete the keys of requests that were taken back while their keys were made. A failure does not stop the others."""
        for request_id, alias in taken_back:
            self._fresh.pop(request_id, None)
            if self._parts.store.check_mode:
                continue
            try:
                self._parts.gateway.revoke([alias])
            except GatewayError as error:
                self._report.errors.append(f"the request {request_id} was taken back, and its key {alias} could not be deleted: {error}")

    def _keys_of(self, records: Sequence[Record]) -> dict[str, Mapping[str, Any]]:
        """Return the keys to deliver, with their values, by request. A key that is gone or expired has ended."""
        earlier = {record.progress.key_alias: record.id for record in records if record.id not in self._fresh}
        try:
            found = self._parts.gateway.in_service(sorted(earlier))
        except GatewayError as error:
            self._fail(dict.fromkeys(earlier.values(), str(error)), "deliver")
            found, earlier = {}, {}
        self._note_ended([self._open[request_id] for alias, request_id in earlier.items() if alias not in found], right_gateway=bool(found))
        keys = {request_id: found[alias] for alias, request_id in earlier.items() if alias in found}
        return {**keys, **{each: key for each, key in self._fresh.items() if each in {record.id for record in records}}}

    def _note_ended(self, missing: Sequence[Record], *, right_gateway: bool) -> None:
        at = self._parts.clock()
        try:
            gone, unknown = split_ended(self._parts.gateway, missing, now=at, right_gateway=right_gateway)
        except GatewayError as error:
            self._fail({record.id: str(error) for record in missing}, "deliver")
            return
        self._report.ended += len(self._record([(record, partial(transitions.mark_ended, at=at)) for record in gone]))
        reason = "the gateway knows nothing of the key {}; check that it is the right one"
        self._fail({record.id: reason.format(record.progress.key_alias) for record in unknown}, "deliver")

    def _deliver(self, way: DeliveryWay, keys: Mapping[str, Mapping[str, Any]]) -> None:
        """Deliver in one way what was not delivered so yet, and note each result."""
        self._turn.check()
        entries = []
        for request_id, key in keys.items():
            record = self._open[request_id]
            done = record.progress.delivered
            if way.name not in done and (not way.after or way.after in done):
                entries.append({**key, "email": record.email, "request_id": request_id, **({"language": record.language} if record.language else {})})
        parcels, problems = way.plan(entries)
        send = self._parts.mailer.send if way.method == MAIL else self._parts.secrets.apply
        results = dict(zip(parcels, send(list(parcels.values())), strict=True)) if parcels else {}
        self._note_results({**{each: PostResult(False, reason) for each, reason in problems.items()}, **results}, "deliver", way.name)

    def _finish(self, records: Sequence[Record]) -> None:
        """Note which requests have their answer in every way. After a failure they do not."""
        at, ways = self._parts.clock(), {way.name for way in self._settings.ways}
        done = [record for record in records if record.state == APPROVED and ways <= set(record.progress.delivered)]
        self._report.delivered += len(self._record([(record, partial(transitions.mark_finished, at=at)) for record in done]))

    def _note_results(self, results: Mapping[str, PostResult], step: str, method: str) -> None:
        at = self._parts.clock()
        sent = [(self._open[each], partial(transitions.mark_delivered, at=at, via=method)) for each, result in results.items() if result.delivered]
        self._record(sent)
        failed = {each: result for each, result in results.items() if not result.delivered}
        final = frozenset(each for each, result in failed.items() if result.final)
        self._fail({each: f"{method}: {result.reason or 'failed'}" for each, result in failed.items()}, step, final=final)

    # ---------------------------------------------------------------------------------------------------- renewals
    def _renewed(self, renewals: Sequence[Record]) -> tuple[dict[str, Record], list[Record]]:
        """Return the request for the key of each renewal by the renewal's id, and the renewals whose keys have ended."""
        at, renewed, over = self._parts.clock(), dict[str, Record](), list[Record]()
        for record in renewals:
            try:
                found = transitions.ended_by(self._parts.store.get(record.renews), at)
            except Missing:
                over.append(record)
                continue
            except Broken as error:
                self._fail({record.id: str(error)}, "renew")
                continue
            if found.progress.minted_at and not found.progress.ended_at and is_for_key_of(record, found):
                renewed[record.id] = found
            else:
                over.append(record)
        return renewed, over

    def _deny_renewals(self, records: Sequence[Record]) -> None:
        ruling = Ruling("There is no such key of yours any more that could live longer; ask for a new one.")
        self._record([(record, partial(transitions.decide, state=DENIED, ruling=ruling, by=CHAIN, at=self._parts.clock())) for record in records])

    def _renew(self) -> None:
        """Let the keys of approved renewals live longer. Until when is noted before, so that no time is added twice."""
        records = [record for record in self._in_state(APPROVED) if record.renews and not record.progress.minted_at]
        if records:
            renewed, over = self._renewed(records)
            self._deny_renewals(over)
            settled, failures = self._settled([record for record in records if record.id in renewed])
            self._fail(failures, "renew")
            self._change_ends(settled, {record.id: renewed[record.id] for record in settled})
        self._note_new_ends([record for record in self._in_state(APPROVED) if record.renews and record.progress.minted_at])
        self._answer(APPROVED, "renewal", plan.renewal_mail)

    def _change_ends(self, records: Sequence[Record], renewed: Mapping[str, Record]) -> None:
        at = self._parts.clock()
        aliases = {record.id: renewed[record.id].progress.key_alias for record in records}
        try:
            living = self._parts.gateway.in_service(sorted(set(aliases.values())))
            missing = [renewed[record.id] for record in records if aliases[record.id] not in living]
            ended, unknown = split_ended(self._parts.gateway, missing, now=at, right_gateway=bool(living))
        except GatewayError as error:
            self._fail(dict.fromkeys(aliases, str(error)), "renew")
            return
        self._record([(record, partial(transitions.mark_ended, at=at)) for record in ended])
        self._deny_renewals([record for record in records if record.renews in {each.id for each in ended}])
        reason = "the gateway knows nothing of the key {}; check that it is the right one"
        self._fail({record.id: reason.format(aliases[record.id]) for record in records if record.renews in {each.id for each in unknown}}, "renew")
        changes: list[tuple[Record, Change]] = []
        for record in records:
            if key := living.get(aliases[record.id]):
                end = plan.end_of_renewal(record, record.terms, key.get("expires") or "")
                changes.append((record, partial(transitions.plan_renewal, at=at, key_alias=aliases[record.id], expires=end)))
        planned = list(self._record(changes).values())
        wanted = {record.progress.key_alias: plan.renewal_arguments(record, record.terms) for record in planned}
        failures = self._parts.gateway.change(wanted) if wanted else {}
        done = [record for record in planned if record.progress.key_alias not in failures]
        self._report.renewed += len(self._record([(record, partial(transitions.mark_renewed, at=at)) for record in done]))
        self._fail({record.id: failures[record.progress.key_alias] for record in planned if record not in done}, "renew")

    def _note_new_ends(self, records: Sequence[Record]) -> None:
        """Note the new end of each key on the request that the key was made for."""
        at, (renewed, _over) = self._parts.clock(), self._renewed(records)
        changes: list[tuple[Record, Change]] = []
        for record in records:
            if record.id in renewed:
                by, expires = record.history[-1].by, record.progress.expires
                change = partial(transitions.note_end, expires=expires, terms=record.terms, reason=f"Renewed by {record.id}.", by=by, at=at)
                changes.append((renewed[record.id], change))
        self._record(changes)

    # ----------------------------------------------------------------------------------------- denials and reviews
    def _answer_denied(self) -> None:
        self._answer(DENIED, "denial", plan.denial_mail)

    def _answer(self, state: str, kind: str, mail_of: Callable[[Record], dict[str, Any]]) -> None:
        """Tell those who were denied why, or whose keys live longer, by mail and in every channel for that. Whoever withdrew a request needs no answer."""

        def due() -> list[Record]:
            return [record for record in self._in_state(state) if state == DENIED or (record.renews and record.progress.minted_at)]

        ways = {MAIL: self._parts.mailer.send} if self._settings.mails_answers else {}
        ways |= {_way(name): partial(self._parts.channels.post, name) for name in self._parts.channels.channels(kind)}
        for way, send in ways.items():
            untold = [record for record in due() if not record.cancelled and way not in record.progress.delivered]
            results = send([mail_of(record) for record in untold]) if untold else []
            self._note_results({record.id: result for record, result in zip(untold, results, strict=True)}, "mail", way)
        at = self._parts.clock()
        answered = [record for record in due() if record.cancelled or set(ways) <= set(record.progress.delivered)]
        self._record([(record, partial(transitions.mark_finished, at=at)) for record in answered])

    def _ask_reviewers(self) -> None:
        """Ask each reviewer once about each request, by mail and in every channel for reviews."""
        waiting = self._without_expired(self._in_state(IN_REVIEW))
        channels = self._parts.channels.channels(plan.REVIEW)
        for record in waiting:
            if not (record.reviewers or self._settings.reviewers or channels):
                self._report.warnings.append(f"the request {record.id} is in review, and nobody was asked; name reviewers in the chain or for the pass.")
        now = self._parts.clock()
        if self._settings.mails_answers:
            self._ask([(record, each) for record in waiting for each in plan.questions_due(record, self._settings.reviewers, now)], self._parts.mailer.send)
        for name in channels:
            asked = [(record, question) for record in waiting if (question := plan.question_to_channel(record, name))]
            self._ask(asked, partial(self._parts.channels.post, name))

    def _ask(self, wanted: Sequence[tuple[Record, plan.Question]], send: Callable[[Sequence[Mapping[str, Any]]], list[PostResult]]) -> None:
        questions = [(record.id, question) for record, question in wanted if record.id in self._open]
        mails = [plan.review_mail(self._open[each], question, self._settings.store_variables or {}) for each, question in questions]
        at, failures = self._parts.clock(), dict[str, str]()
        for (request_id, question), result in zip(questions, send(mails) if mails else [], strict=True):
            if result.delivered:
                self._record([(self._open[request_id], partial(transitions.mark_notified, at=at, whom=question.notice))])
            else:
                failures[request_id] = f"{question.reviewer}: {result.reason}"
        self._fail(failures, "mail")

    def _without_expired(self, waiting: Sequence[Record]) -> list[Record]:
        """Deny the requests whose review has lasted too long, and return the others."""
        at = self._parts.clock()
        over = [record for record in waiting if has_expired(record.review, record.review_began, at)]
        changes: list[tuple[Record, Change]] = []
        for record in over:
            ruling = Ruling(f"Nobody decided within {record.review['expires_after']}; ask again if you still need the key.")
            changes.append((record, partial(transitions.decide, state=DENIED, ruling=ruling, by=CHAIN, at=at, only_from=(IN_REVIEW,))))
        self._record(changes)
        return [record for record in waiting if record not in over]


def _asked(offers: Offers, record: Record) -> dict[str, Any]:
    """Return the terms for what was asked; for a package that does not exist, what the chain needs to say so."""
    try:
        return offers.asked(record)
    except NotOffered:
        return {"models": list(record.models)}


def _way(channel: str) -> str:
    """Return the name under which a request notes that it was told of in a channel."""
    return plan.notice_name(f"webhook {channel}").replace(plan.REVIEW, "webhook")


def _trace(outcome: ChainOutcome) -> list[dict[str, Any]]:
    return [step.as_dict() for step in outcome.trace]


def _why_parked(outcome: ChainOutcome) -> str:
    detail = outcome.trace[-1] if outcome.trace else None
    return f"{detail.rule}: {detail.detail}" if detail and detail.detail else outcome.reason
