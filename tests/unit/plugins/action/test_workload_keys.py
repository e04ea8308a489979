# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The action workload_keys takes what its documentation says, and reports a failure as the modules do."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible_collections.rhpds.litellm_virtual_keys.plugins.action import workload_keys
from ansible_collections.rhpds.litellm_virtual_keys.plugins.modules import workload_keys as documented
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.workload.settings import settings_of
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.action_runs import run_action

ROLE = "ocp4_workload_litellm_virtual_keys"
NOBODY = "http://127.0.0.1:9"
VARIABLES = {
    "guid": "abc",
    "litellm_url": NOBODY,
    "litellm_master_key": "sk-hush-0123456789",
    "ACTION": "stop",
    f"{ROLE}_alias_format": "virtkey-abc",
    f"{ROLE}_retry_count": 0,
}


def test_the_options_are_those_of_the_documentation() -> None:
    options = yaml.safe_load(documented.DOCUMENTATION)["options"]
    assert {name: rules["type"] for name, rules in options.items()} == {name: rules["type"] for name, rules in workload_keys.SPEC.items()}


def test_a_gateway_that_is_away_is_a_failure_with_a_code_and_without_a_secret() -> None:
    settings, _warnings = settings_of(VARIABLES.get, VARIABLES.keys(), {})
    result = run_action(workload_keys, settings=settings, api_key=VARIABLES["litellm_master_key"])
    assert (result["failed"], result["code"], result["changed"]) == (True, "unreachable", False)
    assert NOBODY in result["msg"] and "hush" not in str(result)


@pytest.mark.parametrize("wrong", [{"settings": "hush"}, {"settings": None}, {"api_key": ["hush"]}, {"api_key": {"hush": 1}}])
def test_an_error_shows_nothing_of_the_input(wrong: dict[str, Any]) -> None:
    with pytest.raises(AnsibleError) as caught:
        run_action(workload_keys, **{"settings": {}, "api_key": "sk-hush", **wrong})
    assert next(iter(wrong)) in str(caught.value) and "hush" not in str(caught.value)
