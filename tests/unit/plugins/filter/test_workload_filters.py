# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The filters of the role ocp4_workload_litellm_virtual_keys take their options and never show their input in an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.rhpds.litellm_virtual_keys.plugins.filter import workload_failure, workload_plan, workload_receipt

KEY = {"alias": "virtkey-abc", "user": "", "user_id": "ann@example.com", "key_id": "id", "value": "sk-hush", "action": "created", "expires": None}

CALLS: list[tuple[Any, Any, dict[str, Any]]] = [
    (workload_plan, {"virtual_keys": [KEY]}, {"check_mode": True, "diff": True}),
    (workload_receipt, {"receipt": {"total": {"cost": 0}}, "dest": ""}, {"guid": "abc", "check_mode": False}),
    (workload_failure, {"msg": "No."}, {}),
]


def filter_of(module: Any) -> Callable[..., Any]:
    (found,) = module.FilterModule().filters().values()
    return found  # type: ignore[no-any-return]


@pytest.mark.parametrize(("module", "given", "options"), CALLS, ids=[module.__name__.rpartition(".")[2] for module, _given, _options in CALLS])
def test_the_options_are_those_of_the_documentation(module: Any, given: Any, options: dict[str, Any]) -> None:
    assert filter_of(module)(given, **options)
    described = yaml.safe_load(module.DOCUMENTATION)
    assert described["options"].keys() - {"_input"} == options.keys()
    assert list(module.FilterModule().filters()) == [described["name"]]


@pytest.mark.parametrize(
    ("module", "given", "options", "words"),
    [
        (workload_plan, "hush", {}, "the input is not a result"),
        (workload_receipt, "hush", {"guid": "abc"}, "the input is not a result"),
        (workload_failure, "hush", {}, "the input is not a result"),
    ],
)
def test_an_error_shows_nothing_of_the_input(module: Any, given: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        filter_of(module)(given, **options)
    assert words in str(caught.value)
    assert "hush" not in str(caught.value)
