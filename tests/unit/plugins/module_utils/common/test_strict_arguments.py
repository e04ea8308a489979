# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""What is refused before ansible-core converts it, and what is said; all modules: test_hostile_arguments.py."""

from __future__ import annotations

import math
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common.strict_arguments import refusals

SPEC: dict[str, Any] = {
    "text": {"type": "str", "aliases": ["words"]},
    "whole": {"type": "int"},
    "share": {"type": "float"},
    "tags": {"type": "list", "elements": "str"},
    "plain": {},
    "keys": {"type": "list", "elements": "dict", "options": {"rpm": {"type": "int"}, "user": {"type": "str"}}},
    "target": {"type": "dict", "options": {"url": {"type": "str"}}},
    "tree": {"type": "raw"},
}


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        ({"text": {}}, "text is a mapping; give text."),
        ({"words": ["a"]}, "words is a list; give text."),
        ({"plain": True}, "plain is true, which YAML also reads from words such as yes, no, on and off; give text, in quotes."),
        ({"whole": math.inf}, "whole is inf; give a number."),
        ({"share": "nan"}, "share is the text 'nan'; give a number."),
        ({"whole": "1e9999999"}, "whole is the text '1e9999999'; give a number."),
        ({"whole": "9" * 60}, f"whole is the text '{'9' * 40}'; give a number."),
        ({"whole": True}, "whole is true; give a number."),
        ({"tags": ["a", None]}, "tags[1] is empty; give text."),
        ({"tags": [{}]}, "tags[0] is a mapping; give text."),
        ({"tags": {"a": 1}}, "tags is a mapping; give a list."),
        ({"keys": "{}"}, "keys[0] is the text '{}'; give a mapping."),
        ({"keys": [{"user": "a"}, {"rpm": -math.inf}]}, "keys[1].rpm is -inf; give a number."),
        ({"target": 2.5}, "target is 2.5; give a mapping."),
        ({"target": {"url": []}}, "target.url is a list; give text."),
    ],
)
def test_refused(arguments: dict[str, Any], refusal: str) -> None:
    assert [told for _holder, _name, told in refusals(SPEC, arguments)] == [refusal]


@pytest.mark.parametrize(
    "arguments",
    [
        {"text": 5, "whole": "7", "share": "1e3", "tags": "a,b", "keys": [{"user": "a", "rpm": 1}], "target": '{"url": "x"}', "tree": math.inf},
        {"text": None, "whole": None, "tags": None, "keys": None, "target": None, "unknown": {}},
        {"tags": [], "keys": [], "target": {}, "text": ""},
    ],
)
def test_left_to_ansible_core(arguments: dict[str, Any]) -> None:
    assert not list(refusals(SPEC, arguments))
