# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: from the receipt of a lab's spend to what the role ocp4_workload_litellm_virtual_keys reports about it."""

from __future__ import annotations

DOCUMENTATION = r"""
name: workload_receipt
short_description: Messages about the receipt of a lab's spend
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - The role P(rhpds.litellm_virtual_keys.ocp4_workload_litellm_virtual_keys#role) reports with this filter what a lab has spent, or
    why there is no receipt. Use the role.
options:
  _input:
    description: The result of the module M(rhpds.litellm_virtual_keys.spend_receipt), also when it failed.
    type: dict
    required: true
  guid:
    description: The GUID of the lab.
    type: str
    required: true
  check_mode:
    description: Whether the module only predicted, so that there is no file to name.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Report what the lab has spent
  ansible.builtin.debug:
    msg: "{{ left | rhpds.litellm_virtual_keys.workload_receipt(guid='abc12') }}"
"""

RETURN = r"""
_value:
  description: The messages.
  type: list
  elements: str
  sample: [The lab abc12 has spent 1.2346 USD.]
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils.workload.publication import receipt_messages


def workload_receipt(result: Mapping[str, Any], guid: object, check_mode: bool = False) -> list[str]:
    if not isinstance(result, Mapping):
        raise AnsibleFilterError("workload_receipt: the input is not a result; give what the module spend_receipt returned.")
    return receipt_messages(result, guid, check_mode=check_mode)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"workload_receipt": workload_receipt}
