# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Read usage from a gateway: its daily totals, and to whom their keys belong, also after the keys were deleted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from ..keys.api import PAGE_SIZE, Gateway
from ..keys.key import LiveKey
from ..keys.lab import Lab
from ..litellm import errors
from .tables import MASTER_KEY, Book, Days, KeyNotes

# How many daily sums to ask for at a time, where they are spread over several days: their JSON is 2 KB each.
WINDOW_SUMS = 5_000
# A lab with up to this many keys is read key by key, which spares the gateway adding all others up.
FEW_KEYS = 24


def read_book(gateway: Gateway, days: Days, tokens: Collection[str] | None = None) -> Book:
    """The totals of these days: of all keys, or at least of those with these tokens. Raises GatewayError."""
    book = Book()
    if tokens is not None and len(tokens) <= FEW_KEYS:
        for answer in gateway.each(lambda token: gateway.daily_activity(days.first, days.last, token), sorted(tokens)):
            if isinstance(answer, errors.GatewayError):
                raise answer
            _enter(gateway, book, answer)
        return book
    sums = gateway.daily_sums(days.first, days.last)
    for window in days.windows(-(-sums // WINDOW_SUMS)) if sums else []:
        _enter(gateway, book, gateway.daily_activity(window.first, window.last))
    return book


def _enter(gateway: Gateway, book: Book, answer: Mapping[str, object]) -> None:
    try:
        book.enter(answer)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise errors.NotLitellm(
            f"{gateway.client.connection.base} answered with daily totals of another shape than LiteLLM's ({type(error).__name__}: {error});"
            " see whether its release is one that this collection knows."
        ) from None


def read_notes(gateway: Gateway, book: Book, known: Iterable[KeyNotes] = (), *, all_that_live: bool = False) -> dict[str, KeyNotes]:
    """To whom each key in `book` belongs. With `all_that_live`, `known` has every key that lives. Raises GatewayError."""
    notes = {key.token: key for key in known}
    missing = book.tokens - notes.keys()
    for deleted in (True,) if all_that_live else (False, True):
        rows = _rows(gateway, missing, deleted=deleted) if missing else []
        notes |= {row.token: KeyNotes.of_row(row, deleted=deleted) for row in rows}
        missing -= notes.keys()
    return notes | {token: KeyNotes.of_told(token, book.told.get(token, {})) for token in {*missing, "", MASTER_KEY}}


def _rows(gateway: Gateway, tokens: Collection[str], *, deleted: bool) -> list[LiveKey]:
    """The keys with these tokens that LiteLLM has: one by one or by pages, whichever is fewer calls."""
    status = {"status": "deleted"} if deleted else {}
    pages = -(-gateway.count_keys(**status) // PAGE_SIZE)
    if pages == 0:
        return []
    if pages < len(tokens):
        return [row for row in gateway.keys(**status) if row.token in tokens]
    found = gateway.each(lambda token: list(gateway.keys(key_hash=token, **status)), sorted(tokens))
    for rows in found:
        if isinstance(rows, errors.GatewayError):
            raise rows
    return [row for rows in found if not isinstance(rows, errors.GatewayError) for row in rows]


def rows_of_lab(gateway: Gateway, lab: Lab, *, deleted: bool, thorough: bool = True) -> list[LiveKey]:
    """The lab's keys that live, or those that were deleted. Without `thorough`, LiteLLM is believed to find parts of aliases. Raises GatewayError."""
    status = {"status": "deleted"} if deleted else {}
    return [row for row in gateway.keys_like(lab.alias, thorough=thorough and not deleted, **status) if lab.covers(row)]
