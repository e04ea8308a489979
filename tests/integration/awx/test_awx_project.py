# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The playbooks of the project for AWX, run as a job of AWX runs them: with the variables of the template, and in a workflow or not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import Desk, Wish
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import IN_REVIEW
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.transitions import decide
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import PlaybookRun, Playbooks

PROJECT = Path(__file__).parents[3] / "roles" / "awx_catalog" / "files" / "project"
AT = "2026-11-21T04:00:00Z"
Job = Callable[..., PlaybookRun]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(DirectoryStore(str(tmp_path / "requests")))


@pytest.fixture
def job(playbook: Playbooks, tmp_path: Path) -> Job:
    """Run a playbook of the project with the variables of its template."""

    def job(name: str, **variables: Any) -> PlaybookRun:
        store = {"key_requests_store": "file", "key_requests_directory": str(tmp_path / "requests")}
        return playbook(PROJECT / f"{name}.yml", {**store, **variables}, check=False)

    return job


def ask(desk: Desk, *, review: bool) -> str:
    record = desk.ask(Wish("ada@example.com", models=("gpt-4",))).after
    assert record is not None
    if review:
        desk.store.transition(record, lambda each: decide(each, IN_REVIEW, by="rules", at=AT))
    return record.id


def test_the_workflow_asks_a_person_when_the_rules_or_the_circumstances_want_one(desk: Desk, job: Job) -> None:
    """The gateway was down for a moment, so the request is still pending: without a failure the workflow would end, and nobody would be asked."""
    request_id = ask(desk, review=False)
    pending = job("waiting", request_id=request_id, pending_wait=1)
    assert pending.returncode != 0 and f"Request {request_id} could not be decided by a pass; the next step" in " ".join(pending.output.split())
    review = ask(desk, review=True)
    waits = job("waiting", request_id=review, pending_wait=1)
    assert waits.returncode != 0 and f"Request {review} waits for a person; the next step" in " ".join(waits.output.split())
    desk.approve(review, by="grace")
    assert job("waiting", request_id=review, pending_wait=1).returncode == 0


def test_a_second_workflow_undoes_no_decision_and_a_person_may(desk: Desk, job: Job) -> None:
    request_id = ask(desk, review=True)
    in_workflow = {"awx_workflow_job_id": 7, "key_requests_undecided": "{{ awx_workflow_job_id is defined }}"}
    assert job("approve", request_id=request_id, **in_workflow).returncode == 0
    late = job("deny", request_id=request_id, reason="nobody answered", **in_workflow)
    assert late.returncode == 0 and "It was approved before, so nothing was changed." in " ".join(late.output.split())
    assert desk.find(request_id).state == "approved"
    by_hand = {name: value for name, value in in_workflow.items() if name != "awx_workflow_job_id"}
    assert job("deny", request_id=request_id, reason="a mistake", **by_hand).returncode == 0
    assert desk.find(request_id).state == "denied"
