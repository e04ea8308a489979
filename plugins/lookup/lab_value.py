# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: lab_value
short_description: Find what the workload role published about a lab
version_added: 2.0.0
description:
  - Returns values that the role P(rhpds.litellm_virtual_keys.ocp4_workload_litellm_virtual_keys#role) set as facts, on this host or on
    C(localhost), or else saved for users. The latter are read, with
    P(rhpds.litellm_virtual_keys.agnosticd_user_data#lookup), only if no fact has the value.
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
options:
  _terms:
    description:
      - The names of the facts, for example V(litellm_virtual_key).
    type: list
    elements: str
    required: true
  user:
    description:
      - The user of the lab. V(litellm_virtual_key) is then the key of the user, and never that of the lab.
    type: str
    default: ""
seealso:
  - plugin: rhpds.litellm_virtual_keys.agnosticd_user_data
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Use the key of a user
  ansible.builtin.set_fact:
    my_key: "{{ lookup('rhpds.litellm_virtual_keys.lab_value', 'litellm_virtual_key', user='user1') }}"
  no_log: true
"""

RETURN = r"""
_raw:
  description: The values, in the order of the names. A value that is found nowhere is an empty text.
  type: list
  elements: raw
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleLookupError, AnsibleUndefinedVariable
from ansible.plugins.loader import lookup_loader
from ansible.plugins.lookup import LookupBase
from jinja2 import Undefined

from ..plugin_utils import options
from ..plugin_utils.workload.lab_values import lab_value


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: dict[str, Any] | None = None, user: str = "", **kwargs: Any) -> list[Any]:
        known = variables or {}
        try:
            options.check_option_names(kwargs, ("user",))
        except ValueError as error:
            raise AnsibleLookupError(str(error)) from None
        localhost = _facts(lambda name: known["hostvars"]["localhost"][name])
        hosts = (_facts(lambda name: self._templar.template(known[name])), localhost)
        saved = lookup_loader.get("rhpds.litellm_virtual_keys.agnosticd_user_data", loader=self._loader, templar=self._templar)

        def read_saved(name: str) -> Any:
            return saved.run([name], variables=known, user=user)[0]

        return [lab_value(name, user, hosts, read_saved) for name in terms]


def _facts(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a function that gives what `read` gives, and None for what is not set."""

    def fact(name: str) -> Any:
        try:
            value = read(name)
        except (KeyError, AnsibleUndefinedVariable):
            return None
        return None if isinstance(value, Undefined) else value

    return fact
