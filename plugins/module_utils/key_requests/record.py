# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""A request for a key: its fields, its identity, and the checks that every record passes. No clock, files or network.

A request is in one of four states, the ones that the LLM Key Requestor documents. Work that follows a decision is
progress: minting the key, delivering the answer, or retrying a step that failed. A pass that was interrupted is
finished by the next one, which reads the progress. `transitions` holds the changes.

All times are text, UTC, to the second: 2026-11-21T04:00:00Z.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..common import durations, email_address, names
from ..common.printable import printable, quoted
from .review import check_review
from .terms import LARGEST_AMOUNT, Terms, check_terms
from .text import check_text, is_plain, looks_like_key

PENDING = "pending"
IN_REVIEW = "in-review"
APPROVED = "approved"
DENIED = "denied"
STATES = (PENDING, IN_REVIEW, APPROVED, DENIED)

LONGEST_REASON = 1_000
LONGEST_PURPOSE = 2_000
LONGEST_NAME = 254
LONGEST_MODEL = 256
LONGEST_ALIAS = 255
MOST_MODELS = 200
MOST_STEPS = 400
LARGEST_TRACE = 16_384

DELIVERED = "delivered"
SEALED = "sealed"
"""The delivery method of a key that lies in a sealed box, see `sealed_box`."""
RESEAL = "reseal"
"""Among the notices of a request: when its owner asked for a new box."""
NOBODY = "erased@erased.invalid"
"""The address in what is left of a request after its person was erased; no mail reaches it (RFC 2606)."""
KEY_FACTS = ("key_alias", "minted_at", "expires", "ended_at", DELIVERED)
"""What is kept of a key whose request starts again: the alias, times, and when it was delivered by which method."""

_CODE = re.compile(r"[a-z][a-z0-9_]{0,59}")
_ID = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,198}[a-z0-9])?")
PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_STEP_NAME = re.compile(r"[a-z0-9][a-z0-9_.:-]{0,63}")
_IDENTITIES = uuid.UUID("6d0f0b1e-53a7-5c0b-9a0e-0f5f1c1d2a37")


@dataclass(frozen=True)
class HistoryEntry:
    """At `at`, `by` moved the request from state `was` to state `now`."""

    at: str
    by: str
    was: str
    now: str
    reason: str = ""
    terms: Terms = field(default_factory=dict)
    """The terms after this step, where it decided on terms."""
    policy: str = ""
    """The digest of the approval chain and packages, where they decided."""
    former_trace: tuple[Mapping[str, Any], ...] = ()
    """How the chain had reached the decision that this step replaced."""
    former_key: Mapping[str, Any] = field(default_factory=dict)
    """The key that the request had until this step, in the words of KEY_FACTS."""
    former_extra: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What only a newer release knew of the terms, the grant, the review and the progress that ended with this step."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """What only a newer release knows of this entry, see `Record.extra`."""


@dataclass(frozen=True)
class Failure:
    """The step that failed last (`decide`, `mint`, `mail`, ...), how often in a row, and when to try again."""

    step: str
    reason: str
    attempts: int
    next_attempt_at: str
    code: str = ""
    """The kind of the error, if it is one of those that have a code, such as `unreachable`."""
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Progress:
    """The work done in the present state. A new state begins with an empty one."""

    minted_at: str = ""
    key_alias: str = ""
    expires: str = ""
    """When the key ends; empty for a key without an end. For a renewal it is noted before the key is changed."""
    delivered: Mapping[str, str] = field(default_factory=dict)
    """The delivery methods that succeeded, and when."""
    finished_at: str = ""
    """When the requester had the answer by every method; nothing is left to do."""
    ended_at: str = ""
    """When the key was found to have expired or been revoked; the person may ask again."""
    stopped_at: str = ""
    """When passes gave up, because the failure will not pass by itself; an administrator can let them try again."""
    approvals: Mapping[str, str] = field(default_factory=dict)
    """Who approved so far, and when, while a review needs more approvals."""
    notified: Mapping[str, str] = field(default_factory=dict)
    """Notices that are sent only once, such as `review`, and when they were sent."""
    failure: Failure | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """`ended`, `finished`, `stopped`, `failed`, `minted`, or empty before any of these."""
        seen_of = {"ended": self.ended_at, "finished": self.finished_at, "stopped": self.stopped_at, "failed": self.failure, "minted": self.minted_at}
        for name, seen in seen_of.items():
            if seen:
                return name
        return ""


@dataclass(frozen=True)
class Record:
    """A request. `version` belongs to the store (optimistic concurrency) and does not count when records are compared."""

    id: str
    email: str
    models: tuple[str, ...] = ()
    package: str = ""
    purpose: str = ""
    duration: str = ""
    max_budget: float | None = None
    guid: str = ""
    user: str = ""
    renews: str = ""
    """The id of the request whose key shall live longer; empty in a request for a new key."""
    from_end: bool = False
    """Whether the time asked for counts from the key's present end. Otherwise it counts from the approval."""
    language: str = ""
    """The language in which the requester wants mails, such as `de`; empty for the usual one."""
    origin: str = ""
    """What submitted it, such as `playbook` or `portal`."""
    verified_at: str = ""
    """When it was proven that the address belongs to the requester; empty if it was not."""
    state: str = PENDING
    reason: str = ""
    """Why it is in this state, written for the requester."""
    cancelled: bool = False
    """Whether it is denied because the requester withdrew it."""
    terms: Terms = field(default_factory=dict)
    """What the key gets. Empty until the chain, or a pass after the decision of a person, has worked it out."""
    granted: Terms = field(default_factory=dict)
    """What a person granted, where it differs from what was asked for or left by the chain."""
    reviewers: tuple[str, ...] = ()
    """The e-mail addresses of those whom the chain asks, while the request is in review."""
    review: Mapping[str, Any] = field(default_factory=dict)
    """How the review is to be made, or was until it was denied, see the module `review`."""
    trace: tuple[Mapping[str, Any], ...] = ()
    """How the approval chain reached its decision, written for administrators."""
    progress: Progress = field(default_factory=Progress)
    history: tuple[HistoryEntry, ...] = ()
    created_at: str = ""
    updated_at: str = ""
    format: int = field(default=0, compare=False)
    """The format that the record was read in, see `document`; 0 for a new one."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """What a newer release wrote and this one does not know, kept as it is: fields, and by the name of a known field those in it."""
    version: str = field(default="", compare=False)

    @property
    def asked_at(self) -> str:
        """When it was submitted, for the last time if it started again."""
        asked = [entry.at for entry in self.history if entry.now == PENDING and entry.was != PENDING]
        return asked[-1] if asked else self.created_at

    @property
    def review_began(self) -> str:
        """When the present review began."""
        began = [entry.at for entry in self.history if entry.now == IN_REVIEW and entry.was != IN_REVIEW]
        return began[-1] if began else self.updated_at

    @property
    def open(self) -> bool:
        """Whether something is left to do: to decide, to mint or to deliver."""
        progress = self.progress
        return self.state not in (APPROVED, DENIED) or not (progress.finished_at or progress.ended_at or progress.stopped_at)


# --------------------------------------------------------------------------------------------------------- identity
def request_id(email: str, models: Sequence[str], package: str, guid: str = "", user: str = "", renews: str = "") -> str:
    """Return the id of this person's one request for these models or this package (and lab, and user of the lab).

    The one request to let that key live longer has an id of its own.

    It is a UUID computed from them, so two programs that submit the same request at the same time write one record.
    The local part of the address is compared without case: no mail system in use distinguishes it, and a capital
    letter must not earn a second key.
    """
    identity = [email_address.ascii_lower(email), sorted(models), package, guid, user, *(["renewal"] if renews else [])]
    return str(uuid.uuid5(_IDENTITIES, json.dumps(identity, ensure_ascii=True)))


def same_wish(one: Record, other: Record) -> bool:
    """Return whether both are requests of the same person for the same thing, whatever their ids."""
    return _id_of(one) == _id_of(other)


def is_for_key_of(renewal: Record, other: Record) -> bool:
    """Return whether the renewal is that of the person whose key the other request led to. Whoever writes records could name any request."""
    return renewal.renews == other.id and not other.renews and _id_of(replace(renewal, renews="")) == _id_of(other)


def _id_of(record: Record) -> str:
    return request_id(record.email, record.models, record.package, record.guid, record.user, record.renews)


def check_id(text: str) -> str:
    """Return `text` if it can name a file and a Kubernetes object. Raises ValueError if not."""
    if not _ID.fullmatch(text) or ".." in text:
        raise ValueError(f"id is {quoted(text)}, which is not the id of a request; give one that key_request_info lists.")
    return text


def new(
    *,
    email: str,
    models: Sequence[str] = (),
    package: str = "",
    purpose: str = "",
    duration: str = "",
    max_budget: float | None = None,
    guid: str = "",
    user: str = "",
    renews: str = "",
    from_end: bool = False,
    language: str = "",
    origin: str = "",
    verified_at: str = "",
    by: str = "",
    at: str,
) -> Record:
    """Return a pending request, submitted by `by` (by default the requester). Raises ValueError if any value is not allowed."""
    address = str(email_address.parse_address(email))
    if address == NOBODY:
        raise ValueError(f"email is {NOBODY}, which stands for people who were erased; give the address of the person who asks.")
    names = tuple(dict.fromkeys(models))
    for name, value in (*(("model", model) for model in names), ("package", package), ("guid", guid), ("user", user)):
        if looks_like_key(value):
            raise ValueError(f"{name} holds what looks like a key; never write a key into a request.")
    return check(
        Record(
            id=request_id(address, names, package, guid, user, renews),
            email=address,
            models=names,
            package=package,
            purpose=check_text(purpose, "purpose", LONGEST_PURPOSE, lines=True),
            duration=duration,
            max_budget=max_budget,
            guid=guid,
            user=user,
            renews=renews,
            from_end=from_end,
            language=language,
            origin=origin,
            verified_at=verified_at,
            history=(HistoryEntry(at, by or address, "", PENDING),),
            created_at=at,
            updated_at=at,
        )
    )


# ------------------------------------------------------------------------------------------------------------ checks
def check(record: Record) -> Record:
    """Return `record` if this module could have made it. Raises ValueError if not, which catches mistakes in manual edits."""
    check_id(record.id)
    if str(email_address.parse_address(record.email)) != record.email:
        raise ValueError(f"email is {quoted(record.email)}, whose domain is not in lower-case ASCII form.")
    _check_wish(record)
    if record.id != _id_of(record) and _computed(record.id):
        raise ValueError("the id is that of another request, so email, models, package, guid or user were changed.")
    if record.state not in STATES:
        raise ValueError(f"the state is {quoted(record.state, 40)}; it must be one of {', '.join(STATES)}.")
    if record.cancelled and record.state != DENIED:
        raise ValueError(f"the request is noted as cancelled, and the state is {record.state}.")
    check_terms(record.terms)
    check_terms(record.granted, "granted")
    _check_reviewers(record)
    _check_trace(record.trace)
    _check_plain(record.reason, "reason", LONGEST_REASON, lines=True)
    _check_history(record)
    _check_progress(record)
    for name in ("created_at", "updated_at", *(("verified_at",) if record.verified_at else ())):
        _check_time(getattr(record, name), name)
    return record


def _check_wish(record: Record) -> None:
    if bool(record.models) == bool(record.package):
        raise ValueError("a request names either models or a package, and this one names both or none.")
    if len(record.models) > MOST_MODELS:
        raise ValueError(f"the request names {len(record.models)} models, and at most {MOST_MODELS} are allowed.")
    for model in record.models:
        _check_model(model)
    if record.package and not PACKAGE.fullmatch(record.package):
        raise ValueError(f"package is {quoted(record.package)}; it may hold up to 128 letters, digits, '.', '_' and '-', and begins with a letter or digit.")
    _check_plain(record.purpose, "purpose", LONGEST_PURPOSE, lines=True)
    if record.duration:
        durations.seconds(record.duration)
    if record.max_budget is not None and not 0 <= record.max_budget <= LARGEST_AMOUNT:
        raise ValueError(f"max_budget is {quoted(record.max_budget)}, which is not an amount in USD; give a number from 0 up.")
    if record.guid:
        names.check_guid(record.guid)
    if record.user:
        names.check_user(record.user)
    for name, value in (("language", record.language), ("origin", record.origin)):
        if value and not _STEP_NAME.fullmatch(value):
            raise ValueError(f"{name} is {quoted(value)}; use small letters, digits and '_.:-'.")
    if record.renews:
        check_id(record.renews)
    if record.from_end and not record.renews:
        raise ValueError("from_end is true, and no request is named whose key shall live longer.")
    if record.user and not record.guid:
        raise ValueError(f"user is {quoted(record.user)}, a user of a lab, and the guid of the lab is missing; give it too.")


def _check_model(model: str) -> None:
    if not model or len(model) > LONGEST_MODEL or printable(model, LONGEST_MODEL) != model or "," in model:
        raise ValueError(f"model is {quoted(model)}, which is not the name of a model; name one that the gateway serves.")
    if "*" in model or model in names.MODEL_WORDS:
        # LiteLLM would read it as many models, which would bypass every rule that denies one of them by name.
        raise ValueError(f"model is {quoted(model)}, which means more than one model; name the models one by one, or a package.")


def _check_reviewers(record: Record) -> None:
    check_review(record.review)
    if (record.state not in (IN_REVIEW, DENIED) and record.review) or (record.state != IN_REVIEW and record.progress.approvals):
        raise ValueError(f"a review is noted, and the state is {record.state}.")
    for name, at in record.progress.approvals.items():
        _check_plain(name, "who approved", LONGEST_NAME)
        _check_time(at, f"the time of the approval of {printable(name, 80)}")
    for address in record.reviewers:
        if str(email_address.parse_address(address, "a reviewer")) != address:
            raise ValueError(f"a reviewer is {quoted(address)}, whose domain is not in lower-case ASCII form.")


def _check_trace(trace: Sequence[Mapping[str, Any]]) -> None:
    if len(json.dumps(trace, ensure_ascii=False)) > LARGEST_TRACE:
        raise ValueError(f"the trace is larger than {LARGEST_TRACE} characters.")
    if not _all_plain(trace):
        raise ValueError("the trace holds control or direction characters.")


def _all_plain(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(is_plain(key) and _all_plain(entry) for key, entry in value.items())
    if isinstance(value, (list, tuple)):
        return all(_all_plain(entry) for entry in value)
    return not isinstance(value, str) or is_plain(value)


def _check_history(record: Record) -> None:
    if len(record.history) > MOST_STEPS:
        raise ValueError(f"the history has {len(record.history)} entries, and at most {MOST_STEPS} are kept.")
    for step in record.history:
        _check_time(step.at, "the time of an entry of the history")
        _check_plain(step.by, "who acted", LONGEST_NAME)
        _check_plain(step.reason, "a reason in the history", LONGEST_REASON, lines=True)
        _check_plain(step.policy, "the policy in the history", LONGEST_NAME)
        check_terms(step.terms, "terms in the history")
        _check_trace(step.former_trace)
        _check_former_key(step.former_key)
        if step.was not in (*STATES, "") or step.now not in STATES:
            raise ValueError(f"the history tells of a state that does not exist: {quoted(step.was + ' ' + step.now)}.")
    if record.history and record.history[-1].now != record.state:
        raise ValueError(f"the state is {record.state}, and the history ends with {record.history[-1].now}.")


def _check_former_key(key: Mapping[str, Any]) -> None:
    for name, value in key.items():
        if name not in KEY_FACTS:
            raise ValueError(f"a former key in the history has a fact {quoted(name, 40)} that does not exist.")
        if name == DELIVERED:
            _check_steps(value)
        elif not isinstance(value, str):
            raise ValueError(f"{name} in the history is not a text.")
        elif name == "key_alias":
            _check_alias(value)
        else:
            _check_time(value, f"{name} in the history")


def _check_alias(alias: str) -> None:
    if len(alias) > LONGEST_ALIAS or not is_plain(alias):
        raise ValueError(f"key_alias is {quoted(alias)}, which cannot be the alias of a key.")


def _check_progress(record: Record) -> None:
    progress = record.progress
    if record.state != APPROVED and (progress.minted_at or progress.ended_at):
        raise ValueError(f"a key is noted as minted, and the state is {record.state}.")
    if record.state not in (APPROVED, DENIED) and progress.finished_at:
        raise ValueError(f"the request is noted as finished, and the state is {record.state}.")
    if record.state == APPROVED and (progress.finished_at or progress.ended_at) and not progress.minted_at:
        raise ValueError("the answer is noted as delivered, and no key as minted.")
    _check_alias(progress.key_alias)
    for name in ("minted_at", "expires", "finished_at", "ended_at", "stopped_at"):
        if getattr(progress, name):
            _check_time(getattr(progress, name), name)
    for where in (progress.delivered, progress.notified):
        _check_steps(where)
    if progress.failure:
        _check_step_name(progress.failure.step)
        _check_plain(progress.failure.reason, "the reason of a failure", LONGEST_REASON)
        if progress.failure.code and not _CODE.fullmatch(progress.failure.code):
            raise ValueError(f"the code of a failure is {quoted(progress.failure.code)}, which cannot be one.")
        _check_time(progress.failure.next_attempt_at, "next_attempt_at")
        if progress.failure.attempts < 1:
            raise ValueError("a failure is noted without an attempt.")


def _check_steps(steps: object) -> None:
    if not isinstance(steps, Mapping) or not all(isinstance(text, str) for text in (*steps, *steps.values())):
        raise ValueError("the times of what was delivered are not a mapping of texts.")
    for name, at in steps.items():
        _check_step_name(name)
        _check_time(at, f"the time of {name}")


def _check_step_name(name: str) -> None:
    if not _STEP_NAME.fullmatch(name):
        raise ValueError(f"{quoted(name)} is not the name of a step; use small letters, digits and '_.:-'.")


def _check_plain(text: str, name: str, longest: int, *, lines: bool = False) -> None:
    if check_text(text, name, longest, lines=lines) != text:
        raise ValueError(f"{name} has blanks around it.")


def _check_time(text: str, name: str) -> None:
    if len(text) > 40 or durations.iso(durations.parse_time(text, name)) != text:
        raise ValueError(f"{name} is {quoted(text, 40)}; write it as 2026-12-31T18:00:00Z.")


def _computed(text: str) -> bool:
    """Return whether `request_id` made this id; the LLM Key Requestor draws its ids at random."""
    try:
        return uuid.UUID(text).version == 5
    except ValueError:
        return False
