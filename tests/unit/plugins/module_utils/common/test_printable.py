# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common.printable import printable
from hypothesis import given
from hypothesis import strategies as st


def test_escapes_and_line_breaks_become_blanks() -> None:
    assert printable("a\x1b[31mred\r\nb\u202ec\x9bd") == "a [31mred b c d"


def test_long_text_is_cut() -> None:
    assert printable("x" * 10_000, 20) == "x" * 19 + "…"


@given(st.text(max_size=2000), st.integers(1, 100))
def test_always_printable_and_short(text: str, longest: int) -> None:
    seen = printable(text, longest)
    assert seen.isprintable()
    assert len(seen) <= longest
