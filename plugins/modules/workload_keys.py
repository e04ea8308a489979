#!/usr/bin/python
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Documentation of the action `workload_keys`, whose code is in plugins/action."""

from __future__ import annotations

DOCUMENTATION = r"""
module: workload_keys
short_description: Do what the workload role is to do with a lab's keys
version_added: 2.0.0
description:
  - The role P(rhpds.litellm_virtual_keys.ocp4_workload_litellm_virtual_keys#role) provisions, extends, rotates, stops, starts, adopts and
    destroys with this action, and finds with it what to publish. Use the role.
  - Does the work of M(rhpds.litellm_virtual_keys.virtual_keys), M(rhpds.litellm_virtual_keys.virtual_key) and
    M(rhpds.litellm_virtual_keys.key_adoption), where Ansible runs and in its own process. To pack a module and to start Python for it would take
    longer than the calls of a small lab.
  - The result holds the values of keys if the task has C(no_log).
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
extends_documentation_fragment:
  - rhpds.litellm_virtual_keys.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  settings:
    description: The settings, as M(rhpds.litellm_virtual_keys.workload_settings) returns them, with the gateway's address and the action.
    type: dict
    required: true
  api_key:
    description: The gateway's master key.
    type: str
    required: true
  secret:
    description:
      - The secret that the values of keys are derived from. If empty, the environment variable E(LITELLM_DERIVATION_SECRET) counts, and O(api_key)
        if that is not set either.
    type: str
    default: ""
  known_values:
    description: Values of keys that the caller knows, wherever they stand. They count where values are returned.
    type: raw
  deleted_elsewhere:
    description:
      - Keys that were deleted without LiteLLM, as O(rhpds.litellm_virtual_keys.virtual_keys#module:deleted_elsewhere). Their values are proven to be
        refused as well. Only when a lab is destroyed.
    type: list
    elements: dict
  former:
    description:
      - The facts C(litellm_virtual_key) and C(_litellm_user_data) as they were. Values among them that still belong to the keys stay.
    type: dict
seealso:
  - module: rhpds.litellm_virtual_keys.virtual_keys
"""

EXAMPLES = r"""
- name: Check the variables
  rhpds.litellm_virtual_keys.workload_settings:
  register: checked

- name: Do what they say
  rhpds.litellm_virtual_keys.workload_keys:
    settings: "{{ checked }}"
    api_key: "{{ litellm_master_key }}"
  register: lab
  no_log: true # the result holds the values of the keys only because of this
"""

RETURN = r"""
virtual_keys:
  description: The keys, as the module M(rhpds.litellm_virtual_keys.virtual_keys) returns them.
  returned: success, and when part of the work failed
  type: list
  elements: dict
counts:
  description: How many keys were created, updated, rotated, left unchanged and deleted.
  returned: success, and when part of the work failed
  type: dict
revocation:
  description: What is known about the values of the deleted keys, as the module M(rhpds.litellm_virtual_keys.virtual_keys) returns it.
  returned: when keys were deleted, and not in check mode
  type: dict
calls:
  description: How many HTTP requests were sent.
  returned: success
  type: int
publication:
  description: What the role publishes.
  returned: success
  type: dict
  contains:
    facts:
      description: The facts of the role, by name. They hold values of keys.
      type: dict
    data:
      description: The user data for everybody. It may hold the value of a key.
      type: dict
    users:
      description: The user data of each user, by the user's name. They hold values of keys.
      type: dict
    saves:
      description:
        - The user data to save, as calls of M(rhpds.litellm_virtual_keys.agnosticd_user_info); one for everybody, or several if each user is to
          be seen in the output. Empty for an action that saves none.
      type: list
      elements: dict
    repeats:
      description: The messages that repeat user data, each with the name of the data that stands in it.
      type: dict
    messages:
      description: The messages of the action. After provisioning, one of them holds the value of the only key of a lab.
      type: list
      elements: str
code:
  description: Stable error code, for example C(unauthorized) or C(unknown_model).
  returned: failure
  type: str
status:
  description: The HTTP status behind the failure, if there was one.
  returned: failure
  type: int
"""
