# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The fixture `desk` for tests of whole passes: a queue of requests with a chain, the real gateway and a real SMTP server."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.call_module import call_module
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import PlaybookRun, Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.smtp import Received, Server, SmtpFactory

GRANITE, MISTRAL, LLAMA = "openai/granite-3-2-8b-instruct", "openai/mistral-7b-instruct", "openai/llama-3-1-8b-instruct"
KEY = re.compile(r"sk-[A-Za-z0-9_-]{43}")
CHAIN = [
    {"name": "blacklist", "config": {"list": ["*llama*"]}},
    {"name": "humanintheloop", "config": {"email": "boss@company.com", "patterns": ["*mistral*"]}},
    {"name": "email", "config": {"pattern": "*@company.com"}},
]


class Desk:
    """Runs passes over its own queue. `store` holds the role's variables for a store other than a directory."""

    def __init__(self, gateway: Gateway, playbook: Playbooks, server: Server, folder: Path, **store: str) -> None:
        self.gateway, self.playbook, self.server, self.folder = gateway, playbook, server, folder
        self.queue = folder / "queue"
        self._store = store or {"key_requests_directory": str(self.queue)}
        self.variables = {
            **gateway.variables,
            "key_requests_rules": CHAIN,
            "key_requests_packages": {"dev": {"models": [GRANITE], "duration": "30d", "max_budget": 5}},
            "key_delivery_smtp_host": server.host,
            "key_delivery_smtp_port": server.port,
            "key_delivery_smtp_use_tls": server.tls,
            "key_delivery_smtp_ca_path": str(server.ca_path),
            "key_delivery_smtp_retries": 0,
            **self._store,
        }

    def module(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Call a module on this queue."""
        store = {option.removeprefix("key_requests_"): value for option, value in self._store.items()}
        result = call_module(name, {**store, **arguments})
        assert not result.get("failed"), result["msg"]
        return result

    def ask(self, email: str, **wish: Any) -> str:
        return str(self.module("key_request", email=email, **(wish or {"package": "dev"}))["request"]["request_id"])

    def process(self, **variables: Any) -> PlaybookRun:
        return self.act("process_requests", **variables)

    def act(self, name: str, **variables: Any) -> PlaybookRun:
        return self.playbook(name, {**self.variables, **variables})

    def fail(self, **variables: Any) -> PlaybookRun:
        """Run a pass that must fail."""
        run = self.playbook("process_requests", {**self.variables, **variables}, check=False)
        assert run.returncode != 0, run.output
        return run

    def requests(self) -> dict[str, dict[str, Any]]:
        """Return all requests by person."""
        return {request["email"]: request for request in self.module("key_request_info")["requests"]}

    def request(self, request_id: str) -> dict[str, Any]:
        (found,) = self.module("key_request_info", request_id=request_id)["requests"]
        return dict(found)

    def statuses(self) -> set[tuple[str, str]]:
        """Return the states of all requests, each with its progress."""
        return {(request["state"], request["progress"]["status"]) for request in self.requests().values()}

    def mails(self, address: str) -> list[Received]:
        return self.server.mailbox.of(address)

    def key_of(self, address: str) -> str:
        """Return the one key that all mails to a person hold."""
        (value,) = {value for mail in self.mails(address) for value in KEY.findall(mail.part("plain"))}
        return str(value)

    def rows(self, request_id: str) -> list[dict[str, Any]]:
        return self.gateway.keys(f"request-{request_id}")

    def served(self, ids: dict[str, str]) -> None:
        """Check that each of these people (address, request) has one key, which works, and received no other."""
        for email, request_id in ids.items():
            assert len(self.rows(request_id)) == 1
            assert self.gateway.chat(self.key_of(email)).status_code == 200

    def forget_the_wait(self, until: str = "2026-01-01T00:00:00Z") -> None:
        """Move the time of the next attempt into the past, or to `until`."""
        for path in self.queue.glob("*.json"):
            record = json.loads(path.read_text())
            if record.get("progress", {}).get("failure"):
                record["progress"]["failure"]["next_attempt_at"] = until
                path.write_text(json.dumps(record))


@pytest.fixture
def desk(gateway: Gateway, playbook: Playbooks, smtp: SmtpFactory, tmp_path: Path) -> Desk:
    return Desk(gateway, playbook, smtp(tls="starttls"), tmp_path)
