# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The step of a pass that makes keys and delivers them.

A key is made only for a request that never had one; an answer is delivered again by deriving the same value; a key that is
gone has ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

from ...module_utils.key_requests import transitions
from ...module_utils.key_requests.record import APPROVED, RESEAL, Record
from ...module_utils.key_requests.transitions import Change
from ...module_utils.litellm.errors import GatewayError
from ..delivery import MAIL, SEALED
from . import plan
from .ended import split_ended, unknown_key
from .gateway import Minted
from .offers import NotOffered
from .post import PostResult
from .sealing import NOT_SEALED, send_sealed
from .state import PassState
from .ways import DeliveryWay

NOTHING_RENEWED: Mapping[str, Record] = MappingProxyType({})


def mint_and_deliver(state: PassState) -> None:
    """Make the keys of approved requests that never had one, and deliver what is not delivered yet."""
    approved = state.in_state(APPROVED)
    _mint(state, [record for record in approved if not record.progress.minted_at and not record.renews])
    minted = [record for record in state.in_state(APPROVED) if record.progress.minted_at and not record.renews]
    keys = _without_blocked(state, _keys_of(state, minted))
    for way in state.settings.ways:
        _deliver(state, way, keys)
    _finish(state, [record for each in keys if (record := state.open.get(each))])


def _mint(state: PassState, records: Sequence[Record]) -> None:
    """Make the keys of requests that never had one. Their values are used in this pass and kept nowhere."""
    settled, failures = settle_all_terms(state, records)
    wanted = {record.id: (plan.alias_of(record), plan.key_arguments(record, record.terms)) for record in settled}
    minted = state.parts.gateway.mint(dict(wanted.values())) if wanted else Minted()
    at = state.parts.clock()
    changes: list[tuple[Record, Change]] = []
    for request_id, (alias, _arguments) in wanted.items():
        key = minted.keys.get(alias)
        if key is None:
            failures[request_id] = minted.failures.get(alias, "the gateway did not make the key")
        else:
            state.fresh[request_id] = key
            changes.append((state.open[request_id], partial(transitions.mark_minted, at=at, key_alias=alias, expires=key.get("expires") or "")))
    recorded = state.record(changes)
    state.report.minted += len(recorded)
    state.fail(failures, "mint")
    _withdraw(state, [(record.id, wanted[record.id][0]) for record, _change in changes if record.id not in recorded])


def settle_all_terms(
    state: PassState, records: Sequence[Record], renewed: Mapping[str, Record] = NOTHING_RENEWED
) -> tuple[list[Record], dict[str, str | Exception]]:
    """Note the terms of each request, and return the requests with their terms, and by id why others have none.

    `renewed` are the requests whose keys renewals are for, by the ids of these.
    """
    chain, at = state.parts.chain, state.parts.clock()
    failures: dict[str, str | Exception] = {}
    changes: list[tuple[Record, Change]] = []
    for record in records:
        try:
            if isinstance(chain, ValueError):
                if not record.terms:
                    raise NotOffered(f"its terms cannot be worked out: {chain}")
                terms, policy = dict(record.terms), ""
            else:
                terms, policy = chain.offers.settled(record, renewed.get(record.id), at=at), chain.policy
            changes.append((record, partial(transitions.settle_terms, terms=terms, policy=policy, at=at)))
        except ValueError as error:
            failures[record.id] = str(error)
    return list(state.record(changes).values()), failures


def _withdraw(state: PassState, taken_back: Sequence[tuple[str, str]]) -> None:
    """Delete the keys of requests that were taken back while their keys were made. A failure does not stop the others."""
    for request_id, alias in taken_back:
        state.fresh.pop(request_id, None)
        if state.parts.store.check_mode:
            continue
        try:
            state.parts.gateway.revoke([alias])
        except GatewayError as error:
            state.report.errors.append(f"the request {request_id} was taken back, and its key {alias} could not be deleted: {error}")


def _keys_of(state: PassState, records: Sequence[Record]) -> dict[str, Mapping[str, Any]]:
    """Return the keys to deliver, with their values, by request. A key that is gone or expired has ended."""
    earlier = {record.progress.key_alias: record.id for record in records if record.id not in state.fresh}
    try:
        found = state.parts.gateway.in_service(sorted(earlier))
    except GatewayError as error:
        state.fail(dict.fromkeys(earlier.values(), error), "deliver")
        found, earlier = {}, {}
    _note_ended(state, [state.open[request_id] for alias, request_id in earlier.items() if alias not in found], right_gateway=bool(found))
    keys = {request_id: found[alias] for alias, request_id in earlier.items() if alias in found}
    return {**keys, **{each: key for each, key in state.fresh.items() if each in {record.id for record in records}}}


def _without_blocked(state: PassState, keys: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return the keys that may be delivered: nobody is told that a key is ready which somebody has blocked."""
    waiting = {each for each, key in keys.items() if key.get("blocked")}
    state.fail({each: f"the key {keys[each]['alias']} is blocked at the gateway; unblock it to deliver it" for each in waiting}, "deliver")
    return {each: key for each, key in keys.items() if each not in waiting}


def _note_ended(state: PassState, missing: Sequence[Record], *, right_gateway: bool) -> None:
    at = state.parts.clock()
    try:
        gone, unknown = split_ended(state.parts.gateway, missing, now=at, right_gateway=right_gateway)
    except GatewayError as error:
        state.fail({record.id: error for record in missing}, "deliver")
        return
    state.report.ended += len(state.record([(record, partial(transitions.mark_ended, at=at)) for record in gone]))
    state.fail({record.id: unknown_key(record.progress.key_alias) for record in unknown}, "deliver")


def _deliver(state: PassState, way: DeliveryWay, keys: Mapping[str, Mapping[str, Any]]) -> None:
    """Deliver in one way what was not delivered so yet, and note each result."""
    state.turn.check()
    entries = []
    for request_id, key in keys.items():
        record = state.open.get(request_id)
        if record is None:  # it was removed since
            continue
        done = record.progress.delivered
        if transitions.wants_delivery(record, way.name) and (not way.after or way.after in done):
            entries.append({**key, "email": record.email, "request_id": request_id, **({"language": record.language} if record.language else {})})
    parcels, problems = way.plan(entries)
    results = dict(zip(parcels, _send(state, way, list(parcels.values())), strict=True)) if parcels else {}
    results |= {each: PostResult(False, reason) for each, reason in problems.items()}
    state.note_results(results, "deliver", way.name, [each.name for each in state.settings.ways])


def _send(state: PassState, way: DeliveryWay, contents: Sequence[Mapping[str, Any]]) -> list[PostResult]:
    parts = state.parts
    if way.method == SEALED:
        return send_sealed(parts.store, parts.mailer, way.settings, parts.clock(), contents)
    return parts.mailer.send(contents) if way.method == MAIL else parts.secrets.apply(contents)


def _finish(state: PassState, records: Sequence[Record]) -> None:
    """Note which requests have their answer in every way. After a failure they do not."""
    at, ways = state.parts.clock(), {way.name for way in state.settings.ways}
    if SEALED not in ways:
        unsealed = {record.id for record in records if RESEAL in record.progress.notified}
        state.fail(dict.fromkeys(unsealed, NOT_SEALED), "deliver", final=frozenset(unsealed))
        records = [record for record in records if record.id not in unsealed]
    done = [record for record in records if record.state == APPROVED and ways <= set(record.progress.delivered) and RESEAL not in record.progress.notified]
    # Most are noted with their last delivery. The others were delivered by all that is wanted now in an earlier pass.
    state.record([(record, partial(transitions.mark_finished, at=at)) for record in done if not record.progress.finished_at])
    state.report.delivered += len(done)
