# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: the deliveries of the role key_delivery."""

from __future__ import annotations

DOCUMENTATION = r"""
name: delivery_plan
short_description: The deliveries of each key, by method
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - The role P(rhpds.litellm_virtual_keys.key_delivery#role) plans its deliveries with this filter. Use the role.
options:
  _input:
    description: The keys, as M(rhpds.litellm_virtual_keys.virtual_keys) returns them.
    type: list
    elements: dict
    required: true
  methods:
    description: The methods, of V(kubernetes_secret), V(mail), V(env_file) and V(agnosticd).
    type: list
    elements: str
    required: true
  url:
    description: The address at which users reach the gateway.
    type: str
  state:
    description: Whether to deliver, V(present), or to take back, V(absent).
    type: str
    choices: [present, absent]
    default: present
  vendors:
    description: The vendors whose SDKs' variables are delivered, as P(rhpds.litellm_virtual_keys.client_env#filter) names them.
    type: list
    elements: str
  vendor_paths:
    description: The path after the gateway's address, by vendor.
    type: dict
  namespace:
    description: The namespace of Secrets, for keys that do not name their own.
    type: str
  secret_prefix:
    description: The prefix of the names of Secrets.
    type: str
  env_file:
    description: The file of a key without a user. With a user, a hyphen and the user are inserted before the extension.
    type: str
  mail_language:
    description: The language of mails, for keys that do not name their own.
    type: str
    default: en
  mail_note:
    description: A paragraph for every mail.
    type: str
  mail_include_value:
    description: Whether mails hold the key.
    type: bool
    default: true
  messages:
    description: Other mails to send, as M(rhpds.litellm_virtual_keys.key_mail) takes them.
    type: list
    elements: dict
"""

EXAMPLES = r"""
- name: See how many files would be written
  ansible.builtin.debug:
    msg: >-
      {{ (lab.virtual_keys | rhpds.litellm_virtual_keys.delivery_plan(methods=['env_file'], url='https://litellm.example.com',
          env_file='~/litellm.env')).env_file | length }}
"""

RETURN = r"""
_value:
  description: The arguments of each method's task, and C(problems), the results of keys that cannot be delivered. It holds the values of keys.
  type: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils import delivery


def delivery_plan(keys: Sequence[Mapping[str, Any]], **settings: Any) -> dict[str, Any]:
    if isinstance(keys, (str, Mapping)) or not all(isinstance(key, Mapping) for key in keys):
        raise AnsibleFilterError("delivery_plan: the input is not a list of keys; give what the module virtual_keys returns as virtual_keys.")
    try:
        return delivery.plan_deliveries(keys, delivery.settings_from(settings))
    except ValueError as error:
        raise AnsibleFilterError(f"delivery_plan: {error}") from None


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"delivery_plan": delivery_plan}
