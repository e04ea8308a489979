# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The sixteen faults of release 1.3.2, each with a test that would catch it: `test_fault_NN_...`, most of them in test_workload_*.py.

This file holds the tests that need a misbehaving gateway, and checks that every fault has one. The faults by number:

1. destroy reads one page of the list; 2. a wrong key or a dead server is "nothing to delete"; 3. provisioning again fails;
4. any HTTP 400 is read as "already exists", and users get each other's keys; 5. keys are published that were not created;
6. undeclared collections are needed; 7. the check after deletion asks about the master key, and the last resort
is unreachable code; 8. an id is compared with an alias; 9. extension reads the master key from user data, finds one key and can
shorten a life; 10. it adds to the current time, not to the end of the key; 11. variables have no effect; 12. keys are in the output
and in files that everybody can read; 13. several users get less than a single user; 14. former users keep their keys; 15. `changed` and
check mode are wrong; 16. Docling has two different paths.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.agnosticd.workload_lab import KEY, QUIET, WorkloadLab
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.faulty_proxy import FaultyProxy, Harm
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.live import token

LOUD = dict.fromkeys(QUIET, True)
REJECTED = {"error": {"message": "Invalid key_alias", "type": "bad_request_error", "param": "key_alias", "code": "400"}}
BROKEN = {"error": {"message": "Internal Server Error.", "type": "internal_server_error", "param": None, "code": "500"}}


def published(lab: WorkloadLab) -> str:
    """Return everything that the users of the lab can read."""
    return "".join(file.read_text() for file in lab.folder.glob("*-user-*"))


def owners(lab: WorkloadLab, facts: dict[str, Any]) -> dict[str, str]:
    """Map each user to the owner, according to LiteLLM, of the key that this user was given."""
    rows = {row["token"]: row["user_id"].partition("@")[0] for row in lab.rows.values()}
    given = {name: value for name, value in facts["_litellm_user_data"].items() if name.endswith("_virtual_key")}
    return {name.removeprefix("litellm_").removesuffix("_virtual_key"): rows[token(value)] for name, value in given.items()}


def test_fault_04_a_400_in_the_middle_is_an_error_and_every_user_has_their_own_key(lab: WorkloadLab) -> None:
    users = ["user1", "user2", "user3"]
    with FaultyProxy(lab.gateway.url, Harm("answer", "POST /key/generate", skip=1, times=1, status=400, body=REJECTED)) as proxy:
        run = lab.act("provision", check=False, num_users=3, litellm_url=proxy.url, output_dir=str(lab.folder), **LOUD)
    assert run.returncode != 0
    assert "Invalid key_alias" in run.output and "already exists" not in run.output
    assert published(lab) == "" and len(lab.rows) == 2
    assert owners(lab, lab.catalog_item("provision", num_users=3)) == {user: user for user in users}


@pytest.mark.parametrize("status", [400, 500])
def test_fault_05_nothing_is_published_when_the_api_fails(lab: WorkloadLab, status: int) -> None:
    with FaultyProxy(lab.gateway.url, Harm("answer", "POST /key/generate", status=status, body=BROKEN)) as proxy:
        run = lab.act("provision", check=False, num_users=2, litellm_url=proxy.url, output_dir=str(lab.folder), **LOUD)
    assert run.returncode != 0 and "undefined" not in run.output
    assert "Internal Server Error" in run.output and "Created" not in run.output
    assert published(lab) == "" and not lab.rows


def test_fault_07_the_proof_of_deletion_uses_the_deleted_key_itself(lab: WorkloadLab) -> None:
    value = lab.catalog_item("provision")["litellm_virtual_key"]
    with FaultyProxy(lab.gateway.url) as proxy:
        lab.act("destroy", litellm_url=proxy.url)
        calls = proxy.take()
    deleted = next(number for number, call in enumerate(calls) if call.path == "/key/delete")
    after = [(call.caller, call.status) for call in calls[deleted:]]
    assert (token(value)[:12], 401) in after, "the caller is named by the sha256 of the key"


def test_fault_12_user_data_is_for_its_owner_only(lab: WorkloadLab) -> None:
    lab.act("provision", num_users=2, output_dir=str(lab.folder), **LOUD)
    files = list(lab.folder.glob("provision-user-*"))
    assert files and {file.stat().st_mode & 0o777 for file in files} == {0o600}
    shared = {name: value for name, value in lab.user_data().items() if name != "users"}
    assert not KEY.search(json.dumps(shared))


def test_every_fault_has_a_test() -> None:
    tests = "\n".join(file.read_text() for file in Path(__file__).parents[1].rglob("test_*.py"))
    found = re.findall(r"^def test_faults?_([0-9]{2})(?:_and_([0-9]{2}))?_", tests, re.MULTILINE)
    assert {int(number) for numbers in found for number in numbers if number} == set(range(1, 17))
