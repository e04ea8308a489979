# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Wildcard patterns: `*` matches any characters, `?` matches one, all others match themselves. The case of A to Z is ignored."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from functools import cache, lru_cache

from ...module_utils.common.email_address import ascii_domain, ascii_lower

# Represents a letter that no pattern names, the hardest one to match of all that a wildcard matches.
_OTHER = ""


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    # fnmatch's translation does not backtrack exponentially. Our patterns do not have its [...] sets.
    return re.compile(fnmatch.translate(ascii_lower(pattern).replace("[", "[[]")))


def matches(pattern: str, text: str) -> bool:
    """Return whether the whole `text` matches."""
    return _compiled(pattern).match(ascii_lower(text)) is not None


def first_match(patterns: Iterable[str], text: str) -> str | None:
    """Return the first pattern that matches, or None."""
    return next((pattern for pattern in patterns if matches(pattern, text)), None)


def covers(general: str, special: str) -> bool:
    """Return whether `general` matches everything that `special` matches."""
    wide, narrow = ascii_lower(general), ascii_lower(special)

    # Both are read from the left. `places` are the possible positions in `wide` after the letters read so far.
    def at(places: Iterable[int]) -> frozenset[int]:
        open_places = set(places)
        for place in range(len(wide)):
            if place in open_places and wide[place] == "*":
                open_places.add(place + 1)
        return frozenset(open_places)

    def after(places: frozenset[int], letter: str) -> frozenset[int]:
        steps = ((place, wide[place]) for place in places if place < len(wide))
        return at(place if symbol == "*" else place + 1 for place, symbol in steps if symbol in ("*", "?", letter))

    @cache
    def all_of(rest: str, places: frozenset[int]) -> bool:
        if not rest:
            return len(wide) in places
        if rest[0] != "*":
            return all_of(rest[1:], after(places, _OTHER if rest[0] == "?" else rest[0]))
        seen: set[frozenset[int]] = set()
        while places not in seen:  # any number of letters, from none
            if not all_of(rest[1:], places):
                return False
            seen.add(places)
            places = after(places, _OTHER)
        return True

    return all_of(narrow, at((0,)))


def email_pattern(pattern: str) -> str:
    """Return a pattern for addresses with its domain in ASCII form, in which addresses are compared. Raises ValueError.

    A label with a wildcard must be written in ASCII.
    """
    local, at, domain = pattern.rpartition("@")
    return ascii_lower(local) + at + domain_pattern(domain)


def domain_pattern(pattern: str) -> str:
    """Return a pattern for domains in ASCII form. Raises ValueError."""
    labels = []
    for label in ascii_lower(pattern).split("."):
        if label.isascii():
            labels.append(label)
        elif "*" in label or "?" in label:
            raise ValueError(f"{pattern!r} has a wildcard beside non-ASCII letters; write that part in its ASCII form (xn--...)")
        else:
            try:
                labels.append(ascii_domain(f"{label}.example").removesuffix(".example"))
            except ValueError as error:
                raise ValueError(f"{pattern!r} cannot be compared with addresses: {error}") from None
    return ".".join(labels)
