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
  - Compares the labs that have keys with a list of the labs that live. Keys of other labs are orphans. Orphans are
    reported, blocked with O(stage=block), and with O(stage=delete) deleted after they have stayed blocked for O(grace).
    No run blocks and deletes the same key. Keys of a lab that came back are unblocked, also by
    M(rhpds.litellm_virtual_keys.virtual_keys) when it provisions the lab again.
  - The list comes from exactly one of O(live_labs), O(live_file), O(live_command) and O(live_url).
  - Only keys whose alias begins with C(virtkey-) are ever touched, and without O(unmanaged=true) only those on which
    the GUID of their lab is noted.
  - Nothing is touched if the list of living labs cannot be trusted, because it could not be loaded, is an error page,
    is empty, names a lab twice, names something that is not a GUID, may be incomplete, or is much shorter than last
    time.
  - Nothing is touched if more than O(max_share) percent of all keys would be orphans.
  - Two runs at the same time do no harm. Each leaves alone what the other has done already.
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
extends_documentation_fragment:
  - rhpds.litellm_virtual_keys.gateway
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
    details:
      - The work to be done changes as time passes and grace periods end.
options:
  live_labs:
    description:
      - The GUIDs of the labs that live.
    type: list
    elements: str
  live_file:
    description:
      - A file with the list, as JSON or with one GUID per line. Text after C(#) is a comment. The last line must end
        with a line break, because otherwise the file may have been cut off.
      - As JSON it is a list, or an object with a list in it. Elements are GUIDs or objects with a GUID.
      - An object that says there is more (C(next), C(continue), C(has_more), C(total_pages) and the like), or whose
        count (C(count), C(total), C(total_count)) differs from the length of its list, is refused.
    type: path
  live_command:
    description:
      - A program and its arguments, run without a shell, that prints the list in the form of O(live_file). It must end with
        status 0 within O(timeout).
      - Ansible shows the arguments, so the program should read secrets from its environment or from a file.
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
      - A file with the authorities to trust at O(live_url), in PEM format. By default, those that the machine trusts, as
        for the gateway.
    type: path
  live_items:
    description:
      - The path of the list in a JSON object, with dots between names, for example V(data.labs). Needed if the object
        has several lists.
    type: str
    default: ""
  live_field:
    description:
      - The path of the GUID in an element of the list, with dots between names.
    type: str
    default: guid
  live_minimum:
    description:
      - The minimum number of living labs. A shorter list is considered incomplete.
    type: int
    default: 1
  live_memory:
    description:
      - A file that keeps how many labs lived last time, for O(live_max_shrink). Written only if keys may be touched,
        that is neither in check mode nor with O(stage=report).
    type: path
  live_max_shrink:
    description:
      - By how many percent the list may be shorter than last time. Used only with O(live_memory).
    type: float
    default: 20
  stage:
    description:
      - How far to go. V(report) changes nothing, V(block) blocks orphans and unblocks keys of labs that came back,
        V(delete) also deletes orphans whose grace period is over.
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
      - The percentage of the keys that may be orphans, including those that wait for their deletion. If there are more,
        nothing is touched. With O(stage=report) there is a warning instead.
    type: float
    default: 20
  unmanaged:
    description:
      - Whether to judge keys without a note of their lab as well, such as those of release 1.3.2. They are kept if any
        living lab could have made their alias.
    type: bool
    default: false
  user_base:
    description:
      - The prefix of user names in labs of release 1.3.2, to report their keys lab by lab.
    type: str
    default: user
  secret:
    description:
      - The secret that the values of keys are derived from, to prove that deleted values are refused. At least 16
        characters.
      - If not set, the environment variable E(LITELLM_DERIVATION_SECRET) is used, and then O(api_key).
    type: str
seealso:
  - module: rhpds.litellm_virtual_keys.virtual_keys
  - plugin: rhpds.litellm_virtual_keys.labs
    plugin_type: inventory
"""

EXAMPLES = r"""
- name: Report the keys that outlived their lab
  rhpds.litellm_virtual_keys.key_reaper:
    url: https://litellm.example.com
    api_key: "{{ litellm_master_key }}"
    live_file: /var/lib/labs/live.txt
  register: orphans

- name: Block orphans, and delete those that were blocked three days ago
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
  description: Every lab with a key whose verdict is not C(keep), as the run found it.
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
        - How many keys have each verdict. C(block), C(wait) (for the end of the grace period), C(delete), C(unblock)
          (the lab came back), C(young) and C(unmanaged).
      type: dict
    aliases:
      description: The aliases of these keys.
      type: list
      elements: str
    owner:
      description: The owner of the keys, or an empty string.
      type: str
    package:
      description: The package, or an empty string.
      type: str
    spend:
      description: How much the keys have spent, in USD.
      type: float
    orphaned_at:
      description: When the keys were blocked, or null.
      type: str
    deleted_from:
      description: When the grace period ends, or null.
      type: str
counts:
  description: How many keys have each verdict, as in RV(labs[].keys), including C(keep).
  returned: success, and when part of the work failed
  type: dict
live:
  description: How many labs live, according to the list.
  returned: success, and when part of the work failed
  type: int
fleet:
  description: How many keys there were to judge.
  returned: success, and when part of the work failed
  type: int
share:
  description: The percentage of them that are orphans.
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
  description: How many HTTP requests were sent to the gateway.
  returned: success, and when part of the work failed
  type: int
code:
  description:
    - Stable error code, for example C(live_labs_failed), C(live_labs_empty), C(live_labs_partial),
      C(live_labs_duplicate), C(live_labs_shrunk) or C(too_many_orphans).
  returned: failure
  type: str
status:
  description: The HTTP status behind the failure, if there was one.
  returned: failure
  type: int
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.common.options import StrictModule
from ..module_utils.fleet.options import LIVE_SPEC, rules_of, take_source
from ..module_utils.fleet.reaping import ReapingIncomplete, ReapingOutcome, reap
from ..module_utils.fleet.verdicts import Stage
from ..module_utils.keys.api import KeyApi
from ..module_utils.keys.options import PROOF_SPEC, proof_of, warn_of_unknown_values
from ..module_utils.keys.reconcile import Reconciler
from ..module_utils.litellm.options import GATEWAY_SPEC, SECRET_SPEC, open_client, run_module, secret_of


def reap_labs(module: AnsibleModule) -> dict[str, Any]:
    """Reap as the arguments say, and return the result."""
    params = module.params
    source, rules, stage = take_source(params), rules_of(params), Stage(params["stage"])
    secret = secret_of(params)
    client = open_client(module)

    def result_of(outcome: ReapingOutcome) -> dict[str, Any]:
        return {**outcome.to_result(with_diff=module._diff), "calls": client.calls}

    reconciler = Reconciler(KeyApi(client, module.warn), secret, check_mode=module.check_mode)
    try:
        outcome = reap(reconciler, source, rules, stage, proof=proof_of(params))
    except ReapingIncomplete as error:
        module.fail_json(msg=str(error), code=error.code, status=error.status, **result_of(error.outcome))
        raise AssertionError("fail_json does not return") from None
    for warning in outcome.warnings:
        module.warn(warning)
    warn_of_unknown_values(module, outcome.deletion)
    return result_of(outcome)


def main() -> None:
    module = StrictModule(
        argument_spec={
            **GATEWAY_SPEC,
            **LIVE_SPEC,
            "stage": {"type": "str", "choices": [stage.value for stage in Stage], "default": "report"},
            "grace": {"type": "str", "default": "72h"},
            "min_age": {"type": "str", "default": "1h"},
            "max_share": {"type": "float", "default": 20},
            "unmanaged": {"type": "bool", "default": False},
            "user_base": {"type": "str", "default": "user"},
            **SECRET_SPEC,
            **PROOF_SPEC,
        },
        mutually_exclusive=[("live_labs", "live_file", "live_command", "live_url")],
        required_one_of=[("live_labs", "live_file", "live_command", "live_url")],
        supports_check_mode=True,
    )
    run_module(module, lambda: reap_labs(module))


if __name__ == "__main__":
    main()
