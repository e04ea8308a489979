# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

import datetime
import math
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.workload import values

READERS: dict[str, Callable[[Any], Any]] = {
    "text": lambda value: values.text(value, "it"),
    "flag": lambda value: values.flag(value, "it", True),
    "whole": lambda value: values.whole_number(value, "it", 0, 100),
    "number": lambda value: values.number(value, "it", -1, 100, "USD"),
    "duration": lambda value: values.duration(value, "it", never=True),
    "texts": lambda value: values.text_list(value, "it"),
    "messages": lambda value: values.messages(value, "it"),
    "mapping": lambda value: values.mapping(value, "it"),
    "choice": lambda value: values.choice(value, "it", ("fail", "rotate")),
}


@pytest.mark.parametrize(
    ("reader", "given", "expected"),
    [
        ("text", "12e45", "12e45"),
        ("text", "0123", "0123"),
        ("text", " a ", " a "),
        ("text", 123, "123"),
        ("text", datetime.date(2026, 12, 31), "2026-12-31"),
        ("text", None, ""),
        ("flag", "yes", True),
        ("flag", "False", False),
        ("flag", 0, False),
        ("flag", "", True),
        ("flag", None, True),
        ("whole", "03", 3),
        ("whole", 3.0, 3),
        ("whole", "3.0", 3),
        ("whole", " 3 ", 3),
        ("whole", "", None),
        ("number", "1e-3", 0.001),
        ("number", "2", 2.0),
        ("number", -1, -1.0),
        ("number", "", None),
        ("duration", "30d", "30d"),
        ("duration", "never", "never"),
        ("duration", " 7d ", "7d"),
        ("duration", None, ""),
        ("texts", ["a", 1], ["a", "1"]),
        ("texts", "granite", ["granite"]),
        ("texts", "a, b,", ["a", "b"]),
        ("texts", '["a", "b"]', ["a", "b"]),
        ("texts", "['a', 'b']", ["a", "b"]),
        ("texts", "[a, 1]", ["a", "1"]),
        ("texts", [], []),
        ("texts", " ", None),
        ("texts", None, None),
        ("messages", "one, and only one", ["one, and only one"]),
        ("messages", ["a", 1], ["a", "1"]),
        ("messages", "", []),
        ("mapping", {"a": 1}, {"a": 1}),
        ("mapping", {1: 2}, {"1": 2}),
        ("mapping", '{"a": [1]}', {"a": [1]}),
        ("mapping", None, None),
        ("choice", "", "fail"),
        ("choice", " rotate ", "rotate"),
    ],
)
def test_a_value_is_read_whatever_way_it_was_passed(reader: str, given: Any, expected: Any) -> None:
    found = READERS[reader](given)
    assert found == expected and type(found) is type(expected)


NONSENSE: tuple[Any, ...] = (
    True,
    1.5e45,
    math.nan,
    math.inf,
    [],
    ["a", None],
    [[]],
    {"a": 1},
    {None: 1},
    "x y",
    "[a",
    "{a",
    "[1, 2",
    "1_000",
    "many",
    b"a",
    object(),
)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("given", NONSENSE, ids=map(str, range(len(NONSENSE))))
def test_any_value_is_read_or_refused_in_one_sentence_that_names_the_variable(reader: str, given: Any) -> None:
    message = ""
    try:
        READERS[reader](given)
    except ValueError as error:
        message = str(error)
    assert not message or (message.startswith(("it", "a name in it")) and message.endswith(".") and len(message) < 250)


@pytest.mark.parametrize(
    ("reader", "given", "words"),
    [
        ("text", True, "it was read as a truth value; put it in quotes."),
        ("text", 1.2e46, "it was read as a number; put it in quotes."),
        ("text", ["sk-hush"], "it is a list; give a text."),
        ("whole", "many", "it is 'many'; give a whole number from 0 to 100."),
        ("whole", "1_000", "it is '1_000'; give a whole number from 0 to 100."),
        ("whole", 101, "it is '101'; give a whole number from 0 to 100."),
        ("whole", True, "it is true; give a whole number"),
        ("number", "nan", "it is 'nan'; give a number of USD from -1 to 100."),
        ("number", [], "it is a list; give a number"),
        ("flag", "perhaps", "it is 'perhaps'; give true or false."),
        ("duration", "soon", "it is 'soon', which is not a duration"),
        ("texts", {"a": 1}, "it is a mapping; give a list of texts."),
        ("texts", ["a", None], "it[1] is empty; take it out of the list."),
        ("texts", [{}], "it[0] is a mapping; give a text."),
        ("texts", "[a", "it is a text that begins like a list, but is neither JSON nor YAML; correct it."),
        ("mapping", "a", "it is a text; give a mapping of names to values."),
        ("choice", "x", "it is 'x'; it must be one of fail, rotate."),
    ],
)
def test_an_error_says_what_is_wrong_and_what_to_do(reader: str, given: Any, words: str) -> None:
    with pytest.raises(ValueError, match="^it") as caught:
        READERS[reader](given)
    assert words in str(caught.value)
    assert "hush" not in str(caught.value)
