#!/usr/bin/python
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Ask for a key, and decide about one request."""

from __future__ import annotations

DOCUMENTATION = r"""
module: key_request
short_description: Submit, approve, deny, cancel or remove a request for an LLM key
version_added: 2.0.0
description:
  - Keeps requests for keys. A person asks for models or for a package. The request waits until the approval chain or an
    administrator decides, and the role P(rhpds.litellm_virtual_keys.key_requests#role) makes and delivers the key.
  - There is one request per person and models or package (and lab, when one is named). Asking again returns it as it is.
    Nothing is ever done to a request that is under way, or to somebody's living key.
  - When others change the same request at the same time, it is read again, and the change is made to what it is by then.
    Nobody's change is overwritten.
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
extends_documentation_fragment:
  - rhpds.litellm_virtual_keys.request_store
  - rhpds.litellm_virtual_keys.request_store.group
  - rhpds.litellm_virtual_keys.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  state:
    description:
      - With V(submitted) the request exists. One that was cancelled, or whose key has ended, begins anew.
      - With V(approved) the request is approved. A request that was denied can be approved too.
      - With V(denied) the request is denied, for O(reason). A request whose key exists already is refused. Delete the key
        then.
      - With V(cancelled) the requester takes the request back. It is kept as denied, with a reason that says so, and may
        be submitted again.
      - With V(absent) the request is forgotten, with its history. A key is not touched by this.
    type: str
    choices: [submitted, approved, denied, cancelled, absent]
    default: submitted
  request_id:
    description:
      - The id of the request. O(state=submitted) and the module P(rhpds.litellm_virtual_keys.key_request_info#module)
        return it.
      - Give either this or O(email). O(state=submitted) needs O(email).
    type: str
    aliases: [id]
  email:
    description:
      - The e-mail address of the person who asks, and to whom the key is sent. A plain address, without a name around it.
      - The domain is kept in its ASCII form. The part before the C(@) counts without upper and lower case.
      - Together with O(models) or O(package), and O(guid) and O(user) when it was asked for a lab, it finds a request whose
        O(request_id) is not given.
    type: str
  models:
    description: The models asked for, by the names under which the gateway serves them. Patterns are refused.
    type: list
    elements: str
    aliases: [model, llm]
  package:
    description: The subscription package asked for, instead of O(models).
    type: str
  guid:
    description: The GUID of the lab for which the key is asked. Every lab has requests of its own.
    type: str
  user:
    description: The user of the lab for whom the key is asked.
    type: str
  purpose:
    description: What the key is for, in words for those who decide. At most 2000 characters.
    type: str
    aliases: [justification]
  duration:
    description:
      - How long the key shall live, for example V(30d).
      - With O(state=approved), how long it may live, instead of what was asked for.
    type: str
  max_budget:
    description:
      - How many USD the key shall be able to spend.
      - With O(state=approved), how many it may spend, instead of what was asked for.
    type: float
  reason:
    description:
      - Why the request is approved, denied or cancelled, in words for the requester. At most 1000 characters.
      - Needed with O(state=denied).
    type: str
  actor:
    description:
      - Who does this, for the history. AWX knows it as C(awx_user_name).
      - When not set, it is the requester with O(state=submitted) and O(state=cancelled), and otherwise the user who runs
        the module.
    type: str
  again:
    description: With O(state=submitted), whether a request that was denied begins anew. Otherwise the denial is returned.
    type: bool
    default: false
seealso:
  - module: rhpds.litellm_virtual_keys.key_request_info
  - module: rhpds.litellm_virtual_keys.key_requests
"""

EXAMPLES = r"""
- name: Ask for a key
  rhpds.litellm_virtual_keys.key_request:
    email: ada@example.com
    package: ai-developer
    purpose: Trying code completion in the compiler course
  register: asked

- name: Approve it, for two weeks only
  rhpds.litellm_virtual_keys.key_request:
    state: approved
    request_id: "{{ asked.request.request_id }}"
    duration: 14d
    actor: "{{ awx_user_name }}"

- name: Deny a request that is kept in Kubernetes
  rhpds.litellm_virtual_keys.key_request:
    store: kubernetes
    namespace: llm-keys
    state: denied
    email: ada@example.com
    models: [gpt-4]
    reason: Please use granite, it does the same for less.
"""

RETURN = r"""
request:
  description: The request, or in check mode what would become of it. Not there when O(state=absent).
  returned: success
  type: dict
  contains:
    request_id:
      description: Its id.
      type: str
      sample: ea5e4d00-051c-572e-be76-bd427072742b
    email:
      description: Who asked.
      type: str
    model:
      description: The model, when exactly one was asked for.
      type: str
    models:
      description: The models asked for.
      type: list
      elements: str
    package:
      description: The package asked for.
      type: str
    guid:
      description: The lab.
      type: str
    user:
      description: The user of the lab.
      type: str
    purpose:
      description: What the key is for.
      type: str
    duration:
      description: The lifetime asked for.
      type: str
    max_budget:
      description: The budget asked for, in USD.
      type: float
    state:
      description: V(pending), V(in-review), V(approved) or V(denied).
      type: str
    reason:
      description: Why it is in this state, in words for the requester.
      type: str
    cancelled:
      description: Whether the requester took it back.
      type: bool
    granted:
      description: What was approved where that differs from what was asked for.
      type: dict
    trace:
      description: How the approval chain decided, for administrators.
      type: list
      elements: dict
    open:
      description: Whether something is left to do, such as to decide, to make the key or to deliver the answer.
      type: bool
    progress:
      description: What was done about the state.
      type: dict
      contains:
        status:
          description: Empty, V(minted), V(failed), V(finished) or V(ended).
          type: str
        minted_at:
          description: When the key was made.
          type: str
        key_alias:
          description: The alias of the key. Its value is never kept.
          type: str
        expires:
          description: When the key ends.
          type: str
        delivered:
          description: The ways by which the answer was delivered, and when.
          type: dict
        finished_at:
          description: When the last way succeeded.
          type: str
        ended_at:
          description: When the key had expired or was revoked.
          type: str
        notified:
          description: Notices that are sent once, and when they were.
          type: dict
        failure:
          description: The step that failed last, its reason, how many attempts there were, and when the next one is due.
          type: dict
    created_at:
      description: When it was submitted, UTC.
      type: str
    updated_at:
      description: When it was last changed, UTC.
      type: str
    history:
      description: Who moved it from which state to which, when and why.
      type: list
      elements: dict
    version:
      description: The version that the store gave it.
      type: str
code:
  description: What went wrong, in one word that stays the same, for example C(missing), C(refused) or C(bad_input).
  returned: failure
  type: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.key_requests.base import Transition
from ..module_utils.key_requests.desk import Desk, Wish
from ..module_utils.key_requests.options import STORE_SPEC, acting_user, exit_with, open_store
from ..module_utils.key_requests.results import transition_result


def wish_of(params: dict[str, Any]) -> Wish:
    """Return what the options ask for."""
    texts = {name: params[name] or "" for name in ("email", "package", "guid", "user", "purpose", "duration")}
    models = tuple(model for model in params["models"] or () if model)  # a survey leaves an empty text
    return Wish(**texts, models=models, max_budget=params["max_budget"])


def carry_out(desk: Desk, params: dict[str, Any]) -> Transition:
    """Bring the request to the wanted state."""
    state, actor, reason = params["state"], params["actor"] or "", params["reason"] or ""
    if state == "submitted":
        return desk.ask(wish_of(params), by=actor, again=params["again"])
    name = params["request_id"] or wish_of(params)
    if state == "absent":
        return desk.forget(name)
    if state == "cancelled":
        return desk.cancel(name, by=actor, reason=reason)
    if state == "denied":
        return desk.deny(name, by=actor or acting_user(), reason=reason)
    granted = {limit: params[limit] for limit in ("duration", "max_budget") if params[limit] is not None}
    return desk.approve(name, by=actor or acting_user(), reason=reason, granted=granted)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **STORE_SPEC,
            "state": {"type": "str", "choices": ["submitted", "approved", "denied", "cancelled", "absent"], "default": "submitted"},
            "request_id": {"type": "str", "aliases": ["id"]},
            "email": {"type": "str"},
            "models": {"type": "list", "elements": "str", "aliases": ["model", "llm"]},
            "package": {"type": "str"},
            "guid": {"type": "str"},
            "user": {"type": "str"},
            "purpose": {"type": "str", "aliases": ["justification"]},
            "duration": {"type": "str"},
            "max_budget": {"type": "float"},
            "reason": {"type": "str"},
            "actor": {"type": "str"},
            "again": {"type": "bool", "default": False},
        },
        mutually_exclusive=[("request_id", "email")],
        required_one_of=[("request_id", "email")],
        required_if=[("state", "submitted", ["email"]), ("state", "denied", ["reason"])],
        supports_check_mode=True,
    )

    def work() -> dict[str, Any]:
        return transition_result(carry_out(Desk(open_store(module)), module.params), with_diff=module._diff)

    exit_with(module, work)


if __name__ == "__main__":
    main()
