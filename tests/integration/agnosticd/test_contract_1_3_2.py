# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Everything that release 1.3.2 reads and sets, tried. tests/unit/roles/contract_1_3_2.yml lists it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.agnosticd.workload_lab import LLAMA, QUIET, P, WorkloadLab
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import Playbooks

ROOT = Path(__file__).resolve().parents[3]
ROLE = ROOT / "roles" / "ocp4_workload_litellm_virtual_keys"
CONTRACT: dict[str, Any] = yaml.safe_load((ROOT / "tests" / "unit" / "roles" / "contract_1_3_2.yml").read_text())
BESIDE = {"guid": "abc12", "litellm_url": "https://litellm.example.com", "litellm_master_key": "sk-master"}
TRIALS = [(name, trial) for name, trials in CONTRACT["variables"].items() for trial in trials]
LOUD = dict.fromkeys(QUIET, True)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Return what the role makes of the variables of each trial, without a gateway: with its own defaults and vars, by its own action."""
    folder = tmp_path_factory.mktemp("contract")
    checks = [
        {"rhpds.litellm_virtual_keys.workload_settings": {}, "vars": {**BESIDE, **trial["set"]}, "register": f"found_{number}", "ignore_errors": True}
        for number, (_name, trial) in enumerate(TRIALS)
    ]
    names = ", ".join(f"found_{number}" for number in range(len(TRIALS)))
    save = {"ansible.builtin.copy": {"content": f"{{{{ [{names}] | to_json }}}}", "dest": str(folder / "found.json"), "mode": "0600"}}
    files = [str(ROLE / "defaults" / "main.yml"), str(ROLE / "vars" / "main.yml")]
    play = folder / "play.yml"
    play.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "vars_files": files, "tasks": [*checks, save]}]))
    Playbooks(folder)(play)
    found: list[dict[str, Any]] = json.loads((folder / "found.json").read_text())
    return found


def at(tree: Any, path: str) -> Any:
    """Return what lies at a path such as `wanted.0.user`; None where nothing does."""
    for part in path.split("."):
        tree = tree[int(part)] if isinstance(tree, list) else (tree or {}).get(part)
    return tree


@pytest.mark.parametrize("number", range(len(TRIALS)), ids=[f"{name}-{json.dumps(trial['set'])[:60]}" for name, trial in TRIALS])
def test_a_variable_does_what_the_contract_says(settings: list[dict[str, Any]], number: int) -> None:
    (name, trial), found = TRIALS[number], settings[number]
    if "refused" in trial:
        assert found["failed"] and trial["refused"] in found["msg"], found
        return
    assert not found.get("failed"), found
    assert {path: at(found, path) for path in trial.get("expect", {})} == trial.get("expect", {}), name
    assert "warned" not in trial or [warning for warning in found["warnings"] if trial["warned"] in warning]


def messages(lab: WorkloadLab, action: str = "provision") -> list[str]:
    found: list[str] = yaml.safe_load((lab.folder / f"{action}-user-info.yaml").read_text())
    return found


def in_order(lines: list[str], beginnings: list[str]) -> bool:
    places = [next((place for place, line in enumerate(lines) if line.startswith(begin)), -1) for begin in beginnings]
    return -1 not in places and places == sorted(places)


def test_facts_messages_and_user_data_of_one_user(lab: WorkloadLab) -> None:
    docling = {f"{P}include_docling": True, f"{P}docling_model": LLAMA}
    facts = lab.catalog_item("provision", output_dir=str(lab.folder), **LOUD, **docling)
    assert [name for name in CONTRACT["facts"]["provision"] if not facts.get(name)] == []
    assert in_order(messages(lab), CONTRACT["messages"]["one"])
    assert [name for name in CONTRACT["user_data"]["own"] if not lab.user_data().get(name)] == []
    lab.act("extend", output_dir=str(lab.folder), **LOUD, **{f"{P}extend_for": "60d"})
    assert in_order(messages(lab, "extend"), [CONTRACT["messages"]["extend"]["begins"]])
    facts = lab.catalog_item("destroy")
    assert [name for name in CONTRACT["facts"]["destroy"] if name not in facts] == []


@pytest.mark.parametrize("all_keys", [False, True])
def test_facts_messages_and_user_data_of_many_users(lab: WorkloadLab, all_keys: bool) -> None:
    docling = {f"{P}include_docling": True, f"{P}docling_model": LLAMA}
    facts = lab.catalog_item("provision", num_users=2, output_dir=str(lab.folder), **LOUD, **docling, **{f"{P}user_info_all_keys": all_keys})
    assert [name for name in CONTRACT["facts"]["provision"] + CONTRACT["facts"]["many"] if not facts.get(name)] == []
    of_users = [name.format(user=user) for name in CONTRACT["facts_of_user"] for user in ("user1", "user2")]
    assert [name for name in of_users if not facts["_litellm_user_data"].get(name)] == []
    assert in_order(messages(lab), CONTRACT["messages"]["many"])
    names, data = CONTRACT["user_data"], lab.user_data()
    assert [name for name in names["shared"] if not data.get(name)] == []
    for own in data["users"].values():
        assert [name for name in names["own"] + names["own_of_many"] if not own.get(name)] == []
    on_request = names["shared_on_request"]["names"] + of_users
    assert [name for name in on_request if bool(data.get(name)) is not all_keys] == []


def test_a_guid_stays_as_it_was_written_with_jinja2_native(playbook: Playbooks, tmp_path: Path) -> None:
    """Up to release 2.18 of ansible-core, that setting makes numbers of texts, wherever a text passes through a template."""
    guids = ["12e45", "0123", "1_000", "yes", "null", "0x12"]
    checks = {"rhpds.litellm_virtual_keys.workload_settings": {}, "vars": {**BESIDE, "guid": "{{ lab_guid }}"}, "register": "found"}
    same = "found.guid == lab_guid and found.alias == 'virtkey-' ~ lab_guid"
    passed_on = {"ansible.builtin.command": {"argv": ["echo", "{{ found.guid | string }}"]}, "register": "echo", "changed_when": False}
    files = [str(ROLE / "defaults" / "main.yml"), str(ROLE / "vars" / "main.yml")]
    tasks = tmp_path / "tasks.yml"
    tasks.write_text(
        yaml.safe_dump([checks, {"ansible.builtin.assert": {"that": same}}, passed_on, {"ansible.builtin.assert": {"that": "echo.stdout == lab_guid"}}])
    )
    include = {"ansible.builtin.include_tasks": str(tasks), "loop": guids, "loop_control": {"loop_var": "lab_guid"}}
    play = tmp_path / "play.yml"
    play.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "vars_files": files, "tasks": [include]}]))
    playbook(play, environment={"ANSIBLE_JINJA2_NATIVE": "1"})
