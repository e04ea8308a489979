# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: what to record of requests after a step of a pass."""

from __future__ import annotations

DOCUMENTATION = r"""
name: request_changes
short_description: What to record of requests after a step of a pass
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - Makes the option O(rhpds.litellm_virtual_keys.key_requests#module:changes) of M(rhpds.litellm_virtual_keys.key_requests)
    from requests and the result of one step of a pass. Give exactly one of O(answers), O(minted), O(deliveries) and
    O(living_keys).
  - Use the role P(rhpds.litellm_virtual_keys.key_requests#role), whose passes are made with this filter.
options:
  _input:
    description:
      - The requests of the step. After minting, delivery and expiry they have their aliases
        (P(rhpds.litellm_virtual_keys.aliased_requests#filter)).
    type: list
    elements: dict
    required: true
  answers:
    description: The RV(rhpds.litellm_virtual_keys.approval#module:results) of M(rhpds.litellm_virtual_keys.approval).
    type: list
    elements: dict
  minted:
    description: The result of M(rhpds.litellm_virtual_keys.virtual_keys).
    type: dict
  deliveries:
    description:
      - What the role P(rhpds.litellm_virtual_keys.key_delivery#role) left in C(key_delivery_results), of keys or of mails
        about requests.
    type: list
    elements: dict
  methods:
    description: By which methods O(deliveries) were wanted. Without any, nothing had to be delivered.
    type: list
    elements: str
    default: []
  living_keys:
    description: All living keys, as M(rhpds.litellm_virtual_keys.virtual_key_info) returns them.
    type: list
    elements: dict
"""

EXAMPLES = r"""
- name: Record which keys were made
  rhpds.litellm_virtual_keys.key_requests:
    changes: "{{ approved | rhpds.litellm_virtual_keys.request_changes(minted=minted) }}"
    actor: minting
"""

RETURN = r"""
_value:
  description: The changes.
  type: list
  elements: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils import request_pass


def request_changes(requests: Sequence[Mapping[str, Any]], **outcome: Any) -> list[dict[str, Any]]:
    try:
        return request_pass.request_changes(requests, **outcome)
    except ValueError as error:
        raise AnsibleFilterError(f"request_changes: {error}") from None


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"request_changes": request_changes}
