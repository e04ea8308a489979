# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""A record as a Kubernetes Secret, laid out as the LLM Key Requestor does it. Pure.

The state stands in three places. The label `request-state` is there to select by, the annotation `state` to read, and
the datum `state` says what a program wrote last. `kubectl label` and `kubectl annotate` change the first two: when they
agree with each other and not with the datum, somebody decided by hand. When they do not agree, nobody can know what
was meant, and the record is set aside.

Everything that the requestor has no place for is JSON in the datum `details`. Its datum `api_key` is never written, as
the value of a key is derived when it is needed; what another program put there is not read either, only noticed.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, NoReturn

from ..common import durations, email_address
from ..common.printable import printable
from . import document
from . import record as records
from .record import APPROVED, DENIED, Record
from .text import clip

PREFIX = "llm-key-request-"
COMPONENT = "app.kubernetes.io/component"
NAME = "app.kubernetes.io/name"
MANAGED_BY = "app.kubernetes.io/managed-by"
STATE_LABEL = "request-state"
FINISHED_LABEL = "request-finished"
"""Names the state whose answer was delivered, so that a pass need not read what is over. A state that was set by hand
afterwards differs from it, and is seen."""
COMPONENT_VALUE = "llm-key-request"
NAME_VALUE = "llm-key-requestor"
MANAGED_BY_VALUE = "rhpds.litellm_virtual_keys"

ALL = f"{COMPONENT}={COMPONENT_VALUE}"
FOREIGN = f"{ALL},{MANAGED_BY}!={MANAGED_BY_VALUE}"
# Together: everything that is not finished, nonsense included, and nothing twice.
OPEN = (
    f"{ALL},{STATE_LABEL} notin ({APPROVED},{DENIED})",
    f"{ALL},{STATE_LABEL}={APPROVED},{FINISHED_LABEL}!={APPROVED}",
    f"{ALL},{STATE_LABEL}={DENIED},{FINISHED_LABEL}!={DENIED}",
)

_DATA = frozenset(("request_id", "email", "model", "state", "package", "details", "api_key"))
_ELSEWHERE = frozenset(("id", "email", "models", "package", "state", "created_at", "updated_at"))


def in_states(states: tuple[str, ...]) -> str:
    """The selector for requests in one of `states`."""
    return f"{ALL},{STATE_LABEL} in ({','.join(states)})"


def name_of(request_id: str) -> str:
    """The name of the Secret."""
    return PREFIX + request_id


def create(record: Record, namespace: str) -> dict[str, Any]:
    """The body that makes the Secret of a new request."""
    body = change(record)
    metadata = body["metadata"]
    del metadata["resourceVersion"]
    metadata.update(name=name_of(record.id), namespace=namespace)
    metadata["labels"] = {MANAGED_BY: MANAGED_BY_VALUE, **{name: value for name, value in metadata["labels"].items() if value is not None}}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        **body,
        "data": {name: value for name, value in body["data"].items() if value is not None},
    }


def change(record: Record) -> dict[str, Any]:
    """The merge patch that brings the Secret to `record`, if it is still at the version that was read. None removes."""
    details = {name: value for name, value in document.dump(record).items() if name not in _ELSEWHERE}
    data = {
        "request_id": record.id,
        "email": record.email,
        "model": ",".join(record.models),
        "state": record.state,
        "package": record.package or None,
        "details": json.dumps(details, ensure_ascii=False),
    }
    return {
        "metadata": {
            "resourceVersion": record.version,
            "labels": {
                NAME: NAME_VALUE,
                COMPONENT: COMPONENT_VALUE,
                STATE_LABEL: record.state,
                FINISHED_LABEL: None if record.open else record.state,
            },
            "annotations": {
                COMPONENT: COMPONENT_VALUE,
                "email": record.email,
                "state": record.state,
                "created_at": record.created_at,
                "updated_at": record.updated_at,
            },
        },
        "data": {name: None if value is None else base64.b64encode(value.encode()).decode() for name, value in data.items()},
    }


def load(secret: Mapping[str, Any]) -> Record:
    """The record in a Secret as the API returns it. Raises ValueError, which says what is wrong with it."""
    metadata = secret.get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    data = {name: _decode(name, value) for name, value in (secret.get("data") or {}).items() if name in _DATA}
    request_id = str(metadata.get("name", "")).removeprefix(PREFIX)
    if data.get("request_id", request_id) != request_id:
        raise ValueError("the datum request_id is not the one in the name of the Secret.")
    email = str(email_address.parse(data.get("email", "")))
    if "email" in annotations and str(email_address.parse(annotations["email"], "the annotation email")) != email:
        raise ValueError("the annotation email and the datum email name different people.")
    details = _details(data.get("details", "{}"))
    created_at = _time(annotations, "created_at", metadata.get("creationTimestamp") or "")
    written = data.get("state", "")
    if details.get("history") and _last_state(details) != written:
        raise ValueError(f"the datum state is {printable(written, 40)!r}, and the history ends otherwise.")
    record = document.load(
        {
            **details,
            "id": request_id,
            "email": email,
            "models": data["model"].split(",") if data.get("model") else [],
            "package": data.get("package", ""),
            "state": written,
            "created_at": created_at,
            "updated_at": _time(annotations, "updated_at", created_at),
        },
        str(metadata.get("resourceVersion", "")),
    )
    if "details" not in data and data.get("api_key") and record.state == APPROVED:
        record = _minted_elsewhere(record)
    return _decided_by_hand(record, metadata)


def _decided_by_hand(record: Record, metadata: Mapping[str, Any]) -> Record:
    label = (metadata.get("labels") or {}).get(STATE_LABEL)
    note = (metadata.get("annotations") or {}).get("state")
    if label != note:
        raise ValueError(
            f"the label {STATE_LABEL} is {_shown(label)} and the annotation state is {_shown(note)}; "
            "set both to the same state with kubectl label and kubectl annotate."
        )
    if label not in records.STATES:
        raise ValueError(f"the state is {_shown(label)}; it must be one of {', '.join(records.STATES)}.")
    if label == record.state:
        return record
    who, when = _last_editor(metadata)
    return records.set_by_hand(record, str(label), by=who, at=when or record.updated_at)


def _last_editor(metadata: Mapping[str, Any]) -> tuple[str, str]:
    """Which program changed the Secret last, and when, as far as the API noted it."""
    latest = ("", "")
    for entry in metadata.get("managedFields") or []:
        at, manager = str(entry.get("time", "")), str(entry.get("manager", ""))
        if at > latest[0] and manager != MANAGED_BY_VALUE:
            latest = (at, manager)
    try:
        return f"by hand ({clip(latest[1], 100) or 'unknown'})", durations.iso(durations.parse_time(latest[0])) if latest[0] else ""
    except ValueError:
        return "by hand", ""


def _minted_elsewhere(record: Record) -> Record:
    """The requestor approved it and delivered the key: nothing is left to do, and no second key is to be made."""
    at = record.updated_at
    alias = clip(f"user-{record.email}-{','.join(record.models)}", 255)
    return records.finished(records.minted(record, at=at, key_alias=alias), at=at)


def _details(text: str) -> dict[str, Any]:
    try:
        details = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise ValueError("the datum details is not JSON.") from None
    if not isinstance(details, dict) or _ELSEWHERE & set(details):
        raise ValueError("the datum details is not a mapping of what stands nowhere else.")
    return details


def _last_state(details: Mapping[str, Any]) -> object:
    history = details["history"]
    last = history[-1] if isinstance(history, list) else None
    return last.get("to") if isinstance(last, dict) else None


def _decode(name: str, value: object) -> str:
    try:
        return base64.b64decode(str(value or ""), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise ValueError(f"the datum {name} is not text.") from None


def _time(annotations: Mapping[str, Any], name: str, otherwise: str) -> str:
    """The requestor writes times with fractions and sometimes without a zone, which then is UTC."""
    return durations.iso(durations.parse_time(str(annotations.get(name) or otherwise)[:40], f"the annotation {name}"))


def _shown(value: object) -> str:
    return "missing" if value is None else repr(printable(str(value), 40))


def _no_constant(text: str) -> NoReturn:
    raise ValueError(text)
