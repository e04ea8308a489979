# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The action workload_publication takes what its documentation says, and never shows its input in an error."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.template import Templar
from ansible_collections.rhpds.litellm_virtual_keys.plugins.action import workload_publication
from ansible_collections.rhpds.litellm_virtual_keys.plugins.modules import workload_publication as documented

KEY = {"alias": "virtkey-abc", "user": "", "user_id": "ann@example.com", "key_id": "id", "value": "sk-hush", "action": "created", "expires": None}
SETTINGS = {
    "action": "rotate",
    "endpoint": "https://x.org",
    "alias": "virtkey-abc",
    "tenant": "",
    "values_in_facts": True,
    "all_keys": False,
    "tenants": False,
    "hidden": True,
}


def run(**arguments: Any) -> dict[str, Any]:
    task = Task()
    task.action = "rhpds.litellm_virtual_keys.workload_publication"
    task.args = arguments
    task.async_val = 0
    loader = DataLoader()
    action = workload_publication.ActionModule(task, mock.Mock(), PlayContext(), loader, Templar(loader=loader), None)
    action._load_name = task.action  # as the plugin loader sets it
    result: dict[str, Any] = action.run(task_vars={})
    return result


def test_the_options_and_the_result_are_those_of_the_documentation() -> None:
    result = run(virtual_keys=[KEY], settings=SETTINGS, former={})
    assert workload_publication.SPEC.keys() == yaml.safe_load(documented.DOCUMENTATION)["options"].keys()
    assert result.keys() - {"changed"} == yaml.safe_load(documented.RETURN).keys()
    assert result["facts"]["litellm_virtual_key"] == "sk-hush"


@pytest.mark.parametrize("given", ["sk-hush", {"value": "sk-hush"}, ["sk-hush"], [["sk-hush"]], None])
def test_an_error_shows_nothing_of_the_keys(given: Any) -> None:
    with pytest.raises(AnsibleError) as caught:
        run(virtual_keys=given, settings=SETTINGS)
    assert "virtual_keys" in str(caught.value) and "hush" not in str(caught.value)
