# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Our own calls for administrators: the list with search, sort and pages, decisions with changed terms, retries, and the audit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import durations
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.audit import audit_events
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.base import Listing, Transition
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import Record
from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import TypeAdapter

from ..errors import NOT_FOUND, Refused, answers, checked_input, shown
from ..identity import Auditor, Operator, Reviewer, Staff
from ..store import PortalDesk
from ..trail import note_event
from . import JSON_LINES, Portal, audit_answer, json_of, key_use, rendered_answer, shapes
from .listing import page_of
from .v1 import RequestId

router = APIRouter(prefix="/api/v1/admin", tags=["administrators"])

EARLIEST, LATEST = "0000", "9999"
"""Before and after the times of all events."""

_READ = answers(401, 403, 404, 409, 422, 503)
_WRITE = answers(400, 401, 403, 404, 408, 409, 413, 422, 503)


_LISTED = TypeAdapter(shapes.ListedRequests)


@router.get("/requests", response_model=shapes.ListedRequests, responses=_READ)
def list_requests(_caller: Staff, portal: Portal, wanted: Annotated[shapes.Searching, Query()]) -> Response:
    """Return a page of requests: those in `state` in which every word of `search` occurs."""

    def render(listing: Listing) -> bytes:
        found = page_of(listing.records, state=wanted.state, search=wanted.search, sort=wanted.sort, page=wanted.page, size=wanted.page_size)
        page = shapes.ListedRequests(
            requests=[shapes.listed_request(record) for record in found.records],
            total=found.total,
            page=wanted.page,
            page_size=wanted.page_size,
            counts=found.counts,
            set_aside=_set_aside(listing),
        )
        return json_of(_LISTED, page)

    return rendered_answer(portal.rendered(("v1", *wanted.model_dump().values()), render))


@router.get("/requests/{request_id}", responses=_READ)
def get_request(_caller: Staff, portal: Portal, request_id: RequestId) -> key_use.FullRequestWithUse:
    """Return a request with everything that is recorded about it, and what its key has spent."""
    return key_use.full_request_with_use(portal, _found(portal, request_id))


@router.post("/requests/{request_id}/approve", responses=_WRITE)
def approve(caller: Reviewer, portal: Portal, request_id: RequestId, approval: shapes.Approval) -> shapes.FullRequest:
    """Approve a request, with other terms if some are granted. The next pass makes its key and delivers it."""
    granted = approval.granted.model_dump(exclude_none=True)
    with checked_input("granted"):
        found = _found(portal, request_id)
        transition = portal.desk.approve(found.id, by=caller.who, reason=approval.reason, granted=granted, beyond=approval.beyond, version=approval.version)
        return _decided(portal, transition)


@router.post("/requests/{request_id}/deny", responses=_WRITE)
def deny(caller: Reviewer, portal: Portal, request_id: RequestId, refusal: shapes.Refusal) -> shapes.FullRequest:
    """Deny a request with a reason, which its requester reads."""
    with checked_input("reason"):
        found = _found(portal, request_id)
        return _decided(portal, portal.desk.deny(found.id, by=caller.who, reason=refusal.reason, version=refusal.version))


@router.post("/requests/{request_id}/retry", responses=_READ)
def retry(caller: Operator, portal: Portal, request_id: RequestId) -> shapes.FullRequest:
    """Let the next pass try again what failed."""
    return _decided(portal, portal.desk.retry(_found(portal, request_id).id, by=caller.who))


@router.get("/audit", responses=_READ)
def audit(caller: Auditor, portal: Portal, period: Annotated[shapes.Period, Query()]) -> shapes.AuditShape:
    """Return everything that happened to requests in a period, oldest first."""
    note_event(portal.clock(), "audit_exported", caller.who)
    listing = portal.listing()
    return shapes.AuditShape(events=list(_events(listing, period)), set_aside=_set_aside(listing))


@router.get("/audit.jsonl", response_class=StreamingResponse, responses={**_READ, 200: {"content": {JSON_LINES: {"schema": {"type": "string"}}}}})
def audit_lines(caller: Auditor, portal: Portal, period: Annotated[shapes.Period, Query()]) -> StreamingResponse:
    """Return the same as JSON Lines, to be kept in a file."""
    note_event(portal.clock(), "audit_exported", caller.who)
    return audit_answer(_events(portal.listing(), period))


def _events(listing: Listing, period: shapes.Period) -> Iterator[dict[str, Any]]:
    first = _in_records(period.since) if period.since else EARLIEST
    last = _in_records(period.until) if period.until else LATEST
    return (event for event in audit_events(listing.records) if first <= event["time"] < last)


def _in_records(time: datetime) -> str:
    """Return a time in the form of records, which sort as text."""
    if not durations.EARLIEST_YEAR < time.year < durations.LATEST_YEAR:
        return EARLIEST if time.year <= durations.EARLIEST_YEAR else LATEST
    return durations.iso(time if time.tzinfo else time.replace(tzinfo=UTC))


def _set_aside(listing: Listing) -> list[shapes.SetAsideShape]:
    return [shapes.SetAsideShape(name=shown(entry.name), reason=shown(entry.reason)) for entry in listing.set_aside]


def _found(portal: PortalDesk, request_id: str) -> Record:
    try:
        return portal.store.get(request_id)
    except ValueError:  # no request can have such an id
        raise Refused(404, NOT_FOUND) from None


def _decided(portal: PortalDesk, transition: Transition) -> shapes.FullRequest:
    portal.changed()
    if transition.after is None:
        raise Refused(404, NOT_FOUND)
    return shapes.full_request(transition.after)
