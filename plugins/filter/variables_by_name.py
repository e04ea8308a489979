# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: variables with their values, for a file of extra variables."""

from __future__ import annotations

DOCUMENTATION = r"""
name: variables_by_name
short_description: Variables with their values
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - Pairs what the lookups P(ansible.builtin.varnames#lookup) and P(ansible.builtin.vars#lookup) return, for a file of extra
    variables.
positional: values
options:
  _input:
    description: The names of variables.
    type: list
    elements: str
    required: true
  values:
    description: Their values, in the same order.
    type: list
    elements: raw
    required: true
"""

EXAMPLES = r"""
- name: Write the variables of a role into a file
  ansible.builtin.copy:
    content: "{{ names | rhpds.litellm_virtual_keys.variables_by_name(query('ansible.builtin.vars', *names)) | to_json }}"
    dest: /run/user/1000/variables.json
    mode: "0600"
  vars:
    names: "{{ query('ansible.builtin.varnames', '^key_requests_') }}"
  no_log: true
"""

RETURN = r"""
_value:
  description: The values, by name.
  type: dict
"""

from collections.abc import Callable
from typing import Any

from ..plugin_utils import mappings


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"variables_by_name": mappings.variables_by_name}
