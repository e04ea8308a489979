#!/usr/bin/python
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Remove requests that are old enough, or erase a person from all requests."""

from __future__ import annotations

DOCUMENTATION = r"""
module: key_request_retention
short_description: Remove old requests for LLM keys, or erase a person from them
version_added: 2.0.0
description:
  - With O(prune) it removes requests that have been over for long enough. A request that is under way, or whose key may be
    alive, is kept, whatever its age.
  - With O(erase) it erases a person. Of each request something remains under another id, for an audit, what was asked and decided, when, and
    under which policy. The address, the purpose, the reasons, the lab and the name of the key are gone, and other people's
    requests no longer name the person as the one who decided.
  - A request whose key may be alive is not erased, because the key names the person too, and the task fails after it has
    erased the others. Delete the key first and run the playbook C(rhpds.litellm_virtual_keys.notices), which notes that.
  - Keys are never touched. What a gateway keeps of deleted keys, mail servers keep of mails, and backups keep of requests is
    not erased by this.
  - It waits for a pass over the queue to end.
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
    support: none
  idempotent:
    support: full
options:
  prune:
    description:
      - For how long requests are kept after they are over, as durations such as V(90d). What is not given is kept for ever.
    type: dict
    suboptions:
      denied:
        description: The age of requests that were denied.
        type: str
      cancelled:
        description: The age of requests that their requesters withdrew.
        type: str
      ended:
        description: The age of requests whose keys have expired or were revoked, counted from when that was noticed.
        type: str
      renewed:
        description: The age of requests that let a key live longer.
        type: str
  erase:
    description: The e-mail address of the person to erase.
    type: str
  wait:
    description: For how many seconds to wait for a pass to end.
    type: float
    default: 120
seealso:
  - module: rhpds.litellm_virtual_keys.key_request_info
"""

EXAMPLES = r"""
- name: Keep denied requests for a month and the others for a year
  rhpds.litellm_virtual_keys.key_request_retention:
    prune:
      denied: 30d
      cancelled: 30d
      ended: 365d
      renewed: 365d

- name: Erase a person
  rhpds.litellm_virtual_keys.key_request_retention:
    erase: ada@example.com
"""

RETURN = r"""
removed:
  description: The requests that were removed, with their C(request_id), their C(kind) and when they were last changed.
  returned: if O(prune) is given
  type: list
  elements: dict
kept:
  description: How many decided requests were kept.
  returned: if O(prune) is given
  type: int
failures:
  description: Why requests could not be removed, by their ids.
  returned: if O(prune) is given
  type: dict
erased:
  description: The C(request_id) of each request that is gone, and the id of its C(tombstone), which is what remains of it.
  returned: if O(erase) is given
  type: list
  elements: dict
cleaned:
  description: The ids of other people's requests that named the person.
  returned: if O(erase) is given
  type: list
  elements: str
left:
  description: What still names the person, by id, and why.
  returned: if O(erase) is given
  type: dict
proof:
  description: The result of reading the store again afterwards.
  returned: if O(erase) is given
  type: dict
  contains:
    requests_read:
      description: How many requests were read.
      type: int
    checked_at:
      description: When, UTC.
      type: str
    complete:
      description: Whether none of them names the person.
      type: bool
code:
  description: Stable error code, for example C(busy), C(not_removed), C(not_erased) or C(bad_input).
  returned: failure
  type: str
"""

from typing import Any

from ..module_utils.common.options import StrictModule
from ..module_utils.key_requests.desk import now
from ..module_utils.key_requests.erasure import erase_person, prune_requests
from ..module_utils.key_requests.options import STORE_SPEC, exit_with, open_store
from ..module_utils.key_requests.results import erasure_result, prune_result
from ..module_utils.key_requests.retention import KINDS, check_ages


def main() -> None:
    module = StrictModule(
        argument_spec={
            **STORE_SPEC,
            "prune": {"type": "dict", "options": {kind: {"type": "str"} for kind in KINDS}},
            "erase": {"type": "str"},
            "wait": {"type": "float", "default": 120},
        },
        mutually_exclusive=[("prune", "erase")],
        required_one_of=[("prune", "erase")],
        supports_check_mode=True,
    )

    def work() -> dict[str, Any]:
        params = module.params
        if params["erase"] is not None:
            result = erasure_result(erase_person(open_store(module), params["erase"], now, patience=params["wait"]))
            unfinished, what, code = result["left"], "requests still name the person", "not_erased"
        else:
            ages = check_ages(params["prune"])
            result = prune_result(prune_requests(open_store(module), ages, now(), patience=params["wait"]))
            unfinished, what, code = result["failures"], "requests were not removed", "not_removed"
        if unfinished:
            name, reason = next(iter(unfinished.items()))
            module.fail_json(msg=f"{len(unfinished)} {what}; the first is {name}: {reason}", code=code, **result)
        return result

    exit_with(module, work)


if __name__ == "__main__":
    main()
