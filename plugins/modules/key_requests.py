#!/usr/bin/python
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Record what a pass over the queue decided and did."""

from __future__ import annotations

DOCUMENTATION = r"""
module: key_requests
short_description: Record decisions and progress on many requests for LLM keys
version_added: 2.0.0
description:
  - Records what a pass over the queue decided and did, on many requests at once. The role
    P(rhpds.litellm_virtual_keys.key_requests#role) is made of this. Administrators use
    P(rhpds.litellm_virtual_keys.key_request#module).
  - A change that is not possible any more, because somebody else changed the request meanwhile, is left out and named in
    RV(refused). All other changes are made.
  - Recording the same again changes nothing, except V(failed), which counts attempts.
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
extends_documentation_fragment:
  - rhpds.litellm_virtual_keys.request_store
  - rhpds.litellm_virtual_keys.request_store.group
  - rhpds.litellm_virtual_keys.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - Recording a failure again counts one more attempt.
options:
  changes:
    description: What to record, in this order where a request is named more than once.
    type: list
    elements: dict
    required: true
    suboptions:
      request_id:
        description: The request.
        type: str
        required: true
      action:
        description:
          - V(approve), V(deny) and V(review) are decisions of the approval chain. They hold for pending requests only,
            so they never overrule an administrator.
          - V(minted) says that the key exists. It is refused when the request is not approved any more. The key must be
            deleted then.
          - V(delivered) says that the answer went out one way, O(changes[].via), V(finished) that it went out by all ways
            wanted.
          - V(failed) says that a O(changes[].step) failed for a O(changes[].reason). The request is not V(due) again for
            1, 2, 4 and at most 30 minutes.
          - V(notified) says that a notice that is sent once was sent to O(changes[].whom).
          - V(ended) says that the key expired or was revoked. The person may ask again then.
        type: str
        required: true
        choices: [approve, deny, review, minted, delivered, finished, failed, notified, ended]
      reason:
        description:
          - Why, in words for the requester with a decision, and for administrators with V(failed).
          - Needed with V(deny) and V(failed).
        type: str
      trace:
        description: How the approval chain came to its decision. Kept up to 16 kB.
        type: list
        elements: dict
      granted:
        description:
          - What is approved where that differs from what was asked for, in the words of the module
            P(rhpds.litellm_virtual_keys.virtual_keys#module). Models, package, duration, budgets and rate limits.
        type: dict
      key_alias:
        description: The alias of the key. Needed with V(minted).
        type: str
      expires:
        description: When the key ends, in ISO 8601.
        type: str
      via:
        description: A way of delivery, for example V(mail). Needed with V(delivered).
        type: str
      step:
        description: The step that failed, for example V(mint). Needed with V(failed).
        type: str
      whom:
        description: The notice, for example V(review) or V(expiry-72h). Needed with V(notified).
        type: str
  actor:
    description: Who does this, for the history.
    type: str
    default: approval chain
seealso:
  - module: rhpds.litellm_virtual_keys.key_request
  - module: rhpds.litellm_virtual_keys.key_request_info
"""

EXAMPLES = r"""
- name: Record what the approval chain decided
  rhpds.litellm_virtual_keys.key_requests:
    changes:
      - request_id: ea5e4d00-051c-572e-be76-bd427072742b
        action: approve
        granted:
          duration: 7d
      - request_id: 0c0ac1b3-3a6a-5a54-8a25-3ef7a0a5a2d5
        action: deny
        reason: Your request does not meet the rules for a key.
"""

RETURN = r"""
requests:
  description: The requests after the change, each as the module P(rhpds.litellm_virtual_keys.key_request#module) returns it.
  returned: success
  type: list
  elements: dict
refused:
  description: Changes that were not made.
  returned: success
  type: list
  elements: dict
  contains:
    request_id:
      description: The request.
      type: str
    action:
      description: What was to be recorded.
      type: str
    code:
      description: V(refused), V(missing), V(broken) or V(busy).
      type: str
    msg:
      description: Why it was not.
      type: str
code:
  description: What went wrong, in one word that stays the same, for example C(not_writable) or C(bad_input).
  returned: failure
  type: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.key_requests.changes import ACTIONS, record_changes
from ..module_utils.key_requests.desk import now
from ..module_utils.key_requests.options import STORE_SPEC, exit_with, open_store
from ..module_utils.key_requests.results import changes_result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **STORE_SPEC,
            "changes": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "request_id": {"type": "str", "required": True},
                    "action": {"type": "str", "required": True, "choices": list(ACTIONS)},
                    "reason": {"type": "str"},
                    "trace": {"type": "list", "elements": "dict"},
                    "granted": {"type": "dict"},
                    "key_alias": {"type": "str", "no_log": False},
                    "expires": {"type": "str"},
                    "via": {"type": "str"},
                    "step": {"type": "str"},
                    "whom": {"type": "str"},
                },
                "required_if": [
                    ("action", "deny", ["reason"]),
                    ("action", "minted", ["key_alias"]),
                    ("action", "delivered", ["via"]),
                    ("action", "failed", ["step", "reason"]),
                    ("action", "notified", ["whom"]),
                ],
            },
            "actor": {"type": "str", "default": "approval chain"},
        },
        supports_check_mode=True,
    )

    def work() -> dict[str, Any]:
        items = module.params["changes"]
        outcomes = record_changes(open_store(module), items, by=module.params["actor"], at=now())
        return changes_result(items, outcomes, with_diff=module._diff)

    exit_with(module, work)


if __name__ == "__main__":
    main()
