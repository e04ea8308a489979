# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The two services of one directory: the portal, which people reach, and the worker, which holds the secrets that the portal must not have."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import ssl
import time
from pathlib import Path
from typing import Any

from . import ports
from .directory import Directory
from .files import GatewayError
from .locks import find_holder, find_leftovers, kill_leftovers
from .service import POLL_SECONDS, STOP_SECONDS, Service

SERVICES = ("portal", "worker")
"""In the order of starting."""
RECOVERY_SECONDS = 5.0
"""How long a running service may be unready before it is restarted."""
ANSWER_SECONDS = 5.0
FILE_VARIABLES = {"config.yaml": "CONFIG_FILE", "tls_certificate": "PORTAL_TLS_CERTIFICATE_FILE", "tls_key": "PORTAL_TLS_KEY_FILE"}
"""The files that the portal reads besides its environment, and the variables that name them."""


class Portal:
    """The services of one directory. Where a method takes `only`, it concerns that service, or both if it is None."""

    def __init__(self, path: Path) -> None:
        self.directory = Directory(path)
        self.settings = self.directory.settings

    # ------------------------------------------------------------------------------------------------------ the services
    def services(self, only: str | None) -> list[Service]:
        makers = {"portal": self._portal, "worker": self._worker}
        return [makers[name]() for name in self._present if only in (None, name)]

    @property
    def _present(self) -> list[str]:
        return [name for name in SERVICES if name != "worker" or self.settings["worker"]]

    def _portal(self) -> Service:
        directory = self.directory
        given: dict[str, str] = json.loads(directory.secret("portal_environment"))
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(directory.home("portal")),
            "PORTAL_SECRET": directory.secret("session_secret"),
            "ADMIN_PASSWORD": directory.secret("admin_password"),
            **self.settings["portal_environment"],
            **given,
            **{FILE_VARIABLES[name]: str(directory.path_for("portal", name)) for name in directory.files("portal")},
            "PORTAL_HOST": directory.host,
            "PORTAL_PORT": str(directory.port),
        }
        command = [str(directory.software / "venv/bin/python"), "-m", "portal"]
        return self._service("portal", command, environment, directory.software, directory.port or 0, self._answers)

    def _worker(self) -> Service:
        directory, worker = self.directory, self.settings["worker"]
        home = directory.home("worker")
        own = {"key_requests_stop_file": str(directory.stop_file("worker"))}
        if "config.yaml" in directory.files("worker"):
            own["config_file"] = str(directory.path_for("worker", "config.yaml"))
        variables = directory.path_for("worker", "worker_variables")
        command = [*worker["command"], "--extra-vars", f"@{variables}", "--extra-vars", json.dumps(own)]
        return self._service("worker", command, {**worker["environment"], "HOME": str(home)}, home, 0, self._has_made_a_pass, worker["code"])

    def _service(self, name: str, command: list[str], environment: dict[str, str], folder: Path, port: int, is_ready: Any, code: str = "") -> Service:
        return Service(
            title=f"The {name}",
            command=command,
            environment=environment,
            configuration=b"\0".join([self.directory.contents(name), code.encode(), self.settings["units"].get(name, "").encode()]),
            log=self.directory.log(name),
            lock=self.directory.lock(name),
            host=self.directory.host,
            port=port,
            port_variable="key_portal_port",
            is_ready=is_ready,
            start_seconds=self.settings["start_timeout"],
            stop_signal=signal.SIGTERM,
            working_directory=folder,
            user=None,
        )

    @property
    def _serves_https(self) -> bool:
        return "tls_certificate" in self.directory.files("portal")

    def _answers(self, _pid: int) -> bool:
        """Whether the portal answers at all; it says itself whether store, passes and mail work."""
        host, port = ports.reachable(self.directory.host), self.directory.port
        if self._serves_https:
            # The certificate is for the name under which people open the portal, and nothing secret is sent here.
            context = ssl._create_unverified_context()  # noqa: S323
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(host, port, timeout=ANSWER_SECONDS, context=context)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=ANSWER_SECONDS)
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
        for lock in map(self.directory.lock, SERVICES):
            if find_holder(lock) is None:
                kill_leftovers(lock)
        self.directory.make_folders(SERVICES)
        self.initialize()  # before anything that runs is stopped
        changed = not self.settings["worker"] and self._end_worker()
        for service in self.services(only):
            if not service.is_current(RECOVERY_SECONDS):
                self._end(service)
                service.start()
                changed = True
        return changed

    def _end(self, service: Service) -> bool:
        """Stop a service; return whether it ran."""
        return self._end_worker() if service.lock == self.directory.lock("worker") else service.stop()

    def _end_worker(self) -> bool:
        """Let the worker finish its pass, and end it if that takes long: whatever a pass was doing, the next one goes on with it.

        The process that makes passes is one that Ansible started, in a session of its own.
        """
        ran = self.finish("worker")
        return kill_leftovers(self.directory.lock("worker")) or ran

    def finish(self, name: str) -> bool:
        """Ask a service to end, and wait until it has, or STOP_SECONDS are over; return whether it ran."""
        lock, stop_file = self.directory.lock(name), self.directory.stop_file(name)
        if find_holder(lock) is None:
            return False
        stop_file.touch()
        try:
            deadline = time.monotonic() + STOP_SECONDS
            while find_holder(lock) and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
        finally:
            stop_file.unlink()
        return True

    def would_start(self, only: str | None) -> bool:
        """Whether `start` would do anything."""
        present = self._present
        return (
            not self.directory.has_all
            or any(not service.is_current() for service in self.services(only))
            or any(find_holder(self.directory.lock(name)) for name in SERVICES if name not in present)
        )

    def stop(self, only: str | None) -> bool:
        """Stop the services, also a worker that should not run any more; return whether anything ran."""
        if self.directory.port is None:
            return False
        stopped = [self._end_worker() if only in (None, "worker") else False]
        stopped += [service.stop() for service in (self.services("portal") if only in (None, "portal") else ())]
        return any(stopped)

    def would_stop(self, only: str | None) -> bool:
        """Whether `stop` would do anything."""
        locks = [self.directory.lock(name) for name in SERVICES if only in (None, name)]
        return any(find_holder(lock) or find_leftovers(lock) for lock in locks)

    # ----------------------------------------------------------------------------------------------- for systemd's units
    def initialize(self) -> None:
        """Generate secrets and choose the port that are missing. Raises GatewayError if another program listens on the port.

        The portal then keeps the port that it had, which people know.
        """
        former = self.directory.port
        self.directory.choose_missing()
        try:
            for service in self.services("portal"):
                service.check_port()
        except GatewayError:
            if former is not None:
                self.directory.keep_port(former)
            raise

    def prepare_unit(self, only: str) -> None:
        """Do what must be done before the unit's program starts."""
        self.directory.link_credentials(only)

    def wait(self, only: str) -> None:
        """Wait until the unit's program is ready."""
        for service in self.services(only):
            service.wait()

    # ------------------------------------------------------------------------------------------------------------ status
    def status(self) -> dict[str, Any]:
        holders = {name: find_holder(self.directory.lock(name)) for name in SERVICES}
        return {"url": self.url, "pids": {name: holder.pid if holder else None for name, holder in holders.items()}}

    @property
    def url(self) -> str | None:
        """The address at which this machine reaches the portal; None before the first start."""
        port = self.directory.port
        return None if port is None else ports.url_of(self.directory.host, port, "https" if self._serves_https else "http")

    def check_units(self, command: str) -> None:
        """Raise GatewayError if systemd starts and stops the services."""
        if self.directory.has_units:
            raise GatewayError(f"systemd runs the portal in {self.directory.path}: use systemctl {command}")
