# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The options of actions that work on the queue of requests: the store, the gateway, and the ways to people."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  store:
    description: Where requests are kept, in the options of the module M(rhpds.litellm_virtual_keys.key_request).
    type: dict
  gateway:
    description:
      - The gateway and the secret that values of keys are derived from, in the options of the module
        M(rhpds.litellm_virtual_keys.virtual_keys) with the same names, C(proof) and its companions among them.
    type: dict
  mail:
    description: The mail server and the texts, in the options of the module M(rhpds.litellm_virtual_keys.key_mail).
    type: dict
  webhooks:
    description:
      - Where notices are posted as well, in the words of O(rhpds.litellm_virtual_keys.key_webhook#module:targets). A channel gets
        the notices of its C(kinds), V(review), V(renewal) and V(denial) from a pass and V(expiry) from the warnings before keys end.
    type: list
    elements: dict
    default: []
  wait:
    description: How many seconds to wait for a pass over the same store to end.
    type: float
    default: 120
notes:
  - Set C(no_log=true) on the task, because its arguments hold secrets.
"""
