#!/usr/bin/python
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Manage one credential of a provider."""

from __future__ import annotations

DOCUMENTATION = r"""
module: credential
short_description: Manage one provider's credential of a LiteLLM gateway
version_added: 2.0.0
description:
  - Sets, rotates and removes the key that the gateway calls a provider with. Models name the credential, so a new key is
    given in one place, and nobody who calls a model ever sees it.
  - LiteLLM shows a key masked. A fingerprint of the key is noted with it, so the key is written only if it has changed.
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
extends_documentation_fragment:
  - rhpds.litellm_virtual_keys.gateway
  - rhpds.litellm_virtual_keys.catalogue
  - rhpds.litellm_virtual_keys.catalogue.credential
  - rhpds.litellm_virtual_keys.attributes
  - rhpds.litellm_virtual_keys.attributes.litellm
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  name:
    description:
      - The name of the credential.
    type: str
    required: true
  state:
    description:
      - With V(present) the credential exists as described.
      - With V(absent) it does not exist. Only O(name) is used. The module fails if a model is called with it, or if it
        belongs to another set.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: rhpds.litellm_virtual_keys.models
  - module: rhpds.litellm_virtual_keys.credential_info
  - module: rhpds.litellm_virtual_keys.model
"""

EXAMPLES = r"""
- name: Set the key of a provider, or rotate it
  rhpds.litellm_virtual_keys.credential:
    url: https://litellm.example.com
    api_key: "{{ litellm_master_key }}"
    name: openai
    provider: openai
    provider_key: "{{ openai_key }}"

- name: Set the credentials of a cloud, which are more than a key
  rhpds.litellm_virtual_keys.credential:
    url: https://litellm.example.com
    api_key: "{{ litellm_master_key }}"
    name: bedrock
    provider: bedrock
    secret_values:
      aws_access_key_id: "{{ aws_access_key_id }}"
      aws_secret_access_key: "{{ aws_secret_access_key }}"
      aws_region_name: eu-central-1
"""

RETURN = r"""
credentials:
  description: The credential.
  returned: success, and when part of the work failed
  type: list
  elements: dict
  contains:
    name:
      description: The name of the credential.
      type: str
    action:
      description: C(created), C(updated), C(replaced), C(unchanged) or C(deleted).
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
counts:
  description: How many were created, updated, replaced, left unchanged and deleted.
  returned: success, and when part of the work failed
  type: dict
calls:
  description: How many HTTP requests were sent.
  returned: success, and when part of the work failed
  type: int
code:
  description: Stable error code, for example C(unauthorized), C(name_clash) or C(unknown_provider).
  returned: failure
  type: str
status:
  description: The HTTP status behind the failure, if there was one.
  returned: failure
  type: int
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.catalogue.options import CREDENTIAL_SPEC, SET_SPEC, apply, delete, unwanted_credential, wanted_credential
from ..module_utils.catalogue.plan import CatalogueScope
from ..module_utils.common.options import StrictModule
from ..module_utils.litellm.options import GATEWAY_SPEC, run_module


def manage_credential(module: AnsibleModule) -> dict[str, Any]:
    """Bring the credential to its state, and return it."""
    params = module.params
    scope = CatalogueScope(params["set_name"])
    if params["state"] == "absent":
        return delete(module, [unwanted_credential(params)], scope)
    return apply(module, [wanted_credential(params, scope.set_name)], scope)


def main() -> None:
    module = StrictModule(
        argument_spec={
            **GATEWAY_SPEC,
            **SET_SPEC,
            **CREDENTIAL_SPEC,
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    run_module(module, lambda: manage_credential(module))


if __name__ == "__main__":
    main()
