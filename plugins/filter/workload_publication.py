# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: from the keys of a lab to what the role ocp4_workload_litellm_virtual_keys publishes about them."""

from __future__ import annotations

DOCUMENTATION = r"""
name: workload_publication
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
  settings:
    description: The settings, as M(rhpds.litellm_virtual_keys.workload_settings) returns them.
    type: dict
    required: true
  more:
    description: More messages, after those about the keys.
    type: raw
  former:
    description:
      - The facts C(litellm_virtual_key) and C(_litellm_user_data) as they were. Values among them that still belong to the keys stay.
    type: dict
"""

EXAMPLES = r"""
- name: Show when the first key of the lab ends
  ansible.builtin.debug:
    msg: "{{ (lab.virtual_keys | rhpds.litellm_virtual_keys.workload_publication(settings=checked)).earliest_end }}"
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

from ..plugin_utils.workload import publication, values


def workload_publication(virtual_keys: Sequence[Mapping[str, Any]], settings: Mapping[str, Any], more: Any = None, former: Any = None) -> dict[str, Any]:
    if isinstance(virtual_keys, (str, Mapping)) or not all(isinstance(key, Mapping) for key in virtual_keys):
        raise AnsibleFilterError("workload_publication: the input is not a list of keys; give what the module virtual_keys returns as virtual_keys.")
    try:
        # Only provisioning sends them, and checks them before it makes a key; no other action fails for them.
        messages = values.messages(more, "ocp4_workload_litellm_virtual_keys_user_info_messages") if settings.get("terms") else []
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from None
    return publication.publication(virtual_keys, settings, more=messages, former=former)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"workload_publication": workload_publication}
