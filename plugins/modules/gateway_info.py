#!/usr/bin/python
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What a gateway has to offer."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_info
short_description: Tell which models a LiteLLM gateway serves
version_added: 2.0.0
description:
  - Asks a gateway for the names that a key can be given as its models. They are the models, among them wildcards such as
    V(openai/*), and the access groups of models.
  - Fails when the API key is not an admin's, for to others LiteLLM tells a part only, and when the gateway has no database at
    the moment, for it may not know the models that are kept there.
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
extends_documentation_fragment:
  - rhpds.litellm_virtual_keys.gateway
  - rhpds.litellm_virtual_keys.attributes
  - rhpds.litellm_virtual_keys.attributes.info_module
  - rhpds.litellm_virtual_keys.attributes.litellm
seealso:
  - module: rhpds.litellm_virtual_keys.approval
  - module: rhpds.litellm_virtual_keys.policy_check
"""

EXAMPLES = r"""
- name: Which models can keys be made for?
  rhpds.litellm_virtual_keys.gateway_info:
    url: https://litellm.example.com
    api_key: "{{ litellm_master_key }}"
  register: gateway
"""

RETURN = r"""
models:
  description: The names, in their alphabetical order.
  returned: success
  type: list
  elements: str
  sample: [openai/granite-3-2-8b-instruct]
calls:
  description: How many HTTP exchanges it took.
  returned: success
  type: int
code:
  description: What went wrong, in one word that stays the same, for example C(not_admin).
  returned: failure
  type: str
status:
  description: The HTTP status behind the failure, if there was one.
  returned: failure
  type: int
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.keys.api import KeyApi
from ..module_utils.litellm.models import served_models
from ..module_utils.litellm.options import GATEWAY_SPEC, open_client, run_module


def list_models(module: AnsibleModule) -> dict[str, Any]:
    """Return the names that a key can be given as its models."""
    client = open_client(module)
    KeyApi(client).check_admin()
    return {"changed": False, "models": served_models(client), "calls": client.calls}


def main() -> None:
    module = AnsibleModule(argument_spec=GATEWAY_SPEC, supports_check_mode=True)
    run_module(module, lambda: list_models(module))


if __name__ == "__main__":
    main()
