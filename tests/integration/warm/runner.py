# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""`ansible-playbook` in a fraction of its time, for tests that run hundreds of playbooks and thousands of modules.

`run` does what `subprocess.run(["ansible-playbook", ...])` does. Most of a short playbook's time goes into importing Ansible,
packing modules, and starting a Python for each that imports the same again. Two processes have done all that, and their forks
run the playbooks (playbooks.py) and the modules (modules.py), with their own arguments, environment, folder and output.

Settings of Ansible (``ANSIBLE_*``) are read while it is imported, so a run that has others than the process was started with
takes the installed ansible-playbook, and only its modules are forks. Nothing is warm in the tests of guides, of molecule's scenarios, of
killed runs, in the drills, the hunt for leaks and the benchmark.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.warm import process

HERE = Path(__file__).parent
ANSIBLE_PLAYBOOK = str(Path(sys.executable).with_name("ansible-playbook"))
START_SECONDS = 60


def run(arguments: Sequence[str], usual: Mapping[str, str], own: Mapping[str, str], folder: Path, timeout: float) -> subprocess.CompletedProcess[str]:
    """`ansible-playbook ARGUMENTS` in the `usual` environment of the tests and its `own`; both outputs in `stdout`.

    Raises subprocess.TimeoutExpired.
    """
    warm = Warm.of(usual)
    environment = {**usual, **own, **warm.handing_over({**usual, **own})}
    command = [ANSIBLE_PLAYBOOK, *arguments]
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        status = warm.playbook(process.Request(umask(), str(folder), command, environment), output.fileno(), timeout)
        if status is not None:
            output.seek(0)
            return subprocess.CompletedProcess(["warm", *arguments], os.waitstatus_to_exitcode(status), output.read())
    return installed(arguments, environment, {}, folder, timeout)


def installed(arguments: Sequence[str], usual: Mapping[str, str], own: Mapping[str, str], folder: Path, timeout: float) -> subprocess.CompletedProcess[str]:
    """The same with nothing warm, as a user's run is."""
    return subprocess.run(
        [ANSIBLE_PLAYBOOK, *arguments],
        env={**usual, **own},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )


class Warm:
    """The two processes. Each process of the tests has them once, and they end with it."""

    _only: Warm | None = None

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Warm:
        """The processes, started by the first who asks."""
        if cls._only is None:
            cls._only = cls(environment)
        return cls._only

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="warm-ansible-"))
        (self.folder / "compiled").mkdir()
        # A test's own variables, secrets among them, are not for processes that outlive it.
        kept = {**process.of_ansible(environment), **self.handing_over(environment)}
        self.processes = [
            subprocess.Popen([sys.executable, HERE / f"{name}.py", self.folder / name], env=kept, stdin=subprocess.PIPE, start_new_session=True)
            for name in ("playbooks", "modules")
        ]
        deadline = time.monotonic() + START_SECONDS
        while not all((self.folder / name).exists() for name in ("playbooks", "modules")):
            assert all(each.poll() is None for each in self.processes) and time.monotonic() < deadline, "Ansible could not be imported"
            time.sleep(0.02)

    def handing_over(self, environment: Mapping[str, str]) -> dict[str, str]:
        """What makes a module of a run a fork; see site/sitecustomize.py."""
        path = [environment["PYTHONPATH"]] if environment.get("PYTHONPATH") else []
        return {"PYTHONPATH": os.pathsep.join([*path, str(HERE / "site")]), "LITELLM_VIRTUAL_KEYS_WARM": str(self.folder)}

    def playbook(self, request: process.Request, output: int, timeout: float) -> int | None:
        """How the run ended, as os.waitpid tells it; None where it needs other settings than the process has."""
        nothing = os.open(os.devnull, os.O_RDONLY)
        try:
            answer = process.ask(self.folder / "playbooks", request, (nothing, output, output), timeout)
        except TimeoutError:
            raise subprocess.TimeoutExpired(list(request.arguments), timeout) from None
        finally:
            os.close(nothing)
        return None if answer == process.UNFIT else int(answer)


def umask() -> int:
    """Only to be had by setting it."""
    current = os.umask(0o077)
    os.umask(current)
    return current
