# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: what the role key_portal finds in a Kubernetes namespace."""

from __future__ import annotations

DOCUMENTATION = r"""
name: portal_objects
short_description: The Kubernetes objects of a portal and its worker, sorted by who made them
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - The role P(rhpds.litellm_virtual_keys.key_portal#role) compares with this filter what it finds in Kubernetes with what it would create.
    Use the role.
options:
  _input:
    description: The results of M(kubernetes.core.k8s_info), one for each object.
    type: list
    elements: dict
    required: true
  label:
    description: Label of the objects that the role has created.
    type: str
    required: true
  wanted:
    description: The objects of the role, each with C(kind), C(name), and C(wanted), which says whether there is to be one.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show which objects the role has created
  ansible.builtin.debug:
    msg: "{{ (found.results | rhpds.litellm_virtual_keys.portal_objects('key-portal/made-by', objects)).own | map(attribute='kind') }}"
"""

RETURN = r"""
_value:
  description: What was found. It holds secrets.
  type: dict
  contains:
    own:
      description: The objects that the role has created.
      type: list
      elements: dict
    unwanted:
      description: Those of them that there is not to be.
      type: list
      elements: dict
    foreign:
      description: Kind and name of wanted objects that somebody else has created.
      type: list
      elements: str
    session_secret:
      description: The secret with which the portal signs, of the role's own Secret; empty without one.
      type: str
    admin_password:
      description: The administrator's password in the role's own Secret; empty without one.
      type: str
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils import portal_pods as utils


def portal_objects(results: Sequence[Mapping[str, Any]], label: str, wanted: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    if isinstance(results, (str, Mapping)):
        raise AnsibleFilterError("portal_objects: the input is not a list; give the results of a loop over kubernetes.core.k8s_info.")
    return utils.portal_objects(results, label, wanted)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"portal_objects": portal_objects}
