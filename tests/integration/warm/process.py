# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""A process that has imported what many runs need, and forks for each of them: playbooks.py and modules.py are two.

Who wants a run connects to the process's socket, sends a `Request` and the run's three standard files, and reads how it
ended, in the words of os.waitpid, or `UNFIT`. Whoever closes the connection before that kills the run.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import os
import select
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

UNFIT = b"unfit"
"""The answer to a run that would find other settings than the process was started with."""
HEADER_DIGITS = 8


def of_python(environment: Mapping[str, str]) -> dict[str, str]:
    """What of an environment Python itself reads when it starts."""
    return {name: value for name, value in environment.items() if name.startswith(("PYTHON", "LC_")) or name in ("LANG", "LANGUAGE", "TZ")}


def of_ansible(environment: Mapping[str, str]) -> dict[str, str]:
    """The same, and what is read while Ansible is imported."""
    own = {name: value for name, value in environment.items() if name.startswith("ANSIBLE_") or name in ("HOME", "PATH", "TMPDIR")}
    return {**of_python(environment), **own}


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


def serve(address: str, fits: Callable[[Request], bool], run: Callable[[Request], None]) -> None:
    """Wait for callers until whoever started this is gone, which closes standard input."""
    sys.path.remove(os.path.dirname(os.path.abspath(__file__)))  # a run imports nothing from here
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who serve a caller
    with socket.socket(socket.AF_UNIX) as door:
        unfinished = f"{address}.new"
        door.bind(unfinished)
        door.listen(64)
        os.rename(unfinished, address)
        while door in select.select([door, sys.stdin], [], [])[0]:
            caller, _address = door.accept()
            if os.fork() == 0:
                door.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                _attend(caller, fits, run)
            caller.close()


def _attend(caller: socket.socket, fits: Callable[[Request], bool], run: Callable[[Request], None]) -> NoReturn:
    """One caller, from what it wants to how that ended."""
    length, files, _flags, _address = socket.recv_fds(caller, HEADER_DIGITS, 3)
    told = b""
    while len(told) < int(length):
        told += caller.recv(int(length) - len(told))
    request = Request.decode(told)
    if not fits(request):
        caller.sendall(UNFIT)
        os._exit(0)
    pid = os.fork()
    if pid == 0:
        caller.close()
        _become(request, files, run)
    with open(os.pidfd_open(pid)) as ended:
        if ended not in select.select([ended, caller], [], [])[0]:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
    _pid, status = os.waitpid(pid, 0)
    with contextlib.suppress(OSError):
        caller.sendall(b"%d" % status)
    os._exit(0)


def _become(request: Request, files: Sequence[int], run: Callable[[Request], None]) -> NoReturn:
    """The program that was asked for."""
    atexit._clear()  # what the waiting process wants done at its end is not for its forks to do
    os.setsid()
    os.umask(request.umask)
    os.environ.clear()
    os.environ.update(request.environment)
    os.chdir(request.folder)
    tempfile.tempdir = None
    for source, target in zip(files, range(3), strict=True):
        os.dup2(source, target)
        os.close(source)
    code: object = 1
    try:
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


def ask(address: Path, request: Request, files: tuple[int, int, int], timeout: float) -> bytes:
    """The answer to a request. Raises TimeoutError, and then the run is dead."""
    told = request.encode()
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(str(address))
        socket.send_fds(server, [told[:HEADER_DIGITS]], files)
        server.sendall(told[HEADER_DIGITS:])
        server.settimeout(timeout)
        return server.recv(16)
