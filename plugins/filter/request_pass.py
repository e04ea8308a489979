# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: from one step of a pass over the queue of requests to the next."""

from __future__ import annotations

DOCUMENTATION = r"""
name: request_pass
short_description: What a pass over the queue of requests does next
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - Turns requests and the outcome of one step into the arguments of the next. The role
    P(rhpds.litellm_virtual_keys.key_requests#role) is made of this.
positional: step
options:
  _input:
    description: Requests, as the module P(rhpds.litellm_virtual_keys.key_request_info#module) returns them.
    type: list
    elements: dict
    required: true
  step:
    description:
      - V(keys) are the keys of approved requests, for the module P(rhpds.litellm_virtual_keys.virtual_keys#module). Takes
        O(packages) and O(lifetime).
      - V(decidable) are the requests that can be decided now, and V(waiting) the changes to record for the others. Both take
        O(served) and O(living).
      - V(decisions) are the changes to record, for the module P(rhpds.litellm_virtual_keys.key_requests#module), after the
        action P(rhpds.litellm_virtual_keys.approval#module) answered with O(results).
      - V(minted) are the changes after keys were made, with O(result) of the module that made them.
      - V(usage) is what the rule C(quota) counts, from keys instead of requests.
      - V(orphans) are keys to delete, because their requests were taken back while they were made. Takes O(refused).
      - V(deliverable) are keys with their values, for the role P(rhpds.litellm_virtual_keys.key_delivery#role). Takes
        O(result), O(refused) and O(method).
      - V(delivered) are the changes after keys were delivered by O(methods), with O(results).
      - V(denial_mails) and V(review_mails) are mails, for the role P(rhpds.litellm_virtual_keys.key_delivery#role).
        V(review_mails) takes O(rules) and O(reviewers).
      - V(denied) and V(reviewed) are the changes after these mails were sent, with O(results).
      - V(ended) are the changes for requests whose keys are not among the living O(keys).
      - V(notices) are mails that warn owners, and V(noticed) the keys on which to note that. Both are made from keys
        instead of requests, with O(before) and O(now), and V(noticed) with O(results) of the mails too.
      - A step needs each option that is named here for it, and takes no other.
    type: str
    required: true
    choices:
      [keys, usage, decidable, waiting, decisions, minted, orphans, deliverable,
       delivered, denial_mails, review_mails, denied, reviewed, ended, notices, noticed]
  packages:
    description: The packages, by name.
    type: dict
  lifetime:
    description: The lifetime of a key for which nothing else says one.
    type: str
  result:
    description: The result of a module.
    type: dict
  served:
    description: The result of P(rhpds.litellm_virtual_keys.gateway_info#module).
    type: dict
  living:
    description: The result of P(rhpds.litellm_virtual_keys.virtual_key_info#module).
    type: dict
  results:
    description: The results of single requests.
    type: list
    elements: dict
  refused:
    description: The changes that could not be recorded.
    type: list
    elements: dict
  method:
    description: One way of delivery.
    type: str
  methods:
    description: The ways of delivery that are wanted.
    type: list
    elements: str
  rules:
    description: The approval chain.
    type: list
    elements: dict
  reviewers:
    description: Whom to ask when the chain names nobody.
    type: list
    elements: str
  keys:
    description: All living keys.
    type: list
    elements: dict
  before:
    description: How long before their end owners are warned.
    type: list
    elements: str
  now:
    description: The time, in ISO 8601.
    type: str
"""

EXAMPLES = r"""
- name: Make the keys of approved requests
  rhpds.litellm_virtual_keys.virtual_keys:
    keys: "{{ approved | rhpds.litellm_virtual_keys.request_pass('keys', packages=packages, lifetime='30d') }}"
    keep_going: true
  no_log: true
"""

RETURN = r"""
_value:
  description: Keys, changes or mails.
  type: list
  elements: dict
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils import request_pass as steps

STEPS: dict[str, Callable[..., list[dict[str, Any]]]] = {
    "keys": lambda requests, *, packages, lifetime: steps.keys(requests, packages, lifetime),
    "decidable": lambda requests, *, served, living: [dict(request) for request in steps.decidable(requests, served, living)],
    "waiting": lambda requests, *, served, living: steps.waiting(requests, served, living),
    "decisions": lambda requests, *, results: steps.decisions(results, requests),
    "minted": lambda requests, *, result: steps.minted(requests, result),
    "usage": steps.usage,
    "orphans": lambda requests, *, refused: steps.orphans(requests, refused),
    "deliverable": lambda requests, *, result, refused, method: steps.deliverable(requests, result, refused, method),
    "delivered": lambda requests, *, results, methods: steps.delivered(requests, results, methods),
    "denial_mails": steps.denial_mails,
    "review_mails": lambda requests, *, rules, reviewers: steps.review_mails(requests, rules, reviewers),
    "denied": lambda requests, *, results: steps.denied(requests, results),
    "ended": lambda requests, *, keys: steps.ended(requests, keys),
    "notices": lambda keys, *, before, now: steps.notices(keys, before, now),
    "noticed": lambda keys, *, results, before, now: steps.noticed(keys, results, before, now),
    "reviewed": lambda requests, *, results: steps.reviewed(requests, results),
}


def request_pass(requests: Sequence[Any], step: str, **options: Any) -> list[dict[str, Any]]:
    if step not in STEPS:
        raise AnsibleFilterError(f"request_pass: there is no step {step!r}; choose one of {', '.join(STEPS)}.")
    wanted = [name for name, parameter in inspect.signature(STEPS[step]).parameters.items() if parameter.kind is parameter.KEYWORD_ONLY]
    for name in wanted:
        if name not in options:
            raise AnsibleFilterError(f"request_pass('{step}'): {name} is not given; give {', '.join(wanted)}.")
    for name in options:
        if name not in wanted:
            raise AnsibleFilterError(f"request_pass('{step}'): {name} is no option of this step; give {', '.join(wanted) or 'none'}.")
    try:
        return STEPS[step](requests, **options)
    except (TypeError, ValueError) as error:
        raise AnsibleFilterError(f"request_pass('{step}'): {error}") from None


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"request_pass": request_pass}
