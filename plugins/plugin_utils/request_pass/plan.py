# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The steps of a pass as data: what to ask the chain and the gateway, and which mails to write. Pure: records in, data out."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ...module_utils.common import durations
from ...module_utils.key_requests.document import public
from ...module_utils.key_requests.record import APPROVED, Record
from ...module_utils.key_requests.review import MOST_REMINDERS, approvals_needed, is_to_be_reminded
from ...module_utils.key_requests.terms import AMOUNTS, NEVER, Terms, in_words
from ...module_utils.keys.key import LiveKey

REVIEW = "review"
_COLLECTION = "rhpds.litellm_virtual_keys"


def alias_of(record: Record) -> str:
    """Return the alias of the key that a request leads to.

    It contains the request's id and the time of its submission. So a request never takes over an existing key, and a
    person who asks again after a key has ended gets another value. With a lab's GUID it begins like the aliases of the
    lab's keys, so that the lab's operations find it.
    """
    if record.progress.key_alias:
        return record.progress.key_alias
    submitted = re.sub(r"\D", "", record.asked_at)
    lab = f"virtkey-{record.guid}-" if record.guid else ""
    return f"{lab}request-{record.id}-{submitted}"


# ----------------------------------------------------------------------------------------------------------- deciding
def as_asked(record: Record, asked: Terms, renewed: Record | None = None) -> dict[str, Any]:
    """Return a request as the approval chain reads it, with the terms that it can get at most.

    The request for the key that is `renewed` tells its models, of which some may not have been granted, when it was made, and its end.
    """
    duration = asked.get("duration", NEVER)
    shown = {**public(record), "duration": None if duration == NEVER else duration, "max_budget": asked.get("max_budget")}
    if renewed is None:
        return shown
    models = list(renewed.terms.get("models") or renewed.models)
    return {**shown, "models": models, "model": models[0] if len(models) == 1 else None, **_life_of(renewed)}


def _life_of(renewed: Record) -> dict[str, Any]:
    return {"expires": renewed.progress.expires or None, "made_at": renewed.progress.minted_at or None}


def quota_usage(keys: Iterable[LiveKey], promised: Iterable[Record]) -> list[dict[str, Any]]:
    """Return living keys as the rule `quota` counts them, and those that are `promised`: approved, and not made yet.

    A value in its grace period is not counted again. An owner that is not text, which others may have noted on a key of
    their own, is nobody's.
    """
    counted = [
        {
            "owner": _text(row.metadata.get("owner")) or _text(row.fields.get("user_id")) or None,
            "package": (row.notes.package if row.notes else "") or None,
            "alias": row.alias,
        }
        for row in keys
        if row.in_service
    ]
    known = {row["alias"] for row in counted}
    return counted + [
        {"owner": record.email, "package": record.package or None, "alias": alias_of(record)}
        for record in promised
        if not record.renews and alias_of(record) not in known
    ]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


# ------------------------------------------------------------------------------------------------------------ minting
def key_arguments(record: Record, terms: Terms) -> dict[str, Any]:
    """Return the key of an approved request in the words of the module `virtual_keys`."""
    limits = {name: terms[name] for name in ("models", "duration", "budget_duration", "allowed_routes", "tags", "team_id", *AMOUNTS) if name in terms}
    return {
        "max_budget": -1,
        **limits,
        "alias": alias_of(record),
        "guid": record.guid or None,
        "user_id": record.email,
        "package": terms.get("package") or record.package or None,
        "metadata": {"owner": record.email, "request_id": record.id, "guid": record.guid or None},
    }


def decided_by(record: Record) -> str:
    """Return who brought a request into its state. A record that was edited by hand may not say so."""
    return ([""] + [entry.by for entry in record.history if entry.was != entry.now])[-1]


def end_of_renewal(record: Record, terms: Terms, end: str) -> str:
    """Return when the key of an approved renewal shall end, which is never before its present `end`. Empty means never.

    The time counts from the approval, or from the present end if that was asked for. No renewal reaches further than ten years,
    which is also what a duration without an end means here.
    """
    if not end:
        return ""
    approvals = [entry.at for entry in record.history if entry.now == APPROVED and entry.was != APPROVED]
    approved = durations.parse_time((approvals or [record.updated_at])[-1])
    present, furthest = durations.parse_time(end), approved + timedelta(seconds=durations.LONGEST_SECONDS, days=-1)
    duration = terms.get("duration", NEVER)
    if duration == NEVER:
        return durations.iso(max(present, furthest))
    start = present if record.from_end else approved
    return durations.iso(max(present, min(furthest, start + timedelta(seconds=durations.seconds(duration)))))


def renewal_arguments(record: Record, terms: Terms) -> dict[str, Any]:
    """Return the changes to the key of an approved renewal in the words of the module `virtual_keys`."""
    limits = {name: terms[name] for name in ("models", *AMOUNTS) if name in terms}
    return {**limits, **({"extend_until": record.progress.expires} if record.progress.expires else {})}


# -------------------------------------------------------------------------------------------------------------- mails
def _models_of(record: Record, renewed: Record | None) -> list[str]:
    """Return the models of a request's key: for a renewal that leaves them as they are, those of the request that is `renewed`."""
    given = [each.terms.get("models") or each.models for each in (record, renewed) if each]
    return list(next(filter(None, given), ()))


def renewal_mail(record: Record, renewed: Record | None = None) -> dict[str, Any]:
    """Return the mail that tells a requester that the key of the request `renewed` was renewed, for the module `key_mail`."""
    return {
        "kind": "renewal",
        "to": record.email,
        "id": _mail_id(record),
        "request_id": record.id,
        "alias": record.progress.key_alias,
        "expires": record.progress.expires or "never",
        "models": _models_of(record, renewed),
        "package": record.package or None,
        **({"language": record.language} if record.language else {}),
    }


def denial_mail(record: Record) -> dict[str, Any]:
    """Return the mail that brings a requester the reason of a denial, for the module `key_mail`."""
    return {
        "kind": "denial",
        "to": record.email,
        "id": _mail_id(record),
        "request_id": record.id,
        "models": list(record.models),
        **({"language": record.language} if record.language else {}),
        "package": record.package or None,
        "reason": record.reason or None,
    }


@dataclass(frozen=True)
class Question:
    """A mail to a reviewer: the first one about a request, or a reminder. `notice` is the name under which it is noted."""

    reviewer: str
    reminders: int
    notice: str


def questions_due(record: Record, usual: Sequence[str], now: str) -> list[Question]:
    """Return the mails to reviewers that are due: to those whom the chain named, else the `usual` ones."""
    notified = record.progress.notified
    if REVIEW in notified:  # a former release asked all of them
        return []
    questions = []
    for address in record.reviewers or usual:
        name = notice_name(address)
        names = [name, *(f"{name}:{number}" for number in range(1, MOST_REMINDERS + 1))]
        sent = [each for each in names if each in notified]
        if not sent:
            questions.append(Question(address, 0, name))
        elif is_to_be_reminded(record.review, notified[sent[-1]], len(sent) - 1, now):
            questions.append(Question(address, len(sent), names[len(sent)]))
    return questions


def question_to_channel(record: Record, name: str) -> Question | None:
    """Return the question in the channel of this name; None if it was asked there."""
    notice = notice_name(f"webhook {name}")
    return None if notice in record.progress.notified else Question(f"webhook {name}", 0, notice)


def notice_name(address: str) -> str:
    """Return the name under which a request notes that this reviewer was asked."""
    return f"{REVIEW}:{hashlib.sha256(address.lower().encode()).hexdigest()[:12]}"


def review_mail(record: Record, question: Question, store: Mapping[str, str], renewed: Record | None = None) -> dict[str, Any]:
    """Return the mail that asks a reviewer, with the terms to decide on. `store` holds the role's variables that name the store.

    `renewed` is the request for the key that a renewal is for.
    """
    where = f" -e {shlex.quote(json.dumps(store))}" if store else ""
    return {
        "kind": "review",
        "to": question.reviewer,
        "id": _mail_id(record) + (f"-reminder-{question.reminders}" if question.reminders else ""),
        "request_id": record.id,
        "email": record.email,
        "models": _models_of(record, renewed),
        "package": record.package or None,
        "purpose": record.purpose or None,
        "reason": record.reason or None,
        "note": "\n".join([*_terms_to_decide(record), *([f"guid: {record.guid}"] if record.guid else []), *_about_renewal(record, renewed)]),
        "commands": [_command("approve", record, where), _command("deny", record, where) + " -e \"reason='...'\""],
    }


def _about_renewal(record: Record, renewed: Record | None) -> list[str]:
    if not record.renews:
        return []
    start = "the present end of the key" if record.from_end else "the approval"
    life = [f"the key was made {renewed.progress.minted_at} and ends {renewed.progress.expires}"] if renewed and renewed.progress.expires else []
    return [f"renews: {record.renews}, counted from {start}", *life]


def _command(playbook: str, record: Record, where: str) -> str:
    return f"ansible-playbook {_COLLECTION}.{playbook} -e request_id={record.id}{where}"


def _terms_to_decide(record: Record) -> list[str]:
    """Return the terms besides those that the mail shows anyway, and how many people must approve."""
    needed = approvals_needed(record.review)
    more = [f"approvals: {len(record.progress.approvals)} of {needed}"] if needed > 1 else []
    return more + in_words({name: value for name, value in record.terms.items() if name not in ("models", "package")})


def _mail_id(record: Record) -> str:
    """Return an id that is the same whenever a mail about this state of the request is sent again."""
    entered = [entry.at for entry in record.history if entry.was != entry.now]
    return f"{record.id}-{re.sub(r'[^0-9]', '', entered[-1] if entered else record.created_at)}"
