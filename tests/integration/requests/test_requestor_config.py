# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Whole passes with the config.yaml of the LLM Key Requestor, on the real LiteLLM and a real mail server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.requests.desk import GRANITE, MISTRAL, Desk
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible import installation
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import ANSIBLE_ENVIRONMENT, COLLECTION
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.warm import runner

# The sample of the requestor's README, with its chain as it stands there.
SAMPLE: dict[str, Any] = yaml.safe_load(
    """
    litellm: {base_url: "http://localhost:4000", api_key: "", enable_litellm_models: true}
    models:
      - {id: openai-gpt4, title: OpenAI GPT-4, icon: "simple-icons:openai", color: "#412991", description: Advanced reasoning.}
      - {id: claude-3, title: Claude 3 (Anthropic), icon: "simple-icons:anthropic", color: "#D4A574", description: Strong reasoning.}
    approval: {queue_interval: 5m}
    approval_plugins:
      - {name: whitelist, config: {list: ["ollama/*", "llama-*"]}}
      - {name: email, config: {pattern: "*@example.com"}}
      - {name: blacklist, config: {list: ["grok/*"]}}
      - {name: http, config: {endpoint: "https://api.example.com/approve"}}
      - {name: humanintheloop, config: {email: admin@example.com, patterns: ["claude*", "gpt-4*"]}}
    admin: {username: admin, password: change-me-in-production}
    """
)
ONLY_STORE = ("key_requests_directory",)


@pytest.fixture
def config(desk: Desk, tmp_path: Path) -> Path:
    """Write the sample for this gateway and mail server, and leave nothing of that in the variables."""
    server = desk.server
    smtp = {"host": server.host, "port": server.port, "from": "keys@example.com", "use_tls": False, "start_tls": True, "verify_ssl": False}
    litellm = {**SAMPLE["litellm"], "base_url": desk.gateway.url, "api_key": desk.gateway.master_key}
    desk.variables = {name: desk.variables[name] for name in ONLY_STORE}
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({**SAMPLE, "litellm": litellm, "smtp": smtp}), encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = ("LITELLM_BASE_URL", "LITELLM_MASTER_KEY", "LITELLM_API_KEY", "LITELLM_GATEWAY_URL", "LITELLM_DERIVATION_SECRET", "CONFIG", "CONFIG_FILE")
    for name in list(os.environ):
        if name in ours or name.startswith(("SMTP_", "APPROVAL_")):
            monkeypatch.delenv(name)


def test_the_sample_makes_a_whole_pass_and_nothing_of_it_is_printed(desk: Desk, config: Path, unique: str) -> None:
    ada, eve = f"ada-{unique}@example.com", f"eve-{unique}@elsewhere.org"
    ids = {ada: desk.ask(ada, model=GRANITE)}
    desk.ask(eve, model=MISTRAL)
    run = desk.playbook("process_requests", {**desk.variables, "config_file": str(config), "interval": "once"}, "-vvvv")
    assert "2 requests were due: 1 approved, 1 denied, 0 in review." in run.output
    assert "nobody knows" not in run.output
    desk.served(ids)
    assert len(desk.mails(eve)) == 1 and desk.mails(ada)[0].message["From"] == "keys@example.com"
    for secret in (desk.gateway.master_key, desk.key_of(ada), "change-me-in-production"):
        assert secret not in run.output


@pytest.mark.parametrize("as_text", [False, True])
def test_the_environment_names_it_and_a_variable_goes_before_it(desk: Desk, config: Path, unique: str, as_text: bool) -> None:
    ada = f"ada-{unique}@example.com"
    desk.ask(ada, model=GRANITE)
    environment = {"CONFIG": config.read_text(encoding="utf-8")} if as_text else {"CONFIG_FILE": str(config)}
    rules = [{"name": "denylist", "config": {"list": ["*"]}}]
    desk.playbook("process_requests", {**desk.variables, "interval": "once", "key_requests_rules": rules}, environment=environment)
    assert desk.statuses() == {("denied", "finished")}
    wrong = {**environment, "LITELLM_BASE_URL": "http://127.0.0.1:9"}
    desk.ask(f"bob-{unique}@example.com", model=GRANITE)
    run = desk.playbook("process_requests", {**desk.variables, "interval": "once", "key_requests_retries": 0}, environment=wrong)
    assert "127.0.0.1" in run.output and "is tried again" in run.output


def test_passes_are_made_at_the_interval_of_the_file(desk: Desk, config: Path, unique: str, tmp_path: Path) -> None:
    config.write_text(config.read_text(encoding="utf-8").replace("queue_interval: 5m", "queue_interval: 1s"), encoding="utf-8")
    stop, variables = tmp_path / "stop", tmp_path / "variables.json"
    variables.write_text(json.dumps({**desk.variables, "key_requests_stop_file": str(stop)}), encoding="utf-8")
    environment = {**os.environ, **ANSIBLE_ENVIRONMENT}
    environment |= runner.handing_all_over(environment)
    command = [installation.ANSIBLE_PLAYBOOK, f"{COLLECTION}.process_requests", "-e", f"@{variables}", "-e", f"config_file={config}"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as running:
        try:
            for number in range(2):
                desk.ask(f"p{number}-{unique}@example.com", model=GRANITE)
                deadline = time.monotonic() + 90
                while desk.statuses() != {("approved", "finished")}:
                    assert time.monotonic() < deadline and running.poll() is None
                    time.sleep(0.5)
            arguments = Path(f"/proc/{running.pid}/cmdline").read_bytes().decode()
            assert desk.gateway.master_key not in arguments
            stop.touch()
            running.wait(60)
        finally:
            if running.poll() is None:
                running.send_signal(signal.SIGTERM)


EXPRESSION = "approval_plugins: [{name: expression, config: {condition: 'true', decision: approve}}]"
BRACES = "{{ lookup('ansible.builtin.pipe', 'touch PWNED') }}"


def test_braces_in_the_file_are_text(desk: Desk, config: Path, unique: str, tmp_path: Path) -> None:
    written = yaml.safe_load(config.read_text(encoding="utf-8"))
    bad = BRACES.replace("PWNED", str(tmp_path / "pwned"))
    written["approval_plugins"] = [{"name": "denylist", "config": {"list": [bad, "*"]}, "reason": bad}]
    written[bad] = bad
    written["models"][0]["title"] = bad
    config.write_text(yaml.safe_dump(written), encoding="utf-8")
    ada = f"ada-{unique}@example.com"
    desk.ask(ada, model=GRANITE)
    run = desk.playbook("process_requests", {**desk.variables, "config_file": str(config), "interval": "once"}, "-vvv")
    assert desk.requests()[ada]["reason"] == bad
    assert "has entries that nobody knows" in " ".join(run.output.split())
    desk.playbook("policy_check", {"policy_check_rules_file": str(config)}, check=False)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("litellm: {api_key: SECRET", "is not YAML that can be used, see line 1"),
        ("- SECRET", "holds a list; give a mapping"),
        ("a: " + "x" * 5_000_000, "has more than 1000000 bytes"),
        ("litellm: {api_key: SECRET}\nlitellm: {}", "has 'litellm' twice"),
        (f"{EXPRESSION}\nlitellm: {{base_url: 'http://127.0.0.1:9', api_key: SECRET}}", "does not trust"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_file_that_cannot_be_used_ends_the_run_and_shows_nothing_of_it(desk: Desk, tmp_path: Path, content: str | None, words: str) -> None:
    path = tmp_path / "config.yaml"
    if content is not None:
        path.write_text(content.replace("SECRET", "sk-never-shown-to-anybody"), encoding="utf-8")
    desk.variables = {name: desk.variables[name] for name in ONLY_STORE}
    run = desk.playbook("process_requests", {**desk.variables, "config_file": str(path), "interval": "once"}, "-vvvv", check=False)
    assert run.returncode != 0 and words in " ".join(run.output.split()), run.output
    assert "sk-never-shown" not in run.output
