# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""`ansible-playbook` in a fraction of its time, for tests that run hundreds of playbooks.

`run` does what `subprocess.run(["ansible-playbook", ...])` does. A third of a short playbook's time goes into importing Ansible
and into packing modules, the same each time: one process does that once, and a fork of it runs each playbook, with its
own arguments, environment, folder and output. Settings of Ansible (``ANSIBLE_*``) are read while it is imported, so a run
that has others than the process was started with takes the installed ansible-playbook, and so do the tests of guides, of
molecule's scenarios, of killed runs, and the drills.

    python warm_ansible.py SOCKET        (the process that waits for playbooks)
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

SITE = Path(__file__).with_name("site")
START_SECONDS = 60
LONGEST_REQUEST = 1 << 20


def run(arguments: Sequence[str], usual: Mapping[str, str], own: Mapping[str, str], folder: Path, timeout: float) -> subprocess.CompletedProcess[str]:
    """`ansible-playbook ARGUMENTS` in the `usual` environment of the tests and its `own`; both outputs in `stdout`.

    Raises subprocess.TimeoutExpired.
    """
    warm = WarmAnsible.of(usual)
    environment = warm.with_compiled_modules({**usual, **own})
    if warm.fits(environment):
        return warm.run(arguments, environment, folder, timeout)
    return subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), *arguments],
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )


def settings(environment: Mapping[str, str]) -> dict[str, str]:
    """What of an environment is read while Ansible is imported."""
    return {name: value for name, value in environment.items() if name.startswith(("ANSIBLE_", "PYTHON", "LC_")) or name in ("HOME", "LANG", "PATH", "TMPDIR")}


class WarmAnsible:
    """The process that has imported Ansible. One for each process of the tests, which ends with it."""

    _only: WarmAnsible | None = None

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> WarmAnsible:
        """The process, started by the first who asks."""
        if cls._only is None:
            cls._only = cls(environment)
        return cls._only

    def __init__(self, environment: Mapping[str, str]) -> None:
        folder = Path(tempfile.mkdtemp(prefix="warm-ansible-"))
        self.compiled = folder / "compiled"
        environment = self.with_compiled_modules(environment)
        self.compiled.mkdir()
        self.settings = settings(environment)
        self.socket = folder / "socket"
        command = [sys.executable, __file__, str(self.socket)]
        self.process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, start_new_session=True)
        deadline = time.monotonic() + START_SECONDS
        while not self.socket.exists():
            assert self.process.poll() is None and time.monotonic() < deadline, "Ansible could not be imported"
            time.sleep(0.02)

    def with_compiled_modules(self, environment: Mapping[str, str]) -> dict[str, str]:
        """The environment with what it needs so that modules are compiled once; see site/sitecustomize.py."""
        path = [environment["PYTHONPATH"]] if environment.get("PYTHONPATH") else []
        return {**environment, "PYTHONPATH": os.pathsep.join([*path, str(SITE)]), "LITELLM_VIRTUAL_KEYS_COMPILED": str(self.compiled)}

    def fits(self, environment: Mapping[str, str]) -> bool:
        """Whether a run in this environment finds the settings that the process was started with."""
        return settings(environment) == self.settings

    def run(self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, timeout: float) -> subprocess.CompletedProcess[str]:
        command = ["ansible-playbook", *arguments]
        with tempfile.TemporaryFile("w+", errors="replace") as output, socket.socket(socket.AF_UNIX) as caller:
            caller.connect(str(self.socket))
            told = json.dumps({"arguments": command, "environment": dict(environment), "folder": str(folder)})
            socket.send_fds(caller, [b"%08d" % len(told.encode())], [output.fileno()])
            caller.sendall(told.encode())
            pid = int(caller.recv(16))
            caller.sendall(b"go")
            caller.settimeout(timeout)
            try:
                status = caller.recv(16)
            except TimeoutError:
                os.killpg(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(command, timeout) from None
            output.seek(0)
            return subprocess.CompletedProcess(command, os.waitstatus_to_exitcode(int(status)), output.read())


# ---------------------------------------------------------------------------------------------- the process that waits
def serve(address: str) -> None:
    """Import Ansible, and run a playbook for each caller, until whoever started this is gone, which closes standard input."""
    from ansible.cli import playbook  # noqa: F401 - to have it
    from ansible.executor import module_common, task_executor  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who serve a caller
    with socket.socket(socket.AF_UNIX) as door:
        unfinished = f"{address}.new"
        door.bind(unfinished)
        door.listen()
        os.rename(unfinished, address)
        while door in select.select([door, sys.stdin], [], [])[0]:
            caller, _address = door.accept()
            if os.fork() == 0:
                door.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                attend(caller)
            caller.close()
    shutil.rmtree(Path(address).parent, ignore_errors=True)


def attend(caller: socket.socket) -> None:
    """Start the caller's playbook, wait for it, and say how it ended."""
    length, descriptors, _flags, _address = socket.recv_fds(caller, 8, 1)
    told = b""
    while len(told) < int(length):
        told += caller.recv(LONGEST_REQUEST)
    request = json.loads(told)
    pid = os.fork()
    if pid == 0:
        caller.close()
        play(request, descriptors[0])
    caller.sendall(b"%d" % pid)
    with contextlib.suppress(OSError):
        caller.recv(2)
        _pid, status = os.waitpid(pid, 0)
        caller.sendall(b"%d" % status)
    os._exit(0)


def play(request: dict[str, object], output: int) -> None:
    """Be an ansible-playbook. Never returns."""
    from ansible.cli.playbook import main

    atexit._clear()  # the folders that Ansible made in the process that waits are that process's to remove
    os.setsid()
    os.environ.clear()
    os.environ.update(request["environment"])  # type: ignore[call-overload]
    os.chdir(str(request["folder"]))
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    code: object = 1
    try:
        main(request["arguments"])
        code = 0
    except SystemExit as end:
        code = end.code
    finally:
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        os._exit(code if isinstance(code, int) else 1 if code else 0)


if __name__ == "__main__":
    serve(sys.argv[1])
