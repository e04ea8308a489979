#!/usr/bin/python
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Write keys into files for shells to source."""

from __future__ import annotations

DOCUMENTATION = r"""
module: key_env_file
short_description: Write virtual keys into files for shells to source
version_added: 2.0.0
description:
  - Writes files of lines C(export NAME='value'), through which the official SDKs of OpenAI, Anthropic and other vendors use a
    virtual key and the gateway.
  - Only its owner can read a file, from the moment it exists. A file is replaced completely or not at all.
  - A file that cannot be written does not stop the others. The module fails at the end, and RV(files) says which and why.
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
extends_documentation_fragment:
  - rhpds.litellm_virtual_keys.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details:
      - A diff would show keys.
  idempotent:
    support: full
requirements:
  - Python 3.9 or newer on the host that runs the module
options:
  files:
    description:
      - The files.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: The file. The folder must exist.
        type: path
        required: true
      value:
        description: The key. Not used with O(state=absent).
        type: str
      alias:
        description: The alias of the key, to be shown in the first line.
        type: str
  url:
    description:
      - The address at which users reach the gateway. Not used with O(state=absent).
    type: str
  vendors:
    description:
      - The vendors whose SDKs use the file. The default is all that P(rhpds.litellm_virtual_keys.client_env#filter) knows.
    type: list
    elements: str
  vendor_paths:
    description:
      - The path after the gateway's address, by vendor, for a gateway with other routes.
    type: dict
    default: {}
  owner:
    description: The owner of the files, by name or number. The default is the user who runs the module.
    type: str
  group:
    description: The group of the files, by name or number.
    type: str
  state:
    description: Whether the files exist.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - plugin: rhpds.litellm_virtual_keys.client_env
    plugin_type: filter
  - plugin: rhpds.litellm_virtual_keys.to_env_file
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Write a lab's key to the home of its user
  rhpds.litellm_virtual_keys.key_env_file:
    url: https://litellm.example.com
    owner: lab-user
    files:
      - path: /home/lab-user/litellm.env
        value: "{{ litellm_virtual_key }}"
        alias: "{{ litellm_key_alias }}"

- name: Write the file of LlamaKey, for OpenAI's SDK only
  rhpds.litellm_virtual_keys.key_env_file:
    url: https://litellm.example.com
    vendors: [openai]
    files:
      - path: ./llamakey_local.env
        value: "{{ litellm_virtual_key }}"
"""

RETURN = r"""
files:
  description: The result of each file, in the order of O(files).
  returned: success, and if files could not be changed
  type: list
  elements: dict
  contains:
    path:
      description: The file.
      type: str
    changed:
      description: Whether it was written or removed.
      type: bool
    failed:
      description: Whether that failed.
      type: bool
    reason:
      description: Why it failed.
      type: str
code:
  description: Stable error code, C(not_written) if files could not be changed, C(bad_input) if the options cannot be used.
  returned: failure
  type: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.common import private_file
from ..module_utils.common.options import StrictModule
from ..module_utils.delivery.env_files import EnvFileSettings, env_files_result, put_env_files


def put_files(module: AnsibleModule) -> dict[str, Any]:
    """Write or remove the files and return the module's result. Raises ValueError for options that cannot be used."""
    params = module.params
    whose = private_file.owner(params["owner"], params["group"])
    settings = EnvFileSettings(params["url"] or "", params["vendors"], params["vendor_paths"]) if params["state"] == "present" else None
    return env_files_result(put_env_files(params["files"], settings, whose, check_mode=module.check_mode))


def main() -> None:
    module = StrictModule(
        argument_spec={
            "files": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "path": {"type": "path", "required": True},
                    "value": {"type": "str", "no_log": True},
                    "alias": {"type": "str"},
                },
            },
            "url": {"type": "str"},
            "vendors": {"type": "list", "elements": "str"},
            "vendor_paths": {"type": "dict", "default": {}},
            "owner": {"type": "str"},
            "group": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    try:
        result = put_files(module)
    except ValueError as error:
        module.fail_json(msg=str(error), code="bad_input", changed=False)
    if result.get("failed"):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
