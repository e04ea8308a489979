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
seealso:
  - module: rhpds.litellm_virtual_keys.key_request
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
code:
  description: Stable error code, for example C(not_readable) or C(bad_input).
  returned: failure
  type: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.key_requests.desk import FILTERS, Desk
from ..module_utils.key_requests.options import STORE_SPEC, exit_with, open_store
from ..module_utils.key_requests.results import listing_result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **STORE_SPEC,
            "filter": {"type": "str", "choices": list(FILTERS), "default": "all"},
            "request_id": {"type": "str", "aliases": ["id"]},
            "email": {"type": "str"},
        },
        mutually_exclusive=[("request_id", "email")],
        supports_check_mode=True,
    )

    def work() -> dict[str, Any]:
        desk, params = Desk(open_store(module)), module.params
        if params["request_id"]:
            return listing_result(desk.look_up_request(params["request_id"], params["filter"]))
        return listing_result(desk.list_requests(params["filter"], email=params["email"] or ""))

    exit_with(module, work)


if __name__ == "__main__":
    main()
