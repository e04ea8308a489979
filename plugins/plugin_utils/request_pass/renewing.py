# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The step of a pass that lets keys live longer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from ...module_utils.key_requests import transitions
from ...module_utils.key_requests.base import Store
from ...module_utils.key_requests.errors import Broken, Missing
from ...module_utils.key_requests.record import APPROVED, DENIED, Record, is_for_key_of
from ...module_utils.key_requests.transitions import Change, Ruling
from ...module_utils.litellm.errors import GatewayError
from . import plan
from .answering import answer
from .ended import split_ended, unknown_key
from .minting import settle_all_terms
from .parts import CHAIN
from .state import PassState

GONE = "There is no such key of yours any more that could live longer; ask for a new one."
BLOCKED = "Your key is blocked at the gateway, so it was not renewed; ask an administrator why, and ask again when it works."


def living_originals(state: PassState, renewals: Sequence[Record]) -> tuple[dict[str, Record], list[Record]]:
    """Return the request for the key of each renewal by the renewal's id, and the renewals whose keys have ended."""
    at, renewed, over = state.parts.clock(), dict[str, Record](), list[Record]()
    for record in renewals:
        try:
            found = living_original(state.parts.store, record, at)
        except Broken as error:
            state.fail({record.id: error}, "renew")
            continue
        if found is not None:
            renewed[record.id] = found
        else:
            over.append(record)
    return renewed, over


def living_original(store: Store, renewal: Record, at: str) -> Record | None:
    """Return the request for the key of a renewal; None if that key has ended by then, or is not the person's. Raises Broken."""
    try:
        found = transitions.ended_by(store.get(renewal.renews), at)
    except Missing:
        return None
    living = found.progress.minted_at and not found.progress.ended_at
    return found if living and is_for_key_of(renewal, found) and found.progress.minted_at <= renewal.asked_at else None


def deny_renewals(state: PassState, records: Sequence[Record], reason: str = GONE) -> None:
    """Deny renewals for a reason that has nothing to do with the rules, by default that the keys are no more."""
    ruling = Ruling(reason)
    state.record([(record, partial(transitions.decide, state=DENIED, ruling=ruling, by=CHAIN, at=state.parts.clock())) for record in records])


def renew_keys(state: PassState) -> None:
    """Let the keys of approved renewals live longer. Until when is noted before, so that no time is added twice."""
    records = [record for record in state.in_state(APPROVED) if record.renews and not record.progress.minted_at]
    if records:
        renewed, over = living_originals(state, records)
        deny_renewals(state, over)
        settled, failures = settle_all_terms(state, [record for record in records if record.id in renewed], renewed)
        state.fail(failures, "renew")
        _change_ends(state, settled, {record.id: renewed[record.id] for record in settled})
    _note_new_ends(state, [record for record in state.in_state(APPROVED) if record.renews and record.progress.minted_at])
    answer(state, APPROVED, "renewal", lambda record: plan.renewal_mail(record, state.original_of(record)))


def _change_ends(state: PassState, records: Sequence[Record], renewed: Mapping[str, Record]) -> None:
    at = state.parts.clock()
    aliases = {record.id: renewed[record.id].progress.key_alias for record in records}
    try:
        living = state.parts.gateway.in_service(sorted(set(aliases.values())))
        missing = [renewed[record.id] for record in records if aliases[record.id] not in living]
        ended, unknown = split_ended(state.parts.gateway, missing, now=at, right_gateway=bool(living))
    except GatewayError as error:
        state.fail(dict.fromkeys(aliases, error), "renew")
        return
    state.record([(record, partial(transitions.mark_ended, at=at)) for record in ended])
    deny_renewals(state, [record for record in records if record.renews in {each.id for each in ended}])
    state.fail({record.id: unknown_key(aliases[record.id]) for record in records if record.renews in {each.id for each in unknown}}, "renew")
    blocked = [record for record in records if living.get(aliases[record.id], {}).get("blocked")]
    deny_renewals(state, blocked, BLOCKED)
    changes: list[tuple[Record, Change]] = []
    for record in records:
        if (key := living.get(aliases[record.id])) and record not in blocked:
            end = plan.end_of_renewal(record, record.terms, key.get("expires") or "")
            changes.append((record, partial(transitions.plan_renewal, at=at, key_alias=aliases[record.id], expires=end)))
    planned = list(state.record(changes).values())
    wanted = {record.progress.key_alias: plan.renewal_arguments(record, record.terms) for record in planned}
    failures = state.parts.gateway.change(wanted) if wanted else {}
    done = [record for record in planned if record.progress.key_alias not in failures]
    state.report.renewed += len(state.record([(record, partial(transitions.mark_renewed, at=at)) for record in done]))
    state.fail({record.id: failures[record.progress.key_alias] for record in planned if record not in done}, "renew")


def _note_new_ends(state: PassState, records: Sequence[Record]) -> None:
    """Note the new end of each key on the request that the key was made for."""
    at, (renewed, _over) = state.parts.clock(), living_originals(state, records)
    changes: list[tuple[Record, Change]] = []
    for record in records:
        if record.id in renewed:
            by, expires = plan.decided_by(record), record.progress.expires
            change = partial(transitions.note_end, expires=expires, terms=record.terms, reason=f"Renewed by {record.id}.", by=by, at=at)
            changes.append((renewed[record.id], change))
    state.record(changes)
