# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: which variables are misspellings of a role's own."""

from __future__ import annotations

DOCUMENTATION = r"""
name: misspelt_variables
short_description: Which variables are misspellings of a role's own
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - The roles P(rhpds.litellm_virtual_keys.ocp4_workload_litellm_bastion_profile#role) and P(rhpds.litellm_virtual_keys.key_portal#role) refuse with
    this filter what Ansible would pass over.
options:
  _input:
    description: The names of variables.
    type: list
    elements: str
    required: true
  role:
    description: The name of the role, with which its variables begin.
    type: str
    required: true
  known:
    description: The names of the role's variables, without the role's name.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Check the names of variables
  ansible.builtin.assert:
    that: query('ansible.builtin.varnames', '^my_role_') | rhpds.litellm_virtual_keys.misspelt_variables('my_role', ['path', 'mode']) | length == 0
"""

RETURN = r"""
_value:
  description: One sentence for each, with the name that may have been meant. A name that is like no other is left out.
  type: list
  elements: str
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils.role_variables import misspelt


def misspelt_variables(names: list[str], role: str, known: list[str]) -> list[str]:
    if not isinstance(names, list) or not isinstance(known, list):
        raise AnsibleFilterError("misspelt_variables: the input or known is not a list; give lists of names.")
    return misspelt(names, role, known)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"misspelt_variables": misspelt_variables}
