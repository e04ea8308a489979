# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""How long requests are kept, and what is left of them when a person's data is erased. Pure.

Only what is over can be pruned: a request that was denied or cancelled, whose key has ended, or that renewed a key. One that
is under way or whose key may be alive is kept, whatever its age. Keys are never touched.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from ..common import durations, email_address
from ..common.printable import quoted
from .document import parse_document, render_document
from .record import APPROVED, DENIED, IN_REVIEW, NOBODY, HistoryEntry, Progress, Record
from .review import same_person

DENIAL, CANCELLED, ENDED, RENEWAL = KINDS = ("denied", "cancelled", "ended", "renewed")
"""What can be over about a request."""
ERASED = "erased"


def over_as(record: Record) -> str:
    """Return as which of KINDS a request is over; empty while something is left to do or its key may be alive."""
    if record.state == APPROVED and record.progress.ended_at:
        return ENDED
    if record.open or record.progress.stopped_at:
        return ""
    if record.state == DENIED:
        return CANCELLED if record.cancelled else DENIAL
    return RENEWAL if record.renews else ""


def is_to_be_pruned(record: Record, ages: Mapping[str, str], now: str) -> bool:
    """Return whether the request has been over for longer than `ages` (durations by kind) says."""
    age = ages.get(over_as(record))
    if not age:
        return False
    since = record.progress.ended_at or record.updated_at
    return durations.parse_time(since) + timedelta(seconds=durations.seconds(age)) <= durations.parse_time(now)


def check_ages(ages: Mapping[str, object]) -> dict[str, str]:
    """Return the ages that are given. Raises ValueError for a kind that does not exist or what is not a duration."""
    for kind, age in ages.items():
        if kind not in KINDS:
            raise ValueError(f"{quoted(kind)} is not a kind of request that can be pruned; give ages for {', '.join(KINDS)}.")
        if age is not None and not isinstance(age, str):
            raise ValueError(f"the age of {kind} requests is {quoted(age)}, which is not a duration; give one such as 90d.")
        if age:
            durations.seconds(age, f"the age of {kind} requests")
    return {kind: age for kind, age in ages.items() if isinstance(age, str) and age}


# ----------------------------------------------------------------------------------------------------------- erasure
def is_of(record: Record, person: str) -> bool:
    """Return whether the request is that of the person with this address."""
    return email_address.ascii_lower(record.email) == email_address.ascii_lower(person)


def has_living_key(record: Record) -> bool:
    """Return whether a key was made for the request that is not known to have ended."""
    return record.state == APPROVED and bool(record.progress.minted_at) and not record.progress.ended_at and not record.renews


def tombstone_of(record: Record) -> Record:
    """Return what is left of a request: what was asked and decided, when, and under which policy, and nothing about whom.

    Its id is new, because the old one was computed from the address. Texts that people wrote are gone, and so are the lab and
    the name of the key. It is over, so that no pass looks at it again.
    """
    history = tuple(_anonymous(entry, record.email) for entry in record.history)
    progress = Progress(minted_at=record.progress.minted_at, expires=record.progress.expires, ended_at=record.progress.ended_at)
    return replace(
        record,
        id=str(uuid.uuid4()),
        email=NOBODY,
        purpose="",
        guid="",
        user="",
        renews=ERASED if record.renews else "",
        language="",
        origin=ERASED,
        verified_at="",
        reason="",
        reviewers=(),
        review={},
        trace=(),
        progress=replace(progress, finished_at=record.progress.finished_at or record.updated_at),
        history=history,
        extra={},
        version="",
    )


def _anonymous(entry: HistoryEntry, person: str) -> HistoryEntry:
    by = ERASED if same_person(entry.by, person) else _address_in_text(person).sub(ERASED, entry.by)
    facts = {name: value for name, value in entry.former_key.items() if name != "key_alias"}
    return replace(entry, by=by, reason="", former_trace=(), former_key=facts, former_extra={}, extra={})


def same_tombstone(one: Record, other: Record) -> bool:
    """Return whether both are what is left of the same request, so that an erasure that was cut off leaves no two."""
    return replace(one, id="") == replace(other, id="")


def without_mention(record: Record, person: str) -> Record:
    """Return another person's request without the address of `person`, who decided about it or is named in a text.

    One in review is returned as it is, because those who are asked are needed until it is decided.
    """
    if record.state == IN_REVIEW:
        return record
    document = render_document(record)
    address = _address_in_text(person)
    scrubbed = {name: value if name in ("id", "email") else _scrubbed(value, address) for name, value in document.items()}
    return record if scrubbed == document else parse_document(scrubbed, record.version)


def mentions(record: Record, person: str) -> bool:
    """Return whether the address of `person` is anywhere in the request."""
    document = render_document(record)
    return bool(_scrubbed(document, _address_in_text(person)) != document)


def report_without(report: Mapping[str, Any], person: str) -> dict[str, Any]:
    """Return the report of a pass without the address of `person`, which a mail server may have named in a failure."""
    return dict(_scrubbed(report, _address_in_text(person)))


def _address_in_text(person: str) -> re.Pattern[str]:
    """Return a pattern that finds the address, and not one that ends or begins like it."""
    return re.compile(rf"(?<![\w.!#$%&*+/=?^`{{|}}~-])(?<!\w'){re.escape(person)}(?![\w-])(?!\.\w)", re.IGNORECASE | re.ASCII)


def _scrubbed(value: Any, address: re.Pattern[str]) -> Any:
    if isinstance(value, Mapping):
        return {_scrubbed(name, address): _scrubbed(entry, address) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_scrubbed(entry, address) for entry in value]
    return address.sub(ERASED, value) if isinstance(value, str) else value
