# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.text import check_text, clip, is_plain
from hypothesis import given
from hypothesis import strategies as st


@given(st.text(), st.integers(1, 50))
def test_messages_of_machines_are_cleaned_for_a_record(text: str, longest: int) -> None:
    clean = clip(text, longest)
    assert check_text(clean, "reason", longest) == clean
    assert is_plain(clean)


@given(st.text(alphabet="abcXYZ0189_-", min_size=20, max_size=60), st.text(max_size=20), st.text(max_size=20))
def test_keys_are_removed(value: str, before: str, after: str) -> None:
    text = f"{before} sk-{value} {after}"
    assert f"sk-{value}" not in clip(text, 1000)
    with pytest.raises(ValueError, match="looks like a key") as caught:
        check_text(text, "purpose", 1000)
    assert value not in str(caught.value)


def test_ordinary_words_are_not_keys() -> None:
    for words in ("the task-management-system-overview page", "sk-learn", "Straße 5, 東京, naïve 😀👩‍💻"):
        assert check_text(words, "purpose", 100) == words


def test_line_breaks_only_where_they_belong() -> None:
    assert check_text("one\r\ntwo", "reason", 100, lines=True) == "one\ntwo"
    with pytest.raises(ValueError, match="control"):
        check_text("one\ntwo", "actor", 100)
