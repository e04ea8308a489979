#!/usr/bin/python
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Manage one model of the gateway."""

from __future__ import annotations

DOCUMENTATION = r"""
module: model
short_description: Manage one model of a LiteLLM gateway
version_added: 2.0.0
description:
  - Adds, updates and removes one model at run time, without a restart of the gateway. For many models, or models with
    their credentials, use M(rhpds.litellm_virtual_keys.models), which handles them as one set.
  - A name stands for one model, unless each of its deployments has a O(deployment) of its own. A second model of the
    same name is never made silently.
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
extends_documentation_fragment:
  - rhpds.litellm_virtual_keys.gateway
  - rhpds.litellm_virtual_keys.catalogue
  - rhpds.litellm_virtual_keys.catalogue.model
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
      - The name under which the gateway serves the model.
    type: str
    required: true
  state:
    description:
      - With V(present) the model exists as described.
      - With V(absent) the model does not exist. Only O(name), O(deployment) and O(id) are used. Without the latter two,
        all deployments of the name are removed. If one belongs to another set, the module fails and removes none.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: rhpds.litellm_virtual_keys.models
  - module: rhpds.litellm_virtual_keys.model_info
  - module: rhpds.litellm_virtual_keys.credential
"""

EXAMPLES = r"""
- name: Serve a model with a price of our own
  rhpds.litellm_virtual_keys.model:
    url: https://litellm.example.com
    api_key: "{{ litellm_master_key }}"
    name: gpt-4o-mini
    provider: openai
    upstream: gpt-4o-mini
    credential: openai
    input_cost_per_token: 2.0e-07
    output_cost_per_token: 8.0e-07

- name: Spread the calls of a model over two of our own servers
  rhpds.litellm_virtual_keys.model:
    url: https://litellm.example.com
    api_key: "{{ litellm_master_key }}"
    name: granite-3-2-8b-instruct
    deployment: "{{ item }}"
    provider: hosted_vllm
    upstream: ibm-granite/granite-3.2-8b-instruct
    api_base: "https://{{ item }}.example.com/v1"
  loop: [east, west]

- name: Remove a model
  rhpds.litellm_virtual_keys.model:
    url: https://litellm.example.com
    api_key: "{{ litellm_master_key }}"
    name: gpt-4o-mini
    state: absent
"""

RETURN = r"""
models:
  description: The model. When a name with several deployments is removed, all of them.
  returned: success, and when part of the work failed
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
    action:
      description: C(created), C(updated), C(replaced), C(unchanged) or C(deleted).
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

from ..module_utils.catalogue.options import MODEL_SPEC, SET_SPEC, apply, delete, unwanted_model, wanted_model
from ..module_utils.catalogue.plan import CatalogueScope
from ..module_utils.common.options import StrictModule
from ..module_utils.litellm.options import GATEWAY_SPEC, run_module


def manage_model(module: AnsibleModule) -> dict[str, Any]:
    """Bring the model to its state, and return it."""
    params = module.params
    scope = CatalogueScope(params["set_name"])
    if params["state"] == "absent":
        return delete(module, [unwanted_model(params)], scope)
    return apply(module, [wanted_model(params, scope.set_name)], scope)


def main() -> None:
    module = StrictModule(
        argument_spec={
            **GATEWAY_SPEC,
            **SET_SPEC,
            **MODEL_SPEC,
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    run_module(module, lambda: manage_model(module))


if __name__ == "__main__":
    main()
