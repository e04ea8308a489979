# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The fields of our own calls, and the requests as they are shown to their requesters and to administrators."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.document import public
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import (
    LONGEST_MODEL,
    LONGEST_PURPOSE,
    LONGEST_REASON,
    MOST_MODELS,
    Record,
)
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.terms import LARGEST_AMOUNT
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ..wording import TermLine, terms_in_words
from .listing import LARGEST_PAGE, USUAL_PAGE, USUAL_SORT, Sort

State = Literal["pending", "in-review", "approved", "denied"]
Duration = Annotated[str, Field(pattern=r"^([0-9]{1,12}(s|m|h|d|w|mo))?$", description="A number and s, m, h, d, w or mo, such as 30d; empty: as usual.")]
Amount = Annotated[float, Field(ge=0, le=LARGEST_AMOUNT, allow_inf_nan=False)]
Purpose = Annotated[str, Field(max_length=LONGEST_PURPOSE)]
Reason = Annotated[str, Field(max_length=LONGEST_REASON)]
ModelName = Annotated[str, Field(min_length=1, max_length=LONGEST_MODEL)]
ModelNames = Annotated[list[ModelName], Field(max_length=MOST_MODELS)]


class Input(BaseModel):
    """The body of a call. A field that does not exist is refused: it may be a misspelt limit."""

    model_config = ConfigDict(extra="forbid")


def _no_number(value: Any) -> Any:
    """Refuse a number, which pydantic would take for seconds since 1970."""
    try:
        float(value)
    except (TypeError, ValueError):
        return value
    raise ValueError("give an ISO 8601 time such as 2026-12-31T18:00:00Z")


Time = Annotated[datetime, BeforeValidator(_no_number), Field(description="An ISO 8601 time; without an offset it is UTC.")]


class Paging(Input):
    """Which page of a list; a parameter that does not exist is refused, because it may be a misspelt filter."""

    state: State | None = None
    page: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    page_size: Annotated[int, Field(ge=1, le=LARGEST_PAGE)] = USUAL_PAGE


class Searching(Paging):
    """Which page of all requests."""

    search: Annotated[str, Field(max_length=200, description="Words that all occur in a request.")] = ""
    sort: Sort = USUAL_SORT


class Period(Input):
    """Which events: from `since` until before `until`."""

    since: Time | None = None
    until: Time | None = None


# ---------------------------------------------------------------------------------------------------------- catalogue
class TermShape(BaseModel):
    """One term: as it is recorded, and in English words."""

    name: str
    value: Any
    words: str


class ModelShape(BaseModel):
    id: str
    title: str
    icon: str
    color: str
    description: str


class FeaturedShape(ModelShape):
    subtitle: str
    documentation_link: str


class PackageShape(ModelShape):
    terms: list[TermShape]


class CatalogueShape(BaseModel):
    """What can be asked for. `wildcards` and `groups` are served as well and stand for several models, so nobody can ask for them."""

    models: list[ModelShape]
    featured: list[FeaturedShape]
    packages: list[PackageShape]
    limits: list[TermShape] = Field(description="The terms of a request that names models, at most.")
    wildcards: list[str]
    groups: list[str]
    at: str | None = Field(description="When the gateway said what it serves; null if it never did.")


# ------------------------------------------------------------------------------------------------------------- people
class CallerShape(BaseModel):
    who: str
    email: str | None
    roles: list[str]
    method: str


class Ask(Input):
    """What somebody asks for: models or a package."""

    models: ModelNames = []
    package: Annotated[str, Field(max_length=128)] = ""
    purpose: Purpose = ""
    duration: Duration = ""
    max_budget: Amount | None = Field(None, description="USD")
    language: Annotated[str, Field(pattern="^([a-z]{2})?$", description="The language of mails, such as de.")] = ""


class Withdraw(Input):
    reason: Reason = ""


class More(Input):
    """More time for a key: `duration` counts from the approval for a renewal, and from the key's present end for an extension."""

    duration: Duration = ""
    max_budget: Amount | None = Field(None, description="USD in all")
    purpose: Purpose = ""


class KeyFactsShape(BaseModel):
    """What is known of the key, whose value is nowhere here."""

    alias: str
    minted_at: str
    expires: str | None
    ended_at: str | None
    delivered: dict[str, str] = Field(description="When it was delivered, by method.")


class TimelineEntry(BaseModel):
    at: str
    state: State
    reason: str
    terms: list[TermShape]


class MyRequest(BaseModel):
    """A request, as its requester sees it."""

    id: str
    models: list[str]
    package: str | None
    purpose: str
    duration: str | None
    max_budget: float | None
    renews: str | None
    from_end: bool
    state: State
    reason: str
    cancelled: bool
    terms: list[TermShape]
    key: KeyFactsShape | None
    created_at: str
    asked_at: str
    updated_at: str
    timeline: list[TimelineEntry]


class Asked(BaseModel):
    """The request, and whether it is new: whoever asked for the same before gets that request back."""

    request: MyRequest
    changed: bool


# ----------------------------------------------------------------------------------------------------- administrators
class Grant(Input):
    """Terms that a person grants, where they differ from those of the request."""

    models: Annotated[list[ModelName], Field(min_length=1, max_length=MOST_MODELS)] | None = None
    duration: Annotated[str, Field(pattern=r"^([0-9]{1,12}(s|m|h|d|w|mo)|never)$")] | None = None
    max_budget: Amount | None = None
    soft_budget: Amount | None = None
    rpm_limit: Annotated[int, Field(ge=0, le=10**15)] | None = None
    tpm_limit: Annotated[int, Field(ge=0, le=10**15)] | None = None
    max_parallel_requests: Annotated[int, Field(ge=0, le=10**15)] | None = None


class Approval(Input):
    """An approval. With `version`, only of the request as it was seen."""

    granted: Grant = Grant()
    beyond: bool = Field(False, description="Whether more may be granted than the chain and the offer left.")
    reason: Reason = ""
    version: Annotated[str, Field(max_length=80)] = ""


class Refusal(Input):
    """A denial. With `version`, only of the request as it was seen."""

    reason: Annotated[str, Field(min_length=1, max_length=LONGEST_REASON)]
    version: Annotated[str, Field(max_length=80)] = ""


class ListedRequest(BaseModel):
    """A request in the list of administrators."""

    id: str
    email: str
    models: list[str]
    package: str | None
    purpose: str
    state: State
    status: str = Field(description="What became of the answer: minted, finished, failed, stopped, ended, or empty.")
    renews: str | None
    created_at: str
    asked_at: str
    updated_at: str
    version: str


class SetAsideShape(BaseModel):
    """A record that cannot be read."""

    name: str
    reason: str


class ListedRequests(BaseModel):
    requests: list[ListedRequest]
    total: int
    page: int
    page_size: int
    counts: dict[str, int] = Field(description="How many there are in each state, of those that the search finds.")
    set_aside: list[SetAsideShape]


class FullRequest(BaseModel):
    """A request with everything that is recorded about it, and its terms in words."""

    request: dict[str, Any] = Field(description="The record, as the module key_request_info returns it.")
    terms: list[TermShape]
    asked: list[TermShape]
    granted: list[TermShape]


class AuditShape(BaseModel):
    events: list[dict[str, Any]]
    set_aside: list[SetAsideShape]


# ------------------------------------------------------------------------------------------------------------- making
def term_shapes(lines: Iterable[TermLine]) -> list[TermShape]:
    """Return the terms as they are shown."""
    return [TermShape(name=line.name, value=line.value, words=line.words) for line in lines]


def _in_words(terms: Mapping[str, Any]) -> list[TermShape]:
    return term_shapes(terms_in_words(terms))


def my_request(record: Record) -> MyRequest:
    """Return what its requester sees of a request: not who decided, and nothing of rules and failures."""
    return MyRequest(
        **{name: getattr(record, name) for name in ("id", "purpose", "max_budget", "from_end", "state", "reason", "cancelled")},
        **{name: getattr(record, name) for name in ("created_at", "asked_at", "updated_at")},
        models=list(record.models),
        package=record.package or None,
        duration=record.duration or None,
        renews=record.renews or None,
        terms=_in_words(record.terms),
        key=_key_facts(record),
        timeline=[TimelineEntry(at=entry.at, state=entry.now, reason=entry.reason, terms=_in_words(entry.terms)) for entry in record.history],
    )


def _key_facts(record: Record) -> KeyFactsShape | None:
    progress = record.progress
    if not progress.minted_at:
        return None
    return KeyFactsShape(
        alias=progress.key_alias,
        minted_at=progress.minted_at,
        expires=progress.expires or None,
        ended_at=progress.ended_at or None,
        delivered=dict(progress.delivered),
    )


def listed_request(record: Record) -> ListedRequest:
    """Return a request as it stands in the list of administrators."""
    return ListedRequest(
        **{name: getattr(record, name) for name in ("id", "email", "purpose", "state", "created_at", "asked_at", "updated_at", "version")},
        models=list(record.models),
        package=record.package or None,
        renews=record.renews or None,
        status=record.progress.status,
    )


def full_request(record: Record) -> FullRequest:
    """Return everything that is recorded about a request."""
    asked = {"models": list(record.models), "duration": record.duration, "max_budget": record.max_budget}
    return FullRequest(
        request=public(record),
        terms=_in_words(record.terms),
        asked=_in_words({name: value for name, value in asked.items() if value not in (None, "", [])}),
        granted=_in_words(record.granted),
    )
