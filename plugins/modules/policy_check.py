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
  - Tries a chain of approval rules on a table of cases, prints who would get what and by which rule, and fails if a case
    disagrees. A policy can thus be tested like code.
  - Finds rules that are never reached, patterns that have no effect or match no model of the gateway, and chains that can only deny.
  - Services are never asked. The answers of rules that ask one are declared.
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
  rules_file:
    description:
      - A YAML file that has the chain under C(approval_plugins), such as the C(config.yaml) of the LLM Key Requestor. Its texts are never
        templated, so the rule C(expression) cannot stand there.
      - O(rules) or this is required.
    type: path
  cases:
    description:
      - The cases, a list of mappings. Without O(cases) and O(cases_file) the chain is only linted.
      - C(email), and C(model), C(models) or C(package), are the request. C(decision) (or C(expected)) is the decision expected.
      - C(rule) is the rule expected to decide, by name or index, or V(none) if no rule is. Omit it to accept any rule.
      - C(answer) is the answer of rules that ask a service, C(APPROVE), C(DENY), C(CONTINUE), C(REVIEW), C(PENDING),
        or C(ERROR) for a service that is down. A mapping gives it by the rule's name or index.
      - C(at) is the time of the request in ISO 8601.
      - All other fields are part of the request.
    type: list
    elements: raw
  cases_file:
    description:
      - A file with the cases. A file whose name ends in C(.csv) is read as CSV, with column names in its first line and blanks
        between the models in the column C(models). Other files are read as YAML, a list or a mapping with the list under C(cases).
    type: path
  models:
    description:
      - The models that the gateway serves. With it, patterns that match none of them are found, and a case that
        names another model is denied, as in M(rhpds.litellm_virtual_keys.approval).
    type: list
    elements: str
    default: []
  packages:
    description: The packages on offer, as in M(rhpds.litellm_virtual_keys.approval).
    type: dict
  usage:
    description: The live keys at the time of each case, as in M(rhpds.litellm_virtual_keys.approval).
    type: list
    elements: raw
    default: []
  answers:
    description:
      - The answers of rules that ask a service, for cases without an C(answer), in the form of C(answer) in O(cases).
      - The default is C(CONTINUE).
    type: raw
  now:
    description: The time of the decision for cases without C(at), in ISO 8601. The default is the present.
    type: str
  strict:
    description: Whether to fail if the lint finds an error.
    type: bool
    default: false
seealso:
  - module: rhpds.litellm_virtual_keys.approval
"""

EXAMPLES = r"""
- name: Check that the policy does what we expect
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
  returned: if the chain and the cases could be read
  type: bool
  sample: true
results:
  description: One answer per case, as in M(rhpds.litellm_virtual_keys.approval), with the expected one.
  returned: if the chain and the cases could be read
  type: list
  elements: dict
  contains:
    case:
      description: The number of the case, from 1.
      type: int
    request:
      description: The request with the terms to mint. None if it is not valid.
      type: dict
    decision:
      description: The decision on the case.
      type: str
    reason:
      description: Why, for the requester.
      type: str
    rule:
      description: The rule that decides. None if no rule approves.
      type: str
    rule_index:
      description: Its place in the chain, from 0.
      type: int
    reviewers:
      description: The addresses that would be notified.
      type: list
      elements: str
    expected:
      description: The decision that the case expects.
      type: str
    expected_rule:
      description: The rule that the case expects.
      type: str
    agrees:
      description: Whether both are as expected.
      type: bool
    trace:
      description: The answer of each rule that was asked.
      type: list
      elements: dict
findings:
  description: The findings of the lint.
  returned: if the chain and the cases could be read
  type: list
  elements: dict
  contains:
    level:
      description: V(error) or V(warning).
      type: str
    index:
      description: The place of the rule in the chain, from 0. None for the whole chain.
      type: int
    name:
      description: The rule.
      type: str
    message:
      description: The fault, and what to do about it.
      type: str
table:
  description: The lines that were printed.
  returned: if the chain and the cases could be read
  type: list
  elements: str
"""
