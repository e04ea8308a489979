# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: a dictionary without the entries that are not set."""

from __future__ import annotations

DOCUMENTATION = r"""
name: without_empty
short_description: A dictionary without the entries that are not set
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - Leaves out what is an empty text, so that a module reads its environment variables or uses its defaults for it.
options:
  _input:
    description: A dictionary.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Use the options that are set
  module_defaults:
    group/rhpds.litellm_virtual_keys.litellm: "{{ {'url': litellm_url, 'ca_path': ''} | rhpds.litellm_virtual_keys.without_empty }}"
  rhpds.litellm_virtual_keys.gateway_info:
"""

RETURN = r"""
_value:
  description: The dictionary with the other entries.
  type: dict
"""

from collections.abc import Callable
from typing import Any

from ..plugin_utils import mappings


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"without_empty": mappings.without_empty}
