# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: which minted keys are delivered, and which are deleted again."""

from __future__ import annotations

DOCUMENTATION = r"""
name: minted_keys
short_description: Which minted keys are delivered, and which are deleted again
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - Splits the keys that were minted for approved requests into those to deliver and those to delete, because their requests
    were taken back while they were made.
  - Use the role P(rhpds.litellm_virtual_keys.key_requests#role), whose passes are made with this filter.
positional: minted, refused, methods
options:
  _input:
    description: Approved requests, with their aliases (P(rhpds.litellm_virtual_keys.aliased_requests#filter)).
    type: list
    elements: dict
    required: true
  minted:
    description: The result of M(rhpds.litellm_virtual_keys.virtual_keys).
    type: dict
    required: true
  refused:
    description:
      - The changes that M(rhpds.litellm_virtual_keys.key_requests) could not record, its
        RV(rhpds.litellm_virtual_keys.key_requests#module:refused).
    type: list
    elements: dict
    required: true
  methods:
    description: How keys are delivered, in the words of the role P(rhpds.litellm_virtual_keys.key_delivery#role).
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Mail the keys
  ansible.builtin.include_role:
    name: rhpds.litellm_virtual_keys.key_delivery
  vars:
    key_delivery_methods: [mail]
    key_delivery_keys: >-
      {{ (approved | rhpds.litellm_virtual_keys.minted_keys(minted, recorded.refused, ['mail'])).deliverable.mail }}
"""

RETURN = r"""
_value:
  description:
    - C(deliverable), by method the keys that were not delivered by it yet, for the role P(rhpds.litellm_virtual_keys.key_delivery#role),
      and C(withdrawn), the keys to delete, for M(rhpds.litellm_virtual_keys.virtual_keys). It holds the values of keys.
  type: dict
"""

from collections.abc import Callable
from typing import Any

from ..plugin_utils import request_pass


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"minted_keys": request_pass.minted_keys}
