# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""A record as JSON, as a file holds it and as modules return it.

Reading is strict, because people edit these files: an unknown field, a wrong type or an impossible value is a ValueError
that names it, and the record is set aside. One edit has a meaning: a `state` other than the last one of the history is
a decision made by hand.

A request that is pending has no terms, whatever stands there, because nobody has decided on any.

`format` counts the changes to this form. Releases that share a store keep each other's work: fields that are unknown in a
record of a newer format are kept as they are, wherever they stand. Those in the terms, a review, the progress or a failure
share its end, and the history keeps what ended with a step. Records of format 1 have no such number.

A release that adds what an older one must not ignore, such as a limit, notes the lowest format that knows it as `min_format`.
Older releases set such a record aside.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ..common.printable import quoted
from .record import KEY_FACTS, PENDING, Failure, HistoryEntry, Progress, Record, check
from .review import SETTINGS
from .terms import TERMS
from .transitions import BY_HAND, ENDING, set_by_hand

FORMAT = 3

_TEXTS = (
    *("id", "email", "package", "purpose", "duration", "guid", "user", "renews", "language", "origin", "verified_at"),
    *("state", "reason", "created_at", "updated_at"),
)
_FIELDS = frozenset(
    (*_TEXTS, "format", "models", "max_budget", "from_end", "cancelled", "terms", "granted", "reviewers", "review", "trace", "progress", "history")
)
_PROGRESS_TEXTS = ("minted_at", "key_alias", "expires", "finished_at", "ended_at", "stopped_at")
_PROGRESS_FIELDS = frozenset((*_PROGRESS_TEXTS, "delivered", "approvals", "notified", "failure"))
_FORMER = {name: f"former_{name}" for name in ENDING}
_ENTRY_FIELDS = frozenset(("at", "by", "from", "to", "reason", "terms", "policy", "former_trace", "former_key", *_FORMER.values()))
_FAILURE_FIELDS = frozenset(("step", "reason", "attempts", "next_attempt_at", "code"))


def render_document(record: Record) -> dict[str, Any]:
    """Return `record` as a document without its empty fields."""
    document: dict[str, Any] = {
        "format": max(FORMAT, record.format),
        "id": record.id,
        "email": record.email,
        "models": list(record.models),
        "package": record.package,
        "purpose": record.purpose,
        "duration": record.duration,
        "max_budget": record.max_budget,
        "guid": record.guid,
        "user": record.user,
        "renews": record.renews,
        "from_end": record.from_end,
        "language": record.language,
        "origin": record.origin,
        "verified_at": record.verified_at,
        "state": record.state,
        "reason": record.reason,
        "cancelled": record.cancelled,
        "terms": dict(record.terms),
        "granted": dict(record.granted),
        "reviewers": list(record.reviewers),
        "review": dict(record.review),
        "trace": [dict(entry) for entry in record.trace],
        "progress": _render_progress(record.progress),
        "created_at": record.created_at,
        "updated_at": record.updated_at,
        "history": [_render_entry(entry) for entry in record.history],
    }
    filled = {name: value for name, value in document.items() if value or name == "state" or (name == "max_budget" and value is not None)}
    return _with_extra(filled, record.extra)


def public(record: Record) -> dict[str, Any]:
    """Return `record` as modules return it: with its empty fields, under the names that the approval chain reads."""
    progress = record.progress
    return {
        "request_id": record.id,
        "version": record.version,
        "email": record.email,
        "model": record.models[0] if len(record.models) == 1 else None,
        "models": list(record.models),
        "package": record.package or None,
        "purpose": record.purpose,
        "duration": record.duration or None,
        "max_budget": record.max_budget,
        "guid": record.guid or None,
        "user": record.user or None,
        "renews": record.renews or None,
        "from_end": record.from_end,
        "language": record.language or None,
        "origin": record.origin or None,
        "verified_at": record.verified_at or None,
        "state": record.state,
        "reason": record.reason,
        "cancelled": record.cancelled,
        "terms": dict(record.terms),
        "granted": dict(record.granted),
        "reviewers": list(record.reviewers),
        "review": dict(record.review),
        "trace": [dict(entry) for entry in record.trace],
        "open": record.open,
        "progress": {
            "status": progress.status,
            "minted_at": progress.minted_at or None,
            "key_alias": progress.key_alias or None,
            "expires": progress.expires or None,
            "delivered": dict(progress.delivered),
            "finished_at": progress.finished_at or None,
            "ended_at": progress.ended_at or None,
            "stopped_at": progress.stopped_at or None,
            "approvals": dict(progress.approvals),
            "notified": dict(progress.notified),
            "failure": _render_failure(progress.failure) if progress.failure else None,
        },
        "created_at": record.created_at,
        "updated_at": record.updated_at,
        "history": [
            {"at": entry.at, "by": entry.by, "from": entry.was or None, "to": entry.now, "reason": entry.reason}
            | {"terms": dict(entry.terms), "policy": entry.policy or None}
            | {"former_trace": [dict(step) for step in entry.former_trace], "former_key": dict(entry.former_key)}
            for entry in record.history
        ],
    }


def parse_document(document: object, version: str = "") -> Record:
    """Return the record in `document`. Raises ValueError."""
    fields = _mapping(document, "the document")
    newest = _format(fields)
    extra = _unknown(fields, "the document", _FIELDS, newest)
    terms, granted, review = (_split(fields, name, known, newest, extra) for name, known in (("terms", TERMS), ("granted", TERMS), ("review", SETTINGS)))
    texts = {name: _text(fields, name) for name in _TEXTS}
    wished = texts.pop("state")
    history = tuple(_parse_entry(entry, newest) for entry in _list(fields, "history"))
    record = Record(
        **texts,
        state=history[-1].now if history else wished,
        models=tuple(_texts(fields, "models")),
        max_budget=_number(fields, "max_budget"),
        from_end=_bool(fields, "from_end"),
        cancelled=_bool(fields, "cancelled"),
        terms=terms,
        granted={name: value for name, value in granted.items() if name != "package"},  # format 1 could name one, which granted nothing
        reviewers=tuple(_texts(fields, "reviewers")),
        review=review,
        trace=tuple(_mapping(entry, "an entry of the trace") for entry in _list(fields, "trace")),
        progress=_parse_progress(fields.get("progress", {}), newest),
        history=history,
        format=newest,
        extra=extra,
        version=version,
    )
    check(record)
    if record.state == PENDING:
        record = dataclasses.replace(record, terms={}, granted={})
    if wished != record.state:
        return set_by_hand(record, wished, by=BY_HAND, at=record.updated_at)
    return record


def _render_progress(progress: Progress) -> dict[str, Any]:
    fields = {
        "minted_at": progress.minted_at,
        "key_alias": progress.key_alias,
        "expires": progress.expires,
        "delivered": dict(progress.delivered),
        "finished_at": progress.finished_at,
        "ended_at": progress.ended_at,
        "stopped_at": progress.stopped_at,
        "approvals": dict(progress.approvals),
        "notified": dict(progress.notified),
        "failure": _with_extra(_render_failure(progress.failure), progress.failure.extra) if progress.failure else None,
    }
    return _with_extra({name: value for name, value in fields.items() if value}, progress.extra)


def _render_failure(failure: Failure) -> dict[str, Any]:
    code = {"code": failure.code} if failure.code else {}
    return {"step": failure.step, "reason": failure.reason, "attempts": failure.attempts, "next_attempt_at": failure.next_attempt_at, **code}


def _render_entry(entry: HistoryEntry) -> dict[str, Any]:
    texts = {"at": entry.at, "by": entry.by, "from": entry.was, "to": entry.now, "reason": entry.reason}
    former = {"former_trace": [dict(step) for step in entry.former_trace], "former_key": dict(entry.former_key)}
    ended = {_FORMER[name]: dict(fields) for name, fields in entry.former_extra.items()}
    fields = {**texts, "terms": dict(entry.terms), "policy": entry.policy, **former, **ended}
    return _with_extra({name: value for name, value in fields.items() if value}, entry.extra)


def _with_extra(fields: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return `fields` with what only a newer release knows, also in the mappings that both know."""
    merged = {name: {**value, **extra[name]} if name in extra else value for name, value in fields.items()}
    return {**merged, **{name: value for name, value in extra.items() if name not in fields}}


def _parse_progress(raw: object, newest: int) -> Progress:
    fields = _mapping(raw, "progress")
    failure = fields.get("failure")
    extra = _unknown(fields, "progress", _PROGRESS_FIELDS, newest)
    return Progress(
        **{name: _text(fields, name) for name in _PROGRESS_TEXTS},
        delivered=_text_mapping(fields, "delivered", newest, extra),
        approvals=_text_mapping(fields, "approvals", newest, extra),
        notified=_text_mapping(fields, "notified", newest, extra),
        failure=None if failure is None else _parse_failure(failure, newest),
        extra=extra,
    )


def _parse_failure(raw: object, newest: int) -> Failure:
    fields = _mapping(raw, "failure")
    extra = _unknown(fields, "failure", _FAILURE_FIELDS, newest)
    attempts = fields.get("attempts")
    if not isinstance(attempts, int) or isinstance(attempts, bool):
        raise ValueError("attempts is not a whole number.")
    return Failure(_text(fields, "step"), _text(fields, "reason"), attempts, _text(fields, "next_attempt_at"), _text(fields, "code"), extra)


def _parse_entry(raw: object, newest: int) -> HistoryEntry:
    fields = _mapping(raw, "an entry of the history")
    extra = _unknown(fields, "an entry of the history", _ENTRY_FIELDS, newest)
    return HistoryEntry(
        at=_text(fields, "at"),
        by=_text(fields, "by"),
        was=_text(fields, "from"),
        now=_text(fields, "to"),
        reason=_text(fields, "reason"),
        terms=_split(fields, "terms", TERMS, newest, extra),
        policy=_text(fields, "policy"),
        former_trace=tuple(_mapping(step, "an entry of a former trace") for step in _list(fields, "former_trace")),
        former_key=_split(fields, "former_key", frozenset(KEY_FACTS), newest, extra),
        former_extra={name: _mapping(fields[field], field) for name, field in _FORMER.items() if fields.get(field)},
        extra=extra,
    )


def _format(fields: Mapping[str, Any]) -> int:
    given = fields.get("format", 1)
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        raise ValueError("format is not a whole number from 1 up.")
    needed = fields.get("min_format", 1) if given > FORMAT else 1
    if not isinstance(needed, int) or needed > FORMAT:
        raise ValueError(f"its min_format is {quoted(needed, 40)}, and this release knows format {FORMAT}: only a newer release may work on it.")
    return given


def _unknown(fields: Mapping[str, Any], name: str, known: frozenset[str], newest: int) -> dict[str, Any]:
    """Return the fields that are not `known`. Raises ValueError if the record is of a format whose fields all are."""
    unknown = {field: value for field, value in fields.items() if field not in known}
    if unknown and newest <= FORMAT:
        raise ValueError(f"{name} has a field {quoted(min(unknown), 40)} that does not exist.")
    return unknown


def _split(fields: Mapping[str, Any], name: str, known: frozenset[str], newest: int, extra: dict[str, Any]) -> dict[str, Any]:
    """Return the mapping under `name`. What in it only a newer format knows goes to `extra`; `check` refuses what no format does."""
    given = _mapping(fields.get(name, {}), name)
    unknown = {field: value for field, value in given.items() if field not in known} if newest > FORMAT else {}
    if unknown:
        extra[name] = unknown
    return {field: value for field, value in given.items() if field not in unknown}


def _mapping(raw: object, name: str) -> dict[str, Any]:
    if not isinstance(raw, Mapping) or not all(isinstance(key, str) for key in raw):
        raise ValueError(f"{name} is not a mapping.")
    return dict(raw)


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise ValueError(f"{name} is not a text.")
    return value


def _bool(fields: Mapping[str, Any], name: str) -> bool:
    value = fields.get(name, False)
    if not isinstance(value, bool):
        raise ValueError(f"{name} is neither true nor false.")
    return value


def _number(fields: Mapping[str, Any], name: str) -> float | None:
    value = fields.get(name)
    if value is not None and (not isinstance(value, (int, float)) or isinstance(value, bool)):
        raise ValueError(f"{name} is not a number.")
    return value


def _list(fields: Mapping[str, Any], name: str) -> list[Any]:
    value = fields.get(name, [])
    if not isinstance(value, list):
        raise ValueError(f"{name} is not a list.")
    return value


def _texts(fields: Mapping[str, Any], name: str) -> list[str]:
    value = _list(fields, name)
    if not all(isinstance(entry, str) for entry in value):
        raise ValueError(f"{name} is not a list of texts.")
    return value


def _text_mapping(fields: Mapping[str, Any], name: str, newest: int, extra: dict[str, Any]) -> dict[str, str]:
    """Return the texts under `name`. What a newer format notes there instead of a text goes to `extra`."""
    texts = frozenset(field for field, value in _mapping(fields.get(name, {}), name).items() if isinstance(value, str))
    value = _split(fields, name, texts, newest, extra)
    if len(value) > len(texts):
        raise ValueError(f"{name} holds something that is not a text.")
    return value
