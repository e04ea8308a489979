# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""A request for a key, and what may become of it. Pure: no clock, no files, no network.

A request is in one of four states, the ones that the requestor's documents name. What happens after a decision is
progress: the key is minted, the answer is delivered, or a step failed and is tried again later. A run that was cut off
is finished by the next one, which reads the progress.

Every change is a function from a record to a record. It returns the very same record when there is nothing to change,
and raises Refused when the change is not possible; a store can therefore apply it again after a lost race.

All times are text, UTC, to the second: 2026-11-21T04:00:00Z.
"""

from __future__ import annotations

import json
import math
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from ..common import durations, email_address, names
from ..common.printable import printable
from .errors import Refused
from .text import check_text, clip, is_plain

PENDING = "pending"
IN_REVIEW = "in-review"
APPROVED = "approved"
DENIED = "denied"
STATES = (PENDING, IN_REVIEW, APPROVED, DENIED)

# From which state a decision may lead to which. Two need more than the table says: an approved request can be denied
# only while no key was minted for it, and becomes pending again only after its key has ended.
TRANSITIONS: frozenset[tuple[str, str]] = frozenset(
    (
        (PENDING, IN_REVIEW),
        (PENDING, APPROVED),
        (PENDING, DENIED),
        (IN_REVIEW, PENDING),
        (IN_REVIEW, APPROVED),
        (IN_REVIEW, DENIED),
        (APPROVED, DENIED),
        (APPROVED, PENDING),
        (DENIED, APPROVED),
        (DENIED, PENDING),
    )
)

LONGEST_REASON = 1_000
LONGEST_PURPOSE = 2_000
LONGEST_NAME = 254
LONGEST_MODEL = 256
MOST_MODELS = 200
MOST_STEPS = 40
LARGEST_TRACE = 16_384
SHORTEST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(minutes=30)

_ID = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,198}[a-z0-9])?")
PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_STEP_NAME = re.compile(r"[a-z0-9][a-z0-9_.:-]{0,63}")
_IDENTITIES = uuid.UUID("6d0f0b1e-53a7-5c0b-9a0e-0f5f1c1d2a37")


@dataclass(frozen=True)
class Step:
    """One entry of the history: at `at`, `by` moved the request from state `was` to state `now`."""

    at: str
    by: str
    was: str
    now: str
    reason: str = ""


@dataclass(frozen=True)
class Failure:
    """The last step that failed (`decide`, `mint`, `mail`, ...): why, how often in a row, and not to be tried again before."""

    step: str
    reason: str
    attempts: int
    next_attempt_at: str


@dataclass(frozen=True)
class Progress:
    """What was done about the present state. A new state begins with none."""

    minted_at: str = ""
    key_alias: str = ""
    expires: str = ""
    """When the key ends; empty when it does not."""
    delivered: Mapping[str, str] = field(default_factory=dict)
    """Ways of delivery that succeeded, and when."""
    finished_at: str = ""
    """The requester has the answer; nothing is left to do."""
    ended_at: str = ""
    """The key expired or was revoked; the person may ask again."""
    notified: Mapping[str, str] = field(default_factory=dict)
    """Notices that are sent once, such as `review`, and when they were."""
    failure: Failure | None = None

    @property
    def status(self) -> str:
        """`ended`, `finished`, `failed`, `minted`, or nothing yet."""
        for name, seen in (("ended", self.ended_at), ("finished", self.finished_at), ("failed", self.failure), ("minted", self.minted_at)):
            if seen:
                return name
        return ""


@dataclass(frozen=True)
class Record:
    """A request. `version` is the store's, for optimistic concurrency, and not part of the request."""

    id: str
    email: str
    models: tuple[str, ...] = ()
    package: str = ""
    purpose: str = ""
    duration: str = ""
    max_budget: float | None = None
    guid: str = ""
    user: str = ""
    state: str = PENDING
    reason: str = ""
    """Why it is in this state, in words for the requester."""
    cancelled: bool = False
    """Denied because the requester took it back."""
    granted: Mapping[str, Any] = field(default_factory=dict)
    """What was approved where that differs from what was asked for, in the words of the module `virtual_keys`."""
    trace: tuple[Mapping[str, Any], ...] = ()
    """How the approval chain came to its decision, for administrators."""
    progress: Progress = field(default_factory=Progress)
    history: tuple[Step, ...] = ()
    created_at: str = ""
    updated_at: str = ""
    version: str = field(default="", compare=False)

    @property
    def open(self) -> bool:
        """There is something left to do: to decide, to mint or to deliver."""
        return self.state not in (APPROVED, DENIED) or not (self.progress.finished_at or self.progress.ended_at)


# --------------------------------------------------------------------------------------------------------- identity
def request_id(email: str, models: Sequence[str], package: str, guid: str = "", user: str = "") -> str:
    """The id of the one request of this person for these models or this package (and lab, and user of the lab).

    A UUID computed from them, so that two who submit at the same time meet in one record. The local part of an address
    counts without upper and lower case: no mail system in use tells them apart, and a capital letter must not be a
    second key.
    """
    identity = [email_address.ascii_lower(email), sorted(models), package, guid, user]
    return str(uuid.uuid5(_IDENTITIES, json.dumps(identity, ensure_ascii=True)))


def same_wish(one: Record, other: Record) -> bool:
    """The same person asks for the same thing, whatever the ids."""
    return _id_of(one) == _id_of(other)


def _id_of(record: Record) -> str:
    return request_id(record.email, record.models, record.package, record.guid, record.user)


def check_id(text: str) -> str:
    """`text`, or ValueError: what may be the name of a file and of a Kubernetes object."""
    if not _ID.fullmatch(text) or ".." in text:
        raise ValueError(f"id is {printable(text, 80)!r}, which is not the id of a request; give one that key_request_info lists.")
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
    by: str = "",
    at: str,
) -> Record:
    """A pending request as it is submitted by `by` (the requester when empty). Raises ValueError for what cannot be asked for."""
    address = str(email_address.parse(email))
    names = tuple(dict.fromkeys(models))
    return check(
        Record(
            id=request_id(address, names, package, guid, user),
            email=address,
            models=names,
            package=package,
            purpose=check_text(purpose, "purpose", LONGEST_PURPOSE, lines=True),
            duration=duration,
            max_budget=max_budget,
            guid=guid,
            user=user,
            history=(Step(at, by or address, "", PENDING),),
            created_at=at,
            updated_at=at,
        )
    )


# ------------------------------------------------------------------------------------------------------------ checks
def check(record: Record) -> Record:
    """`record`, or ValueError when it is not one that this module could have made. The guard against edits by hand."""
    check_id(record.id)
    if str(email_address.parse(record.email)) != record.email:
        raise ValueError(f"email is {printable(record.email, 80)!r}, whose domain is not in lower-case ASCII form.")
    _check_wish(record)
    if record.id != _id_of(record) and _computed(record.id):
        raise ValueError("the id is that of another request, so email, models, package, guid or user were changed.")
    if record.state not in STATES:
        raise ValueError(f"the state is {printable(record.state, 40)!r}; it must be one of {', '.join(STATES)}.")
    if record.cancelled and record.state != DENIED:
        raise ValueError(f"the request is noted as cancelled, and the state is {record.state}.")
    _check_granted(record.granted)
    _check_trace(record.trace)
    _check_plain(record.reason, "reason", LONGEST_REASON, lines=True)
    _check_history(record)
    _check_progress(record)
    for name in ("created_at", "updated_at"):
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
        raise ValueError(
            f"package is {printable(record.package, 80)!r}; it may hold up to 128 letters, digits, '.', '_' and '-', and begins with a letter or digit."
        )
    _check_plain(record.purpose, "purpose", LONGEST_PURPOSE, lines=True)
    if record.duration:
        durations.seconds(record.duration)
    if record.max_budget is not None and (not math.isfinite(record.max_budget) or record.max_budget < 0):
        raise ValueError(f"max_budget is {record.max_budget}, which is not an amount in USD; give a number from 0 up.")
    if record.guid:
        names.check_guid(record.guid)
    if record.user:
        names.check_user(record.user)
    if record.user and not record.guid:
        raise ValueError(f"user is {record.user!r}, a user of a lab, and the guid of the lab is missing; give it too.")


def _check_model(model: str) -> None:
    shown = printable(model, 80)
    if not model or len(model) > LONGEST_MODEL or printable(model, LONGEST_MODEL) != model or "," in model:
        raise ValueError(f"model is {shown!r}, which is not the name of a model; name one that the gateway serves.")
    if "*" in model or model in names.MODEL_WORDS:
        # LiteLLM would read it as many models, past every rule that denies one by its name.
        raise ValueError(f"model is {shown!r}, which means more than one model; name the models one by one, or a package.")


def _check_granted(granted: Mapping[str, Any]) -> None:
    for name, value in granted.items():
        if name not in GRANTED:
            raise ValueError(f"granted names {printable(name, 40)!r}, which is not a limit of a key.")
        if name in ("duration", "budget_duration") and isinstance(value, str) and len(value) <= 40 and value != "never":
            durations.seconds(value, f"granted.{name}")
        if not GRANTED[name](value):
            raise ValueError(f"granted.{name} is {printable(str(value), 80)!r}, which cannot be.")


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != "" and printable(value, LONGEST_MODEL) == value


def _is_limit(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _are_models(value: object) -> bool:
    return isinstance(value, list) and 0 < len(value) <= MOST_MODELS and all(_is_name(model) for model in value)


GRANTED: dict[str, Callable[[object], bool]] = {
    **dict.fromkeys(("package", "duration", "budget_duration"), _is_name),
    **dict.fromkeys(("max_budget", "soft_budget", "rpm_limit", "tpm_limit", "max_parallel_requests"), _is_limit),
    "models": _are_models,
}
"""What of a key can be granted otherwise than it was asked for, in the words of the module `virtual_keys`."""


def _check_trace(trace: Sequence[Mapping[str, Any]]) -> None:
    if len(json.dumps(trace, ensure_ascii=False)) > LARGEST_TRACE:
        raise ValueError(f"the trace is larger than {LARGEST_TRACE} characters.")
    if not _all_plain(trace):
        raise ValueError("the trace holds control or direction characters.")


def _check_history(record: Record) -> None:
    if len(record.history) > MOST_STEPS:
        raise ValueError(f"the history has {len(record.history)} entries, and at most {MOST_STEPS} are kept.")
    for step in record.history:
        _check_time(step.at, "the time of an entry of the history")
        _check_plain(step.by, "who acted", LONGEST_NAME)
        _check_plain(step.reason, "a reason in the history", LONGEST_REASON, lines=True)
        if step.was not in (*STATES, "") or step.now not in STATES:
            raise ValueError(f"the history tells of a state that does not exist: {printable(step.was + ' ' + step.now, 80)!r}.")
    if record.history and record.history[-1].now != record.state:
        raise ValueError(f"the state is {record.state}, and the history ends with {record.history[-1].now}.")


def _check_progress(record: Record) -> None:
    progress = record.progress
    if record.state != APPROVED and (progress.minted_at or progress.ended_at):
        raise ValueError(f"a key is noted as minted, and the state is {record.state}.")
    if record.state not in (APPROVED, DENIED) and progress.finished_at:
        raise ValueError(f"the request is noted as finished, and the state is {record.state}.")
    if record.state == APPROVED and (progress.finished_at or progress.ended_at) and not progress.minted_at:
        raise ValueError("the answer is noted as delivered, and no key as minted.")
    _check_plain(progress.key_alias, "key_alias", 255)
    for name in ("minted_at", "expires", "finished_at", "ended_at"):
        if getattr(progress, name):
            _check_time(getattr(progress, name), name)
    for where in (progress.delivered, progress.notified):
        for name, at in where.items():
            _check_step_name(name)
            _check_time(at, f"the time of {name}")
    if progress.failure:
        _check_step_name(progress.failure.step)
        _check_plain(progress.failure.reason, "the reason of a failure", LONGEST_REASON)
        _check_time(progress.failure.next_attempt_at, "next_attempt_at")
        if progress.failure.attempts < 1:
            raise ValueError("a failure is noted without an attempt.")


def _check_step_name(name: str) -> None:
    if not _STEP_NAME.fullmatch(name):
        raise ValueError(f"{printable(name, 80)!r} is not the name of a step; use small letters, digits and '_.:-'.")


def _check_plain(text: str, name: str, longest: int, *, lines: bool = False) -> None:
    if check_text(text, name, longest, lines=lines) != text:
        raise ValueError(f"{name} has blanks around it.")


def _check_time(text: str, name: str) -> None:
    if len(text) > 40 or durations.iso(durations.parse_time(text, name)) != text:
        raise ValueError(f"{name} is {printable(text, 40)!r}; write it as 2026-12-31T18:00:00Z.")


def _computed(text: str) -> bool:
    """The id is one of `request_id`, not one that the requestor drew at random."""
    try:
        return uuid.UUID(text).version == 5
    except ValueError:
        return False


# --------------------------------------------------------------------------------------------------------- decisions
Change = Callable[[Record], Record]


def decided(
    record: Record,
    state: str,
    *,
    by: str,
    at: str,
    reason: str = "",
    granted: Mapping[str, Any] | None = None,
    trace: Sequence[Mapping[str, Any]] = (),
    only_from: Sequence[str] = STATES,
) -> Record:
    """`record` in `state`. In the same state already: unchanged, unless there is a new reason or there are new terms.

    `only_from` is for decisions that hold for certain states only: the chain decides what is pending, and must not
    overrule an administrator who was faster.
    """
    words = check_text(reason, "reason", LONGEST_REASON, lines=True)
    if record.state == state:
        return _confirmed(record, words, granted or record.granted, by=by, at=at) if state in only_from else record
    if record.state not in only_from:
        raise Refused(f"Request {record.id} is {record.state} by now, so it is not {_done(state)} any more; nothing was changed.")
    _check_transition(record, state)
    return _moved(record, state, by=by, at=at, reason=words, granted=granted or {}, trace=bounded_trace(trace))


def _confirmed(record: Record, reason: str, granted: Mapping[str, Any], *, by: str, at: str) -> Record:
    reason = reason or record.reason
    if reason == record.reason and granted == record.granted:
        return record
    if granted != record.granted and record.progress.minted_at:
        raise Refused(f"Request {record.id} has its key {record.progress.key_alias} already; change the key instead of the terms.")
    step = _step(record, record.state, by=by, at=at, reason=reason)
    return replace(record, reason=reason, granted=dict(granted), history=_history(record, step), updated_at=at)


def cancelled(record: Record, *, by: str, at: str, reason: str = "") -> Record:
    """`record` taken back by its requester: denied, and free to be asked for again."""
    if record.state == DENIED:
        return record
    words = check_text(reason, "reason", LONGEST_REASON, lines=True) or "Cancelled by the requester."
    _check_transition(record, DENIED)
    return replace(_moved(record, DENIED, by=by, at=at, reason=words), cancelled=True)


def asked_again(record: Record, wish: Record, *, again: bool = False) -> Record:
    """What becomes of `record` when the same person submits `wish`: nothing, or a new beginning.

    A cancelled request and one whose key has ended begin anew; a denied one only with `again`. Nothing is ever done to
    a request that is under way or whose key lives.
    """
    over = record.cancelled or bool(record.progress.ended_at) or (again and record.state == DENIED)
    if not over:
        return record
    fresh = _moved(record, PENDING, by=wish.history[-1].by, at=wish.updated_at)
    return replace(fresh, purpose=wish.purpose, duration=wish.duration, max_budget=wish.max_budget)


def set_by_hand(record: Record, state: str, *, by: str, at: str) -> Record:
    """`record`, which somebody put into `state` with kubectl or an editor. Raises ValueError when that cannot be."""
    try:
        _check_transition(record, state)
    except Refused as error:
        raise ValueError(f"the state was set to {printable(state, 40)} by hand: {error}") from None
    return _moved(record, state, by=by, at=at)


def _check_transition(record: Record, state: str) -> None:
    if (record.state, state) not in TRANSITIONS:
        raise Refused(f"Request {record.id} is {record.state}, and from there it cannot become {printable(state, 40)}.")
    progress = record.progress
    if record.state == APPROVED and state == DENIED and progress.minted_at and not progress.ended_at:
        raise Refused(f"Request {record.id} is approved and has its key {progress.key_alias}; delete the key instead of denying the request.")
    if record.state == APPROVED and state == PENDING and not progress.ended_at:
        raise Refused(f"Request {record.id} is approved, and its key has not ended; there is nothing to ask for again.")


def _moved(
    record: Record,
    state: str,
    *,
    by: str,
    at: str,
    reason: str = "",
    granted: Mapping[str, Any] | None = None,
    trace: tuple[Mapping[str, Any], ...] = (),
) -> Record:
    return replace(
        record,
        state=state,
        reason=reason,
        cancelled=False,
        granted=dict(granted or {}),
        trace=trace,
        progress=Progress(),
        history=_history(record, _step(record, state, by=by, at=at, reason=reason)),
        updated_at=at,
    )


def _step(record: Record, state: str, *, by: str, at: str, reason: str) -> Step:
    return Step(at, check_text(by, "actor", LONGEST_NAME) or "unknown", record.state, state, reason)


def _history(record: Record, step: Step) -> tuple[Step, ...]:
    """The history with one more entry: the beginning and the latest."""
    history = (*record.history, step)
    return history if len(history) <= MOST_STEPS else (history[0], *history[1 - MOST_STEPS :])


def _done(state: str) -> str:
    return {IN_REVIEW: "sent to review", PENDING: "asked for again"}.get(state, state)


def bounded_trace(trace: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """`trace` with plain texts only, and as much of its beginning as may be kept."""
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


def _all_plain(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(is_plain(key) and _all_plain(entry) for key, entry in value.items())
    if isinstance(value, (list, tuple)):
        return all(_all_plain(entry) for entry in value)
    return not isinstance(value, str) or is_plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {clip(str(key), 100): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if value is None or isinstance(value, (bool, int)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return clip(str(value), LONGEST_REASON)


# ---------------------------------------------------------------------------------------------------------- progress
def minted(record: Record, *, at: str, key_alias: str, expires: str = "") -> Record:
    """The key exists. Raises Refused when the request is not approved any more: then the key must go."""
    if record.state != APPROVED:
        raise Refused(f"Request {record.id} is {record.state} and not approved, so its key {printable(key_alias, 80)} must be deleted.")
    progress = record.progress
    if progress.minted_at and (progress.key_alias, progress.expires) == (key_alias, expires):
        return record
    return _progressed(record, at, minted_at=progress.minted_at or at, key_alias=key_alias, expires=expires, failure=_cleared(progress, "mint"))


def delivered(record: Record, *, at: str, via: str) -> Record:
    """The answer went out by one way."""
    _check_answered(record)
    if via in record.progress.delivered:
        return record
    return _progressed(record, at, delivered={**record.progress.delivered, via: at}, failure=_cleared(record.progress, via))


def finished(record: Record, *, at: str) -> Record:
    """The answer went out by all ways wanted: nothing is left to do."""
    _check_answered(record)
    if record.progress.finished_at:
        return record
    return _progressed(record, at, finished_at=at, failure=None)


def ended(record: Record, *, at: str) -> Record:
    """The key expired or was revoked."""
    if record.state != APPROVED or not record.progress.minted_at:
        raise Refused(f"Request {record.id} is {record.state} and has no key that could have ended.")
    if record.progress.ended_at:
        return record
    return _progressed(record, at, ended_at=at, failure=None)


def notified(record: Record, *, at: str, whom: str) -> Record:
    """A notice that is sent once has been sent."""
    if whom in record.progress.notified:
        return record
    return _progressed(record, at, notified={**record.progress.notified, whom: at})


def failed(record: Record, *, at: str, step: str, reason: str) -> Record:
    """A step failed and is to be tried again: after 1, 2, 4, ... and at most 30 minutes."""
    last = record.progress.failure
    attempts = last.attempts + 1 if last and last.step == step else 1
    wait = min(LONGEST_WAIT, SHORTEST_WAIT * 2 ** min(attempts - 1, 20))
    failure = Failure(step, clip(reason, LONGEST_REASON), attempts, durations.iso(durations.parse_time(at) + wait))
    return _progressed(record, at, failure=failure)


def due(record: Record, at: str) -> bool:
    """There is something to do, and no failure says to wait. A wait longer than any we order means that the clock jumped."""
    failure = record.progress.failure
    if not record.open or failure is None:
        return record.open
    wait = durations.parse_time(failure.next_attempt_at) - durations.parse_time(at)
    return wait <= timedelta(0) or wait > LONGEST_WAIT


def _check_answered(record: Record) -> None:
    if record.state not in (APPROVED, DENIED):
        raise Refused(f"Request {record.id} is {record.state}, so there is no answer to deliver yet.")
    if record.state == APPROVED and not record.progress.minted_at:
        raise Refused(f"Request {record.id} is approved, and its key is not minted yet, so there is nothing to deliver.")


def _cleared(progress: Progress, step: str) -> Failure | None:
    return None if progress.failure and progress.failure.step == step else progress.failure


def _progressed(record: Record, at: str, **changes: Any) -> Record:
    return check(replace(record, progress=replace(record.progress, **changes), updated_at=at))
