#!/usr/bin/python
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""List the models that a gateway serves."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_info
short_description: List the models that a LiteLLM gateway serves
version_added: 2.0.0
description:
  - Asks a gateway for the names that can be given to a key as its models. These are the models, including wildcards
    such as V(openai/*), and the access groups of models.
  - Fails if the API key is not an admin's, because LiteLLM shows others only some of the models, and if the gateway has
    no working database, because it may not know the models that are kept there.
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
- name: List the models that keys can be made for
  rhpds.litellm_virtual_keys.gateway_info:
    url: https://litellm.example.com
    api_key: "{{ litellm_master_key }}"
  register: gateway
"""

RETURN = r"""
models:
  description: The names, in alphabetical order.
  returned: success
  type: list
  elements: str
  sample: [openai/granite-3-2-8b-instruct]
calls:
  description: How many HTTP requests were sent.
  returned: success
  type: int
code:
  description: Stable error code, for example C(not_admin).
  returned: failure
  type: str
status:
  description: The HTTP status behind the failure, if there was one.
  returned: failure
  type: int
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.common.options import StrictModule
from ..module_utils.keys.api import KeyApi
from ..module_utils.litellm.models import served_models
from ..module_utils.litellm.options import GATEWAY_SPEC, open_client, run_module


def list_models(module: AnsibleModule) -> dict[str, Any]:
    """Return the names that can be given to a key as its models."""
    client = open_client(module)
    KeyApi(client).check_admin()
    return {"changed": False, "models": served_models(client), "calls": client.calls}


def main() -> None:
    module = StrictModule(argument_spec=GATEWAY_SPEC, supports_check_mode=True)
    run_module(module, lambda: list_models(module))


if __name__ == "__main__":
    main()
