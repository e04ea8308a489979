# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""LiteLLM's calls for managing keys. Every method makes one kind of call, page by page where the answer has pages."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from ..litellm import errors
from ..litellm.client import Client
from .key import LiveKey

PAGE_SIZE = 100  # LiteLLM answers 422 to more
DELETE_SIZE = 1000  # which takes LiteLLM 4 to 10 s
LONG_PART = 8  # characters of an alias; a lab's alias is longer, and still identifies the lab without its first character


class KeyApi:
    """The keys of one LiteLLM gateway."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._finds_parts: bool | None = None
        self._is_admin = False

    def keys(self, **filters: Any) -> Iterator[LiveKey]:
        """Yield every key that LiteLLM lists for `filters` (`key_alias`, `user_id`, `team_id`, `expires`, ...), page by page.

        Expired keys are included unless a filter says otherwise. Raises NotLitellm for a page that LiteLLM would not send.
        """
        page = 1
        while True:
            params = {
                "return_full_object": "true",
                "size": PAGE_SIZE,
                "page": page,
                "sort_by": "token",
                "sort_order": "asc",
                **filters,
            }
            answer = self.client.get("/key/list", params)
            try:
                rows, pages = answer["keys"], int(answer["total_pages"])
                yield from [LiveKey.from_row(row) for row in rows]
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise self._not_litellm("GET /key/list", f"LiteLLM's list of keys ({type(error).__name__}: {error})") from None
            if page >= pages:
                return
            page += 1

    def keys_like(self, part: str, *, thorough: bool = False, **filters: Any) -> list[LiveKey]:
        """Return every key whose alias contains `part`. The caller picks the aliases that it means.

        Some releases of LiteLLM match whole aliases only, whatever they are asked for. `thorough` detects that, which may
        take a call or two, and then reads all keys.

        If one lab's GUID is the beginning of another's (lab1, lab10), a search for the first lists the second as well: one
        more page for each hundred keys of the second. LiteLLM can search neither by prefix nor for several aliases at once,
        so an exact search would take a call for each alias, or one more call for every lab. GUIDs of the same length never
        overlap.
        """
        # A long part without its first character finds the same aliases, and finding them shows that parts are matched.
        shorter = thorough and self._finds_parts is None and len(part) >= LONG_PART
        search = part[1:] if shorter else part
        rows = [row for row in self.keys(key_alias=search, substring_matching="true", **filters) if part in row.alias]
        if any(row.alias != search for row in rows):
            self._finds_parts = True
        elif thorough and not self._searches_parts(rows):
            rows = [row for row in self.keys(**filters) if part in row.alias]
        return rows

    def _searches_parts(self, rows: Sequence[LiveKey]) -> bool:
        """Return whether LiteLLM finds an alias by a part of it, tried with one of `rows`, or else with any key."""
        if self._finds_parts is None:
            aliases = [row.alias for row in rows or itertools.islice(self.keys(), PAGE_SIZE) if len(row.alias) > 1]
            self._finds_parts = not aliases or any(row.alias == aliases[0] for row in self.keys(key_alias=aliases[0][:-1], substring_matching="true"))
        return self._finds_parts

    def check_admin(self) -> None:
        """Raise NotAdmin or Unauthorized unless the API key sees everybody's keys. Asks the gateway once.

        To a user's own key, LiteLLM answers HTTP 200 with that user's keys only, so an empty list proves nothing. Another
        user's list is refused to everybody but admins.
        """
        if self._is_admin:
            return
        self.client.get("/key/list", {"user_id": "rhpds-litellm-virtual-keys-admin-check", "size": 1})
        self._is_admin = True

    def now(self) -> datetime:
        """Return the gateway's time. Asks the gateway first if it has not answered yet, so that this machine's clock does not matter."""
        self.check_admin()
        return self.client.now()

    def team_exists(self, team_id: str) -> bool:
        """Return whether LiteLLM has the team. It accepts a key for an unknown team, and then refuses the key's calls."""
        try:
            self.client.get("/team/info", {"team_id": team_id})
        except errors.NotFound:
            return False
        return True

    def count_keys(self, **filters: Any) -> int:
        """Return how many keys LiteLLM would list for `filters`."""
        answer = self.client.get("/key/list", {"size": 1, **filters})
        try:
            return int(answer["total_count"])
        except (KeyError, TypeError, ValueError):
            raise self._not_litellm("GET /key/list", "a list of keys") from None

    def delete(self, tokens: Sequence[str]) -> None:
        """Delete keys by token. The answer proves nothing (LiteLLM echoes its input), so list the keys again afterwards."""
        for start in range(0, len(tokens), DELETE_SIZE):
            try:
                self.client.post("/key/delete", {"keys": list(tokens[start : start + DELETE_SIZE])})
            except errors.NotFound:
                continue  # all are already gone: the call arrived twice, or somebody else deleted them

    def _not_litellm(self, call: str, wanted: str) -> errors.NotLitellm:
        return errors.not_litellm(self.client.connection.base, call, wanted)
