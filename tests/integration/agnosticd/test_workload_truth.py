# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Check mode, diff mode, and what users are told about their keys: it is predicted, and it is true."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.agnosticd.workload_lab import GRANITE, KEY, MISTRAL, QUIET, ROLE, P, WorkloadLab
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import Playbooks

LOUD = dict.fromkeys(QUIET, True)

# What the README of release 1.3.2 shows after the role.
SHOW = """
- ansible.builtin.debug:
    msg:
      - "Your AI API Key: {{ litellm_virtual_key | length }} characters, {{ litellm_key_alias }}"
      - "API Endpoint: {{ litellm_api_endpoint }}/v1"
      - "Models: {{ litellm_available_models | join(', ') }} until {{ litellm_key_expires }}"
"""


def play(lab: WorkloadLab, action: str) -> Path:
    book = lab.folder / f"show_{action}.yml"
    tasks = [{"ansible.builtin.include_role": {"name": ROLE}, "vars": {"ACTION": action}}, *yaml.safe_load(SHOW)]
    book.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    return book


def show(lab: WorkloadLab, action: str, *arguments: str, **variables: Any) -> Any:
    return lab.playbook(play(lab, action), {"guid": lab.guid, **lab.gateway.variables, **QUIET, **variables}, *arguments)


def test_check_mode_sets_the_facts_and_shows_the_plan(lab: WorkloadLab) -> None:
    done = show(lab, "provision", "--check", num_users=2)
    assert f"46 characters, virtkey-{lab.guid}-user1" in done.output and f"Models: {GRANITE}, {MISTRAL} until 20" in done.output
    assert [f"virtkey-{lab.guid}-user{number}: would be created" in done.output for number in (1, 2)] == [True, True]
    assert "models:" not in done.output and not KEY.search(done.output) and not lab.rows
    show(lab, "provision", num_users=2)
    assert "2 keys unchanged" in show(lab, "provision", "--check", num_users=2).output
    for action, words in (("extend", "updated"), ("stop", "updated"), ("rotate", "rotated")):
        done = show(lab, action, "--check", **{f"{P}extend_for": "90d"})
        assert f"virtkey-{lab.guid}-user1: would be {words}" in done.output, action
        assert done.count("changed") == 1 and not KEY.search(done.output)


def test_diff_mode_shows_each_setting_before_and_after_and_nothing_secret(lab: WorkloadLab) -> None:
    show(lab, "provision")
    for arguments, words in ((["--check", "--diff"], "would be updated"), (["--diff", "-vvv"], "updated")):
        done = show(lab, "provision", *arguments, **{f"{P}max_budget": 3, f"{P}models": [GRANITE]})
        assert f"virtkey-{lab.guid}: {words}" in done.output
        assert "max_budget: (none) -> 3.0" in done.output and f"models: {GRANITE}, {MISTRAL} -> {GRANITE}" in done.output
        assert not KEY.search(done.output) and lab.gateway.master_key not in done.output


@pytest.mark.parametrize("action", ["provision", "extend", "rotate", "destroy"])
def test_check_mode_predicts_the_files_that_change(lab: WorkloadLab, action: str) -> None:
    lab.act("provision", output_dir=str(lab.folder), **LOUD)
    variables = {"output_dir": str(lab.folder), **LOUD, f"{P}extend_for": "90d", f"{P}max_budget": 1, f"{P}spend_receipt": False}
    before = {path: path.read_text() for path in lab.folder.glob("*-user-*.yaml")}
    predicted = lab.act(action, "--check", **variables).changed
    assert {path: path.read_text() for path in lab.folder.glob("*-user-*.yaml")} == before
    assert lab.act(action, **variables).changed == predicted


# ------------------------------------------------------------------------------------------------- what users are told
def messages(lab: WorkloadLab) -> list[str]:
    found: list[str] = yaml.safe_load((lab.folder / "provision-user-info.yaml").read_text())
    return found


def test_a_changed_package_does_not_promise_a_longer_life(lab: WorkloadLab) -> None:
    loud = {"output_dir": str(lab.folder), **LOUD}
    lab.act("provision", **loud, **{f"{P}duration": "1d"})
    end = f"{lab.row['expires'][:19]}Z"
    facts = lab.catalog_item("provision", **loud, **{f"{P}duration": "90d"})
    assert (facts["litellm_key_duration"], facts["litellm_key_expires"]) == ("1d", end)
    data = lab.user_data()
    assert (data["litellm_key_duration"], data["litellm_key_expires"]) == ("1d", end)
    assert [line for line in messages(lab) if line.startswith("Key ")] == ["Key Duration: 1d", f"Key Expires: {end}"]


@pytest.mark.parametrize("users", [1, 2])
def test_after_a_rotation_nothing_tells_the_dead_value(lab: WorkloadLab, playbook: Playbooks, users: int) -> None:
    loud = {"output_dir": str(lab.folder), "num_users": users, **LOUD}
    lab.act("provision", **loud)
    old = set(KEY.findall((lab.folder / "provision-user-data.yaml").read_text()))
    lab.act("rotate", **loud)
    lab.act("rotate", **loud)
    saved = (lab.folder / "provision-user-data.yaml").read_text() + (lab.folder / "provision-user-info.yaml").read_text()
    living = set(KEY.findall(saved))
    assert len(living) == users and not living & old
    assert [lab.gateway.chat(value).status_code for value in living] == [200] * users
    user = {"user": "user1"} if users > 1 else {}
    lookup = f"lookup('rhpds.litellm_virtual_keys.agnosticd_user_data', 'litellm_virtual_key'{', user=user' if user else ''})"
    profile = "ocp4_workload_litellm_bastion_profile_"
    settings = {f"{profile}path": str(lab.folder / "profile.sh"), f"{profile}become": False, f"{profile}user": user.get("user", "")}
    tasks = [
        {"ansible.builtin.assert": {"that": f"{lookup} in living"}},
        {
            "ansible.builtin.include_role": {
                "name": ROLE.replace("virtual_keys.ocp4_workload_litellm_virtual_keys", "virtual_keys.ocp4_workload_litellm_bastion_profile")
            }
        },
    ]
    book = lab.folder / "look_up.yml"
    book.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    values = {f"{profile}models": "a", f"{profile}url": "b"}
    playbook(book, {"living": sorted(living), "output_dir": str(lab.folder), **user, **settings, **values})
    assert KEY.findall((lab.folder / "profile.sh").read_text())[0] in living
    facts = lab.catalog_item("provision", **loud)
    assert facts["litellm_virtual_key"] in living
    lines = messages(lab)
    assert len([line for line in lines if line.startswith("LiteLLM Virtual Key:")]) == (1 if users == 1 else 0)
    assert len(lines) == len({line.partition(":")[0] for line in lines}), lines


def test_an_extension_moves_the_end_that_users_are_told(lab: WorkloadLab) -> None:
    loud = {"output_dir": str(lab.folder), "num_users": 2, **LOUD}
    lab.act("provision", **loud)
    facts = lab.catalog_item("extend", **loud, **{f"{P}extend_for": "60d"})
    ends = {f"{row['expires'][:19]}Z" for row in lab.rows.values()}
    data = lab.user_data()
    assert {facts["litellm_key_expires"], *(own["litellm_key_expires"] for own in data["users"].values())} == ends
    assert f"Key Expires: {data['litellm_key_expires']}" in messages(lab) and data["litellm_key_expires"] in ends
    assert datetime.fromisoformat(data["litellm_key_expires"]) - datetime.now(UTC) > timedelta(days=59)
    assert all("litellm_virtual_key" in own for own in data["users"].values()), "nothing else is touched"
    assert json.dumps(facts["_litellm_user_data"]).count("sk-") == 2


def test_a_second_provision_leaves_no_line_that_is_not_true(lab: WorkloadLab) -> None:
    loud = {"output_dir": str(lab.folder), **LOUD}
    lab.act("provision", num_users=2, **loud)
    lab.act("provision", num_users=3, **loud, **{f"{P}models": [GRANITE]})
    lines = messages(lab)
    assert [line for line in lines if line.startswith(("Created", "Available"))] == ["Created 3 virtual keys", f"Available Models: {GRANITE}"]
    assert lab.act("provision", num_users=3, **loud, **{f"{P}models": [GRANITE]}).changed == 0
    assert messages(lab) == lines
