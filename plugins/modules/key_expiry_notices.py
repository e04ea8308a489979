#!/usr/bin/python
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Documentation of the action `key_expiry_notices`, whose code is in plugins/action."""

from __future__ import annotations

DOCUMENTATION = r"""
module: key_expiry_notices
short_description: Warn owners before their LLM keys end
version_added: 2.0.0
description:
  - Mails the owner of each key that ends soon, once for each of the spans in O(before), and notes the warning on the key.
    The owner is the C(owner) in the key's metadata, or else its user, if that is an e-mail address.
  - Notes on requests which keys have expired or were deleted, so that their people may ask again. A key that the gateway
    neither has nor remembers proves nothing, and its request stays as it is.
  - A key that is deleted meanwhile is never made again.
  - Looks after the Secrets in which keys were delivered, in the namespace of O(delivery), if it has the method
    V(kubernetes_secret). The Secret of a key that was rotated or extended gets the present value and end, and the Secret of
    a key that has expired or was deleted is removed. A Secret that no pass has applied is left alone. What fails is tried
    again by the next run.
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
extends_documentation_fragment:
  - rhpds.litellm_virtual_keys.request_parts
  - rhpds.litellm_virtual_keys.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  before:
    description: How long before a key's end its owner is warned, once for each.
    type: list
    elements: str
    default: [72h, 24h, 1h]
  ahead:
    description: The time between two runs. Warnings that would be due before the next run are sent now, so that none is late.
    type: str
    default: 1h
  fail_on:
    description: V(failures) fails the task if an owner was not warned. All others are warned first.
    type: str
    choices: [nothing, failures]
    default: nothing
seealso:
  - module: rhpds.litellm_virtual_keys.key_request_pass
"""

EXAMPLES = r"""
- name: Warn owners two days before their keys end
  rhpds.litellm_virtual_keys.key_expiry_notices:
    gateway:
      url: https://litellm.example.com
      api_key: "{{ litellm_master_key }}"
    before: [48h]
  no_log: true
"""

RETURN = r"""
report:
  description: What was done.
  returned: success, and if owners were not warned
  type: dict
  contains:
    warned:
      description: How many owners got a mail.
      type: int
    ended:
      description: How many requests have ended.
      type: int
    failures:
      description: Why owners were not warned, by the key's alias.
      type: dict
    secrets:
      description: The upkeep of Secrets.
      type: dict
      contains:
        updated:
          description: How many were written again, because their key was rotated or has another end.
          type: int
        removed:
          description: How many were removed, because their key has ended.
          type: int
        failures:
          description: Why others were not, by namespace and name.
          type: dict
        unknown:
          description: Those whose key the gateway neither has nor remembers. They stay.
          type: list
          elements: str
    boxes:
      description: The upkeep of sealed keys.
      type: dict
      contains:
        resealed:
          description: How many are to be sealed anew by the next pass, because they were rotated.
          type: int
        failures:
          description: Why others are not, by request.
          type: dict
    warnings:
      description: What an administrator should know.
      type: list
      elements: str
lines:
  description: The report in words.
  returned: success, and if owners were not warned
  type: list
  elements: str
"""
