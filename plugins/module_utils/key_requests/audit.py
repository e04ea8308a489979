# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What an auditor asks of requests: who got which key, when, why, by whom, and under which policy. Pure.

Everything that happened to a request is one event, in the order of time. Events are flat mappings, to be written as JSON
Lines. No value of a key is in them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from .record import APPROVED, DELIVERED, DENIED, IN_REVIEW, KEY_FACTS, PENDING, HistoryEntry, Record

SUBMITTED, REVIEW, GRANTED, REFUSED, CHANGED = "submitted", "sent_to_review", "approved", "denied", "changed"
KEY_MADE, KEY_RENEWED, KEY_DELIVERED, KEY_ENDED = "key_made", "key_renewed", "key_delivered", "key_ended"
_PHASES = ((SUBMITTED,), (REVIEW,), (GRANTED, REFUSED), (KEY_MADE, KEY_RENEWED), (KEY_DELIVERED,), (CHANGED,), (KEY_ENDED,))
"""The order in which events of the same second happened, each time that a request starts. Times are kept to the second."""

_EVENT_OF = {PENDING: SUBMITTED, IN_REVIEW: REVIEW, APPROVED: GRANTED, DENIED: REFUSED}


def audit_events(records: Iterable[Record]) -> list[dict[str, Any]]:
    """Return the events of requests, oldest first."""
    events = [event for record in records for event in _events_of(record)]
    return sorted(events, key=lambda event: (event["time"], event["request_id"]))


def json_lines(events: Iterable[Mapping[str, Any]]) -> str:
    """Return events as JSON Lines: each in a line of its own, with a line break at its end."""
    return "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in events)


def _events_of(record: Record) -> list[dict[str, Any]]:
    """Return the events of one request, oldest first."""
    events: list[tuple[str, int, int, dict[str, Any]]] = []
    decided: dict[str, Any] = {}  # the last event that moved the request, to which the trace belongs that comes after it
    life = 0

    def add(event: dict[str, Any], *, undecided: bool = False) -> None:
        if any(known == event for _time, of_life, _phase, known in events if of_life == life):
            return  # the delivery by one method is noted once more when the key is delivered anew by another
        phase = 1 if undecided else next(number for number, names in enumerate(_PHASES) if event["event"] in names)
        events.append((event["time"], life, phase, event))

    for entry in record.history:
        event = _of_entry(record, entry)
        for each in _of_key(record, entry.former_key):
            add(each)
        if entry.was != entry.now:
            life += entry.now == PENDING
            if entry.former_trace:
                decided["trace"] = [dict(step) for step in entry.former_trace]
            decided = event
        add(event, undecided=entry.was == entry.now == IN_REVIEW)
    if record.trace:
        decided["trace"] = [dict(step) for step in record.trace]
    if record.state == APPROVED:
        for each in _of_key(record, {name: getattr(record.progress, name) for name in KEY_FACTS}):
            add(each)
    return [event for _time, _life, _phase, event in sorted(events, key=lambda each: each[:3])]


def _of_entry(record: Record, entry: HistoryEntry) -> dict[str, Any]:
    name = _EVENT_OF[entry.now] if entry.was != entry.now else CHANGED
    return _event(record, entry.at, name, by=entry.by, reason=entry.reason, terms=dict(entry.terms), policy=entry.policy)


def _of_key(record: Record, facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    events = []
    alias = facts.get("key_alias", "")
    if facts.get("minted_at"):
        events.append(_event(record, facts["minted_at"], KEY_RENEWED if record.renews else KEY_MADE, key_alias=alias, expires=facts.get("expires", "")))
    if facts.get("ended_at") and not record.renews:
        events.append(_event(record, facts["ended_at"], KEY_ENDED, key_alias=alias))
    return events + [_event(record, at, KEY_DELIVERED, key_alias=alias, method=method) for method, at in facts.get(DELIVERED, {}).items()]


def _event(record: Record, at: str, name: str, **facts: Any) -> dict[str, Any]:
    about = {"models": list(record.models), "package": record.package, "guid": record.guid, "user": record.user, "renews": record.renews}
    event = {"time": at, "event": name, "request_id": record.id, "email": record.email, **about, **facts}
    return {key: value for key, value in event.items() if value}
