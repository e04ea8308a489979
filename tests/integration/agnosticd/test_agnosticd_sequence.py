# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Run the catalog items of docs/agnosticd the way AgnosticD calls them: the order of plays and includes of its configs,
their variables as extra vars, and its truncated or lost user data.

The plays are modelled on agnosticd-v2 (configs openshift-workloads and namespace, the tenant loop) and v1 (config ocp-workloads)
without copying any of their code. Everything that needs a cluster is left out.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.faulty_proxy import FaultyProxy, Harm
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import Gateway

CATALOG = Path(__file__).resolve().parents[3] / "docs" / "agnosticd"
OURS = "rhpds.litellm_virtual_keys."
P = "ocp4_workload_litellm_virtual_keys_"
MODELS = ["openai/granite-3-2-8b-instruct"]

# v2, openshift-workloads: one play that includes all workloads, or those to remove, in order, each with ACTION as a variable.
# Showroom runs afterwards. It reads the user data of the run; the data of a user overrides the data of all users.
OPENSHIFT_WORKLOADS = """
- hosts: localhost
  connection: local
  gather_facts: false
  become: false
  any_errors_fatal: true
  tasks:
    - ansible.builtin.assert:
        that: clusters.default.api_url is defined and clusters.default.api_token is defined
    - ansible.builtin.set_fact:
        _workloads: "{{ (remove_workloads if ACTION == 'destroy' else workloads) | map(attribute='name') | select('match', 'rhpds[.]') | list }}"
    - ansible.builtin.include_role:
        name: "{{ workload_loop_var }}"
      vars:
        ACTION: "{{ 'destroy' if ACTION in ['destroy', 'remove'] else 'provision' }}"
      loop: "{{ _workloads }}"
      loop_control:
        loop_var: workload_loop_var
    - when: ACTION == 'provision'
      block:
        - ansible.builtin.set_fact:
            _all: "{{ lookup('ansible.builtin.file', output_dir ~ '/provision-user-data.yaml') | from_yaml }}"
          no_log: true
        - ansible.builtin.template:
            src: page.adoc.j2
            dest: "{{ output_dir }}/{{ item.key }}.adoc"
            mode: "0600"
          loop: "{{ _all.users | default({'': {}}) | dict2items }}"
          vars:
            mine: "{{ _all | combine(item.value) }}"
          no_log: true
"""
PAGE = "key={{ mine.litellm_virtual_key }} url={{ mine.litellm_api_base_url }} models={{ mine.litellm_available_models_list }}\n"

# v2, namespace, and the tenant loop: a play that becomes root, with the tenant as a variable of the include; ACTION is remove at the end.
TENANTS = """
- hosts: localhost
  gather_facts: false
  become: true
  any_errors_fatal: true
  tasks:
    - ansible.builtin.include_tasks: tenant.yml
      loop: "{{ range(1, num_users | int + 1) | reverse | list if ACTION == 'remove' else range(1, num_users | int + 1) | list }}"
      loop_control:
        loop_var: tenant_number
"""
TENANT = """
- ansible.builtin.include_role:
    name: "{{ item }}"
  vars:
    ocp4_workload_tenant_keycloak_username: "user{{ tenant_number }}"
  loop: "{{ tenant_workloads }}"
"""

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
    """Runs a config with the variables of a catalog item as extra vars and a new output_dir for each action."""

    def __init__(self, gateway: Gateway, playbook: Playbooks, guid: str, folder: Path) -> None:
        self.gateway, self.playbook, self.guid, self.folder = gateway, playbook, guid, folder
        self.output = folder / "output"
        for name, text in {"page.adoc.j2": PAGE, "tenant.yml": TENANT}.items():
            (folder / name).write_text(text)

    def __call__(self, play: str | Path, action: str, item: dict[str, Any], *, check: bool = True, **more: Any) -> Any:
        self.output.mkdir(exist_ok=True)
        if isinstance(play, str):
            (self.folder / "main.yml").write_text(play)
            play = self.folder / "main.yml"
        # The content of the files that the catalog item includes. Authors keep them in a vault.
        secrets = {**self.gateway.variables, "litellm_derivation_secret": "a derivation secret from a vault"}
        orders = {
            "openshift_api_url": "https://api.invalid:6443",
            "openshift_api_key": "x",
            "guid": self.guid,
            "ACTION": action,
            "output_dir": str(self.output),
            "uuid": self.guid,
            "email": "ann@example.com",
        }
        return self.playbook(play, {**item, **secrets, **orders, **more}, check=check)

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


def test_the_catalog_item_through_its_whole_life(agnosticd: AgnosticD) -> None:
    """v2 openshift-workloads: provision, provision again, stop, start, extend, and a destroy that knows the GUID only."""
    item = catalog_item("v2", "dev")
    agnosticd(OPENSHIFT_WORKLOADS, "provision", item, num_users=2)
    first = agnosticd.data
    assert sorted(agnosticd.rows) == [f"virtkey-{agnosticd.guid}-user{number}" for number in (1, 2)]
    row = agnosticd.rows[f"virtkey-{agnosticd.guid}-user1"]
    assert (row["models"], row["max_budget"], row["user_id"]) == (MODELS, 0.5, "user1@lab.opentlc.com"), "dev.yaml comes after common.yaml"
    pages = [(agnosticd.output / f"user{number}.adoc").read_text() for number in (1, 2)]
    for number, page in enumerate(pages, 1):
        own = first["users"][f"user{number}"]["litellm_virtual_key"]
        assert page.strip() == f"key={own} url={agnosticd.gateway.url}/v1 models={MODELS[0]}"
    assert pages[0] != pages[1] and "litellm_virtual_key" not in first

    agnosticd.truncate()
    agnosticd(OPENSHIFT_WORKLOADS, "provision", item, num_users=2)
    assert agnosticd.data == first, "a retry publishes the same as the first run"

    value = first["users"]["user2"]["litellm_virtual_key"]
    for action, status in (("stop", 401), ("start", 200)):
        agnosticd(CATALOG / "lifecycle.yml", action, item, num_users=2)
        assert agnosticd.status(value) == status, action
    agnosticd(CATALOG / "lifecycle.yml", "extend", item, num_users=2, **{f"{P}extend_for": "9d"})
    left = [datetime.fromisoformat(row["expires"]) - datetime.now(UTC) for row in agnosticd.rows.values()]
    assert all(abs(span - timedelta(days=9)) < timedelta(minutes=2) for span in left)

    agnosticd.lose()
    run = agnosticd(OPENSHIFT_WORKLOADS, "destroy", item)
    assert not agnosticd.rows and agnosticd.status(value) == 401 and run.count("failed") == 0


def test_destroy_cleans_up_after_a_failed_provision(agnosticd: AgnosticD) -> None:
    """One of two keys was created and nothing was published. The GUID is enough to delete that key, and no other key is deleted."""
    item = catalog_item("v2", "prod")
    other = agnosticd.gateway.post("/key/generate", key_alias=f"virtkey-{agnosticd.guid}x-user1", metadata={"guid": f"{agnosticd.guid}x"})
    with FaultyProxy(agnosticd.gateway.url, Harm("refuse", "POST /key/generate", skip=1)) as proxy:
        run = agnosticd(OPENSHIFT_WORKLOADS, "provision", item, check=False, num_users=2, litellm_url=proxy.url, **{f"{P}retry_count": 0})
    assert run.returncode != 0 and "run again" in run.output and len(agnosticd.rows) == 2, run.output
    assert not list(agnosticd.output.glob("provision-user-*"))
    agnosticd.lose()
    agnosticd(OPENSHIFT_WORKLOADS, "destroy", item)
    assert list(agnosticd.rows) == [f"virtkey-{agnosticd.guid}x-user1"]
    agnosticd.gateway.post("/key/delete", keys=[other["token_id"]])


def test_the_tenant_loop_in_a_play_that_becomes_root(agnosticd: AgnosticD) -> None:
    """Each tenant has one key although num_users is 2; ACTION is remove at the end."""
    item = {**catalog_item("v2"), "tenant_workloads": [f"{OURS}ocp4_workload_litellm_virtual_keys"]}
    del item[f"{P}multi_user"]  # a tenant is one user
    root = {"num_users": 2, "ansible_become_exe": "/no/such/sudo"}
    agnosticd(TENANTS, "provision", item, **root)
    assert sorted(agnosticd.rows) == [f"virtkey-{agnosticd.guid}-user{number}" for number in (1, 2)]
    assert "users" not in agnosticd.data, "Showroom would take the tenant for one of many users"
    assert agnosticd.data["litellm_key_alias"] == f"virtkey-{agnosticd.guid}-user2", "whoever runs next in the loop finds this tenant's key"
    agnosticd.lose()
    agnosticd(TENANTS, "remove", item, **root)
    assert not agnosticd.rows


def test_version_1_runs_it_on_a_bastion_that_may_be_unreachable(agnosticd: AgnosticD) -> None:
    """ACTION is create, the play becomes root on another host, and the environment is set up for a cluster."""
    item = catalog_item("v1")
    root = {"num_users": 2, "ansible_become_exe": "/no/such/sudo"}
    agnosticd(OCP_WORKLOADS, "create", item, **root)
    data = yaml.safe_load((agnosticd.output / "create-user-data.yaml").read_text())
    values = [user["litellm_virtual_key"] for user in data["users"].values()]
    assert len(values) == 2 and [agnosticd.status(value) for value in values] == [200, 200]
    agnosticd.lose()
    agnosticd(OCP_WORKLOADS, "destroy", item, **root)
    assert not agnosticd.rows


@pytest.mark.parametrize("stages", [("v1",), ("v2",), ("v2", "dev"), ("v2", "prod")], ids="/".join)
def test_the_catalog_items_hold_what_agnosticv_asks_for(stages: tuple[str, ...]) -> None:
    item = catalog_item(*stages)
    text = (CATALOG / stages[0] / "common.yaml").read_text()
    names = [entry if isinstance(entry, str) else entry["name"] for entry in item.get("workloads", item.get("ocp_workloads"))]
    assert f"{OURS}ocp4_workload_litellm_virtual_keys" in names
    assert item[f"{P}models"] and item[f"{P}duration"], "AgnosticV's validator refuses a lab without it"
    assert "rhpds.litellm_virtual_keys" in json.dumps(item["requirements_content"])
    actions = (yaml.safe_load(text)["__meta__"].get("deployer") or {}).get("actions") or {}
    assert "ansible/lifecycle.yml" not in [action["entry_point"] for action in actions.values()], "AgnosticD has a playbook of this name"
    for include in ("secrets/litemaas-master_api.yaml", "parameters/litellm_metadata.yaml"):
        assert text.count(f"#include /includes/{include}\n") == 1
    assert not {"litellm_master_key", "litellm_derivation_secret", f"{P}secret"} & item.keys(), "secrets belong in a vault"
