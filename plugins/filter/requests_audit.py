# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: what happened to requests, as JSON Lines."""

from __future__ import annotations

DOCUMENTATION = r"""
name: requests_audit
short_description: What happened to requests, as JSON Lines
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - Turns the events of M(rhpds.litellm_virtual_keys.key_request_info) into text with an event a line, for programs that read an audit.
  - Use the playbook C(rhpds.litellm_virtual_keys.requests) with C(output=audit).
options:
  _input:
    description: The RV(rhpds.litellm_virtual_keys.key_request_info#module:audit).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Write what happened to the requests to a file
  ansible.builtin.copy:
    content: "{{ found.audit | rhpds.litellm_virtual_keys.requests_audit }}"
    dest: requests.jsonl
    mode: "0600"
"""

RETURN = r"""
_value:
  description: The lines.
  type: str
"""

from collections.abc import Callable
from typing import Any

from ..module_utils.key_requests.audit import json_lines


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"requests_audit": json_lines}
