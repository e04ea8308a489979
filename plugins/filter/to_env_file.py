# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: environment variables as a file for `source`."""

from __future__ import annotations

DOCUMENTATION = r"""
name: to_env_file
short_description: Environment variables as a file that shells source
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - Writes C(export NAME='value') for each variable. Every POSIX shell reads back exactly the value, whatever quotes,
    dollars, line breaks or other characters are in it.
options:
  _input:
    description: The variables, by name.
    type: dict
    required: true
  comments:
    description: Lines to begin the file with, as comments.
    type: list
    elements: str
    default: []
seealso:
  - plugin: rhpds.litellm_virtual_keys.client_env
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show what a user has to source
  ansible.builtin.debug:
    msg: "{{ {'GREETING': greeting} | rhpds.litellm_virtual_keys.to_env_file }}"
    # export GREETING='it'"'"'s me'
  vars:
    greeting: it's me
"""

RETURN = r"""
_value:
  description: The content of the file.
  type: str
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils.delivery.client_env import env_file


def to_env_file(variables: Mapping[str, str], comments: Sequence[str] = ()) -> str:
    if not isinstance(variables, Mapping):
        raise AnsibleFilterError("to_env_file: the input is not a mapping of variables; give one such as {'NAME': 'value'}.")
    if isinstance(comments, str):
        raise AnsibleFilterError("to_env_file: comments is a text; give a list of lines.")
    try:
        return env_file(variables, [str(comment) for comment in comments])
    except ValueError as error:
        raise AnsibleFilterError(f"to_env_file: {error}") from None


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"to_env_file": to_env_file}
