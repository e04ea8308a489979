#!/usr/bin/python
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Write a receipt of what a lab has spent."""

from __future__ import annotations

DOCUMENTATION = r"""
module: spend_receipt
short_description: Write a receipt of what a lab has spent on its LiteLLM virtual keys
version_added: 2.0.0
description:
  - Reports what each key of a lab has spent, including former keys, and writes the report to a file if one is given.
  - This takes at most two requests to the gateway, and one more for each further hundred keys, so that every
    destruction of a lab can afford it. The receipt of a lab that has always had one key also has requests, tokens and
    models. For a lab of several keys, these would take a request for each key; use
    M(rhpds.litellm_virtual_keys.usage_info) for them.
  - LiteLLM records the cost of a request some seconds after it, about ten by default. The receipt says so.
  - If the lab has no keys left, an existing receipt is left as it is.
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
extends_documentation_fragment:
  - rhpds.litellm_virtual_keys.gateway
  - rhpds.litellm_virtual_keys.attributes
  - rhpds.litellm_virtual_keys.attributes.litellm
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details:
      - A receipt states when it was made, so each one is different.
  idempotent:
    support: none
    details:
      - A receipt states when it was made, so each one is different.
options:
  guid:
    description: The GUID of the lab.
    type: str
    required: true
  lab_alias:
    description: The alias of the lab. C(virtkey-) and the GUID if not given.
    type: str
  user_base:
    description: The prefix of user names in labs of release 1.3.2 of this collection.
    type: str
    default: user
  dest:
    description:
      - The file to write, as JSON that only its owner can read. An existing file is replaced. Its directory must exist.
    type: path
seealso:
  - module: rhpds.litellm_virtual_keys.usage_info
"""

EXAMPLES = r"""
- name: Write a receipt of what the lab has spent
  rhpds.litellm_virtual_keys.spend_receipt:
    url: https://litellm.example.com
    api_key: "{{ litellm_master_key }}"
    guid: abc12
    dest: /srv/receipts/abc12.json
  register: left
"""

RETURN = r"""
receipt:
  description: The receipt, as it is in the file.
  returned: success, and when the file could not be written
  type: dict
  contains:
    guid:
      description: The GUID of the lab.
      type: str
    lab:
      description: The alias of the lab.
      type: str
    made:
      description: When it was made.
      type: str
    total:
      description: C(cost) in USD, and for a lab that has always had one key C(requests), C(requests_ok), C(requests_failed), C(tokens_in) and C(tokens_out).
      type: dict
    keys:
      description: The keys, living ones first, with C(key) (the alias), C(key_id), C(owner), C(package), C(spend) (USD), C(max_budget) and more.
      type: list
      elements: dict
    models:
      description: For a lab that has always had one key, its usage of each model. Otherwise null.
      type: list
      elements: dict
    remarks:
      description: The limitations of the figures.
      type: list
      elements: str
dest:
  description: The file that was written, or an empty string.
  returned: success
  type: str
calls:
  description: How many HTTP requests were sent.
  returned: success, and when the file could not be written
  type: int
code:
  description: Stable error code, for example C(not_written) when the file could not be written.
  returned: failure
  type: str
status:
  description: The HTTP status behind the failure, if there was one.
  returned: failure
  type: int
"""

import json
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.common import private_file
from ..module_utils.common.options import StrictModule
from ..module_utils.keys.api import KeyApi
from ..module_utils.keys.lab import Lab
from ..module_utils.litellm.options import GATEWAY_SPEC, open_client, run_module
from ..module_utils.usage.receipt import read_spent, receipt_of


def write_receipt(module: AnsibleModule) -> dict[str, Any]:
    """Write the receipt, unless nothing is left to say, and return it."""
    params = module.params
    lab = Lab.from_params(params)
    api = KeyApi(open_client(module), module.warn)
    spent = read_spent(api, lab)
    receipt = receipt_of(lab, spent, api.client.now())
    file = Path(params["dest"]) if params["dest"] else None
    # Once all keys are gone, LiteLLM may know less than it did for the receipt of an earlier try.
    writes = file is not None and bool(spent.living or (spent.deleted and not file.exists()))
    if file and writes and not module.check_mode:
        try:
            private_file.replace(file, json.dumps(receipt, indent=2).encode() + b"\n", private_file.Owner())
        except OSError as error:
            message = f"{file} cannot be written ({error.strerror}); name a file in a directory that exists and is yours."
            module.fail_json(msg=message, code="not_written", receipt=receipt, dest="", changed=False, calls=api.client.calls)
    return {"changed": writes, "receipt": receipt, "dest": str(file) if writes else "", "calls": api.client.calls}


def main() -> None:
    module = StrictModule(
        argument_spec={
            **GATEWAY_SPEC,
            "guid": {"type": "str", "required": True},
            "lab_alias": {"type": "str"},
            "user_base": {"type": "str", "default": "user"},
            "dest": {"type": "path"},
        },
        supports_check_mode=True,
    )
    run_module(module, lambda: write_receipt(module))


if __name__ == "__main__":
    main()
