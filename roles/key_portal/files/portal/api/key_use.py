# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What keys have spent, in answers of our own calls: what pages show of it, to the same people. Pure, but for looking it up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import Record
from pydantic import BaseModel, Field

from ..insights import SeenInsight
from ..pages.insight_view import KNOWN, MISSING, UNANSWERED, WAITING, has_figures
from ..pages.view import status_of
from ..store import PortalDesk
from . import shapes


class KeyUse(BaseModel):
    """What a key has spent, as the worker found it at the gateway, which it does for keys that somebody looks at."""

    status: Literal["known", "waiting", "missing", "unanswered"] = Field(
        description="`waiting`: it is being looked up, so ask again in some seconds; `missing`: the gateway does not know the key any more; "
        "`unanswered`: the gateway could not be asked."
    )
    at: str | None = Field(None, description="When the worker found it out.")
    is_old: bool = Field(False, description="Whether that is so long ago that the worker seems to have stopped.")
    spend: float | None = Field(None, description="What was spent, in USD.")
    max_budget: float | None = Field(None, description="What may be spent, in USD; null without a limit.")
    budget_duration: str | None = Field(None, description="After which time the budget begins anew, such as 30d; null for never.")
    expires: str | None = Field(None, description="When the key ends at the gateway; null for never.")
    blocked: bool = Field(False, description="Whether the gateway refuses the key at present.")


class KeyUseForAdmins(KeyUse):
    problem: str | None = Field(None, description="Why the gateway could not be asked.")


class MyRequestWithUse(shapes.MyRequest):
    use: KeyUse | None = Field(description="What its key has spent; null without a key that works.")


class MyRequests(BaseModel):
    requests: list[MyRequestWithUse]
    total: int
    page: int
    page_size: int


class FullRequestWithUse(shapes.FullRequest):
    use: KeyUseForAdmins | None = Field(description="What its key has spent; null without a key that works.")


def my_requests_with_use(portal: PortalDesk, records: Sequence[Record]) -> list[MyRequestWithUse]:
    """Return requests of one person. Raises StoreError."""
    seen = _seen(portal, records)
    return [MyRequestWithUse(**dict(shapes.my_request(record)), use=_use(seen[record.id]) if record.id in seen else None) for record in records]


def full_request_with_use(portal: PortalDesk, record: Record) -> FullRequestWithUse:
    """Return a request as administrators see it. Raises StoreError."""
    seen = _seen(portal, [record]).get(record.id)
    use = None
    if seen is not None:
        use = KeyUseForAdmins(**dict(_use(seen)), problem=seen.insight.key.problem or None if seen.insight and seen.insight.key else None)
    return FullRequestWithUse(**dict(shapes.full_request(record)), use=use)


def _seen(portal: PortalDesk, records: Sequence[Record]) -> dict[str, SeenInsight]:
    """Return what is known of those whose keys work, and let the worker look them up."""
    working = [record.id for record in records if has_figures(record, status_of(record, portal.clock()))]
    return portal.insights.of(working) if working else {}


def _use(seen: SeenInsight) -> KeyUse:
    figures = seen.insight.key if seen.insight else None
    if figures is None:
        return KeyUse(status=WAITING)
    known: dict[str, Any] = {"at": seen.at, "is_old": seen.is_old}
    if figures.problem or not figures.exists:
        return KeyUse(status=UNANSWERED if figures.problem else MISSING, **known)
    return KeyUse(
        status=KNOWN,
        **known,
        spend=figures.spend,
        max_budget=figures.max_budget,
        budget_duration=figures.budget_duration or None,
        expires=figures.expires or None,
        blocked=figures.blocked,
    )
