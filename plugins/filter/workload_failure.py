# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: why a task of the role ocp4_workload_litellm_virtual_keys failed."""

from __future__ import annotations

DOCUMENTATION = r"""
name: workload_failure
short_description: Why a task whose output is hidden failed
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - The role P(rhpds.litellm_virtual_keys.ocp4_workload_litellm_virtual_keys#role) reports with this filter why a task failed, with the
    names of its own variables instead of those of options of modules. Use the role.
options:
  _input:
    description: The result of the task, C(ansible_failed_result). Of a loop, the first item that failed counts.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Report why the hidden task failed
  ansible.builtin.fail:
    msg: "{{ ansible_failed_result | rhpds.litellm_virtual_keys.workload_failure }}"
"""

RETURN = r"""
_value:
  description: The cause.
  type: str
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils.workload.failure import cause_of


def workload_failure(result: Mapping[str, Any]) -> str:
    if not isinstance(result, Mapping):
        raise AnsibleFilterError("workload_failure: the input is not a result; give ansible_failed_result.")
    return cause_of(result)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"workload_failure": workload_failure}
