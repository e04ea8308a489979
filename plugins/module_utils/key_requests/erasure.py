# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Removing what is too old from a store of requests, and erasing a person. `retention` says what that is.

Both wait for a pass to end and keep others from beginning. What fails about one request stops no other, and a second run
goes on where one that was cut off ended. In check mode of the store they say what they would do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from ..common import email_address
from .base import SetAside, Store
from .errors import RequestRefused, StoreError
from .insight import forget_insights
from .record import APPROVED, DENIED, IN_REVIEW, Record
from .retention import has_living_key, is_of, is_to_be_pruned, mentions, over_as, report_without, same_tombstone, tombstone_of, without_mention
from .sealed_box import SealedBox
from .transitions import cancel, mark_finished

BY = "erasure"


@dataclass
class PruneOutcome:
    """The requests that were removed, by kind, how many were kept, and why others could not be removed, by id."""

    removed: list[dict[str, str]] = field(default_factory=list)
    kept: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    set_aside: tuple[SetAside, ...] = ()


def prune_requests(store: Store, ages: Mapping[str, str], now: str, *, patience: float) -> PruneOutcome:
    """Remove the requests that have been over for longer than `ages` (see `retention.check_ages`). Raises StoreError if the store fails."""
    outcome = PruneOutcome()
    old = partial(is_to_be_pruned, ages=ages, now=now)
    with store.turn(patience) as turn:
        listing = store.listing((APPROVED, DENIED))
        outcome.set_aside = listing.set_aside
        for record in listing.records:
            if not old(record):
                outcome.kept += 1
                continue
            turn.check()
            try:
                if store.delete(record.id, only_if=old).after is None:
                    outcome.removed.append({"request_id": record.id, "kind": over_as(record), "updated_at": record.updated_at})
                else:  # it started again just now
                    outcome.kept += 1
            except StoreError as error:
                outcome.failures[record.id] = str(error)
    return outcome


@dataclass
class Erasure:
    """What an erasure did, and what still names the person, with the reason. `requests_read` of them were looked at afterwards."""

    erased: list[dict[str, str]] = field(default_factory=list)
    """The id of each request that is gone, and of what is left of it."""
    cleaned: list[str] = field(default_factory=list)
    """The ids of other people's requests in which the address stood."""
    left: dict[str, str] = field(default_factory=dict)
    requests_read: int = 0
    checked_at: str = ""

    @property
    def complete(self) -> bool:
        return not self.left


def erase_person(store: Store, person: str, clock: Callable[[], str], *, patience: float) -> Erasure:
    """Erase the person with this address from the store. Raises ValueError for what is no address, and StoreError if the store fails.

    A request that waits is withdrawn. One whose key may be alive is left, because the key names the person too: it has to be
    deleted first.
    """
    address, erasure = str(email_address.parse_address(person)), Erasure()
    with store.turn(patience) as turn:
        listing = store.listing()
        for record in listing.records:
            turn.check()
            try:
                if is_of(record, address):
                    erasure.erased.append({"request_id": record.id, "tombstone": _bury(store, record, listing.records)})
                elif mentions(record, address) and without_mention(record, address) != record:
                    store.transition(record, partial(without_mention, person=address))
                    erasure.cleaned.append(record.id)
            except (StoreError, ValueError) as error:
                erasure.left[record.id] = str(error)
        report = store.last_pass() or {}
        if report_without(report, address) != report:
            turn.report(report_without(report, address))
        _remove_boxes(store, address, erasure)
        forget_insights(store)
        _prove(store, address, erasure, clock)
    return erasure


def _remove_boxes(store: Store, address: str, erasure: Erasure) -> None:
    """Remove the sealed boxes of the person, except those of requests that are left. A request that is gone has taken its own along."""
    for box in _boxes_of(store, address):
        if box.request_id not in erasure.left:
            try:
                store.boxes.remove(box.request_id)
            except StoreError as error:
                erasure.left[f"the sealed box of {box.request_id}"] = str(error)


def _boxes_of(store: Store, address: str) -> list[SealedBox]:
    return [box for box in store.boxes.listing().boxes if email_address.ascii_lower(box.owner) == email_address.ascii_lower(address)]


def _bury(store: Store, record: Record, others: tuple[Record, ...]) -> str:
    """Replace a request by what is left of it, and return the id of that."""
    if has_living_key(record):
        raise RequestRefused(f"its key {record.progress.key_alias} may be alive and names the person too; delete the key, run notices, and erase again.")
    withdrawn = record if record.state == DENIED or record.progress.minted_at else cancel(record, by=BY, at=record.updated_at)
    done = withdrawn if withdrawn.progress.minted_at else mark_finished(withdrawn, at=withdrawn.updated_at)
    tombstone = tombstone_of(done)
    earlier = next((other for other in others if same_tombstone(other, tombstone)), None)
    if earlier is None:
        store.keep(tombstone)
    store.delete(record.id, only_if=lambda found: found == record)
    return (earlier or tombstone).id


def _prove(store: Store, address: str, erasure: Erasure, clock: Callable[[], str]) -> None:
    """Read the store again, and note what still names the person."""
    listing = store.listing()
    erasure.requests_read, erasure.checked_at = len(listing.records), clock()
    erasure.left |= {entry.name: f"it cannot be read: {entry.reason}" for entry in listing.set_aside}
    erasure.left |= dict(store.boxes.listing().unreadable)
    gone = {each["request_id"] for each in erasure.erased} | set(erasure.cleaned) if store.check_mode else set()
    for record in listing.records:
        if record.id in erasure.left or record.id in gone or not (is_of(record, address) or mentions(record, address)):
            continue
        in_review = record.state == IN_REVIEW
        erasure.left[record.id] = "it is in review, and the person is asked; decide it first." if in_review else "it was changed meanwhile; erase again."
