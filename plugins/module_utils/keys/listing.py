# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Read LiteLLM's lists of keys, living and deleted, whatever its release can search for and whoever changes them meanwhile."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..litellm import errors
from ..litellm.capabilities import PartSearch, ignored_search, is_deleted, query_for_part
from ..litellm.client import Client
from .key import LiveKey

PAGE_SIZE = 100  # LiteLLM answers 422 to more
DELETED: dict[str, Any] = {"status": "deleted"}


class NoHistory(errors.GatewayError):
    """The gateway keeps no list of deleted keys."""

    code = "no_history"


@dataclass(frozen=True)
class Page:
    """One page of a list of keys. `pages` and `total` count all pages and all keys."""

    rows: Sequence[LiveKey]
    pages: int
    total: int

    @property
    def aliases(self) -> list[str]:
        return [row.alias for row in self.rows]


class KeyList:
    """The lists of keys of one gateway. `warn` tells the user about what could not be read."""

    def __init__(self, client: Client, warn: Callable[[str], None]) -> None:
        self.client = client
        self._warn = warn
        self._warned: set[str] = set()

    def read(self, first: Page | None = None, **filters: Any) -> list[LiveKey]:
        """Return every key that LiteLLM lists for `filters`, and that meets them, sorted by token.

        `first` is the first page, if it was read before. No key is missed that is there all the time, whatever others make and
        delete meanwhile. Raises NotLitellm for a page that LiteLLM would not send, and NoHistory if deleted keys were asked for
        and there are none kept.
        """
        newest = first or self.page(1, **filters)
        pages = [newest.rows]
        if newest.pages > 1 and filters.get("status") == "deleted":
            pages += self._read_in_order(newest, filters)  # nothing ever leaves this list
        elif newest.pages > 1:
            older = self._read_from_the_newest(newest, filters)
            pages += older
            if not _leave_no_gap([newest.rows[::-1], *older]):
                newest = self.page(1, **filters)
                pages += [newest.rows, *self._read_in_order(newest, filters)]
        now = self.client.now()
        return sorted((row for row in distinct(itertools.chain(*pages)) if _meets(row, filters, now)), key=_identity)

    def _read_from_the_newest(self, newest: Page, filters: Mapping[str, Any]) -> list[Sequence[LiveKey]]:
        """Return all pages besides that of the newest keys, which was read before, each with the oldest key first.

        Pages are counted from the oldest key on, and read from the newest to the oldest. So no key ever moves to a page that was
        read before: those that are made meanwhile come after all others, and those that are deleted move others to pages that
        are still to be read.
        """
        first = (newest.total - len(newest.rows) + 1) // PAGE_SIZE + 1  # it holds some of the newest keys, too
        numbers = range(max(first, newest.pages - 1), 0, -1)
        return [self.page(number, sort_by="created_at", sort_order="asc", **filters).rows for number in numbers]

    def _read_in_order(self, page: Page, filters: Mapping[str, Any]) -> list[Sequence[LiveKey]]:
        """Return all pages after `page`, the first one, in LiteLLM's order. That misses a key if others delete newer ones meanwhile."""
        pages: list[Sequence[LiveKey]] = []
        number = 1
        while number < page.pages:
            number += 1
            page = self.page(number, **filters)
            pages.append(page.rows)
        return pages

    def page(self, number: int, **filters: Any) -> Page:
        """Return one page of the keys that LiteLLM lists for `filters`, by default the newest key first. Raises as `read` does."""
        answer = self.client.get("/key/list", {"return_full_object": "true", "size": PAGE_SIZE, "page": number, **filters})
        try:
            rows, pages, total = answer["keys"], int(answer["total_pages"]), int(answer.get("total_count") or 0)
            page = Page([self._readable(row) for row in rows], pages, total)
            self.client.capabilities.learn_from(rows)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            wanted = f"LiteLLM's list of keys ({type(error).__name__}: {error})"
            raise errors.not_litellm(self.client.connection.base, "GET /key/list", wanted) from None
        if filters.get("status") == "deleted" and not all(is_deleted(row) for row in rows):
            raise NoHistory(f"the LiteLLM at {self.client.connection.base} keeps no list of deleted keys; update it to 1.81 or later.")
        return page

    def _readable(self, row: Any) -> LiveKey:
        """Return the key in a row, without settings that cannot be read; warns about these. Raises ValueError if it is not a row of a key."""
        try:
            return _key_of(row)
        except (AttributeError, KeyError, TypeError, ValueError):
            if not isinstance(row, Mapping):
                raise
        kept: dict[str, Any] = {"token": row.get("token")}
        _key_of(kept)
        unreadable = []
        for name, value in row.items():
            try:
                _key_of({**kept, name: value})
                kept[name] = value
            except (AttributeError, KeyError, TypeError, ValueError):
                unreadable.append(str(name))
        key = _key_of(kept)
        name = key.alias or f"with the id {key.token[:12]}..."
        self.warn_once(f"The key {name} has settings that cannot be read ({', '.join(unreadable)}) and count as not set; correct them in LiteLLM.")
        return key

    def warn_once(self, warning: str) -> None:
        """Tell the user, unless the same was said before."""
        if warning not in self._warned:
            self._warned.add(warning)
            self._warn(warning)

    def containing(self, parts: Iterable[str], **filters: Any) -> list[LiveKey]:
        """Return every key whose alias contains one of `parts`. Raises as `read` does."""
        wanted = list(dict.fromkeys(parts))
        rows = self._search_all(wanted, filters)
        if rows is None:
            rows = self.read(**filters)
        return _holding(wanted, rows)

    def deleted_containing(self, parts: Iterable[str], aliases: Sequence[str] = ()) -> list[LiveKey]:
        """Return every deleted key whose alias contains one of `parts`, of which `aliases` are all that matter. Raises as `read` does.

        Where LiteLLM cannot search for parts, its list of deleted keys is too long to be read whole (it only ever grows), so
        only `aliases` are looked up, if there are any.
        """
        wanted = list(dict.fromkeys(parts))
        rows = self._search_all(wanted, DELETED)
        if rows is not None:
            return _holding(wanted, rows)
        if not aliases:
            return _holding(wanted, self.read(**DELETED))
        found = self.client.all(lambda alias: self.read(key_alias=alias, **DELETED), list(dict.fromkeys(aliases)))
        return distinct(row for rows in found for row in rows if row.alias in aliases)

    def _search_all(self, parts: Sequence[str], filters: dict[str, Any]) -> list[LiveKey] | None:
        """Return at least the keys whose alias contains one of `parts`; None if that takes reading all keys."""
        if not parts:
            return []
        first = self._search(parts[0], filters)  # alone, because it shows how the gateway searches
        rest = self.client.all(lambda part: self._search(part, filters), parts[1:]) if first is not None else [None]
        found: list[LiveKey] = []
        for rows in (first, *rest):
            if rows is None:
                return None
            found += rows
        return found

    def _search(self, part: str, filters: dict[str, Any]) -> list[LiveKey] | None:
        """Return at least the keys whose alias contains `part`; None if that takes reading all keys."""
        way = self.client.capabilities.part_search
        if way is PartSearch.NONE:
            return None
        query = {**query_for_part(part, way), **filters}
        first = self.page(1, **query)
        if way is PartSearch.SEARCH and first.pages > 1 and ignored_search(part, first.aliases):
            self.client.capabilities.part_search = PartSearch.KEY_ALIAS if self._finds_part_of(first.aliases, filters) else PartSearch.NONE
            return self._search(part, filters)
        return self.read(first, **query)

    def _finds_part_of(self, aliases: Iterable[str], filters: dict[str, Any]) -> bool:
        """Return whether the gateway finds the longest of `aliases`, which it has, by a part of it."""
        part = max(aliases, key=len)[:-1]
        return bool(part) and any(alias != part for alias in self.page(1, **{**query_for_part(part, PartSearch.KEY_ALIAS), **filters}).aliases)


def _leave_no_gap(pages: Sequence[Sequence[LiveKey]]) -> bool:
    """Return whether no key is older than one page and newer than the next. Each page is sorted, the oldest key first.

    LiteLLM does not sort keys that were made in the same millisecond, so pages must not meet among these.
    """
    times = [[row.created_at for row in page if row.created_at] for page in pages]
    if any(len(shown) < len(page) or shown != sorted(shown) for shown, page in zip(times, pages, strict=True)):
        return False
    times = [shown for shown in times if shown]
    overlap = len(times) > 1 and (times[1][-1] > times[0][0] or len(times[1]) < PAGE_SIZE)
    return overlap and all(older[-1] != newer[0] for newer, older in itertools.pairwise(times))


def distinct(rows: Iterable[LiveKey]) -> list[LiveKey]:
    """Return `rows` without repetitions. A value that was deleted, made and deleted again is two deleted keys."""
    return list({_identity(row): row for row in rows}.values())


def _holding(parts: Sequence[str], rows: Iterable[LiveKey]) -> list[LiveKey]:
    """Return those of `rows` whose alias contains one of `parts`, without repetitions."""
    return [row for row in distinct(rows) if any(part in row.alias for part in parts)]


def _key_of(row: Mapping[str, Any]) -> LiveKey:
    """Return the key in a row. Raises AttributeError, KeyError, TypeError or ValueError."""
    key = LiveKey.from_row(row)
    if not isinstance(key.alias, str):
        raise TypeError("the alias is not a text")
    if key.token.startswith("sk-"):
        raise ValueError("a value stands in the place of a token")
    return key


def _identity(row: LiveKey) -> tuple[str, str]:
    return row.token, row.created_at.isoformat() if row.created_at else ""


def _meets(row: LiveKey, filters: Mapping[str, Any], now: datetime) -> bool:
    """Return whether a key meets the filters of `/key/list`, which a gateway may ignore. Searches for parts are the caller's."""
    exact = {"key_hash": row.token, "user_id": row.fields["user_id"], "team_id": row.fields["team_id"]}
    if "substring_matching" not in filters:
        exact["key_alias"] = row.alias
    if any(name in filters and filters[name] != value for name, value in exact.items()):
        return False
    return "expires" not in filters or row.expired(now) == (filters["expires"] == "expired")
