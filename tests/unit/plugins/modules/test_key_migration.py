# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The results of the module key_migration after failures. Moving keys: tests/integration."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.modules import run_module
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import MASTER_KEY, LitellmModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.scripted import Reply
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.served_model import Fault, ServedModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.module_parts import Modules

NOWHERE = "http://127.0.0.1:9"


def migrate(**arguments: Any) -> dict[str, Any]:
    return run_module("key_migration", {"api_key": "master-of-the-source-0001", "guid": "abc", "retries": 0, "retry_delay": 0, **arguments}, no_log=False)


def test_known_values_do_not_reveal_a_master_key() -> None:
    keys = {"master-of-the-source-0001", "master-of-the-target-0001"}
    result = migrate(url=NOWHERE, target={"url": f"{NOWHERE}9", "api_key": "master-of-the-target-0001"}, known_values=sorted(keys))
    assert result["code"] == "unreachable" and not [key for key in keys if key in json.dumps(result)]


class Pair:
    """A lab of two users at the source, and at the target after a first run."""

    def __init__(self, source: ServedModel, target: ServedModel) -> None:
        self.source, self.target = Modules(source), Modules(target)
        target.model.pass_time(5)
        self.lab(self.source)
        assert self()["counts"]["created"] == 2

    def lab(self, modules: Modules, **arguments: Any) -> None:
        modules.run_ok("virtual_keys", guid="abc", keys=[{"user": "user1"}, {"user": "user2"}], models=["granite"], **arguments)

    def __call__(self, **arguments: Any) -> dict[str, Any]:
        return self.source("key_migration", target={"url": self.target.served.url, "api_key": MASTER_KEY}, guid="abc", **arguments)


@pytest.fixture
def pair() -> Iterator[Pair]:
    with ServedModel(LitellmModel()) as source, ServedModel(LitellmModel()) as target:
        yield Pair(source, target)


def test_a_failed_deletion_is_reported_with_a_complete_result(pair: Pair) -> None:
    pair.source.served.faults = [Fault("/key/delete", Reply(json={"deleted_keys": []}))]
    result = pair(retire_source=True)
    assert result["failed"] and (result["code"], result["changed"], result["retired"]) == ("incomplete", False, [])
    assert [key["verified"] for key in result["virtual_keys"]] == [True, True] and result["calls"]

    (row,) = pair.source.served.model.with_alias("virtkey-abc-user1")
    row["spend"] = 2.0
    pair.source.served.faults = [Fault("/key/delete", Reply(status=500, json={"error": {"message": "broken"}}))]
    result = pair(retire_source=True)
    assert result["failed"] and result["changed"] and result["counts"]["updated"] == 1, "the spending was copied before"


def test_a_value_is_returned_only_with_the_key_that_it_belongs_to(pair: Pair) -> None:
    pair.lab(pair.target, rotation="at the target")
    keys = pair()["virtual_keys"]
    assert len(keys) == 2 and not any("value" in key for key in keys)
    assert {key["key_id"] for key in keys} == set(pair.target.served.model.rows)
