# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: which pending requests can be decided now."""

from __future__ import annotations

DOCUMENTATION = r"""
name: request_triage
short_description: Which pending requests can be decided now
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - Splits pending requests into those that the approval chain can decide now and those that wait for the gateway.
  - Use the role P(rhpds.litellm_virtual_keys.key_requests#role), whose passes are made with this filter.
positional: served, living
options:
  _input:
    description: Pending requests, as M(rhpds.litellm_virtual_keys.key_request_info) returns them.
    type: list
    elements: dict
    required: true
  served:
    description: The result of M(rhpds.litellm_virtual_keys.gateway_info). The task may have been skipped.
    type: dict
    required: true
  living:
    description: The result of M(rhpds.litellm_virtual_keys.virtual_key_info). The task may have been skipped.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Record which requests cannot be decided now
  rhpds.litellm_virtual_keys.key_requests:
    changes: "{{ (pending | rhpds.litellm_virtual_keys.request_triage(gateway, living)).waiting }}"
"""

RETURN = r"""
_value:
  description:
    - C(decidable), the requests that can be decided, and C(waiting), the changes to record of the others, for
      M(rhpds.litellm_virtual_keys.key_requests).
  type: dict
"""

from collections.abc import Callable
from typing import Any

from ..plugin_utils import request_pass


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"request_triage": request_pass.request_triage}
