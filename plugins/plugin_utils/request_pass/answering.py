# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The steps of a pass that ask reviewers, and tell requesters what became of their requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from ...module_utils.key_requests import transitions
from ...module_utils.key_requests.record import DENIED, IN_REVIEW, Record
from ...module_utils.key_requests.review import has_expired
from ...module_utils.key_requests.transitions import Change, Ruling
from ..delivery import MAIL
from . import plan
from .parts import CHAIN
from .post import PostResult
from .state import PassState


def answer_denied(state: PassState) -> None:
    """Tell those who were denied why."""
    answer(state, DENIED, "denial", plan.denial_mail)


def answer(state: PassState, decided: str, kind: str, mail_of: Callable[[Record], dict[str, Any]]) -> None:
    """Tell those who were denied why, or whose keys live longer, by mail and in every channel for that. Whoever withdrew a request needs no answer."""

    def due() -> list[Record]:
        return [record for record in state.in_state(decided) if decided == DENIED or (record.renews and record.progress.minted_at)]

    ways = {MAIL: state.parts.mailer.send} if state.settings.mails_answers else {}
    ways |= {_way(name): partial(state.parts.channels.post, name) for name in state.parts.channels.channels(kind)}
    for way, send in ways.items():
        untold = [record for record in due() if not record.cancelled and way not in record.progress.delivered]
        results = send([mail_of(record) for record in untold]) if untold else []
        state.note_results({record.id: result for record, result in zip(untold, results, strict=True)}, "mail", way, ways)
    at = state.parts.clock()
    answered = [record for record in due() if record.cancelled or set(ways) <= set(record.progress.delivered)]
    state.record([(record, partial(transitions.mark_finished, at=at)) for record in answered])


def ask_reviewers(state: PassState) -> None:
    """Ask each reviewer once about each request, by mail and in every channel for reviews."""
    waiting = _without_expired(state, state.in_state(IN_REVIEW))
    channels = state.parts.channels.channels(plan.REVIEW)
    for record in waiting:
        if not (record.reviewers or state.settings.reviewers or channels):
            state.report.warnings.append(f"the request {record.id} is in review, and nobody was asked; name reviewers in the chain or for the pass.")
    now = state.parts.clock()
    if state.settings.mails_answers:
        _ask(state, [(record, each) for record in waiting for each in plan.questions_due(record, state.settings.reviewers, now)], state.parts.mailer.send)
    for name in channels:
        asked = [(record, question) for record in waiting if (question := plan.question_to_channel(record, name))]
        _ask(state, asked, partial(state.parts.channels.post, name))


def _ask(state: PassState, wanted: Sequence[tuple[Record, plan.Question]], send: Callable[[Sequence[Mapping[str, Any]]], list[PostResult]]) -> None:
    questions = [(record.id, question) for record, question in wanted if record.id in state.open]
    mails = [_question_mail(state, state.open[each], question) for each, question in questions]
    at, failures = state.parts.clock(), dict[str, str]()
    told: dict[str, list[str]] = {}
    for (request_id, question), result in zip(questions, send(mails) if mails else [], strict=True):
        if result.delivered:
            told.setdefault(request_id, []).append(question.notice)
        else:
            failures[request_id] = f"{question.reviewer}: {result.reason}"
    state.record([(state.open[each], partial(transitions.mark_notified, at=at, notices=notices)) for each, notices in told.items()])
    state.fail(failures, "mail")


def _question_mail(state: PassState, record: Record, question: plan.Question) -> dict[str, Any]:
    return plan.review_mail(record, question, state.settings.store_variables or {}, state.original_of(record))


def _without_expired(state: PassState, waiting: Sequence[Record]) -> list[Record]:
    """Deny the requests whose review has lasted too long, and return the others."""
    at = state.parts.clock()
    over = [record for record in waiting if has_expired(record.review, record.review_began, at)]
    changes: list[tuple[Record, Change]] = []
    for record in over:
        ruling = Ruling(f"Nobody decided within {record.review['expires_after']}; ask again if you still need the key.")
        changes.append((record, partial(transitions.decide, state=DENIED, ruling=ruling, by=CHAIN, at=at, only_from=(IN_REVIEW,))))
    state.record(changes)
    return [record for record in waiting if record not in over]


def _way(channel: str) -> str:
    """Return the name under which a request notes that it was told of in a channel."""
    return plan.notice_name(f"webhook {channel}").replace(plan.REVIEW, "webhook")
