# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What a worker finds out about a request that somebody looks at: what the rules would say now, and what its key has spent.

The portal can ask neither the approval chain nor the gateway. It publishes which requests are looked at (`want_insight`), and the
worker publishes what it found (`publish_insights`). So nothing is looked up that nobody looks at, however many requests there are.
Both are kept beside the requests as JSON objects, and nothing in them is secret:

    insight-wanted: {"format": 1, "wanted": {"<id>": "2026-11-21T04:00:00Z"}}
    insight: {"format": 1, "found": {"<id>": {"wanted": "2026-11-21T04:00:00Z", "at": "2026-11-21T04:00:02Z", "outlook": {...}, "key": {...}}}}

Whoever may write into the store could have written them, so what cannot be meant is left out when they are read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any

from ..common import durations
from ..common.printable import redact
from .base import LARGEST_PUBLISHED, Store
from .record import check_id
from .terms import Terms, check_terms
from .text import clip

WANTED, FOUND = "insight-wanted", "insight"
"""The names under which both are published."""
INSIGHT_FORMAT = 1
MOST_WANTED = 300
WANTED_FOR = timedelta(minutes=10)
"""After that nobody waits for the answer any more."""
LONGEST_SHOWN = 500
LARGEST_OUTLOOK = 12_000
"""Bytes of a trace, so that there is room for those of many requests."""


@dataclass(frozen=True)
class Outlook:
    """What the approval chain would decide at present: the decision, the reason for the requester, the terms that would be left, and how it got there.

    `unasked` names rules that would have asked a service, which was not done: the chain went on as if they had nothing to say.
    Without a `decision`, `reason` says why there is none.
    """

    decision: str = ""
    reason: str = ""
    terms: Terms = field(default_factory=dict)
    trace: tuple[Mapping[str, Any], ...] = ()
    unasked: tuple[str, ...] = ()


@dataclass(frozen=True)
class KeyFigures:
    """A key as the gateway has it: what it has spent and may spend, in USD, and when it ends (empty for never).

    `exists` is false if the gateway does not know the key, and `problem` says why the gateway could not be asked.
    """

    spend: float = 0.0
    max_budget: float | None = None
    budget_duration: str = ""
    expires: str = ""
    blocked: bool = False
    exists: bool = True
    problem: str = ""


@dataclass(frozen=True)
class Insight:
    """What was found out at `at` about a request that was wanted at `wanted`."""

    wanted: str
    at: str
    outlook: Outlook | None = None
    key: KeyFigures | None = None


# ---------------------------------------------------------------------------------------------------------- the portal
def want_insight(store: Store, request_ids: Collection[str], at: str) -> None:
    """Note that these requests are looked at. Raises StoreError.

    Two programs that note something at the same moment may lose one of the notes; whoever looks on notes it again.
    """
    earliest = durations.iso(durations.parse_time(at) - WANTED_FOR)
    recent = {request_id: time for request_id, time in wanted_insights(store).items() if earliest <= time}
    wanted = {**{each: time for each, time in recent.items() if each not in request_ids}, **dict.fromkeys(request_ids, at)}
    store.publish(WANTED, {"format": INSIGHT_FORMAT, "wanted": dict(list(wanted.items())[-MOST_WANTED:])})


def published_insights(store: Store) -> dict[str, Insight]:
    """Return what was found out, by the ids of requests. Raises StoreError."""
    found = (store.published(FOUND) or {}).get("found")
    return {each: insight for each, entry in _mapping(found).items() if _is_id(each) and (insight := _insight(entry)) is not None}


# ---------------------------------------------------------------------------------------------------------- the worker
def prepare_insight(store: Store) -> None:
    """Make the place where others note what they look at. In Kubernetes the portal may change it, and not make it. Raises StoreError."""
    if store.published(WANTED) is None:
        store.publish(WANTED, {"format": INSIGHT_FORMAT, "wanted": {}})


def wanted_insights(store: Store) -> dict[str, str]:
    """Return which requests are looked at, and since when, the longest first. Raises StoreError."""
    wanted = _mapping((store.published(WANTED) or {}).get("wanted"))
    return {each: time for each, time in list(wanted.items())[:MOST_WANTED] if _is_id(each) and _is_time(time)}


def publish_insights(store: Store, found: Mapping[str, Insight]) -> None:
    """Publish what was found out, as much of it as there is room for, the newest first. Raises StoreError."""
    room, kept = LARGEST_PUBLISHED - 100, dict[str, Any]()
    for request_id, insight in sorted(found.items(), key=lambda item: item[1].at, reverse=True):
        entry = _document(insight)
        room -= len(json.dumps({request_id: entry})) + 2
        if room < 0:
            break
        kept[request_id] = entry
    store.publish(FOUND, {"format": INSIGHT_FORMAT, "found": kept})


def forget_insights(store: Store) -> None:
    """Forget what was found out, and who wanted to know: it may name people. Whoever looks again gets it anew. Raises StoreError."""
    if published_insights(store):
        publish_insights(store, {})
    if wanted_insights(store):
        store.publish(WANTED, {"format": INSIGHT_FORMAT, "wanted": {}})


def bounded_steps(steps: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
    """Return the steps of a trace with plain texts, without what looks like a key, and as many of them as may be published."""
    kept: list[dict[str, Any]] = []
    room = LARGEST_OUTLOOK
    for step in steps:
        clean = {_shown(name, 100): _plain(value) for name, value in step.items()}
        room -= len(json.dumps(clean)) + 2
        if room < 0:
            return (*kept, {"cut": len(steps) - len(kept)})
        kept.append(clean)
    return tuple(kept)


def _plain(value: object, levels: int = 3) -> Any:
    """Return a value with plain texts. What is nested deeper than `levels` becomes text."""
    if levels and isinstance(value, Mapping):
        return {_shown(name, 100): _plain(entry, levels - 1) for name, entry in value.items()}
    if levels and isinstance(value, (list, tuple)):
        return [_plain(entry, levels - 1) for entry in value]
    return value if value is None or isinstance(value, (bool, int)) or _number(value) is not None else _shown(value)


def _document(insight: Insight) -> dict[str, Any]:
    return {name: value for name, value in asdict(insight).items() if value is not None}


# ------------------------------------------------------------------------------------------------------------- reading
def _insight(entry: object) -> Insight | None:
    given = _mapping(entry)
    wanted, at = given.get("wanted"), given.get("at")
    if not _is_time(wanted) or not _is_time(at):
        return None
    return Insight(str(wanted), str(at), _outlook(given.get("outlook")), _figures(given.get("key")))


def _outlook(entry: object) -> Outlook | None:
    if not isinstance(entry, Mapping):
        return None
    trace, unasked = entry.get("trace"), entry.get("unasked")
    return Outlook(
        _shown(entry.get("decision"), 40),
        _shown(entry.get("reason")),
        _terms(entry.get("terms")),
        bounded_steps([step for step in trace if isinstance(step, Mapping)]) if isinstance(trace, list) else (),
        tuple(_shown(name, 100) for name in unasked[:100]) if isinstance(unasked, list) else (),
    )


def _figures(entry: object) -> KeyFigures | None:
    if not isinstance(entry, Mapping):
        return None
    spend, budget, expires = entry.get("spend"), entry.get("max_budget"), entry.get("expires")
    return KeyFigures(
        _number(spend) or 0.0,
        _number(budget),
        _shown(entry.get("budget_duration"), 40),
        str(expires) if _is_time(expires) else "",
        entry.get("blocked") is True,
        entry.get("exists") is True,
        _shown(entry.get("problem")),
    )


def _terms(value: object) -> dict[str, Any]:
    try:
        terms = {str(name): entry for name, entry in _mapping(value).items()}
        check_terms(terms)
    except ValueError:
        return {}
    return terms


def _mapping(value: object) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def _shown(value: object, longest: int = LONGEST_SHOWN) -> str:
    return "" if value is None else redact(clip(str(value), longest))


def _number(value: object) -> float | None:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    return float(value) if math.isfinite(value) and abs(value) < 1e15 else None


def _is_time(value: object) -> bool:
    return isinstance(value, str) and len(value) <= 40 and durations.is_time(value)


def _is_id(value: object) -> bool:
    try:
        return isinstance(value, str) and check_id(value) == value
    except ValueError:
        return False
