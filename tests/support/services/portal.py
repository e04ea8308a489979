# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The portal as a process of its own, started as by hand, and what calls it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import requests

PACKAGE = "ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal"
DEADLY = "ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.deadly_portal"
PASSWORD = "correct horse battery staple"
ADMIN = ("admin", PASSWORD)
START_SECONDS = 30
STOP_SECONDS = 15
_ADDRESS = re.compile(r"running on (https?://\S+)")


def control(directory: Path, command: str) -> dict[str, Any]:
    """Run the control program of a portal that the role has installed; return what it prints."""
    done = subprocess.run([sys.executable, str(directory / "portalctl"), str(directory), command], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def eventually(is_so: Callable[[], Any], seconds: float = 30) -> Any:
    """Return the first true value of `is_so`."""
    deadline = time.monotonic() + seconds
    while not (found := is_so()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
    return found


class PortalProcess:
    """A running portal. `variables` are its environment, beside what Python needs."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self.log = folder / "portal.log"
        self.variables = {"PORTAL_PORT": "0", "ADMIN_PASSWORD": PASSWORD, **variables}
        self.url = ""
        self.dies_at = 0
        """The step at which it dies when it is started next, see `deadly_portal`; 0: it lives."""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it answers. It keeps its port when it is started again."""
        inherited = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "HOME", "PORTAL_WEB_PACKAGES") if name in os.environ}
        before = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as output:
            program = [DEADLY, str(self.dies_at)] if self.dies_at else [PACKAGE]
            self._process = subprocess.Popen(
                [sys.executable, "-m", *program], env={**inherited, **self.variables}, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        deadline = time.monotonic() + START_SECONDS
        while not (found := _ADDRESS.search(self.log.read_text(errors="replace")[before:])):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The portal did not start: {self.log.read_text(errors='replace')[before:]}")
            time.sleep(0.05)
        self.url = found[1]
        self.variables["PORTAL_PORT"] = self.url.rpartition(":")[2]

    def has_died(self) -> bool:
        """Return whether it ended by itself, and forget it if so."""
        if self._process is None or self._process.poll() is None:
            return False
        self._process = None
        return True

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it, and return its exit status."""
        if self._process is None:
            return 0
        self._process.send_signal(number)
        status = self._process.wait(STOP_SECONDS)
        self._process = None
        return status

    def call(self, method: str, path: str, *, status: int = 200, **options: Any) -> Any:
        """Make a call, and return the JSON of its answer."""
        answer = requests.request(method, self.url + path, timeout=60, **options)
        assert answer.status_code == status, f"{answer.status_code} {answer.text[:500]}"
        return answer.json()

    def ask(self, email: str, llm: str = "granite") -> str:
        """Ask for a key as the requestor's front end does, and return the id."""
        answer = self.call("POST", "/api/request-key", json={"llm": llm, "email": email})
        assert answer["success"], answer
        return str(answer["request_id"])

    def memory(self) -> float:
        """Return the megabytes that the process has for itself."""
        pages = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{self.pid}/smaps_rollup").read_text(), re.MULTILINE)
        assert pages is not None
        return int(pages[1]) / 1024


@contextmanager
def running_portal(folder: Path, **variables: str) -> Iterator[PortalProcess]:
    """Run a portal while the block runs."""
    portal = PortalProcess(folder, variables)
    portal.start()
    try:
        yield portal
    finally:
        portal.stop(signal.SIGKILL)


PortalFactory: TypeAlias = Callable[..., PortalProcess]


@pytest.fixture
def run_portal(tmp_path: Path) -> Iterator[PortalFactory]:
    """Start a portal with these variables; without any its requests are in a directory of the test. It ends with the test."""
    with ExitStack() as stack:

        def run(**variables: str) -> PortalProcess:
            return stack.enter_context(running_portal(tmp_path, **{"LITELLM_KEY_REQUESTS_DIR": str(tmp_path / "requests"), **variables}))

        yield run
