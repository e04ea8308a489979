#!/usr/bin/python
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Take over the virtual keys of a lab that somebody else made."""

from __future__ import annotations

DOCUMENTATION = r"""
module: key_adoption
short_description: Take over LiteLLM virtual keys that were made with random values
version_added: 2.0.0
description:
  - Finds the keys of a lab by their aliases, and notes on each that this collection manages it with its present value.
    From then on the key is provisioned, extended, blocked, listed and deleted like any other, and no task fails because
    its value cannot be derived. Values, limits, expiry and owners stay as they are, so users do not notice.
  - This is for keys that release 1.3.2 of this collection made, and for keys whose secret was lost.
  - LiteLLM never reveals the value of a key. The value is returned only if it is among O(known_values).
  - A key gets a derived value only when it is rotated.
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
    support: full
  idempotent:
    support: full
options:
  guid:
    description: The GUID of the lab.
    type: str
    required: true
  lab_alias:
    description: The alias of the lab, if it is not V(virtkey-GUID).
    type: str
  user_base:
    description: The prefix of user names. A key belongs to the lab if the rest of its alias is this prefix and a number.
    type: str
    default: user
  secret:
    description:
      - The secret that values are derived from, to find out which keys need not be taken over. At least 16 characters.
      - If not set, the environment variable E(LITELLM_DERIVATION_SECRET) is used, and then O(api_key).
    type: str
  known_values:
    description:
      - Data that still contains the values of the keys. Any structure will do, for example the content of an AgnosticD
        user data file, or the data of a Kubernetes Secret. A value belongs to the key whose SHA-256 it has, and
        everything else is ignored.
    type: raw
seealso:
  - module: rhpds.litellm_virtual_keys.virtual_keys
  - module: rhpds.litellm_virtual_keys.key_migration
"""

EXAMPLES = r"""
- name: Take over the keys of a lab that release 1.3.2 made
  rhpds.litellm_virtual_keys.key_adoption:
    url: https://litellm.example.com
    api_key: "{{ litellm_master_key }}"
    guid: abc12
    known_values: "{{ lookup('ansible.builtin.file', 'abc12/provision-user-data.yaml') }}"
  register: adopted
  no_log: true # the result holds the values of the keys only because of this
"""

RETURN = r"""
virtual_keys:
  description: The keys of the lab, as M(rhpds.litellm_virtual_keys.virtual_keys) returns them.
  returned: success, and when part of the work failed
  type: list
  elements: dict
  contains:
    alias:
      description: The alias.
      type: str
    user:
      description: The user in the lab, or an empty string.
      type: str
    action:
      description: C(updated) if this run took the key over, C(unchanged) if it was taken over before or is this collection's own.
      type: str
    recoverable:
      description: Whether the value can be derived.
      type: bool
    value:
      description: The key itself, if it can be derived or is among O(known_values). Present only if the task has C(no_log=true).
      type: str
counts:
  description: How many keys were created, updated, rotated, left unchanged and deleted.
  returned: success, and when part of the work failed
  type: dict
calls:
  description: How many HTTP requests were sent.
  returned: success
  type: int
code:
  description: Stable error code, for example C(no_such_lab).
  returned: failure
  type: str
"""

from ..module_utils.common.options import StrictModule
from ..module_utils.keys.manage import ADOPTION_SPEC, adopt_keys
from ..module_utils.litellm.options import run_module


def main() -> None:
    module = StrictModule(argument_spec=ADOPTION_SPEC, supports_check_mode=True)
    run_module(module, lambda: adopt_keys(module))


if __name__ == "__main__":
    main()
