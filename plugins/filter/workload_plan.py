# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: what a module did to a lab's keys, or would do, for people."""

from __future__ import annotations

DOCUMENTATION = r"""
name: workload_plan
short_description: What was done to a lab's keys, line by line
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - The role P(rhpds.litellm_virtual_keys.ocp4_workload_litellm_virtual_keys#role) shows with this filter what a task whose output is
    hidden did, or would do in check mode. Use the role.
options:
  _input:
    description: The result of the module M(rhpds.litellm_virtual_keys.virtual_keys) or M(rhpds.litellm_virtual_keys.key_adoption).
    type: dict
    required: true
  check_mode:
    description: Whether the module only predicted.
    type: bool
    default: false
  diff:
    description: Whether to show each setting before and after, if the module returned them.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show what was done
  ansible.builtin.debug:
    msg: "{{ lab | rhpds.litellm_virtual_keys.workload_plan(check_mode=ansible_check_mode, diff=ansible_diff_mode) }}"
"""

RETURN = r"""
_value:
  description: The lines. Nothing in them is secret.
  type: list
  elements: str
  sample: ["virtkey-abc12: would be created"]
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils.workload.publication import plan_lines


def workload_plan(result: Mapping[str, Any], check_mode: bool = False, diff: bool = False) -> list[str]:
    if not isinstance(result, Mapping):
        raise AnsibleFilterError("workload_plan: the input is not a result; give what the module virtual_keys returned.")
    return plan_lines(result, check_mode=check_mode, with_diff=diff)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"workload_plan": workload_plan}
