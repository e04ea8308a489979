# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The actions `approval` and `policy_check` as playbooks run them, and a rule from somebody else's collection."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import PlaybookRun, Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.approval import Authority, serving

EXAMPLE_COLLECTIONS = Path(__file__).resolve().parents[2] / "collections"
SECRET = "Bearer t0p-s3cret"

# backend/config.yaml of the LLM Key Requestor, as in its README
SEED_CONFIG = """
approval_plugins:
  # Whitelist Plugin: Auto-approve specific model patterns
  - name: whitelist
    config:
      list:
        - "ollama/*"      # Approve all Ollama models
        - "llama-*"       # Approve all Llama models

  # Email Plugin: Approve/deny based on email domain
  - name: email
    config:
      pattern: "*@example.com"  # Only approve requests from example.com

  # Blacklist Plugin: Deny specific model patterns
  - name: blacklist
    config:
      list:
        - "grok/*"        # Deny all Grok models

  # HTTP Plugin: Query external service for approval
  - name: http
    config:
      endpoint: "https://api.example.com/approve"

  # Human in the Loop: Send email for manual approval
  - name: humanintheloop
    config:
      email: "admin@example.com"
      patterns:
        - "claude*"       # Require human approval for Claude models
        - "gpt-4*"        # Require human approval for GPT-4 models
"""


@pytest.fixture
def decide(playbook: Playbooks, tmp_path: Path) -> Any:
    """Run the action on a chain and requests, both as data from files, and return its result."""

    def run(rules: list[Any], requests: list[Any], *arguments: str, check: bool = True, **options: Any) -> tuple[dict[str, Any], PlaybookRun]:
        answer = tmp_path / "answer.json"
        (tmp_path / "requests.json").write_text(json.dumps(requests))
        (tmp_path / "vars.yml").write_text(yaml.safe_dump({"rules": rules, "options": options}))
        play = {
            "hosts": "localhost",
            "gather_facts": False,
            "vars_files": [str(tmp_path / "vars.yml")],
            "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"},
            "tasks": [
                {
                    "name": "Decide",
                    "rhpds.litellm_virtual_keys.approval": {
                        "rules": "{{ rules }}",
                        "requests": f"{{{{ lookup('ansible.builtin.file', '{tmp_path}/requests.json') | from_json }}}}",
                        **{name: f"{{{{ options.{name} }}}}" for name in options},
                    },
                    "register": "decided",
                },
                {
                    "name": "Keep the answer",
                    "ansible.builtin.copy": {"content": "{{ decided | to_json }}", "dest": str(answer), "mode": "0600"},
                    "check_mode": False,
                    "no_log": True,
                },
            ],
        }
        (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
        paths = os.pathsep.join(filter(None, (os.environ.get("ANSIBLE_COLLECTIONS_PATH"), str(EXAMPLE_COLLECTIONS))))
        done = playbook(tmp_path / "play.yml", {}, *arguments, check=check, environment={"ANSIBLE_COLLECTIONS_PATH": paths})
        return json.loads(answer.read_text()) if answer.exists() else {}, done

    return run


def decisions(answer: dict[str, Any]) -> list[str]:
    return [f"{result['decision']} by {result['rule']}" for result in answer["results"]]


# ------------------------------------------------------------------------------------------------------------ approval
def test_the_seeds_evaluation_example(decide: Any) -> None:
    chain = yaml.safe_load(
        """
        - name: blacklist
          config:
            list: ["gpt-4*"]
        - name: whitelist
          config:
            list: ["ollama/*"]
        - name: email
          config:
            pattern: "*@company.com"
        """
    )
    asks = [("user@company.com", "gpt-4"), ("user@company.com", "ollama/llama2"), ("user@company.com", "claude-3"), ("user@gmail.com", "claude-3")]
    answer, done = decide(chain, [{"request_id": f"req_{number}", "email": email, "model": model} for number, (email, model) in enumerate(asks)])
    assert decisions(answer) == ["DENY by blacklist", "APPROVE by whitelist", "APPROVE by email", "DENY by email"]
    assert [result["request_id"] for result in answer["results"]] == ["req_0", "req_1", "req_2", "req_3"]
    assert answer["summary"] == {"APPROVE": 2, "DENY": 2, "REVIEW": 0, "PENDING": 0}
    assert (answer["changed"], done.changed) == (False, 1)  # the one is our own copy


def test_no_plugins_configured(decide: Any) -> None:
    answer, _done = decide([], [{"email": "user@company.com", "model": "gpt-4"}])
    assert answer["results"][0]["decision"] == "DENY"
    assert answer["results"][0]["reason"] == "No approval plugins configured"


def test_a_rule_from_another_collection(decide: Any) -> None:
    chain = [
        {"name": "acme.policies.cost_center", "config": {"budgets": {4711: 100}}},
        {"name": "allowlist", "config": {"list": ["*"]}},
    ]
    requests = [
        {"email": "user@company.com", "model": "gpt-4", "cost_center": 4711, "max_budget": 500},
        {"email": "user@company.com", "model": "gpt-4", "cost_center": 1, "max_budget": 500},
    ]
    answer, _done = decide(chain, requests)
    assert decisions(answer) == ["APPROVE by allowlist", "DENY by acme.policies.cost_center"]
    assert answer["results"][0]["request"]["max_budget"] == 100
    assert answer["results"][0]["trace"][0]["detail"] == "budget cut to 100 USD"
    assert answer["results"][1]["reason"] == "Name a cost center that pays for LLM keys."

    for entry, words in (
        ({"name": "acme.policies.cost_centre"}, "no such approval rule in acme.policies; known are cost_center"),
        ({"name": "acme.policies.cost_center", "config": {"budget": {}}}, "unknown option 'budget'; it takes budgets"),
        ({"name": "acme.policies.cost_center", "config": {"budgets": {"a": "b"}}}, "option budgets has an amount that is no number"),
    ):
        _answer, done = decide([chain[1], entry], requests, check=False)
        assert done.returncode != 0
        assert "rules[1] (acme.policies.cost_cent" in done.output
        assert words in done.output


def test_text_of_requesters_is_data(decide: Any, tmp_path: Path) -> None:
    owned = tmp_path / "owned"
    nasty = "{{ lookup('ansible.builtin.pipe', 'touch " + str(owned) + "') }}{% if true %}x{% endif %}<script>\x1b[2J\r\n" + "y" * 10_000
    chain = [
        {"name": "expression", "config": {"condition": f"request.note | length == {len(nasty)} and request.deep.note == request.note", "decision": "approve"}},
    ]
    requests = [
        {"request_id": "a", "email": "{{7*7}}@company.com", "model": "{{ 7*7 }}", "note": nasty, "deep": {"note": nasty}},
        {"request_id": "b", "email": nasty, "model": nasty, "note": nasty},
        {"request_id": nasty, "email": "user@company.com", "model": "m", "note": nasty},
    ]
    answer, done = decide(chain, requests, "-vvv")
    first, second, third = answer["results"]
    assert (first["decision"], first["email"], first["models"]) == ("APPROVE", "{{7*7}}@company.com", ["{{ 7*7 }}"])
    assert first["request"]["note"] == nasty
    for result in (second, third):
        assert (result["decision"], result["valid"], result["request"]) == ("DENY", False, None)
        for field in ("request_id", "email", "reason"):
            assert result[field].isprintable()
            assert len(result[field]) <= 500
    assert not owned.exists()
    assert "\x1b" not in done.output


def test_a_rule_of_the_network_and_its_secret(decide: Any, tmp_path: Path) -> None:
    authority = Authority.made_in(tmp_path)
    with serving(authority.context()) as service:
        chain = [{"name": "http", "config": {"endpoint": f"{service.url}/by-model", "headers": {"Authorization": SECRET}, "ca_path": str(authority.path)}}]
        requests = [
            {"request_id": f"req_{number}", "email": "user@company.com", "model": model} for number, model in enumerate(("approve", "deny", "review", "maybe"))
        ]
        answer, done = decide(chain, requests, "-vvvv")
        assert decisions(answer) == ["APPROVE by http", "DENY by http", "REVIEW by http", "DENY by None"]
        assert [asked.headers["Authorization"] for asked in service.asked] == [SECRET] * 4
        service.asked.clear()

        checked, _done = decide(chain, requests, "--check")
        assert service.asked == []
        assert "would be asked" in checked["results"][0]["trace"][0]["detail"]

        _answer, failed = decide([{**chain[0], "config": {**chain[0]["config"], "endpiont": "x"}}], requests, "-vvvv", check=False)
        assert "unknown option 'endpiont'" in failed.output
    for output in (done.output, failed.output, json.dumps(answer)):
        assert "s3cret" not in output


def test_the_task_supplies_quota_and_time(decide: Any) -> None:
    chain = [
        {"name": "quota", "config": {"per_person": 2}},
        {"name": "schedule", "config": {"blackout": ["2026-12-24"]}},
        {"name": "allowlist", "config": {"list": ["*"]}},
    ]
    requests = [{"email": "user@company.com", "model": "m"}] * 2
    usage = [{"owner": "User@company.com", "domain": None, "package": "ai-developer", "alias": "virtkey-1"}]
    answer, _done = decide(chain, requests, usage=usage, now="2026-11-23T12:00:00Z")
    assert decisions(answer) == ["APPROVE by allowlist", "DENY by quota"]
    answer, _done = decide(chain, requests, usage=[], now="2026-12-24T12:00:00Z")
    assert decisions(answer) == ["PENDING by schedule"] * 2
    _answer, done = decide(chain, requests, check=False)
    assert "give it usage" in done.output


# -------------------------------------------------------------------------------------------------------- policy_check
@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "config.yaml").write_text(SEED_CONFIG)
    (tmp_path / "cases.csv").write_text(
        "# who gets what\n"
        "email,model,decision,rule\n"
        "user@example.com,grok/1,APPROVE,email\n"
        "user@gmail.com,llama-3,APPROVE,whitelist\n"
        "user@gmail.com,claude-3,DENY,email\n"
    )
    return {"policy_check_rules_file": "config.yaml", "policy_check_cases_file": "cases.csv"}


def test_the_seeds_sample_agrees_with_its_cases_and_is_flagged(playbook: Playbooks, files: dict[str, str]) -> None:
    done = playbook("policy_check", files)
    assert done.changed == 0
    assert [line.split() for line in done.output.splitlines() if line.startswith("ok  ")] == [
        ["ok", "1", "user@example.com", "grok/1", "APPROVE", "rules[1]", "email", "APPROVE", "by", "email"],
        ["ok", "2", "user@gmail.com", "llama-3", "APPROVE", "rules[0]", "whitelist", "APPROVE", "by", "whitelist"],
        ["ok", "3", "user@gmail.com", "claude-3", "DENY", "rules[1]", "email", "DENY", "by", "email"],
    ]
    for index, name in ((2, "blacklist"), (3, "http"), (4, "humanintheloop")):
        assert f"error: rules[{index}] ({name}): is never reached, because rules[1] (email)" in done.output

    strict = playbook("policy_check", {**files, "policy_check_strict": True}, check=False)
    assert strict.returncode != 0
    assert "the lint finds 3 errors" in strict.output


def test_a_case_that_disagrees_fails_the_playbook(playbook: Playbooks, files: dict[str, str], tmp_path: Path) -> None:
    with (tmp_path / "cases.csv").open("a") as cases:
        cases.write("user@example.com,gpt-4,REVIEW,humanintheloop\n")
    done = playbook("policy_check", files, check=False)
    assert done.returncode != 0
    assert (
        "1 of 4 cases disagrees with the chain: case 4 (user@example.com, gpt-4): expected REVIEW by humanintheloop, got APPROVE by rules[1] email."
        in done.output
    )


def test_a_chain_and_cases_as_variables(playbook: Playbooks) -> None:
    variables = {
        "policy_check_rules": [
            {"name": "denylist", "config": {"list": ["gpt-4*", "grok/*"]}},
            {"name": "http", "config": {"endpoint": "https://approval.example.com/decide"}},
            {"name": "expression", "config": {"condition": "request.team | default('') == 'red'", "decision": "review"}},
            {"name": "email", "config": {"pattern": "*@example.com"}},
        ],
        "policy_check_cases": [
            {"email": "user@example.com", "package": "ai-developer", "decision": "REVIEW", "team": "red", "rule": "expression"},
            {"email": "user@example.com", "package": "ai-developer", "decision": "DENY", "answer": "DENY", "rule": "http"},
            {"email": "user@example.com", "package": "ai-developer", "decision": "APPROVE"},
        ],
        "policy_check_models": ["gpt-4o", "mistral-7b"],
        "policy_check_packages": {"ai-developer": {"models": ["mistral-7b"], "duration": "30d"}},
        "policy_check_strict": True,
    }
    done = playbook("policy_check", variables)
    assert "warning: rules[0] (denylist): the pattern 'grok/*' matches none of the 2 models that the gateway serves" in done.output


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, "There is no chain to check; give policy_check_rules"),
        ({"policy_check_rules": [{"name": "emial"}]}, "rules[0] (emial): there is no such approval rule"),
        ({"policy_check_rules": [], "policy_check_cases": [{"email": "a@b.de"}]}, "case 1 expects the decision"),
        ({"policy_check_rules": [], "policy_check_cases_file": "nowhere.csv"}, "nowhere.csv cannot be read"),
        ({"policy_check_rules": [], "policy_check_now": "noon"}, "now is 'noon'"),
    ],
)
def test_mistakes_fail_the_playbook_with_their_message(playbook: Playbooks, variables: dict[str, Any], words: str) -> None:
    done = playbook("policy_check", variables, check=False)
    assert done.returncode != 0
    assert words in done.output
