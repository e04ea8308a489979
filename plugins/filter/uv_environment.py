# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: pip's settings as environment variables of uv."""

from __future__ import annotations

DOCUMENTATION = r"""
name: uv_environment
short_description: Pip's settings as environment variables of uv
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - The installer uv does not read the settings of pip. The role P(rhpds.litellm_virtual_keys.litellm_gateway#role) hands over the package
    indexes, the certificate and the proxy that pip is configured with.
options:
  _input:
    description: The lines that C(pip config list) prints.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Read pip's settings
  ansible.builtin.command: pip config list
  register: pip_config
  changed_when: false
  no_log: true  # an index URL may carry a password

- name: Install a package from where pip would take it
  ansible.builtin.command: uv pip install requests
  environment: "{{ pip_config.stdout_lines | rhpds.litellm_virtual_keys.uv_environment }}"
"""

RETURN = r"""
_value:
  description: The variables, by name. It may hold the password of a package index.
  type: dict
  sample:
    UV_DEFAULT_INDEX: https://pypi.example.com/simple
"""

from collections.abc import Callable, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils import uv_environment as utils


def uv_environment(pip_config: Sequence[str]) -> dict[str, str]:
    if isinstance(pip_config, str):
        raise AnsibleFilterError("uv_environment: the input is a text; give the list of lines that pip config list prints.")
    return utils.uv_environment(pip_config)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"uv_environment": uv_environment}
