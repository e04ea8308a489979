# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: a table of requests."""

from __future__ import annotations

DOCUMENTATION = r"""
name: requests_table
short_description: A table of requests
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - Makes the lines that the playbook C(requests) shows.
  - Use the entry point C(show) of the role P(rhpds.litellm_virtual_keys.key_requests#role).
positional: set_aside
options:
  _input:
    description: Requests, as M(rhpds.litellm_virtual_keys.key_request_info) returns them.
    type: list
    elements: dict
    required: true
  set_aside:
    description:
      - Entries of the store that could not be read, its RV(rhpds.litellm_virtual_keys.key_request_info#module:set_aside).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the requests
  ansible.builtin.debug:
    msg: "{{ found.requests | rhpds.litellm_virtual_keys.requests_table(found.set_aside) }}"
"""

RETURN = r"""
_value:
  description: The lines of the table.
  type: list
  elements: str
"""

from collections.abc import Callable
from typing import Any

from ..plugin_utils import request_report


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"requests_table": request_report.requests_table}
