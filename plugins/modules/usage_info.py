#!/usr/bin/python
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Report usage and its cost."""

from __future__ import annotations

DOCUMENTATION = r"""
module: usage_info
short_description: Report the usage of LiteLLM virtual keys and its cost
version_added: 2.0.0
description:
  - Reports requests, tokens and cost in a range of days, by day, key, lab, user, owner, team, package or model, or by
    several of them.
  - The gateway's database adds usage up, through LiteLLM's C(/user/daily/activity/aggregated), which needs no
    enterprise licence. No rows of single requests are read. A gateway without a database has no record of usage, so the
    module fails.
  - Usage outlives its key. LiteLLM keeps the notes on a deleted key, so its usage still counts for its lab, owner and
    package. For a key that was deleted directly from LiteLLM's database, only alias, team and user are known.
  - Calls that were refused before they named a model are left out. They come from keys that have expired, and from this
    collection's proof that a key was deleted.
  - LiteLLM records the cost of a request some seconds after it, about ten by default. Days begin at 00:00 UTC.
  - Costs are calculated by LiteLLM from its own prices, or from the prices that a model was given.
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
extends_documentation_fragment:
  - rhpds.litellm_virtual_keys.gateway
  - rhpds.litellm_virtual_keys.attributes
  - rhpds.litellm_virtual_keys.attributes.info_module
  - rhpds.litellm_virtual_keys.attributes.litellm
options:
  since:
    description:
      - The first day, for example V(2026-11-01), or a time back from now. V(30d) means today and the 29 days before.
        V(6h) means from the day on which it was six hours ago until now.
      - A day in the future is refused, and so is one more than ten years ago.
    type: str
    default: 30d
  until:
    description:
      - The last day. Today if not given, or if the day is in the future.
      - A day before O(since) is refused.
    type: str
  by:
    description:
      - The tables to make, each named by its dimensions. These are V(day), V(key), V(lab), V(user), V(owner), V(team),
        V(package) and V(model), or several of them joined by a plus sign, for example V(day+model).
    type: list
    elements: str
    default: [lab]
  guid:
    description: Only the keys of the lab with this GUID.
    type: str
  alias:
    description: Only the keys with exactly this alias, the present one and former ones.
    type: str
  owner:
    description:
      - Only the keys of this owner. The owner is the C(owner) in the key's metadata, or else its user in LiteLLM. Case
        does not matter.
    type: str
  team_id:
    description: Only the keys of this team in LiteLLM.
    type: str
  package:
    description: Only the keys with this subscription package noted on them.
    type: str
  model:
    description: Only calls to this model, by the name under which the gateway serves it.
    type: str
  near_budget:
    description:
      - Also list the usable keys that have spent at least this percentage of their budget, for example V(80). This
        reads all keys of the gateway, or those of the lab. O(alias), O(owner), O(team_id) and O(package) apply to them,
        too.
    type: float
  user_base:
    description: The prefix of user names in labs of release 1.3.2 of this collection. Used with O(guid) only.
    type: str
    default: user
seealso:
  - module: rhpds.litellm_virtual_keys.virtual_key_info
"""

EXAMPLES = r"""
- name: Report the cost of each lab in November, and of each model on each day
  rhpds.litellm_virtual_keys.usage_info:
    url: https://litellm.example.com
    api_key: "{{ litellm_master_key }}"
    since: 2026-11-01
    until: 2026-11-30
    by:
      - lab
      - day+model
  register: november

- name: Show the most expensive lab
  ansible.builtin.debug:
    msg: "{{ november.usage['lab'][0] }}"

- name: List the keys that have used up nine tenths of their budget
  rhpds.litellm_virtual_keys.usage_info:
    url: https://litellm.example.com
    api_key: "{{ litellm_master_key }}"
    near_budget: 90
  register: usage
"""

RETURN = r"""
usage:
  description:
    - The tables, by their names in O(by). A table is a list of rows, one for each combination that was used.
    - Rows are ordered by day where that comes first, otherwise by cost, the highest first.
  returned: success
  type: dict
  contains:
    lab:
      description:
        - A row has the dimensions of its table, here C(lab), the alias of the lab, or an empty string for keys without
          a lab. A row of a C(key) also has C(key_id), C(lab), C(user), C(owner), C(team), C(package) and C(deleted).
        - Calls with the master key are listed under the key C(master key).
      type: list
      elements: dict
      contains:
        requests:
          description: How many requests there were.
          type: int
        requests_ok:
          description: How many of them were answered.
          type: int
        requests_failed:
          description: How many of them failed.
          type: int
        tokens_in:
          description: How many tokens the requests had.
          type: int
        tokens_out:
          description: How many tokens the answers had.
          type: int
        cost:
          description: The cost in USD.
          type: float
  sample:
    lab:
      - lab: virtkey-abc12
        requests: 214
        requests_ok: 211
        requests_failed: 3
        tokens_in: 85400
        tokens_out: 21033
        cost: 1.2845
total:
  description: The sum of all rows of any one of the tables.
  returned: success
  type: dict
since:
  description: The first day.
  returned: success
  type: str
until:
  description: The last day.
  returned: success
  type: str
near_budget:
  description: The keys that are near their budget, the nearest first.
  returned: when O(near_budget) is given
  type: list
  elements: dict
  contains:
    key:
      description: The alias.
      type: str
    lab:
      description: The alias of the lab, or an empty string.
      type: str
    owner:
      description: The owner, or an empty string.
      type: str
    spend:
      description: How much of the budget it has spent, in USD. LiteLLM resets this when the period of the budget ends.
      type: float
    max_budget:
      description: The budget, in USD.
      type: float
    percent:
      description: The percentage of the budget that is spent.
      type: float
    budget_duration:
      description: The period of the budget, or null if the budget is never reset.
      type: str
    expires:
      description: When the key expires, or null if it never does.
      type: str
calls:
  description: How many HTTP requests were sent.
  returned: success
  type: int
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.common.options import StrictModule
from ..module_utils.keys.api import KeyApi
from ..module_utils.keys.lab import Lab
from ..module_utils.litellm import errors
from ..module_utils.litellm.options import GATEWAY_SPEC, open_client, refuse_empty, run_module
from ..module_utils.usage.report import report_usage
from ..module_utils.usage.tables import parse_tables


def look_up_usage(module: AnsibleModule) -> dict[str, Any]:
    """Check the arguments, and return the report that they ask for."""
    params = module.params
    refuse_empty(params, ("alias", "owner", "team_id", "package", "model"))
    groupings = parse_tables(params["by"])
    if params["near_budget"] is not None and not 0 <= params["near_budget"] <= 1000:
        raise ValueError(f"near_budget is {params['near_budget']}; give a percentage from 0 to 1000.")
    lab = Lab.from_params(params) if params["guid"] is not None else None
    client = open_client(module)
    try:
        return report_usage(KeyApi(client, module.warn), params, groupings, lab)
    except errors.NoDatabase as error:
        raise errors.NoDatabase(
            f"usage is kept in the gateway's database, and the gateway at {client.connection.base} has none that works;"
            " give it a DATABASE_URL, and see that PostgreSQL runs.",
            status=error.status,
            detail=error.detail,
        ) from None


def main() -> None:
    module = StrictModule(
        argument_spec={
            **GATEWAY_SPEC,
            "since": {"type": "str", "default": "30d"},
            "until": {"type": "str"},
            "by": {"type": "list", "elements": "str", "default": ["lab"]},
            "guid": {"type": "str"},
            "alias": {"type": "str"},
            "owner": {"type": "str"},
            "team_id": {"type": "str"},
            "package": {"type": "str"},
            "model": {"type": "str"},
            "near_budget": {"type": "float"},
            "user_base": {"type": "str", "default": "user"},
        },
        supports_check_mode=True,
    )
    run_module(module, lambda: look_up_usage(module))


if __name__ == "__main__":
    main()
