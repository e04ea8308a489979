# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The admin panel: all requests with search, sort and pages, one request with everything that is recorded, and the audit.

The list asks for itself again every few seconds, if htmx is there, and is answered with nothing while it is the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, get_args
from urllib.parse import urlencode

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.audit import audit_events
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.base import Listing
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import Broken, Missing
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import IN_REVIEW, PENDING, STATES, Record
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.terms import AMOUNTS
from fastapi import APIRouter, Query
from fastapi.responses import Response

from ..api import audit_answer
from ..api.listing import ListPage, Sort, page_of
from ..identity.roles import EXPORTS
from ..insights import SeenInsight
from ..trail import note_event
from .insight_view import figures_view, has_figures, may_be_decided, outlook_view, trace_rows
from .page import AdminPage, AuditorPage, Page, PageError
from .view import COLUMNS, compared_terms, status_of, timeline_of, view_of

router = APIRouter(prefix="/admin")

PAGE_SIZE = 25
ALL = "all"
TABS = (PENDING, IN_REVIEW, ALL)
SORTS = get_args(Sort)
USUAL_SORT = "-created_at"
REFRESH_SECONDS = 4
SAID = ("approved", "denied", "retried", "several")


@dataclass(frozen=True)
class ListQuery:
    """What the list shows."""

    tab: str = PENDING
    search: str = ""
    sort: str = USUAL_SORT
    number: int = 1

    def address(self, **changes: Any) -> str:
        """Return the address of the list, with changes."""
        return f"/admin?{self.query(**changes)}"

    def query(self, **changes: Any) -> str:
        values = {"tab": self.tab, "q": self.search, "sort": self.sort, "page": self.number, **changes}
        return urlencode({name: value for name, value in values.items() if value not in ("", None)})

    def sorted_by(self, name: str) -> str:
        """Return the address of the list sorted by a column, or the other way round if it is."""
        return self.address(sort=f"-{name}" if self.sort == name else name, page=1)

    def direction(self, name: str) -> str:
        """Return how a column is sorted, as `aria-sort` says it."""
        return {name: "ascending", f"-{name}": "descending"}.get(self.sort, "none")


def list_query(tab: str = PENDING, search: str = "", sort: str = USUAL_SORT, number: str = "1") -> ListQuery:
    """Return what the list shows. What cannot be is replaced by what is usual."""
    wanted = int(number) if number.isascii() and number.isdigit() and len(number) < 7 else 1
    return ListQuery(tab if tab in TABS else PENDING, search[:200], sort if sort in SORTS else USUAL_SORT, max(1, wanted))


@router.get("")
def list_page(
    page: AdminPage,
    tab: Annotated[str, Query()] = PENDING,
    search: Annotated[str, Query(alias="q")] = "",
    sort: Annotated[str, Query()] = USUAL_SORT,
    number: Annotated[str, Query(alias="page")] = "1",
    ids: Annotated[tuple[str, ...], Query()] = (),
    seen: Annotated[str, Query()] = "",
    said: Annotated[str, Query()] = "",
    done: Annotated[str, Query()] = "",
    failed: Annotated[str, Query()] = "",
) -> Response:
    """Show the list. htmx gets the list alone, and nothing if it is the one that it has `seen`."""
    values = list_values(page, list_query(tab, search, sort, number), ids)
    if page.is_part:
        return Response(status_code=204) if seen == values["digest"] else page.show("part/list.html", **values)
    counts = {"done": _count(done), "failed": _count(failed)} if said == "several" else None
    return page.show("admin.html", said=said if said in SAID else "", several=counts, problem="", **values)


def list_values(page: Page, query: ListQuery, chosen: Sequence[str]) -> dict[str, Any]:
    """Return what the templates of the list show. Raises StoreError."""
    found, set_aside = page.portal.rendered(("page", query), lambda listing: (_page_of(listing, query), listing.set_aside))
    views = [view_of(record, page) for record in found.records]
    counts = {**found.counts, ALL: sum(found.counts[state] for state in STATES)}
    versions = [f"{view.record.id} {view.record.version} {view.status}" for view in views]
    seen = "\n".join([*versions, *(f"{tab} {counts[tab]}" for tab in TABS), page.language.code, query.query()])
    return {
        "query": query,
        "views": views,
        "total": found.total,
        "pages": max(1, -(-found.total // PAGE_SIZE)),
        "first": (query.number - 1) * PAGE_SIZE + 1,
        "counts": counts,
        "tabs": TABS,
        "chosen": set(chosen),
        "set_aside": set_aside,
        "refresh": REFRESH_SECONDS,
        "digest": hashlib.sha256(seen.encode()).hexdigest()[:16],
    }


def _page_of(listing: Listing, query: ListQuery) -> ListPage:
    state: Any = None if query.tab == ALL else query.tab
    return page_of(listing.records, state=state, search=query.search, sort=query.sort, page=query.number, size=PAGE_SIZE)  # type: ignore[arg-type]


@router.get("/audit.jsonl")
def audit(page: AuditorPage) -> Response:
    """Return everything that happened to requests, as JSON Lines to be kept in a file."""
    note_event(page.portal.clock(), "audit_exported", page.required(EXPORTS).who)
    return audit_answer(audit_events(page.portal.listing().records))


@router.get("/{request_id}/insight")
def insight_part(page: AdminPage, request_id: str, seen: Annotated[str, Query()] = "") -> Response:
    """Show what the rules would say now, and what the key has spent. htmx gets nothing if that is what it has `seen`."""
    values = insight_values(page, found_request(page, request_id))
    return Response(status_code=204) if seen == values["digest"] else page.show("part/insight.html", **values)


@router.get("/{request_id}")
def detail_page(page: AdminPage, request_id: str, said: Annotated[str, Query()] = "") -> Response:
    """Show one request with everything that is recorded about it."""
    return show_request(page, found_request(page, request_id), said=said)


def show_request(page: Page, record: Record, *, said: str = "", problem: str = "", detail: str = "", status: int = 200) -> Response:
    """Return the page of a request. `detail` says why a decision was refused."""
    values: dict[str, Any] = {
        **insight_values(page, record),
        "trace": trace_rows(record.trace, page.language),
        "view": view_of(record, page),
        "steps": timeline_of(record, page.language, with_names=True),
        "rows": compared_terms(record, page.portal.catalogue(), page.language),
        "columns": COLUMNS,
        "amounts": AMOUNTS,
        "can_decide": record.state in (PENDING, IN_REVIEW) or not record.progress.minted_at,
    }
    return page.show("decide.html", status, said=said if said in SAID else "", problem=problem, detail=detail, **values)


def insight_values(page: Page, record: Record) -> dict[str, Any]:
    """Return what the templates show of what the worker found out. It is looked up for requests that can be decided, and for keys that work."""
    uses, decidable = has_figures(record, status_of(record, page.portal.clock())), may_be_decided(record)
    seen = page.portal.insights.of([record.id])[record.id] if uses or decidable else SeenInsight()
    return {
        "record": record,
        "outlook": outlook_view(seen, page.language) if decidable else None,
        "use": figures_view(seen, page.language) if uses else None,
        "digest": hashlib.sha256(f"{seen} {record.version}".encode()).hexdigest()[:16],
        "refresh": REFRESH_SECONDS,
    }


def found_request(page: Page, request_id: str) -> Record:
    """Return a request. Raises PageError."""
    try:
        return page.portal.store.get(request_id)
    except (ValueError, Missing):
        raise PageError(404, "error.missing") from None
    except Broken:
        raise PageError(409, "error.broken") from None


def _count(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 5 else 0
