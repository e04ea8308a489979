#!/usr/bin/python
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Documentation of the action `key_request_pass`, whose code is in plugins/action."""

from __future__ import annotations

DOCUMENTATION = r"""
module: key_request_pass
short_description: Make a pass over the queue of requests for LLM keys
version_added: 2.0.0
description:
  - Decides the pending requests by the approval chain, makes the keys of approved ones, delivers the answers, and asks
    reviewers. Each step is recorded before the next, so a pass that was cut off is finished by the next one.
  - A key is made only for a request that never had one. A key that was revoked or has expired stays gone, and its request
    has ended.
  - What goes wrong with a request is noted on that request, with the time of its next attempt, and stops no other.
  - One pass at a time works on a store. In a directory it holds a lock, in Kubernetes a Lease.
  - The role P(rhpds.litellm_virtual_keys.key_requests#role) calls this action.
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
extends_documentation_fragment:
  - rhpds.litellm_virtual_keys.request_parts
  - rhpds.litellm_virtual_keys.attributes
attributes:
  check_mode:
    support: full
    details:
      - Nothing is written or sent, and rules that ask a service do not ask it. There is one pass, whatever the O(interval).
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  rules:
    description: The approval chain, as the action M(rhpds.litellm_virtual_keys.approval) takes it. Without rules everything is denied.
    type: list
    elements: raw
    default: []
  packages:
    description:
      - The packages that are offered, by name, each with C(models), C(duration) and limits in the words of
        M(rhpds.litellm_virtual_keys.virtual_keys).
      - C(max_lifetime) says how long a key may live in all, with its renewals, unless a person gives more. By default that is V(365d), or
        twice the duration if that is longer. V(never) means no limit.
    type: dict
    default: {}
  limits:
    description:
      - The most that a request by model can get without a person's leave, with C(duration), C(max_budget), C(soft_budget),
        C(budget_duration), C(rpm_limit), C(tpm_limit), C(max_parallel_requests) and C(max_lifetime).
      - What is not given is O(lifetime) for the duration, 10 USD, 60 requests and 100,000 tokens per minute. -1, or V(never)
        for a duration, means no limit.
    type: dict
    default: {}
  lifetime:
    description: How long a key lives if its package does not say so.
    type: str
    default: 30d
  parallel:
    description: How many requests may wait for approval services at the same time.
    type: int
    default: 8
  mails_answers:
    description: Whether to mail those who are denied, those whose key is in a Secret and in no mail, and the reviewers.
    type: bool
    default: true
  reviewers:
    description: The e-mail addresses of those who are asked if the chain names nobody.
    type: list
    elements: str
    default: []
  fail_on:
    description:
      - V(failures) fails the task if anything went wrong with a request, or a record was set aside. Everything else is done first.
      - A chain that cannot be used fails the task in any case.
    type: str
    choices: [nothing, failures]
    default: nothing
  interval:
    description:
      - The time between the beginnings of two passes, such as V(30s), V(5m) or V(1h), or V(once) for one pass.
      - When not set, it is C(approval.queue_interval) of O(config_file), and without one there is one pass.
    type: str
  stop_file:
    description: Passes at an interval end when this file exists. Without it they go on until the process is ended.
    type: path
  heartbeat_file:
    description:
      - With passes at an interval, the time of this file is set to now before each pass, and every second between two, so that a
        probe can tell whether a pass hangs.
    type: path
seealso:
  - module: rhpds.litellm_virtual_keys.key_request
  - module: rhpds.litellm_virtual_keys.key_request_info
  - module: rhpds.litellm_virtual_keys.policy_check
"""

EXAMPLES = r"""
- name: Make a pass over the queue
  rhpds.litellm_virtual_keys.key_request_pass:
    gateway:
      url: https://litellm.example.com
      api_key: "{{ litellm_master_key }}"
    mail:
      host: smtp.example.com
      sender: keys@example.com
    rules:
      - name: email
        config:
          pattern: "*@example.com"
    packages:
      dev:
        models: [granite-3-2-8b-instruct]
        duration: 30d
        max_budget: 5
  no_log: true
"""

RETURN = r"""
report:
  description: What the pass did.
  returned: when one pass was made
  type: dict
  contains:
    started_at:
      description: When it began, UTC.
      type: str
    due:
      description: How many requests were due.
      type: int
    approved:
      description: How many of them are approved, by the chain or before.
      type: int
    denied:
      description: How many of them are denied, by the chain or before.
      type: int
    in_review:
      description: How many wait for a reviewer.
      type: int
    minted:
      description: How many keys were made.
      type: int
    renewed:
      description: How many keys live longer than before.
      type: int
    delivered:
      description: How many keys reached their owner by every method.
      type: int
    ended:
      description: How many requests ended, because their key was revoked or expired before it was delivered.
      type: int
    changed:
      description: Whether any request was changed.
      type: bool
    failures:
      description: The requests that failed, each with the step, the reason and the time of the next attempt, which is empty if passes gave up.
      type: list
      elements: dict
    set_aside:
      description: Records that could not be read, each with its name and the reason.
      type: list
      elements: dict
    errors:
      description: What kept the pass from deciding at all.
      type: list
      elements: str
    warnings:
      description: What an administrator should know.
      type: list
      elements: str
    calls:
      description: How many HTTP requests were sent to the gateway.
      type: int
    seconds:
      description: How long it took.
      type: float
lines:
  description: The report in words.
  returned: when one pass was made
  type: list
  elements: str
"""
