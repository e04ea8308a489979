# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Search, sort and pages of requests. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import STATES, Record

Sort: TypeAlias = Literal["created_at", "-created_at", "updated_at", "-updated_at", "email", "-email", "what", "-what", "state", "-state"]
USUAL_SORT: Sort = "-created_at"
USUAL_PAGE, LARGEST_PAGE = 50, 500

_KEYS: dict[str, Callable[[Record], Any]] = {
    "created_at": lambda record: record.created_at,
    "updated_at": lambda record: record.updated_at,
    "email": lambda record: record.email.lower(),
    "what": lambda record: what_of(record).lower(),
    "state": lambda record: STATES.index(record.state),
}


@dataclass(frozen=True)
class ListPage:
    """A page of the requests that were selected, how many there are in all, and how many of them in each state before `state` selected."""

    records: Sequence[Record]
    total: int
    counts: dict[str, int]


def what_of(record: Record) -> str:
    """Return what is asked for, as one text: the models, or the package."""
    return ", ".join(record.models) or record.package


def page_of(
    records: Sequence[Record], *, state: str | None = None, search: str = "", sort: Sort = USUAL_SORT, page: int = 1, size: int = USUAL_PAGE
) -> ListPage:
    """Return a page (from 1 on) of the requests in `state` in which all words of `search` occur."""
    words = search.casefold().split()
    found = [record for record in records if _has(record, words)] if words else records
    counts = dict.fromkeys(STATES, 0)
    for record in found:
        counts[record.state] += 1
    selected = [record for record in found if state in (None, record.state)]
    selected.sort(key=lambda record: record.id)
    selected.sort(key=_KEYS[sort.removeprefix("-")], reverse=sort.startswith("-"))
    return ListPage(selected[(page - 1) * size : page * size], len(selected), counts)


def _has(record: Record, words: Sequence[str]) -> bool:
    text = "\n".join((record.id, record.email, what_of(record), record.purpose, record.guid, record.user)).casefold()
    return all(word in text for word in words)
