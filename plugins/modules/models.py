#!/usr/bin/python
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Manage models and credentials of the gateway as one set."""

from __future__ import annotations

DOCUMENTATION = r"""
module: models
short_description: Manage the models and credentials of a LiteLLM gateway as a set
version_added: 2.0.0
description:
  - Adds, updates and removes models and providers' credentials at run time. Both lists are read once and compared with
    what is wanted. Only differences are written, several at a time, credentials before the models that are called with
    them. Then both lists are read again.
  - Everything is checked before the first write. The provider must be one that the gateway knows, a model's credential must
    exist, and its name must not be taken.
  - LiteLLM does not show providers' keys. A fingerprint of each key is noted with it, so a key is written only if it
    has changed.
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
extends_documentation_fragment:
  - rhpds.litellm_virtual_keys.gateway
  - rhpds.litellm_virtual_keys.catalogue
  - rhpds.litellm_virtual_keys.catalogue.many
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
  state:
    description:
      - With V(present) models and credentials exist as described. Others are left alone.
      - With V(exact) they exist as described, all others of the set are removed, and so are models that somebody else
        has added under a name in O(models). This applies only to the kind that is given, models or credentials.
      - With V(absent) they do not exist. Of O(models) only C(name), C(deployment) and C(id) are used, of O(credentials)
        only C(name). If one belongs to another set, the module fails and removes none. If neither O(models) nor
        O(credentials) is given, everything in the set is removed.
    type: str
    choices: [present, exact, absent]
    default: present
seealso:
  - module: rhpds.litellm_virtual_keys.model
  - module: rhpds.litellm_virtual_keys.credential
  - module: rhpds.litellm_virtual_keys.model_info
"""

EXAMPLES = r"""
- name: Serve exactly these models with these keys, and no others of the set
  rhpds.litellm_virtual_keys.models:
    url: https://litellm.example.com
    api_key: "{{ litellm_master_key }}"
    state: exact
    credentials:
      - name: openai
        provider: openai
        provider_key: "{{ openai_key }}"
      - name: anthropic
        provider: anthropic
        provider_key: "{{ anthropic_key }}"
    models:
      - name: gpt-4o-mini
        upstream: openai/gpt-4o-mini
        credential: openai
        access_groups: [small]
      - name: claude-sonnet
        upstream: anthropic/claude-sonnet-4-5
        credential: anthropic
        rpm: 100

- name: Remove everything in the set
  rhpds.litellm_virtual_keys.models:
    url: https://litellm.example.com
    api_key: "{{ litellm_master_key }}"
    state: absent
"""

RETURN = r"""
models:
  description: The models, with the action taken on each.
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
credentials:
  description: The credentials, with the action taken on each.
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

from ..module_utils.catalogue import options
from ..module_utils.catalogue.entry import Kind, WantedEntry
from ..module_utils.catalogue.plan import CatalogueScope, UnwantedEntry
from ..module_utils.common.options import StrictModule
from ..module_utils.litellm.options import GATEWAY_SPEC, run_module


def wanted_of(params: dict[str, Any]) -> list[WantedEntry]:
    """Return the credentials and models that the arguments describe. Raises ValueError."""
    models = [options.wanted_model(model, params["set_name"]) for model in params["models"] or []]
    return [options.wanted_credential(credential, params["set_name"]) for credential in params["credentials"] or []] + models


def unwanted_of(params: dict[str, Any]) -> list[UnwantedEntry] | None:
    """Return the models and credentials to delete; None for everything in the set. Raises ValueError."""
    if params["models"] is None and params["credentials"] is None:
        return None
    models = [options.unwanted_model(model) for model in params["models"] or []]
    return models + [options.unwanted_credential(credential) for credential in params["credentials"] or []]


def manage_set(module: AnsibleModule) -> dict[str, Any]:
    """Bring the set to its state, and return its models and credentials."""
    params = module.params
    kinds = frozenset(kind for kind in Kind if params[f"{kind}s"] is not None)
    if params["state"] == "absent":
        return options.delete(module, unwanted_of(params), CatalogueScope(params["set_name"]))
    if not kinds:
        raise ValueError("neither models nor credentials is given; give one of them.")
    scope = CatalogueScope(params["set_name"], exact=kinds if params["state"] == "exact" else frozenset())
    return options.apply(module, wanted_of(params), scope)


def main() -> None:
    name = {"name": {"type": "str", "required": True}}
    module = StrictModule(
        argument_spec={
            **GATEWAY_SPEC,
            **options.SET_SPEC,
            "models": {"type": "list", "elements": "dict", "options": {**name, **options.MODEL_SPEC}},
            "credentials": {"type": "list", "elements": "dict", "no_log": False, "options": {**name, **options.CREDENTIAL_SPEC}},
            "state": {"type": "str", "choices": ["present", "exact", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    run_module(module, lambda: manage_set(module))


if __name__ == "__main__":
    main()
