# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""A process that has imported what many runs need, and forks for each of them: playbooks.py and modules.py are two.

Who wants a run connects to the process's socket, sends a `Request` and the run's three standard files, and reads how it
ended, in the words of os.waitpid, or `UNFIT`. Whoever closes the connection before that, or their side of it, kills the run.
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
"""The answer to a run that would find other settings than the process was started with."""
HEADER_DIGITS = 8
MOUNTS = "LITELLM_VIRTUAL_KEYS_MOUNTS"
"""Environment variable of a run; names the mount namespace that the run is in, as /proc/<pid>/ns/mnt does, if it has one of its own."""
CLONE_NEWNS = 0x00020000


def of_python(environment: Mapping[str, str]) -> dict[str, str]:
    """What of an environment Python itself reads when it starts."""
    return {name: value for name, value in environment.items() if name.startswith(("PYTHON", "LC_")) or name in ("LANG", "LANGUAGE", "TZ")}


def of_ansible(environment: Mapping[str, str]) -> dict[str, str]:
    """The same, and what is read while Ansible is imported."""
    own = {name: value for name, value in environment.items() if name.startswith("ANSIBLE_") or name in ("HOME", "PATH", "TMPDIR")}
    return {**of_python(environment), **own}


def umask() -> int:
    """Only to be had by setting it."""
    current = os.umask(0o077)
    os.umask(current)
    return current


@dataclasses.dataclass(frozen=True)
class Request:
    """A program's surroundings. site/sitecustomize.py writes them too, with nothing imported."""

    umask: int
    folder: str
    arguments: Sequence[str]
    environment: Mapping[str, str]

    def encode(self) -> bytes:
        environment = [f"{name}={value}" for name, value in self.environment.items()]
        fields = [str(self.umask), self.folder, str(len(self.arguments)), *self.arguments, *environment]
        told = "\0".join(fields).encode(errors="surrogateescape")
        return b"%0*d" % (HEADER_DIGITS, len(told)) + told

    @classmethod
    def decode(cls, told: bytes) -> Request:
        umask, folder, count, *rest = told.decode(errors="surrogateescape").split("\0")
        variables = (variable.partition("=") for variable in rest[int(count) :])
        return cls(int(umask), folder, rest[: int(count)], {name: value for name, _equal, value in variables})


class Server:
    """Forks for callers, and tells them how their runs ended."""

    def __init__(self, door: socket.socket, fits: Callable[[Request], bool], run: Callable[[Request], None]) -> None:
        self._door, self._fits, self._run = door, fits, run
        self._events = selectors.DefaultSelector()
        self._runs: dict[int | socket.socket, tuple[int, int, socket.socket]] = {}
        """By its pidfd and by its caller: the process, the pidfd, the caller."""

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
                    self._abandon(*run) if key.fileobj is run[2] else self._tell(*run)

    def _take(self) -> None:
        """Start what the next caller wants, or say that it does not fit."""
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
        except (OSError, ValueError):  # the caller has ended meanwhile
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
        """Kill the run of a caller that has gone, or has closed its side."""
        self._events.unregister(caller)
        del self._runs[caller]
        for kill in (os.killpg, os.kill):  # it may not lead its group yet
            with contextlib.suppress(ProcessLookupError):
                kill(pid, signal.SIGKILL)

    def _tell(self, pid: int, pidfd: int, caller: socket.socket) -> None:
        """Tell the caller how its run ended."""
        _pid, status = os.waitpid(pid, 0)
        self._events.unregister(pidfd)
        del self._runs[pidfd]
        os.close(pidfd)
        if self._runs.pop(caller, None):
            self._events.unregister(caller)
        with caller, contextlib.suppress(OSError):
            caller.sendall(b"%d" % status)

    def _close(self, caller: socket.socket) -> None:
        """In a fork: nothing of this is a run's."""
        self._events.close()
        for source in (self._door, caller, *self._runs):
            os.close(source) if isinstance(source, int) else source.close()


def serve(address: str, fits: Callable[[Request], bool], run: Callable[[Request], None]) -> None:
    """Wait for callers until whoever started this is gone, which closes standard input."""
    sys.path.remove(os.path.dirname(os.path.abspath(__file__)))  # a run imports nothing from here
    gc.collect()
    gc.freeze()  # what is there by now, forks need neither look at nor copy
    with socket.socket(socket.AF_UNIX) as door:
        unfinished = f"{address}.new"
        door.bind(unfinished)
        door.listen(64)
        os.rename(unfinished, address)
        Server(door, fits, run).serve_until_closed(sys.stdin)


def _become(request: Request, files: Sequence[int], run: Callable[[Request], None]) -> NoReturn:
    """The program that was asked for."""
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
    except BaseException:  # noqa: BLE001 - Python tells of any, and ends
        sys.excepthook(*sys.exc_info())
    finally:
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        os._exit(code if isinstance(code, int) else 1 if code else 0)


def _settle(request: Request) -> None:
    """Take over the surroundings of the caller."""
    gc.disable()  # it ends before there is much
    atexit._clear()  # what the waiting process wants done at its end is not for its forks to do
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
    """Ask for a run by a connection that is yet to be made. What the caller reads from it tells how the run ended."""
    told = request.encode()
    caller.connect(str(address))
    socket.send_fds(caller, [told[:HEADER_DIGITS]], files)
    caller.sendall(told[HEADER_DIGITS:])


def ask(address: Path, request: Request, files: tuple[int, int, int], timeout: float | None) -> bytes:
    """The answer to a request. Raises TimeoutError, and then the run is dead."""
    with socket.socket(socket.AF_UNIX) as caller:
        send(caller, address, request, files)
        caller.settimeout(timeout)
        return caller.recv(16)
