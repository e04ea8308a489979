#!/usr/bin/python
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""List requests for keys."""

from __future__ import annotations

DOCUMENTATION = r"""
module: key_request_info
short_description: List requests for LLM keys
version_added: 2.0.0
description:
  - Lists requests with their state, history and progress, oldest first.
  - A request that cannot be read, for example after a faulty manual edit, is set aside. It is listed in RV(set_aside)
    with the reason and never changed, and the other requests are listed as usual.
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
extends_documentation_fragment:
  - rhpds.litellm_virtual_keys.request_store
  - rhpds.litellm_virtual_keys.request_store.group
  - rhpds.litellm_virtual_keys.attributes
  - rhpds.litellm_virtual_keys.attributes.info_module
options:
  filter:
    description:
      - Which requests to list.
      - V(pending) requests wait for a decision, V(review) ones for an administrator, V(approved) and V(denied) ones are
        decided.
      - V(open) requests still wait for a decision, for their key or for the delivery of the answer.
      - V(due) requests are open and may be tried now, because no attempt failed a moment ago.
    type: str
    choices: [all, pending, review, approved, denied, open, due]
    default: all
  request_id:
    description: Only the request with this id.
    type: str
    aliases: [id]
  email:
    description: Only requests of this person. Not together with O(request_id).
    type: str
  audit:
    description:
      - Whether to return what happened to the requests as RV(audit), for an auditor.
    type: bool
    default: false
seealso:
  - module: rhpds.litellm_virtual_keys.key_request
  - module: rhpds.litellm_virtual_keys.key_request_retention
"""

EXAMPLES = r"""
- name: List requests that wait for an administrator
  rhpds.litellm_virtual_keys.key_request_info:
    filter: review
  register: waiting

- name: List all requests of a person
  rhpds.litellm_virtual_keys.key_request_info:
    store: kubernetes
    namespace: llm-keys
    email: ada@example.com

- name: Read what happened to all requests
  rhpds.litellm_virtual_keys.key_request_info:
    audit: true
  register: requests

- name: Write it as JSON Lines
  ansible.builtin.copy:
    content: "{{ requests.audit | map('ansible.builtin.to_json') | join('\n') }}\n"
    dest: requests.jsonl
    mode: "0600"
"""

RETURN = r"""
requests:
  description: The requests, each as the module P(rhpds.litellm_virtual_keys.key_request#module) returns it.
  returned: success
  type: list
  elements: dict
set_aside:
  description: Requests that cannot be read.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The file or the Secret.
      type: str
    reason:
      description: Why it cannot be read, and what to do about it.
      type: str
audit:
  description:
    - What happened to the requests, oldest first. Nothing that a request ever went through is left out, and no value of a key
      is in it. Facts that an event does not have are missing.
  returned: if O(audit=true)
  type: list
  elements: dict
  contains:
    time:
      description: When it happened, UTC.
      type: str
    event:
      description:
        - V(submitted), V(sent_to_review), V(approved) and V(denied) are states that the request came to, V(changed) is a change within
          one. V(key_made), V(key_renewed), V(key_delivered) and V(key_ended) are about its key.
      type: str
    request_id:
      description: The request.
      type: str
    email:
      description: Who asked. C(erased@erased.invalid) if the person was erased.
      type: str
    models:
      description: The models asked for.
      type: list
      elements: str
    package:
      description: The package asked for.
      type: str
    guid:
      description: The lab.
      type: str
    user:
      description: The user of the lab.
      type: str
    renews:
      description: The request whose key was to live longer.
      type: str
    by:
      description: Who did it.
      type: str
    reason:
      description: Why.
      type: str
    terms:
      description: The terms that were decided on.
      type: dict
    policy:
      description: The digest of the approval chain and packages that decided.
      type: str
    trace:
      description: How the approval chain reached the decision.
      type: list
      elements: dict
    key_alias:
      description: The alias of the key.
      type: str
    expires:
      description: When the key was to end.
      type: str
    method:
      description: How the key was delivered.
      type: str
code:
  description: Stable error code, for example C(not_readable) or C(bad_input).
  returned: failure
  type: str
"""

from typing import Any

from ..module_utils.common.options import StrictModule
from ..module_utils.key_requests.desk import FILTERS, Desk
from ..module_utils.key_requests.options import STORE_SPEC, exit_with, open_store
from ..module_utils.key_requests.results import listing_result


def main() -> None:
    module = StrictModule(
        argument_spec={
            **STORE_SPEC,
            "filter": {"type": "str", "choices": list(FILTERS), "default": "all"},
            "request_id": {"type": "str", "aliases": ["id"]},
            "email": {"type": "str"},
            "audit": {"type": "bool", "default": False},
        },
        mutually_exclusive=[("request_id", "email")],
        supports_check_mode=True,
    )

    def work() -> dict[str, Any]:
        desk, params = Desk(open_store(module)), module.params
        if params["request_id"]:
            listing = desk.look_up_request(params["request_id"], params["filter"])
        else:
            listing = desk.list_requests(params["filter"], email=params["email"] or "")
        return listing_result(listing, with_audit=params["audit"])

    exit_with(module, work)


if __name__ == "__main__":
    main()
