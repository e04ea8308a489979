# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: what the role litellm_gateway configures LiteLLM with."""

from __future__ import annotations

DOCUMENTATION = r"""
name: gateway_settings
short_description: The configuration and environment of a gateway
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - The role P(rhpds.litellm_virtual_keys.litellm_gateway#role) works out with this filter what it writes into LiteLLM's configuration and
    environment. Use the role.
options:
  _input:
    description:
      - The role's variables, without the prefix C(litellm_gateway_). C(models), C(general_settings), C(litellm_settings) and C(environment)
        are as the user wrote them.
      - C(redis) holds C(host), C(port), C(password) and C(tls).
      - C(variables) holds the variables by which the role configures LiteLLM in every mode.
      - C(kubernetes) holds C(name), C(namespace), C(route_host), C(ingress_host), C(ingress_tls_secret), C(database_url),
        C(database_connections), and C(trusts_bundle), whether authorities of the user's own are trusted.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show which settings hold a secret in the clear
  ansible.builtin.debug:
    msg: "{{ (gateway_variables | rhpds.litellm_virtual_keys.gateway_settings).literal_secrets }}"
"""

RETURN = r"""
_value:
  description: What LiteLLM is configured with. It holds secrets.
  type: dict
  contains:
    general_settings:
      description: LiteLLM's C(general_settings).
      type: dict
    litellm_settings:
      description: LiteLLM's C(litellm_settings).
      type: dict
    environment:
      description: The environment variables that may be secret.
      type: dict
    bad_environment_names:
      description: Names in C(environment) that are not names of environment variables.
      type: list
      elements: str
    overridden:
      description: Variables and settings that would take LiteLLM away from the role's database or keys, each with what to use instead.
      type: list
      elements: str
    literal_secrets:
      description: Names of settings, at any depth, that hold a secret instead of the name of an environment variable.
      type: list
      elements: str
    kubernetes:
      description:
        - C(url), at which clients reach the gateway, C(database_url) with the limit of connections, and the C(env) of the containers that
          migrate the database (C(migrate_env)) and that serve (C(serve_env)).
      type: dict
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils import gateway_settings as utils


def gateway_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return utils.gateway_settings(given)
    except KeyError as error:
        raise AnsibleFilterError(f"gateway_settings: the input has no {error}; give the variables that the filter's documentation lists.") from None


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"gateway_settings": gateway_settings}
