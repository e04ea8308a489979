# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""A process that imports the libraries of many runs once, and forks for each run. playbooks.py and modules.py are such processes.

A caller connects to the socket, sends a `Request` and the three standard files of the run, and reads its status as os.waitpid
reports it, or `UNFIT`. A caller that closes the connection earlier, or its own side of it, kills the run.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import dataclasses
import gc
import os
import selectors
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, NoReturn

UNFIT = b"unfit"
"""The answer to a run whose settings differ from those that the process was started with."""
HEADER_DIGITS = 8
MOUNTS = "LITELLM_VIRTUAL_KEYS_MOUNTS"
"""Environment variable with the mount namespace that a run enters, such as /proc/<pid>/ns/mnt."""
CLONE_NEWNS = 0x00020000


def of_python(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that Python itself reads when it starts."""
    return {name: value for name, value in environment.items() if name.startswith(("PYTHON", "LC_")) or name in ("LANG", "LANGUAGE", "TZ")}


def of_ansible(environment: Mapping[str, str]) -> dict[str, str]:
    """Return these variables, and those that are read while Ansible is imported."""
    own = {name: value for name, value in environment.items() if name.startswith("ANSIBLE_") or name in ("HOME", "PATH", "TMPDIR")}
    return {**of_python(environment), **own}


def umask() -> int:
    """Return the umask, which can only be read by setting it."""
    current = os.umask(0o077)
    os.umask(current)
    return current


@dataclasses.dataclass(frozen=True)
class Request:
    """The surroundings of a program. site/sitecustomize.py encodes them too, without this class."""

    umask: int
    folder: str
    arguments: Sequence[str]
    environment: Mapping[str, str]

    def encode(self) -> bytes:
        environment = [f"{name}={value}" for name, value in self.environment.items()]
        fields = [str(self.umask), self.folder, str(len(self.arguments)), *self.arguments, *environment]
        encoded = "\0".join(fields).encode(errors="surrogateescape")
        return b"%0*d" % (HEADER_DIGITS, len(encoded)) + encoded

    @classmethod
    def decode(cls, encoded: bytes) -> Request:
        umask, folder, count, *rest = encoded.decode(errors="surrogateescape").split("\0")
        variables = (variable.partition("=") for variable in rest[int(count) :])
        return cls(int(umask), folder, rest[: int(count)], {name: value for name, _equal, value in variables})


class Server:
    """Forks for callers, and reports the status of their runs."""

    def __init__(self, door: socket.socket, fits: Callable[[Request], bool], run: Callable[[Request], None]) -> None:
        self._door, self._fits, self._run = door, fits, run
        self._events = selectors.DefaultSelector()
        self._runs: dict[int | socket.socket, tuple[int, int, socket.socket]] = {}
        """The process, its pidfd and its caller, by pidfd and by caller."""

    def serve_until_closed(self, parent: IO[str]) -> None:
        for source in (parent, self._door):
            self._events.register(source, selectors.EVENT_READ)
        while True:
            for key, _what in self._events.select():
                if key.fileobj is parent:
                    return
                if key.fileobj is self._door:
                    self._take()
                elif run := self._runs.get(key.fileobj):  # type: ignore[call-overload]
                    self._abandon(*run) if key.fileobj is run[2] else self._report(*run)

    def _take(self) -> None:
        """Start the run of the next caller, or refuse it."""
        caller, _address = self._door.accept()
        files: list[int] = []
        try:
            length, files, _flags, _address = socket.recv_fds(caller, HEADER_DIGITS, 3)
            request = Request.decode(caller.recv(int(length), socket.MSG_WAITALL))
            if self._fits(request):
                self._start(caller, request, files)
            else:
                caller.sendall(UNFIT)
                caller.close()
        except (OSError, ValueError):  # the caller has ended in the meantime
            caller.close()
        finally:
            for file in files:
                os.close(file)

    def _start(self, caller: socket.socket, request: Request, files: Sequence[int]) -> None:
        pid = os.fork()
        if pid == 0:
            self._close(caller)
            _become(request, files, self._run)
        pidfd = os.pidfd_open(pid)
        for source in (pidfd, caller):
            self._runs[source] = (pid, pidfd, caller)
            self._events.register(source, selectors.EVENT_READ)

    def _abandon(self, pid: int, _pidfd: int, caller: socket.socket) -> None:
        """Kill the run of a caller that has closed the connection, or its side of it."""
        self._events.unregister(caller)
        del self._runs[caller]
        for kill in (os.killpg, os.kill):  # it may not be the leader of its group yet
            with contextlib.suppress(ProcessLookupError):
                kill(pid, signal.SIGKILL)

    def _report(self, pid: int, pidfd: int, caller: socket.socket) -> None:
        """Report its status to the caller of a run that has ended."""
        _pid, status = os.waitpid(pid, 0)
        self._events.unregister(pidfd)
        del self._runs[pidfd]
        os.close(pidfd)
        if self._runs.pop(caller, None):
            self._events.unregister(caller)
        with caller, contextlib.suppress(OSError):
            caller.sendall(b"%d" % status)

    def _close(self, caller: socket.socket) -> None:
        """Close, in a fork, everything that belongs to the server."""
        self._events.close()
        for source in (self._door, caller, *self._runs):
            os.close(source) if isinstance(source, int) else source.close()


def serve(address: str, fits: Callable[[Request], bool], run: Callable[[Request], None]) -> None:
    """Wait for callers until the process that started this one ends, which closes standard input."""
    sys.path.remove(os.path.dirname(os.path.abspath(__file__)))  # runs import nothing from this folder
    gc.collect()
    gc.freeze()  # forks need neither inspect nor copy the objects so far
    with socket.socket(socket.AF_UNIX) as door:
        unfinished = f"{address}.new"
        door.bind(unfinished)
        door.listen(64)
        os.rename(unfinished, address)
        Server(door, fits, run).serve_until_closed(sys.stdin)


def _become(request: Request, files: Sequence[int], run: Callable[[Request], None]) -> NoReturn:
    """Run the program in this fork, and exit with its status."""
    code: object = 1
    try:
        for source, target in zip(files, range(3), strict=True):
            os.dup2(source, target)
            os.close(source)
        _settle(request)
        run(request)
        code = 0
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001 - Python reports any, and ends
        sys.excepthook(*sys.exc_info())
    finally:
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        os._exit(code if isinstance(code, int) else 1 if code else 0)


def _settle(request: Request) -> None:
    """Take over the surroundings of the caller."""
    gc.disable()  # the run ends before there is much garbage
    atexit._clear()  # the exit handlers belong to the waiting process
    os.setsid()
    os.umask(request.umask)
    os.environ.clear()
    os.environ.update(request.environment)
    if mounts := request.environment.get(MOUNTS):
        with open(mounts) as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNS):
                raise OSError(ctypes.get_errno(), f"{mounts} cannot be entered")
    os.chdir(request.folder)
    tempfile.tempdir = None


def send(caller: socket.socket, address: Path, request: Request, files: tuple[int, int, int]) -> None:
    """Connect, and ask for a run. The status of the run arrives on the connection."""
    encoded = request.encode()
    caller.connect(str(address))
    socket.send_fds(caller, [encoded[:HEADER_DIGITS]], files)
    caller.sendall(encoded[HEADER_DIGITS:])


def ask(address: Path, request: Request, files: tuple[int, int, int], timeout: float | None) -> bytes:
    """Return the answer to a request. Raises TimeoutError after killing the run."""
    with socket.socket(socket.AF_UNIX) as caller:
        send(caller, address, request, files)
        caller.settimeout(timeout)
        return caller.recv(16)
