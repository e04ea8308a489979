# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: mails about requests."""

from __future__ import annotations

DOCUMENTATION = r"""
name: request_mails
short_description: Mails about requests
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - Makes the option O(rhpds.litellm_virtual_keys.key_mail#module:messages) of M(rhpds.litellm_virtual_keys.key_mail) from
    requests. A denied request gives one mail to its requester, a request in review one to each reviewer, any other request
    none.
  - Use the role P(rhpds.litellm_virtual_keys.key_requests#role), whose passes are made with this filter.
positional: rules, reviewers
options:
  _input:
    description: Requests, as M(rhpds.litellm_virtual_keys.key_request_info) returns them.
    type: list
    elements: dict
    required: true
  rules:
    description: The approval chain. The rule that sent a request to review may name its reviewers.
    type: list
    elements: dict
    default: []
  reviewers:
    description: Who is asked when the rule names nobody.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Ask the reviewers
  rhpds.litellm_virtual_keys.key_mail:
    messages: "{{ in_review.requests | rhpds.litellm_virtual_keys.request_mails(rules, ['admin@example.com']) }}"
"""

RETURN = r"""
_value:
  description: The mails. A mail about the same state of a request has the same C(id) each time.
  type: list
  elements: dict
"""

from collections.abc import Callable
from typing import Any

from ..plugin_utils import request_pass


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"request_mails": request_pass.request_mails}
