# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: the results of the deliveries of the role key_delivery."""

from __future__ import annotations

DOCUMENTATION = r"""
name: delivery_results
short_description: The result of each delivery
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - The role P(rhpds.litellm_virtual_keys.key_delivery#role) reads with this filter what its tasks registered. Use the role.
positional: method, outcome, done
options:
  _input:
    description: The parcels that the method's task got, as P(rhpds.litellm_virtual_keys.delivery_plan#filter) made them.
    type: list
    elements: dict
    required: true
  method:
    description: The method.
    type: str
    required: true
  outcome:
    description: The result that the task registered.
    type: dict
    required: true
  done:
    description: The status of successful deliveries, V(delivered), V(removed) or V(planned).
    type: str
    default: delivered
"""

EXAMPLES = r"""
- name: Show the results of the mails
  ansible.builtin.debug:
    msg: "{{ lab_plan.mail | rhpds.litellm_virtual_keys.delivery_results('mail', lab_mailed) }}"
"""

RETURN = r"""
_value:
  description: The results, in the order of the input, as the role describes them. They hold no keys.
  type: list
  elements: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils import delivery


def delivery_results(parcels: Sequence[Mapping[str, Any]], method: str, outcome: Mapping[str, Any], done: str = delivery.DELIVERED) -> list[dict[str, Any]]:
    if method not in delivery.METHODS:
        raise AnsibleFilterError(f"delivery_results: method is not one of {', '.join(delivery.METHODS)}.")
    return delivery.delivery_results(parcels, method, outcome, done)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"delivery_results": delivery_results}
