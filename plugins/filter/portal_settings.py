# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: what the role key_portal sets for the portal and its worker."""

from __future__ import annotations

DOCUMENTATION = r"""
name: portal_settings
short_description: The environment of a portal, and the variables of its worker
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - The role P(rhpds.litellm_virtual_keys.key_portal#role) works out with this filter what it sets for the portal and for the worker. Use the role.
options:
  _input:
    description:
      - The role's variables, without the prefix C(key_portal_). C(host), C(public_url), C(sealed_delivery), C(identity), C(admins),
        C(proxy_header), C(trusted_proxies), C(cors_origins), C(interval), C(environment) and C(worker_variables) are as the user wrote them.
      - C(config_file) is the path of a C(config.yaml) of the LLM Key Requestor, or empty.
      - C(tls) says whether the portal has a certificate of its own.
      - C(smtp) holds the variables that begin with C(smtp_), without that.
      - C(operations) holds C(metrics_token), C(log_format) and C(log_persons).
      - C(sign_on) holds C(groups), C(groups_claim), C(proxy_groups_header), and the variables that begin with C(oidc_), without that.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show under which address people open the portal
  ansible.builtin.debug:
    msg: "{{ (portal_variables | rhpds.litellm_virtual_keys.portal_settings).environment.PORTAL_URL }}"
"""

RETURN = r"""
_value:
  description: What both are started with. It holds secrets.
  type: dict
  contains:
    environment:
      description: The environment variables of the portal. Those that the user wrote are stronger.
      type: dict
    worker:
      description: The variables of the worker. Those that the user wrote are stronger.
      type: dict
    portal_config:
      description: The part of C(config_file) that the portal needs. It holds no secret.
      type: dict
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils import portal_settings as utils


def portal_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return utils.portal_settings(given)
    except KeyError as error:
        raise AnsibleFilterError(f"portal_settings: the input has no {error}; give the variables that the filter's documentation lists.") from None
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"portal_settings": portal_settings}
