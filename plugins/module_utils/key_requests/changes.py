# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Many changes at once: the decisions and the progress that a pass over the queue records.

A change is a mapping with `request_id`, `action` (one of ACTIONS) and the fields of that action: `reason`, `granted` and
`trace` of a decision, `key_alias` and `expires` of `minted`, `via` of `delivered`, `step` and `reason` of `failed`, `whom`
of `notified`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeAlias

from ..common import durations
from . import transitions
from .base import ChangeOutcome, Store
from .errors import Broken, Missing, RequestRefused
from .record import APPROVED, DENIED, IN_REVIEW, PENDING, Record, check
from .transitions import Change

DECISIONS = {"approve": APPROVED, "deny": DENIED, "review": IN_REVIEW}
ACTIONS = (*DECISIONS, "minted", "delivered", "finished", "failed", "notified", "ended")
ONE_BY_ONE = 5
"""Up to this many requests are read one at a time, more of them in one listing."""

_Known: TypeAlias = "dict[str, Record | Missing | Broken]"


def record_changes(store: Store, items: Sequence[Mapping[str, Any]], *, by: str, at: str) -> list[ChangeOutcome]:
    """Make all changes and return their outcomes, in the same order. Changes to one request are made one after another.

    A change that is no longer possible is left out, and its outcome says why. Raises ValueError, before anything is
    written, for a change that cannot be recorded, and StoreError if the store itself fails.
    """
    changes = [(item["request_id"], change_from(item, by=by, at=at)) for item in items]
    known = _read(store, list(dict.fromkeys(request_id for request_id, _change in changes)))
    _check_changes(known, changes)
    outcomes: dict[int, ChangeOutcome] = {}
    while len(outcomes) < len(changes):
        batch: list[tuple[int, Record]] = []
        for index in _first_of_each_request(changes, outcomes):
            record = known[changes[index][0]]
            if isinstance(record, Record):
                batch.append((index, record))
            else:
                outcomes[index] = ChangeOutcome(changes[index][0], error=record)
        made = store.transition_all([(record, changes[index][1]) for index, record in batch])
        for (index, record), outcome in zip(batch, made, strict=True):
            outcomes[index] = outcome
            if outcome.transition is not None and outcome.transition.after is not None:
                known[record.id] = outcome.transition.after
    return [outcomes[index] for index in range(len(changes))]


def change_from(item: Mapping[str, Any], *, by: str, at: str) -> Change:
    """Return the function that makes one change. Raises ValueError."""
    action = item["action"]
    if action in DECISIONS:
        return partial(
            transitions.decide,
            state=DECISIONS[action],
            by=by,
            at=at,
            reason=item.get("reason") or "",
            granted=item.get("granted"),
            trace=item.get("trace") or (),
            only_from=(PENDING,),
        )
    if action == "minted":
        expires = item.get("expires")
        ends = durations.iso(durations.parse_time(expires, "expires")) if expires else ""
        return partial(transitions.mark_minted, at=at, key_alias=item["key_alias"], expires=ends)
    if action == "delivered":
        return partial(transitions.mark_delivered, at=at, via=item["via"])
    if action == "failed":
        return partial(transitions.mark_failed, at=at, step=item["step"], reason=item["reason"])
    if action == "notified":
        return partial(transitions.mark_notified, at=at, whom=item["whom"])
    return partial({"finished": transitions.mark_finished, "ended": transitions.mark_ended}[action], at=at)


def _read(store: Store, ids: Sequence[str]) -> _Known:
    """Return the requests, each as its record or as the error that prevents reading it."""
    known: _Known = {}
    if len(ids) > ONE_BY_ONE:
        known.update((record.id, record) for record in store.listing(only_open=True).records)
    for request_id in ids:
        if request_id not in known:
            try:
                known[request_id] = store.get(request_id)
            except (Missing, Broken) as error:
                known[request_id] = error
    return known


def _check_changes(known: _Known, changes: Sequence[tuple[str, Change]]) -> None:
    """Raise ValueError for input that cannot be recorded, before anything is written."""
    latest = dict(known)
    for request_id, change in changes:
        record = latest[request_id]
        if isinstance(record, Record):
            with suppress(RequestRefused):
                latest[request_id] = check(change(record))


def _first_of_each_request(changes: Sequence[tuple[str, Change]], done: Mapping[int, ChangeOutcome]) -> list[int]:
    """Return, for each request with changes that are not `done`, the index of the first of these."""
    first: dict[str, int] = {}
    for index, (request_id, _change) in enumerate(changes):
        if index not in done:
            first.setdefault(request_id, index)
    return list(first.values())
