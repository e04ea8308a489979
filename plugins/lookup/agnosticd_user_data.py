# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: agnosticd_user_data
short_description: Read the data that agnosticd_user_info saved
version_added: 2.0.0
description:
  - Returns values that M(rhpds.litellm_virtual_keys.agnosticd_user_info), or AgnosticD's own plugin, saved while
    provisioning, from the file V(provision-user-data.yaml) in the directory that the variable C(output_dir) names.
  - Inside AgnosticD its own lookup does the work if it is installed, C(agnosticd.core.agnosticd_user_data) or, in version 1,
    C(agnosticd_user_data) beside its playbooks.
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
options:
  _terms:
    description:
      - The names of the values. V(*) stands for all data as one mapping.
    type: list
    elements: str
    required: true
  user:
    description:
      - The user whose data to read. The default is the data of the whole lab.
    type: str
"""

EXAMPLES = r"""
- name: Use the key that was saved for the whole lab
  ansible.builtin.set_fact:
    my_key: "{{ lookup('rhpds.litellm_virtual_keys.agnosticd_user_data', 'litellm_virtual_key') }}"

- name: Use the key that was saved for one user
  ansible.builtin.set_fact:
    my_key: "{{ lookup('rhpds.litellm_virtual_keys.agnosticd_user_data', 'litellm_virtual_key', user='user1') }}"
"""

RETURN = r"""
_raw:
  description: The values, in the order of the names. A value that was not saved is null.
  type: list
  elements: raw
"""

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.loader import lookup_loader
from ansible.plugins.lookup import LookupBase

from ..plugin_utils import options, user_info
from ..plugin_utils.user_info import UserInfoError

AGNOSTICD_OWN = ("agnosticd.core.agnosticd_user_data", "ansible.legacy.agnosticd_user_data")


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: dict[str, Any] | None = None, user: str | None = None, **kwargs: Any) -> list[Any]:
        own = user_info.own_plugin(AGNOSTICD_OWN, lookup_loader.has_plugin)
        if own:
            lookup = lookup_loader.get(own, loader=self._loader, templar=self._templar)
            values: list[Any] = lookup.run(terms, variables=variables, user=user, **kwargs)
            return values
        try:
            options.check_option_names(kwargs, ("user",))
            directory = user_info.directory(variables or {}, self._templar.template)
            data = user_info.Directory(directory).read_data() if directory else {}
        except (UserInfoError, ValueError) as error:
            raise AnsibleLookupError(str(error)) from None
        if user:
            data = (data.get("users") or {}).get(user) or {}
        return [data if term == "*" else data.get(term) for term in terms]
