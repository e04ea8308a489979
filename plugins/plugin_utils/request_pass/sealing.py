# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Deliver keys in sealed boxes, and keep these as the keys are.

A box is put into the store before its link is mailed, and the secret in the link is kept nowhere. So a pass that was cut off
between the two is finished by sealing the same key anew: the new box takes the place of the former one, whose secret is lost,
and the new link is another mail, with another Message-ID.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any

from ...module_utils.common import durations
from ...module_utils.common.printable import printable
from ...module_utils.delivery import sealed
from ...module_utils.key_requests import transitions
from ...module_utils.key_requests.base import Store
from ...module_utils.key_requests.errors import Broken, Forbidden, Missing, RequestRefused, StoreError
from ...module_utils.key_requests.record import APPROVED, RESEAL, Record
from ...module_utils.key_requests.sealed_box import EXPIRED, SealedBox, new_box_id, proof_digest
from ..delivery import SEALED, DeliverySettings, mark_of_token
from .post import MailSender, PostResult
from .state import PassState

NOT_SEALED = "its owner asked for a new link to the sealed key, and keys are not delivered sealed any more; retry it with the method sealed"


def send_sealed(store: Store, mailer: MailSender, delivery: DeliverySettings, now: str, parcels: Sequence[Mapping[str, Any]]) -> list[PostResult]:
    """Put each key into a box and mail its link. Return the results in the same order.

    A box whose mail the server refuses for good is emptied, because nobody has its link.
    """
    with ThreadPoolExecutor(store.parallel) as pool:
        packed = list(pool.map(partial(_put_or_fail, store, delivery, now), parcels))
    mailed = [each for each in packed if isinstance(each, SealedMail)]
    sent = iter(mailer.send([each.message for each in mailed]) if mailed else [])
    return [_result_of(store, each, next(sent), now) if isinstance(each, SealedMail) else each for each in packed]


@dataclass(frozen=True)
class SealedMail:
    """A box that is in the store, the secret that opens it, and the mail with its link."""

    box: SealedBox
    secret: str = field(repr=False)
    message: Mapping[str, Any] = field(repr=False)


def _put_or_fail(store: Store, delivery: DeliverySettings, now: str, parcel: Mapping[str, Any]) -> SealedMail | PostResult:
    try:
        return _put(store, parcel, delivery, now)
    except StoreError as error:
        return PostResult(False, f"the box could not be kept: {printable(str(error), 300)}")


def _result_of(store: Store, mailed: SealedMail, result: PostResult, now: str) -> PostResult:
    if result.final:
        _withdraw(store, mailed.box, now)
    return replace(result, reason=sealed.without_secret(result.reason, mailed.secret))


def _put(store: Store, parcel: Mapping[str, Any], delivery: DeliverySettings, now: str) -> SealedMail:
    """Put a key into a new box."""
    message = parcel["message"]
    request_id, box_id = str(message["request_id"]), new_box_id(str(message["request_id"]))
    done = sealed.seal(parcel["document"], box_id=box_id, request_id=request_id)
    box = SealedBox(
        id=box_id,
        owner=str(message["to"]),
        made_at=now,
        expires_at=_end_of_link(now, delivery.box_lifetime, parcel["document"]["expires"]),
        key_mark=str(parcel["key_mark"]),
        proof_digest=proof_digest(done.proof),
        contents=done.contents,
    )
    store.boxes.put(box)
    # Another id than that of the mail before, whose link does not work any more: mail servers drop what they take for a repeat.
    link = {"link": sealed.link_of(delivery.portal_url, box_id, done.secret), "link_expires": box.expires_at, "id": f"{message['id']}/{box_id[-8:]}"}
    return SealedMail(box, done.secret, {**message, **link})


def _end_of_link(now: str, lifetime: str, key_ends: str | None) -> str:
    end = durations.parse_time(now) + timedelta(seconds=durations.seconds(lifetime))
    return durations.iso(min(end, durations.parse_time(key_ends)) if key_ends else end)


def _withdraw(store: Store, box: SealedBox, now: str) -> None:
    try:
        present = store.boxes.get(box.request_id)
        if present is not None and present.id == box.id:
            store.boxes.empty(present, withdrawn_at=now)
    except StoreError:
        return  # it expires, and nobody has its link


# ------------------------------------------------------------------------------------------------------------- upkeep
def empty_boxes(state: PassState) -> None:
    """Empty the boxes that were not opened in time, and those whose request is over or gone. What fails is tried again by the next pass."""
    if SEALED not in state.settings.delivery.methods:
        return
    store, now = state.parts.store, state.parts.clock()
    try:
        listing = store.boxes.listing(only_full=True)
        for box in listing.boxes:
            _empty_if_over(store, box, now)
    except StoreError as error:
        state.report.warnings.append(f"sealed boxes could not be emptied, and the next pass tries again: {error}")
        return
    state.report.warnings += [reason for _name, reason in listing.unreadable]


def _empty_if_over(store: Store, box: SealedBox, now: str) -> None:
    try:
        record = store.get(box.request_id)
    except Missing:
        _remove_lost(store, box, now)
        return
    except Broken:
        return  # nobody can tell what became of it
    if record.state != APPROVED or transitions.ended_by(record, now).progress.ended_at:
        store.boxes.empty(box, withdrawn_at=now)
    elif box.state(now) == EXPIRED:
        store.boxes.empty(box)


def _remove_lost(store: Store, box: SealedBox, now: str) -> None:
    """Remove the box of a request that is gone. Without the right to remove it, it is emptied."""
    store.boxes.empty(box, withdrawn_at=now)
    try:
        store.boxes.remove(box.request_id)
    except Forbidden:
        return


@dataclass
class BoxUpkeepReport:
    """How many keys are to be sealed anew because they were rotated, and why others are not, by request."""

    resealed: int = 0
    failures: dict[str, str] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """Return what there is to say, a line each."""
        changed = [f"{self.resealed} keys were rotated, and the next pass mails new links to them."] if self.resealed else []
        return changed + [f"the sealed key of {request_id} is not the present one: {printable(reason, 400)}" for request_id, reason in self.failures.items()]


def reseal_rotated(store: Store, records: Sequence[Record], keys: Sequence[Mapping[str, Any]], delivery: DeliverySettings, now: str) -> BoxUpkeepReport:
    """Empty the boxes that hold a former value of a rotated key, and let the next pass seal the present one, for owners who opened theirs too.

    `records` are the requests with keys, `keys` the gateway's living ones as modules return them. Raises StoreError.
    """
    report = BoxUpkeepReport()
    if SEALED not in delivery.methods:
        return report
    marks = {key["alias"]: mark_of_token(str(key["key_id"])) for key in keys if key.get("key_id")}
    of_request = {record.id: record for record in records if not record.progress.ended_at}
    for box in store.boxes.listing().boxes:
        record = of_request.get(box.request_id)
        mark = marks.get(record.progress.key_alias) if record else None
        if record is None or mark is None or mark == box.key_mark or RESEAL in record.progress.notified:
            continue
        try:
            store.boxes.empty(box, withdrawn_at=now)
            wish = partial(transitions.reseal, by="gateway", at=now, reason="The key was rotated.", limited=False)
            report.resealed += store.transition(record, wish).changed
        except (RequestRefused, Missing, Broken) as error:
            report.failures[record.id] = str(error)
    return report
