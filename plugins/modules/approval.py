#!/usr/bin/python
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Documentation of the action `approval`, whose code is in plugins/action."""

from __future__ import annotations

DOCUMENTATION = r"""
module: approval
short_description: Decide requests for LLM keys by a chain of rules
version_added: 2.0.0
description:
  - Asks an ordered chain of rules about each request. Returns the decision, its reason for the requester, and the trace of
    all rules that were asked, for the administrator.
  - A rule answers C(APPROVE) or C(DENY), which end the chain, C(CONTINUE), which asks the next rule, or C(REVIEW) or
    C(PENDING), which park the request. A request that no rule approves is denied. Without rules everything is denied.
  - The whole chain is checked first. An unknown rule, an unknown option or a wrong type fails the task before anything is
    decided.
  - A request that is not valid (no e-mail address, no model, a control character in a name) is denied with RV(results[].valid)
    false, and the others are decided.
  - Nothing is stored. The guide to approval rules describes the rules of this collection, and how to write your own.
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
extends_documentation_fragment:
  - rhpds.litellm_virtual_keys.attributes
attributes:
  check_mode:
    support: full
    details:
      - Rules that ask a service, such as C(http), do not ask it in check mode. They count as C(CONTINUE), as the trace shows.
  diff_mode:
    support: N/A
    details:
      - This action changes nothing.
  idempotent:
    support: full
    details:
      - Decisions can change with the time, the live keys and the answers of services.
options:
  request:
    description:
      - One request, a mapping with C(email), C(model) or C(models), C(package), C(request_id), C(duration) and C(max_budget).
        C(email) and one of C(model), C(models), C(package) are required.
      - All other fields are kept, and conditions of the rule C(expression) can use them.
      - Set either this or O(requests).
    type: raw
  requests:
    description: A list of requests. They are decided as if one after another, in this order.
    type: list
    elements: raw
  rules:
    description:
      - The chain, a list of mappings with the rule's C(name) and its options under C(config).
      - A plain C(name) is a rule of this collection. A rule of another collection is named C(namespace.collection.rule).
      - C(on_error), V(continue), V(deny), V(review) or V(pending), is the decision if the rule cannot answer. The default is
        V(continue) for C(http) and V(pending) for the others.
      - C(reason) replaces the reason that the requester reads if this rule decides.
      - C(reviewers) is a list of e-mail addresses to notify if the decision of this rule is C(REVIEW).
    type: list
    elements: raw
    required: true
  packages:
    description:
      - The packages on offer, by name, each a mapping with C(models) and, optionally, C(duration) and C(max_budget).
      - A request for a package gets its models unless it names some. A request for a package that is not here is not valid.
      - Without it, packages are not looked up, and a request must name its models.
    type: dict
  models:
    description:
      - The models that the gateway serves, as the module P(rhpds.litellm_virtual_keys.gateway_info#module) returns them.
      - A request that names another model is not valid. The models of a package are not compared, because the requester
        does not choose them.
      - Without it, models are not compared.
    type: list
    elements: str
  usage:
    description:
      - The live keys on the gateway, for the rule C(quota), as mappings with C(owner), C(domain), C(package) and
        C(alias). C(domain) defaults to that of C(owner).
      - Required if the chain has the rule C(quota). An empty list means that there are no keys.
    type: list
    elements: raw
  now:
    description: The time of the decision, in ISO 8601. The default is the present.
    type: str
  parallel:
    description: How many requests may wait for services at the same time, from 1 to 64.
    type: int
    default: 8
seealso:
  - module: rhpds.litellm_virtual_keys.policy_check
"""

EXAMPLES = r"""
- name: Decide pending requests
  rhpds.litellm_virtual_keys.approval:
    requests:
      - {request_id: req_1, email: user@company.com, model: ollama/llama2}
      - {request_id: req_2, email: user@gmail.com, model: gpt-4}
    rules:
      - name: denylist
        config:
          list: ["gpt-4*"]
        reason: GPT-4 is given out by the platform team only.
      - name: http
        config:
          endpoint: https://approval.company.com/decide
          headers:
            Authorization: "Bearer {{ approval_token }}"
        on_error: review
        reviewers: [admin@company.com]
      - name: acme.policies.cost_center
        config:
          allowed: [4711, 4712]
      - name: email
        config:
          pattern: "*@company.com"
  register: decided

- name: Show who was denied, and why
  ansible.builtin.debug:
    msg: "{{ item.email }}: {{ item.reason }}"
  loop: "{{ decided.results | selectattr('decision', 'equalto', 'DENY') }}"
"""

RETURN = r"""
results:
  description: One answer per request, in the order of the requests.
  returned: success
  type: list
  elements: dict
  contains:
    request_id:
      description: The id of the request, or an empty string.
      type: str
      sample: req_1
    email:
      description: The address, its domain in ASCII form.
      type: str
      sample: user@company.com
    models:
      description: The models that the decision is about.
      type: list
      elements: str
      sample: [ollama/llama2]
    package:
      description: The package that was asked for, if any.
      type: str
    valid:
      description: Whether the request could be read. One that could not is denied.
      type: bool
      sample: true
    decision:
      description: C(APPROVE), C(DENY), C(REVIEW) or C(PENDING).
      type: str
      sample: APPROVE
    reason:
      description: Why, for the requester. It has no control characters.
      type: str
      sample: Your request meets the rules for automatic approval.
    rule:
      description: The rule that decided, as the chain names it. None when no rule approved.
      type: str
      sample: email
    rule_index:
      description: Its place in the chain, from 0.
      type: int
      sample: 3
    reviewers:
      description: The addresses to notify if the decision is C(REVIEW).
      type: list
      elements: str
    review:
      description: How the review is to be made, in the words of the options of the rule C(human_review). Empty if the rule says nothing about it.
      type: dict
    request:
      description:
        - The request with the terms to mint. Rules can reduce the models, the duration and the budget.
        - None if the request is not valid.
      type: dict
    trace:
      description: The answer of each rule that was asked, for the administrator.
      type: list
      elements: dict
      contains:
        index:
          description: The rule's place in the chain, from 0.
          type: int
        rule:
          description: The rule, as the chain names it.
          type: str
        decision:
          description: C(APPROVE), C(DENY), C(CONTINUE), C(REVIEW) or C(PENDING).
          type: str
        matched:
          description: The pattern, condition or limit that caused it.
          type: str
        detail:
          description: What happened.
          type: str
        duration_ms:
          description: How long it took.
          type: float
summary:
  description: The number of requests for each decision.
  returned: success
  type: dict
  sample: {"APPROVE": 1, "DENY": 1, "REVIEW": 0, "PENDING": 0}
"""
