# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
from __future__ import annotations

import itertools
import time

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval.pattern import (
    covers,
    domain_pattern,
    email_pattern,
    matches,
)
from hypothesis import example, given
from hypothesis import strategies as st

PATTERNS = st.text("ab*?", max_size=6)
TEXTS = st.text("abc", max_size=6)


def naive(pattern: str, text: str) -> bool:
    """Match by the definition, slowly."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(naive(pattern[1:], text[start:]) for start in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and naive(pattern[1:], text[1:])


@given(PATTERNS, TEXTS)
@example("*", "")
@example("?", "")
def test_wildcards_mean_what_the_definition_says(pattern: str, text: str) -> None:
    assert matches(pattern, text) is naive(pattern, text)


@given(st.text(max_size=20))
def test_other_characters_stand_for_themselves(text: str) -> None:
    plain = text.replace("*", "").replace("?", "")
    assert matches(plain, plain)
    assert not matches(plain + "x", plain)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("gpt-4*", "gpt-4", True),
        ("gpt-4*", "gpt-4o-mini", True),
        ("gpt-4*", "my-gpt-4", False),
        ("ollama/*", "ollama/llama2", True),
        ("ollama/*", "ollama/a/b", True),
        ("GPT-4*", "gpt-4O", True),
        ("gpt-?", "gpt-4", True),
        ("gpt-?", "gpt-", False),
        ("a[bc]", "ab", False),
        ("a[bc]", "a[bc]", True),
        ("a.c", "abc", False),
        ("gpt-4", "gpt-4\n", False),
        ("\u212a", "k", False),
    ],
)
def test_patterns_of_the_seeds_and_their_edges(pattern: str, text: str, expected: bool) -> None:
    assert matches(pattern, text) is expected


def test_a_nasty_pattern_is_not_slower() -> None:
    started = time.perf_counter()
    assert not matches("*a" * 30 + "b", "a" * 256)
    assert time.perf_counter() - started < 1


@given(PATTERNS, PATTERNS, TEXTS)
def test_a_covering_pattern_matches_all_that_the_other_does(general: str, special: str, text: str) -> None:
    if covers(general, special) and matches(special, text):
        assert matches(general, text)


WORDS = ["".join(letters) for length in range(6) for letters in itertools.product("abz", repeat=length)]


@given(st.text("ab*?", max_size=4), st.text("ab*?", max_size=3))
@example("?*", "*?")
@example("a*", "a*?")
@example("??*", "?*a")
@example("*a*", "*a")
def test_a_pattern_that_matches_all_that_the_other_does_covers_it(general: str, special: str) -> None:
    # No pattern has the letter z, and texts of five letters are enough to distinguish patterns of this length.
    if all(matches(general, word) for word in WORDS if matches(special, word)):
        assert covers(general, special)


def test_covering_is_not_slower_for_nasty_patterns() -> None:
    started = time.perf_counter()
    assert covers("*a*" * 20, "*a" * 60)
    assert not covers("*a?" * 20, "*a" * 19)
    assert time.perf_counter() - started < 1


def test_email_patterns_have_their_domain_in_ascii() -> None:
    assert email_pattern("*@Bücher.example".replace("B", "b")) == "*@xn--bcher-kva.example"
    assert email_pattern("*@*.Example.com") == "*@*.example.com"
    assert domain_pattern("*") == "*"
    with pytest.raises(ValueError, match="wildcard beside non-ASCII"):
        email_pattern("*@*ü.example")
