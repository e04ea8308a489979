# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: from the variables of the role ocp4_workload_litellm_virtual_keys to the terms of a lab's keys."""

from __future__ import annotations

DOCUMENTATION = r"""
name: workload_terms
short_description: The terms of a lab's keys
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - The role P(rhpds.litellm_virtual_keys.ocp4_workload_litellm_virtual_keys#role) finds models, lifetime and limits with
    this filter. Use the role.
options:
  _input:
    description: The packages, by name.
    type: dict
    required: true
  package:
    description: The name of the package.
    type: str
    required: true
  models:
    description: The models, instead of those of the package.
    type: list
    elements: str
  duration:
    description: The lifetime, instead of that of the package.
    type: str
  max_budget:
    description: The budget in USD, instead of that of the package.
    type: float
  runtime:
    description: How many hours the lab runs. Used as the lifetime instead of O(duration) and that of the package.
    type: str
  docling:
    description: The C(model) under which the gateway serves Docling and its C(endpoint), when keys may call it.
    type: dict
"""

EXAMPLES = r"""
- name: Show the models of a package
  ansible.builtin.debug:
    msg: "{{ (packages | rhpds.litellm_virtual_keys.workload_terms(package='ai-developer')).models }}"
"""

RETURN = r"""
_value:
  description:
    - C(models), C(duration) and every limit, in the form in which the module M(rhpds.litellm_virtual_keys.virtual_keys) takes
      them, C(package), C(docling), and C(runtime_duration), the runtime as a lifetime.
    - C(problem) says in one sentence why no keys can be made with these terms, and is empty when they can.
  type: dict
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils import workload


def workload_terms(packages: Mapping[str, Any], package: str, **settings: Any) -> dict[str, Any]:
    if not isinstance(packages, Mapping):
        raise AnsibleFilterError("workload_terms: the input is not a mapping of packages; give one with the name of each.")
    return workload.terms(packages, package, **settings)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"workload_terms": workload_terms}
