# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: mails that warn owners before their keys end."""

from __future__ import annotations

DOCUMENTATION = r"""
name: expiry_mails
short_description: Mails that warn owners before their keys end
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - Makes the option O(rhpds.litellm_virtual_keys.key_mail#module:messages) of M(rhpds.litellm_virtual_keys.key_mail) from
    living keys.
  - Use the entry point C(notices) of the role P(rhpds.litellm_virtual_keys.key_requests#role).
positional: before, now
options:
  _input:
    description: Living keys, as M(rhpds.litellm_virtual_keys.virtual_key_info) returns them.
    type: list
    elements: dict
    required: true
  before:
    description: How long before the end of their keys owners are warned, for example V(24h).
    type: list
    elements: str
    required: true
  now:
    description: The time, in ISO 8601.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Warn owners a day before their keys end
  rhpds.litellm_virtual_keys.key_mail:
    messages: "{{ living.virtual_keys | rhpds.litellm_virtual_keys.expiry_mails(['24h'], now(utc=true).strftime('%Y-%m-%dT%H:%M:%SZ')) }}"
"""

RETURN = r"""
_value:
  description: The mails, at most one for each key. A notice that is noted on the key is not sent again.
  type: list
  elements: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils import expiry_notices


def expiry_mails(keys: Sequence[Mapping[str, Any]], before: Sequence[str], now: str) -> list[dict[str, Any]]:
    try:
        return expiry_notices.expiry_mails(keys, before, now)
    except ValueError as error:
        raise AnsibleFilterError(f"expiry_mails: {error}") from None


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"expiry_mails": expiry_mails}
