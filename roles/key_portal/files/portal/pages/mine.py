# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The requests of whoever is signed in: all of them, one with its story, and what can be done with it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common.email_address import ascii_lower
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.box_keeper import box_of_request
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import MoreTime
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import Broken, Missing, RequestRefused
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import Record
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.sealed_box import SealedBox
from fastapi import APIRouter, Form, Query
from fastapi.responses import Response

from ..api.listing import page_of
from ..api.requestor import ORIGIN
from .ask import LIFETIMES
from .insight_view import FiguresView, figures_view, has_figures
from .page import Page, PageError, PersonPage
from .view import RequestView, timeline_of, view_of

router = APIRouter(prefix="/mine")

PAGE_SIZE = 20
SAID = ("asked", "known", "cancelled", "renewed", "resealed")
"""What a page may begin with: texts of the section `said`."""


@router.get("")
def my_requests(page: PersonPage, number: Annotated[int, Query(ge=1, le=100_000, alias="page")] = 1) -> Response:
    """Show the person's requests, the newest first."""
    mine = [record for record in page.portal.listing().records if _is_of(record, page)]
    found = page_of(mine, page=number, size=PAGE_SIZE)
    views = [view_of(record, page) for record in found.records]
    values = {"views": views, "uses": figures_of(page, views), "total": found.total, "number": number, "pages": _pages(found.total)}
    return page.show("part/mine.html" if page.is_part else "mine.html", **values)


@router.get("/{request_id}")
def my_request(page: PersonPage, request_id: str, said: Annotated[str, Query(max_length=20)] = "", seen: Annotated[str, Query(max_length=20)] = "") -> Response:
    """Show one request. htmx gets nothing if it is as it has `seen` it, so that nobody loses what they have selected."""
    return _show(page, _mine(page, request_id), said=said, seen=seen)


@router.post("/{request_id}/cancel")
def cancel(page: PersonPage, request_id: str, csrf: Annotated[str, Form()] = "") -> Response:
    """Withdraw a request."""

    def withdraw(name: str, *, by: str) -> None:
        after = page.portal.desk.cancel(name, by=by).after
        if after is None or not after.cancelled:  # it was denied meanwhile, and stays so
            raise RequestRefused(f"Request {name} is denied.")

    return _change(page, request_id, csrf, withdraw, said="cancelled", problem="mine.not_cancelled")


@router.post("/{request_id}/renew")
def renew(
    page: PersonPage, request_id: str, csrf: Annotated[str, Form()] = "", duration: Annotated[str, Form()] = "", purpose: Annotated[str, Form()] = ""
) -> Response:
    """Ask for more time, from the answer on; a key that has ended is asked for anew."""
    return _more_time(page, request_id, csrf, duration, purpose, from_end=False)


@router.post("/{request_id}/extend")
def extend(
    page: PersonPage, request_id: str, csrf: Annotated[str, Form()] = "", duration: Annotated[str, Form()] = "", purpose: Annotated[str, Form()] = ""
) -> Response:
    """Ask for more time, from the key's present end on."""
    return _more_time(page, request_id, csrf, duration, purpose, from_end=True)


@router.post("/{request_id}/reseal")
def reseal(page: PersonPage, request_id: str, csrf: Annotated[str, Form()] = "") -> Response:
    """Ask for a new link to a sealed key. The next pass mails it."""
    return _change(page, request_id, csrf, page.portal.desk.reseal, said="resealed", problem="open.not_resealed")


def _change(page: Page, request_id: str, csrf: str, change: Callable[..., object], *, said: str, problem: str) -> Response:
    """Change the person's request by a function of the desk, and say that it is done, or that it cannot be."""
    page.check_form(csrf)
    found = _mine(page, request_id)
    try:
        change(found.id, by=_who(page))
    except RequestRefused:
        return _show(page, _mine(page, request_id), problem=problem, status=409)
    finally:
        page.portal.changed()
    return page.go(f"/mine/{found.id}", said=said)


def _more_time(page: Page, request_id: str, csrf: str, duration: str, purpose: str, *, from_end: bool) -> Response:
    page.check_form(csrf)
    found = _mine(page, request_id)
    if duration and duration not in LIFETIMES:
        return _show(page, found, problem="ask.wrong_duration", status=422)
    more = MoreTime(duration=duration, from_end=from_end, purpose=purpose.replace("\r\n", "\n").strip(), origin=ORIGIN, verified_at=page.portal.clock())
    try:
        done = page.portal.desk.renew(found.id, more, by=_who(page), again=True)
    except RequestRefused:
        return _show(page, _mine(page, request_id), problem="mine.not_renewed", status=409)
    except ValueError:
        return _show(page, found, problem="ask.wrong_purpose", status=422)
    finally:
        page.portal.changed()
    return page.go(f"/mine/{(done.after or found).id}", said="renewed" if done.changed else "known")


def _show(page: Page, record: Record, *, said: str = "", problem: str = "", status: int = 200, seen: str = "") -> Response:
    view = view_of(record, page)
    use = figures_of(page, [view]).get(record.id)
    digest = hashlib.sha256(f"{record.version} {view} {use} {page.language.code}".encode()).hexdigest()[:16]
    if page.is_part and seen == digest:
        return Response(status_code=204)
    values: dict[str, Any] = {
        "view": view,
        "use": use,
        "digest": digest,
        "box": _box_of(page, record),
        "steps": timeline_of(record, page.language),
        "lifetimes": [(lifetime, page.language.duration(lifetime)) for lifetime in LIFETIMES],
    }
    return page.show("part/request.html" if page.is_part else "request.html", status, said=said if said in SAID else "", problem=problem, **values)


def figures_of(page: Page, views: Sequence[RequestView]) -> dict[str, FiguresView]:
    """Return the use of the keys that work, by the ids of their requests. Raises StoreError."""
    wanted = [view.record.id for view in views if has_figures(view.record, view.status)]
    return {each: figures_view(seen, page.language) for each, seen in page.portal.insights.of(wanted).items()} if wanted else {}


def _box_of(page: Page, record: Record) -> tuple[SealedBox, str] | None:
    """Return the sealed key of a request, without its contents, and its state; None if there is none."""
    try:
        return box_of_request(page.portal.store, record.id, page.portal.clock()) if record.progress.minted_at else None
    except Broken:
        return None


def _pages(total: int) -> int:
    return max(1, -(-total // PAGE_SIZE))


def _who(page: Page) -> str:
    assert page.person is not None
    return page.person.who


def _is_of(record: Record, page: Page) -> bool:
    assert page.person is not None
    return ascii_lower(record.email) == ascii_lower(page.person.email)


def _mine(page: Page, request_id: str) -> Record:
    """Return the person's request. One of somebody else is answered as one that does not exist. Raises PageError."""
    try:
        found = page.portal.store.get(request_id)
    except (ValueError, Missing, Broken):
        raise PageError(404, "error.missing") from None
    if not _is_of(found, page):
        raise PageError(404, "error.missing")
    return found
