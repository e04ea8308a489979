# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Lookup: the value of a key, derived from the secret."""

from __future__ import annotations

DOCUMENTATION = r"""
name: virtual_key
short_description: The value of a LiteLLM virtual key, derived
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - Values of keys that this collection makes are derived from a secret, the key's alias and how often the key was
    rotated. Whoever has the secret can compute the value again, without asking the gateway.
  - The gateway is not asked. So a value is returned even for a key that was never made, was deleted, or has a value
    that was not derived. M(rhpds.litellm_virtual_keys.virtual_key_info) shows which keys exist, and their generation.
options:
  _terms:
    description:
      - The aliases of the keys, or with O(guid) the users in that lab.
    type: list
    elements: str
  guid:
    description:
      - The GUID of a lab. Without users in O(_terms), the value of the lab's only key is returned.
    type: str
  generation:
    description:
      - How often the keys have been rotated. After a rotation it must be given, or the value returned is the former one.
    type: int
    default: 0
  secret:
    description:
      - The secret that values are derived from, the same that the keys were made with. At least 16 characters. Falls
        back to O(api_key).
    type: str
    env:
      - name: LITELLM_DERIVATION_SECRET
  api_key:
    description:
      - The gateway's master key. Needed if the keys were made without a secret of their own.
      - E(LITELLM_MASTER_KEY) is used before E(LITELLM_API_KEY), as in the modules.
    type: str
    aliases: [master_key]
    env: # the last one that is set wins
      - name: LITELLM_API_KEY
      - name: LITELLM_MASTER_KEY
seealso:
  - module: rhpds.litellm_virtual_keys.virtual_keys
  - module: rhpds.litellm_virtual_keys.virtual_key_info
"""

EXAMPLES = r"""
- name: Call a model with the key of a lab
  ansible.builtin.uri:
    url: https://litellm.example.com/v1/models
    headers:
      Authorization: "Bearer {{ lookup('rhpds.litellm_virtual_keys.virtual_key', guid='abc12', secret=litellm_derivation_secret) }}"
  no_log: true

- name: Derive the keys of two users of a lab
  ansible.builtin.set_fact:
    lab_keys: "{{ query('rhpds.litellm_virtual_keys.virtual_key', 'user1', 'user2', guid='abc12') }}"
  no_log: true

- name: Derive a key that was rotated once, by its alias
  ansible.builtin.set_fact:
    team_key: "{{ lookup('rhpds.litellm_virtual_keys.virtual_key', 'team-red', generation=1) }}"
  no_log: true
"""

RETURN = r"""
_raw:
  description: The values, in the order of O(_terms).
  type: list
  elements: str
"""

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ..module_utils.common import names
from ..module_utils.keys import derive
from ..module_utils.litellm.options import secret_of
from ..plugin_utils import options


class LookupModule(LookupBase):
    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        self.set_options(var_options=variables, direct=kwargs)
        guid = self.get_option("guid")
        try:
            options.check_option_names(kwargs, ("guid", "generation", "secret", "api_key", "master_key"))
            secret = self._secret()
            if guid:
                lab = names.lab_alias(names.check_guid(guid))
                aliases = [names.user_alias(lab, names.check_user(str(user))) for user in terms] or [lab]
            else:
                aliases = [names.check_alias(str(alias)) for alias in terms]
            if not aliases:
                raise ValueError("neither an alias nor guid is given; name the keys whose values are wanted.")
            return [derive.value(secret, alias, self.get_option("generation")) for alias in aliases]
        except ValueError as error:
            raise AnsibleLookupError(f"virtual_key: {error}") from None

    def _secret(self) -> str:
        params = {"secret": self.get_option("secret") or "", "api_key": self.get_option("api_key") or ""}
        if not any(params.values()):
            raise ValueError("no secret is known; give secret, or set LITELLM_DERIVATION_SECRET or LITELLM_MASTER_KEY.")
        return secret_of(params)
