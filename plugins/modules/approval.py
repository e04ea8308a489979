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
  - Asks an ordered chain of rules about each request, and returns the decision, its reason in words for the requester,
    and the trace of all rules asked for the administrator.
  - A rule answers C(APPROVE) or C(DENY), which end the chain, C(CONTINUE), which asks the next rule, or C(REVIEW) or
    C(PENDING), which park the request. A request that no rule approves is denied. Without rules everything is denied.
  - The whole chain is checked first. An unknown rule, an unknown option or a wrong type fails the task before
    anything is decided.
  - A request that is not valid (no e-mail address, no model, a control character in a name) is denied with RV(results[].valid)
    false, and the others are decided.
  - Nothing is written anywhere. The rules of this collection and the way to write one's own are described in the guide to
    approval rules.
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
extends_documentation_fragment:
  - rhpds.litellm_virtual_keys.attributes
attributes:
  check_mode:
    support: full
    details:
      - Rules that ask a service, such as C(http), do not ask it in check mode. They count as C(CONTINUE), and the trace says so.
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
      - Give either this or O(requests).
    type: raw
  requests:
    description: A list of such requests. They are decided as though one after another, in this order.
    type: list
    elements: raw
  rules:
    description:
      - The chain, a list of mappings with the rule's C(name) and its options under C(config).
      - A C(name) of its own is a rule of this collection; a rule of another collection is named C(namespace.collection.rule).
      - C(on_error), V(continue), V(deny), V(review) or V(pending), says what happens when the rule cannot answer. The default is
        V(continue) for C(http) and V(pending) for the others.
      - C(reason) replaces the words that the requester reads when this rule decides.
      - C(reviewers) is a list of e-mail addresses of those who are told when this rule's decision is C(REVIEW).
    type: list
    elements: raw
    required: true
  packages:
    description:
      - The packages that are offered, by name, each a mapping with C(models) and, when it has them, C(duration) and C(max_budget).
      - A request for a package that names no models gets the package's. A request for a package that is not here is not valid.
      - When not given, packages are not looked up, and a request must name its models.
    type: dict
  models:
    description:
      - The models that the gateway serves, as the module P(rhpds.litellm_virtual_keys.gateway_info#module) returns them.
      - A request that names another model is not valid. The models of a package are not compared, for whoever asks for a
        package does not choose them.
      - When not given, nothing is compared.
    type: list
    elements: str
  usage:
    description:
      - The keys that live on the gateway, for the rule C(quota), as mappings with C(owner), C(domain), C(package) and
        C(alias). C(domain) is taken from C(owner) when it is not given.
      - Required when the chain has the rule C(quota). An empty list says that there are no keys.
    type: list
    elements: raw
  now:
    description: The time at which to decide, in ISO 8601. The default is this moment.
    type: str
  parallel:
    description: How many requests may wait for services at the same time, from 1 to 64.
    type: int
    default: 8
seealso:
  - module: rhpds.litellm_virtual_keys.policy_check
"""

EXAMPLES = r"""
- name: Decide what waits
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

- name: Who was denied, and why?
  ansible.builtin.debug:
    msg: "{{ item.email }}: {{ item.reason }}"
  loop: "{{ decided.results | selectattr('decision', 'equalto', 'DENY') }}"
"""

RETURN = r"""
results:
  description: One answer a request, in the order of the requests.
  returned: success
  type: list
  elements: dict
  contains:
    request_id:
      description: The id of the request, or an empty text.
      type: str
      sample: req_1
    email:
      description: The address, its domain in ASCII form.
      type: str
      sample: user@company.com
    models:
      description: The models that were decided upon.
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
      description: Why, in words for the requester. They never hold control characters.
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
      description: Who is to be told when the decision is C(REVIEW).
      type: list
      elements: str
    request:
      description:
        - The request as it is to be minted. Rules can make the models, the duration and the budget less than what was asked for.
        - None when the request was not valid.
      type: dict
    trace:
      description: What each rule that was asked said, in words for the administrator.
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
          description: The pattern, condition or limit that brought it about.
          type: str
        detail:
          description: What happened.
          type: str
        duration_ms:
          description: How long it took.
          type: float
summary:
  description: How many requests met each decision.
  returned: success
  type: dict
  sample: {"APPROVE": 1, "DENY": 1, "REVIEW": 0, "PENDING": 0}
"""
