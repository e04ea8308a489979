#!/usr/bin/python
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Submit a request for a key, or decide one."""

from __future__ import annotations

DOCUMENTATION = r"""
module: key_request
short_description: Submit, approve, deny, cancel or remove a request for an LLM key
version_added: 2.0.0
description:
  - Keeps requests for keys. A person asks for models or for a package. The request waits until the approval chain or an
    administrator decides, and the role P(rhpds.litellm_virtual_keys.key_requests#role) makes and delivers the key.
  - Each person has one request for the same models or package (and lab, if one is named). Asking again returns it
    unchanged. Submitting never changes a request that is under way, or one whose key is alive.
  - If others change the same request at the same time, it is read again and the change is applied to its present form, so
    nobody's change is overwritten.
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
      - With V(submitted) the request exists. One that was cancelled, or whose key has ended, starts again.
      - With V(approved) the request is approved. A request that was denied can be approved too.
      - With V(denied) the request is denied, for O(reason). This fails if its key already exists. Delete the key instead.
      - With V(cancelled) the requester withdraws the request. It is kept as denied, with a reason that says so, and can
        be submitted again.
      - With V(retried) the next pass tries again at once what failed, even if passes gave up because the mail server refused
        an address for good.
      - With V(resealed) the requester asks for another link to the sealed key, for example because the last one was opened by
        somebody else or is too old. The next pass seals the same key anew and mails the link. The former link no longer works.
        This fails within five minutes after the last link, and if the key was not delivered sealed or has ended.
      - With V(renewed) the requester asks that the key lives longer, for O(duration) from the approval on, or for the usual
        lifetime. The approval chain decides that like any other request, and the key keeps its value. If the key has ended,
        the request starts again and leads to a new key.
      - V(extended) is the same, and the time counts from the present end of the key. This fails if the key has ended.
      - With V(absent) the request is removed with its history. Its key is not touched.
    type: str
    choices: [submitted, approved, denied, cancelled, renewed, extended, retried, resealed, absent]
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
      - The e-mail address of the person who asks and who receives the key. A plain address without a display name.
      - The domain is kept in its ASCII form. The part before the C(@) is compared without case.
      - Together with O(models) or O(package), and for a lab also O(guid) and O(user), it identifies a request without its
        O(request_id).
    type: str
  models:
    description:
      - The models asked for, by the names that the gateway serves. Patterns are refused.
      - With O(state=approved) and O(request_id), the models granted, instead of those asked for.
    type: list
    elements: str
    aliases: [model, llm]
  package:
    description: The subscription package asked for, instead of O(models).
    type: str
  guid:
    description: The GUID of the lab that the key is for. Requests for different labs are different requests.
    type: str
  user:
    description: The user of the lab that the key is for.
    type: str
  purpose:
    description: The purpose of the key, or of more time, for those who decide. At most 2000 characters.
    type: str
    aliases: [justification]
  duration:
    description:
      - The lifetime of the key, for example V(30d).
      - With O(state=renewed) and O(state=extended), how much longer it shall live.
      - With O(state=approved), the lifetime granted, instead of the one asked for.
    type: str
  max_budget:
    description:
      - The budget of the key in USD.
      - With O(state=renewed) and O(state=extended), the budget from then on, which what was spent before counts against.
        It stays as it is if not given.
      - With O(state=approved), the budget granted, instead of the one asked for.
    type: float
  soft_budget:
    description: With O(state=approved), the spend in USD at which the gateway sends an alert.
    type: float
  rpm_limit:
    description: With O(state=approved), how many requests per minute the key may make.
    type: int
  tpm_limit:
    description: With O(state=approved), how many tokens per minute the key may use.
    type: int
  max_parallel_requests:
    description: With O(state=approved), how many requests with the key may be in progress at the same time.
    type: int
  beyond:
    description:
      - With O(state=approved), whether more may be granted than the approval chain and the package leave. Without it that is
        refused. The history shows that it was done.
    type: bool
    default: false
  undecided:
    description:
      - With O(state=approved) and O(state=denied), whether only a request that still waits is decided. One that was decided
        meanwhile is left as it is, which is not an error.
      - Of several people, or workflows, that are asked about the same request, none can undo what another one decided.
    type: bool
    default: false
  language:
    description: With O(state=submitted), the language in which the requester wants mails. The default is that of the pass.
    type: str
    choices: [en, de, es]
  reason:
    description:
      - Why the request is approved, denied or cancelled, for the requester. At most 1000 characters.
      - Required with O(state=denied).
    type: str
  actor:
    description:
      - Who makes the change, for the history. In AWX this is the variable C(awx_user_name).
      - The default is the requester with O(state=submitted), O(state=cancelled), O(state=resealed), O(state=renewed) and
        O(state=extended), and otherwise the user who runs the module.
    type: str
  again:
    description:
      - With O(state=submitted), O(state=renewed) and O(state=extended), whether a denied request starts again. Otherwise the
        denied request is returned.
    type: bool
    default: false
seealso:
  - module: rhpds.litellm_virtual_keys.key_request_info
  - module: rhpds.litellm_virtual_keys.key_request_pass
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

- name: Ask for two more weeks before the key ends
  rhpds.litellm_virtual_keys.key_request:
    state: extended
    email: ada@example.com
    package: ai-developer
    duration: 14d
    purpose: The course was postponed

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
  description:
    - The request, in check mode as it would be. Missing if O(state=absent).
    - With O(state=renewed) and O(state=extended), the request for more time.
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
    renews:
      description: The id of the request whose key shall live longer, or null.
      type: str
    from_end:
      description: Whether the time asked for counts from the present end of the key.
      type: bool
    purpose:
      description: The purpose of the key.
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
      description: Why it is in this state, for the requester.
      type: str
    cancelled:
      description: Whether the requester withdrew it.
      type: bool
    language:
      description: The language of mails to the requester, or null for the usual one.
      type: str
    origin:
      description: What submitted it, or null if that is not known.
      type: str
    verified_at:
      description: When it was proven that the address belongs to the requester, or null.
      type: str
    terms:
      description:
        - What the key gets, in the words of the module P(rhpds.litellm_virtual_keys.virtual_keys#module). Empty until the
          approval chain or a pass has worked it out.
      type: dict
    granted:
      description: What a person granted, where it differs from what was asked for or left by the chain.
      type: dict
    reviewers:
      description: Who is asked, while the request is in review. Empty if the chain named nobody.
      type: list
      elements: str
    trace:
      description: How the approval chain reached its decision, for administrators.
      type: list
      elements: dict
    open:
      description: Whether a decision, the key or the delivery of the answer is still to come.
      type: bool
    progress:
      description: The work done in the present state.
      type: dict
      contains:
        status:
          description: Empty, V(minted), V(failed), V(stopped), V(finished) or V(ended).
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
          description: The methods by which the answer was delivered, and when.
          type: dict
        finished_at:
          description: When the answer had been delivered by every method.
          type: str
        ended_at:
          description: When the key was found to have expired or been revoked.
          type: str
        stopped_at:
          description: When passes gave up, until an administrator retries the request.
          type: str
        notified:
          description: Notices that are sent only once, and when they were sent.
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
      description:
        - Who moved it from which state to which, when and why, and on which terms and by which policy that was decided.
        - What a step removed from the request is kept in it, as C(former_key) and C(former_trace). Nothing is ever left out.
      type: list
      elements: dict
    version:
      description: The version in the store.
      type: str
note:
  description:
    - Who finds the request, if it was submitted to the directory of the user of the module because no store was named.
    - What an earlier request asks for, if this one asks for something else and changes nothing, or that it was denied.
    - That the request was decided before, with O(undecided).
  returned: when there is something to say
  type: str
code:
  description: Stable error code, for example C(missing), C(refused) or C(bad_input).
  returned: failure
  type: str
"""

from typing import Any

from ..module_utils.common.options import StrictModule
from ..module_utils.key_requests.base import Transition
from ..module_utils.key_requests.desk import Desk, MoreTime, Wish
from ..module_utils.key_requests.options import STORE_SPEC, acting_user, exit_with, open_store, own_directory_note
from ..module_utils.key_requests.record import APPROVED, DENIED
from ..module_utils.key_requests.results import asked_before_note, transition_result
from ..module_utils.key_requests.terms import GRANTABLE

ASKING = ("submitted", "renewed", "extended")
STATES = ("submitted", "approved", "denied", "cancelled", "renewed", "extended", "retried", "resealed", "absent")


def wish_of(params: dict[str, Any]) -> Wish:
    """Return what the options ask for."""
    texts: dict[str, Any] = {name: params[name] or "" for name in ("email", "package", "guid", "user", "purpose", "duration", "language")}
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
    if state in ("renewed", "extended"):
        return desk.renew(name, more_time(params), by=actor, again=params["again"])
    if state == "cancelled":
        return desk.cancel(name, by=actor, reason=reason)
    if state == "resealed":
        return desk.reseal(name, by=actor)
    if state == "retried":
        return desk.retry(name, by=actor or acting_user())
    if state == "denied":
        return desk.deny(name, by=actor or acting_user(), reason=reason, undecided=params["undecided"])
    return desk.approve(name, by=actor or acting_user(), reason=reason, granted=granted_by(params), beyond=params["beyond"], undecided=params["undecided"])


def decided_before_note(transition: Transition, params: dict[str, Any]) -> str:
    """Return a sentence if the request was decided before, and `undecided` kept this decision from it; else ''."""
    was = transition.before.state if transition.before else ""
    if not params["undecided"] or was not in (APPROVED, DENIED):
        return ""
    return f"It was {was} before, so nothing was changed."


def more_time(params: dict[str, Any]) -> MoreTime:
    """Return how much longer the key shall live."""
    return MoreTime(params["duration"] or "", purpose=params["purpose"] or "", from_end=params["state"] == "extended", max_budget=params["max_budget"])


def granted_by(params: dict[str, Any]) -> dict[str, Any]:
    """Return the terms that an approval sets. An approval by e-mail names the request by its models, and by nothing else."""
    names = GRANTABLE if params["request_id"] else tuple(name for name in GRANTABLE if name != "models")
    return {name: params[name] for name in names if params[name] not in (None, [])}


def main() -> None:
    module = StrictModule(
        argument_spec={
            **STORE_SPEC,
            "state": {"type": "str", "choices": list(STATES), "default": "submitted"},
            "request_id": {"type": "str", "aliases": ["id"]},
            "email": {"type": "str"},
            "models": {"type": "list", "elements": "str", "aliases": ["model", "llm"]},
            "package": {"type": "str"},
            "guid": {"type": "str"},
            "user": {"type": "str"},
            "purpose": {"type": "str", "aliases": ["justification"]},
            "duration": {"type": "str"},
            "max_budget": {"type": "float"},
            "soft_budget": {"type": "float"},
            "rpm_limit": {"type": "int"},
            "tpm_limit": {"type": "int"},
            "max_parallel_requests": {"type": "int"},
            "beyond": {"type": "bool", "default": False},
            "undecided": {"type": "bool", "default": False},
            "language": {"type": "str", "choices": ["en", "de", "es"]},
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
        transition = carry_out(Desk(open_store(module)), module.params)
        result = transition_result(transition, with_diff=module._diff)
        own = own_directory_note(module.params) if module.params["state"] == "submitted" else ""
        asked_before = asked_before_note(transition, more_time(module.params)) if module.params["state"] in ASKING else ""
        note = " ".join(filter(None, (own, asked_before, decided_before_note(transition, module.params))))
        return {**result, "note": note} if note else result

    exit_with(module, work)


if __name__ == "__main__":
    main()
