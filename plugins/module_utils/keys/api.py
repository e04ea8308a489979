# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""LiteLLM's calls for managing keys. Every method makes one kind of call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from ..litellm import errors
from ..litellm.client import Client
from .key import LiveKey
from .listing import DELETED, KeyList, NoHistory

DELETE_SIZE = 1000  # which takes LiteLLM 4 to 10 s


class KeyApi:
    """The keys of one LiteLLM gateway."""

    def __init__(self, client: Client, warn: Callable[[str], None] = lambda _warning: None) -> None:
        """`warn` tells the user about keys that cannot be read as they should be."""
        self.client = client
        self._list = KeyList(client, warn)
        self.warn_once = self._list.warn_once
        self._is_admin = False

    def keys(self, **filters: Any) -> list[LiveKey]:
        """Return every key that meets `filters` (`key_alias`, `key_hash`, `user_id`, `team_id`, `expires`), sorted by token.

        Expired keys are included unless a filter says otherwise. Raises NotLitellm for a page that LiteLLM would not send.
        """
        return self._list.read(**filters)

    def keys_like(self, *parts: str, **filters: Any) -> list[LiveKey]:
        """Return every key whose alias contains one of `parts`, on every release of LiteLLM. The caller picks the aliases that it means.

        A current release takes one call for each part and for each further hundred keys found. A release that cannot search
        for a part of an alias lists all its keys, once for all `parts`.

        If one lab's GUID is the beginning of another's (lab1, lab10), a search for the first lists the second as well. LiteLLM
        can search neither by prefix nor for several aliases at once. GUIDs of the same length never overlap.
        """
        return self._list.containing(parts, **filters)

    def deleted_keys(self, **filters: Any) -> list[LiveKey] | None:
        """Return every deleted key that meets `filters`; None if the gateway keeps no deleted keys. Raises as `keys` does."""
        try:
            return self._list.read(**DELETED, **filters)
        except NoHistory:
            return None

    def deleted_keys_like(self, *parts: str, aliases: Sequence[str] = ()) -> list[LiveKey] | None:
        """Return every deleted key whose alias contains one of `parts`, with its notes; None if the gateway keeps no deleted keys.

        A value that was deleted twice is two rows. Only an admin sees them all. Keys that were deleted past LiteLLM (in its
        database) are not among them.

        Releases up to 1.83.0 search for whole aliases only, among deleted keys that nobody ever removes. There only keys with
        one of `aliases` are returned, at a call for each; without `aliases` all deleted keys are read. A gateway without
        history (up to 1.80) that has no living key either cannot be told from one whose history is empty: the list is empty.
        """
        try:
            return self._list.deleted_containing(parts, aliases)
        except NoHistory:
            return None

    def deleted_with(self, tokens: Sequence[str]) -> list[LiveKey] | None:
        """Return every deleted key that has one of `tokens`, at a call for each; None if the gateway keeps no deleted keys."""
        found: list[LiveKey] = []
        for rows in self.client.all(lambda token: self.deleted_keys(key_hash=token), list(tokens)):
            if rows is None:
                return None
            found += rows
        return found

    def check_admin(self) -> None:
        """Raise NotAdmin or Unauthorized unless the API key sees everybody's keys. Asks the gateway once.

        To a user's own key, LiteLLM answers HTTP 200 with that user's keys only, so an empty list proves nothing. Another
        user's list is refused to everybody but admins.
        """
        if self._is_admin:
            return
        self.client.get("/key/list", {"user_id": "rhpds-litellm-virtual-keys-admin-check", "size": 1})
        self._is_admin = True

    def check_sees_all(self, listed: Iterable[LiveKey]) -> None:
        """Raise as `check_admin` does unless `listed`, which the gateway listed, holds a key of no user and no team: only admins see those."""
        if not any(row.is_unowned for row in listed):
            self.check_admin()

    def now(self) -> datetime:
        """Return the gateway's time. Asks the gateway first if it has not answered yet, so that this machine's clock does not matter."""
        self.check_admin()
        return self.client.now()

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
