#!/usr/bin/python
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Documentation of the action `policy_check`, whose code is in plugins/action."""

from __future__ import annotations

DOCUMENTATION = r"""
module: policy_check
short_description: Lint and rehearse a chain of approval rules
version_added: 2.0.0
description:
  - Tries a chain of approval rules on a table of cases, prints who would get what and by which rule, and fails when a case
    disagrees, so that a policy can be tested like code.
  - Finds rules that are never reached, patterns that have no effect or match no model of the gateway, and chains that can only deny.
  - Rules that ask a service are never called. Their answers are declared.
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
extends_documentation_fragment:
  - rhpds.litellm_virtual_keys.attributes
  - rhpds.litellm_virtual_keys.attributes.info_module
options:
  rules:
    description: The chain, as in M(rhpds.litellm_virtual_keys.approval).
    type: list
    elements: raw
    required: true
  cases:
    description:
      - The cases, a list of mappings. Without O(cases) and O(cases_file) the chain is only linted.
      - C(email), and C(model), C(models) or C(package), are the request. C(decision) (or C(expected)) is what shall become of it.
      - C(rule) is the rule that shall decide, by name or index, or V(none) when no rule shall. Leave it out when any may.
      - C(answer) is what rules that ask a service answer in this case, C(APPROVE), C(DENY), C(CONTINUE), C(REVIEW), C(PENDING),
        or C(ERROR) when the service is down. A mapping gives it by the rule's name or index.
      - C(at) is the time of the request in ISO 8601.
      - All else is part of the request.
    type: list
    elements: raw
  cases_file:
    description:
      - A file with the cases. A name that ends in C(.csv) is read as CSV, with the names of the columns in its first line, and
        several models in the column C(models) with blanks between them. Other files are read as YAML, a list or a mapping with the list under C(cases).
    type: path
  models:
    description:
      - The models that the gateway serves. Patterns that match none of them are found when this is given, and a case that
        names another model is denied, as in M(rhpds.litellm_virtual_keys.approval).
    type: list
    elements: str
    default: []
  packages:
    description: The packages that are offered, as in M(rhpds.litellm_virtual_keys.approval).
    type: dict
  usage:
    description: The live keys that each case meets, as in M(rhpds.litellm_virtual_keys.approval).
    type: list
    elements: raw
    default: []
  answers:
    description:
      - What rules that ask a service answer in cases that do not say so, in the form of C(answer) in O(cases).
      - Where neither says anything the answer is C(CONTINUE).
    type: raw
  now:
    description: The time at which cases are decided that have no C(at), in ISO 8601. The default is this moment.
    type: str
  strict:
    description: Whether to fail when the lint finds an error.
    type: bool
    default: false
seealso:
  - module: rhpds.litellm_virtual_keys.approval
"""

EXAMPLES = r"""
- name: Does the policy do what we think it does?
  rhpds.litellm_virtual_keys.policy_check:
    rules: "{{ key_policy }}"
    cases:
      - {email: user@company.com, model: gpt-4, decision: DENY, rule: denylist}
      - {email: user@company.com, model: claude-3, decision: APPROVE, rule: email}
      - {email: user@company.com, model: claude-3, decision: DENY, rule: http, answer: DENY}
    models: [gpt-4, claude-3, ollama/llama2]
    strict: true
"""

RETURN = r"""
passed:
  description: Whether all cases agree and, with O(strict), the lint finds no error.
  returned: when the chain and the cases could be read
  type: bool
  sample: true
results:
  description: One answer a case, as in M(rhpds.litellm_virtual_keys.approval), with what was expected.
  returned: when the chain and the cases could be read
  type: list
  elements: dict
  contains:
    case:
      description: The number of the case, from 1.
      type: int
    request:
      description: The request as it would be minted. None when it is not valid.
      type: dict
    decision:
      description: What becomes of it.
      type: str
    reason:
      description: Why, in words for the requester.
      type: str
    rule:
      description: The rule that decides. None when no rule approves.
      type: str
    rule_index:
      description: Its place in the chain, from 0.
      type: int
    reviewers:
      description: Who would be told.
      type: list
      elements: str
    expected:
      description: What the case expects.
      type: str
    expected_rule:
      description: The rule that the case expects.
      type: str
    agrees:
      description: Whether both are so.
      type: bool
    trace:
      description: What each rule that was asked said.
      type: list
      elements: dict
findings:
  description: What the lint found.
  returned: when the chain and the cases could be read
  type: list
  elements: dict
  contains:
    level:
      description: V(error) or V(warning).
      type: str
    index:
      description: The place of the rule in the chain, from 0. None when the whole chain is meant.
      type: int
    name:
      description: The rule.
      type: str
    message:
      description: What is wrong with it, and what to do.
      type: str
table:
  description: The lines that were printed.
  returned: when the chain and the cases could be read
  type: list
  elements: str
"""
