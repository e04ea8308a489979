# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The results of the module key_migration after failures. Moving keys: tests/integration."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.modules import run_module
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.faulty_proxy import FaultyProxy, Harm
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


def test_a_limit_that_the_target_s_release_cannot_keep_is_refused_before_anything_is_written() -> None:
    with ServedModel(LitellmModel()) as source, ServedModel(LitellmModel(budgets="none")) as target:
        modules = Modules(source)
        modules.run_ok("virtual_keys", guid="abc", keys=[{"user": "user1"}], models=["granite"], soft_budget=3)
        target.model.handle("POST", "/key/generate", {}, {"key": "sk-somebody-elses-key", "key_alias": "virtkey-abc-user1-of-another"})
        writes = target.model.writes
        result = modules("key_migration", target={"url": target.url, "api_key": MASTER_KEY}, guid="abc")
        assert result["failed"] and result["code"] == "unsupported_release" and "soft_budget" in result["msg"]
        assert target.model.writes == writes


def change_before(pair: Pair, change: dict[str, Any], results: list[dict[str, Any]], after: bool) -> None:
    """Change the lab at the source before an exchange, not after it."""
    if not after:
        results.append(pair.source("virtual_keys", guid="abc", **change, proof="none"))


@pytest.mark.parametrize("change", [{"extend_for": "40d"}, {"blocked": True}, {"rotation": "a"}, {"rotation": "a", "rotation_grace": "1h"}])
def test_what_is_changed_at_the_source_while_it_is_retired_is_not_lost(pair: Pair, change: dict[str, Any]) -> None:
    """The change comes before each exchange of the run in turn; the proxy is before the source."""
    pair.lab(pair.source, duration="1d")
    pair()
    met = 0
    for number in range(12):
        changes: list[dict[str, Any]] = []
        work = partial(change_before, pair, change, changes)
        with FaultyProxy(pair.source.served.url, Harm("call", skip=number, times=1, work=work)) as proxy:
            result = pair(url=proxy.url, retire_source=True)
        if not changes:
            break
        met += 1
        assert not changes[0].get("failed") or changes[0]["code"] == "no_such_lab", changes[0]["msg"]
        in_service = [row for row in pair.target.served.model.rows.values() if ".retired-" not in row["key_alias"]]
        if not result.get("failed") and not changes[0].get("failed"):
            assert not pair.source.served.model.rows or change.get("rotation"), "all is at the target"
            if "blocked" in change:
                assert all(row["blocked"] for row in in_service)
            if "extend_for" in change:
                assert all(row["expires"] is None or row["expires"] > pair.target.served.model.now + timedelta(days=39) for row in in_service)
            if "rotation" in change:
                assert not pair.source.served.model.rows
        # Begin again.
        for modules in (pair.source, pair.target):
            modules.run_ok("virtual_keys", guid="abc", state="absent", proof="none")
        pair.lab(pair.source, duration="1d", first_generation=10 * number + 10)
        pair()
    assert met >= 3
