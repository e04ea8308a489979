#!/usr/bin/python
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Manage one virtual key."""

from __future__ import annotations

DOCUMENTATION = r"""
module: virtual_key
short_description: Manage one LiteLLM virtual key
version_added: 2.0.0
description:
  - Creates, updates, extends, rotates, blocks and deletes one virtual key.
  - The value of the key is derived from a secret and the alias, so the same task returns the same value whenever it
    runs. For the keys of a lab or a class use M(rhpds.litellm_virtual_keys.virtual_keys), which handles them as one set.
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
extends_documentation_fragment:
  - rhpds.litellm_virtual_keys.gateway
  - rhpds.litellm_virtual_keys.limits
  - rhpds.litellm_virtual_keys.limits.value
  - rhpds.litellm_virtual_keys.proof
  - rhpds.litellm_virtual_keys.attributes
  - rhpds.litellm_virtual_keys.attributes.litellm
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: partial
    details: With O(extend_for), which counts from now, a run that is more than a minute later moves the end on. O(extend_until) does not.
options:
  alias:
    description:
      - The alias of the key. At most 255 letters, digits and C(._@+:/-).
      - Give either this or O(key_id). O(state=present) needs the alias.
    type: str
  key_id:
    description:
      - The SHA-256 of the key's value, which is the key's id in LiteLLM. Only for O(state=absent) and O(state=blocked).
    type: str
  state:
    description:
      - With V(present) the key exists as described and is not blocked.
      - With V(blocked) the key exists, and the gateway refuses calls with it. It must exist already, but its value need
        not be known. Given limits are applied. O(duration), O(on_unrecoverable) and O(rotation) are refused.
      - With V(absent) neither the key nor the values that it had before a rotation exist, and the gateway refuses them
        all.
    type: str
    choices: [present, blocked, absent]
    default: present
seealso:
  - module: rhpds.litellm_virtual_keys.virtual_keys
  - module: rhpds.litellm_virtual_keys.virtual_key_info
"""

EXAMPLES = r"""
- name: Create a project's key
  rhpds.litellm_virtual_keys.virtual_key:
    url: https://litellm.example.com
    api_key: "{{ litellm_master_key }}"
    alias: project-blue
    models: [granite-3-2-8b-instruct]
    duration: 90d
    max_budget: 100
    budget_duration: 30d
  register: blue
  no_log: true # the result holds the value only because of this

- name: Block the key
  rhpds.litellm_virtual_keys.virtual_key:
    url: https://litellm.example.com
    api_key: "{{ litellm_master_key }}"
    alias: project-blue
    state: blocked

- name: Rotate the key, and let the old value work for another day
  rhpds.litellm_virtual_keys.virtual_key:
    url: https://litellm.example.com
    api_key: "{{ litellm_master_key }}"
    alias: project-blue
    rotation: 2026-11
    rotation_grace: 24h

- name: Delete a key by its id
  rhpds.litellm_virtual_keys.virtual_key:
    url: https://litellm.example.com
    api_key: "{{ litellm_master_key }}"
    key_id: 7c0dd6c8d1b24a1f6b4a1c0f7a7e52f0a9f8d1e7c1f04d0a8a9c1e2d3b4a5968
    state: absent
"""

RETURN = r"""
key:
  description: The key, with the action taken on it. Empty if there was no key.
  returned: success, and when part of the work failed
  type: dict
  contains:
    alias:
      description: The alias.
      type: str
    action:
      description: C(created), C(updated), C(rotated), C(unchanged) or C(deleted).
      type: str
    value:
      description: The key itself. Present only if the task has C(no_log=true), O(state) is not V(absent), and the value can be derived.
      type: str
    key_id:
      description: The SHA-256 of the value, which is the key's id in LiteLLM.
      type: str
    recoverable:
      description: Whether the value can be derived.
      type: bool
    generation:
      description: How often the key was rotated.
      type: int
    expires:
      description: When the key expires, or null if it never does.
      type: str
      sample: "2026-12-21T09:00:00Z"
    spend:
      description: How much the key has spent, in USD.
      type: float
absent:
  description: The alias, if the key does not exist and was not to be made.
  returned: with O(create=false), when it does not exist
  type: list
  elements: str
counts:
  description: How many values were created, updated, rotated, left unchanged and deleted.
  returned: success, and when part of the work failed
  type: dict
revocation:
  description: The proof of deletion, as M(rhpds.litellm_virtual_keys.virtual_keys) returns it.
  returned: when keys were deleted, and not in check mode
  type: dict
calls:
  description: How many HTTP requests were sent.
  returned: success
  type: int
code:
  description: Stable error code, for example C(unauthorized) or C(unknown_model).
  returned: failure
  type: str
status:
  description: The HTTP status behind the failure, if there was one.
  returned: failure
  type: int
"""

from ..module_utils.common.options import StrictModule
from ..module_utils.keys.manage import ONE_KEY_RULES, ONE_KEY_SPEC, manage_key, of_one_key
from ..module_utils.litellm.options import run_module


def main() -> None:
    module = StrictModule(argument_spec=ONE_KEY_SPEC, supports_check_mode=True, **ONE_KEY_RULES)
    run_module(module, lambda: manage_key(module), of_one_key)


if __name__ == "__main__":
    main()
