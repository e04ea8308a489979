# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The desk: what people do with requests. They ask, cancel and look at them; administrators approve, deny and remove them.

Modules and the portal call these operations on any store. The desk has no rules of its own about who may do what: its
caller knows who is asking, and says so in `by`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeAlias

from ..common import durations, email_address
from . import transitions
from .base import Listing, SetAside, Store, Transition
from .errors import Broken, Missing, Refusal, RequestRefused
from .record import APPROVED, DENIED, IN_REVIEW, PENDING, Record, new
from .terms import Terms
from .transitions import Ruling

STATE_OF_FILTER = {"pending": PENDING, "review": IN_REVIEW, "approved": APPROVED, "denied": DENIED}
FILTERS = ("all", *STATE_OF_FILTER, "open", "due")


@dataclass(frozen=True)
class Wish:
    """What somebody asks for: a key for `models` or for `package`, and in a lab if `guid` is given. `max_budget` is in USD."""

    email: str
    models: tuple[str, ...] = ()
    package: str = ""
    guid: str = ""
    user: str = ""
    renews: str = ""
    from_end: bool = False
    purpose: str = ""
    duration: str = ""
    max_budget: float | None = None
    language: str = ""
    origin: str = ""
    verified_at: str = ""

    def record(self, *, by: str = "", at: str) -> Record:
        """Return the wish as a new request, submitted by `by` (by default the requester). Raises ValueError."""
        return new(**vars(self), by=by, at=at)


@dataclass(frozen=True)
class MoreTime:
    """What somebody asks for when a key shall live longer: for `duration`, with `max_budget` (in USD) in all if given.

    The time counts from the approval, or from the key's present end with `from_end`. An empty `duration` is the usual lifetime.
    """

    duration: str = ""
    from_end: bool = False
    max_budget: float | None = None
    purpose: str = ""
    origin: str = ""
    verified_at: str = ""

    def wished(self) -> dict[str, Any]:
        """Return the fields of a wish."""
        return {name: value for name, value in vars(self).items() if name != "origin"}


def _check_renewable(record: Record) -> None:
    progress = record.progress
    if record.state != APPROVED or not progress.minted_at:
        raise RequestRefused(f"Request {record.id} is {record.state} and has no key yet that could live longer; wait for the answer.", Refusal.NO_KEY)
    if not progress.expires:
        raise RequestRefused(f"The key of request {record.id} has no end, so there is nothing to renew.", Refusal.NO_END)


RequestName: TypeAlias = "str | Wish"
"""An existing request: its id, or what was asked for (`purpose`, `duration` and `max_budget` do not count)."""


def now() -> str:
    """Return the present time in the form that records use."""
    return durations.iso(datetime.now(UTC))


class Desk:
    """The operations on one store. All of them raise StoreError, and ValueError for input that is not allowed.

    In the check mode of the store they predict their result and write nothing.
    """

    def __init__(self, store: Store, *, clock: Callable[[], str] = now) -> None:
        self.store = store
        self._clock = clock

    def ask(self, wish: Wish, *, by: str = "", again: bool = False) -> Transition:
        """Submit a request. A person who asked for the same before gets that request back as it is.

        A cancelled request and one whose key has ended start again, a denied one only with `again`. One that was made for an address
        that nobody had proven is noted as proven when its owner asks for the same.
        """
        return self.store.submit(wish.record(by=by, at=self._clock()), again=again)

    def renew(self, name: RequestName, more: MoreTime, *, by: str = "", again: bool = False) -> Transition:
        """Ask for more time for the key of a request, which the approval chain decides like any other request.

        The question is a request of its own, of the same person for the same thing. The key and its value stay. A key that
        has ended cannot live longer: the request starts again instead, and leads to a new key, unless the time was to
        count from the end. Raises RequestRefused then, and if the request has no key yet or one without an end.
        """
        found, at = self.find(name), self._clock()
        if found.renews:
            found = self._renewed_by(found)
        found = transitions.ended_by(found, at)
        if found.progress.ended_at and more.from_end:
            raise RequestRefused(
                f"The key of request {found.id} has ended, so there is no end to count from; renew the request to get a new key.", Refusal.NO_KEY
            )
        if not found.progress.ended_at:
            _check_renewable(found)
        same = {name: getattr(found, name) for name in ("email", "models", "package", "guid", "user", "language")}
        wished = more.wished()
        if found.progress.ended_at:
            del wished["from_end"]
        wish = Wish(**same, **wished, renews="" if found.progress.ended_at else found.id, origin=more.origin)
        return self.store.submit(wish.record(by=by, at=at), again=again)

    def _renewed_by(self, renewal: Record) -> Record:
        """Return the request for the key that lives longer by `renewal`. Raises Missing."""
        try:
            return self.store.get(renewal.renews)
        except Missing:
            raise Missing(
                f"Request {renewal.id} asked for more time for the key of another request, {renewal.renews}, which was pruned, erased or removed since; "
                "submit a request for a new key instead."
            ) from None

    def find(self, name: RequestName) -> Record:
        """Return the named request. Raises Missing, or Broken if it cannot be read."""
        if isinstance(name, str):
            return self.store.get(name)
        wish = replace(name, purpose="", duration="", max_budget=None).record(at=self._clock())
        found = self.store.find(wish)
        if found is None:
            raise Missing(f"{wish.email} has no such request in {self.store.place}; key_request_info lists those that there are.")
        return found

    def approve(
        self, name: RequestName, *, by: str, reason: str = "", granted: Terms | None = None, beyond: bool = False, version: str = "", undecided: bool = False
    ) -> Transition:
        """Approve a request. `granted` holds the terms that differ from those of the request (see `terms.GRANTABLE`).

        Raises RequestRefused if they give more than the chain and the package left, unless `beyond` allows that, or if a
        `version` is given and the request has changed since. With `undecided`, one that was decided before stays as it is.
        """
        found, at = self.find(name), self._clock()
        present = self._present_terms(found)
        grant = partial(transitions.approve, granted=granted or {}, present=present, beyond=beyond, reason=reason, by=by, at=at)
        return self.store.transition(found, _only_at(version, _only_undecided(grant) if undecided else grant))

    def _present_terms(self, record: Record) -> Terms:
        """Return the terms of the key that a renewal is for. Other requests have no key yet."""
        if not record.renews:
            return {}
        try:
            original = self.store.get(record.renews)
        except Missing:  # the next pass denies the renewal
            return {}
        return {"models": list(original.models), **original.terms} if original.models else original.terms

    def deny(self, name: RequestName, *, by: str, reason: str, version: str = "", undecided: bool = False) -> Transition:
        """Deny a request. Raises RequestRefused if its key already exists, or if a `version` is given and the request has changed since.

        With `undecided`, a request that was decided before stays as it is.
        """
        found, at = self.find(name), self._clock()

        def refuse(record: Record) -> Record:
            return transitions.decide(record, DENIED, Ruling(reason), by=by, at=at)

        return self.store.transition(found, _only_at(version, _only_undecided(refuse) if undecided else refuse))

    def retry(self, name: RequestName, *, by: str) -> Transition:
        """Let the next pass try again what failed, and what passes gave up. Raises RequestRefused if nothing failed."""
        found, at = self.find(name), self._clock()
        return self.store.transition(found, lambda record: transitions.retry(record, by=by, at=at))

    def reseal(self, name: RequestName, *, by: str = "") -> Transition:
        """Ask for a new link to a sealed key, for its owner (`by` if given). The next pass seals the same key anew and mails the link.

        The former link no longer works then. Raises RequestRefused if the last link was sent only minutes ago, see `transitions.reseal`.
        """
        found, at = self.find(name), self._clock()
        return self.store.transition(found, lambda record: transitions.reseal(record, by=by or found.email, at=at))

    def cancel(self, name: RequestName, *, by: str = "", reason: str = "") -> Transition:
        """Withdraw a request for its requester (`by` if given). It is kept as denied, and can be submitted again."""
        found, at = self.find(name), self._clock()
        return self.store.transition(found, lambda record: transitions.cancel(record, by=by or found.email, at=at, reason=reason))

    def forget(self, name: RequestName) -> Transition:
        """Remove a request with its history. Its key is not touched, and a missing request is not an error."""
        try:
            return self.store.delete(self.find(name).id)
        except Missing:
            return Transition(None, None)

    def list_requests(self, which: str = "all", *, email: str = "") -> Listing:
        """Return the requests that `which` (one of FILTERS) selects, oldest first, of one person if `email` is given."""
        person = email_address.ascii_lower(str(email_address.parse_address(email))) if email else ""
        if which in ("open", "due"):
            listing = self.store.listing(only_open=True)
        else:
            listing = self.store.listing((STATE_OF_FILTER[which],) if which in STATE_OF_FILTER else None)
        return self._selected(listing, which, person)

    def look_up_request(self, request_id: str, which: str = "all") -> Listing:
        """Return the request with this id as a listing: empty if it does not exist or `which` does not select it."""
        try:
            listing = Listing((self.store.get(request_id),))
        except Missing:
            listing = Listing(())
        except Broken as error:
            listing = Listing((), (SetAside(request_id, str(error)),))
        return self._selected(listing, which)

    def _selected(self, listing: Listing, which: str, person: str = "") -> Listing:
        at = self._clock()
        kept = (record for record in listing.records if _is_selected(record, which, at))
        return replace(listing, records=tuple(record for record in kept if not person or email_address.ascii_lower(record.email) == person))


def _only_at(version: str, change: transitions.Change) -> transitions.Change:
    """Return `change` for the request as somebody saw it: it refuses another version of it. Without a `version` it takes any."""

    def checked(record: Record) -> Record:
        if version and record.version != version:
            raise RequestRefused(f"Request {record.id} is {record.state} by now: somebody else changed it; look at it again, and decide anew.", Refusal.CHANGED)
        return change(record)

    return checked


def _only_undecided(change: transitions.Change) -> transitions.Change:
    """Return `change` for a request that waits for a decision, however somebody else decided it meanwhile: one that was decided stays as it is."""
    return lambda record: change(record) if record.state in (PENDING, IN_REVIEW) else record


def _is_selected(record: Record, which: str, at: str) -> bool:
    return (
        (which not in STATE_OF_FILTER or record.state == STATE_OF_FILTER[which])
        and (which != "open" or record.open)
        and (which != "due" or transitions.is_due(record, at))
    )
