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
  - Makes one small call of every model with every key of a lab, as its user would, and looks whether the keys live until the
    class ends, have budget left, and together may not ask for more than the gateway bears.
  - At least one of O(guid) and O(lab_alias) names the lab.
  - Says go, or fails with no-go and the reasons. Both results are for programs to read.
  - The calls are real. They ask for one token each, and cost and count as much. No key's value is returned.
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
      - In check mode no model is called, which is told as a doubt. All else is looked at.
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
      - The alias of the lab, when it is not V(virtkey-GUID).
    type: str
  user_base:
    description: How user names begin in labs of release 1.3.2 of this collection.
    type: str
    default: user
  secret:
    description:
      - What the values of the keys are derived from, the same that they were made with. At least 16 characters.
      - When not set, the environment variable E(LITELLM_DERIVATION_SECRET) is used, and after it O(api_key).
    type: str
  models:
    description:
      - The models that the class needs. When not set, each key is tried with all models that it may call by name.
    type: list
    elements: str
  num_keys:
    description:
      - How many keys there must be, which is one for each user.
    type: int
    default: 1
  class_ends:
    description:
      - Until when the keys must live, in ISO 8601, UTC unless it says otherwise.
    type: str
  min_budget:
    description:
      - How many USD each key that has a budget must have left.
    type: float
    default: 0
  capacity:
    description:
      - What models bear, by name, each with C(rpm) (requests per minute) and C(tpm) (tokens per minute), and under V(*) the gateway
        as a whole. What is not given is taken from the deployments that serve the model, if all of them tell their C(rpm) and C(tpm).
      - All keys that may call a model are counted with their whole limit, as if all asked at once.
    type: dict
  rpm_per_key:
    description:
      - How many requests per minute a key without a limit is counted with.
    type: int
  tpm_per_key:
    description:
      - How many tokens per minute a key without a limit is counted with.
    type: int
seealso:
  - module: rhpds.litellm_virtual_keys.virtual_keys
"""

EXAMPLES = r"""
- name: Can the class begin?
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
  description: Why it cannot.
  returned: when it could be judged
  type: list
  elements: dict
  contains:
    code:
      description:
        - The kind of reason, in one word that stays the same. C(too_few_keys), C(blocked), C(expired), C(ends_early), C(budget),
          C(unrecoverable), C(unknown_model), C(no_models), C(call_failed) or C(capacity).
      type: str
    msg:
      description: The reason, and what to do.
      type: str
    alias:
      description: The key that it is about, or an empty text.
      type: str
    model:
      description: The model that it is about, or an empty text.
      type: str
doubts:
  description: What could not be judged.
  returned: when it could be judged
  type: list
  elements: str
keys:
  description: How many keys there are.
  returned: when it could be judged
  type: int
models:
  description: For each model how many calls were C(tried), how many went C(well), and C(median_seconds) and C(longest_seconds) of these.
  returned: when it could be judged
  type: dict
loads:
  description:
    - For each C(model) (C(*) is the gateway as a whole) and C(rate) (C(rpm) or C(tpm)) the C(demand) of the C(keys) that may call it,
      the C(capacity) or null, and how many keys are C(unlimited) and not in the demand.
  returned: when it could be judged
  type: list
  elements: dict
calls:
  description: How many HTTP exchanges it took.
  returned: when it could be judged
  type: int
code:
  description: What went wrong, in one word that stays the same; C(no_go) when the class cannot begin.
  returned: failure
  type: str
status:
  description: The HTTP status behind the failure, if there was one.
  returned: failure
  type: int
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.module_utils.basic import AnsibleModule, env_fallback

from ..module_utils.catalogue.api import Catalogue
from ..module_utils.common import durations
from ..module_utils.fleet import preflight
from ..module_utils.fleet.preflight import Model, Needs, Reason, Trial
from ..module_utils.keys import derive, limits
from ..module_utils.keys.api import Gateway
from ..module_utils.keys.key import LiveKey
from ..module_utils.keys.lab import Lab
from ..module_utils.keys.plan import derivable
from ..module_utils.litellm import errors
from ..module_utils.litellm.options import GATEWAY_SPEC, open_gateway, run


def needs_of(params: Mapping[str, Any]) -> Needs:
    """Raises ValueError."""
    capacity = params["capacity"] or {}
    for name, rates in capacity.items():
        if not isinstance(rates, Mapping) or set(rates) - set(preflight.RATES) or not all(str(rate).isdecimal() for rate in rates.values()):
            raise ValueError(f"capacity of {name} is not a mapping with rpm and tpm; give whole numbers a minute.")
    for name in ("num_keys", "min_budget", "rpm_per_key", "tpm_per_key"):
        if params[name] is not None and params[name] < 0:
            raise ValueError(f"{name} is {params[name]}; give a number from 0.")
    return Needs(
        ends=durations.parse_time(params["class_ends"], "class_ends") if params["class_ends"] else None,
        keys=params["num_keys"],
        budget=params["min_budget"],
        capacity={name: {rate: int(value) for rate, value in rates.items()} for name, rates in capacity.items()},
        per_key={rate: params[f"{rate}_per_key"] for rate in preflight.RATES},
    )


def tried(gateway: Gateway, secret: str, rows: Sequence[LiveKey], of_key: Mapping[str, Sequence[str]], served: Mapping[str, Model]) -> list[Trial]:
    """One small call for each key and model: several keys at a time, each key's own calls one after the other. Raises GatewayError."""

    def try_key(row: LiveKey) -> list[Trial]:
        value = derive.value(secret, row.alias, row.generation)
        return [Trial(row.alias, name, _call(gateway, value, name, served)) for name in of_key[row.alias]]

    trials: list[Trial] = []
    for result in gateway.each(try_key, rows):
        if isinstance(result, errors.GatewayError):
            raise result
        trials += result
    return trials


def _call(gateway: Gateway, value: str, name: str, served: Mapping[str, Model]) -> Any:
    model = preflight.known(name, served)
    call = preflight.CALLS.get(model.mode if model else "")
    return gateway.client.post_as(value, call[0], {"model": name, **call[1]}) if call else None


def judge(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    needs, secret, lab = needs_of(params), limits.secret_of(params), Lab.from_params(params)
    gateway = open_gateway(module)
    rows = lab.in_service(gateway)
    served = preflight.models_of(Catalogue(gateway.client).models())
    of_key = {row.alias: preflight.models_for(row, served, params["models"] or []) for row in rows}
    reasons = preflight.reasons_of_keys(rows, needs, gateway.client.now())
    for row in rows:
        if not of_key[row.alias]:
            reasons.append(Reason("no_models", f"the key {row.alias} may call no model by name; name in models what to try.", row.alias))
    for name in sorted({name for models in of_key.values() for name in models}):
        if preflight.known(name, served) is None:
            reasons.append(Reason("unknown_model", f"the gateway serves no model named {name}; add it, or change the models of the keys.", model=name))

    def value_of(alias: str, generation: int) -> str:
        return derive.value(secret, alias, generation)

    able = [row for row in rows if derivable(row, value_of)]
    for row in rows:
        if row not in able:
            told = f"the key {row.alias} cannot be tried, for its value was made with another secret or by another tool; give the secret it was made with."
            reasons.append(Reason("unrecoverable", told, row.alias))
    ready = {reason.alias for reason in reasons if reason.code in ("blocked", "expired")}
    trials = [] if module.check_mode else tried(gateway, secret, [row for row in able if row.alias not in ready], of_key, served)
    found = preflight.loads(rows, of_key, served, needs)
    reasons += [*preflight.reasons_of_trials(trials), *preflight.reasons_of_loads(found)]
    result = {
        "changed": False,
        "go": not reasons,
        "reasons": preflight.plain(reasons),
        "doubts": [*(["no model was called, because this is check mode."] if module.check_mode else []), *preflight.doubts(found, trials)],
        "keys": len(rows),
        "models": preflight.times(trials),
        "loads": preflight.plain(found),
        "calls": gateway.client.calls,
    }
    if reasons:
        module.fail_json(msg=preflight.no_go(reasons), code="no_go", **result)
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **GATEWAY_SPEC,
            "guid": {"type": "str"},
            "lab_alias": {"type": "str"},
            "user_base": {"type": "str", "default": "user"},
            "secret": {"type": "str", "no_log": True, "fallback": (env_fallback, ["LITELLM_DERIVATION_SECRET"])},
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
    run(module, lambda: judge(module))


if __name__ == "__main__":
    main()
