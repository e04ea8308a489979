#!/usr/bin/python
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Documentation of the action `agnosticd_user_info`, whose code is in plugins/action."""

from __future__ import annotations

DOCUMENTATION = r"""
module: agnosticd_user_info
short_description: Save messages and data for the users of a lab, as AgnosticD does
version_added: 1.0.0
description:
  - Adds messages and data to the files from which AgnosticD informs the users of a lab and its other workloads. The
    files are V(ACTION-user-info.yaml) and V(ACTION-user-body.yaml), lists of strings, and V(ACTION-user-data.yaml), a
    mapping that keeps the data of each user under C(users). They are in the directory that the variable C(output_dir)
    names. V(ACTION) is the variable C(agnosticd_action), else C(ACTION), else V(provision).
  - Inside AgnosticD its own plugin does the work if it is installed, C(agnosticd.core.agnosticd_user_info) or, in version 1,
    C(agnosticd_user_info) beside its playbooks, and C(output_dir) is set. The C(module_defaults) of that plugin, such as a C(data_prefix),
    then apply.
  - Without AgnosticD each file is replaced completely or not at all, only its owner can read it, and several tasks, forks
    and runs may write at once.
  - If C(output_dir) is not set, as outside of AgnosticD, nothing is saved, even if AgnosticD's own plugin is installed, which would write
    into a directory of its choice. The task returns and shows the same, so
    playbooks written for AgnosticD run anywhere and leave no keys in the directory of a playbook.
  - The result of the task has the messages and the data, because AgnosticD's portal reads job events. Set C(no_log) on
    the task if they are secret and the portal receives the files, as it does with a completion callback. The files are
    written in any case.
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
extends_documentation_fragment:
  - rhpds.litellm_virtual_keys.attributes
attributes:
  check_mode:
    support: full
    details:
      - AgnosticD's own plugin is not called in check mode, because it writes even then.
  diff_mode:
    support: none
    details:
      - A diff would show secrets.
  idempotent:
    support: partial
    details:
      - AgnosticD's own plugin adds a message each time, and never reports a change.
options:
  msg:
    description:
      - A message, or a list of messages, to the owner of the lab, or to O(user).
      - Messages that are already in the file, one after the other, are not added again.
    type: raw
  body:
    description:
      - A longer text. Use it instead of O(msg).
    type: str
  data:
    description:
      - Names and values to save, for the whole lab or for O(user). A value saved earlier under the same name is replaced.
      - For the whole lab the name V(users) is refused, because the data of the users would be lost.
    type: dict
  data_prefix:
    description:
      - A prefix for each name in O(data).
    type: str
  user:
    description:
      - The user to whom messages and data belong. By default they belong to the whole lab.
      - Not together with O(users).
    type: str
  users:
    description:
      - Data of many users, a mapping of each user's name to names and values as in O(data). The files are read and written
        only once, not once for each user.
      - Not together with O(user).
      - Inside AgnosticD its own plugin is called once for each user, because it takes one at a time. Its result is returned
        only if there is a single call. If AgnosticD's portal reads the data of a user from a job event, use O(user) in a loop.
    type: dict
    version_added: 2.0.0
  of_action:
    description:
      - The action whose files are written, if it is not the one that runs, for example V(provision) to bring up to date what provisioning
        saved.
      - AgnosticD's own plugin cannot do this, so it is not called.
    type: str
    version_added: 2.0.0
  repeats:
    description:
      - Messages to the owner of the lab that repeat data, with C({}) where the value stands, and for each the name of the data in it. If
        O(data) gives another value, the message with the former one is replaced.
      - AgnosticD's own plugin never changes a message. If it does the work, this has no effect.
    type: dict
    version_added: 2.0.0
  repeats_of:
    description:
      - Names of data by which O(repeats) tells that messages are about these data. If one of them changes, for example the name of a key, the
        messages are about something else and stay.
    type: list
    elements: str
    version_added: 2.0.0
seealso:
  - plugin: rhpds.litellm_virtual_keys.agnosticd_user_data
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Show the owner of the lab the address and the key
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
    - O(msg) or O(body). For the whole lab each message begins with V(user.info:) or V(user.body:) and a space, as in AgnosticD.
  type: raw
  returned: if there is a message, or a body for the whole lab
data:
  description: O(data), with O(data_prefix) before each name.
  type: dict
  returned: if there is data
user:
  description: O(user).
  type: str
  returned: if O(user) is given
users:
  description: O(users), with O(data_prefix) before each name.
  type: dict
  returned: if O(users) is given, unless AgnosticD's own plugin did the work
written:
  description: The files whose content changed, or would change in check mode. Empty if C(output_dir) is not set.
  type: list
  elements: str
  returned: success, unless AgnosticD's own plugin did the work
  sample:
    - /tmp/output_dir/provision-user-info.yaml
"""
