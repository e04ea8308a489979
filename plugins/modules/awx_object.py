#!/usr/bin/python
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Documentation of the action `awx_object`, whose code is in plugins/action."""

from __future__ import annotations

DOCUMENTATION = r"""
module: awx_object
short_description: Bring an object of AWX to a state, with the modules of whichever collection is there
version_added: 2.0.0
description:
  - Runs the module of P(awx.awx.organization#module) and its like for one object. The collection is an option, because
    C(ansible.controller) has the same modules for automation controller.
  - In check mode an object counts as changed when something that it refers to is not there yet. The modules themselves fail then.
  - An object that shall go needs only what it is found by, and it is no error when that is not there either.
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
    support: partial
    details:
      - The modules report a change for every credential whose O(options) have C(update_secrets=true), for every notification template with a
        secret, and for every survey with a password, because AWX does not show what is stored.
options:
  kind:
    description: What the object is, by the name of its module.
    type: str
    required: true
    choices:
      - organization
      - team
      - credential_type
      - credential
      - execution_environment
      - notification_template
      - project
      - inventory
      - inventory_source
      - job_template
      - workflow_job_template
      - schedule
      - role
  options:
    description: The object, in the options of its module.
    type: dict
    required: true
    suboptions: {}
  state:
    description: Whether the object shall be there.
    type: str
    choices: [present, absent]
    default: present
  modules:
    description: The collection that has the modules.
    type: str
    default: awx.awx
  connection:
    description: How to reach AWX, in the options that all those modules share, such as C(controller_host) and C(controller_oauthtoken).
    type: dict
    default: {}
seealso:
  - name: The role awx_catalog
    description: Uses it for a whole catalogue.
    link: https://github.com/rhpds/rhpds.litellm_virtual_keys/tree/main/roles/awx_catalog
"""

EXAMPLES = r"""
- name: A team, wherever the controller comes from
  rhpds.litellm_virtual_keys.awx_object:
    modules: ansible.controller
    kind: team
    options:
      name: Approvers
      organization: LLM keys
    connection:
      controller_host: https://controller.example.com
      controller_oauthtoken: "{{ controller_token }}"
"""

RETURN = r"""
id:
  description: The number of the object in AWX.
  returned: when it is there
  type: int
"""
