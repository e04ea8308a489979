#!/usr/bin/python
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The documentation of the action plugin of this name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: agnosticd_user_info
short_description: Tell the users of a lab what they need to know, as AgnosticD does
version_added: 1.0.0
description:
  - Adds messages and data to the files from which AgnosticD informs the users of a lab and its other workloads. The
    files are V(ACTION-user-info.yaml) and V(ACTION-user-body.yaml), lists of strings, and V(ACTION-user-data.yaml), a
    mapping that keeps the data of each user under C(users). They lie in the directory that the variable C(output_dir)
    names. V(ACTION) is the variable C(agnosticd_action), else C(ACTION), else V(provision).
  - Inside AgnosticD its own plugin does the work, C(agnosticd.core.agnosticd_user_info) or, in version 1,
    C(agnosticd_user_info) beside its playbooks, whenever it is installed. C(module_defaults) for that plugin, such as a
    C(data_prefix), hold then.
  - Without AgnosticD the files are written whole or not at all, readable by their owner only, and several tasks, forks
    and runs may write at once.
  - When C(output_dir) is not set, outside of AgnosticD, nothing is saved. The task returns and shows the same, so
    playbooks that were written for AgnosticD run anywhere, and leave no keys in the directory of a playbook.
  - The result of the task has the messages and the data, because AgnosticD's portal reads job events. Set C(no_log) on
    the task when they are secret and the portal gets the files, as it does when a completion callback is configured.
    The files are written all the same.
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
extends_documentation_fragment:
  - rhpds.litellm_virtual_keys.attributes
attributes:
  check_mode:
    support: full
    details:
      - AgnosticD's own plugin is not called in check mode, because it would write.
  diff_mode:
    support: none
    details:
      - It would show secrets.
  idempotent:
    support: partial
    details:
      - AgnosticD's own plugin adds a message each time. It also never reports a change.
options:
  msg:
    description:
      - A message, or a list of messages, to the owner of the lab, or to O(user).
      - Messages that stand in the file already, one after the other, are not added again.
    type: raw
  body:
    description:
      - A longer text. Use it instead of O(msg).
    type: str
  data:
    description:
      - Names and values to save, for the whole lab or for O(user). What has been saved under a name before is replaced.
      - For the whole lab the name V(users) is refused, as the data of the users would be lost.
    type: dict
  data_prefix:
    description:
      - Put this before each name in O(data).
    type: str
  user:
    description:
      - The user to whom messages and data belong. When not given, they belong to the whole lab.
      - Not together with O(users).
    type: str
  users:
    description:
      - Data of many users, each user's name with names and values as in O(data). The files are read and written once, where a
        task for each of many users would do that for each.
      - Not together with O(user).
      - Inside AgnosticD its own plugin is called once for each user, because it takes one at a time. What it returns is not
        returned then, unless that is one call only. AgnosticD's portal reads the data of one user from a job event, so use O(user) in a loop where it does.
    type: dict
    version_added: 2.0.0
seealso:
  - plugin: rhpds.litellm_virtual_keys.agnosticd_user_data
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Tell the owner of the lab
  rhpds.litellm_virtual_keys.agnosticd_user_info:
    msg:
      - "LiteLLM API Endpoint: https://litellm.example.com/v1"
      - "LiteLLM Virtual Key: {{ litellm_virtual_key }}"
  no_log: true

- name: Save a user's key
  rhpds.litellm_virtual_keys.agnosticd_user_info:
    user: user1
    data:
      litellm_virtual_key: "{{ _litellm_user_data['litellm_user1_virtual_key'] }}"
  no_log: true

- name: Save the keys of a whole class
  rhpds.litellm_virtual_keys.agnosticd_user_info:
    users:
      user1:
        litellm_virtual_key: "{{ _litellm_user_data['litellm_user1_virtual_key'] }}"
      user2:
        litellm_virtual_key: "{{ _litellm_user_data['litellm_user2_virtual_key'] }}"
  no_log: true

- name: Read it later
  ansible.builtin.set_fact:
    my_key: "{{ lookup('rhpds.litellm_virtual_keys.agnosticd_user_data', 'litellm_virtual_key', user='user1') }}"
"""

RETURN = r"""
msg:
  description:
    - O(msg) or O(body). For the whole lab V(user.info:) or V(user.body:) and a space stand before each message, as AgnosticD
      has it.
  type: raw
  returned: when there is a message, or a body for the whole lab
data:
  description: O(data), with O(data_prefix) before each name.
  type: dict
  returned: when there is data
user:
  description: O(user).
  type: str
  returned: when O(user) is given
users:
  description: O(users), with O(data_prefix) before each name.
  type: dict
  returned: when O(users) is given, unless AgnosticD's own plugin did the work
written:
  description: The files whose content changed, or would in check mode. Empty when C(output_dir) is not set.
  type: list
  elements: str
  returned: success, unless AgnosticD's own plugin did the work
  sample:
    - /tmp/output_dir/provision-user-info.yaml
"""
