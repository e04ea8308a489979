#!/usr/bin/python
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Look up virtual keys."""

from __future__ import annotations

DOCUMENTATION = r"""
module: virtual_key_info
short_description: Look up LiteLLM virtual keys
version_added: 2.0.0
description:
  - Lists virtual keys by alias, lab, owner, team, package and expiry, with their limits and spend.
  - A key must match all conditions that are given. Without any, all keys of the gateway are listed. An empty condition is
    refused.
  - Values of keys are never returned.
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
extends_documentation_fragment:
  - rhpds.litellm_virtual_keys.gateway
  - rhpds.litellm_virtual_keys.attributes
  - rhpds.litellm_virtual_keys.attributes.info_module
  - rhpds.litellm_virtual_keys.attributes.litellm
options:
  alias:
    description: The alias, exactly.
    type: str
  guid:
    description: The GUID of the lab whose keys to list.
    type: str
  owner:
    description: The owner, which is the key's user in LiteLLM or the C(owner) in its metadata. Case does not matter.
    type: str
  team_id:
    description: The team in LiteLLM.
    type: str
  package:
    description: The subscription package that is noted on the key.
    type: str
  expiring_within:
    description: Only keys that have not expired and will expire within this time from now, for example V(72h).
    type: str
  expired:
    description: Only keys that have expired (V(true)), or that have not (V(false)).
    type: bool
  user_base:
    description: The prefix of user names in labs of release 1.3.2 of this collection. Used with O(guid) only.
    type: str
    default: user
"""

EXAMPLES = r"""
- name: List the keys that expire within three days
  rhpds.litellm_virtual_keys.virtual_key_info:
    url: https://litellm.example.com
    api_key: "{{ litellm_master_key }}"
    expiring_within: 72h
  register: ending

- name: List the keys of a lab with their spend
  rhpds.litellm_virtual_keys.virtual_key_info:
    url: https://litellm.example.com
    api_key: "{{ litellm_master_key }}"
    guid: abc12
  register: lab
"""

RETURN = r"""
virtual_keys:
  description: The keys, ordered by alias.
  returned: success
  type: list
  elements: dict
  contains:
    alias:
      description: The alias.
      type: str
    key_id:
      description: The SHA-256 of the value, which is the key's id in LiteLLM.
      type: str
    guid:
      description: The GUID of the lab, or an empty string.
      type: str
    user:
      description: The user in the lab, or an empty string.
      type: str
    package:
      description: The package that is noted on the key.
      type: str
    models:
      description: The models that the key may call.
      type: list
      elements: str
    expires:
      description: When the key expires, or null if it never does.
      type: str
    expired:
      description: Whether it has expired.
      type: bool
    spend:
      description: How much it has spent, in USD.
      type: float
    max_budget:
      description: How much it may spend, in USD, or null.
      type: float
    soft_budget:
      description: The spend in USD at which the gateway sends an alert, or null.
      type: float
    budget_duration:
      description: The time after which the spend is reset to zero, or null.
      type: str
    rpm_limit:
      description: How many requests per minute it may make, or null.
      type: int
    tpm_limit:
      description: How many tokens per minute it may use, or null.
      type: int
    max_parallel_requests:
      description: How many requests with it may be in progress at the same time, or null.
      type: int
    model_max_budget:
      description: The budget for each model. Empty if there is none.
      type: dict
    allowed_routes:
      description: The routes of the gateway that it may call. Empty if there is no limit.
      type: list
      elements: str
    user_id:
      description: The LiteLLM user that it belongs to, or null.
      type: str
    team_id:
      description: The LiteLLM team that it belongs to, or null.
      type: str
    created_at:
      description: When it was created, or null if LiteLLM does not say.
      type: str
    blocked:
      description: Whether the gateway refuses it.
      type: bool
    metadata:
      description: The metadata of the key.
      type: dict
    managed:
      description: Whether this collection made the key, or has taken it over.
      type: bool
    generation:
      description: How often it was rotated.
      type: int
    retired_from:
      description: The alias that this value served before a rotation, or an empty string.
      type: str
spend:
  description: How much all of them have spent, in USD.
  returned: success
  type: float
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

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.common import durations
from ..module_utils.common.options import StrictModule
from ..module_utils.keys.api import KeyApi
from ..module_utils.keys.key import LiveKey
from ..module_utils.keys.lab import Lab
from ..module_utils.keys.results import describe_key
from ..module_utils.litellm.options import GATEWAY_SPEC, open_client, refuse_empty, run_module


def filters_of(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of the conditions that LiteLLM itself can apply."""
    filters: dict[str, Any] = {}
    if params["alias"]:
        filters["key_alias"] = params["alias"]
    if params["team_id"]:
        filters["team_id"] = params["team_id"]
    if params["expired"] is not None:
        filters["expires"] = "expired" if params["expired"] else "active"
    return filters


def key_condition(params: Mapping[str, Any], lab: Lab | None, now: datetime) -> Callable[[LiveKey], bool]:
    """Return a test of one key for all conditions. Raises ValueError."""
    within = params["expiring_within"]
    limit = now + timedelta(seconds=durations.seconds(within, "expiring_within")) if within else None
    owner = (params["owner"] or "").lower()

    def matches(row: LiveKey) -> bool:
        return (
            (not params["alias"] or row.alias == params["alias"])
            and (lab is None or lab.belongs_to_lab(row))
            and (not owner or owner in _owners(row))
            and (not params["team_id"] or row.fields["team_id"] == params["team_id"])
            and (not params["package"] or (row.notes is not None and row.notes.package == params["package"]))
            and (params["expired"] is None or row.expired(now) == params["expired"])
            and (limit is None or (row.expires is not None and now < row.expires <= limit))
        )

    return matches


def _owners(row: LiveKey) -> tuple[str, str]:
    return str(row.fields["user_id"] or "").lower(), str(row.metadata.get("owner") or "").lower()


def look_up_keys(module: AnsibleModule) -> dict[str, Any]:
    """Return the keys that match all conditions."""
    params = module.params
    refuse_empty(params, ("alias", "owner", "team_id", "package", "expiring_within"))
    lab = Lab.from_params(params) if params["guid"] is not None else None
    api = KeyApi(open_client(module), module.warn)
    api.check_admin()
    now = api.client.now()
    matches = key_condition(params, lab, now)
    filters = filters_of(params)
    listed = lab.rows(api, **filters) if lab and not params["alias"] else api.keys(**filters)
    rows = sorted((row for row in listed if matches(row)), key=lambda row: row.alias)
    return {
        "changed": False,
        "virtual_keys": [{**describe_key(row), "expired": row.expired(now)} for row in rows],
        "spend": sum(row.spend for row in rows),
        "calls": api.client.calls,
    }


def main() -> None:
    module = StrictModule(
        argument_spec={
            **GATEWAY_SPEC,
            "alias": {"type": "str"},
            "guid": {"type": "str"},
            "owner": {"type": "str"},
            "team_id": {"type": "str"},
            "package": {"type": "str"},
            "expiring_within": {"type": "str"},
            "expired": {"type": "bool"},
            "user_base": {"type": "str", "default": "user"},
        },
        supports_check_mode=True,
    )
    run_module(module, lambda: look_up_keys(module))


if __name__ == "__main__":
    main()
