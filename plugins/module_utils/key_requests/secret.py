# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""A record as a Kubernetes Secret with the layout of the LLM Key Requestor. No network.

The state stands in three places: the label `request-state` to select by, the annotation `state` to read, and the datum
`state`, which the last program wrote. `kubectl label` and `kubectl annotate` change the first two. If these agree with
each other but not with the datum, somebody decided by hand. If they disagree, the intent is unknown, and the record is
set aside.

Fields that the requestor does not have are JSON in the datum `details`. Its datum `api_key` is never written, because
the value of a key is derived when it is needed. A value that another program put there is noticed but not used.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, NoReturn

from ..common import durations, email_address
from ..common.printable import printable, quoted
from .document import parse_document, render_document
from .record import APPROVED, DENIED, STATES, Record
from .text import clip
from .transitions import BY_HAND, mark_finished, mark_minted, set_by_hand

PREFIX = "llm-key-request-"
COMPONENT = "app.kubernetes.io/component"
NAME = "app.kubernetes.io/name"
MANAGED_BY = "app.kubernetes.io/managed-by"
STATE_LABEL = "request-state"
FINISHED_LABEL = "request-finished"
"""Names the state whose answer was delivered, which lets a pass skip finished requests. A state that was set by hand
afterwards differs from it and is found."""
COMPONENT_VALUE = "llm-key-request"
NAME_VALUE = "llm-key-requestor"
MANAGED_BY_VALUE = "rhpds.litellm_virtual_keys"

ALL = f"{COMPONENT}={COMPONENT_VALUE}"
FOREIGN = f"{ALL},{MANAGED_BY}!={MANAGED_BY_VALUE}"
# Together these select every request that is not finished, once, including those with an unknown state.
OPEN = (
    f"{ALL},{STATE_LABEL} notin ({APPROVED},{DENIED})",
    f"{ALL},{STATE_LABEL}={APPROVED},{FINISHED_LABEL}!={APPROVED}",
    f"{ALL},{STATE_LABEL}={DENIED},{FINISHED_LABEL}!={DENIED}",
)

_DATA = frozenset(("request_id", "email", "model", "state", "package", "details", "api_key"))
_OUTSIDE_DETAILS = frozenset(("id", "email", "models", "package", "state", "created_at", "updated_at"))


def in_states(states: tuple[str, ...]) -> str:
    """Return the label selector for requests in one of `states`."""
    return f"{ALL},{STATE_LABEL} in ({','.join(states)})"


def name_of(request_id: str) -> str:
    """Return the name of the Secret."""
    return PREFIX + request_id


def new_secret(record: Record, namespace: str) -> dict[str, Any]:
    """Return the Secret of a new request."""
    body = secret_patch(record)
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


def secret_patch(record: Record) -> dict[str, Any]:
    """Return the merge patch that makes the Secret hold `record` if its version is unchanged. None removes an entry."""
    details = {name: value for name, value in render_document(record).items() if name not in _OUTSIDE_DETAILS}
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


def parse_secret(secret: Mapping[str, Any]) -> Record:
    """Return the record in a Secret that the API returned. Raises ValueError that says what is wrong with it."""
    metadata = secret.get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    data = {name: _decode(name, value) for name, value in (secret.get("data") or {}).items() if name in _DATA}
    request_id = str(metadata.get("name", "")).removeprefix(PREFIX)
    if data.get("request_id", request_id) != request_id:
        raise ValueError("the datum request_id is not the one in the name of the Secret.")
    email = str(email_address.parse_address(data.get("email", "")))
    if "email" in annotations and str(email_address.parse_address(annotations["email"], "the annotation email")) != email:
        raise ValueError("the annotation email and the datum email name different people.")
    details = _details(data.get("details", "{}"))
    created_at = _time(annotations, "created_at", metadata.get("creationTimestamp") or "")
    written = data.get("state", "")
    if details.get("history") and _last_state(details) != written:
        raise ValueError(f"the datum state is {quoted(written, 40)}, and the history ends otherwise.")
    record = parse_document(
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
        record = _served_by_requestor(record)
    return _decided_by_hand(record, metadata)


def _decided_by_hand(record: Record, metadata: Mapping[str, Any]) -> Record:
    label = (metadata.get("labels") or {}).get(STATE_LABEL)
    note = (metadata.get("annotations") or {}).get("state")
    if label != note:
        raise ValueError(
            f"the label {STATE_LABEL} is {_shown(label)} and the annotation state is {_shown(note)}; "
            "set both to the same state with kubectl label and kubectl annotate."
        )
    if label not in STATES:
        raise ValueError(f"the state is {_shown(label)}; it must be one of {', '.join(STATES)}.")
    if label == record.state:
        return record
    who, when = _last_editor(metadata)
    return set_by_hand(record, str(label), by=who, at=when or record.updated_at)


def _last_editor(metadata: Mapping[str, Any]) -> tuple[str, str]:
    """Return the program that last changed the Secret and the time, as far as the API noted them."""
    latest = ("", "")
    for entry in metadata.get("managedFields") or []:
        at, manager = str(entry.get("time", "")), str(entry.get("manager", ""))
        if at > latest[0] and manager != MANAGED_BY_VALUE:
            latest = (at, manager)
    try:
        return f"{BY_HAND} ({clip(latest[1], 100) or 'unknown'})", durations.iso(durations.parse_time(latest[0])) if latest[0] else ""
    except ValueError:
        return BY_HAND, ""


def _served_by_requestor(record: Record) -> Record:
    """Return `record` as finished: the requestor delivered its key, and a second key must not be made."""
    at = record.updated_at
    alias = clip(f"user-{record.email}-{','.join(record.models)}", 255)
    return mark_finished(mark_minted(record, at=at, key_alias=alias), at=at)


def _details(text: str) -> dict[str, Any]:
    try:
        details = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise ValueError("the datum details is not JSON.") from None
    if not isinstance(details, dict) or _OUTSIDE_DETAILS & set(details):
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
    """Return a time of the requestor, which writes fractions of seconds and sometimes no zone (then it is UTC)."""
    return durations.iso(durations.parse_time(str(annotations.get(name) or otherwise)[:40], f"the annotation {name}"))


def _shown(value: object) -> str:
    return "missing" if value is None else repr(printable(str(value), 40))


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(text)
