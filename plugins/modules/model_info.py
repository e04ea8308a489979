#!/usr/bin/python
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Look up the models of a gateway."""

from __future__ import annotations

DOCUMENTATION = r"""
module: model_info
short_description: Look up the models of a LiteLLM gateway
version_added: 2.0.0
description:
  - Lists the models that the gateway serves, from its database and its configuration file, with their parameters. Secrets
    are masked or left out.
  - A model must match all conditions that are given. Without any, all models are listed.
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
extends_documentation_fragment:
  - rhpds.litellm_virtual_keys.gateway
  - rhpds.litellm_virtual_keys.attributes
  - rhpds.litellm_virtual_keys.attributes.info_module
  - rhpds.litellm_virtual_keys.attributes.litellm
options:
  name:
    description: The name under which the gateway serves the model, exactly.
    type: str
  provider:
    description: The provider, which comes before the first slash of C(upstream).
    type: str
  credential:
    description: The credential that the model is called with.
    type: str
  access_group:
    description: A group that the model is in.
    type: str
  set_name:
    description: The set that the model belongs to.
    type: str
seealso:
  - module: rhpds.litellm_virtual_keys.models
  - module: rhpds.litellm_virtual_keys.credential_info
"""

EXAMPLES = r"""
- name: List the models that are called with the old key
  rhpds.litellm_virtual_keys.model_info:
    url: https://litellm.example.com
    api_key: "{{ litellm_master_key }}"
    credential: openai-2025
  register: old
"""

RETURN = r"""
models:
  description: The models, ordered by name and deployment.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name under which the gateway serves the model.
      type: str
    deployment:
      description: The label that distinguishes it from other deployments of the name, or an empty string.
      type: str
    id:
      description: The id in LiteLLM.
      type: str
    upstream:
      description: The model at the provider, with the provider before the first slash.
      type: str
    credential:
      description: The credential that it is called with, or an empty string.
      type: str
    params:
      description: LiteLLM's parameters of the model. Secrets are masked or left out.
      type: dict
    secrets:
      description: The names of the secrets that this collection has given it.
      type: list
      elements: str
    prices:
      description: The prices of one token of a request and of an answer, in USD, from the model's own prices or LiteLLM's list.
      type: dict
    mode:
      description: The purpose of the model.
      type: str
    access_groups:
      description: The groups that the model is in.
      type: list
      elements: str
    from_config_file:
      description: Whether it comes from the gateway's configuration file, so that it cannot be changed at run time.
      type: bool
    team_id:
      description: The team that owns the model, or an empty string.
      type: str
    blocked:
      description: Whether it is paused.
      type: bool
    managed:
      description: Whether this collection made the model, or has taken it over.
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


def look_up_models(module: AnsibleModule) -> dict[str, Any]:
    """Return the models that match all conditions."""
    params = module.params
    client = open_client(module)
    rows = [describe_entry(row) for row in CatalogueApi(client).models()]
    found = [
        row
        for row in rows
        if params["name"] in (None, row["name"])
        and params["provider"] in (None, str(row["upstream"]).partition("/")[0])
        and params["credential"] in (None, row["credential"])
        and (params["access_group"] is None or params["access_group"] in row["access_groups"])
        and params["set_name"] in (None, row["set_name"])
    ]
    return {
        "changed": False,
        "models": sorted(found, key=lambda row: (row["name"], row["deployment"], row["id"])),
        "calls": client.calls,
    }


def main() -> None:
    conditions = ("name", "provider", "credential", "access_group", "set_name")
    module = StrictModule(argument_spec={**GATEWAY_SPEC, **{name: {"type": "str"} for name in conditions}}, supports_check_mode=True)
    run_module(module, lambda: look_up_models(module))


if __name__ == "__main__":
    main()
