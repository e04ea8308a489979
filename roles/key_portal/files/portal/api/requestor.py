# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The calls of the LLM Key Requestor (release of October 2025): same paths, fields, messages, statuses and filters.

Three things differ, because an answer must not help a stranger, and because nobody here ever sees the value of a key:
- POST /api/request-key answers as for a new request, whatever became of an earlier one, unless PORTAL_TELL_STATE is set.
- `api_key` is always null. The key is delivered to its owner.
- A decision that is not possible any more (a key that exists cannot be denied) is refused with 409 and the reason.
Where the store takes longer than PORTAL_ANSWER_SECONDS, the answer is 503.
"""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import Annotated

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.base import Listing, Transition
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import STATE_OF_FILTER, Wish
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import Missing, NotRecordable, RequestRefused, StoreError
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import APPROVED, DENIED, IN_REVIEW, PENDING, Record
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field, TypeAdapter

from ..errors import NOT_FOUND, Refused, answers, checked_input, refusal_of, shown
from ..identity import Reviewer, Staff
from ..rates import mailbox_of, peer_of
from ..store import PortalDesk
from . import Portal, json_of, rendered_answer

router = APIRouter(tags=["LLM Key Requestor"])
log = logging.getLogger("portal")

FIRST_PAGE = "/ask"
ORIGIN = "portal"
"""What submitted a request, as its record says."""
TROUBLE = "An error occurred while processing your request. Please try again later."
_CREATED = "Key request for {} has been created successfully. You will be notified via email once your request is processed."
_OF_STATE = {
    PENDING: "Your key request for {} is pending approval. You will be notified via email once approved.",
    APPROVED: "Your key request for {} has been approved. Check your email for the API key.",
    DENIED: "Your key request for {} was denied. Please contact support for more information.",
    IN_REVIEW: "Your key request for {} is being processed.",
}


class Status(BaseModel):
    message: str
    status: str


class Model(BaseModel):
    id: str
    title: str
    icon: str
    color: str
    description: str


class Models(BaseModel):
    models: list[Model]


class Featured(BaseModel):
    id: str
    title: str
    subtitle: str
    description: str
    documentation_link: str
    icon: str
    color: str


class FeaturedModels(BaseModel):
    models: list[Featured]


class KeyRequest(BaseModel):
    llm: str = Field(description="The id of a model.")
    email: str = Field(description="The address that the key is for, and goes to.")


class KeyRequestAnswer(BaseModel):
    message: str
    success: bool
    request_id: str | None


class Verified(BaseModel):
    authenticated: bool
    username: str


class AdminRequest(BaseModel):
    request_id: str
    email: str
    model: str = Field(description="The models, separated by commas, or the package.")
    state: str
    created_at: str
    updated_at: str
    api_key: str | None = Field(None, description="Always null: nobody here sees the value of a key.")


_ADMIN_REQUESTS = TypeAdapter(list[AdminRequest])


class Denial(BaseModel):
    reason: str


class Decided(BaseModel):
    success: bool
    message: str


# --------------------------------------------------------------------------------------------------- for everybody
@router.get("/", response_model=Status)
def root(request: Request) -> Status | RedirectResponse:
    """Say that the service is up. Browsers get the first page."""
    if hasattr(request.app.state, "assets") and "text/html" in request.headers.get("accept", ""):
        return RedirectResponse(FIRST_PAGE, 303, {"Vary": "Accept"})
    return Status(message="LLM Key Requestor API", status="active")


@router.get("/api/models")
def models(portal: Portal) -> Models:
    """Return the models that can be asked for."""
    return Models(models=[Model(**asdict(card)) for card in portal.catalogue().models])


@router.get("/api/featured-models")
def featured_models(portal: Portal) -> FeaturedModels:
    """Return the models that are shown above the others."""
    return FeaturedModels(models=[Featured(**asdict(model)) for model in portal.catalogue().featured])


@router.post("/api/request-key", responses=answers(400, 408, 413, 422, 429, 503))
def request_key(wanted: KeyRequest, portal: Portal, request: Request) -> KeyRequestAnswer:
    """Ask for a key. What cannot be asked for is answered with success false, as the requestor does."""
    rates = request.app.state.rates
    if not rates.allows("asked_from", peer_of(request)):
        raise Refused(429, "Too many requests came from here; try again later.")
    wish = Wish(email=wanted.email, models=(wanted.llm,), origin=ORIGIN)
    try:
        record = wish.record(at=portal.clock())
        # Each request leads to a mail. The count is of calls, not of what is recorded, so it tells nothing of that.
        if not rates.allows_another("asked_for", mailbox_of(record.email), record.id):
            log.warning("A request for a key was not made: too many were for its address.")
            return KeyRequestAnswer(message=TROUBLE, success=False, request_id=None)
        transition = portal.desk.ask(wish)
        portal.changed()
    except (StoreError, ValueError) as error:
        log.warning("A request for a key was not made: %s", shown(str(error)))
        return KeyRequestAnswer(message=TROUBLE, success=False, request_id=None)
    if portal.settings.tell_state and not _is_new(transition) and transition.after is not None:
        return KeyRequestAnswer(message=_OF_STATE[transition.after.state].format(wanted.llm), success=True, request_id=transition.after.id)
    return KeyRequestAnswer(message=_CREATED.format(wanted.llm), success=True, request_id=record.id)


def _is_new(transition: Transition) -> bool:
    """Return whether the request was made, or has started again."""
    return transition.before is None or transition.changed


# ----------------------------------------------------------------------------------------------- for administrators
@router.post("/api/admin/verify", responses=answers(401, 403))
def verify(caller: Staff) -> Verified:
    """Check the credentials of an administrator."""
    return Verified(authenticated=True, username=caller.who)


@router.get("/api/admin/requests", response_model=list[AdminRequest], responses=answers(401, 403, 422, 500, 503))
def list_requests(_caller: Staff, portal: Portal, which: Annotated[str, Query(alias="filter")] = "pending") -> Response:
    """Return requests: `pending`, those in `review`, or all of them for any other filter. Records that cannot be read are left out."""
    state = STATE_OF_FILTER[which] if which in ("pending", "review") else None

    def render(listing: Listing) -> bytes:
        return json_of(_ADMIN_REQUESTS, [_shape(record) for record in listing.records if state in (None, record.state)])

    try:
        return rendered_answer(portal.rendered(("requestor", state), render))
    except StoreError as error:
        raise _failed("Failed to fetch requests", error) from None


RequestId = Annotated[str, Path(description="The id of a request.")]


@router.get("/api/admin/requests/{request_id}", responses=answers(401, 403, 404, 422, 500, 503))
def get_request(_caller: Staff, portal: Portal, request_id: RequestId) -> AdminRequest:
    """Return one request."""
    return _shape(_found(portal, request_id, "Failed to fetch request details"))


@router.post("/api/admin/requests/{request_id}/approve", responses=answers(401, 403, 404, 409, 422, 500, 503))
def approve(caller: Reviewer, portal: Portal, request_id: RequestId) -> Decided:
    """Approve a request. The next pass makes its key and delivers it."""
    _found(portal, request_id, "Failed to approve request")
    try:
        with checked_input("request_id"):
            portal.desk.approve(request_id, by=caller.who, reason=f"Manually approved by admin {caller.who}")
    except StoreError as error:
        raise _failed("Failed to approve request", error) from None
    finally:
        portal.changed()
    return Decided(success=True, message=f"Request {request_id} approved successfully")


@router.post("/api/admin/requests/{request_id}/deny", responses=answers(400, 401, 403, 404, 408, 409, 413, 422, 500, 503))
def deny(caller: Reviewer, portal: Portal, request_id: RequestId, denial: Denial) -> Decided:
    """Deny a request with a reason, which its requester reads."""
    _found(portal, request_id, "Failed to deny request")
    try:
        with checked_input("reason"):
            portal.desk.deny(request_id, by=caller.who, reason=f"Manually denied by admin {caller.who}: {denial.reason}")
    except StoreError as error:
        raise _failed("Failed to deny request", error) from None
    finally:
        portal.changed()
    return Decided(success=True, message=f"Request {request_id} denied successfully")


def _found(portal: PortalDesk, request_id: str, failure: str) -> Record:
    try:
        return portal.store.get(request_id)
    except ValueError:  # no request can have such an id
        raise Refused(404, NOT_FOUND) from None
    except StoreError as error:
        raise _failed(failure, error) from None


def _failed(words: str, error: StoreError) -> Refused:
    """Return the answer for an error of the store: that of the requestor, except for a decision that is not possible."""
    if isinstance(error, (Missing, RequestRefused, NotRecordable)):
        return refusal_of(error)
    log.error("%s: %s", words, shown(str(error)))
    return Refused(500, words)


def _shape(record: Record) -> AdminRequest:
    return AdminRequest(
        request_id=record.id,
        email=record.email,
        model=",".join(record.models) or record.package,
        state=record.state,
        created_at=record.created_at,
        updated_at=record.updated_at,
    )
