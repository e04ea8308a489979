# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The arguments of the modules of awx.awx, and the meaning of their answers."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.awx import (
    contents_of_organization,
    forgive_missing,
    legible_options,
    module_calls,
    module_options,
)

MISSING = {"failed": True, "msg": "Request to /api/v2/organizations/?name=x returned 0 items, expected 1"}


def node(identifier: str, kind: str = "job_template", **related: list[str]) -> dict[str, Any]:
    template = {"type": kind, "name": identifier.upper(), "organization": {"name": "o"}, "timeout": 9}
    return {
        "identifier": identifier,
        "unified_job_template": template,
        "related": {name: [{"identifier": each} for each in afters] for name, afters in related.items()},
    }


def test_an_object_is_removed_by_the_options_that_find_it() -> None:
    credential = {"name": "n", "organization": "o", "credential_type": "t", "inputs": {"key": "secret"}}
    assert module_options("credential", credential, "absent") == {"name": "n", "organization": "o", "credential_type": "t", "state": "absent"}
    assert module_options("execution_environment", {"name": "n", "organization": "o", "image": "i"}, "absent") == {"name": "n", "state": "absent"}
    role = {"role": "execute", "teams": ["t"], "workflows": ["w"], "lookup_organization": "o"}
    assert module_options("role", role, "absent") == {**role, "state": "absent"}


@pytest.mark.parametrize(
    ("state", "check", "failed", "changed"),
    [("present", False, True, None), ("present", True, False, True), ("absent", False, False, False), ("absent", True, False, False)],
)
def test_failures_because_of_missing_objects(state: str, check: bool, failed: bool, changed: bool | None) -> None:
    result = forgive_missing(MISSING, state, check)
    assert (result["failed"], result.get("changed")) == (failed, changed)


def test_other_failures_stay_failures() -> None:
    assert forgive_missing({"failed": True, "msg": "Invalid authentication credentials"}, "absent", True)["failed"]


def test_nodes_are_created_after_their_successors_and_an_approval_before_its_links() -> None:
    nodes = [node("a", success_nodes=["b"]), node("b", "workflow_approval", success_nodes=["c"], failure_nodes=["d"]), node("c"), node("d")]
    calls = module_calls("workflow_job_template", {"name": "w", "organization": "o", "workflow_nodes": nodes}, "present")
    assert calls[0] == ("workflow_job_template", {"name": "w", "organization": "o", "state": "present"})
    arguments = [options for _module, options in calls[1:]]
    assert {each["identifier"] for each in arguments[:2]} == {"c", "d"}
    assert [each["identifier"] for each in arguments[2:]] == ["b", "b", "a"]
    assert arguments[2]["approval_node"] == {"name": "B", "timeout": 9} and "success_nodes" not in arguments[2]
    assert (arguments[3]["success_nodes"], arguments[3]["failure_nodes"]) == (["c"], ["d"]) and "approval_node" not in arguments[3]


@pytest.mark.parametrize(
    ("nodes", "words"),
    [([node("a", success_nodes=["z"])], "no node z"), ([node("a", success_nodes=["b"]), node("b", success_nodes=["a"])], "in a circle")],
)
def test_an_impossible_graph_is_refused(nodes: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        module_calls("workflow_job_template", {"name": "w", "workflow_nodes": nodes}, "present")


def test_an_organization_has_what_awx_counts_and_what_was_asked_for() -> None:
    organization = {"summary_fields": {"related_field_counts": {"users": 2, "admins": 0, "projects": 1}}}
    answers = [
        {"__awx_catalog_asked_kind": "labels", "json": {"count": 3}},
        {"__awx_catalog_asked_kind": "applications", "json": {"detail": "Not found."}},
        {"__awx_catalog_asked_kind": "projects", "json": {"count": 1}},
    ]
    assert contents_of_organization(organization, answers) == ["labels (3)", "projects (1)", "users (2)"]
    assert contents_of_organization({}, []) == []


def test_a_credential_is_asked_about_again_without_its_secrets() -> None:
    credential = {"name": "gateway", "credential_type": "gateway", "inputs": {"smtp_user": "x"}}
    assert legible_options("credential", credential) == {"name": "gateway", "credential_type": "gateway"}
    assert legible_options("credential", {**credential, "inputs": {}}) is None
    assert legible_options("team", {"name": "gateway", "inputs": "x"}) is None
