# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Marks in a key's notes that only who has the secret can make, so that nobody passes off a key of his own as one of the collection's."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ..common import names
from . import derive
from .derive import ValueOf, derivable, lost_generation
from .key import LiveKey, Notes


def is_adopted(row: LiveKey, value_of: ValueOf) -> bool:
    """Return whether somebody with the secret has taken the key over with the value that it has, which stays until a rotation."""
    return row.notes is not None and row.notes.adopted == adoption_mark(row, value_of)


def is_trusted(row: LiveKey, value_of: ValueOf) -> bool:
    """Return whether a key's settings may pass to its successor: it has a derived or an adopted value, or was made with the master key.

    Anybody who may create keys can make one under a lab's alias that is free, and give it notes, a user and callbacks of his own.
    """
    return row.made_by_admin or derivable(row, value_of) or is_adopted(row, value_of)


def is_former_value(row: LiveKey, value_of: ValueOf) -> bool:
    """Return whether a rotation retired this value: it can be derived, or has the mark that only who has the secret can make."""
    return derivable(row, value_of) or (row.notes is not None and row.notes.retired_mark == retirement_mark(row, value_of))


def retirement_mark(row: LiveKey, value_of: ValueOf) -> str:
    return derive.token(value_of(f"retired\0{row.served_alias}\0{row.token}", 0))


def untaken_retired_alias(row: LiveKey, alias: str, value_of: ValueOf, taken: Collection[str]) -> str:
    """Return an alias for a value that is taken off `alias`, none of `taken`. Nobody without the secret can foresee it and take it first."""
    number = 0
    while (found := names.retired_alias(alias, derive.token(value_of(f"retired alias\0{alias}\0{row.token}", number)))) in taken:
        number += 1
    return found


def adoption_mark(row: LiveKey, value_of: ValueOf) -> str:
    """Return the mark of an adopted value. Only who has the secret can make it, so nobody passes off a value of his own as adopted."""
    return derive.token(value_of(f"adopted\0{row.served_alias}\0{row.token}", 0))


def with_own_generation(row: LiveKey, value_of: ValueOf) -> LiveKey:
    """Return a key with the generation that its value proves, whatever its notes say: somebody removed or changed them."""
    if derivable(row, value_of) or is_adopted(row, value_of):
        return row
    generation = lost_generation(row, value_of)
    return row if generation is None else replace(row, notes=replace(row.notes or Notes(guid=row.guid), generation=generation))
