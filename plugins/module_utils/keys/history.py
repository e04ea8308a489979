# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The values that were revoked, as the gateway remembers them. None of them is ever minted, kept or handed out again.

Whoever knows a deleted value and may make keys can make a key with it again, under its old alias and with its old notes.
LiteLLM then lists it among the living keys and the deleted ones at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from . import derive
from .derive import ValueOf, derivable
from .key import MOST_BELIEVED, LiveKey
from .marks import is_adopted, is_former_value


class KeyHistory:
    """The deleted keys of some aliases. `value_of` derives values."""

    def __init__(self, value_of: ValueOf, deleted: Iterable[LiveKey] = ()) -> None:
        self._value_of = value_of
        self._tokens: dict[str, datetime | None] = {}
        self._latest: dict[str, int] = {}
        self._aliases: dict[str, str] = {}
        for row in deleted:
            self._tokens[row.token] = row.deleted_at
            alias = row.served_alias
            if is_former_value(row, value_of) or is_adopted(row, value_of):  # anybody may delete a key with notes of his own
                self._aliases[row.token] = alias
                if row.in_service and row.generation < MOST_BELIEVED and derivable(row, value_of):
                    self._latest[alias] = max(row.generation, self._latest.get(alias, 0))

    def deleted_before(self, token: str, moment: datetime | None) -> bool:
        """Return whether the value with this token was deleted before `moment`, by the gateway's clocks."""
        deleted_at = self._tokens.get(token)
        return deleted_at is not None and moment is not None and deleted_at < moment

    def has(self, token: str) -> bool:
        """Return whether the value with this token was deleted."""
        return token in self._tokens

    def alias_of(self, token: str) -> str:
        """Return the alias that the deleted value with this token was derived or adopted for; '' if it was neither, or not deleted."""
        return self._aliases.get(token, "")

    def revoked(self, row: LiveKey) -> bool:
        """Return whether the value of a living key was revoked before, or in service before one that was."""
        if row.token in self._tokens:
            return True
        return row.in_service and row.generation < self._latest.get(row.served_alias, 0) and derivable(row, self._value_of)

    def has_later(self, row: LiveKey) -> bool:
        """Return whether a later value of the alias that `row` serves, or served, was deleted."""
        return row.generation < self._latest.get(row.served_alias, 0)

    def next_generation(self, alias: str, least: int, living: Collection[str] = ()) -> int:
        """Return the lowest generation from `least` on whose value is not among the `living` tokens, and was never deleted, nor any later one."""
        generation = max(least if least < MOST_BELIEVED else 0, self._latest.get(alias, -1) + 1)
        while (token := derive.token(self._value_of(alias, generation))) in self._tokens or token in living:  # its notes were lost, or never written
            generation += 1
        return generation
