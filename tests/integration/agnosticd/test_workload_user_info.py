# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The role ocp4_workload_litellm_virtual_keys on the real gateway: the messages, user data and facts that it publishes."""

from __future__ import annotations

import json
from datetime import timedelta

import yaml
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.agnosticd.workload_lab import (
    GRANITE,
    KEY,
    LLAMA,
    MISTRAL,
    QUIET,
    P,
    about,
    ends_in,
)


def test_user_info_of_one_key(lab):
    loud = dict.fromkeys(QUIET, True)
    facts = lab.catalog_item("provision", output_dir=str(lab.folder), **{f"{P}user_info_messages": ["Key {{ litellm_key_alias }} is yours"], **loud})
    assert yaml.safe_load((lab.folder / "provision-user-info.yaml").read_text()) == [
        f"LiteLLM API Endpoint: {lab.gateway.url}/v1",
        f"LiteLLM Virtual Key: {facts['litellm_virtual_key']}",
        f"Available Models: {GRANITE}, {MISTRAL}",
        "Key Duration: 30d",
        f"Key Expires: {facts['litellm_key_expires']}",
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
        "litellm_key_expires": f"{lab.row['expires'][:19]}Z",
        "litellm_subscription_package": "ai-developer",
    }


def test_user_info_of_many_keys_gives_each_user_their_own(lab):
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
    events = [line for line in lab.run.output.splitlines() if "=> (item=user" in line]
    for number, event in zip((1, 2), events, strict=True):
        assert f'"user": "user{number}"' in event
        assert set(KEY.findall(event)) == {facts["_litellm_user_data"][f"litellm_user{number}_virtual_key"]}


def test_rotate_and_extend_publish_messages_and_data_of_the_keys_only(lab):
    loud = {**dict.fromkeys(QUIET, True), "output_dir": str(lab.folder)}
    lab.act("provision", num_users=2, **{f"{P}duration": "2d"})
    lab.act("rotate", **loud)
    assert yaml.safe_load((lab.folder / "rotate-user-info.yaml").read_text()) == ["New values for 2 virtual keys"]
    data = lab.user_data("rotate")
    assert data.keys() == {"litellm_key_expires", "litellm_user_count", "users"}
    parts = {"litellm_virtual_key", "litellm_key_alias", "litellm_key_id", "litellm_key_expires", "litellm_user_email"}
    assert all(own.keys() == parts for own in data["users"].values())
    lab.act("extend", agnosticd_user_info={"runtime": 90}, **loud)
    (message,) = yaml.safe_load((lab.folder / "extend-user-info.yaml").read_text())
    ends = min(row["expires"] for row in lab.rows.values())
    assert message == f"LiteLLM Virtual Keys valid until {ends[:19]}Z"
    assert all(about(ends_in(row), timedelta(hours=90)) for row in lab.rows.values())


def test_with_both_switches_off_the_keys_are_in_the_facts_only(lab):
    facts = lab.catalog_item("provision", output_dir=str(lab.folder))
    assert not list(lab.folder.glob("provision-user-*"))
    assert KEY.fullmatch(facts["litellm_virtual_key"])


def test_facts_without_the_key(lab):
    facts = lab.catalog_item("provision", num_users=2, **{f"{P}store_key_in_facts": False})
    assert not KEY.search(json.dumps(facts))
    assert facts["litellm_key_alias"] == f"virtkey-{lab.guid}-user1"


def test_fault_16_the_docling_endpoint_is_the_same_everywhere(lab, playbook):
    loud = dict.fromkeys(QUIET, True)
    lab.act("provision", num_users=2, output_dir=str(lab.folder), **loud, **{f"{P}include_docling": True, f"{P}docling_model": LLAMA})
    endpoint = f"{lab.gateway.url}/docling/v1/convert/source"
    data = lab.user_data()
    assert f"Docling Endpoint: {endpoint}" in yaml.safe_load((lab.folder / "provision-user-info.yaml").read_text())
    assert data["litellm_docling_endpoint"] == data["users"]["user2"]["litellm_docling_endpoint"] == endpoint
    assert data["litellm_docling_model"] == LLAMA
    assert all(row["models"] == [GRANITE, MISTRAL, LLAMA] for row in lab.rows.values())
