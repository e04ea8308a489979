# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Several labs, tenants, gateways and hosts in one play: nothing of one is left for the next."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.agnosticd.workload_lab import KEY, QUIET, ROLE, P, WorkloadLab
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.recording_proxy import RecordingProxy

LOUD = dict.fromkeys(QUIET, True)
PROFILE = "rhpds.litellm_virtual_keys.ocp4_workload_litellm_bastion_profile"
FACTS = "{{ dict(names | zip(names | map('extract', vars))) | to_json }}"


def include(action: str, role: str = ROLE, loop: list[Any] | None = None, **variables: Any) -> dict[str, Any]:
    task = {"ansible.builtin.include_role": {"name": role}, "vars": {"ACTION": action, **variables}}
    return {**task, "loop": loop} if loop else task


def save_facts(file: Path, pattern: str = "^_?litellm_(?!url|master)") -> dict[str, Any]:
    names = f"{{{{ query('ansible.builtin.varnames', '{pattern}') }}}}"
    return {"ansible.builtin.copy": {"content": FACTS, "dest": str(file), "mode": "0600"}, "vars": {"names": names}, "no_log": True}


def run(lab: WorkloadLab, tasks: list[dict[str, Any]], *arguments: str, hosts: str = "localhost", play: dict[str, Any] | None = None, **variables: Any) -> Any:
    book = lab.folder / "several.yml"
    book.write_text(yaml.safe_dump([{"hosts": hosts, "gather_facts": False, "tasks": tasks, **(play or {})}]))
    given = {name: value for name, value in {**lab.gateway.variables, **variables}.items() if value is not None}
    return lab.playbook(book, given, *arguments)


def test_labs_in_a_loop_over_item(lab: WorkloadLab) -> None:
    """A caller's `item` stands in variables that the role reads in loops of its own."""
    labs = [f"{lab.guid}-a", f"{lab.guid}-b"]
    done = run(lab, [include("provision", guid="{{ item }}", output_dir=f"{lab.folder}/{{{{ item }}}}", loop=labs)], **LOUD)
    assert sorted(path.name for path in lab.folder.iterdir() if path.is_dir() and path.name.startswith(lab.guid)) == labs
    assert "WARNING" not in done.output and "already in use" not in done.output
    for guid in labs:
        data = yaml.safe_load((lab.folder / guid / "provision-user-data.yaml").read_text())
        assert data["litellm_key_alias"] == f"virtkey-{guid}" and "users" not in data
    run(lab, [include("rotate", guid="{{ item }}", output_dir=f"{lab.folder}/{{{{ item }}}}", loop=labs)], **LOUD)
    run(lab, [include("destroy", guid="{{ item }}", loop=labs)])
    assert not lab.rows


def test_tenants_in_a_loop_over_item(lab: WorkloadLab) -> None:
    tenants = ["anna", "bert"]
    task = include("provision", ocp4_workload_tenant_keycloak_username="{{ item }}", guid=lab.guid, loop=tenants)
    run(lab, [task], output_dir=str(lab.folder), **LOUD, **{f"{P}user_info_tenants": True})
    assert sorted(lab.rows) == [f"virtkey-{lab.guid}-{tenant}" for tenant in tenants]
    users = lab.user_data()["users"]
    assert {name: own["litellm_key_alias"] for name, own in users.items()} == {tenant: f"virtkey-{lab.guid}-{tenant}" for tenant in tenants}


def test_profiles_in_a_loop_over_item(lab: WorkloadLab) -> None:
    group, users = "ocp4_workload_litellm_bastion_profile_", ["user1", "user2"]
    own = {f"{group}user": "{{ item }}", f"{group}account": "{{ item }}", f"{group}path": f"{lab.folder}/{{{{ item }}}}.sh"}
    tasks = [include("provision", guid=lab.guid, num_users=2), include("provision", PROFILE, loop=users, **own, **{f"{group}become": False})]
    done = run(lab, [*tasks, save_facts(lab.folder / "facts.json")])
    facts = json.loads((lab.folder / "facts.json").read_text())
    for user in users:
        assert facts["_litellm_user_data"][f"litellm_{user}_virtual_key"] in (lab.folder / f"{user}.sh").read_text()
    assert "already in use" not in done.output


def test_no_fact_of_a_former_lab_is_left(lab: WorkloadLab) -> None:
    first, second = lab.guid, f"{lab.guid}-b"
    actions = ["provision", "extend", "stop", "destroy"]
    tasks = [include("provision", guid=second)]
    for action in actions:
        tasks += [include("provision", guid=first, num_users=2), include("destroy", guid=f"{first}-gone"), include(action, guid=second)]
        tasks.append(save_facts(lab.folder / f"{action}-facts.json"))
        tasks.append(save_facts(lab.folder / f"{action}-all.json", "^__ocp4_workload_litellm_virtual_keys"))
    run(lab, tasks)
    for action in actions:
        facts = json.loads((lab.folder / f"{action}-facts.json").read_text())
        assert facts["litellm_key_alias"] == f"virtkey-{second}"
        assert facts["_litellm_user_data"] == {}
        assert (facts["litellm_key_deleted"], facts["litellm_key_was_missing"]) == (action == "destroy", False)
        assert f"virtkey-{first}-user" not in json.dumps(facts) and f"virtkey-{first}-user" not in (lab.folder / f"{action}-all.json").read_text()
        assert bool(facts["litellm_virtual_key"]) == (action != "destroy")


def test_without_values_in_facts_no_result_holds_one(lab: WorkloadLab) -> None:
    actions = ["provision", "provision", "rotate", "extend", "adopt"]
    tasks = []
    for number, action in enumerate(actions):
        tasks += [include(action, guid=lab.guid, num_users=2), save_facts(lab.folder / f"{number}.json", ".*litellm(?!_master).*")]
    run(lab, tasks, **{f"{P}store_key_in_facts": False})
    for number, action in enumerate(actions):
        left = (lab.folder / f"{number}.json").read_text()
        assert "litellm_key_alias" in left and "__ocp4_workload_litellm_virtual_keys_settings" in left
        assert not KEY.search(left), action


def test_two_gateways_in_one_play(lab: WorkloadLab) -> None:
    """The second one is a proxy in front of the first, so the address differs and the keys do not."""
    with RecordingProxy(lab.gateway.url) as proxy:
        urls, first, second = (lab.gateway.url, proxy.url), lab.folder / "first.json", lab.folder / "second.json"
        tasks = [include("provision", guid=guid, litellm_url=url) for guid, url in zip((lab.guid, f"{lab.guid}-b"), urls, strict=True)]
        own = {"litellm_url": None, "output_dir": str(lab.folder), **LOUD}
        run(lab, [tasks[0], save_facts(first), tasks[1], save_facts(second)], **own)
        facts = [json.loads(file.read_text()) for file in (first, second)]
        assert [found["litellm_api_endpoint"] for found in facts] == [lab.gateway.url, proxy.url]
    lines = yaml.safe_load((lab.folder / "provision-user-info.yaml").read_text())
    for found in facts:
        assert f"LiteLLM Virtual Key: {found['litellm_virtual_key']}" in lines, "each gateway's messages stay"


HOSTS = ("one", "two", "three")
LIFE = [["provision"], ["rotate"], ["rotate", "stop"], ["rotate", "start", "extend"]]
ROTATIONS = [["provision"], ["rotate"], ["rotate", "extend"]]
"""Plays, each with the actions that it performs on all hosts."""


def play_on_all(lab: WorkloadLab, number: int, actions: list[str], how: dict[str, Any]) -> dict[str, Any]:
    """Return a play that performs `actions` on all hosts, and saves the facts of each host in the end."""
    save = {**save_facts(lab.folder / f"{number}-{{{{ inventory_hostname }}}}.json"), "delegate_to": "localhost"}
    return {"hosts": "all", "gather_facts": False, "tasks": [*(include(action, guid=lab.guid) for action in actions), save], **how}


@pytest.mark.parametrize(
    ("how", "hosts", "series"),
    [({}, HOSTS, LIFE), ({"strategy": "free"}, HOSTS[:2], ROTATIONS), ({"serial": 1}, HOSTS[:2], ROTATIONS)],
    ids=["linear", "free", "serial"],
)
def test_several_hosts_of_a_lab(lab: WorkloadLab, how: dict[str, Any], hosts: Sequence[str], series: list[list[str]]) -> None:
    """All hosts get the same facts, keys are made once, and each rotation without a label happens once: several bastions are one run."""
    inventory, book = lab.folder / "hosts", lab.folder / "several.yml"
    inventory.write_text("\n".join(hosts))
    given = {**lab.gateway.variables, **LOUD, "output_dir": str(lab.folder)}
    book.write_text(yaml.safe_dump([play_on_all(lab, number, actions, how) for number, actions in enumerate(series)]))
    done = lab.playbook(book, given, "--inventory", str(inventory), "--forks", "3")
    assert done.count("failed") == 0
    values = []
    for number in range(len(series)):
        facts = [json.loads((lab.folder / f"{number}-{host}.json").read_text()) for host in hosts]
        assert len({each["litellm_virtual_key"] for each in facts}) == 1, (number, series[number])
        values.append(facts[0]["litellm_virtual_key"])
    rotations = len(series) - 1
    assert lab.row["metadata"]["litellm_virtual_keys"]["generation"] == rotations
    assert [lab.gateway.chat(value).status_code for value in values] == [401] * rotations + [200]
    assert len(yaml.safe_load((lab.folder / "provision-user-info.yaml").read_text())) == 5, "messages are sent once"

    book.write_text(yaml.safe_dump([play_on_all(lab, 9, ["destroy"], how)]))
    assert lab.playbook(book, given, "--inventory", str(inventory), "--forks", "3").count("failed") == 0
    assert not lab.rows
    for host in hosts:
        facts = json.loads((lab.folder / f"9-{host}.json").read_text())
        assert facts["litellm_revocation"]["proven"] == [f"virtkey-{lab.guid}"] and not facts["litellm_virtual_key"]


@pytest.mark.parametrize(
    ("where", "actions"),
    [
        ("inventory", ("provision", "extend", "rotate", "stop", "start", "destroy")),  # only variables take precedence over a task's keyword
        ("play", ("provision", "destroy")),
        ("option", ("provision", "destroy")),
    ],
    ids=["inventory", "play", "option"],
)
def test_become_from_anywhere_does_not_reach_the_controller(lab: WorkloadLab, where: str, actions: Sequence[str]) -> None:
    """Privileges would change who runs the modules; there may be no sudo at all where Ansible runs, and no SSH server either."""
    (lab.folder / "group_vars").mkdir()
    all_hosts = {"ansible_become": True, "ansible_connection": "ssh", "ansible_ssh_executable": "/no/such/ssh"} if where == "inventory" else {}
    (lab.folder / "group_vars" / "all.yml").write_text(yaml.safe_dump({"ansible_become_exe": "/no/such/sudo", **all_hosts}))
    inventory = lab.folder / "hosts"
    inventory.write_text("bastion ansible_connection=local\nlocalhost\n")
    arguments = ["--become"] if where == "option" else []
    play = {"become": True} if where == "play" else {}
    tasks = [include(action, guid=lab.guid) for action in actions]
    done = run(lab, tasks, "--inventory", str(inventory), *arguments, hosts="bastion", play=play, output_dir=str(lab.folder), **LOUD)
    assert done.count("failed") == 0 and not lab.rows


@pytest.mark.parametrize("role", ["virtual_keys", "bastion_profile"])
def test_parameters_that_agnosticd_passes_to_every_role_are_accepted(lab: WorkloadLab, role: str) -> None:
    """The config namespace includes a role by the workload's whole entry, such as {name: ..., no_k8s_api: true}."""
    name = f"rhpds.litellm_virtual_keys.ocp4_workload_litellm_{role}"
    profile = {"ocp4_workload_litellm_bastion_profile_path": str(lab.folder / "profile.sh"), "ocp4_workload_litellm_bastion_profile_become": False}
    values = {f"ocp4_workload_litellm_bastion_profile_{part}": part for part in ("url", "key", "models")}
    task = {"ansible.builtin.include_role": {"name": "{{ workload }}"}, "loop": [{"name": name, "no_k8s_api": True}], "loop_control": {"loop_var": "workload"}}
    done = run(lab, [{**task, "vars": {"ACTION": "provision"}}], play={"roles": [{"role": name, "my_own": 1}]}, guid=lab.guid, **profile, **values)
    assert done.count("failed") == 0
