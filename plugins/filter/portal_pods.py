# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: what the role key_portal sets for pods."""

from __future__ import annotations

DOCUMENTATION = r"""
name: portal_pods
short_description: Whom the pods of a portal and its worker may reach
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - The role P(rhpds.litellm_virtual_keys.key_portal#role) checks its variables for Kubernetes with this filter, and works out the rules of the
    network policies. Use the role.
options:
  _input:
    description:
      - The role's variables, without the prefixes C(key_portal_) and C(kubernetes_), as the user wrote them. They are C(image), C(namespace),
        C(requests_namespace), C(name), C(replicas), C(worker), C(ingress_host), C(route_host), C(network_policy), C(allowed_clients), C(api_ports),
        C(api_peers), C(portal_egress) and C(worker_egress).
      - C(config_file) is the path of a C(config.yaml) of the LLM Key Requestor, or empty.
      - C(files) holds C(tls_certificate_file), C(tls_key_file), C(smtp_ca_path) and C(oidc_ca_path), which pods cannot have.
    type: dict
    required: true
  settings:
    description: What the filter P(rhpds.litellm_virtual_keys.portal_settings#filter) returned.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show whom the portal may reach
  ansible.builtin.debug:
    msg: "{{ (pod_variables | rhpds.litellm_virtual_keys.portal_pods(settings)).portal_egress }}"
"""

RETURN = r"""
_value:
  description: The rules of the network policies.
  type: dict
  contains:
    portal_egress:
      description: Whom the portal may reach, as entries of C(egress) of a NetworkPolicy.
      type: list
      elements: dict
    worker_egress:
      description: The same for the worker. Empty without one.
      type: list
      elements: dict
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils import portal_pods as utils


def portal_pods(given: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return utils.portal_pods(given, settings)
    except KeyError as error:
        raise AnsibleFilterError(f"portal_pods: the input has no {error}; give the variables that the filter's documentation lists.") from None
    except (ValueError, TypeError) as error:
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"portal_pods": portal_pods}
