# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Text from outside, made safe to show in a terminal, a log or a table."""

from __future__ import annotations

import unicodedata

_UNSEEN = frozenset(("Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"))


def printable(text: str, longest: int = 300) -> str:
    """`text` on one line: control, escape and direction characters become blanks, and what is longer is cut with `…`."""
    seen = "".join(" " if unicodedata.category(character) in _UNSEEN else character for character in text[: 4 * longest])
    seen = " ".join(seen.split())
    return seen if len(seen) <= longest else seen[: longest - 1] + "…"
