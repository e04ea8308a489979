# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Values are found wherever they were delivered, and no other text is taken for a value."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.known_values import known_values, texts

ONE, TWO = "sk-Zr4BQ1Yk7T0x-hY_2cZLsw", derive.value("a secret of sixteen", "virtkey-abc")


@pytest.mark.parametrize(
    "tree",
    [
        {"users": {"user1": {"litellm_virtual_key": ONE}}, "litellm_user2_virtual_key": TWO},
        [f"LiteLLM Virtual Key: {ONE}", f"and {TWO}."],
        f"a: {ONE}\nb: '{TWO}'\n",
        {"data": {"one": base64.b64encode(ONE.encode()).decode(), "two": base64.b64encode(TWO.encode()).decode()}},
    ],
    ids=["user data", "messages", "the text of a file", "a Secret"],
)
def test_values_are_found_by_their_hash(tree: Any) -> None:
    assert known_values(tree) == {derive.token(ONE): ONE, derive.token(TWO): TWO}


@pytest.mark.parametrize("tree", [None, "", 7, True, {}, [], "sk-short", "task-force-of-many-people", "c2st====", "c2st/w==", {"sk-as-a-name-of-something": 1}])
def test_nothing_else_is_a_value(tree: Any) -> None:
    assert known_values(tree) == {}


def test_texts_are_those_that_ansible_would_mask() -> None:
    assert sorted(texts({"a": ["x", 5, {"b": "y"}], "c": None})) == ["5", "x", "y"]
