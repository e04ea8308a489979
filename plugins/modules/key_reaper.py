#!/usr/bin/python
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Find keys that outlived their lab; block them, and delete them later."""

from __future__ import annotations

DOCUMENTATION = r"""
module: key_reaper
short_description: Block and delete LiteLLM virtual keys that outlived their lab
version_added: 2.0.0
description:
  - Compares the labs that have keys with a list of the labs that live. Keys of other labs are orphans. They are reported,
    with O(stage=block) blocked, and with O(stage=delete) deleted when they have stayed blocked for O(grace).
    No run blocks and deletes the same key. Keys of a lab that came back are unblocked, also by
    M(rhpds.litellm_virtual_keys.virtual_keys) when it gives the lab its keys again.
  - The list comes from exactly one of O(live_labs), O(live_file), O(live_command) and O(live_url).
  - Only keys whose alias begins with C(virtkey-) are ever touched, and unless O(unmanaged=true) only those on which the GUID
    of their lab is noted.
  - Nothing is touched when the list of living labs cannot be believed. That is when it could not be loaded, is an error
    page, is empty, names a lab twice, names something that is no GUID, may be a part only, or is much shorter than last time.
  - Nothing is touched when more than O(max_share) of all keys would be orphans.
  - Two of these at once do no harm. What one has done already, the other leaves as it is.
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
extends_documentation_fragment:
  - rhpds.litellm_virtual_keys.gateway
  - rhpds.litellm_virtual_keys.attributes
  - rhpds.litellm_virtual_keys.attributes.litellm
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - What is to be done changes as time passes, as a grace period ends.
options:
  live_labs:
    description:
      - The GUIDs of the labs that live.
    type: list
    elements: str
  live_file:
    description:
      - A file with the list, as JSON or with one GUID a line. Text after C(#) is a comment. The last line must end with a
        line break, or the file may have been cut off.
      - As JSON it is a list, or an object with a list in it. Elements are GUIDs or objects with a GUID.
      - An object that says there is more (C(next), C(continue), C(has_more), C(total_pages) and the like), or whose count
        (C(count), C(total), C(total_count)) is another than the length of its list, is refused.
    type: path
  live_command:
    description:
      - A program and its arguments, run without a shell, that prints the list in the form of O(live_file). It must end with
        status 0 within O(timeout).
      - Ansible shows the arguments. Have the program read secrets from its environment or from a file.
    type: list
    elements: str
  live_url:
    description:
      - An address that answers with the list in the form of O(live_file), with HTTP status 200. Redirects are not followed,
        because a redirect usually leads to a login page.
      - Give secrets in O(live_headers). An address with a user name is refused.
    type: str
  live_headers:
    description:
      - Headers for O(live_url), for example C(Authorization).
    type: dict
  live_ca_path:
    description:
      - A file with the authorities to trust at O(live_url), in PEM format.
    type: path
  live_items:
    description:
      - Where in a JSON object the list is, with dots between names, for example V(data.labs). Needed when the object has
        several lists.
    type: str
    default: ""
  live_field:
    description:
      - Where in an element of the list the GUID is, with dots between names.
    type: str
    default: guid
  live_minimum:
    description:
      - How many labs live at least. A shorter list is taken for a part.
    type: int
    default: 1
  live_memory:
    description:
      - A file that keeps how many labs lived last time, for O(live_max_shrink). Written when keys may be touched, that is
        neither in check mode nor with O(stage=report).
    type: path
  live_max_shrink:
    description:
      - By how many percent the list may be shorter than last time. Counts with O(live_memory) only.
    type: float
    default: 20
  stage:
    description:
      - How far to go. V(report) only looks, V(block) blocks orphans and unblocks keys of labs that came back, V(delete) also
        deletes orphans whose grace period is over.
    type: str
    choices: [report, block, delete]
    default: report
  grace:
    description:
      - How long an orphan stays blocked before it is deleted, for example V(72h). The time of blocking is noted on the key.
    type: str
    default: 72h
  min_age:
    description:
      - How old a key must be to be touched. A lab that is just being provisioned may not be on the list yet.
    type: str
    default: 1h
  max_share:
    description:
      - How many percent of the keys may be orphans, those that wait for their deletion among them. If there are more, nothing
        is touched. With O(stage=report) there is a warning instead.
    type: float
    default: 20
  unmanaged:
    description:
      - Whether to judge keys without a note of their lab as well, such as those of release 1.3.2. They live when any living lab
        could have made their alias.
    type: bool
    default: false
  user_base:
    description:
      - How user names begin in labs of release 1.3.2, to report their keys lab by lab.
    type: str
    default: user
  secret:
    description:
      - What the values of keys are derived from, to prove that deleted values are refused. At least 16 characters.
      - When not set, the environment variable E(LITELLM_DERIVATION_SECRET) is used, and after it O(api_key).
    type: str
  prove_revocation:
    description:
      - Whether to call the gateway with deleted values until it refuses them, for at most 65 seconds.
    type: bool
    default: true
seealso:
  - module: rhpds.litellm_virtual_keys.virtual_keys
  - plugin: rhpds.litellm_virtual_keys.labs
    plugin_type: inventory
"""

EXAMPLES = r"""
- name: Which keys outlived their lab?
  rhpds.litellm_virtual_keys.key_reaper:
    url: https://litellm.example.com
    api_key: "{{ litellm_master_key }}"
    live_file: /var/lib/labs/live.txt
  register: orphans

- name: Block them, and delete those that were blocked three days ago
  rhpds.litellm_virtual_keys.key_reaper:
    url: https://litellm.example.com
    api_key: "{{ litellm_master_key }}"
    live_url: https://labs.example.com/api/labs?state=running
    live_headers:
      Authorization: "Bearer {{ labs_token }}"
    live_items: results
    live_field: uuid
    live_minimum: 20
    live_memory: /var/lib/labs/last-count.json
    stage: delete
"""

RETURN = r"""
labs:
  description: Every lab with a key that something is to be said of, as the run found it.
  returned: success, and when part of the work failed
  type: list
  elements: dict
  contains:
    lab_alias:
      description: The alias of the lab.
      type: str
    guid:
      description: The GUID of the lab.
      type: str
    keys:
      description:
        - How many keys have which verdict. C(block), C(wait) (for the end of the grace period), C(delete), C(unblock) (the lab came
          back), C(young) and C(unmanaged).
      type: dict
    aliases:
      description: The aliases of these keys.
      type: list
      elements: str
    owner:
      description: Who stands as the owner on the keys, or an empty text.
      type: str
    package:
      description: The package, or an empty text.
      type: str
    spend:
      description: What the keys have spent, in USD.
      type: float
    orphaned_at:
      description: When the keys were blocked, or null.
      type: str
    deleted_from:
      description: When the grace period ends, or null.
      type: str
counts:
  description: How many keys have which verdict, as in RV(labs[].keys), and C(keep).
  returned: success, and when part of the work failed
  type: dict
live:
  description: How many labs live, by the list.
  returned: success, and when part of the work failed
  type: int
fleet:
  description: How many keys there were to judge.
  returned: success, and when part of the work failed
  type: int
share:
  description: How many percent of them are orphans.
  returned: success, and when part of the work failed
  type: float
blocked:
  description: How many keys were blocked, or would be in check mode.
  returned: success, and when part of the work failed
  type: int
unblocked:
  description: How many keys were unblocked, or only lost the note because somebody else had blocked them.
  returned: success, and when part of the work failed
  type: int
deleted:
  description: How many keys were deleted, or would be in check mode.
  returned: success, and when part of the work failed
  type: int
revocation:
  description: The proof of deletion, as M(rhpds.litellm_virtual_keys.virtual_keys) returns it.
  returned: when keys were deleted
  type: dict
calls:
  description: How many HTTP exchanges with the gateway it took.
  returned: success, and when part of the work failed
  type: int
code:
  description:
    - What went wrong, in one word that stays the same, for example C(live_labs_failed), C(live_labs_empty), C(live_labs_partial),
      C(live_labs_duplicate), C(live_labs_shrunk) or C(too_many_orphans).
  returned: failure
  type: str
status:
  description: The HTTP status behind the failure, if there was one.
  returned: failure
  type: int
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils.basic import AnsibleModule, env_fallback

from ..module_utils.common import durations, names
from ..module_utils.common.address import without_secrets
from ..module_utils.fleet.labs import by_lab
from ..module_utils.fleet.live_labs import Source
from ..module_utils.fleet.verdicts import Living, Reaping, Rules, Stage, Verdict
from ..module_utils.keys import limits
from ..module_utils.keys.api import PAGE_SIZE, Gateway
from ..module_utils.keys.key import LiveKey
from ..module_utils.keys.lab import searches
from ..module_utils.keys.orphan import ORPHAN
from ..module_utils.keys.plan import Plan
from ..module_utils.keys.reconcile import Outcome, Reconciler, diff_of
from ..module_utils.litellm import errors
from ..module_utils.litellm.options import GATEWAY_SPEC, open_gateway, run

NOTHING = Outcome(Plan(keys=[]))


@dataclass
class Done:
    """What was done, or in check mode would be."""

    change: Outcome = field(default_factory=lambda: NOTHING)
    deletion: Outcome = field(default_factory=lambda: NOTHING)


LIVE_SPEC: dict[str, dict[str, Any]] = {
    "live_labs": {"type": "list", "elements": "str"},
    "live_file": {"type": "path"},
    "live_command": {"type": "list", "elements": "str"},
    "live_url": {"type": "str"},
    "live_headers": {"type": "dict", "no_log": True},
    "live_ca_path": {"type": "path"},
    "live_items": {"type": "str", "default": ""},
    "live_field": {"type": "str", "default": "guid"},
    "live_minimum": {"type": "int", "default": 1},
    "live_memory": {"type": "path"},
    "live_max_shrink": {"type": "float", "default": 20},
}


def take_source(params: dict[str, Any]) -> Source:
    """Where the arguments say that the list is. What may be secret in its address is left in none of them. Raises ValueError."""
    given = {name.removeprefix("live_"): params[name] for name in LIVE_SPEC}
    if params["live_url"]:
        params["live_url"] = without_secrets(params["live_url"])
    return Source(**{**given, "headers": given["headers"] or {}}, timeout=params["timeout"])


def rules_of(params: Mapping[str, Any]) -> Rules:
    """Raises ValueError."""
    return Rules(
        grace=durations.seconds(params["grace"], "grace", least=0),
        min_age=durations.seconds(params["min_age"], "min_age", least=0),
        max_share=params["max_share"],
        unmanaged=params["unmanaged"],
        user_base=params["user_base"],
    )


def reap(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    source, rules, stage = take_source(params), rules_of(params), Stage(params["stage"])
    secret = limits.secret_of(params)
    gateway = open_gateway(module)
    guids = source.load()
    gateway.check_admin()
    rows = gateway.keys_like(names.ALIAS_PREFIX, thorough=True)
    reaping = Reaping.of(rows, Living.of(guids), rules, gateway.client.now())
    if stage is Stage.REPORT:
        try:
            reaping.check()
        except errors.GatewayError as error:
            module.warn(str(error))
        return result_of(module, reaping, Done(), len(guids), gateway)
    reaping.check()
    if not module.check_mode:
        source.remember(guids)
    reconciler, done = Reconciler(gateway, secret, check_mode=module.check_mode), Done()
    try:
        work(reconciler, reaping, stage, params["prove_revocation"], done)
    except errors.GatewayError as error:
        if not (done.change.changed or done.deletion.changed):
            raise
        module.fail_json(msg=str(error), code=error.code, status=error.status, **result_of(module, reaping, done, len(guids), gateway))
    return result_of(module, reaping, done, len(guids), gateway)


def work(reconciler: Reconciler, reaping: Reaping, stage: Stage, prove: bool, done: Done) -> None:
    """Do what the reaping says, and note in `done` what was done. Raises GatewayError."""
    try:
        done.change = changed(reconciler, reaping)
    except errors.Incomplete as error:
        done.change = error.outcome
        raise
    try:
        done.deletion = deleted(reconciler, reaping, stage, prove)
    except errors.Incomplete as error:
        done.deletion = error.outcome
        raise


def changed(reconciler: Reconciler, reaping: Reaping) -> Outcome:
    """Block and unblock what the reaping says."""
    rows = reaping.rows(Verdict.BLOCK, Verdict.UNBLOCK)
    return reconciler.change(rows, reaping.change, lambda: as_they_are(reconciler.gateway, rows, reaping))


def deleted(reconciler: Reconciler, reaping: Reaping, stage: Stage, prove: bool) -> Outcome:
    """Delete what the reaping says and is still so: another one may have unblocked it meanwhile, because its lab came back."""
    rows = reaping.rows(Verdict.DELETE)
    if stage is not Stage.DELETE or not rows:
        return NOTHING
    return reconciler.delete(lambda: reaping.still(as_they_are(reconciler.gateway, rows, reaping)), prove=prove)


def as_they_are(gateway: Gateway, rows: Iterable[LiveKey], reaping: Reaping) -> list[LiveKey]:
    """The keys of the labs of `rows`, read again: lab by lab, or all at once when that takes fewer calls. Raises GatewayError."""
    parts = [part for keys in by_lab(rows, reaping.rules.user_base).values() for part in searches({row.alias for row in keys})]
    if len(parts) * PAGE_SIZE > reaping.fleet:
        return gateway.keys_like(names.ALIAS_PREFIX, thorough=True)
    found: dict[str, LiveKey] = {}
    for result in gateway.each(lambda part: gateway.keys_like(part, thorough=True), parts):
        if isinstance(result, errors.GatewayError):
            raise result
        found |= {row.token: row for row in result}
    return list(found.values())


def result_of(module: AnsibleModule, reaping: Reaping, done: Done, live: int, gateway: Gateway) -> dict[str, Any]:
    """What the module returns. `live`: how many labs live."""
    change, deletion = done.change, done.deletion
    written = [key for key in change.done if key.calls]
    blocked = sum(bool(key.after["metadata"].get(ORPHAN)) for key in written)
    result = {
        "changed": change.changed or deletion.changed,
        "labs": reaping.report(),
        "counts": reaping.counts(),
        "fleet": reaping.fleet,
        "share": round(reaping.share, 2),
        "blocked": blocked,
        "unblocked": len(written) - blocked,
        "deleted": len(deletion.done),
        "live": live,
        "calls": gateway.client.calls,
    }
    if deletion.revocation is not None:
        result["revocation"] = deletion.revocation
    if module._diff:
        result["diff"] = diff_of([*change.done, *deletion.done])
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **GATEWAY_SPEC,
            **LIVE_SPEC,
            "stage": {"type": "str", "choices": [stage.value for stage in Stage], "default": "report"},
            "grace": {"type": "str", "default": "72h"},
            "min_age": {"type": "str", "default": "1h"},
            "max_share": {"type": "float", "default": 20},
            "unmanaged": {"type": "bool", "default": False},
            "user_base": {"type": "str", "default": "user"},
            "secret": {"type": "str", "no_log": True, "fallback": (env_fallback, ["LITELLM_DERIVATION_SECRET"])},
            "prove_revocation": {"type": "bool", "default": True},
        },
        mutually_exclusive=[("live_labs", "live_file", "live_command", "live_url")],
        required_one_of=[("live_labs", "live_file", "live_command", "live_url")],
        supports_check_mode=True,
    )
    run(module, lambda: reap(module))


if __name__ == "__main__":
    main()
