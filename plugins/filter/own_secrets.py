# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: the Secrets of keys that this collection made."""

from __future__ import annotations

DOCUMENTATION = r"""
name: own_secrets
short_description: The Secrets of keys that this collection made
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - The role P(rhpds.litellm_virtual_keys.key_delivery#role) selects the Secrets that it may remove with this filter. Use the role.
positional: claimed
options:
  _input:
    description: The parcels of the method V(kubernetes_secret), as P(rhpds.litellm_virtual_keys.delivery_plan#filter) made them.
    type: list
    elements: dict
    required: true
  claimed:
    description:
      - The result of a task that applied their Secrets in check mode. The API server refuses that for a Secret of another type, which
        this collection did not make.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Remove the Secrets that this collection made
  kubernetes.core.k8s:
    definition: "{{ lab_plan.kubernetes_secret | rhpds.litellm_virtual_keys.own_secrets(claimed) }}"
    state: absent
"""

RETURN = r"""
_value:
  description: The manifests of these Secrets, without data.
  type: list
  elements: dict
"""

from collections.abc import Callable
from typing import Any

from ..plugin_utils import delivery


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"own_secrets": delivery.own_secrets}
