# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: what an organization of AWX has."""

from __future__ import annotations

DOCUMENTATION = r"""
name: awx_contents
short_description: What an organization of AWX has
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - Names each kind of object in an organization with how many there are. The role P(rhpds.litellm_virtual_keys.awx_catalog#role) removes
    only an organization that has nothing.
options:
  _input:
    description: The organization as the API of AWX shows it.
    type: dict
    required: true
  answers:
    description: The results of a loop over kinds that asked AWX for those objects of the organization.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Say what is in the organization
  ansible.builtin.debug:
    msg: "{{ organization.json | rhpds.litellm_virtual_keys.awx_contents(asked.results) | join(', ') }}"
"""

RETURN = r"""
_value:
  description: Each kind with its number.
  type: list
  elements: str
  sample: ["labels (1)", "projects (2)"]
"""

from collections.abc import Callable
from typing import Any

from ..plugin_utils import awx


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"awx_contents": awx.contents_of_organization}
