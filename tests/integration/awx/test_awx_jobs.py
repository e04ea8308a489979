# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Jobs of the catalogue against the real gateway, with the variables and the environment that AWX gives to them.

Optional questions are left unanswered, so texts reach the playbooks as empty strings; so do the fields of credentials that are not set.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import Desk as Counter
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import Wish
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import IN_REVIEW
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.transitions import decide
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.awx.catalogue import PROJECT
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.requests.desk import Desk
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import PlaybookRun, Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import IN_COLD_RUNS, Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.live import GRANITE, MISTRAL, SECRET, Live
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.awx import Awx, Refused

AT = "2026-11-21T04:00:00Z"
WORKSHOP = {"labs": "package_workshop", "ocp4_workload_litellm_virtual_keys_extend_for": "168h", "ocp4_workload_litellm_virtual_keys_rotation_grace": "0s"}


class Jobs:
    """Starts jobs of templates of the catalogue. Requests are in a directory."""

    def __init__(self, awx: Awx, playbook: Playbooks, gateway: Gateway, requests: Path) -> None:
        self.awx, self.playbook, self.requests = awx, playbook, requests
        self.environment = {
            **awx.environment_of("LLM keys gateway"),
            "LITELLM_BASE_URL": gateway.url,
            "LITELLM_MASTER_KEY": gateway.master_key,
            "LITELLM_DERIVATION_SECRET": SECRET,
        }

    def __call__(
        self, template: str, answers: dict[str, Any], *arguments: str, check: bool = True, workflow: dict[str, Any] | None = None, **environment: str
    ) -> PlaybookRun:
        variables = self.awx.launched(f"LLM keys: {template}", answers, **(workflow or {}))
        if "key_requests_store" in variables:
            variables |= {"key_requests_store": "file", "key_requests_directory": str(self.requests)}
        playbook = self.awx.named("job_templates", f"LLM keys: {template}")["playbook"]
        return self.playbook(PROJECT / playbook, variables, *arguments, check=check, environment={**self.environment, **environment})


@pytest.fixture
def jobs(made: Awx, playbook: Playbooks, gateway: Gateway, tmp_path: Path) -> Jobs:
    return Jobs(made, playbook, gateway, tmp_path / "queue")


def words(run: PlaybookRun) -> str:
    return " ".join(run.output.split())


def test_a_class_is_checked_and_its_usage_shown_with_empty_answers(live: Live, jobs: Jobs) -> None:
    live.lab("user1", "user2")
    assert "Go: 2 keys work" in jobs("check a class", {"guid": live.name, "num_users": 2}).output
    too_few = jobs("check a class", {"guid": live.name, "num_users": 3, "models": f"{GRANITE},{MISTRAL}", "min_budget": "0"}, check=False)
    assert too_few.returncode != 0 and "there are 2 keys and the class needs 3" in words(too_few)
    shown = jobs("stats", {"by": "key", "since": "1d", "output": "table", "guid": live.name})
    assert "TOTAL" in shown.output
    assert any(f"{number} rows" in shown.output for number in (0, 1, 2)), "the check has called models, which LiteLLM counts when it likes"
    assert "failed=0" in jobs("report", {"since": "7d"}).output


CHOICES = {"all_keys": "false", "on_unrecoverable": "leave", "retire_source": "false"}


def target_of(jobs: Jobs, gateway: Gateway) -> dict[str, str]:
    """Return the environment of a job with the credential for the target, which is this gateway."""
    environment = dict(zip(sorted(jobs.awx.environment_of("LLM keys target gateway")), (gateway.url, gateway.master_key), strict=True))
    assert set(environment) == {"LITELLM_TARGET_BASE_URL", "LITELLM_TARGET_MASTER_KEY"}
    return environment


def test_keys_move_to_the_gateway_of_the_target_credential(live: Live, gateway: Gateway, jobs: Jobs) -> None:
    credentials = jobs.awx.linked[("job_templates", jobs.awx.named("job_templates", "LLM keys: migrate")["id"], "credentials")]
    assert {jobs.awx.objects["credentials"][each]["name"] for each in credentials} == {"LLM keys gateway", "LLM keys target gateway"}
    nothing = jobs("migrate", CHOICES, check=False, **target_of(jobs, gateway))
    assert "none of guid, package and all_keys given" in words(nothing)
    itself = jobs("migrate", {**CHOICES, "guid": live.name}, check=False, **target_of(jobs, gateway))
    assert "target.url is the address of the source; give another gateway" in words(itself)


@IN_COLD_RUNS
def test_a_lab_moves_and_is_retired(live: Live, other_gateway: Gateway, jobs: Jobs) -> None:
    value = live.lab()["virtual_keys"][0]["value"]
    there = Live(other_gateway, live.name)
    target = target_of(jobs, other_gateway)
    try:
        jobs("migrate", {**CHOICES, "guid": live.name}, **target)
        assert there.works(value) and live.works(value)
        jobs("migrate", {**CHOICES, "guid": live.name, "retire_source": "true"}, **target)
        assert there.works(value) and not live.rows
    finally:
        there.clean()


def test_a_lab_of_release_1_3_2_is_adopted(live: Live, jobs: Jobs) -> None:
    live.gateway.post("/key/generate", key_alias=live.alias(), models=[GRANITE], metadata={"guid": live.name}, key=f"sk-by-hand-{live.name}")
    assert jobs("adopt a lab's keys", {"guid": live.name}).changed > 0
    assert live.rows[live.alias()]["metadata"]["litellm_virtual_keys"]["guid"] == live.name


@pytest.fixture
def labs(live: Live) -> list[str]:
    """Three labs with the test's name in their GUIDs, of which the last is no workshop."""
    names = [f"{live.name}{letter}" for letter in "abc"]
    for name in names:
        live.run_ok("virtual_keys", guid=name, keys=[{}], models=[GRANITE], duration="1d", package=f"w{live.name}" if name != names[2] else "other")
    return names


def test_the_labs_of_a_group_are_acted_on_in_slices(live: Live, labs: list[str], jobs: Jobs) -> None:
    answers = {**WORKSHOP, "labs": f"package_w{live.name}"}
    template = jobs.awx.named("job_templates", "LLM keys: act on labs")
    assert template["job_slice_count"] == 4 and template["ask_limit_on_launch"]

    def blocked() -> list[bool]:
        return [bool(row["blocked"]) for _alias, row in sorted(live.rows.items())]

    first = jobs("act on labs", {**answers, "lab_action": "stop"}, "-i", str(PROJECT / "labs.yml"), "--limit", f"virtkey-{labs[0]}")
    assert blocked() == [True, False, False] and f"virtkey-{labs[1]}" not in first.output
    jobs("act on labs", {**answers, "lab_action": "stop"}, "-i", str(PROJECT / "labs.yml"))
    assert blocked() == [True, True, False]
    jobs("act on labs", {**answers, "lab_action": "start"}, "-i", str(PROJECT / "labs.yml"))
    assert not any(blocked())
    before = {alias: row["expires"] for alias, row in live.rows.items()}
    jobs("act on labs", {**answers, "lab_action": "extend"}, "-i", str(PROJECT / "labs.yml"))
    assert [live.rows[alias]["expires"] > end for alias, end in sorted(before.items())] == [True, True, False]
    empty_slice = jobs("act on labs", {**answers, "lab_action": "stop", "labs": "package_of_nobody"}, "-i", str(PROJECT / "labs.yml"))
    assert empty_slice.returncode == 0 and not any(blocked())


def test_many_labs_cannot_be_destroyed_at_once_or_taken_for_another(live: Live, labs: list[str], jobs: Jobs) -> None:
    with pytest.raises(Refused, match="destroy"):
        jobs("act on labs", {**WORKSHOP, "lab_action": "destroy"})
    variables = {"labs": f"virtkey-{labs[0]}", "lab_action": "stop"}
    for wrong in ({"lab_action": "destroy"}, {"guid": labs[2]}, {"labs": "localhost"}):
        run = jobs.playbook("each_lab", {**variables, **wrong}, "-i", str(PROJECT / "labs.yml"), check=False, environment=jobs.environment)
        assert run.returncode != 0 and "Give in lab_action one of extend, stop, start, rotate and adopt" in words(run)
    run = jobs.playbook("each_lab", {**variables, "labs": ""}, "-i", str(PROJECT / "labs.yml"), check=False, environment=jobs.environment)
    assert run.returncode != 0 and "Give in labs a group of the inventory" in words(run)
    assert not any(row["blocked"] for row in live.rows.values())


def test_operators_renew_withdraw_retry_and_show_requests(desk: Desk, unique: str, jobs: Jobs) -> None:
    ada, bob = f"ada-{unique}@company.com", f"bob-{unique}@company.com"
    first = desk.ask(ada)
    desk.process()
    second = desk.ask(bob)
    for template, again in (("extend a request", False), ("renew a request", True)):
        jobs(template, {"request_id": first, "again": "true" if again else "false"})
    (renewal,) = [each for each in desk.module("key_request_info")["requests"] if each["renews"] == first]
    assert renewal["state"] == "pending"
    nothing_failed = jobs("retry a request", {"request_id": second}, check=False)
    assert nothing_failed.returncode != 0 and "is pending, and nothing about it has failed" in words(nothing_failed)
    jobs("withdraw a request", {"request_id": second})
    assert desk.request(second)["state"] == "denied" and "Cancelled by the requester." in str(desk.request(second))
    shown = jobs("show requests", {"filter": "pending", "output": "table"})
    assert ada in shown.output and bob not in shown.output
    audit = jobs("show requests", {"filter": "all", "output": "audit"})
    assert second in audit.output and "Cancelled by the requester." in audit.output


@pytest.fixture
def counter(jobs: Jobs) -> Counter:
    return Counter(DirectoryStore(str(jobs.requests)))


def in_review(counter: Counter, **wish: Any) -> str:
    record = counter.ask(Wish("ada@example.com", models=(GRANITE, MISTRAL), **wish)).after
    assert record is not None
    counter.store.transition(record, lambda each: decide(each, IN_REVIEW, by="rules", at=AT))
    return record.id


def test_an_approver_changes_terms_by_the_survey(counter: Counter, jobs: Jobs) -> None:
    request_id = in_review(counter, duration="30d")
    with pytest.raises(Refused, match="expected to be one of"):
        jobs("approve", {"request_id": request_id, "models": ["gpt-5"]})
    jobs("approve", {"request_id": request_id, "models": [GRANITE], "max_budget": "2.5", "rpm_limit": "10", "duration": "7d", "reason": "try it first"})
    found = counter.find(request_id)
    assert found.state == "approved"
    assert found.granted == {"models": [GRANITE], "max_budget": 2.5, "rpm_limit": 10, "duration": "7d"}


def test_what_a_requester_answered_is_not_what_an_approver_grants(counter: Counter, jobs: Jobs) -> None:
    """AWX gives the answers to a workflow's survey to each of its jobs, stronger than the variables of their templates."""
    request_id = in_review(counter)
    handed = {"awx_workflow_job_id": 7, "request_id": request_id, "package": "dev", "purpose": "", "duration": "900d"}
    jobs("approve", {}, workflow=handed)
    found = counter.find(request_id)
    assert found.state == "approved" and found.granted == {}
