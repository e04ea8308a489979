#!/usr/bin/python
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Documentation of the action `awx_object`, whose code is in plugins/action."""

from __future__ import annotations

DOCUMENTATION = r"""
module: awx_object
short_description: Create, change or remove an object of AWX with the modules of a chosen collection
version_added: 2.0.0
description:
  - Runs P(awx.awx.organization#module), or another module of that collection, for one object. The collection is an option,
    because C(ansible.controller) has the same modules for automation controller.
  - In check mode an object counts as changed if something that it refers to does not exist yet. The modules themselves fail
    then.
  - An object to remove needs only the options that identify it. It is not an error if these refer to something missing.
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
    description: The kind of object, by the name of its module.
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
    description: The object, as options of its module.
    type: dict
    required: true
    suboptions: {}
  state:
    description: Whether the object exists.
    type: str
    choices: [present, absent]
    default: present
  modules:
    description: The collection with the modules.
    type: str
    default: awx.awx
  connection:
    description: How to reach AWX, as options that all these modules share, such as C(controller_host) and C(controller_oauthtoken).
    type: dict
    default: {}
seealso:
  - name: The role awx_catalog
    description: Uses this module for a whole catalogue.
    link: https://github.com/rhpds/rhpds.litellm_virtual_keys/tree/main/roles/awx_catalog
"""

EXAMPLES = r"""
- name: Create a team on automation controller
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
  returned: if it exists
  type: int
"""
