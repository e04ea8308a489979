# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Run the catalog items of docs/agnosticd the way AgnosticD calls them: the order of plays and includes of its configs,
their variables as extra vars, and its truncated or lost user data.

support/ansible/agnosticd.py stands in for v2: its configs openshift-workloads and namespace, Showroom, and the tenant loop. The play for
v1 (config ocp-workloads) is here.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.agnosticd import TENANT_LOOP, write_agnosticd
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.faulty_proxy import FaultyProxy, Harm
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import IN_COLD_RUNS, Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.live import token

CATALOG = Path(__file__).resolve().parents[3] / "docs" / "agnosticd"
OURS = "rhpds.litellm_virtual_keys.ocp4_workload_litellm_virtual_keys"
P = "ocp4_workload_litellm_virtual_keys_"
MODELS = ["openai/granite-3-2-8b-instruct"]

# v1, ocp-workloads: the play runs on a bastion, each cluster has its own environment, and variables of a workload are facts.
OCP_WORKLOADS = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.add_host:
        name: bastion
        groups: ocp_bastions
        ansible_host: 203.0.113.1
        ansible_connection: ssh
        ansible_python_interpreter: /no/such/python
        ansible_ssh_common_args: -o ConnectTimeout=2
- hosts: ocp_bastions
  gather_facts: false
  become: true
  tasks:
    - ansible.builtin.set_fact:
        ocp_username: system:admin
        openshift_api_url: https://api.invalid:6443
    - ansible.builtin.include_role:
        name: "{{ __workload }}"
        apply:
          environment:
            K8S_AUTH_HOST: https://api.invalid:6443
      loop: "{{ ocp_workloads }}"
      loop_control:
        loop_var: __workload
"""


def catalog_item(version: str, *stages: str) -> dict[str, Any]:
    """Return the variables of a catalog item as AgnosticV passes them: common.yaml, then the stage, without the catalog's own settings."""
    merged: dict[str, Any] = {}
    for name in ("common", *stages):
        merged |= yaml.safe_load((CATALOG / version / f"{name}.yaml").read_text())
    merged.pop("__meta__")
    return merged


class AgnosticD:
    """Runs AgnosticD's mains with the variables of a catalog item as extra vars."""

    def __init__(self, gateway: Gateway, playbook: Playbooks, guid: str, folder: Path) -> None:
        self.gateway, self.playbook, self.guid, self.folder = gateway, playbook, guid, folder
        self.output = folder / "output"
        self.mains = write_agnosticd(folder / "agnosticd-v2")

    def __call__(self, play: str | Path, item: dict[str, Any], *, check: bool = True, **more: Any) -> Any:
        """Run one of AgnosticD's mains by its name, or another playbook. No server answers at the address of the cluster."""
        self.output.mkdir(exist_ok=True)
        # The content of the files that the catalog item includes. Authors keep them in a vault.
        secrets = {**self.gateway.variables, "litellm_derivation_secret": "a derivation secret from a vault"}
        orders = {
            "openshift_api_url": "https://127.0.0.1:9",
            "openshift_api_key": "x",
            "guid": self.guid,
            "output_dir": str(self.output),
            "uuid": self.guid,
            "email": "ann@example.com",
        }
        return self.playbook(self.mains / play, {**item, **secrets, **orders, **more}, check=check)

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = yaml.safe_load((self.output / "provision-user-data.yaml").read_text())
        return found

    def truncate(self) -> None:
        """Empty the user data, as AgnosticD does before it provisions again."""
        for file in self.output.glob("provision-user-*.yaml"):
            file.write_text("")

    def lose(self) -> None:
        """Remove the output of the provision run, because destroy runs later on another machine."""
        self.output = self.folder / f"output-{len(list(self.folder.glob('output*')))}"

    @property
    def rows(self) -> dict[str, dict[str, Any]]:
        return {row["key_alias"]: row for row in self.gateway.keys(f"virtkey-{self.guid}")}

    def status(self, value: str) -> int:
        return self.gateway.chat(value, MODELS[0]).status_code


@pytest.fixture
def agnosticd(gateway: Gateway, playbook: Playbooks, unique: str, tmp_path: Path) -> AgnosticD:
    return AgnosticD(gateway, playbook, unique, tmp_path)


def test_the_catalog_item_is_provisioned_twice_and_destroyed_without_its_cluster(agnosticd: AgnosticD) -> None:
    """Config openshift-workloads. The destroy knows the GUID only, and the cluster is gone."""
    item = catalog_item("v2", "dev")
    agnosticd("main.yml", item, num_users=2)
    first = agnosticd.data
    assert sorted(agnosticd.rows) == [f"virtkey-{agnosticd.guid}-user{number}" for number in (1, 2)]
    row = agnosticd.rows[f"virtkey-{agnosticd.guid}-user1"]
    assert (row["models"], row["max_budget"], row["user_id"]) == (MODELS, 0.5, "user1@lab.opentlc.com"), "dev.yaml comes after common.yaml"
    pages = [(agnosticd.output / f"showroom-user{number}.adoc").read_text() for number in (1, 2)]
    for number, page in enumerate(pages, 1):
        own = first["users"][f"user{number}"]["litellm_virtual_key"]
        assert page.strip() == f"key={own} url={agnosticd.gateway.url}/v1 models={MODELS[0]}"
    assert pages[0] != pages[1] and "litellm_virtual_key" not in first

    agnosticd.truncate()
    agnosticd("main.yml", item, num_users=2)
    assert agnosticd.data == first, "a retry publishes the same as the first run"

    agnosticd(CATALOG / "lifecycle.yml", item, ACTION="extend", **{f"{P}extend_for": "9d"})
    left = [datetime.fromisoformat(row["expires"]) - datetime.now(UTC) for row in agnosticd.rows.values()]
    assert len(left) == 2 and all(abs(span - timedelta(days=9)) < timedelta(minutes=2) for span in left)

    agnosticd.lose()
    run = agnosticd("destroy.yml", item)
    assert not agnosticd.rows and run.count("failed") == 0
    assert agnosticd.status(first["users"]["user2"]["litellm_virtual_key"]) == 401
    assert not (agnosticd.output / "showroom-removed").exists(), "AgnosticD passes over what needs a cluster that does not answer"


def test_destroy_cleans_up_after_a_failed_provision(agnosticd: AgnosticD) -> None:
    """One of two keys was created and nothing was published. The GUID is enough to delete that key, and no other key is deleted."""
    item = catalog_item("v2", "prod")
    other = agnosticd.gateway.post("/key/generate", key_alias=f"virtkey-{agnosticd.guid}x-user1", metadata={"guid": f"{agnosticd.guid}x"})
    with FaultyProxy(agnosticd.gateway.url, Harm("refuse", "POST /key/generate", skip=1)) as proxy:
        run = agnosticd("main.yml", item, check=False, num_users=2, litellm_url=proxy.url, **{f"{P}retry_count": 0})
    assert run.returncode != 0 and "run again" in run.output and len(agnosticd.rows) == 2, run.output
    assert not list(agnosticd.output.glob("provision-user-*"))
    agnosticd.lose()
    agnosticd("destroy.yml", item)
    assert list(agnosticd.rows) == [f"virtkey-{agnosticd.guid}x-user1"]
    agnosticd.gateway.post("/key/delete", keys=[other["token_id"]])


def in_the_tenant_loop(item: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a catalog item whose workloads the tenant loop runs, for each tenant, instead of AgnosticD itself."""
    names = [workload["name"] for workload in item["workloads"]]
    loop = [{"name": TENANT_LOOP, "no_k8s_api": True}]
    return {**item, "workloads": loop, "remove_workloads": loop, "tenant_workloads": names, "tenant_remove_workloads": [OURS], **more}


@pytest.mark.parametrize("multi_user", [None, True, pytest.param(False, marks=IN_COLD_RUNS)])
def test_in_the_tenant_loop_each_tenant_has_one_key_and_showroom_finds_it(agnosticd: AgnosticD, multi_user: bool | None) -> None:
    """Although num_users is 2, and whatever multi_user is. Data under a name would be one user's of many for Showroom, so they come last."""
    given = {} if multi_user is None else {f"{P}multi_user": multi_user}
    item = in_the_tenant_loop(catalog_item("v2"), num_users=2, **given)
    run = agnosticd("main.yml", item)
    assert sorted(agnosticd.rows) == [f"virtkey-{agnosticd.guid}-user{number}" for number in (1, 2)]
    assert sorted(page.name for page in agnosticd.output.glob("*.adoc")) == ["user1-showroom.adoc", "user2-showroom.adoc"]
    pages = [(agnosticd.output / f"user{number}-showroom.adoc").read_text().split() for number in (1, 2)]
    values = [page[0].removeprefix("key=") for page in pages]
    assert [token(value) for value in values] == [agnosticd.rows[f"virtkey-{agnosticd.guid}-user{number}"]["token"] for number in (1, 2)]
    assert agnosticd.data["users"] == {f"user{number}": {"user": f"user{number}"} for number in (1, 2)}, "only what the loop itself saves"
    assert (f"{P}multi_user is true, but" in run.output) == bool(multi_user)
    if multi_user is None:
        agnosticd.gateway.post("/key/generate", key_alias=f"virtkey-{agnosticd.guid}", metadata={"guid": agnosticd.guid, "owner": "ann"})
        assert len(agnosticd.rows) == 3, "release 1.3.2 made one key for all tenants"
    agnosticd.lose()
    agnosticd("destroy.yml", item)
    assert not agnosticd.rows and [agnosticd.status(value) for value in values] == [401, 401]


@IN_COLD_RUNS
def test_the_tenant_loop_ends_well_with_keys_alive_when_the_gateway_is_down(agnosticd: AgnosticD) -> None:
    """As the guide says, which sends its reader to the reaper. The same catalog item outside the loop fails."""
    item = in_the_tenant_loop(catalog_item("v2"), num_users=1)
    agnosticd("main.yml", item)
    down = {"litellm_url": "http://127.0.0.1:9", f"{P}retry_count": 0}
    assert "user1 is left as it is" in agnosticd("destroy.yml", item, **down).output and len(agnosticd.rows) == 1
    assert agnosticd("destroy.yml", catalog_item("v2"), check=False, **down).returncode != 0
    agnosticd("destroy.yml", item)
    assert not agnosticd.rows


def test_config_namespace_includes_the_role_by_its_whole_entry(agnosticd: AgnosticD) -> None:
    """A tenant without a loop: the user has a name, and ACTION is remove in the end. A cluster whose name is gone costs the key its end."""
    item = {**catalog_item("v2"), "config": "namespace", "ocp4_workload_tenant_keycloak_username": f"user-{agnosticd.guid}"}
    item["workloads"] = item["remove_workloads"] = item["workloads"][:1]
    agnosticd("main.yml", item)
    assert list(agnosticd.rows) == [f"virtkey-{agnosticd.guid}-user-{agnosticd.guid}"] and "users" not in agnosticd.data
    agnosticd.lose()
    agnosticd("destroy.yml", item, sandbox_openshift_api_url="https://api.invalid:6443")
    assert len(agnosticd.rows) == 1, "as the guide says, which sends its reader to the reaper"
    agnosticd("destroy.yml", item, sandbox_openshift_api_url="https://localhost:6443")
    assert not agnosticd.rows


def test_version_1_runs_it_on_a_bastion_that_may_be_unreachable(agnosticd: AgnosticD) -> None:
    """ACTION is create, the play becomes root on another host, and the environment is set up for a cluster."""
    item = catalog_item("v1")
    root = {"num_users": 2, "ansible_become_exe": "/no/such/sudo"}
    play = agnosticd.folder / "ocp_workloads.yml"
    play.write_text(OCP_WORKLOADS)
    agnosticd(play, item, ACTION="create", **root)
    data = yaml.safe_load((agnosticd.output / "create-user-data.yaml").read_text())
    values = [user["litellm_virtual_key"] for user in data["users"].values()]
    assert len(values) == 2 and [agnosticd.status(value) for value in values] == [200, 200]
    agnosticd.lose()
    agnosticd(play, item, ACTION="destroy", **root)
    assert not agnosticd.rows


@pytest.mark.parametrize("stages", [("v1",), ("v2",), ("v2", "dev"), ("v2", "prod")], ids="/".join)
def test_the_catalog_items_hold_what_agnosticv_asks_for(stages: tuple[str, ...]) -> None:
    item = catalog_item(*stages)
    text = (CATALOG / stages[0] / "common.yaml").read_text()
    names = [entry if isinstance(entry, str) else entry["name"] for entry in item.get("workloads", item.get("ocp_workloads"))]
    assert OURS in names
    assert item[f"{P}models"] and item[f"{P}duration"], "AgnosticV's validator refuses a lab without it"
    assert "rhpds.litellm_virtual_keys" in json.dumps(item["requirements_content"])
    deployer = yaml.safe_load(text)["__meta__"]["deployer"]
    entry_points = {action["entry_point"] for action in deployer.get("actions", {}).values()}
    assert "ansible/lifecycle.yml" not in entry_points, "AgnosticD has a playbook of this name"
    assert not entry_points or "/agnosticd/" not in deployer["scm_url"], "nobody can put a playbook into AgnosticD's own repository"
    guide = (CATALOG.parent / "docsite" / "rst" / "agnosticd.rst").read_text()
    assert [entry for entry in entry_points if f" agnosticd-v2/{entry}\n" not in guide] == [], "the guide copies it there"
    for include in ("secrets/litemaas-master_api.yaml", "parameters/litellm_metadata.yaml"):
        assert text.count(f"#include /includes/{include}\n") == 1
    assert not {"litellm_master_key", "litellm_derivation_secret", f"{P}secret"} & item.keys(), "secrets belong in a vault"
