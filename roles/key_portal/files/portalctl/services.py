# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The two services of one directory: the portal, which people reach, and the worker, which holds the secrets that the portal must not have."""

from __future__ import annotations

import contextlib
import http.client
import json
import secrets
import signal
import time
from pathlib import Path
from typing import Any

from . import ports
from .files import GatewayError, write_private
from .locks import find_holder, find_leftovers, kill_leftovers
from .service import POLL_SECONDS, STOP_SECONDS, Service

SERVICES = ("portal", "worker")
"""In the order of starting."""
RECOVERY_SECONDS = 5.0
"""How long a running service may be unready before it is restarted."""
ANSWER_SECONDS = 5.0
STOP_FILE = "worker.stop"
"""In the folder `run`: the worker ends when it exists."""
SECRETS = ("admin_password", "session_secret")
"""What is generated if it was not given."""


class Portal:
    """The services of one directory. Where a method takes `only`, it concerns that service, or both if it is None."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.settings: dict[str, Any] = json.loads((path / "portal.json").read_text())
        except FileNotFoundError as error:
            raise GatewayError(f"{path} holds no portal: run the role key_portal with key_portal_state=started") from error
        self.host: str = self.settings["host"]
        self.software = Path(self.settings["software"])

    # ------------------------------------------------------------------------------------------------------ the services
    def services(self, only: str | None) -> list[Service]:
        makers = {"portal": self._portal, "worker": self._worker}
        return [makers[name]() for name in self._present if only in (None, name)]

    @property
    def _present(self) -> list[str]:
        return [name for name in SERVICES if name != "worker" or self.settings["worker"]]

    def _portal(self) -> Service:
        given: dict[str, str] = json.loads(self._secret("portal_environment"))
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.path / "home"),
            "PORTAL_SECRET": self._secret("session_secret"),
            "ADMIN_PASSWORD": self._secret("admin_password"),
            **self.settings["portal_environment"],
            **given,
            "PORTAL_HOST": self.host,
            "PORTAL_PORT": str(self.port),
        }
        return self._service("portal", [str(self.software / "venv/bin/python"), "-m", "portal"], environment, self.software, self.port, b"", self._answers)

    def _worker(self) -> Service:
        worker = self.settings["worker"]
        variables = self.path / "secrets" / "worker_variables"
        environment = {**worker["environment"], "HOME": str(self.path / "home")}
        command = [*worker["command"], "--extra-vars", f"@{variables}"]
        configuration = variables.read_bytes() + worker["code"].encode()
        return self._service("worker", command, environment, self.path / "home", 0, configuration, self._has_made_a_pass)

    def _service(self, name: str, command: list[str], environment: dict[str, str], folder: Path, port: int, configuration: bytes, is_ready: Any) -> Service:
        return Service(
            title=f"The {name}",
            command=command,
            environment=environment,
            configuration=configuration,
            log=self.path / "log" / f"{name}.log",
            lock=self._lock(name),
            host=self.host,
            port=port,
            port_variable="key_portal_port",
            is_ready=is_ready,
            start_seconds=self.settings["start_timeout"],
            stop_signal=signal.SIGTERM,
            working_directory=folder,
            user=None,
        )

    def _answers(self, _pid: int) -> bool:
        """Whether the portal answers at all; it says itself whether store, passes and mail work."""
        connection = http.client.HTTPConnection(ports.reachable(self.host), self.port, timeout=ANSWER_SECONDS)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/health")
            return connection.getresponse().status in (200, 503)
        return False

    def _has_made_a_pass(self, pid: int) -> bool:
        """Whether the worker has reported a pass since it was started."""
        with contextlib.suppress(OSError):
            return Path(self.settings["worker"]["report"]).stat().st_mtime >= Path(f"/proc/{pid}").stat().st_mtime
        return False

    # ------------------------------------------------------------------------------------------------------- start, stop
    def start(self, only: str | None) -> bool:
        """Start the services, or restart those whose configuration has changed; return whether anything was done."""
        for name in SERVICES:
            if find_holder(self._lock(name)) is None:
                kill_leftovers(self._lock(name))
        for folder in ("log", "home", "run"):
            (self.path / folder).mkdir(mode=0o700, exist_ok=True)
        self._choose_missing()
        changed = not self.settings["worker"] and self._end_worker()
        for service in self.services(only):
            if not service.is_current(RECOVERY_SECONDS):
                self._end(service)
                service.start()
                changed = True
        return changed

    def _end(self, service: Service) -> bool:
        """Stop a service; return whether it ran."""
        return self._end_worker() if service.lock == self._lock("worker") else service.stop()

    def _end_worker(self) -> bool:
        """Let the worker finish its pass, and end it if that takes long: whatever a pass was doing, the next one goes on with it.

        The process that makes passes is one that Ansible started, in a session of its own.
        """
        lock, stop_file = self._lock("worker"), self.path / "run" / STOP_FILE
        holder = find_holder(lock)
        stop_file.touch()
        try:
            deadline = time.monotonic() + STOP_SECONDS
            while find_holder(lock) and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
            return kill_leftovers(lock) or holder is not None
        finally:
            stop_file.unlink()

    def would_start(self, only: str | None) -> bool:
        """Whether `start` would do anything."""
        missing = not (self.path / "port").exists() or any(not (self.path / "secrets" / name).exists() for name in SECRETS)
        return missing or any(not service.is_current() for service in self.services(only))

    def stop(self, only: str | None) -> bool:
        """Stop the services; return whether anything ran."""
        if not (self.path / "port").exists():
            return False
        stopped = [self._end(service) for service in reversed(self.services(only))]
        return any(stopped)

    def would_stop(self, only: str | None) -> bool:
        """Whether `stop` would do anything."""
        locks = [self._lock(name) for name in SERVICES if only in (None, name)]
        return any(find_holder(lock) or find_leftovers(lock) for lock in locks)

    def status(self) -> dict[str, Any]:
        holders = {name: find_holder(self._lock(name)) for name in SERVICES}
        return {"url": self.url, "pids": {name: holder.pid if holder else None for name, holder in holders.items()}}

    # --------------------------------------------------------------------------------------------------------- the files
    @property
    def port(self) -> int:
        return int((self.path / "port").read_text())

    @property
    def url(self) -> str | None:
        """The address at which this machine reaches the portal; None before the first start."""
        return ports.url_of(self.host, self.port) if (self.path / "port").exists() else None

    def _lock(self, name: str) -> Path:
        return self.path / "run" / f"{name}.lock"

    def _secret(self, name: str) -> str:
        return (self.path / "secrets" / name).read_text()

    def _choose_missing(self) -> None:
        """Generate the secrets and choose the port that are missing."""
        for name in SECRETS:
            path = self.path / "secrets" / name
            if not path.exists():
                write_private(path, secrets.token_urlsafe(32))
        given, former = int(self.settings["port"]), self.port if (self.path / "port").exists() else 0
        write_private(self.path / "port", str(given or former or ports.choose_port(self.host, ())))
