# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Read usage from a gateway: its daily totals, and the owners of their keys, even after the keys were deleted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import Any

from ..keys.api import KeyApi
from ..keys.key import LiveKey
from ..keys.listing import PAGE_SIZE
from ..litellm import errors
from ..litellm.client import Client
from .tables import MASTER_KEY, Book, Days, KeyIdentity

# The number of daily sums to request at a time, if they are spread over several days: each takes 2 KB of JSON.
WINDOW_SUMS = 5_000
# Up to this many keys are read key by key, which spares the gateway from adding up all others.
FEW_KEYS = 24


class UsageApi:
    """LiteLLM's daily totals on one gateway. Days are in UTC."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def daily_activity(self, first: date, last: date, token: str = "") -> Mapping[str, Any]:
        """Return the usage of all keys, or of the one with `token`, in these days, which the gateway adds up by day, key and model."""
        path = "/user/daily/activity/aggregated"
        answer = self._activity(path, first, last, **({"api_key": token} if token else {}))
        if not isinstance(answer.get("results"), list):
            raise self._not_litellm(path)
        return answer

    def daily_sums(self, first: date, last: date) -> int:
        """Return how many rows `daily_activity` would add up: one for each day, key, user, model and route."""
        path = "/user/daily/activity"
        answer = self._activity(path, first, last, page_size=1)
        try:
            return int(answer["metadata"]["total_pages"])
        except (KeyError, TypeError, ValueError):
            raise self._not_litellm(path) from None

    def _activity(self, path: str, first: date, last: date, **more: Any) -> Mapping[str, Any]:
        try:
            answer = self.client.get(path, {"start_date": first.isoformat(), "end_date": last.isoformat(), **more})
        except errors.NotFound as error:
            raise errors.NotFound(
                f"the LiteLLM at {self.client.connection.base} does not add usage up by day ({path}); update it to a release that does.", status=error.status
            ) from None
        if not isinstance(answer, Mapping):
            raise self._not_litellm(path)
        return answer

    def _not_litellm(self, path: str) -> errors.NotLitellm:
        return errors.not_litellm(self.client.connection.base, f"GET {path}", "daily totals")


def read_book(client: Client, days: Days, tokens: Collection[str] | None = None) -> Book:
    """Return the totals of `days` for all keys, or at least for those with these tokens. Raises GatewayError."""
    book, api = Book(), UsageApi(client)
    if tokens is not None and len(tokens) <= FEW_KEYS:
        for answer in client.all(lambda token: api.daily_activity(days.first, days.last, token), sorted(tokens)):
            _enter(client, book, answer)
        return book
    sums = api.daily_sums(days.first, days.last)
    for window in days.windows(-(-sums // WINDOW_SUMS)) if sums else []:
        _enter(client, book, api.daily_activity(window.first, window.last))
    return book


def _enter(client: Client, book: Book, answer: Mapping[str, object]) -> None:
    try:
        book.enter(answer)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise errors.NotLitellm(
            f"{client.connection.base} answered with daily totals of another shape than LiteLLM's ({type(error).__name__}: {error});"
            " see whether its release is one that this collection knows."
        ) from None


def read_identities(api: KeyApi, book: Book, known: Iterable[KeyIdentity] = (), *, knows_all_living: bool = False) -> dict[str, KeyIdentity]:
    """Return to whom each key in `book` belongs. With `knows_all_living`, `known` has every living key. Raises GatewayError."""
    notes = {key.token: key for key in known}
    missing = book.tokens - notes.keys()
    for deleted in (True,) if knows_all_living else (False, True):
        rows = _rows(api, missing, deleted=deleted) if missing else []
        notes |= {row.token: KeyIdentity.of_row(row, deleted=deleted) for row in rows}
        missing -= notes.keys()
    return notes | {token: KeyIdentity.from_metadata(token, book.metadata.get(token, {})) for token in {*missing, "", MASTER_KEY}}


def _rows(api: KeyApi, tokens: Collection[str], *, deleted: bool) -> list[LiveKey]:
    """Return the keys with these tokens that LiteLLM has, read one by one or page by page, whichever takes fewer calls."""
    status = {"status": "deleted"} if deleted else {}
    pages = -(-api.count_keys(**status) // PAGE_SIZE)
    if pages == 0:
        return []
    read = api.deleted_keys if deleted else api.keys
    if pages < len(tokens):
        return [row for row in read() or [] if row.token in tokens]
    found = api.client.all(lambda token: read(key_hash=token) or [], sorted(tokens))
    return [row for rows in found for row in rows]
