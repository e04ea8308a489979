# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Whatever a survey, extra variables or YAML make of an option is either taken as documented or refused in one sentence."""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common.options import StrictModule
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.modules import MODULES, run_module
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import MASTER_KEY, LitellmModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.served_model import ServedModel

HOSTILE: list[Any] = [
    *(math.inf, -math.inf, math.nan, 1e308, -1, -5, 2.5, 10**30, True, False, None),
    *(
        "inf",
        "-inf",
        "nan",
        "1e400",
        "1e9999999",
        "true",
        "no",
        "",
        " ",
        "{}",
        "[]",
        "null",
        "a=b",
        "{{ x }}",
        "1.5",
        "maybe",
        "a\0b",
        "virtkey-abc.retired-0123456789ab",
    ),
    *({}, {"a": 1}, {"a": math.inf}, {"": None}),
    *([], [None], [{}], [[]], [""], [True], ["a", None], ["{}"], [math.nan]),
]
RAW = ("convert", "<class", "of type ", "NoneType", "must be one of", "valid boolean", "Invalid")  # the words of ansible-core and of Python
BASE: dict[str, dict[str, Any]] = {
    "virtual_key": {"alias": "virtkey-abc"},
    "virtual_keys": {"guid": "abc", "keys": [{"user": "user1"}]},
    "virtual_key_info": {"guid": "abc"},
    "key_adoption": {"guid": "abc"},
    "key_reaper": {"live_labs": ["abc"], "min_age": "0s"},
    "key_preflight": {"guid": "abc"},
    "key_migration": {"guid": "abc", "target": {}},
}


class _SpecFoundError(Exception):
    def __init__(self, spec: Mapping[str, Any]) -> None:
        self.spec = spec


@cache
def spec_of(module: str) -> Mapping[str, Mapping[str, Any]]:
    def found(_self: Any, **arguments: Any) -> None:
        raise _SpecFoundError(arguments["argument_spec"])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StrictModule, "__init__", found)
        with pytest.raises(_SpecFoundError) as caught:
            importlib.import_module(f"{MODULES}.{module}").main()
    return caught.value.spec


def options_of(module: str) -> Iterator[tuple[str, ...]]:
    """Yield the path of each option of a module, suboptions included."""
    for name, rules in spec_of(module).items():
        yield (name,)
        for inner in rules.get("options", {}):
            yield (name, inner)


@pytest.fixture(scope="module")
def gateways() -> Iterator[tuple[ServedModel, ServedModel]]:
    with ServedModel(LitellmModel()) as one, ServedModel(LitellmModel()) as other:
        yield one, other


def arguments_for(module: str, path: tuple[str, ...], value: Any, gateways: tuple[ServedModel, ServedModel]) -> dict[str, Any]:
    connection = {"url": gateways[0].url, "api_key": MASTER_KEY, "retries": 0, "retry_delay": 0, "timeout": 5}
    arguments: dict[str, Any] = {**connection, **json.loads(json.dumps(BASE[module]))}
    if "secret" in spec_of(module):
        arguments["secret"] = "the secret of these tests"
    if module == "key_migration":
        arguments["target"] = {"url": gateways[1].url, "api_key": MASTER_KEY}
    if path[0] == "deleted_elsewhere":
        del arguments["keys"]
        arguments |= {"state": "absent", "deleted_elsewhere": [{"alias": "virtkey-abc"}]}
    if path == ("key_id",):
        del arguments["alias"]
        arguments["state"] = "absent"
    if path[0] in ("package", "all_keys") and module == "key_migration":
        del arguments["guid"]
    if path[0].startswith("live_") and path[0] in ("live_file", "live_command", "live_url"):
        del arguments["live_labs"]
    holder = arguments
    for name in path[:-1]:
        holder = holder[name][0] if isinstance(holder[name], list) else holder[name]
    holder[path[-1]] = value
    return arguments


def is_documented(rules: Mapping[str, Any], value: Any) -> bool:
    """Return whether a value may be accepted for an option: text, a number, or what Ansible documents for the other types."""
    kind = rules.get("type", "str")
    if value is None:  # not given
        return not rules.get("required") and not {"choices", "default"} <= rules.keys()
    if kind in ("str", "path"):
        return (isinstance(value, str | int) and not isinstance(value, bool)) or (isinstance(value, float) and math.isfinite(value))
    if kind in ("int", "float"):
        return not isinstance(value, bool | list | dict) and math.isfinite(float(value)) and (kind == "float" or float(value).is_integer())
    if kind == "bool":
        return isinstance(value, bool) or value in ("true", "no")
    if kind == "list" and isinstance(value, list):
        return all(each is not None and is_documented({"type": rules["elements"]}, each) for each in value)
    if kind == "list":
        return rules["elements"] != "dict" and not isinstance(value, bool | dict)
    return kind == "raw" or isinstance(value, dict) or value in ("{}", "a=b")


@pytest.mark.parametrize(("module", "path"), [(module, path) for module in BASE for path in options_of(module)], ids=str)
def test_no_value_of_any_option_ends_in_a_traceback_or_in_a_key_that_nobody_asked_for(
    module: str, path: tuple[str, ...], gateways: tuple[ServedModel, ServedModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rules = spec_of(module)[path[0]]
    for name in path[1:]:
        rules = rules["options"][name]
    for value in HOSTILE:
        for gateway in gateways:
            gateway.model.rows.clear()
            gateway.model.deleted.clear()
        result = run_module(module, arguments_for(module, path, value, gateways))
        told = f"{module} {'.'.join(path)}={value!r}: {result.get('msg')}"
        made = [row["key_alias"] for gateway in gateways for row in gateway.model.rows.values()]
        if result.get("failed"):
            assert not any(words in result["msg"] for words in RAW), told
            assert result.get("code") != "bad_input" or path[-1].rpartition("_")[2] in result["msg"], told
            assert result["msg"].strip() and "\n" not in result["msg"] and "Traceback" not in result["msg"] and len(result["msg"]) < 1000, told
            assert not made, f"{told}: made {made}"
        else:
            assert is_documented(rules, value), told
