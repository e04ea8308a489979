#!/usr/bin/python
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Manage the virtual keys of a lab, a class or any other set."""

from __future__ import annotations

DOCUMENTATION = r"""
module: virtual_keys
short_description: Manage a set of LiteLLM virtual keys
version_added: 2.0.0
description:
  - Creates, updates, extends, rotates and deletes the virtual keys of a lab as one set. The keys are read once and
    compared with what is wanted. Only differences are written, several keys at a time. Then the keys are read again.
  - The value of a key is derived from a secret and the key's alias, so the same task returns the same value whenever it
    runs, and a run that was cut off is finished by running it again.
  - Deletion is proven. The module calls the gateway with every deleted value until it is refused.
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
extends_documentation_fragment:
  - rhpds.litellm_virtual_keys.gateway
  - rhpds.litellm_virtual_keys.limits
  - rhpds.litellm_virtual_keys.limits.value
  - rhpds.litellm_virtual_keys.proof
  - rhpds.litellm_virtual_keys.attributes
  - rhpds.litellm_virtual_keys.attributes.litellm
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: partial
    details: With O(extend_for), which counts from now, a run that is more than a minute later moves the end on. O(extend_until) does not.
options:
  guid:
    description:
      - The GUID of the lab. Its keys have the alias V(virtkey-GUID), or V(virtkey-GUID-USER) for a key with a
        O(keys[].user).
      - Give at least one of this, O(lab_alias) and O(keys).
      - At most 128 letters, digits, dots, hyphens and underscores.
    type: str
  lab_alias:
    description:
      - The alias of the lab, if it is not V(virtkey-GUID). Two sets with the same O(guid) and different aliases, for
        example of two tenants, do not touch each other's keys. Without this option, O(state=absent) and changes of all
        keys concern every key of O(guid), whatever the alias of its set.
      - Without O(guid), the alias of every key must hold this one.
    type: str
  keys:
    description:
      - The keys of the set. The options next to this one apply to all keys, those in an element to that key.
      - If not given, the options next to this one are applied to the keys that the lab already has. O(duration),
        O(on_unrecoverable) and O(keep_going) then have an effect only with O(rotation).
      - With O(state=absent), the keys to delete, each by its user or alias; limits are refused there, and so is an empty list. If not
        given, all keys of the lab are deleted. A key under one of these aliases that belongs to another lab is left alone, with a
        warning.
    type: list
    elements: dict
    suboptions:
      user:
        description:
          - The user in the lab. Without a user the key is the only one of the lab.
        type: str
      alias:
        description:
          - The alias of the key, if it does not follow from the lab and the user.
        type: str
      guid:
        description:
          - The GUID of the lab with which the key is deleted, if it is not O(guid). The alias of the key must hold it,
            because the keys of a lab are found by the GUID in their aliases.
        type: str
      create:
        description:
          - Whether to make the key if it does not exist. O(create) holds for keys that do not say.
        type: bool
      models:
        description:
          - The models that the key may call, by the names under which the gateway serves them.
          - Wildcards, names of model access groups, and LiteLLM's special names V(all-proxy-models) and, for a key in a team,
            V(all-team-models) are accepted, too. An empty list is refused, because LiteLLM takes it to mean all models.
        type: list
        elements: str
      duration:
        description:
          - How long a key is valid, counted from its creation, for example V(30d). A whole number and one of V(s),
            V(m), V(h), V(d), V(w) and V(mo), which is 30 days. V(never) makes a key that never expires.
          - An existing key keeps its expiry, unless it has expired; then it gets this lifetime again. To extend a key,
            use O(keys[].extend_for) or O(keys[].extend_until).
        type: str
      extend_for:
        description:
          - Make sure that the key is valid for at least this long from now, for example V(7d). Never shortens its
            lifetime.
        type: str
      extend_until:
        description:
          - Make sure that the key is valid at least until this time, in ISO 8601, in UTC unless it has another offset.
            Never shortens its lifetime.
        type: str
      max_budget:
        description:
          - How many USD the key may spend, in total or in each O(keys[].budget_duration). V(-1) removes the limit.
        type: float
      soft_budget:
        description:
          - The spend in USD at which the gateway sends an alert. V(-1) removes the limit.
        type: float
      budget_duration:
        description:
          - The time after which the spend is reset to zero, for example V(30d). LiteLLM aligns the reset with the
            calendar, V(30d) with the first day of a month. V(never) turns the reset off.
        type: str
      rpm_limit:
        description:
          - How many requests per minute the key may make. V(-1) removes the limit.
        type: int
      tpm_limit:
        description:
          - How many tokens per minute the key may use. V(-1) removes the limit.
        type: int
      max_parallel_requests:
        description:
          - How many requests with the key may be in progress at the same time. V(-1) removes the limit.
        type: int
      model_max_budget:
        description:
          - A budget for each model, by its name, with C(budget_limit) in USD and C(time_period), for example V(1d).
          - LiteLLM accepts this only with its enterprise licence. Without one, make a key for each model, with a
            max_budget of its own.
        type: dict
      allowed_routes:
        description:
          - The routes of the gateway that the key may call, for example V(llm_api_routes). An empty list removes the
            limit.
        type: list
        elements: str
      tags:
        description:
          - Tags by which LiteLLM accounts for the key's spend. They are kept in the key's metadata, which needs no
            licence. An empty list removes them.
        type: list
        elements: str
      metadata:
        description:
          - The metadata to note on the key. Existing names stay unless they are given here. A name with the value
            V(null) is removed.
          - Never put a secret here, because the gateway shows metadata to everybody who may list keys.
        type: dict
      user_id:
        description:
          - The LiteLLM user that the key belongs to. The user need not exist. An empty string removes it.
        type: str
      team_id:
        description:
          - The LiteLLM team that the key belongs to. The team must exist. An empty string removes it.
        type: str
      package:
        description:
          - The name of the subscription package that the limits come from. It is noted on the key, so that keys can be
            looked up by it.
        type: str
  state:
    description:
      - With V(present) the keys exist as described. Other keys of the lab are left alone.
      - With V(exact) the keys exist as described, and all other keys of the lab are deleted.
      - With V(absent) the keys do not exist, and the gateway refuses their values.
    type: str
    choices: [present, exact, absent]
    default: present
  blocked:
    description:
      - Whether the gateway refuses calls with the keys. If not set, this is left as it is.
      - Former values in their grace period are blocked and unblocked with their key. A rotation unblocks none.
    type: bool
  keep_going:
    description:
      - Whether to leave out keys that cannot be made, for example because the gateway does not serve a model, and to
        make the others. RV(left_out) names those that were left out.
      - Otherwise one such key stops the task before anything is written.
    type: bool
    default: false
  user_base:
    description:
      - The prefix of user names in labs of release 1.3.2 of this collection, which did not note the lab on its keys. A
        key of that release counts as the lab's own if the rest of its alias is this prefix and a number.
    type: str
    default: user
  known_values:
    description:
      - Data that still contains the values of keys that cannot be derived. Any structure will do, for example the data
        of a Kubernetes Secret. A value is returned for the key whose SHA-256 it has, and everything else is ignored.
      - Not for O(state=absent), which returns no values.
      - M(rhpds.litellm_virtual_keys.key_adoption) takes such keys over.
    type: raw
  deleted_elsewhere:
    description:
      - Keys that were deleted without LiteLLM, for example from its database. Their values are proven to be refused as
        well. Only for O(state=absent).
    type: list
    elements: dict
    suboptions:
      alias:
        description: The alias.
        type: str
        required: true
      generation:
        description: How often the key had been rotated.
        type: int
        default: 0
      key_id:
        description:
          - The SHA-256 of the key's value, which was its id in LiteLLM. If another value is derived for O(deleted_elsewhere[].alias)
            and O(deleted_elsewhere[].generation), nobody knows the value, and the key is among RV(revocation.listed_only).
        type: str
seealso:
  - module: rhpds.litellm_virtual_keys.virtual_key
  - module: rhpds.litellm_virtual_keys.virtual_key_info
"""

EXAMPLES = r"""
- name: Create the keys of three users of a lab, and delete those of former users
  rhpds.litellm_virtual_keys.virtual_keys:
    url: https://litellm.example.com
    api_key: "{{ litellm_master_key }}"
    guid: abc12
    models: [granite-3-2-8b-instruct]
    duration: 30d
    max_budget: 5
    keys: [{user: ada}, {user: bob}, {user: eve}]
    state: exact
  register: lab
  no_log: true # the result holds the values of the keys only because of this

- name: Keep all keys of a lab valid for at least a week from now
  rhpds.litellm_virtual_keys.virtual_keys:
    url: https://litellm.example.com
    api_key: "{{ litellm_master_key }}"
    guid: abc12
    extend_for: 7d

- name: Delete all keys of a lab, and prove that they are refused
  rhpds.litellm_virtual_keys.virtual_keys:
    url: https://litellm.example.com
    api_key: "{{ litellm_master_key }}"
    guid: abc12
    state: absent
"""

RETURN = r"""
virtual_keys:
  description: The keys, with the action taken on each.
  returned: success, and when part of the work failed
  type: list
  elements: dict
  contains:
    alias:
      description: The alias.
      type: str
    user:
      description: The user in the lab, or an empty string.
      type: str
    action:
      description: C(created), C(updated), C(rotated), C(unchanged) or C(deleted).
      type: str
    value:
      description:
        - The key itself, if it can be derived or is among O(known_values). Present only if the task has C(no_log=true),
          and O(state) is not V(absent).
      type: str
    key_id:
      description: The SHA-256 of the value, which is the key's id in LiteLLM.
      type: str
    recoverable:
      description: Whether the value can be derived.
      type: bool
    generation:
      description: How often the key was rotated.
      type: int
    expires:
      description: When the key expires, or null if it never does.
      type: str
      sample: "2026-12-21T09:00:00Z"
    spend:
      description: How much the key has spent, in USD.
      type: float
absent:
  description: The aliases of keys that do not exist, and were not to be made.
  returned: with O(create=false), when there are any
  type: list
  elements: str
left_out:
  description: The keys that could not be made, with O(keep_going=true).
  returned: when there are any
  type: list
  elements: dict
  contains:
    alias:
      description: The alias.
      type: str
    code:
      description: Stable error code.
      type: str
    msg:
      description: The error, and what to do.
      type: str
counts:
  description: How many keys were created, updated, rotated, left unchanged and deleted.
  returned: success, and when part of the work failed
  type: dict
revocation:
  description: What is known about the values of the deleted keys. Lists hold aliases, and each alias is in one list.
  returned: when keys were deleted, now or by an earlier run within a day, or O(deleted_elsewhere) names any, and not in check mode
  type: dict
  contains:
    proof:
      description: The proof that was asked for, as in O(proof).
      type: str
    proven:
      description: The keys whose values the gateway refused, as often as RV(revocation.refusals) says.
      type: list
      elements: str
    listed_only:
      description:
        - The keys of which only the gateway's list shows that they are gone, because nobody knows their values, or because of O(proof=none).
          Many of them after a deletion mean that O(secret) is not the one with which the keys were made.
      type: list
      elements: str
    still_accepted:
      description: The keys whose values the gateway accepted to the end. Empty unless the module fails.
      type: list
      elements: str
    unproven:
      description: The keys about whose values the gateway could not be asked. Empty unless the module fails.
      type: list
      elements: str
    refusals:
      description: How often in a row each value had to be refused.
      type: int
    seconds:
      description: How long the proof took.
      type: float
    summary:
      description: All this in one line.
      type: str
      sample: 20 proven in 0.2 s (quick), 1 only by the gateway's list
calls:
  description: How many HTTP requests were sent.
  returned: success
  type: int
code:
  description: Stable error code, for example C(unauthorized) or C(unknown_model).
  returned: failure
  type: str
status:
  description: The HTTP status behind the failure, if there was one.
  returned: failure
  type: int
"""

from ..module_utils.common.options import StrictModule
from ..module_utils.keys.manage import LAB_RULES, LAB_SPEC, manage_lab
from ..module_utils.litellm.options import run_module


def main() -> None:
    module = StrictModule(argument_spec=LAB_SPEC, supports_check_mode=True, **LAB_RULES)
    run_module(module, lambda: manage_lab(module))


if __name__ == "__main__":
    main()
