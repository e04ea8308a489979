# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: what a pass over the queue of requests has to say."""

from __future__ import annotations

DOCUMENTATION = r"""
name: pass_summary
short_description: What a pass over the queue of requests has to say
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - Use the role P(rhpds.litellm_virtual_keys.key_requests#role), whose passes are made with this filter.
positional: approved, denied, still_open, set_aside
options:
  _input:
    description: The requests that were due, as M(rhpds.litellm_virtual_keys.key_request_info) returns them.
    type: list
    elements: dict
    required: true
  approved:
    description: Those that are approved now.
    type: list
    elements: dict
    required: true
  denied:
    description: Those that are denied now.
    type: list
    elements: dict
    required: true
  still_open:
    description: The requests that are open after the pass.
    type: list
    elements: dict
    required: true
  set_aside:
    description: Entries of the store that could not be read.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Report the pass
  ansible.builtin.debug:
    msg: "{{ queue.requests | rhpds.litellm_virtual_keys.pass_summary(approved, denied, open.requests, queue.set_aside) }}"
"""

RETURN = r"""
_value:
  description: Lines with the numbers of requests, with each failure, and with each entry of the store that could not be read.
  type: list
  elements: str
"""

from collections.abc import Callable
from typing import Any

from ..plugin_utils import request_report


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"pass_summary": request_report.pass_summary}
