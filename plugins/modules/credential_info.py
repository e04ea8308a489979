#!/usr/bin/python
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Look up the credentials of a gateway."""

from __future__ import annotations

DOCUMENTATION = r"""
module: credential_info
short_description: Look up the providers' credentials of a LiteLLM gateway
version_added: 2.0.0
description:
  - Lists the credentials that the gateway calls providers with. LiteLLM shows a secret masked, with its first and last two
    characters, or not at all.
  - A credential must match all conditions that are given. Without any, all credentials are listed.
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
extends_documentation_fragment:
  - rhpds.litellm_virtual_keys.gateway
  - rhpds.litellm_virtual_keys.attributes
  - rhpds.litellm_virtual_keys.attributes.info_module
  - rhpds.litellm_virtual_keys.attributes.litellm
options:
  name:
    description: The name, exactly.
    type: str
  provider:
    description: The provider that is noted on the credential.
    type: str
  set_name:
    description: The set that the credential belongs to.
    type: str
seealso:
  - module: rhpds.litellm_virtual_keys.credential
  - module: rhpds.litellm_virtual_keys.model_info
"""

EXAMPLES = r"""
- name: List the providers' credentials that the gateway has
  rhpds.litellm_virtual_keys.credential_info:
    url: https://litellm.example.com
    api_key: "{{ litellm_master_key }}"
  register: keys
"""

RETURN = r"""
credentials:
  description: The credentials, ordered by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name of the credential.
      type: str
    provider:
      description: The provider that is noted on it, or an empty string.
      type: str
    params:
      description: Its values. Secrets are masked.
      type: dict
    managed:
      description: Whether this collection made the credential, or has taken it over.
      type: bool
    set_name:
      description: The set that it belongs to, or an empty string.
      type: str
calls:
  description: How many HTTP requests were sent.
  returned: success
  type: int
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.catalogue.api import CatalogueApi
from ..module_utils.catalogue.results import describe_entry
from ..module_utils.common.options import StrictModule
from ..module_utils.litellm.options import GATEWAY_SPEC, open_client, run_module


def look_up_credentials(module: AnsibleModule) -> dict[str, Any]:
    """Return the credentials that match all conditions."""
    params = module.params
    client = open_client(module)
    rows = [describe_entry(row) for row in CatalogueApi(client).credentials()]
    conditions = ("name", "provider", "set_name")
    found = [row for row in rows if all(params[name] in (None, row[name]) for name in conditions)]
    return {"changed": False, "credentials": sorted(found, key=lambda row: row["name"]), "calls": client.calls}


def main() -> None:
    module = StrictModule(
        argument_spec={**GATEWAY_SPEC, "name": {"type": "str"}, "provider": {"type": "str"}, "set_name": {"type": "str"}},
        supports_check_mode=True,
    )
    run_module(module, lambda: look_up_credentials(module))


if __name__ == "__main__":
    main()
