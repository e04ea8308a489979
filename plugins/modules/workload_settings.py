#!/usr/bin/python
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Documentation of the action `workload_settings`, whose code is in plugins/action."""

from __future__ import annotations

DOCUMENTATION = r"""
module: workload_settings
short_description: Check the variables of the workload role
version_added: 2.0.0
description:
  - Reads the variables of the role P(rhpds.litellm_virtual_keys.ocp4_workload_litellm_virtual_keys#role) as they are set where the task
    runs, checks those that have an effect on the action, and returns them as its tasks need them. Use the role.
  - Numbers, truth values, lists and mappings may be texts, as surveys and extra variables pass them. C(null) and an empty text count as not
    given.
  - Fails with one sentence that names the variable if one cannot be used.
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
extends_documentation_fragment:
  - rhpds.litellm_virtual_keys.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options: {}
"""

EXAMPLES = r"""
- name: Check the variables
  rhpds.litellm_virtual_keys.workload_settings:
  register: checked

- name: Show the keys that provisioning would make
  ansible.builtin.debug:
    var: checked.wanted
"""

RETURN = r"""
action:
  description: What the role is to do.
  returned: success
  type: str
  sample: provision
tasks:
  description: The file of tasks that does it.
  returned: success
  type: str
  sample: provision_workload.yml
guid:
  description: The GUID of the lab. Empty if one key is deleted by its id.
  returned: success
  type: str
alias:
  description: The alias of the lab.
  returned: success
  type: str
lab_alias:
  description: The alias if it does not follow from the GUID.
  returned: success
  type: str
endpoint:
  description: The address of the gateway.
  returned: success
  type: str
connection:
  description: How to reach the gateway, as options of modules.
  returned: success
  type: dict
terms:
  description: Models, lifetime and limits of the keys, as the module M(rhpds.litellm_virtual_keys.virtual_keys) takes them.
  returned: when provisioning
  type: dict
wanted:
  description: The keys, as the module M(rhpds.litellm_virtual_keys.virtual_keys) takes them.
  returned: when provisioning
  type: list
  elements: dict
run:
  description: A name for this run of the role, the same for every host of the play.
  returned: success
  type: str
"""
