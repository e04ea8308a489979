# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What administrators do: approve with the same or other terms, deny with a reason, several at once, and let a failure be tried again."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import (
    Broken,
    Busy,
    Missing,
    NotRecordable,
    RequestRefused,
    StoreRejected,
)
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import APPROVED, DENIED
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.terms import AMOUNTS
from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from ..identity.roles import DECIDES, RETRIES
from .admin import ALL, PAGE_SIZE, found_request, list_query, list_values, show_request
from .page import OperatorPage, Page, ReviewerPage
from .refusals import refusal_in_words

router = APIRouter(prefix="/admin")

NOTHING_GRANTED: Mapping[str, Any] = MappingProxyType({})
_REFUSALS = (RequestRefused, NotRecordable, Busy, Broken, Missing, StoreRejected)


@router.post("/several")
def decide_several(
    page: ReviewerPage,
    csrf: Annotated[str, Form()] = "",
    action: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
    back: Annotated[str, Form()] = "",
    chosen: Annotated[tuple[str, ...], Form(alias="ids")] = (),
) -> Response:
    """Approve or deny all requests that are ticked, each as it was when the list was shown: `ids` are `ID VERSION`."""
    page.check_form(csrf)
    query = _query_of(back)
    problem = "admin.none_chosen" if not chosen else "admin.wrong_reason" if action == "deny" and not reason.strip() else ""
    if problem or action not in ("approve", "deny"):
        values = list_values(page, query, chosen)
        return page.show("admin.html", 422, said="", several=None, problem=problem or "error.unreadable", **values)
    failed = sum(not _decide_one(page, entry, action, reason) for entry in chosen[:PAGE_SIZE])
    page.portal.changed()
    return page.go(query.address(said="several", done=len(chosen[:PAGE_SIZE]) - failed, failed=failed))


def _decide_one(page: Page, entry: str, action: str, reason: str) -> bool:
    """Decide on a request as it was seen, and return whether that was possible. Raises StoreError if the store itself fails."""
    request_id, _blank, version = entry.partition(" ")
    try:
        if not version:
            return False
        if action == "approve":
            page.portal.desk.approve(request_id, by=_who(page), reason=_clean(reason), version=version)
        else:
            page.portal.desk.deny(request_id, by=_who(page), reason=_clean(reason), version=version)
    except RequestRefused:
        return _is_repeated(page, request_id, APPROVED if action == "approve" else DENIED, reason)
    except (*_REFUSALS, ValueError):
        return False
    return True


@router.post("/{request_id}/approve")
async def approve(request: Request, page: ReviewerPage, request_id: str) -> Response:
    """Approve a request. Fields of terms that are empty stay as they are."""
    from starlette.concurrency import run_in_threadpool

    form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    return await run_in_threadpool(_approve, page, request_id, form)


def _approve(page: Page, request_id: str, form: dict[str, str]) -> Response:
    page.check_form(form.get("csrf", ""))
    found = found_request(page, request_id)
    try:
        granted = granted_terms(form)
    except ValueError:
        return show_request(page, found, problem="decide.wrong_terms", status=422)
    options: dict[str, Any] = {"granted": granted, "beyond": form.get("beyond") == "yes", "version": form.get("version", "")}
    try:
        page.portal.desk.approve(found.id, by=_who(page), reason=_clean(form.get("reason", "")), **options)
    except (*_REFUSALS, ValueError) as error:
        if not _is_repeated(page, request_id, APPROVED, form.get("reason", ""), granted):
            return _refused(page, request_id, error)
    finally:
        page.portal.changed()
    if "back" in form:  # a button of the list
        return page.go(_query_of(form["back"]).address(said="several", done=1, failed=0))
    return page.go(f"/admin/{found.id}", said="approved")


@router.post("/{request_id}/deny")
def deny(
    page: ReviewerPage, request_id: str, csrf: Annotated[str, Form()] = "", reason: Annotated[str, Form()] = "", version: Annotated[str, Form()] = ""
) -> Response:
    """Deny a request, with a reason for the person who asked."""
    page.check_form(csrf)
    found = found_request(page, request_id)
    if not reason.strip():
        return show_request(page, found, problem="admin.wrong_reason", status=422)
    try:
        page.portal.desk.deny(found.id, by=_who(page), reason=_clean(reason), version=version)
    except (*_REFUSALS, ValueError) as error:
        if not _is_repeated(page, request_id, DENIED, reason):
            return _refused(page, request_id, error)
    finally:
        page.portal.changed()
    return page.go(f"/admin/{found.id}", said="denied")


@router.post("/{request_id}/retry")
def retry(page: OperatorPage, request_id: str, csrf: Annotated[str, Form()] = "") -> Response:
    """Let the next pass try again what failed."""
    page.check_form(csrf)
    found = found_request(page, request_id)
    try:
        page.portal.desk.retry(found.id, by=page.required(RETRIES).who)
    except (*_REFUSALS, ValueError) as error:
        return _refused(page, request_id, error)
    finally:
        page.portal.changed()
    return page.go(f"/admin/{found.id}", said="retried")


def granted_terms(form: dict[str, str]) -> dict[str, Any]:
    """Return the terms that were filled in. Raises ValueError for a number that is none."""
    granted: dict[str, Any] = {}
    models = [name for part in form.get("models", "").split(",") if (name := part.strip())]
    if models:
        granted["models"] = models
    if form.get("duration", "").strip():
        granted["duration"] = form["duration"].strip()
    for name in AMOUNTS:
        text = form.get(name, "").strip()
        if text:
            granted[name] = float(text) if name.endswith("budget") else int(text)
    return granted


def _is_repeated(page: Page, request_id: str, state: str, reason: str, granted: Mapping[str, Any] = NOTHING_GRANTED) -> bool:
    """Return whether this person made this very decision before: somebody pressed a button twice, or sent a form again without an answer."""
    try:
        found = page.portal.store.get(request_id)
    except (*_REFUSALS, ValueError):
        return False
    moves = [entry for entry in found.history if entry.was != entry.now]
    same = (found.state, moves[-1].by, moves[-1].reason) == (state, _who(page), _clean(reason))
    return same and all(found.granted.get(name) == value for name, value in granted.items())


def _refused(page: Page, request_id: str, error: Exception) -> Response:
    found = found_request(page, request_id)
    return show_request(
        page, found, problem="decide.refused", detail=refusal_in_words(error, page.language), status=422 if isinstance(error, ValueError) else 409
    )


def _clean(reason: str) -> str:
    return reason.replace("\r\n", "\n").strip()


def _who(page: Page) -> str:
    return page.required(DECIDES).who


def _query_of(back: str) -> Any:
    from urllib.parse import parse_qs

    values = {name: found[0] for name, found in parse_qs(back[:2000]).items()}
    return list_query(values.get("tab", ALL), values.get("q", ""), values.get("sort", ""), values.get("page", "1"))
