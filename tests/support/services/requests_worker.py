# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The worker of a portal as a process of its own: the playbook process_requests, which makes passes until it is stopped."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import ANSIBLE_ENVIRONMENT, COLLECTION
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.processes import descendants
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.smtp import Server

STOP_SECONDS = 30


class RequestsWorker:
    """A worker with the `variables` of the roles key_requests and key_delivery, whose files are in `folder`."""

    def __init__(self, folder: Path, variables: dict[str, Any]) -> None:
        self.log, self._stop_file, self._variables = folder / "worker.log", folder / "worker.stop", folder / "worker.json"
        self._given = {"interval": "1h", **variables, "key_requests_stop_file": str(self._stop_file)}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._stop_file.unlink(missing_ok=True)
        self._variables.touch(mode=0o600)
        self._variables.write_text(json.dumps(self._given))
        command = [str(Path(sys.executable).with_name("ansible-playbook")), f"{COLLECTION}.process_requests", f"--extra-vars=@{self._variables}"]
        with open(self.log, "ab") as output:
            self._process = subprocess.Popen(
                command, env={**os.environ, **ANSIBLE_ENVIRONMENT}, cwd=self.log.parent, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """Kill it with all its processes."""
        if self._process is None:
            return
        for pid in (self._process.pid, *descendants(self._process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        """Let it finish its pass, and end."""
        if self._process is None:
            return
        self._stop_file.touch()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait(STOP_SECONDS)
        self._process = None


def reviewed_and_sealed(gateway_url: str, master_key: str, directory: str, portal_url: str, mail: Server) -> dict[str, Any]:
    """Return the variables of a worker for requests in `directory`: boss@company.com reviews each, and keys are sealed for the portal."""
    return {
        "litellm_url": gateway_url,
        "litellm_master_key": master_key,
        "key_requests_directory": directory,
        "key_requests_rules": [{"name": "human_review", "config": {"patterns": ["*"], "email": "boss@company.com"}}],
        "key_requests_delivery_methods": ["sealed"],
        "key_requests_portal_url": portal_url,
        "key_delivery_smtp_host": mail.host,
        "key_delivery_smtp_port": mail.port,
        "key_delivery_smtp_use_tls": "none",
    }
