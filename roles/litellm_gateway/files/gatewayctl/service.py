# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""A program that runs in the background: starting it, waiting until it is ready, stopping it."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import pwd
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from . import ports
from .files import GatewayError
from .locks import MARK, Holder, find_holder, has_open, kill_leftovers, last_port

STOP_SECONDS = 30.0
"""How long a service may take to end by itself before it is killed."""
RUN_SECONDS = 30.0
"""How long the program of a systemd unit, which is a Python that starts, may take until it holds its lock."""
POLL_SECONDS = 0.1
LOG_TAIL_LINES = 25


@dataclasses.dataclass(frozen=True)
class Service:
    """A program that runs in the background."""

    title: str
    command: list[str]
    environment: dict[str, str]
    configuration: bytes
    """What the program reads besides its command and environment; a change of it needs a restart."""
    log: Path
    lock: Path
    host: str
    port: int
    port_variable: str
    """The role's variable that sets the port."""
    is_ready: Callable[[int], bool]
    """Takes the process id; returns whether the service can be used."""
    start_seconds: float
    """How long it may take to become ready."""
    stop_signal: signal.Signals
    working_directory: Path
    user: pwd.struct_passwd | None
    """The user to run it as; None for the caller."""

    @property
    def fingerprint(self) -> str:
        """A digest that changes whenever a restart is needed."""
        invocation = json.dumps([self.command, sorted(self.environment.items())]).encode()
        return hashlib.sha256(invocation + b"\0" + self.configuration).hexdigest()

    def is_current(self, seconds: float = 0) -> bool:
        """Whether the service runs as configured and is ready, or becomes ready within that time."""
        deadline = time.monotonic() + seconds
        while (holder := find_holder(self.lock)) and holder.fingerprint == self.fingerprint:
            if self.is_ready(holder.pid):
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_SECONDS)
        return False

    def check_port(self) -> None:
        """Raise GatewayError if another program listens on the port. The port that the service itself uses now is its own."""
        holder = find_holder(self.lock)
        if holder is None:
            kill_leftovers(self.lock)  # of a service that was killed a moment ago
        seconds = ports.WAIT_FOR_OWN_SECONDS if last_port(self.lock) == self.port else ports.WAIT_SECONDS
        if (holder is None or holder.port != self.port) and not ports.wait_until_free(self.host, self.port, seconds):
            raise GatewayError(
                f"{self.title} cannot listen on {self.host}:{self.port} because another program does: "
                f"stop that program, or set {self.port_variable} to another port or to 0 to have a free one chosen"
            )

    # ----------------------------------------------------------------------------------------------------- starting
    def start(self) -> None:
        """Start the program, replacing the one that runs, and wait until it is ready."""
        self.check_port()
        if self.stop():
            ports.wait_until_free(self.host, self.port, ports.WAIT_SECONDS)  # a process releases its lock before its port
        with contextlib.suppress(FileNotFoundError):
            os.replace(self.log, self.log.with_suffix(".log.1"))
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        lock = os.open(self.lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(lock, 0)
            process = self._spawn(lock, log)
        except (OSError, subprocess.SubprocessError) as error:
            raise GatewayError(f"{self.title} could not be started: {error}") from error
        finally:
            os.close(log)
            os.close(lock)
        self._wait_until_ready(process)

    def _spawn(self, lock: int, log: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.command,
            env={**self.environment, MARK: str(self.lock)},
            cwd=self.working_directory,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[lock],
            # The service writes itself into its lock, so it never runs without an entry there. This program has no threads.
            preexec_fn=lambda: self._this_process().write(lock),  # noqa: PLW1509
            start_new_session=True,
            umask=0o077,
            **run_as(self.user),
        )

    def _this_process(self) -> Holder:
        return Holder(os.getpid(), self.port, self.fingerprint)

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + self.start_seconds
        while not self.is_ready(process.pid):
            if process.poll() is not None:
                raise GatewayError(f"{self.title} ended with status {process.returncode} while starting. {self.log_tail()}")
            if time.monotonic() > deadline:
                self.stop()
                raise GatewayError(f"{self.title} was not ready after {self.start_seconds:g} seconds and was stopped. {self.log_tail()}")
            time.sleep(POLL_SECONDS)

    def log_tail(self) -> str:
        """Return the end of the log, without the secrets that the program was given or that look like keys."""
        try:
            text = self.log.read_text(errors="replace")
        except FileNotFoundError:
            return "It wrote no log."
        for value in filter(lambda value: len(value) >= 12, self.environment.values()):
            text = text.replace(value, "********")
        text = re.sub(r"\bsk-[\w-]{8,}|(?<=://)[^\s/@]+(?=@)", "********", text)
        return "\n".join([f"The end of its log, {self.log}:", *text.splitlines()[-LOG_TAIL_LINES:]])

    # --------------------------------------------------------------------------------------------- for systemd's units
    def run(self) -> NoReturn:
        """Replace this process by the program."""
        lock = os.open(self.lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise GatewayError(f"{self.title} runs already: stop it first") from error
        os.ftruncate(lock, 0)
        self._this_process().write(lock)
        os.set_inheritable(lock, True)
        os.chdir(self.working_directory)
        os.umask(0o077)
        try:
            os.execve(self.command[0], self.command, {**self.environment, MARK: str(self.lock)})  # noqa: S606 (the role wrote the command)
        except OSError as error:
            raise GatewayError(f"{self.title} could not be started: {error}") from error

    def wait(self) -> None:
        """Wait until the program, which another process runs, is ready."""
        deadline = time.monotonic() + RUN_SECONDS
        while find_holder(self.lock) is None:
            if time.monotonic() > deadline:
                raise GatewayError(f"{self.title} did not begin to run")
            time.sleep(POLL_SECONDS)
        deadline = time.monotonic() + self.start_seconds
        while not ((holder := find_holder(self.lock)) and self.is_ready(holder.pid)):
            if holder is None:
                raise GatewayError(f"{self.title} ended while starting; its log says why")
            if time.monotonic() > deadline:
                raise GatewayError(f"{self.title} was not ready after {self.start_seconds:g} seconds")
            time.sleep(POLL_SECONDS)

    # ----------------------------------------------------------------------------------------------------- stopping
    def stop(self) -> bool:
        """End the program and everything that it started; return whether anything ran."""
        holder = find_holder(self.lock)
        if holder is not None:
            self._send(holder.pid, self.stop_signal, os.kill)
            if not self.ends_within(STOP_SECONDS):
                self._send(holder.pid, signal.SIGKILL, os.killpg)
                if not self.ends_within(STOP_SECONDS):
                    raise GatewayError(f"{self.title} (process {holder.pid}) does not end: stop it by hand, then run again")
        return kill_leftovers(self.lock) or holder is not None

    def _send(self, pid: int, number: signal.Signals, kill: Callable[[int, int], None]) -> None:
        if has_open(pid, self.lock):
            with contextlib.suppress(ProcessLookupError):
                kill(pid, number)

    def ends_within(self, seconds: float) -> bool:
        """Wait until nobody holds the lock; return whether that happened within the time."""
        deadline = time.monotonic() + seconds
        while find_holder(self.lock):
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS / 2)
        return True


def run_as(user: pwd.struct_passwd | None) -> dict[str, Any]:
    """Return the arguments by which subprocess runs a program as the user; none for the caller."""
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
