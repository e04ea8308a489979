# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""What is refused before ansible-core converts it, and what is said; all modules: test_hostile_arguments.py."""

from __future__ import annotations

import math
from typing import Any

import pytest
from ansible.module_utils.errors import AnsibleFallbackNotFound
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common.options import filled_env_fallback, usable_arguments

SPEC: dict[str, Any] = {
    "text": {"type": "str", "aliases": ["words"]},
    "whole": {"type": "int"},
    "share": {"type": "float"},
    "create": {"type": "bool", "default": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "format": {"type": "str", "choices": ["a", "b"]},
    "dest": {"type": "path"},
    "tags": {"type": "list", "elements": "str"},
    "plain": {},
    "keys": {"type": "list", "elements": "dict", "options": {"rpm": {"type": "int"}, "user": {"type": "str"}, "create": {"type": "bool"}}},
    "target": {"type": "dict", "options": {"url": {"type": "str"}}},
    "settings": {"type": "dict"},
    "pin": {"type": "int", "no_log": True},
    "tree": {"type": "raw"},
}


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        ({"text": {}}, "text is a mapping; give text."),
        ({"words": ["a"]}, "words is a list; give text."),
        ({"text": math.nan}, "text is nan; give text."),
        ({"plain": True}, "plain is true, which YAML also reads from words such as yes, no, on and off; give text, in quotes."),
        ({"whole": math.inf}, "whole is inf; give a whole number."),
        ({"whole": "1.5"}, "whole is the text '1.5'; give a whole number."),
        ({"whole": 1.5}, "whole is 1.5; give a whole number."),
        ({"whole": ""}, "whole is the text ''; give a whole number."),
        ({"whole": "many"}, "whole is the text 'many'; give a whole number."),
        ({"share": "nan"}, "share is the text 'nan'; give a number."),
        ({"whole": "1e9999999"}, "whole is the text '1e9999999'; give a whole number."),
        ({"whole": "9" * 60}, f"whole is the text '{'9' * 39}…'; give a whole number."),
        ({"whole": "sk-0123456789abcdef"}, "whole is the text 'sk-***'; give a whole number."),
        ({"whole": True}, "whole is true; give a whole number."),
        ({"pin": "47.11"}, "pin is a text; give a whole number."),
        ({"pin": 47.11}, "pin is a number; give a whole number."),
        ({"create": "maybe"}, "create is the text 'maybe'; give true or false."),
        ({"create": 2}, "create is 2; give true or false."),
        ({"create": []}, "create is a list; give true or false."),
        ({"state": "gone"}, "state is the text 'gone'; give one of present, absent."),
        ({"state": ""}, "state is the text ''; give one of present, absent."),
        ({"state": None}, "state is empty; give one of present, absent, or leave it out."),
        ({"text": "a\ud800"}, "text holds half of a surrogate pair, which is not a character; remove it."),
        ({"dest": "a\0b"}, "dest holds the character NUL, which no path has; remove it."),
        ({"tags": ["a", None]}, "tags[1] is empty; give text."),
        ({"tags": [{}]}, "tags[0] is a mapping; give text."),
        ({"tags": {"a": 1}}, "tags is a mapping; give a list."),
        ({"keys": "{}"}, "keys[0] is a text; give a mapping."),
        ({"keys": [{"user": "a"}, {"rpm": -math.inf}]}, "keys[1].rpm is -inf; give a whole number."),
        ({"keys": [{"create": "maybe"}]}, "keys[0].create is the text 'maybe'; give true or false."),
        ({"target": 2.5}, "target is a number; give a mapping."),
        ({"target": {"url": []}}, "target.url is a list; give text."),
        ({"target": '{"url": []}'}, "target.url is a list; give text."),
        ({"settings": "a=b c"}, "settings is a text; give a mapping."),
        ({"settings": "password"}, "settings is a text; give a mapping."),
    ],
)
def test_refused(arguments: dict[str, Any], refusal: str) -> None:
    assert usable_arguments(SPEC, arguments) == (_without_refused(arguments), [refusal])


def _without_refused(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return what is left of one of the arguments above: nothing, or the rest of a mapping."""
    if "rpm" in str(arguments):
        return {"keys": [{"user": "a"}, {}]}
    if "url" in str(arguments):
        return {"target": {}}
    return {"keys": [{}]} if "keys" in arguments and arguments["keys"] != "{}" else {}


@pytest.mark.parametrize(
    "arguments",
    [
        {"text": 5, "whole": "7", "share": "1e3", "tags": "a,b", "keys": [{"user": "a", "rpm": 1}], "target": {"url": "x"}, "tree": math.inf},
        {"whole": "1e3", "create": "no", "state": "absent", "settings": "a=b", "unknown": {}, "pin": 1.0},
        {"tags": [], "keys": [], "target": {}, "text": ""},
    ],
)
def test_left_to_ansible_core(arguments: dict[str, Any]) -> None:
    assert usable_arguments(SPEC, arguments) == (arguments, [])


def test_null_is_not_given() -> None:
    arguments = {"text": None, "words": None, "create": None, "format": None, "tags": None, "keys": [{"user": None, "rpm": 1}], "target": {"url": None}}
    assert usable_arguments(SPEC, {**arguments, "tree": None}) == ({"keys": [{"rpm": 1}], "target": {}}, [])


def test_the_given_arguments_stay_as_they_are() -> None:
    arguments: dict[str, Any] = {"keys": [{"user": None, "rpm": "many"}]}
    usable_arguments(SPEC, arguments)
    assert arguments == {"keys": [{"user": None, "rpm": "many"}]}


def test_the_first_variable_that_is_filled_stands_for_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITELLM_MASTER_KEY", "")
    monkeypatch.setenv("LITELLM_API_KEY", "sk-2")
    assert filled_env_fallback("LITELLM_MASTER_KEY", "LITELLM_API_KEY") == "sk-2"
    monkeypatch.setenv("LITELLM_API_KEY", "")
    with pytest.raises(AnsibleFallbackNotFound):
        filled_env_fallback("LITELLM_MASTER_KEY", "LITELLM_API_KEY")
