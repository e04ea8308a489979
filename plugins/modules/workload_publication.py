#!/usr/bin/python
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Documentation of the action `workload_publication`, whose code is in plugins/action."""

from __future__ import annotations

DOCUMENTATION = r"""
module: workload_publication
short_description: Find facts, user data and messages about a lab's keys
version_added: 2.0.0
description:
  - The role P(rhpds.litellm_virtual_keys.ocp4_workload_litellm_virtual_keys#role) finds with this action what it publishes, once for all
    its tasks. Use the role.
  - The result holds the values of the keys. Give the task C(no_log).
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
extends_documentation_fragment:
  - rhpds.litellm_virtual_keys.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  virtual_keys:
    description: The keys, as the module M(rhpds.litellm_virtual_keys.virtual_keys) returns them.
    type: list
    elements: dict
    required: true
  settings:
    description: The settings, as M(rhpds.litellm_virtual_keys.workload_settings) returns them.
    type: dict
    required: true
  former:
    description:
      - The facts C(litellm_virtual_key) and C(_litellm_user_data) as they were. Values among them that still belong to the keys stay.
    type: dict
"""

EXAMPLES = r"""
- name: Find what to publish
  rhpds.litellm_virtual_keys.workload_publication:
    virtual_keys: "{{ lab.virtual_keys }}"
    settings: "{{ checked }}"
  register: published
  no_log: true

- name: Show when the first key of the lab ends
  ansible.builtin.debug:
    var: published.until
"""

RETURN = r"""
facts:
  description: The facts of the role about keys, by name. They hold values of keys.
  returned: success
  type: dict
data:
  description: The user data for everybody. It may hold the value of a key.
  returned: success
  type: dict
users:
  description: The user data of each user, by the user's name. They hold values of keys.
  returned: success
  type: dict
saves:
  description:
    - The user data to save, as calls of M(rhpds.litellm_virtual_keys.agnosticd_user_info); one for everybody, or several if each user is to
      be seen in the output. Empty for an action that saves none.
  returned: success
  type: list
  elements: dict
  contains:
    user:
      description: The user whose data it is. Not there for the data of everybody.
      type: str
    data:
      description: The data.
      type: dict
    users:
      description: The data of all users, by their names.
      type: dict
repeats:
  description: The messages that repeat user data, each with the name of the data that stands in it.
  returned: success
  type: dict
messages:
  description: The messages about the keys after provisioning. One of them holds the value of the only key of a lab.
  returned: success
  type: list
  elements: str
count:
  description: How many keys there are.
  returned: success
  type: int
known_count:
  description: Of how many of them the value is known.
  returned: success
  type: int
until:
  description: When the first of the keys ends, in ISO 8601, or in words if none does.
  returned: success
  type: str
  sample: "2026-12-24T12:00:00Z"
"""
