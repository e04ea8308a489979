# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: the keys of approved requests."""

from __future__ import annotations

DOCUMENTATION = r"""
name: request_keys
short_description: The keys of approved requests
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - Makes the option O(rhpds.litellm_virtual_keys.virtual_keys#module:keys) of M(rhpds.litellm_virtual_keys.virtual_keys) from
    approved requests.
  - Use the role P(rhpds.litellm_virtual_keys.key_requests#role), whose passes are made with this filter.
positional: packages, lifetime
options:
  _input:
    description: Approved requests, with their aliases (P(rhpds.litellm_virtual_keys.aliased_requests#filter)).
    type: list
    elements: dict
    required: true
  packages:
    description: The packages, by name.
    type: dict
    required: true
  lifetime:
    description: How long a key lives whose package and request name no duration.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Make the keys of approved requests
  rhpds.litellm_virtual_keys.virtual_keys:
    keys: "{{ approved | rhpds.litellm_virtual_keys.request_keys(packages, '30d') }}"
    keep_going: true
  no_log: true
"""

RETURN = r"""
_value:
  description: The keys, in the order of the requests.
  type: list
  elements: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils import request_pass


def request_keys(requests: Sequence[Mapping[str, Any]], packages: Mapping[str, Any], lifetime: str) -> list[dict[str, Any]]:
    try:
        return request_pass.request_keys(requests, packages, lifetime)
    except ValueError as error:
        raise AnsibleFilterError(f"request_keys: {error}") from None


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"request_keys": request_keys}
