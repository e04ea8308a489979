#!/usr/bin/python
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Record decisions and progress on many requests."""

from __future__ import annotations

DOCUMENTATION = r"""
module: key_requests
short_description: Record decisions and progress on many requests for LLM keys
version_added: 2.0.0
description:
  - Records the decisions and the progress of a pass over the queue, on many requests at once, for the role
    P(rhpds.litellm_virtual_keys.key_requests#role). Administrators use P(rhpds.litellm_virtual_keys.key_request#module).
  - A change that is no longer possible, because somebody else changed the request in the meantime, is left out and listed
    in RV(refused). All other changes are made.
  - Recording a change twice has no effect, except V(failed), which counts attempts.
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
    description: The changes. Those to the same request are made in this order.
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
          - V(approve), V(deny) and V(review) are decisions of the approval chain. They apply only to pending requests, so
            they never overrule an administrator.
          - V(minted) notes that the key exists. It is refused if the request is no longer approved. The key must be deleted
            then.
          - V(delivered) notes that the answer was delivered by the method O(changes[].via), V(finished) that it was
            delivered by every method wanted.
          - V(failed) notes that the O(changes[].step) failed because of O(changes[].reason). The request is not V(due) again for
            1, 2, 4 and at most 30 minutes.
          - V(notified) notes that the notice O(changes[].whom), which is sent only once, was sent.
          - V(ended) notes that the key expired or was revoked, so the person may ask again.
        type: str
        required: true
        choices: [approve, deny, review, minted, delivered, finished, failed, notified, ended]
      reason:
        description:
          - Why, for the requester with a decision, and for administrators with V(failed).
          - Required with V(deny) and V(failed).
        type: str
      trace:
        description: How the approval chain reached its decision. Up to 16 kB are kept.
        type: list
        elements: dict
      granted:
        description:
          - The approved terms that differ from those asked for, named as the options of the module
            P(rhpds.litellm_virtual_keys.virtual_keys#module). Models, package, duration, budgets and rate limits.
        type: dict
      key_alias:
        description: The alias of the key. Required with V(minted).
        type: str
      expires:
        description: When the key ends, in ISO 8601.
        type: str
      via:
        description: A delivery method, for example V(mail). Required with V(delivered).
        type: str
      step:
        description: The step that failed, for example V(mint). Required with V(failed).
        type: str
      whom:
        description: The notice, for example V(review) or V(expiry-72h). Required with V(notified).
        type: str
  actor:
    description: Who makes the changes, for the history.
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
  description: The requests after the changes, each as the module P(rhpds.litellm_virtual_keys.key_request#module) returns it.
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
      description: The action of the change.
      type: str
    code:
      description: V(refused), V(missing), V(broken) or V(busy).
      type: str
    msg:
      description: Why the change was not made.
      type: str
code:
  description: Stable error code, for example C(not_writable) or C(bad_input).
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
