# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: what the role litellm_gateway finds in a Kubernetes namespace."""

from __future__ import annotations

DOCUMENTATION = r"""
name: gateway_objects
short_description: The Kubernetes objects of a gateway, sorted by who made them
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - The role P(rhpds.litellm_virtual_keys.litellm_gateway#role) compares with this filter what it finds in Kubernetes with what it would
    create. Use the role.
options:
  _input:
    description: The results of M(kubernetes.core.k8s_info), one for each kind of object.
    type: list
    elements: dict
    required: true
  label:
    description: Label of the objects that the role has created.
    type: str
    required: true
  unwanted_kinds:
    description: Kinds of objects that the role is not to create.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show which objects the role has created
  ansible.builtin.debug:
    msg: "{{ (found.results | rhpds.litellm_virtual_keys.gateway_objects('litellm-gateway/made-by')).own | map(attribute='kind') }}"
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
      description: Those of them that are of an unwanted kind.
      type: list
      elements: dict
    foreign_kinds:
      description: Kinds of wanted objects that somebody else has created under the same name.
      type: list
      elements: str
    image:
      description: The image that the role's own Deployment runs; empty without one.
      type: str
    master_key:
      description: The master key in the role's own Secret; empty without one.
      type: str
    salt_key:
      description: The salt key in the role's own Secret; empty without one.
      type: str
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils import gateway_objects as utils


def gateway_objects(results: Sequence[Mapping[str, Any]], label: str, unwanted_kinds: Sequence[str] = ()) -> dict[str, Any]:
    if isinstance(results, (str, Mapping)):
        raise AnsibleFilterError("gateway_objects: the input is not a list; give the results of a loop over kubernetes.core.k8s_info.")
    return utils.gateway_objects(results, label, unwanted_kinds)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"gateway_objects": gateway_objects}
