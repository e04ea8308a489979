# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Wildcard patterns: `*` stands for any characters, `?` for one, everything else for itself. Case of A to Z does not count."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import groupby

from ...module_utils.email_address import ascii_domain, ascii_lower


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    # fnmatch's own translation does not backtrack exponentially; its [...] sets are no part of our patterns.
    return re.compile(fnmatch.translate(ascii_lower(pattern).replace("[", "[[]")))


def matches(pattern: str, text: str) -> bool:
    """Whether the whole of `text` matches."""
    return _compiled(pattern).match(ascii_lower(text)) is not None


def first_match(patterns: Iterable[str], text: str) -> str | None:
    """The first pattern that matches, or None."""
    return next((pattern for pattern in patterns if matches(pattern, text)), None)


def _normal(pattern: str) -> str:
    """The same pattern with every run of wildcards as `?`s and then at most one `*`."""
    parts = []
    for wild, run in groupby(ascii_lower(pattern), key=lambda character: character in "*?"):
        text = "".join(run)
        parts.append("?" * text.count("?") + "*" * ("*" in text) if wild else text)
    return "".join(parts)


def covers(general: str, special: str) -> bool:
    """Whether everything that `special` matches is matched by `general` as well."""
    wide, narrow = _normal(general), _normal(special)
    # reach[j]: wide[:i] covers narrow[:j]
    reach = [True] + [False] * len(narrow)
    for symbol in wide:
        if symbol == "*":
            for j in range(1, len(reach)):
                reach[j] = reach[j] or reach[j - 1]
        else:
            reach = [False] + [
                reach[j] and (narrow[j] == symbol or (symbol == "?" and narrow[j] != "*")) for j in range(len(narrow))
            ]
    return reach[-1]


def email_pattern(pattern: str) -> str:
    """A pattern for addresses with its domain in ASCII form, as addresses are compared. Raises ValueError.

    A label with a wildcard in it must be written in ASCII.
    """
    local, at, domain = pattern.rpartition("@")
    return ascii_lower(local) + at + domain_pattern(domain)


def domain_pattern(pattern: str) -> str:
    """A pattern for domains in ASCII form. Raises ValueError."""
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
