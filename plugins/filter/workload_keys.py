# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: from the variables of the role ocp4_workload_litellm_virtual_keys to the keys that a lab is given."""

from __future__ import annotations

DOCUMENTATION = r"""
name: workload_keys
short_description: The keys of a lab's users
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - The role P(rhpds.litellm_virtual_keys.ocp4_workload_litellm_virtual_keys#role) finds out with this filter whether its lab has
    one key or one for each user, and whose they are. Use the role.
options:
  _input:
    description: How many users there are.
    type: raw
    required: true
  user_base:
    description: How the names of users begin. A number follows, from 1.
    type: str
    required: true
  email_domain:
    description: The domain of the e-mail addresses of users.
    type: str
    required: true
  user_id:
    description: The user of a lab's one key, in LiteLLM.
    type: str
    required: true
  multi_user:
    description: Whether each user gets a key. When not given, the options below decide.
    type: bool
  tenant:
    description: The tenant for whom the workload runs, who is one user.
    type: str
  lab_multi_user:
    description: AgnosticD's C(ocp4_workload_multi_user).
    type: bool
    default: false
  num_users:
    description: AgnosticD's C(num_users). More than one means many users.
    type: raw
    default: 1
"""

EXAMPLES = r"""
- name: Show the users of a lab
  ansible.builtin.debug:
    msg: >-
      {{ 2 | rhpds.litellm_virtual_keys.workload_keys(user_base='user', email_domain='lab.example.com', user_id='ann@example.com',
         multi_user=true) }}
"""

RETURN = r"""
_value:
  description: The keys, as the module M(rhpds.litellm_virtual_keys.virtual_keys) takes them, with C(user) and C(user_id).
  type: list
  elements: dict
  sample:
    - user: user1
      user_id: user1@lab.example.com
    - user: user2
      user_id: user2@lab.example.com
"""

from collections.abc import Callable
from typing import Any

from ..plugin_utils import workload


def workload_keys(user_count: object, user_base: str, email_domain: str, user_id: object, **settings: Any) -> list[dict[str, str]]:
    return workload.keys(user_count, user_base=user_base, email_domain=email_domain, user_id=user_id, **settings)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"workload_keys": workload_keys}
