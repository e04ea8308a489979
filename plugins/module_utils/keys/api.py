# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""LiteLLM's key management in the words of this collection. Every method is one kind of call, or its pages."""

from __future__ import annotations

import fnmatch
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from typing import Any, TypeVar

from ..common.names import MODEL_WORDS
from ..litellm import errors
from ..litellm.client import Client
from .key import LiveKey

PAGE_SIZE = 100  # LiteLLM answers 422 to more
DELETE_SIZE = 1000  # which takes LiteLLM 4 to 10 s
LONG_PART = 8  # letters of an alias; with one letter less it still tells one from another, and a lab's alias has more

Item = TypeVar("Item")
Result = TypeVar("Result")


class Gateway:
    """The keys of one LiteLLM gateway."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._finds_parts: bool | None = None
        self._is_admin = False

    def keys(self, **filters: Any) -> Iterator[LiveKey]:
        """Every key that LiteLLM lists for `filters` (`key_alias`, `user_id`, `team_id`, `expires`, ...), page by page.

        Expired keys are included unless a filter says otherwise. Raises NotLitellm when a page is not what LiteLLM sends.
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
        """Every key whose alias contains `part`, as LiteLLM matches it: the caller compares again exactly.

        Some releases of LiteLLM know whole aliases only, whatever they are asked. With `thorough` that is found out,
        which may take a call or two, and then all keys are read.

        Where one lab's GUID begins another's (lab1, lab10), a search for the first lists the second too: a page more for
        each hundred keys of the second. LiteLLM can neither search for a beginning nor for one alias or another, so to be
        exact would take a call for each alias, or for every lab one call more than now. GUIDs of one length never meet so.
        """
        # Without its first letter a long part finds the same aliases, and what it finds shows that parts are known.
        shorter = thorough and self._finds_parts is None and len(part) >= LONG_PART
        search = part[1:] if shorter else part
        rows = [row for row in self.keys(key_alias=search, substring_matching="true", **filters) if part in row.alias]
        if any(row.alias != search for row in rows):
            self._finds_parts = True
        elif thorough and not self._searches_parts(rows):
            rows = [row for row in self.keys(**filters) if part in row.alias]
        return rows

    def _searches_parts(self, rows: Sequence[LiveKey]) -> bool:
        """Whether LiteLLM finds an alias by a part of it, tried with one of `rows`, or with any that there is."""
        if self._finds_parts is None:
            aliases = [row.alias for row in rows or itertools.islice(self.keys(), PAGE_SIZE) if len(row.alias) > 1]
            self._finds_parts = not aliases or any(row.alias == aliases[0] for row in self.keys(key_alias=aliases[0][:-1], substring_matching="true"))
        return self._finds_parts

    def check_admin(self) -> None:
        """Raises NotAdmin or Unauthorized unless the API key sees everybody's keys.

        To a user's own key LiteLLM lists that user's keys, with HTTP 200: an empty list proves nothing. Another
        user's list is refused to all but admins. Asked once.
        """
        if self._is_admin:
            return
        self.client.get("/key/list", {"user_id": "rhpds-litellm-virtual-keys-admin-check", "size": 1})
        self._is_admin = True

    def now(self) -> datetime:
        """The gateway's time. One that has not answered yet is asked first, so that this machine's clock decides nothing."""
        self.check_admin()
        return self.client.now()

    def models(self) -> list[str]:
        """The names of models and of model access groups that the gateway serves."""
        answer = self.client.get("/models", {"include_model_access_groups": "true"})
        try:
            return sorted({str(model["id"]) for model in answer["data"]})
        except (KeyError, TypeError):
            raise self._not_litellm("GET /models", "a list of models") from None

    def team_exists(self, team_id: str) -> bool:
        """Whether LiteLLM has the team: it accepts a key for a team that it has not, and then refuses the key's calls."""
        try:
            self.client.get("/team/info", {"team_id": team_id})
        except errors.NotFound:
            return False
        return True

    def count_keys(self, **filters: Any) -> int:
        """How many keys LiteLLM would list for `filters`."""
        answer = self.client.get("/key/list", {"size": 1, **filters})
        try:
            return int(answer["total_count"])
        except (KeyError, TypeError, ValueError):
            raise self._not_litellm("GET /key/list", "a list of keys") from None

    def daily_activity(self, first: date, last: date, token: str = "") -> Mapping[str, Any]:
        """What was used in these days (UTC), of all keys or of one, added up by the gateway's database: by day, key and model."""
        answer = self._activity("/user/daily/activity/aggregated", first, last, **({"api_key": token} if token else {}))
        if not isinstance(answer.get("results"), list):
            raise self._not_litellm("GET /user/daily/activity/aggregated", "daily totals")
        return answer

    def daily_sums(self, first: date, last: date) -> int:
        """Of how many rows `daily_activity` would be added up: one for each day, key, user, model and route."""
        answer = self._activity("/user/daily/activity", first, last, page_size=1)
        try:
            return int(answer["metadata"]["total_pages"])
        except (KeyError, TypeError, ValueError):
            raise self._not_litellm("GET /user/daily/activity", "daily totals") from None

    def _activity(self, path: str, first: date, last: date, **more: Any) -> Mapping[str, Any]:
        try:
            answer = self.client.get(path, {"start_date": first.isoformat(), "end_date": last.isoformat(), **more})
        except errors.NotFound as error:
            raise errors.NotFound(
                f"the LiteLLM at {self.client.connection.base} does not add usage up by day ({path}); update it to a release that does.", status=error.status
            ) from None
        if not isinstance(answer, Mapping):
            raise self._not_litellm(f"GET {path}", "daily totals")
        return answer

    def _not_litellm(self, what: str, wanted: str) -> errors.NotLitellm:
        base = self.client.connection.base
        return errors.NotLitellm(f"{base} answered {what} with something that is not {wanted}; check that url is the address of a LiteLLM gateway.")

    def delete(self, tokens: Sequence[str]) -> None:
        """Delete by token. The answer tells nothing (LiteLLM echoes what it was given): look again afterwards."""
        for start in range(0, len(tokens), DELETE_SIZE):
            try:
                self.client.post("/key/delete", {"keys": list(tokens[start : start + DELETE_SIZE])})
            except errors.NotFound:
                continue  # all gone already: a repeated call, or somebody else's

    def each(self, work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result | errors.GatewayError]:
        """`work` on every item, several at a time; a GatewayError takes the place of its result."""

        def run(item: Item) -> Result | errors.GatewayError:
            try:
                return work(item)
            except errors.GatewayError as error:
                return error

        with ThreadPoolExecutor(self.client.connection.parallel_calls) as pool:
            return list(pool.map(run, items))


def unserved(wanted: Iterable[str], served: Sequence[str]) -> list[str]:
    """The models in `wanted` that are neither served, nor covered by a served wildcard such as `openai/*`, nor a word of LiteLLM's."""
    exact = {*served, *MODEL_WORDS}
    patterns = [name for name in served if "*" in name]
    return [name for name in dict.fromkeys(wanted) if name not in exact and not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]
