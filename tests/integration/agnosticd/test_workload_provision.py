# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The role ocp4_workload_litellm_virtual_keys on the real gateway: the keys, limits and lifetimes that provisioning gives."""

from __future__ import annotations

from datetime import timedelta

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.agnosticd.workload_lab import (
    GRANITE,
    LLAMA,
    MISTRAL,
    QUIET,
    P,
    about,
    ends_in,
)
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import MODEL_REFUSED, ON_THE_PINNED_RELEASE


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
    assert lab.gateway.chat(facts["litellm_virtual_key"], LLAMA).status_code == (200 if LLAMA in models else MODEL_REFUSED)


def test_the_default_package_is_ai_developer_and_the_requester_owns_the_key(lab):
    lab.catalog_item("provision", requester_email="ann@example.com", env_type="prod", catalog_item="rag-lab")
    assert lab.row["models"] == [GRANITE, MISTRAL]
    assert lab.row["user_id"] == "ann@example.com"
    assert lab.row["metadata"] | {"litellm_virtual_keys": None} == {
        "guid": lab.guid,
        "created_by": "babylon",
        "environment": "prod",
        "owner": "ann@example.com",
        "catalog_item": "rag-lab",
        "litellm_virtual_keys": None,
    }


def test_without_a_requester_the_lab_owns_the_key(lab):
    lab.act("provision")
    assert lab.row["user_id"] == f"{lab.guid}@lab.opentlc.com"


@ON_THE_PINNED_RELEASE  # 1.82.6 does not take the period of a budget away
def test_the_limits_of_a_package_are_set_and_removed_with_it(lab):
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


def test_models_duration_and_budget_of_the_caller_override_the_package(lab):
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


def test_former_users_are_removed_only_on_request(lab):
    lab.act("provision", num_users=3)
    lab.act("provision", num_users=2)
    assert len(lab.rows) == 3
    lab.act("provision", num_users=2, **{f"{P}remove_former_users": True})
    assert sorted(lab.rows) == [f"virtkey-{lab.guid}-user1", f"virtkey-{lab.guid}-user2"]


def test_each_tenant_has_an_alias_and_on_request_user_data_of_its_own(lab):
    loud = {**dict.fromkeys(QUIET, True), f"{P}user_info_tenants": True}
    for tenant in ("anna", "ann"):
        lab.act("provision", ocp4_workload_tenant_keycloak_username=tenant, num_users=5, output_dir=str(lab.folder), **loud)
    assert sorted(lab.rows) == [f"virtkey-{lab.guid}-ann", f"virtkey-{lab.guid}-anna"]
    data = lab.user_data()
    users = data["users"]
    assert data["litellm_virtual_key"] == users["ann"]["litellm_virtual_key"], "the lab's data are those of the last tenant"
    assert users["ann"]["litellm_virtual_key"] != users["anna"]["litellm_virtual_key"]
    lab.act("extend", ocp4_workload_tenant_keycloak_username="ann", output_dir=str(lab.folder), **loud, **{f"{P}extend_for": "60d"})
    assert "valid until" in lab.user_data("extend")["users"]["ann"]["msg"]
    assert not (lab.folder / "extend-user-info.yaml").exists()
    lab.act("destroy", ocp4_workload_tenant_keycloak_username="ann", num_users=5)
    assert sorted(lab.rows) == [f"virtkey-{lab.guid}-anna"]
    lab.act("destroy")
    assert not lab.rows


def test_fault_04_an_alias_of_another_lab_is_an_error_and_no_user_gets_the_key_of_the_next(lab):
    """virtkey-abc-user1 may belong to user1 of the lab abc, or be the key of the lab abc-user1. Neither lab changes the other's key."""
    lab.act("provision", guid=f"{lab.guid}-user1")
    lab.act("provision", num_users=2, check=False)
    assert lab.run.returncode != 0
    assert f"belongs to the lab {lab.guid}-user1" in lab.run.output
    assert sorted(lab.rows) == [f"virtkey-{lab.guid}-user1"]
    lab.act("destroy")
    assert sorted(lab.rows) == [f"virtkey-{lab.guid}-user1"]
