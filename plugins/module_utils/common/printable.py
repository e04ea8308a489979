# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Text from outside, made safe to show in a terminal, a log, a table or an error message."""

from __future__ import annotations

import re
import unicodedata

# Within a word such as `task-force`, only what is too long to be part of a word counts as a key.
_KEY = re.compile(r"(?:(?<![A-Za-z0-9])sk-[A-Za-z0-9_\-.…]{4,}|sk-[A-Za-z0-9_\-.…]{16,})")
_LONGEST_MESSAGE = 600
_UNSEEN = frozenset(("Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"))


def printable(text: str, longest: int = 300) -> str:
    """Return `text` on one line: control, escape and direction characters become blanks, and a long text is cut with `…`."""
    seen = "".join(" " if unicodedata.category(character) in _UNSEEN else character for character in text[: 4 * longest])
    seen = " ".join(seen.split())
    return seen if len(seen) <= longest else seen[: longest - 1] + "…"


def redact(text: str) -> str:
    """Return `text` without anything that looks like a key, even LiteLLM's shortened `sk-...abcd`, cut to 600 characters."""
    clean = _KEY.sub("sk-***", text)
    return clean if len(clean) <= _LONGEST_MESSAGE else clean[:_LONGEST_MESSAGE] + "…"


def quoted(value: object, longest: int = 80) -> str:
    """Return what somebody gave in quotes, for an error message.

    It is on one line and cut, blanks and what cannot be seen are visible, and nothing in it looks like a key.
    """
    text = str(value)
    return redact(repr(text if len(text) <= longest else text[: longest - 1] + "…"))
