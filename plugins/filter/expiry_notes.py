# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: which owners were warned before their keys end, as notes on the keys."""

from __future__ import annotations

DOCUMENTATION = r"""
name: expiry_notes
short_description: Which owners were warned, as notes on their keys
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - Makes the option O(rhpds.litellm_virtual_keys.virtual_keys#module:keys) of M(rhpds.litellm_virtual_keys.virtual_keys) from
    living keys and the mails about their end that were sent.
  - Use the entry point C(notices) of the role P(rhpds.litellm_virtual_keys.key_requests#role).
positional: deliveries, before, now
options:
  _input:
    description: Living keys, as M(rhpds.litellm_virtual_keys.virtual_key_info) returns them.
    type: list
    elements: dict
    required: true
  deliveries:
    description: What the role P(rhpds.litellm_virtual_keys.key_delivery#role) left in C(key_delivery_results) of the mails.
    type: list
    elements: dict
    required: true
  before:
    description: How long before the end of their keys owners are warned, for example V(24h).
    type: list
    elements: str
    required: true
  now:
    description: The time that the mails were made for, in ISO 8601.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Record the warnings on the keys
  rhpds.litellm_virtual_keys.virtual_keys:
    keys: "{{ living.virtual_keys | rhpds.litellm_virtual_keys.expiry_notes(key_delivery_results, ['24h'], then) }}"
    on_unrecoverable: keep
"""

RETURN = r"""
_value:
  description: Alias and metadata of each key whose owner was warned.
  type: list
  elements: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils import expiry_notices


def expiry_notes(keys: Sequence[Mapping[str, Any]], deliveries: Sequence[Mapping[str, Any]], before: Sequence[str], now: str) -> list[dict[str, Any]]:
    try:
        return expiry_notices.expiry_notes(keys, deliveries, before, now)
    except ValueError as error:
        raise AnsibleFilterError(f"expiry_notes: {error}") from None


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"expiry_notes": expiry_notes}
