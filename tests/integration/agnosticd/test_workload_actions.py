# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The role ocp4_workload_litellm_virtual_keys on the real gateway: its other actions, check mode, and what a catalog item may pass."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.agnosticd.workload_lab import (
    GRANITE,
    KEY,
    LLAMA,
    MISTRAL,
    QUIET,
    ROLE,
    P,
    WorkloadLab,
    about,
    ends_in,
)
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import RELEASE


def test_faults_09_and_10_extend_moves_every_end_forward_and_never_back(lab):
    lab.act("provision", num_users=2, **{f"{P}duration": "2d"})
    lab.act("extend")  # a week
    assert all(about(ends_in(row), timedelta(days=7)) for row in lab.rows.values())
    rows = lab.rows
    lab.act("extend", **{f"{P}extend_for": "3d"})
    assert lab.run.changed == 0
    assert lab.rows == rows
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=20)
    lab.act("extend", **{f"{P}extend_until": until.isoformat()})
    assert all(about(ends_in(row), timedelta(days=20)) for row in lab.rows.values())


def test_rotate_gives_new_values_under_the_old_aliases(lab):
    loud = dict.fromkeys(QUIET, True)
    before = lab.catalog_item("provision", num_users=2, output_dir=str(lab.folder), **loud)["_litellm_user_data"]
    lab.act("rotate", output_dir=str(lab.folder), **loud, **{f"{P}rotation": "one"})
    assert len(lab.rows) == 2
    after = {name: own["litellm_virtual_key"] for name, own in lab.user_data("rotate")["users"].items()}
    for number in (1, 2):
        old, new = before[f"litellm_user{number}_virtual_key"], after[f"user{number}"]
        assert (lab.gateway.chat(old).status_code, lab.gateway.chat(new).status_code) == (401, 200)
    lab.act("rotate", **{f"{P}rotation": "one"})
    assert lab.run.changed == 0
    assert lab.catalog_item("provision", num_users=2)["litellm_virtual_key"] == after["user1"]


def test_rotate_lets_the_old_value_live_for_the_grace_period(lab):
    old = lab.catalog_item("provision")["litellm_virtual_key"]
    lab.act("rotate", **{f"{P}rotation_grace": "1h"})
    new = lab.catalog_item("provision")["litellm_virtual_key"]
    assert new != old
    assert (lab.gateway.chat(old).status_code, lab.gateway.chat(new).status_code) == (200, 200)
    lab.act("destroy")
    assert (lab.gateway.chat(old).status_code, lab.gateway.chat(new).status_code) == (401, 401)


def test_stop_and_start(lab):
    key = lab.catalog_item("provision")["litellm_virtual_key"]
    for action, status in (("stop", 401), ("start", 200)):
        lab.playbook(_action(lab, action), {"guid": lab.guid, **lab.gateway.variables})
        assert lab.gateway.chat(key).status_code == status


def _action(lab: WorkloadLab, action: str) -> Path:
    play = lab.folder / f"{action}.yml"
    play.write_text(
        yaml.safe_dump(
            [
                {
                    "hosts": "localhost",
                    "gather_facts": False,
                    "vars": {"ACTION": action},
                    "roles": [{"role": ROLE}],
                }
            ]
        )
    )
    return play


def test_fault_01_destroy_deletes_every_key_of_the_guid_and_reports_it(lab):
    key = lab.catalog_item("provision")["litellm_virtual_key"]
    lab.act("provision", num_users=12)
    facts = lab.catalog_item("remove")
    assert (facts["litellm_key_deleted"], facts["litellm_key_was_missing"]) == (True, False)
    assert len(facts["litellm_revocation"]["proven"]) == 13 and facts["litellm_revocation"]["proof"] == "quick"
    assert re.search(r"Revocation: 13 proven in [0-9.]+ s \(quick\)\.", lab.run.output)
    assert not lab.rows
    assert lab.gateway.chat(key).status_code == 401
    facts = lab.catalog_item("destroy")
    # 1.82.6 searches its deleted keys for whole aliases only, once they are more than a page, and this run names one.
    again = len(facts["litellm_revocation"]["proven"])
    assert again == 13 or (RELEASE and again == 1), "a run that is made again proves it again"
    assert (facts["litellm_key_deleted"], facts["litellm_key_was_missing"]) == (False, True)


def test_every_action_that_deletes_proves_it_as_asked(lab):
    asked = {"litellm_proof": "none", "litellm_proof_timeout": 30}
    lab.catalog_item("provision", num_users=3)
    for action, variables in (
        ("provision", {"num_users": 2, f"{P}remove_former_users": True}),
        ("rotate", {f"{P}rotation": "a"}),
        ("destroy", {f"{P}delete_method": "by_key_id"}),
        ("destroy", {}),
    ):
        key_id = next(iter(lab.rows.values()))["token"]
        facts = lab.catalog_item(action, **asked, **variables, **{f"{P}key_id": key_id})
        assert facts["litellm_revocation"]["proof"] == "none" and facts["litellm_revocation"]["listed_only"], (action, variables)
    assert not lab.rows


def test_destroying_with_another_secret_says_that_only_the_list_shows_it(lab):
    lab.act("provision", num_users=2)
    facts = lab.catalog_item("destroy", litellm_derivation_secret="not the secret of this lab")
    assert len(facts["litellm_revocation"]["listed_only"]) == 2 and facts["litellm_revocation"]["proven"] == []
    output = " ".join(lab.run.output.split())
    assert "Revocation: 2 only by the gateway's list." in output and "2 values, that of" in output and "cannot be derived" in output
    assert not lab.rows


def test_fault_02_a_gateway_that_is_down_is_an_error(lab):
    lab.act("provision")
    run = lab.act("destroy", check=False, litellm_url="http://127.0.0.1:9", **{f"{P}retry_count": 0})
    assert run.returncode != 0
    assert "no answer from http://127.0.0.1:9" in run.output
    assert len(lab.rows) == 1


def test_fault_05_nothing_is_published_when_keys_cannot_be_made(lab):
    loud = dict.fromkeys(QUIET, True)
    run = lab.act("provision", check=False, num_users=2, output_dir=str(lab.folder), litellm_url="http://127.0.0.1:9", **loud, **{f"{P}retry_count": 0})
    assert run.returncode != 0
    assert "no answer from http://127.0.0.1:9" in run.output
    assert not list(lab.folder.glob("provision-user-*"))


def test_fault_06_no_other_collection_is_needed(lab):
    alone = {"ANSIBLE_COLLECTIONS_PATH": os.environ["ANSIBLE_COLLECTIONS_PATH"].split(os.pathsep)[0]}
    assert not (Path(alone["ANSIBLE_COLLECTIONS_PATH"]) / "ansible_collections" / "kubernetes").exists()
    for action in ("provision", "destroy"):
        lab.playbook(action, {"guid": lab.guid, **lab.gateway.variables, **QUIET}, environment=alone)
        assert len(lab.rows) == (1 if action == "provision" else 0)


def test_fault_11_every_variable_has_an_effect():
    role = Path(__file__).parents[3] / "roles" / "ocp4_workload_litellm_virtual_keys"
    described = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]["workload"]["options"]
    checks = Path(__file__).parents[3] / "plugins" / "plugin_utils" / "workload"
    used = "".join(path.read_text() for folder in ("tasks", "vars", "templates", "defaults") for path in (role / folder).glob("*"))
    read = "".join((checks / f"{name}.py").read_text() for name in ("settings", "terms"))
    for name in described:
        assert re.search(rf"\b{name}\b(?!:)", used) or re.search(rf'"{name.removeprefix(P)}"', read), f"{name} is documented, but nothing reads it"


def test_fault_13_many_users_get_all_that_one_gets(lab):
    variables = {f"{P}max_budget": 2, f"{P}include_docling": True, f"{P}docling_model": LLAMA, f"{P}alias_format": "virtkey-{{ guid }}-blue"}
    facts = lab.catalog_item("provision", num_users=2, agnosticd_user_info={"runtime": 5}, **variables)
    assert sorted(lab.rows) == [f"virtkey-{lab.guid}-blue-user1", f"virtkey-{lab.guid}-blue-user2"]
    for row in lab.rows.values():
        assert (row["max_budget"], row["models"]) == (2.0, [GRANITE, MISTRAL, LLAMA])
        assert about(ends_in(row), timedelta(hours=5))
    assert facts["litellm_key_duration"] == "5h"


def test_fault_14_destroy_finds_users_who_are_not_counted_any_more(lab):
    lab.act("provision", num_users=3)
    lab.act("destroy", num_users=1)
    assert not lab.rows


def test_fault_15_twenty_new_keys_are_a_change(lab):
    assert lab.act("provision", num_users=20).changed == 1


def test_the_playbooks_for_trying_the_role_by_hand(lab):
    """Run them as tests/README.md and the seed's documents do."""
    folder = Path(__file__).parents[2]
    by_hand = {**lab.gateway.variables, "guid": lab.guid, "subscription_package": "ai-researcher"}
    lab.playbook(folder / "test_provision.yml", by_hand)
    assert lab.row["models"] == [GRANITE, MISTRAL, LLAMA]
    lab.playbook(folder / "test_destroy.yml", by_hand)
    assert not lab.rows


def test_agnosticd_action_overrides_action(lab):
    lab.act("provision")
    lab.catalog_item("provision", agnosticd_action="destroy")
    assert not lab.rows


def test_fault_08_destroy_by_key_id(lab):
    lab.act("provision", num_users=2)
    victim = lab.rows[f"virtkey-{lab.guid}-user2"]["token"]
    facts = lab.catalog_item("destroy", guid=None, **{f"{P}delete_method": "by_key_id", f"{P}key_id": victim})
    assert facts["litellm_key_deleted"]
    assert sorted(lab.rows) == [f"virtkey-{lab.guid}-user1"]


def test_in_a_play_that_becomes_root_on_localhost(lab, tmp_path):
    """Such as cloud-vms-base: the modules must still run as the user who runs Ansible."""
    facts = lab.catalog_item("provision", become=True, ansible_become_exe=str(tmp_path / "no-such-sudo"))
    assert KEY.fullmatch(facts["litellm_virtual_key"])


def test_extra_vars_of_a_catalog_item_do_not_replace_computed_values(lab):
    """Extra vars take precedence over set_fact, so the role must not store results under names that a catalog item may pass."""
    play = {"litellm_key_duration": "not this", f"{P}duration": "5d"}
    lab.act("provision", **play)
    assert about(ends_in(lab.row), timedelta(days=5))


def test_fault_15_check_mode_predicts_and_writes_nothing(lab):
    lab.act("provision", "--check", "--diff", num_users=3)
    assert lab.run.changed == 1
    assert not lab.rows
    lab.act("provision", num_users=3)
    rows = lab.rows
    for action in ("extend", "rotate", "destroy"):
        lab.act(action, "--check", "--diff", **{f"{P}extend_for": "60d"})
        assert lab.run.changed == 1, action
    assert lab.rows == rows


def test_fault_12_no_key_is_printed(lab):
    """Check -vvv, diffs and failures."""
    loud = {**dict.fromkeys(QUIET, True), "output_dir": str(lab.folder)}
    outputs = []
    for action, arguments, variables in (
        ("provision", ["-vvv", "--diff"], {"num_users": 3}),
        ("rotate", ["-vvv", "--diff"], {}),
        ("extend", ["-vvv", "--diff"], {}),
        ("provision", ["-vvv"], {"num_users": 3, f"{P}models": ["no-such-model"]}),
        ("destroy", ["-vvv", "--diff"], {}),
    ):
        outputs.append(lab.act(action, *arguments, check=False, **loud, **variables).output)
    values = {own["litellm_virtual_key"] for own in lab.user_data()["users"].values()}
    assert len(values) == 3
    assert not [path for path in lab.folder.glob("*-user-*") if path.stat().st_mode & 0o077]
    for output in outputs:
        assert lab.gateway.master_key not in output
        assert not KEY.search(output)


def test_a_receipt_belongs_to_one_lab(lab):
    lab.act("provision")
    lab.act("provision", guid=f"{lab.guid}-other")
    play = lab.folder / "two_labs.yml"
    roles = [{"role": ROLE, "vars": {"guid": lab.guid}}, {"role": ROLE, "vars": {"guid": f"{lab.guid}-other", f"{P}spend_receipt": False}}]
    tasks = [{"ansible.builtin.debug": {"msg": "The receipt is {{ litellm_spend_receipt }}."}}]
    play.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "vars": {"ACTION": "destroy"}, "roles": roles, "tasks": tasks}]))
    run = lab.playbook(play, lab.gateway.variables)
    assert f"The lab {lab.guid} has spent" in run.output
    assert "The receipt is {}." in run.output
    assert not lab.rows


def test_check_mode_names_no_receipt_that_it_does_not_write(lab):
    lab.act("provision")
    for arguments, named in ((["--check"], False), ([], True)):
        run = lab.act("destroy", *arguments, output_dir=str(lab.folder))
        assert (f"{lab.guid}-spend-receipt.json" in run.output) == named
        assert (lab.folder / f"{lab.guid}-spend-receipt.json").exists() == named
