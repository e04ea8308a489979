# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Which process runs a service, read from the service's lock file, and the processes that a killed service leaves behind.

A service inherits its lock when it is started and holds it exactly as long as it lives. A process id alone proves nothing, as
the system gives it to another process later; so a process is neither taken for a service nor killed unless it holds the lock.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

MARK = "LITELLM_GATEWAY_LOCK"
"""Environment variable that every process of a service inherits; its value is the path of the service's lock file."""
POLL_SECONDS = 0.05


@dataclasses.dataclass(frozen=True)
class Holder:
    """The process that holds a lock, as it wrote itself into the lock file."""

    pid: int
    port: int
    fingerprint: str
    """Of the command and configuration that it was started with."""

    def write(self, lock: int) -> None:
        """Write it into the open lock file. The line feed tells readers that it is complete."""
        os.pwrite(lock, json.dumps(dataclasses.asdict(self)).encode() + b"\n", 0)


def find_holder(lock: Path) -> Holder | None:
    """Return the live process that holds the lock, or None."""
    try:
        handle = os.open(lock, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return None
    except BlockingIOError:
        while not (written := os.pread(handle, 4096, 0)).endswith(b"\n"):  # the service is just being started
            time.sleep(0.01)
        return Holder(**json.loads(written))
    finally:
        os.close(handle)


def last_port(lock: Path) -> int | None:
    """Return the port of the last holder of the lock, alive or not; None if there was none."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        return int(json.loads(lock.read_text())["port"])
    return None


def has_open(pid: int, file: Path) -> bool:
    """Whether the process has the file open. Without /proc: whether the process leads a session, as services do."""
    wanted = file.stat()
    try:
        if not Path("/proc/self/fd").exists():
            return os.getsid(pid) == pid
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # not a file, or closed meanwhile
                if os.path.samestat(link.stat(), wanted):
                    return True
    except (FileNotFoundError, PermissionError, ProcessLookupError):
        pass
    return False


def find_leftovers(lock: Path) -> list[int]:
    """Return the ids of all processes of a service, found by the mark in their environment. Empty without /proc.

    The service itself carries the mark too, so call this only while nobody holds the lock.
    """
    mark = f"{MARK}={lock}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, PermissionError, ProcessLookupError):
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


def kill_leftovers(lock: Path) -> bool:
    """Kill the processes that a service left behind; return whether there were any."""
    found = False
    while pids := find_leftovers(lock):
        found = True
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(POLL_SECONDS)
    return found


@contextlib.contextmanager
def exclusive(directory: Path) -> Iterator[None]:
    """Hold a directory for one command at a time; others wait."""
    lock = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
