# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""A record as JSON, as a file holds it and as modules return it.

Reading is strict, because people edit these files: an unknown field, a wrong type or an impossible value is a ValueError
that names it, and the record is set aside. One edit has a meaning: a `state` other than the last one of the history is
a decision made by hand.

A request that is pending has no terms, whatever stands there, because nobody has decided on any.

`format` counts the changes to this form. Releases that share a store keep each other's work: fields that are unknown in a
record of a newer format are kept as they are. Records of format 1 have no such number.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ..common.printable import quoted
from .record import PENDING, Failure, HistoryEntry, Progress, Record, check
from .transitions import BY_HAND, set_by_hand

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
_ENTRY_FIELDS = frozenset(("at", "by", "from", "to", "reason", "terms", "policy", "former_trace", "former_key"))
_FAILURE_FIELDS = frozenset(("step", "reason", "attempts", "next_attempt_at"))


def render_document(record: Record) -> dict[str, Any]:
    """Return `record` as a document without its empty fields."""
    document: dict[str, Any] = {
        **record.extra,
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
    return {name: value for name, value in document.items() if value or name == "state" or (name == "max_budget" and value is not None)}


def public(record: Record) -> dict[str, Any]:
    """Return `record` as modules return it: with its empty fields, under the names that the approval chain reads."""
    progress = record.progress
    failure = progress.failure
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
            "failure": dataclasses.asdict(failure) if failure else None,
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
        terms=_mapping(fields.get("terms", {}), "terms"),
        granted=_granted(fields),
        reviewers=tuple(_texts(fields, "reviewers")),
        review=_mapping(fields.get("review", {}), "review"),
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
        **progress.extra,
        "minted_at": progress.minted_at,
        "key_alias": progress.key_alias,
        "expires": progress.expires,
        "delivered": dict(progress.delivered),
        "finished_at": progress.finished_at,
        "ended_at": progress.ended_at,
        "stopped_at": progress.stopped_at,
        "approvals": dict(progress.approvals),
        "notified": dict(progress.notified),
        "failure": dataclasses.asdict(progress.failure) if progress.failure else None,
    }
    return {name: value for name, value in fields.items() if value}


def _render_entry(entry: HistoryEntry) -> dict[str, Any]:
    texts = {"at": entry.at, "by": entry.by, "from": entry.was, "to": entry.now, "reason": entry.reason}
    former = {"former_trace": [dict(step) for step in entry.former_trace], "former_key": dict(entry.former_key)}
    fields = {**entry.extra, **texts, "terms": dict(entry.terms), "policy": entry.policy, **former}
    return {name: value for name, value in fields.items() if value}


def _parse_progress(raw: object, newest: int) -> Progress:
    fields = _mapping(raw, "progress")
    failure = fields.get("failure")
    return Progress(
        **{name: _text(fields, name) for name in _PROGRESS_TEXTS},
        delivered=_text_mapping(fields, "delivered"),
        approvals=_text_mapping(fields, "approvals"),
        notified=_text_mapping(fields, "notified"),
        failure=None if failure is None else _parse_failure(failure),
        extra=_unknown(fields, "progress", _PROGRESS_FIELDS, newest),
    )


def _parse_failure(raw: object) -> Failure:
    fields = _mapping(raw, "failure")
    _unknown(fields, "failure", _FAILURE_FIELDS, FORMAT)
    attempts = fields.get("attempts")
    if not isinstance(attempts, int) or isinstance(attempts, bool):
        raise ValueError("attempts is not a whole number.")
    return Failure(_text(fields, "step"), _text(fields, "reason"), attempts, _text(fields, "next_attempt_at"))


def _parse_entry(raw: object, newest: int) -> HistoryEntry:
    fields = _mapping(raw, "an entry of the history")
    return HistoryEntry(
        at=_text(fields, "at"),
        by=_text(fields, "by"),
        was=_text(fields, "from"),
        now=_text(fields, "to"),
        reason=_text(fields, "reason"),
        terms=_mapping(fields.get("terms", {}), "terms in the history"),
        policy=_text(fields, "policy"),
        former_trace=tuple(_mapping(step, "an entry of a former trace") for step in _list(fields, "former_trace")),
        former_key=_mapping(fields.get("former_key", {}), "former_key"),
        extra=_unknown(fields, "an entry of the history", _ENTRY_FIELDS, newest),
    )


def _granted(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was granted. In format 1 that could name a package, which nothing did, and which is left out."""
    return {name: value for name, value in _mapping(fields.get("granted", {}), "granted").items() if name != "package"}


def _format(fields: Mapping[str, Any]) -> int:
    given = fields.get("format", 1)
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        raise ValueError("format is not a whole number from 1 up.")
    return given


def _unknown(fields: Mapping[str, Any], name: str, known: frozenset[str], newest: int) -> dict[str, Any]:
    """Return the fields that are not `known`. Raises ValueError if the record is of a format whose fields all are."""
    unknown = {field: value for field, value in fields.items() if field not in known}
    if unknown and newest <= FORMAT:
        raise ValueError(f"{name} has a field {quoted(min(unknown), 40)} that does not exist.")
    return unknown


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


def _text_mapping(fields: Mapping[str, Any], name: str) -> dict[str, str]:
    value = _mapping(fields.get(name, {}), name)
    if not all(isinstance(entry, str) for entry in value.values()):
        raise ValueError(f"{name} holds something that is not a text.")
    return value
