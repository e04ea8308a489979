# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: from the keys of a lab to what the role ocp4_workload_litellm_virtual_keys publishes about them."""

from __future__ import annotations

DOCUMENTATION = r"""
name: workload_user_info
short_description: Facts, user data and messages about a lab's keys
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - The role P(rhpds.litellm_virtual_keys.ocp4_workload_litellm_virtual_keys#role) finds with this filter what it publishes. Use
    the role.
options:
  _input:
    description: The keys, as the module M(rhpds.litellm_virtual_keys.virtual_keys) returns them.
    type: list
    elements: dict
    required: true
  endpoint:
    description: The address of the gateway, without C(/v1).
    type: str
  terms:
    description:
      - The terms that the keys were made with, as P(rhpds.litellm_virtual_keys.workload_terms#filter) returns them. When not given,
        user data hold nothing but the keys, and there are no messages.
    type: dict
  values_in_facts:
    description: Whether the facts hold the values of the keys.
    type: bool
    default: true
  all_keys:
    description: Whether the data that all users share hold the keys of all users.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show when the first key of the lab ends
  ansible.builtin.debug:
    msg: "{{ (lab.virtual_keys | rhpds.litellm_virtual_keys.workload_user_info).earliest_end }}"
"""

RETURN = r"""
_value:
  description:
    - C(facts), by name; C(shared_data), the user data for everybody; C(data_by_user), the user data of each user; C(data_by_key), for
      each key its C(user), C(alias) and user data; C(messages).
    - C(count), C(known_count) and C(user_count), how many keys there are, of how many the value is known, and how many have a user;
      C(earliest_end), when the first of them ends.
    - It holds the values of the keys.
  type: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils import workload


def workload_user_info(virtual_keys: Sequence[Mapping[str, Any]], **settings: Any) -> dict[str, Any]:
    if isinstance(virtual_keys, (str, Mapping)) or not all(isinstance(key, Mapping) for key in virtual_keys):
        raise AnsibleFilterError("workload_user_info: the input is not a list of keys; give what the module virtual_keys returns as virtual_keys.")
    return workload.user_info(virtual_keys, **settings)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"workload_user_info": workload_user_info}
