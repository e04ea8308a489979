# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The role key_portal: what it starts and leaves on the machine, from the first start to the removal."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import PlaybookRun, Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import MOCK_MODELS, Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.processes import is_alive
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.smtp import Server, SmtpFactory
from ansible_collections.rhpds.litellm_virtual_keys.tests.tools import workshop

MODEL = MOCK_MODELS[0]
ADDRESS = "ann@example.com"
WAKES_WITHIN = 2.0
"""Seconds in which the worker sees a new request; what it does then takes longer on a busy machine."""


def control(directory: Path, command: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, str(directory / "portalctl"), str(directory), command], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def own(tmp_path: Path, gateway: Gateway, smtp: SmtpFactory) -> Iterator[tuple[dict[str, Any], Server]]:
    """The variables of a portal for this test alone, which is stopped afterwards, and its mail server."""
    server = smtp(tls="none")
    directory = tmp_path / "portal"
    yield (
        {
            "key_portal_dir": str(directory),
            "key_portal_software_dir": str(workshop.cache() / "portal-software"),
            "key_portal_port": 0,
            "key_portal_interval": "1h",
            "gateway": False,
            "litellm_url": gateway.url,
            "litellm_master_key": gateway.master_key,
            "portal_worker": {
                "key_requests_rules": [{"name": "allowlist", "config": {"list": [MODEL]}}],
                "key_delivery_smtp_host": server.host,
                "key_delivery_smtp_port": server.port,
                "key_delivery_smtp_use_tls": "none",
            },
        },
        server,
    )
    if (directory / "portal.json").exists():
        control(directory, "stop")


def eventually(is_so: Callable[[], Any], seconds: float = 30) -> Any:
    """Return the first true value of `is_so`."""
    deadline = time.monotonic() + seconds
    while not (found := is_so()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
    return found


class PortalLife:
    """One portal from its first start to its removal. Each step goes on where the one before it ended."""

    def __init__(self, variables: dict[str, Any], server: Server, playbook: Playbooks) -> None:
        self.variables, self.server, self._playbook = variables, server, playbook
        self.directory = Path(variables["key_portal_dir"])
        self.url = ""

    def run(self, *arguments: str, check: bool = True, name: str = "portal", **more: Any) -> PlaybookRun:
        return self._playbook(name, {**self.variables, **more}, *arguments, check=check)

    @property
    def pids(self) -> dict[str, int]:
        found: dict[str, int] = control(self.directory, "status")["pids"]
        return found

    @property
    def admin(self) -> tuple[str, str]:
        return "admin", (self.directory / "secrets" / "admin_password").read_text()

    def starts_as_check_mode_predicts(self) -> None:
        assert self.run("--check").changed > 0 and not self.directory.exists()
        run = self.run("-vvv", "--diff")
        self.url = control(self.directory, "status")["url"]
        assert f"The portal is at {self.url}." in run.output
        assert "</html>" in requests.get(f"{self.url}/ask", headers={"Accept": "text/html"}, timeout=10).text
        for secret in (self.variables["litellm_master_key"], self.admin[1], (self.directory / "secrets" / "session_secret").read_text()):
            assert len(secret) > 10 and secret not in run.output
        modes = {path: stat.S_IMODE(path.stat().st_mode) for path in self.directory.rglob("*") if "software" not in path.parts and not path.is_symlink()}
        assert {path for path, mode in modes.items() if mode & 0o077} == set()

    def the_portal_has_no_key_of_the_gateway(self) -> None:
        environment = Path(f"/proc/{self.pids['portal']}/environ").read_bytes()
        assert self.variables["litellm_master_key"].encode() not in environment
        assert b"SECRET" in environment and b"LITELLM_API_KEY" not in environment

    def a_second_run_changes_nothing(self) -> None:
        pids = self.pids
        assert (self.run().changed, self.run("--check").changed, self.pids) == (0, 0, pids)

    def a_request_becomes_a_key_within_seconds(self, gateway: Gateway) -> None:
        assert {model["id"] for model in requests.get(f"{self.url}/api/models", timeout=10).json()["models"]} >= set(MOCK_MODELS)
        before = time.monotonic()
        answer = requests.post(f"{self.url}/api/request-key", json={"llm": MODEL, "email": ADDRESS}, timeout=10).json()
        assert answer["success"]
        (mail,) = eventually(lambda: self.server.mailbox.of(ADDRESS))
        assert time.monotonic() - before < 5 + WAKES_WITHIN
        key = next(word for word in mail.part("plain").split() if word.startswith("sk-"))
        assert gateway.chat(key, MODEL).ok

    def a_person_decides_on_what_no_rule_allows(self) -> None:
        answer = requests.post(f"{self.url}/api/request-key", json={"llm": MOCK_MODELS[1], "email": "bob@example.com"}, timeout=10).json()
        call = f"{self.url}/api/admin/requests/{answer['request_id']}"
        eventually(lambda: requests.get(call, auth=self.admin, timeout=10).json()["state"] == "denied")
        assert requests.post(f"{call}/approve", auth=self.admin, timeout=10).json()["success"]
        eventually(lambda: [mail for mail in self.server.mailbox.of("bob@example.com") if "sk-" in mail.part("plain")])

    def pages_show_what_the_worker_finds_out(self) -> None:
        """The worker wakes up for whoever looks, although its next pass is an hour away."""
        answer = requests.post(f"{self.url}/api/request-key", json={"llm": MOCK_MODELS[1], "email": "carol@example.com"}, timeout=10).json()
        denied = answer["request_id"]
        eventually(lambda: self.record(denied)["state"] == "denied")
        page = requests.get(f"{self.url}/api/admin/requests?filter=all", auth=self.admin, timeout=10).json()
        (living,) = [each["request_id"] for each in page if each["email"] == ADDRESS]
        for request_id, words in ((denied, "They would deny the request"), (living, "of $10 spent"), (living, "End at the gateway: ")):
            before = time.monotonic()
            eventually(lambda request_id=request_id, words=words: words in self.page(f"/admin/{request_id}"))
            assert time.monotonic() - before < 5 + WAKES_WITHIN

    def record(self, request_id: str) -> Any:
        return requests.get(f"{self.url}/api/admin/requests/{request_id}", auth=self.admin, timeout=10).json()

    def page(self, path: str) -> str:
        return requests.get(f"{self.url}{path}", auth=self.admin, headers={"Accept": "text/html"}, timeout=10).text

    def another_chain_restarts_the_worker_alone(self) -> None:
        pids = self.pids
        self.variables["portal_worker"]["key_requests_rules"] = [{"name": "allowlist", "config": {"list": ["*"]}}]
        assert self.run("--check").changed > 0 and self.pids == pids
        assert self.run().changed > 0
        assert self.pids["portal"] == pids["portal"] and self.pids["worker"] != pids["worker"] and not is_alive(pids["worker"])

    def comes_back_after_both_were_killed(self) -> None:
        for pid in self.pids.values():
            os.kill(pid, signal.SIGKILL)
        assert self.run().changed > 0
        assert len(requests.get(f"{self.url}/api/admin/requests?filter=all", auth=self.admin, timeout=10).json()) == 3

    def stops_twice_and_starts_again(self) -> None:
        pids = self.pids
        assert self.run(name="portal_stop", gateway=False).changed > 0
        assert not any(is_alive(pid) for pid in pids.values())
        assert self.run(name="portal_stop", gateway=False).changed == 0
        self.run()
        assert control(self.directory, "status")["url"] == self.url, "people know its address"

    def absent_needs_consent_and_deletes_only_what_the_role_made(self) -> None:
        remove = {"key_portal_state": "absent"}
        refused = self.run(check=False, **remove)
        assert "key_portal_delete_data=true" in refused.output and is_alive(self.pids["portal"])
        (self.directory / "mine.txt").write_text("not the role's")
        pids = self.pids
        assert self.run(**remove, key_portal_delete_data=True).changed > 0
        assert not any(is_alive(pid) for pid in pids.values())
        assert [path.name for path in self.directory.iterdir()] == ["mine.txt"]
        assert self.run(**remove, key_portal_delete_data=True).changed == 0


def test_its_whole_life(own: tuple[dict[str, Any], Server], playbook: Playbooks, gateway: Gateway) -> None:
    life = PortalLife(*own, playbook)
    life.starts_as_check_mode_predicts()
    life.the_portal_has_no_key_of_the_gateway()
    life.a_second_run_changes_nothing()
    life.a_request_becomes_a_key_within_seconds(gateway)
    life.a_person_decides_on_what_no_rule_allows()
    life.pages_show_what_the_worker_finds_out()
    life.another_chain_restarts_the_worker_alone()
    life.comes_back_after_both_were_killed()
    life.stops_twice_and_starts_again()
    life.absent_needs_consent_and_deletes_only_what_the_role_made()


def test_the_error_of_a_start_names_the_cause_without_a_secret(own: tuple[dict[str, Any], Server], playbook: Playbooks) -> None:
    variables, _server = own
    run = playbook("portal", {**variables, "key_portal_host": "0.0.0.0", "key_portal_admin_password": "change-me-in-production"}, check=False)
    assert "the administrator's password is the one in the documentation" in run.output and "ended with status 1 while starting" in run.output
    assert variables["litellm_master_key"] not in run.output
