# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: requests with the aliases of their keys."""

from __future__ import annotations

DOCUMENTATION = r"""
name: aliased_requests
short_description: Requests with the aliases of their keys
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - Adds the alias of its key to each request, as C(key_alias).
  - Use the role P(rhpds.litellm_virtual_keys.key_requests#role), whose passes are made with this filter.
options:
  _input:
    description: Requests, as M(rhpds.litellm_virtual_keys.key_request_info) returns them.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Name the keys of approved requests
  ansible.builtin.debug:
    msg: "{{ approved.requests | rhpds.litellm_virtual_keys.aliased_requests | map(attribute='key_alias') | list }}"
"""

RETURN = r"""
_value:
  description: The requests, each with C(key_alias).
  type: list
  elements: dict
"""

from collections.abc import Callable
from typing import Any

from ..plugin_utils import request_pass


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"aliased_requests": request_pass.aliased_requests}
