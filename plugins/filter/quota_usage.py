# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: living keys as the rule `quota` counts them."""

from __future__ import annotations

DOCUMENTATION = r"""
name: quota_usage
short_description: Living keys as the rule quota counts them
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - Makes the option O(rhpds.litellm_virtual_keys.approval#module:usage) of M(rhpds.litellm_virtual_keys.approval) from living
    keys.
  - Use the role P(rhpds.litellm_virtual_keys.key_requests#role), whose passes are made with this filter.
options:
  _input:
    description: Keys, as M(rhpds.litellm_virtual_keys.virtual_key_info) returns them.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Ask the approval chain
  rhpds.litellm_virtual_keys.approval:
    requests: "{{ pending.requests }}"
    rules: "{{ rules }}"
    usage: "{{ living.virtual_keys | rhpds.litellm_virtual_keys.quota_usage }}"
"""

RETURN = r"""
_value:
  description: Owner, package and alias of each key. A value in its grace period is not counted again.
  type: list
  elements: dict
"""

from collections.abc import Callable
from typing import Any

from ..plugin_utils import request_pass


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"quota_usage": request_pass.quota_usage}
