#!/usr/bin/python
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Find out whether a class can begin with its keys."""

from __future__ import annotations

DOCUMENTATION = r"""
module: key_preflight
short_description: Find out whether a class can begin with its LiteLLM virtual keys
version_added: 2.0.0
description:
  - Makes one small call to every model with every key of a lab, as its user would, and checks that the keys are valid
    until the class ends, have budget left, and together cannot exceed the gateway's capacity.
  - The lab is named by O(guid), O(lab_alias) or both.
  - Returns go, or fails with no-go and the reasons. Programs can read both results.
  - The calls are real. Each asks for one token, which is charged and counted. No key's value is returned.
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
extends_documentation_fragment:
  - rhpds.litellm_virtual_keys.gateway
  - rhpds.litellm_virtual_keys.attributes
  - rhpds.litellm_virtual_keys.attributes.litellm
attributes:
  check_mode:
    support: full
    details:
      - In check mode no model is called, and the doubts say so. Everything else is checked.
  diff_mode:
    support: N/A
    details:
      - This module changes nothing.
  idempotent:
    support: full
    details:
      - This module changes nothing.
options:
  guid:
    description:
      - The GUID of the lab.
    type: str
  lab_alias:
    description:
      - The alias of the lab, if it is not V(virtkey-GUID).
    type: str
  user_base:
    description: The prefix of user names in labs of release 1.3.2 of this collection.
    type: str
    default: user
  secret:
    description:
      - The secret that the values of the keys are derived from, the same that they were made with. At least 16
        characters.
      - If not set, the environment variable E(LITELLM_DERIVATION_SECRET) is used, and then O(api_key).
    type: str
  models:
    description:
      - The models that the class needs. If not set, each key is tried with all models that it may call by name.
    type: list
    elements: str
  num_keys:
    description:
      - How many keys there must be, one for each user.
    type: int
    default: 1
  class_ends:
    description:
      - The time until which the keys must be valid, in ISO 8601, in UTC unless it has another offset.
    type: str
  min_budget:
    description:
      - How many USD each key that has a budget must have left.
    type: float
    default: 0
  capacity:
    description:
      - The capacity of models, by name, each with C(rpm) (requests per minute) and C(tpm) (tokens per minute), and
        under V(*) that of the gateway as a whole. A rate that is not given is taken from the deployments that serve the
        model, if all of them state it.
      - All keys that may call a model are counted with their full limits, as if all were used at once.
    type: dict
  rpm_per_key:
    description:
      - How many requests per minute to count for a key without a limit.
    type: int
  tpm_per_key:
    description:
      - How many tokens per minute to count for a key without a limit.
    type: int
seealso:
  - module: rhpds.litellm_virtual_keys.virtual_keys
"""

EXAMPLES = r"""
- name: Check that the class can begin
  rhpds.litellm_virtual_keys.key_preflight:
    url: https://litellm.example.com
    api_key: "{{ litellm_master_key }}"
    guid: abc12
    num_keys: 40
    class_ends: "2026-12-01T17:00:00Z"
    min_budget: 1
    capacity:
      openai/granite-3-2-8b-instruct:
        rpm: 3000
        tpm: 400000
"""

RETURN = r"""
go:
  description: Whether the class can begin.
  returned: when it could be judged
  type: bool
reasons:
  description: The reasons why it cannot.
  returned: when it could be judged
  type: list
  elements: dict
  contains:
    code:
      description:
        - Stable code of the reason. C(too_few_keys), C(blocked), C(expired), C(ends_early), C(budget),
          C(unrecoverable), C(unknown_model), C(no_models), C(call_failed) or C(capacity).
      type: str
    msg:
      description: The reason, and what to do.
      type: str
    alias:
      description: The key that it is about, or an empty string.
      type: str
    model:
      description: The model that it is about, or an empty string.
      type: str
doubts:
  description: Everything that could not be judged.
  returned: when it could be judged
  type: list
  elements: str
keys:
  description: How many keys there are.
  returned: when it could be judged
  type: int
models:
  description: For each model, how many calls were C(tried), how many of them succeeded (C(well)), and the C(median_seconds) and C(longest_seconds) of these.
  returned: when it could be judged
  type: dict
loads:
  description:
    - For each C(model) (C(*) is the gateway as a whole) and C(rate) (C(rpm) or C(tpm)), the C(demand) of the C(keys)
      that may call it, the C(capacity) or null, and how many keys are C(unlimited) and therefore not included in the
      demand.
  returned: when it could be judged
  type: list
  elements: dict
calls:
  description: How many HTTP requests were sent.
  returned: when it could be judged
  type: int
code:
  description: Stable error code; C(no_go) if the class cannot begin.
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
from ..module_utils.fleet.options import needs_of
from ..module_utils.fleet.preflight import no_go
from ..module_utils.fleet.trials import judge_lab
from ..module_utils.keys.api import KeyApi
from ..module_utils.keys.lab import Lab
from ..module_utils.litellm.options import GATEWAY_SPEC, SECRET_SPEC, open_client, run_module, secret_of


def judge(module: AnsibleModule) -> dict[str, Any]:
    """Return the findings if the class can begin; fail the module if it cannot."""
    params = module.params
    needs, secret, lab = needs_of(params), secret_of(params), Lab.from_params(params)
    client = open_client(module)
    readiness = judge_lab(KeyApi(client, module.warn), lab, secret, needs, params["models"] or [], check_mode=module.check_mode)
    result = {**readiness.to_result(), "calls": client.calls}
    if readiness.reasons:
        module.fail_json(msg=no_go(readiness.reasons), code="no_go", **result)
    return result


def main() -> None:
    module = StrictModule(
        argument_spec={
            **GATEWAY_SPEC,
            "guid": {"type": "str"},
            "lab_alias": {"type": "str"},
            "user_base": {"type": "str", "default": "user"},
            **SECRET_SPEC,
            "models": {"type": "list", "elements": "str"},
            "num_keys": {"type": "int", "default": 1, "no_log": False},
            "class_ends": {"type": "str"},
            "min_budget": {"type": "float", "default": 0},
            "capacity": {"type": "dict"},
            "rpm_per_key": {"type": "int", "no_log": False},
            "tpm_per_key": {"type": "int", "no_log": False},
        },
        required_one_of=[("guid", "lab_alias")],
        supports_check_mode=True,
    )
    run_module(module, lambda: judge(module))


if __name__ == "__main__":
    main()
