# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Read LiteLLM's lists of keys, living and deleted, whatever its release can search for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..litellm import errors
from ..litellm.capabilities import Capabilities, PartSearch, ignored_search, is_deleted, query_for_part
from ..litellm.client import Client
from .key import LiveKey

PAGE_SIZE = 100  # LiteLLM answers 422 to more
DELETED: dict[str, Any] = {"status": "deleted"}


class NoHistory(errors.GatewayError):
    """The gateway keeps no list of deleted keys."""

    code = "no_history"


@dataclass(frozen=True)
class Page:
    """One page of a list of keys. `pages` is the number of all pages."""

    rows: Sequence[LiveKey]
    pages: int

    @property
    def aliases(self) -> list[str]:
        return [row.alias for row in self.rows]


class KeyList:
    """The lists of keys of one gateway."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.capabilities = Capabilities()

    def read(self, first: Page | None = None, **filters: Any) -> list[LiveKey]:
        """Return every key that LiteLLM lists for `filters`. `first` is the first page, if it was read before.

        Raises NotLitellm for a page that LiteLLM would not send, and NoHistory if deleted keys were asked for and there are none kept.
        """
        page = first or self.page(1, **filters)
        rows, number = [*page.rows], 1
        while number < page.pages:
            number += 1
            page = self.page(number, **filters)
            rows += page.rows
        return distinct(rows)

    def page(self, number: int, **filters: Any) -> Page:
        """Return one page of the keys that LiteLLM lists for `filters`. Raises as `read` does."""
        order = {"sort_by": "token", "sort_order": "asc"}
        answer = self.client.get("/key/list", {"return_full_object": "true", "size": PAGE_SIZE, "page": number, **order, **filters})
        try:
            rows, pages = answer["keys"], int(answer["total_pages"])
            page = Page([LiveKey.from_row(row) for row in rows], pages)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            wanted = f"LiteLLM's list of keys ({type(error).__name__}: {error})"
            raise errors.not_litellm(self.client.connection.base, "GET /key/list", wanted) from None
        if filters.get("status") == "deleted" and not all(is_deleted(row) for row in rows):
            raise NoHistory(f"the LiteLLM at {self.client.connection.base} keeps no list of deleted keys; update it to 1.81 or later.")
        return page

    def containing(self, parts: Iterable[str], **filters: Any) -> list[LiveKey]:
        """Return every key whose alias contains one of `parts`. Raises as `read` does."""
        wanted = list(dict.fromkeys(parts))
        rows = self._search_all(wanted, filters)
        if rows is None:
            rows = self.read(**filters)
        return [row for row in distinct(rows) if any(part in row.alias for part in wanted)]

    def deleted_containing(self, parts: Iterable[str], aliases: Sequence[str] = ()) -> list[LiveKey]:
        """Return every deleted key whose alias contains one of `parts`, of which `aliases` are all that matter. Raises as `read` does.

        Where LiteLLM cannot search for parts, its list of deleted keys is too long to be read whole (it only ever grows), so
        only `aliases` are looked up, if there are any.
        """
        wanted = list(dict.fromkeys(parts))
        rows = self._search_all(wanted, DELETED)
        if rows is not None:
            return [row for row in distinct(rows) if any(part in row.alias for part in wanted)]
        if not aliases:
            return [row for row in self.read(**DELETED) if any(part in row.alias for part in wanted)]
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
        way = self.capabilities.part_search
        if way is PartSearch.NONE:
            return None
        query = {**query_for_part(part, way), **filters}
        first = self.page(1, **query)
        if way is PartSearch.SEARCH and first.pages > 1 and ignored_search(part, first.aliases):
            self.capabilities.part_search = PartSearch.KEY_ALIAS if self._finds_part_of(first.aliases, filters) else PartSearch.NONE
            return self._search(part, filters)
        return self.read(first, **query)

    def _finds_part_of(self, aliases: Iterable[str], filters: dict[str, Any]) -> bool:
        """Return whether the gateway finds the longest of `aliases`, which it has, by a part of it."""
        part = max(aliases, key=len)[:-1]
        return bool(part) and any(alias != part for alias in self.page(1, **{**query_for_part(part, PartSearch.KEY_ALIAS), **filters}).aliases)


def distinct(rows: Iterable[LiveKey]) -> list[LiveKey]:
    """Return `rows` without repetitions. A value that was deleted, made and deleted again is two deleted keys."""
    return list({(row.token, row.created_at): row for row in rows}.values())
