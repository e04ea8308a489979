# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What may happen to a request: decisions, and the progress that follows them. No clock, files or network.

Each function takes a record and returns the changed one, or the very same record when there is nothing to change. It
raises RequestRefused when the change is not possible, so a store can apply it again after it lost a race.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any, TypeAlias

from ..common import durations
from ..common.printable import printable
from .errors import Refusal, RequestRefused
from .record import (
    APPROVED,
    DELIVERED,
    DENIED,
    IN_REVIEW,
    KEY_FACTS,
    LARGEST_TRACE,
    LONGEST_NAME,
    LONGEST_REASON,
    MOST_STEPS,
    NOBODY,
    PENDING,
    RESEAL,
    SEALED,
    STATES,
    Failure,
    HistoryEntry,
    Progress,
    Record,
    check,
)
from .review import BY_OTHERS, approvals_needed, is_plain_decision, same_person
from .terms import AMOUNTS, BEYOND, Terms, check_terms, exceeded
from .text import check_text, clip, looks_like_key

Change: TypeAlias = Callable[[Record], Record]

# The moves between states that a decision may make. Three have a further condition (see `_check_transition`): an approved
# request can be denied or sent to review only before its key is minted, and becomes pending again only after its key has ended.
TRANSITIONS: frozenset[tuple[str, str]] = frozenset(
    (
        (PENDING, IN_REVIEW),
        (PENDING, APPROVED),
        (PENDING, DENIED),
        (IN_REVIEW, PENDING),
        (IN_REVIEW, APPROVED),
        (IN_REVIEW, DENIED),
        (APPROVED, IN_REVIEW),
        (APPROVED, DENIED),
        (APPROVED, PENDING),
        (DENIED, APPROVED),
        (DENIED, PENDING),
    )
)

SHORTEST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(minutes=30)
MOST_ATTEMPTS = 150
"""About three days of attempts to make or deliver a key."""
RESEAL_PAUSE = timedelta(minutes=5)
"""How long somebody waits for another link to a sealed key."""
LARGEST_HISTORY = 400_000
"""Bytes of the history, of which nothing is ever left out. A request starts again only if half of it, and of MOST_STEPS, is left."""


# --------------------------------------------------------------------------------------------------------- decisions
@dataclass(frozen=True)
class Ruling:
    """What a decision says besides the state: why, on which terms, and how it was reached.

    `terms` None leaves the terms of the request as they are, and `granted` is what a person granted. `policy` is the digest
    of the rules that decided.
    """

    reason: str = ""
    terms: Terms | None = None
    granted: Terms = field(default_factory=dict)
    trace: Sequence[Mapping[str, Any]] = ()
    reviewers: Sequence[str] = ()
    review: Mapping[str, Any] = field(default_factory=dict)
    policy: str = ""


ENDING = ("terms", "granted", "review", "progress")
"""The parts of a request that end when it moves to another state, unless the next state goes on with them."""
DECIDE = "decide"
"""The step in which the approval chain is asked."""
BY_HAND = "by hand"
"""Begins the name of whoever decided with kubectl or an editor, and is not known."""
NO_RULING = Ruling()
NO_TERMS: Terms = MappingProxyType({})


def decide(record: Record, state: str, ruling: Ruling = NO_RULING, *, by: str, at: str, only_from: Sequence[str] = STATES) -> Record:
    """Return `record` in `state`. A record in that state already changes only if the reason or the terms are new.

    `only_from` limits a decision to some states: the chain decides pending requests and must not overrule an
    administrator who was faster.
    """
    words = check_text(ruling.reason, "reason", LONGEST_REASON, lines=True)
    if record.state == state:
        return _confirmed(record, replace(ruling, reason=words), by=by, at=at) if state in only_from else record
    if record.state not in only_from:
        raise RequestRefused(f"Request {record.id} is {record.state} by now, so it is not {_participle(state)} any more; nothing was changed.")
    _check_transition(record, state)
    return _moved(record, state, replace(ruling, reason=words), by=by, at=at)


def approve(record: Record, granted: Terms, *, present: Terms = NO_TERMS, beyond: bool = False, reason: str = "", by: str, at: str) -> Record:
    """Return `record` approved by a person, who grants `granted` of the terms. A renewal is for a key with the `present` terms.

    Raises RequestRefused if that is more than the chain and the offer left, or than the key has, unless `beyond` says that it
    may be. If the chain has not looked at the request, the next pass compares the grant with the offer.
    """
    check_terms(granted, "granted")
    if any(looks_like_key(model) for model in granted.get("models", ())):
        raise ValueError("granted.models holds what looks like a key; never write a key into a request.")
    if record.state == DENIED and not is_plain_decision(record.review):
        raise RequestRefused(
            f"Request {record.id} was denied in a review that {_needs(record.review)}; let it be asked for again, and reviewed.", Refusal.REVIEWED
        )
    base = _terms_of_chain(record) if record.state == DENIED else record.terms
    more = exceeded(granted, {**present, **base}) if base else []
    if more and not beyond:
        raise RequestRefused(
            f"Request {record.id} would be granted more than its terms allow: {'; '.join(more)}; grant less, or say with beyond that it may be more.",
            Refusal.MORE,
            terms=[each.split()[0] for each in more],
        )
    grants = {**(record.granted if record.state in (APPROVED, IN_REVIEW) else {}), **granted}
    if granted and beyond and (more or not base):
        grants[BEYOND] = True
    terms = {**base, **grants} if base else {}
    if record.state == IN_REVIEW and not is_plain_decision(record.review):
        record = _approved_by_one_more(record, terms, grants, by=by, at=at)
        if len(record.progress.approvals) < approvals_needed(record.review):
            return record
    return decide(record, APPROVED, Ruling(reason, terms, grants), by=by, at=at)


def _terms_of_chain(record: Record) -> Terms:
    """Return the terms that the chain left. Those of a denied request may hold what a person had granted before, which the denial took back."""
    for entry in reversed(record.history):
        if entry.was == PENDING and entry.policy:
            return entry.terms or record.terms
    return record.terms


def _approved_by_one_more(record: Record, terms: Terms, grants: Terms, *, by: str, at: str) -> Record:
    """Return `record` with one more approval. Whoever changes the terms begins anew, because the others approved something else."""
    if record.review.get(BY_OTHERS) and same_person(by, record.email):
        raise RequestRefused(f"Request {record.id} is that of {record.email}, who may not approve it; let somebody else decide.", Refusal.OWN)
    progress = record.progress
    if any(same_person(by, name) for name in progress.approvals) and dict(terms) == dict(record.terms):
        return record
    approvals = {**(progress.approvals if dict(terms) == dict(record.terms) else {}), check_text(by, "actor", LONGEST_NAME): at}
    words = f"{len(approvals)} of {approvals_needed(record.review)} approvals."
    entry = _entry(record, IN_REVIEW, Ruling(words, terms, grants), by=by, at=at)
    changed = replace(record, terms=dict(terms), granted=dict(grants), history=_history(record, entry), updated_at=at)
    return replace(changed, progress=replace(progress, approvals=approvals))


def review_after_all(record: Record, ruling: Ruling, *, by: str, at: str) -> Record:
    """Return `record`, which a person approved before the chain had looked at it, in the review that the chain wants.

    The approval counts there, unless it changed the terms, which nobody else has seen. If it is enough, nothing changes.
    """
    if record.state != APPROVED or record.terms or record.progress.key_alias:
        return record
    name, time = [("", ""), *((entry.by, entry.at) for entry in record.history if entry.now == APPROVED and entry.was != APPROVED)][-1]
    unknown = not name or name.startswith(BY_HAND) or (ruling.review.get(BY_OTHERS) and same_person(name, record.email))
    if not unknown and approvals_needed(ruling.review) == 1:
        return record
    _check_transition(record, IN_REVIEW)
    moved = _moved(record, IN_REVIEW, ruling, by=by, at=at)
    return moved if unknown or record.granted else replace(moved, progress=replace(moved.progress, approvals={name: time}))


def _needs(review: Mapping[str, Any]) -> str:
    needed = approvals_needed(review)
    return f"needs {needed} people" if needed > 1 else "needs somebody else than the requester"


def settle_terms(record: Record, terms: Terms, *, policy: str = "", at: str) -> Record:
    """Note the complete terms of an approved request whose key is not made yet, which a pass worked out by the `policy` with this digest."""
    if record.state != APPROVED:
        raise RequestRefused(f"Request {record.id} is {record.state} by now, so its terms are not settled.")
    if record.progress.minted_at or dict(record.terms) == dict(terms):
        return record
    entry = _entry(record, APPROVED, Ruling("The terms were worked out.", terms, policy=policy), by="pass", at=at)
    return check(replace(record, terms=dict(terms), history=_history(record, entry), updated_at=at))


def _confirmed(record: Record, ruling: Ruling, *, by: str, at: str) -> Record:
    reason = ruling.reason or record.reason
    terms = dict(record.terms if ruling.terms is None else ruling.terms)
    if reason == record.reason and terms == dict(record.terms) and dict(ruling.granted) == dict(record.granted):
        return record
    if (terms, dict(ruling.granted)) != (dict(record.terms), dict(record.granted)) and record.progress.minted_at:
        raise RequestRefused(f"Request {record.id} has its key {record.progress.key_alias} already; change the key instead of the terms.", Refusal.HAS_KEY)
    entry = _entry(record, record.state, replace(ruling, reason=reason, terms=terms or ruling.granted), by=by, at=at)
    return replace(record, reason=reason, terms=terms, granted=dict(ruling.granted), history=_history(record, entry), updated_at=at)


def cancel(record: Record, *, by: str, at: str, reason: str = "") -> Record:
    """Return `record` withdrawn by its requester: denied, and open to be submitted again."""
    if record.state == DENIED:
        return record
    words = check_text(reason, "reason", LONGEST_REASON, lines=True) or "Cancelled by the requester."
    _check_transition(record, DENIED)
    return replace(_moved(record, DENIED, Ruling(words), by=by, at=at), cancelled=True)


def resubmit(record: Record, wish: Record, *, again: bool = False) -> Record:
    """Return `record` after the same person submitted `wish`: unchanged, or pending again.

    A cancelled request, one whose key has ended, and a renewal that was granted start again, a denied one only with
    `again`. A request that is under way, or whose key is alive, does not change, unless only the wish comes from an address that
    is proven (see `_proven`). Raises RequestRefused if its history is full.
    """
    record = ended_by(record, wish.updated_at)
    over = record.cancelled or bool(record.progress.ended_at) or (again and record.state == DENIED)
    if not over and not (record.renews and record.state == APPROVED and not record.open):
        return _proven(record, wish) if wish.verified_at and not record.verified_at else record
    _check_room(record)
    fresh = _moved(record, PENDING, Ruling(terms={}), by=wish.history[-1].by, at=wish.updated_at)
    from_end = bool(record.renews) and wish.from_end
    words: dict[str, Any] = {"purpose": wish.purpose, "duration": wish.duration, "max_budget": wish.max_budget}
    return replace(fresh, **words, from_end=from_end, verified_at=wish.verified_at)


def _proven(record: Record, wish: Record) -> Record:
    """Return `record`, which anybody may have submitted in the person's name, after that person submitted `wish`.

    As long as nobody has looked at it, it says in the person's own words what is asked for.
    """
    entry = _entry(record, record.state, Ruling("The address was proven."), by=wish.history[-1].by, at=wish.updated_at)
    history = _history(record, entry) if _has_room(record, entry) else record.history
    changed = replace(record, verified_at=wish.verified_at, history=history, updated_at=wish.updated_at)
    if record.state != PENDING:
        return changed
    return replace(changed, purpose=wish.purpose, duration=wish.duration, max_budget=wish.max_budget, from_end=wish.from_end)


def _check_room(record: Record) -> None:
    """Raise RequestRefused if the history, of which nothing is ever left out, has no room for another life of the request."""
    if len(record.history) > MOST_STEPS / 2 or _size(record.history) > LARGEST_HISTORY / 2:
        raise RequestRefused(
            f"Request {record.id} has started again so often that its history is full; export its audit, remove it with state absent, and ask anew.",
            Refusal.FULL,
        )


def _size(history: Sequence[HistoryEntry]) -> int:
    texts = ([step.by, step.reason, dict(step.terms), step.former_trace, step.former_extra, step.extra] for step in history)
    return sum(len(json.dumps(text, ensure_ascii=False, default=str).encode()) for text in texts)


def ended_by(record: Record, at: str) -> Record:
    """Return `record` as ended if its key's time is over, whether or not a pass has noticed."""
    progress = record.progress
    if progress.ended_at or not progress.minted_at or not progress.expires or durations.parse_time(progress.expires) > durations.parse_time(at):
        return record
    return mark_ended(record, at=at)


def set_by_hand(record: Record, state: str, *, by: str, at: str) -> Record:
    """Return `record` in `state`, as somebody set it with kubectl or an editor. Raises ValueError if it cannot become so."""
    if record.state in (IN_REVIEW, DENIED) and state == APPROVED and not is_plain_decision(record.review):
        raise ValueError("the state was set to approved by hand, and its review needs to know who approves; set it back, and use the playbook approve.")
    try:
        _check_transition(record, state)
        return _moved(record, state, Ruling(terms={} if state == PENDING else None), by=by, at=at)
    except RequestRefused as error:
        raise ValueError(f"the state was set to {printable(state, 40)} by hand: {error}") from None


def _check_transition(record: Record, state: str) -> None:
    if record.email == NOBODY:
        raise RequestRefused(f"Request {record.id} is what is left of one whose person was erased, so nothing more can become of it.", Refusal.ERASED)
    if (record.state, state) not in TRANSITIONS:
        raise RequestRefused(f"Request {record.id} is {record.state}, and from there it cannot become {printable(state, 40)}.")
    progress = record.progress
    if record.state == APPROVED and state == DENIED and progress.minted_at and not progress.ended_at:
        what = "its key lives longer already" if record.renews else f"has its key {progress.key_alias}; delete the key instead of denying the request"
        raise RequestRefused(f"Request {record.id} is approved, and {what}.", Refusal.HAS_KEY)
    if record.state == APPROVED and state == IN_REVIEW and progress.key_alias:
        raise RequestRefused(f"Request {record.id} is approved, and has its key {progress.key_alias}; there is nothing to review.", Refusal.HAS_KEY)
    if record.state == APPROVED and state == PENDING and not progress.ended_at:
        raise RequestRefused(f"Request {record.id} is approved, and its key has not ended; there is nothing to ask for again.", Refusal.HAS_KEY)


def _moved(record: Record, state: str, ruling: Ruling, *, by: str, at: str) -> Record:
    terms = record.terms if ruling.terms is None else ruling.terms
    review = _review_in(state, record, ruling)
    ended = _ended_extra(record, state, review)
    return replace(
        record,
        state=state,
        reason=ruling.reason,
        cancelled=False,
        terms=dict(terms),
        granted=dict(ruling.granted),
        reviewers=tuple(ruling.reviewers) if state == IN_REVIEW else (),
        review=review,
        trace=bounded_trace(ruling.trace),
        progress=Progress(),
        history=_history(record, _with_former(_entry(record, state, ruling, by=by, at=at), record, ended)),
        extra={name: fields for name, fields in record.extra.items() if name not in ended},
        updated_at=at,
    )


def _review_in(state: str, record: Record, ruling: Ruling) -> dict[str, Any]:
    """Return how the review is to be made, which a denial keeps: it must not be the way around the others who have to approve."""
    if state == IN_REVIEW:
        return dict(ruling.review)
    return dict(record.review) if (record.state, state) == (IN_REVIEW, DENIED) and not is_plain_decision(record.review) else {}


def _ended_extra(record: Record, state: str, review: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return what only a newer release knows of the parts that end when the request moves to `state`, where `review` stands.

    Nobody has decided on what stands in a pending request, so it must not pass for decided afterwards.
    """
    goes_on = {"review"} if review and review == record.review else set()
    if PENDING not in (record.state, state):
        goes_on |= {"terms", "granted"}
    extra = {**record.extra, "progress": _extra_of_progress(record.progress)}
    return {name: extra[name] for name in ENDING if name not in goes_on and extra.get(name)}


def _extra_of_progress(progress: Progress) -> Mapping[str, Any]:
    failure = progress.failure.extra if progress.failure else {}
    return {**progress.extra, "failure": failure} if failure else progress.extra


def _entry(record: Record, state: str, ruling: Ruling, *, by: str, at: str) -> HistoryEntry:
    terms = dict(ruling.terms or ruling.granted)
    return HistoryEntry(at, check_text(by, "actor", LONGEST_NAME) or "unknown", record.state, state, ruling.reason, terms, ruling.policy)


def _history(record: Record, entry: HistoryEntry) -> tuple[HistoryEntry, ...]:
    """Return the history with `entry` added. Raises RequestRefused if it is full, because nothing is ever left out of it."""
    if not _has_room(record, entry):
        raise RequestRefused(
            f"Request {record.id} was changed so often that its history is full; export its audit, and remove it with state absent.", Refusal.FULL
        )
    return (*record.history, entry)


def _has_room(record: Record, entry: HistoryEntry) -> bool:
    return len(record.history) < MOST_STEPS and _size((*record.history, entry)) <= LARGEST_HISTORY


def _with_former(entry: HistoryEntry, record: Record, ended: Mapping[str, Mapping[str, Any]]) -> HistoryEntry:
    """Return `entry` with what the step removes from the record: its trace, the facts about its key, and what only a newer release knows."""
    facts = {name: getattr(record.progress, name) for name in KEY_FACTS if getattr(record.progress, name)}
    return replace(entry, former_trace=tuple(record.trace), former_key=facts if record.progress.key_alias else {}, former_extra=ended)


def _participle(state: str) -> str:
    return {IN_REVIEW: "sent to review", PENDING: "asked for again"}.get(state, state)


def bounded_trace(trace: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """Return as many of the first entries of `trace` as may be kept, with plain text only."""
    kept: list[Mapping[str, Any]] = []
    room = LARGEST_TRACE - 200
    for entry in trace:
        clean = _plain(entry)
        room -= len(json.dumps(clean, ensure_ascii=False)) + 2
        if room < 0:
            kept.append({"cut": len(trace) - len(kept)})
            break
        kept.append(clean)
    return tuple(kept)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {clip(str(key), 100): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if value is None or isinstance(value, (bool, int)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return clip(str(value), LONGEST_REASON)


# ---------------------------------------------------------------------------------------------------------- progress
def mark_minted(record: Record, *, at: str, key_alias: str, expires: str = "") -> Record:
    """Note that the key exists. Raises RequestRefused if the request is no longer approved; the key must be deleted then."""
    if record.state != APPROVED:
        raise RequestRefused(f"Request {record.id} is {record.state} and not approved, so its key {printable(key_alias, 80)} must be deleted.")
    progress = record.progress
    if progress.minted_at and (progress.key_alias, progress.expires) == (key_alias, expires):
        return record
    return _progressed(record, at, minted_at=progress.minted_at or at, key_alias=key_alias, expires=expires, failure=_cleared(progress, "mint"))


def plan_renewal(record: Record, *, at: str, key_alias: str, expires: str) -> Record:
    """Note on an approved renewal which key is to live until when, before the key is changed, so that no time is added twice."""
    if record.state != APPROVED:
        raise RequestRefused(f"Request {record.id} is {record.state} by now, so no key is renewed for it.")
    if record.progress.key_alias:
        return record
    return _progressed(record, at, key_alias=key_alias, expires=expires)


def mark_renewed(record: Record, *, at: str) -> Record:
    """Note on a renewal that the key lives as long as planned."""
    if record.state != APPROVED:
        raise RequestRefused(f"Request {record.id} is {record.state} by now, and its key {printable(record.progress.key_alias, 80)} was renewed before that.")
    if record.progress.minted_at:
        return record
    return _progressed(record, at, minted_at=at, failure=_cleared(record.progress, "renew"))


def note_end(record: Record, expires: str, *, terms: Terms, reason: str, by: str, at: str) -> Record:
    """Note on the request of a living key that its end has changed, or other `terms` of it. An empty `expires` means that it has no end.

    The end is noted even if the history is full: what somebody may ask for depends on it, and a renewal has a history of its own.
    """
    progress = record.progress
    changed = {name: terms[name] for name in ("models", *AMOUNTS) if name in terms and record.terms.get(name) != terms[name]}
    if record.state != APPROVED or not progress.minted_at or progress.ended_at or (progress.expires == expires and not changed):
        return record
    entry = _entry(record, APPROVED, Ruling(clip(reason, LONGEST_REASON), terms), by=by, at=at)
    history = _history(record, entry) if _has_room(record, entry) else record.history
    return replace(_progressed(record, at, expires=expires), terms={**record.terms, **changed}, history=history)


def mark_delivered(record: Record, *, at: str, via: str, ways: Collection[str] = ()) -> Record:
    """Note that the answer was delivered by the method `via`, and that nothing is left to do if it was by all `ways` then."""
    _check_answered(record)
    if not wants_delivery(record, via):
        return record
    delivered = {**record.progress.delivered, via: at}
    notified = {name: time for name, time in record.progress.notified.items() if (name, via) != (RESEAL, SEALED)}
    done = _nothing_left(finished_at=at) if ways and set(ways) <= set(delivered) and RESEAL not in notified else {}
    return _progressed(record, at, **{"delivered": delivered, "notified": notified, "failure": _cleared(record.progress, via), **done})


def wants_delivery(record: Record, via: str) -> bool:
    """Return whether the answer is to be delivered by the method `via`: it never was, or its owner asked for a new sealed box."""
    return via not in record.progress.delivered or (via == SEALED and RESEAL in record.progress.notified)


def reseal(record: Record, *, by: str, at: str, reason: str = "", limited: bool = True) -> Record:
    """Note that the key of `record` is to be sealed in a new box, whose link the next pass mails to the owner.

    Nothing changes while a link is on its way. If it is `limited`, as it is for owners, raises RequestRefused within
    RESEAL_PAUSE after the last link. Raises it too if the key was not delivered sealed, or has ended.
    """
    progress = ended_by(record, at).progress
    if record.state != APPROVED or record.renews or progress.ended_at or SEALED not in progress.delivered:
        why = "its key has ended; ask for a new key" if progress.ended_at else "no key was sealed for it"
        raise RequestRefused(f"Request {record.id} gets no new link, because {why}.", Refusal.NO_LINK)
    if progress.stopped_at:
        raise RequestRefused(
            f"Request {record.id} gets no new link, because sending the last one failed for good; let an administrator retry it.", Refusal.NO_LINK
        )
    if not progress.finished_at:
        return record
    ready = durations.parse_time(progress.delivered[SEALED]) + RESEAL_PAUSE
    if limited and durations.parse_time(at) < ready:
        raise RequestRefused(f"Request {record.id} got a link just now; look for the mail, or ask again after {durations.iso(ready)}.", Refusal.TOO_SOON)
    if limited and len(record.history) > MOST_STEPS / 2:
        raise RequestRefused(f"Request {record.id} got so many links that its history is full; let an administrator look at it.", Refusal.FULL)
    facts = {"key_alias": progress.key_alias, DELIVERED: dict(progress.delivered)}
    entry = _entry(record, APPROVED, Ruling(clip(reason, LONGEST_REASON) or "A new link to the key was asked for."), by=by, at=at)
    history = _history(record, replace(entry, former_key=facts))
    return replace(_progressed(record, at, finished_at="", notified={**progress.notified, RESEAL: at}), history=history)


def mark_finished(record: Record, *, at: str) -> Record:
    """Note that the answer was delivered by every method wanted, so nothing is left to do."""
    _check_answered(record)
    if record.progress.finished_at:
        return record
    return _progressed(record, at, **_nothing_left(finished_at=at))


def mark_ended(record: Record, *, at: str) -> Record:
    """Note that the key expired or was revoked."""
    if record.state != APPROVED or not record.progress.minted_at:
        raise RequestRefused(f"Request {record.id} is {record.state} and has no key that could have ended.")
    if record.progress.ended_at:
        return record
    return _progressed(record, at, **_nothing_left(ended_at=at))


def mark_notified(record: Record, *, at: str, notices: Sequence[str]) -> Record:
    """Note that notices that are sent only once were sent, each by its name."""
    new = dict.fromkeys((notice for notice in notices if notice not in record.progress.notified), at)
    return _progressed(record, at, notified={**record.progress.notified, **new}) if new else record


def mark_failed(record: Record, *, at: str, step: str, reason: str, code: str = "", final: bool = False, trace: Sequence[Mapping[str, Any]] = ()) -> Record:
    """Note that a step failed, to be tried again after 1, 2, 4, ... and at most 30 minutes.

    After a failure that is `final`, and after MOST_ATTEMPTS of a step other than DECIDE, passes give up until an
    administrator lets them try again. A `trace` says what the rules answered that could not decide.
    """
    last = record.progress.failure
    same = last if last and last.step == step else None
    attempts = same.attempts + 1 if same else 1
    wait = min(LONGEST_WAIT, SHORTEST_WAIT * 2 ** min(attempts - 1, 20))
    next_attempt_at = durations.iso(durations.parse_time(at) + wait)
    failure = Failure(step, clip(reason, LONGEST_REASON), attempts, next_attempt_at, code, same.extra if same else {})
    gives_up = record.state in (APPROVED, DENIED) and (final or (attempts >= MOST_ATTEMPTS and step != DECIDE))
    progressed = _progressed(record, at, failure=failure, stopped_at=at if gives_up else "")
    return replace(progressed, trace=bounded_trace(trace)) if trace else progressed


def retry(record: Record, *, by: str, at: str) -> Record:
    """Return `record` to be tried again at once, whether passes gave up or only wait. Raises RequestRefused if nothing failed."""
    if not record.progress.failure:
        raise RequestRefused(f"Request {record.id} is {record.state}, and nothing about it has failed.", Refusal.NOT_FAILED)
    entry = _entry(record, record.state, Ruling("To be tried again."), by=by, at=at)
    return replace(_progressed(record, at, failure=None, stopped_at=""), history=_history(record, entry))


def is_due(record: Record, at: str) -> bool:
    """Return whether something is left to do and may be tried now. A wait above LONGEST_WAIT means that the clock jumped."""
    failure = record.progress.failure
    if not record.open or failure is None:
        return record.open
    wait = durations.parse_time(failure.next_attempt_at) - durations.parse_time(at)
    return wait <= timedelta(0) or wait > LONGEST_WAIT


def _check_answered(record: Record) -> None:
    if record.state not in (APPROVED, DENIED):
        raise RequestRefused(f"Request {record.id} is {record.state}, so there is no answer to deliver yet.")
    if record.state == APPROVED and not record.progress.minted_at:
        raise RequestRefused(f"Request {record.id} is approved, and its key is not minted yet, so there is nothing to deliver.")


def _nothing_left(**when: str) -> dict[str, Any]:
    """Return the changes to the progress of a request with which nothing is left to do or to try again, and `when` that was."""
    return {**when, "stopped_at": "", "failure": None}


def _cleared(progress: Progress, step: str) -> Failure | None:
    return None if progress.failure and progress.failure.step == step else progress.failure


def _progressed(record: Record, at: str, **changes: Any) -> Record:
    return check(replace(record, progress=replace(record.progress, **changes), updated_at=at))
