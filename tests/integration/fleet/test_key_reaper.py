# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The reaper on the real gateway.

Other tests use the same gateway. The list of living labs therefore holds all labs but this test's, and only this test's keys are
old enough to be reaped.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.fleet import reaping
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.key import LiveKey
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.orphan import ORPHAN
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible import installation
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.module_process import ModuleProcess
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.kubernetes.cluster import Cluster
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.faulty_proxy import FaultyProxy
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.live import GRANITE, SECRET, Live
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.scripted import LoopbackServer, Reply


class Fleet:
    """Two labs of this test, one with many users; and the reaper, which takes every lab for dead that is not listed as living."""

    def __init__(self, live: Live) -> None:
        self.live, self.class_, self.single = live, f"{live.name}c", f"{live.name}s"
        live.run_ok("virtual_keys", guid=self.class_, keys=[{"user": f"user{number}"} for number in range(1, 9)], models=[GRANITE])
        live.run_ok("virtual_keys", guid=self.single, keys=[{}], models=[GRANITE], metadata={"owner": "ada@lab.example"})
        with psycopg.connect(live.gateway.database_url, autocommit=True) as database:
            database.execute(
                "UPDATE \"LiteLLM_VerificationToken\" SET created_at = now() - interval '2 days' WHERE position(%s in key_alias) > 0", (live.name,)
            )

    def living(self, *mine: str) -> list[str]:
        """Return the labs of other tests and the given labs of this test."""
        rows = [LiveKey.from_row(row) for row in self.live.gateway.keys("virtkey-")]
        return sorted({row.guid for row in rows if row.guid and self.live.name not in row.guid} | set(mine)) or ["nobody"]

    def arguments(self, *living: str, **more: Any) -> dict[str, Any]:
        return {"live_labs": self.living(*living), "max_share": 100, **more}

    def reap(self, *living: str, **more: Any) -> dict[str, Any]:
        return self.live.run_ok("key_reaper", **self.arguments(*living, **more))

    def mine(self, result: dict[str, Any]) -> dict[str, dict[str, int]]:
        return {lab["guid"]: lab["keys"] for lab in result["labs"] if self.live.name in lab["guid"]}

    @property
    def blocked(self) -> set[str]:
        return {alias for alias, row in self.live.rows.items() if row["blocked"]}


@pytest.fixture
def fleet(live: Live) -> Fleet:
    return Fleet(live)


def test_report_block_wait_and_delete(fleet: Fleet) -> None:
    live, before = fleet.live, fleet.live.rows
    values = [key["value"] for key in live.lab("user1", guid=fleet.class_)["virtual_keys"]]
    assert fleet.mine(fleet.reap()) == {fleet.class_: {"block": 8}, fleet.single: {"block": 1}}
    checked = fleet.reap(stage="delete", _check=True, _diff=True)
    assert checked["changed"] and checked["blocked"] == 9 and len(checked["diff"]["after"]) == 9
    assert live.rows == before, "neither the report nor check mode changes anything"

    result = fleet.reap(fleet.single, stage="delete", grace="0s")
    assert (result["blocked"], result["deleted"], result["changed"]) == (8, 0, True), "no key is blocked and deleted in the same run"
    assert fleet.blocked == {alias for alias in before if fleet.class_ in alias}
    assert not live.works(values[0])
    row = live.rows[f"virtkey-{fleet.class_}-user1"]
    assert row["metadata"]["litellm_virtual_keys"] == before[row["key_alias"]]["metadata"]["litellm_virtual_keys"]

    assert fleet.mine(fleet.reap(fleet.single, stage="delete")) == {fleet.class_: {"wait": 8}}
    assert not fleet.reap(fleet.single, stage="block", grace="0s")["changed"], "the stage block deletes nothing"
    result = fleet.reap(fleet.single, stage="delete", grace="0s")
    assert result["deleted"] == 8 and len(result["revocation"]["proven"]) == 8
    assert set(live.rows) == {f"virtkey-{fleet.single}"}
    assert not fleet.reap(fleet.single, stage="delete", grace="0s")["changed"]


def test_a_lab_that_came_back(fleet: Fleet) -> None:
    live, before = fleet.live, fleet.live.rows
    live.run_ok("virtual_keys", guid=fleet.class_, keys=[{"user": "user1"}], blocked=True)
    assert fleet.reap(stage="block")["blocked"] == 9
    assert all(ORPHAN in row["metadata"] for row in live.rows.values())
    result = fleet.reap(fleet.class_, fleet.single, stage="block")
    assert result["unblocked"] == 9
    assert fleet.blocked == {f"virtkey-{fleet.class_}-user1"}, "an admin had stopped it before"
    assert {alias: row["metadata"] for alias, row in live.rows.items()} == {alias: row["metadata"] for alias, row in before.items()}


def test_a_lab_that_is_provisioned_again_works_at_once(fleet: Fleet) -> None:
    live = fleet.live
    live.run_ok("virtual_key", alias=f"virtkey-{fleet.class_}-user1", state="blocked")
    fleet.reap(stage="block")
    again = {"guid": fleet.class_, "keys": [{"user": f"user{number}"} for number in range(1, 9)], "models": [GRANITE]}
    assert live.run_ok("virtual_keys", **again)["changed"]
    assert fleet.blocked == {f"virtkey-{fleet.class_}-user1", f"virtkey-{fleet.single}"}, "an admin had stopped the first"
    assert not any(ORPHAN in row["metadata"] for alias, row in live.rows.items() if fleet.class_ in alias)
    assert not live.run_ok("virtual_keys", **again)["changed"]


def test_keys_that_are_never_changed(fleet: Fleet) -> None:
    live = fleet.live
    live.run_ok("virtual_keys", guid=f"{live.name}t", lab_alias=f"team-{live.name}t", keys=[{"user": "user1"}], models=[GRANITE])
    live.run_ok("virtual_keys", guid=f"{live.name}y", keys=[{}], models=[GRANITE])
    live.gateway.post("/key/generate", key_alias=f"virtkey-{live.name}-by-hand")
    result = fleet.reap(fleet.class_, fleet.single, stage="delete", grace="0s")
    assert fleet.mine(result) == {f"{live.name}y": {"young": 1}, f"{live.name}-by-hand": {"unmanaged": 1}}
    assert not result["changed"] and not fleet.blocked


def test_too_many_orphans_stop_it(fleet: Fleet) -> None:
    before = fleet.live.rows
    for stage in ("block", "delete"):
        result = fleet.live("key_reaper", **fleet.arguments(stage=stage, max_share=0))
        assert result["code"] == "too_many_orphans" and "nothing was changed" in result["msg"]
    assert fleet.live.rows == before
    assert not fleet.reap(max_share=0)["changed"], "a report warns"


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(status=503, text="<html>Service Unavailable</html>"), "live_labs_failed"),
        (Reply(text="<html>please log in</html>"), "live_labs_failed"),
        (Reply(json={"results": ["some-lab"], "next": "?page=2"}), "live_labs_partial"),
        (Reply(json=["some-lab"], cut=True), "live_labs_partial"),
        (Reply(json=["some-lab", "some-lab"]), "live_labs_duplicate"),
        (Reply(json=[]), "live_labs_empty"),
    ],
)
def test_an_implausible_list_stops_it(live: Live, reply: Reply, code: str) -> None:
    with FaultyProxy(live.gateway.url) as proxy, LoopbackServer(lambda _request: reply) as source:
        live.url = proxy.url
        result = live("key_reaper", live_url=f"{source.url}/labs", stage="delete", min_age="0s", grace="0s", max_share=100)
        assert (result["failed"], result["code"], result["changed"]) == (True, code, False)
        assert not proxy.take(), "the gateway was not even asked"


def test_a_list_that_shrank_stops_it(fleet: Fleet, tmp_path: Path) -> None:
    memory, living = tmp_path / "last.json", fleet.living(fleet.class_, fleet.single, *(f"more{number}" for number in range(10)))
    settings = {"live_memory": str(memory), "max_share": 100, "stage": "block"}
    fleet.live.run_ok("key_reaper", live_labs=living, _check=True, **settings)
    assert not memory.exists()
    fleet.live.run_ok("key_reaper", live_labs=living, **settings)
    half = living[: len(living) // 2]
    assert fleet.live("key_reaper", live_labs=half, **settings)["code"] == "live_labs_shrunk"
    assert json.loads(memory.read_text()) == {"count": len(living)} and not fleet.blocked


def test_a_key_that_is_not_an_admins_stops_it(fleet: Fleet) -> None:
    value = fleet.live.lab("user1", guid=fleet.class_)["virtual_keys"][0]["value"]
    result = fleet.live("key_reaper", **fleet.arguments(stage="delete", api_key=value))
    assert result["failed"] and result["code"] in ("not_admin", "unauthorized") and not fleet.blocked


# ------------------------------------------------------------------------------------------------------- two at once
def together(fleet: Fleet, folder: Path, **more: Any) -> list[dict[str, Any]]:
    """Run two reapers at the same time, and return both results."""
    arguments = {**fleet.live.connection(secret=SECRET), **fleet.arguments(**more)}
    started = [ModuleProcess("key_reaper", arguments, folder) for _number in range(2)]
    results = []
    for process in started:
        results.append(json.loads(process.output(timeout=120)))
        assert not results[-1].get("failed"), results[-1]
    return results


def test_two_at_once_do_no_harm(fleet: Fleet, tmp_path: Path) -> None:
    other = fleet.live.gateway.keys("")
    together(fleet, tmp_path, stage="delete", grace="1h")
    assert len(fleet.blocked) == 9
    assert all(list(row["metadata"]).count(ORPHAN) == 1 for row in fleet.live.rows.values())
    together(fleet, tmp_path, stage="delete", grace="0s")
    assert not fleet.live.rows
    rest = {row["token"]: row["blocked"] for row in other if fleet.live.name not in (row["key_alias"] or "")}
    assert {row["token"]: row["blocked"] for row in fleet.live.gateway.keys("") if row["token"] in rest} == rest


@pytest.mark.skipif(installation.COLD, reason="it interrupts the module, which runs in another process then")
def test_one_deletes_while_another_knows_that_the_lab_is_back(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet.reap(stage="block")
    read_again = reaping._read_again

    def after_another_run(*arguments: Any) -> list[LiveKey]:
        monkeypatch.setattr(reaping, "_read_again", read_again)
        fleet.reap(fleet.class_, stage="block")
        return read_again(*arguments)

    monkeypatch.setattr(reaping, "_read_again", after_another_run)
    result = fleet.live.run_ok("key_reaper", **fleet.arguments(stage="delete", grace="0s"))
    assert result["counts"]["delete"] == 9, "the state when the fleet was read"
    assert result["deleted"] == 1
    assert len(fleet.live.rows) == 8 and not fleet.blocked, "the class lives"


# ------------------------------------------------------------------------------------------------------------ playbook
def test_the_playbook_takes_the_living_from_namespaces(fleet: Fleet, kube: Cluster, namespace: str, playbook: Playbooks, gateway: Gateway) -> None:
    """Use real namespaces of a real API server: two belong to one lab, and one does not name its lab."""
    label, mark = "demo.example.com/guid", f"demo.example.com/{fleet.live.name}"
    kube.kubectl("label", "namespace", namespace, kube.namespace(), f"{label}={fleet.class_}", f"{mark}=yes")
    variables = {**gateway.variables, "kubeconfig": str(kube.admin.kubeconfig), "live_namespaces": f"{mark}=yes", "live_namespaces_label": label}
    run = playbook("reap", variables)
    assert f"virtkey-{fleet.single}" in run.output and f"virtkey-{fleet.class_} " not in run.output
    assert "1 labs live." in run.output and run.changed == 0
    kube.kubectl("label", "namespace", namespace, f"{label}-")
    run = playbook("reap", {**variables, "stage": "block"}, check=False)
    assert run.returncode != 0 and "1 of 2 namespaces have no label" in " ".join(run.output.split())
    assert not fleet.blocked


def test_an_api_without_namespaces_stops_the_playbook(playbook: Playbooks, tmp_path: Path) -> None:
    groups = {"kind": "APIGroupList", "groups": []}
    resources = {"kind": "APIResourceList", "groupVersion": "v1", "resources": []}
    answers = {"/version": {"major": "1", "minor": "30"}, "/apis": groups, "/api/v1": resources}
    with LoopbackServer(lambda request: Reply(json=answers.get(request.path.rstrip("/"), {"kind": "APIVersions", "versions": []}))) as server:
        context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
        cluster = {"name": "c", "cluster": {"server": server.url}}
        kubeconfig = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "clusters": [cluster],
            "contexts": [context],
            "users": [{"name": "u", "user": {}}],
        }
        (tmp_path / "kubeconfig").write_text(json.dumps(kubeconfig))
        run = playbook("reap", {"live_namespaces": "lab=true", "kubeconfig": str(tmp_path / "kubeconfig")}, check=False)
    assert run.returncode != 0
    assert 'Namespaces cannot be listed: Failed to find API for resource with apiVersion "v1" and kind "Namespace"' in " ".join(run.output.split()).replace(
        "\\", ""
    )


def test_a_lab_that_is_stopped_while_it_is_an_orphan_stays_stopped_with_its_former_values(fleet: Fleet) -> None:
    live = fleet.live
    old = live.lab("user1", guid=fleet.class_, _no_log=True)["virtual_keys"][0]["value"]
    live.run_ok("virtual_keys", guid=fleet.class_, rotation="a", rotation_grace="10h")
    fleet.reap(fleet.single, stage="block", min_age="0s")
    live.run_ok("virtual_keys", guid=fleet.class_, blocked=True)
    fleet.reap(fleet.single, fleet.class_, stage="block", min_age="0s")
    assert not live.works(old)
