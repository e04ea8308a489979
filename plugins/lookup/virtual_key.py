# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Lookup: the value of a key, derived from the secret."""

from __future__ import annotations

DOCUMENTATION = r"""
name: virtual_key
short_description: The value of a LiteLLM virtual key
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - Values of keys that this collection makes are derived from a secret, the key's alias and the key's generation, which
    grows with every rotation, and when a key is made again after its deletion. Whoever has the secret can compute the
    value again.
  - The gateway is asked for the generation of the key in service. It is an error if it has no such key, or one whose
    value was not derived from this secret.
  - With O(generation) the gateway is not asked. Then a value is returned even for a key that was never made, was
    deleted, or was rotated since.
extends_documentation_fragment:
  - rhpds.litellm_virtual_keys.gateway
  - rhpds.litellm_virtual_keys.gateway.plugin
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
      - The generation of the keys, as M(rhpds.litellm_virtual_keys.virtual_key_info) shows it, to derive values without
        a gateway. The first one is V(0).
    type: int
  url:
    description: The address of the gateway. Not needed with O(generation).
    type: str
    required: false
    env:
      - name: LITELLM_BASE_URL
  secret:
    description:
      - The secret that values are derived from, the same that the keys were made with. At least 16 characters. Falls
        back to O(api_key).
    type: str
    env:
      - name: LITELLM_DERIVATION_SECRET
  api_key:
    description:
      - The gateway's master key. Needed to ask the gateway, and if the keys were made without a secret of their own.
      - E(LITELLM_MASTER_KEY) is used before E(LITELLM_API_KEY), as in the modules.
    type: str
    required: false
    aliases: [master_key]
    env: # the last one that is set wins
      - name: LITELLM_API_KEY
      - name: LITELLM_MASTER_KEY
seealso:
  - module: rhpds.litellm_virtual_keys.virtual_keys
  - module: rhpds.litellm_virtual_keys.virtual_key_info
"""

EXAMPLES = r"""
- name: Call a model with the key of a lab, which the gateway in LITELLM_BASE_URL knows
  ansible.builtin.uri:
    url: https://litellm.example.com/v1/models
    headers:
      Authorization: "Bearer {{ lookup('rhpds.litellm_virtual_keys.virtual_key', guid='abc12', secret=litellm_derivation_secret) }}"
  no_log: true

- name: Derive the keys of two users of a lab
  ansible.builtin.set_fact:
    lab_keys: "{{ query('rhpds.litellm_virtual_keys.virtual_key', 'user1', 'user2', guid='abc12') }}"
  no_log: true

- name: Derive a key that was rotated once, by its alias, without a gateway
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

import sys
from functools import partial
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ..module_utils.common import names
from ..module_utils.common.transport import REQUESTS_ERROR
from ..module_utils.keys import derive
from ..module_utils.keys.api import KeyApi
from ..module_utils.keys.lab import history_of, searches_for
from ..module_utils.keys.plan import living_generations
from ..module_utils.litellm import errors
from ..module_utils.litellm.client import Client
from ..module_utils.litellm.options import GATEWAY_SPEC, connection_of, secret_of
from ..plugin_utils import options


class LookupModule(LookupBase):
    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        self.set_options(var_options=variables, direct=kwargs)
        guid = self.get_option("guid")
        try:
            options.check_option_names(kwargs, ("guid", "generation", "secret", "master_key", *GATEWAY_SPEC))
            secret = self._secret()
            if guid:
                lab = names.lab_alias(names.check_guid(guid))
                aliases = [names.user_alias(lab, names.check_user(str(user))) for user in terms] or [lab]
            else:
                aliases = [names.check_alias(str(alias)) for alias in terms]
            if not aliases:
                raise ValueError("neither an alias nor guid is given; name the keys whose values are wanted.")
            generations = self._generations(aliases, secret)
            return [derive.value(secret, alias, generations[alias]) for alias in aliases]
        except (ValueError, errors.GatewayError) as error:
            raise AnsibleLookupError(f"virtual_key: {error}") from None

    def _generations(self, aliases: list[str], secret: str) -> dict[str, int]:
        """Return the generation of each alias: the given one, or else that of the key in service."""
        given = self.get_option("generation")
        if given is not None:
            return dict.fromkeys(aliases, given)
        if not self.get_option("url"):
            raise ValueError("neither url nor generation is given; give the address of the gateway, which knows the generation of each key.")
        if REQUESTS_ERROR is not None:
            raise ValueError(f"the Python library requests is missing ({REQUESTS_ERROR}); install it for {sys.executable}.")
        value_of = partial(derive.value, secret)
        client = Client(connection_of({name: self.get_option(name) for name in GATEWAY_SPEC}))
        try:
            api = KeyApi(client)
            history = history_of(api, aliases, value_of)  # first: a key that is deleted in between must not look as if it had been made again
            return living_generations(api.keys_like(*searches_for(set(aliases))), aliases, value_of, history)
        finally:
            client.close()

    def _secret(self) -> str:
        params = {"secret": self.get_option("secret") or "", "api_key": self.get_option("api_key") or ""}
        if not any(params.values()):
            raise ValueError("no secret is known; give secret, or set LITELLM_DERIVATION_SECRET or LITELLM_MASTER_KEY.")
        return secret_of(params)
