# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Our own calls for people: the catalogue, and what somebody does with requests of their own. An id is never a right to see."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common.email_address import ascii_lower
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.base import Transition
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import MoreTime, Wish
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import Broken, Missing
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import Record
from fastapi import APIRouter, Path, Query, Request

from ..errors import NOT_FOUND, Refused, answers, checked_input
from ..identity import NOT_AUTHENTICATED, Caller, Person, find_caller
from ..rates import may_ask
from ..store import PortalDesk
from . import Portal, key_use, shapes
from .listing import page_of
from .requestor import ORIGIN

router = APIRouter(prefix="/api/v1", tags=["people"])

RequestId = Annotated[str, Path(description="The id of a request.")]

_READ = answers(401, 403, 404, 422, 503)
_WRITE = answers(400, 401, 403, 404, 408, 409, 413, 422, 503)


@router.get("/catalogue")
def catalogue(portal: Portal) -> shapes.CatalogueShape:
    """Return what can be asked for."""
    found = portal.catalogue()
    return shapes.CatalogueShape(
        models=[shapes.ModelShape(**asdict(card)) for card in found.models],
        featured=[shapes.FeaturedShape(**asdict(model)) for model in found.featured],
        packages=[shapes.PackageShape(**{**asdict(card), "terms": shapes.term_shapes(card.terms)}) for card in found.packages],
        limits=shapes.term_shapes(found.limits),
        wildcards=list(found.wildcards),
        groups=list(found.groups),
        at=found.at or None,
    )


@router.get("/me", responses=answers(401))
def me(request: Request) -> shapes.CallerShape:
    """Return who calls."""
    caller = find_caller(request)
    if caller is None:
        raise Refused(401, NOT_AUTHENTICATED)
    return shapes.CallerShape(who=caller.who, email=caller.email or None, roles=sorted(caller.roles), method=caller.method)


@router.get("/requests", responses=_READ)
def my_requests(caller: Person, portal: Portal, wanted: Annotated[shapes.Paging, Query()]) -> key_use.MyRequests:
    """Return the caller's requests, the newest first, with what their keys have spent."""
    mine = [record for record in portal.listing().records if _is_of(record, caller)]
    found = page_of(mine, state=wanted.state, page=wanted.page, size=wanted.page_size)
    requests = key_use.my_requests_with_use(portal, found.records)
    return key_use.MyRequests(requests=requests, total=found.total, page=wanted.page, page_size=wanted.page_size)


@router.post("/requests", responses={**_WRITE, **answers(429)})
def ask(caller: Person, portal: Portal, wanted: shapes.Ask, request: Request) -> shapes.Asked:
    """Ask for a key. Whoever asked for the same before gets that request back as it is."""
    wish = Wish(
        email=caller.email,
        models=tuple(wanted.models),
        package=wanted.package,
        purpose=wanted.purpose,
        duration=wanted.duration,
        max_budget=wanted.max_budget,
        language=wanted.language,
        origin=ORIGIN,
        verified_at=portal.clock(),
    )
    with checked_input():
        if not may_ask(request, caller.email, wish.record(at=portal.clock()).id):
            raise Refused(429, "You have asked for too many keys; try again later.")
        return _asked(portal, portal.desk.ask(wish, by=caller.who))


@router.get("/requests/{request_id}", responses=_READ)
def my_request(caller: Person, portal: Portal, request_id: RequestId) -> key_use.MyRequestWithUse:
    """Return one of the caller's requests, with what its key has spent."""
    (found,) = key_use.my_requests_with_use(portal, [_mine(portal, caller, request_id)])
    return found


@router.post("/requests/{request_id}/cancel", responses=_WRITE)
def cancel(caller: Person, portal: Portal, request_id: RequestId, withdraw: shapes.Withdraw) -> shapes.Asked:
    """Withdraw a request."""
    found = _mine(portal, caller, request_id)
    with checked_input("reason"):
        return _asked(portal, portal.desk.cancel(found.id, by=caller.who, reason=withdraw.reason))


@router.post("/requests/{request_id}/renew", responses=_WRITE)
def renew(caller: Person, portal: Portal, request_id: RequestId, more: shapes.More) -> shapes.Asked:
    """Ask for more time, counted from the approval. For a key that has ended, the request starts again."""
    return _more_time(caller, portal, request_id, more, from_end=False)


@router.post("/requests/{request_id}/extend", responses=_WRITE)
def extend(caller: Person, portal: Portal, request_id: RequestId, more: shapes.More) -> shapes.Asked:
    """Ask for more time, counted from the key's present end."""
    return _more_time(caller, portal, request_id, more, from_end=True)


def _more_time(caller: Caller, portal: PortalDesk, request_id: str, more: shapes.More, *, from_end: bool) -> shapes.Asked:
    found = _mine(portal, caller, request_id)
    wished: dict[str, Any] = {"duration": more.duration, "max_budget": more.max_budget, "purpose": more.purpose}
    wanted = MoreTime(**wished, from_end=from_end, origin=ORIGIN, verified_at=portal.clock())
    with checked_input():
        return _asked(portal, portal.desk.renew(found.id, wanted, by=caller.who, again=True))


def _asked(portal: PortalDesk, transition: Transition) -> shapes.Asked:
    portal.changed()
    if transition.after is None:
        raise Refused(404, NOT_FOUND)
    return shapes.Asked(request=shapes.my_request(transition.after), changed=transition.changed)


def _is_of(record: Record, caller: Caller) -> bool:
    return ascii_lower(record.email) == ascii_lower(caller.email)


def _mine(portal: PortalDesk, caller: Caller, request_id: str) -> Record:
    """Return the caller's request. One of somebody else is answered as one that does not exist, and as one that cannot be read."""
    try:
        found = portal.store.get(request_id)
    except (ValueError, Missing, Broken):
        raise Refused(404, NOT_FOUND) from None
    if not _is_of(found, caller):
        raise Refused(404, NOT_FOUND)
    return found
