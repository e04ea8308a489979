# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: from namespaces of Kubernetes to the GUIDs of the labs they belong to."""

from __future__ import annotations

DOCUMENTATION = r"""
name: namespace_guids
short_description: The GUIDs of the labs that namespaces belong to
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - Reads the GUIDs of living labs from a label of their namespaces, as the playbook C(reap) does. A lab with several namespaces counts once.
options:
  _input:
    description: The namespaces, as C(kubernetes.core.k8s_info) returns them.
    type: list
    elements: dict
    required: true
  label:
    description: The label that holds the GUID.
    type: str
    required: true
seealso:
  - module: rhpds.litellm_virtual_keys.key_reaper
"""

EXAMPLES = r"""
- name: Show which labs live
  ansible.builtin.debug:
    msg: "{{ (found.resources | rhpds.litellm_virtual_keys.namespace_guids('demo.example.com/guid')).guids }}"
"""

RETURN = r"""
_value:
  description: C(guids), in the order of the namespaces, and the names of the namespaces C(without_label).
  type: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any


def namespace_guids(namespaces: Sequence[Mapping[str, Any]], label: str) -> dict[str, list[str]]:
    """Return the values of `label`, each once, as `guids`, and the names of the namespaces `without_label`."""
    guids: dict[str, None] = {}
    without_label: list[str] = []
    for namespace in namespaces:
        metadata = namespace["metadata"]
        labels = metadata.get("labels") or {}
        if label in labels:
            guids[labels[label]] = None
        else:
            without_label.append(metadata["name"])
    return {"guids": list(guids), "without_label": without_label}


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"namespace_guids": namespace_guids}
