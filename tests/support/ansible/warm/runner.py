# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Run `ansible-playbook` in a fraction of its time, for tests that run hundreds of playbooks and thousands of modules.

`run` returns what `subprocess.run(["ansible-playbook", ...])` would. A short playbook spends most of its time on importing Ansible,
on packing modules, and on starting a Python for each module that imports the same again. Two processes do that work in advance; their
forks run the playbooks (playbooks.py) and the modules (modules.py), with their own arguments, environment, folder and output.
Modules are piped into them (ANSIBLE_PIPELINING) instead of being copied into a folder first.

Ansible reads its settings (``ANSIBLE_*``) while it is imported. The first run with new settings therefore starts the installed
ansible-playbook, and only its modules are forks; the second run with the same settings starts a process for them.

``LITELLM_VIRTUAL_KEYS_TEST_COLD=1`` switches all of it off (see installation.py). One of molecule's scenarios, the drills, the hunt
for leaks and the benchmark never use it.
"""

from __future__ import annotations

import dataclasses
import os
import pwd
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible import installation
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.warm import process

HERE = Path(__file__).parent
START_SECONDS = 60
MARK = "LITELLM_VIRTUAL_KEYS_WARM"
"""Environment variable with the folder of the processes, for sitecustomize.py."""
PLAYBOOKS = "LITELLM_VIRTUAL_KEYS_PLAYBOOKS"
"""Environment variable with the socket of the process that runs playbooks, for sitecustomize.py."""


def run(arguments: Sequence[str], usual: Mapping[str, str], own: Mapping[str, str], folder: Path, timeout: float) -> subprocess.CompletedProcess[str]:
    """Run `ansible-playbook ARGUMENTS` in the `usual` environment of the tests and its `own`, with both outputs in `stdout`.

    `timeout` is in seconds. Raises subprocess.TimeoutExpired.
    """
    if installation.COLD:
        return installed(arguments, usual, own, folder, timeout)
    warm = Warm.of(usual)
    environment = {**usual, **own, **warm.handing_over({**usual, **own})}
    command = [installation.ANSIBLE_PLAYBOOK, *arguments]
    return warm.run(command, environment, folder, timeout) or installed(arguments, environment, {}, folder, timeout)


def installed(arguments: Sequence[str], usual: Mapping[str, str], own: Mapping[str, str], folder: Path, timeout: float) -> subprocess.CompletedProcess[str]:
    """Run the installed `ansible-playbook` as a user does, without warm processes. Takes the arguments of `run`."""
    environment = {**usual, **own}
    mounts = environment.get(process.MOUNTS)
    enter = ["nsenter", f"--mount={mounts}", f"--wd={folder}", "--"] if mounts else []
    return subprocess.run(
        [*enter, installation.ANSIBLE_PLAYBOOK, *arguments],
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        start_new_session=True,
        check=False,
    )


def handing_over(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that turn the modules of a run in this environment into forks; none when the tests are cold."""
    return {} if installation.COLD else Warm.of(environment).handing_over(environment)


def handing_all_over(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that also turn `ansible-playbook`, typed in this environment, into a fork; none when the tests are cold."""
    return {} if installation.COLD else Warm.of(environment).handing_all_over(environment)


@dataclasses.dataclass(frozen=True)
class Owner:
    """A user with a Python and a copy of this folder that they can read."""

    user: pwd.struct_passwd
    python: str
    sources: Path


class Warm:
    """The processes that fork. One process of pytest has one set; it ends with pytest, or when it is closed."""

    _only: Warm | None = None

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Warm:
        """Return the processes of this pytest, started by the first call."""
        if cls._only is None:
            cls._only = cls(environment)
        return cls._only

    def __init__(self, environment: Mapping[str, str], owner: Owner | None = None) -> None:
        """Start the processes, for the user who runs the tests or for `owner`."""
        self.folder = Path(tempfile.mkdtemp(prefix="warm-ansible-"))
        self.sources, self.python = (owner.sources, owner.python) if owner else (HERE, installation.PYTHON)
        self.identity: dict[str, Any] = {}
        if owner:
            self.identity = {"user": owner.user.pw_uid, "group": owner.user.pw_gid, "extra_groups": []}
            os.chown(self.folder, owner.user.pw_uid, owner.user.pw_gid)
        self.processes: list[subprocess.Popen[bytes]] = []
        usual = {**environment, **self.handing_over(environment)}
        self.doors: dict[Settings, Path | None] = {settings(usual): self.folder / "playbooks"}
        """The socket for runs with these settings; None after a first run with them."""
        for name in ("playbooks", "modules"):
            self.start(name, self.folder / name, usual)
        self.wait_for(self.folder / "playbooks", self.folder / "modules")

    def start(self, program: str, door: Path, environment: Mapping[str, str]) -> None:
        # Processes that outlive a test must not have its own variables, which may be secrets.
        kept = {**process.of_ansible(environment), MARK: str(self.folder)}
        command = [self.python, self.sources / f"{program}.py", door]
        self.processes.append(subprocess.Popen(command, env=kept, cwd=self.folder, stdin=subprocess.PIPE, start_new_session=True, **self.identity))

    def close(self) -> None:
        for each in self.processes:
            each.communicate()

    def wait_for(self, *doors: Path) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not all(door.exists() for door in doors):
            assert all(each.poll() is None for each in self.processes) and time.monotonic() < deadline, "Ansible could not be imported"
            time.sleep(0.02)

    def door(self, environment: Mapping[str, str]) -> Path | None:
        """Return the socket for a run with these settings, None for the first run with them."""
        wanted = settings(environment)
        if wanted not in self.doors:
            self.doors[wanted] = None
        elif self.doors[wanted] is None:
            door = self.folder / f"playbooks-{len(self.processes)}"
            self.start("playbooks", door, environment)
            self.wait_for(door)
            self.doors[wanted] = door
        return self.doors[wanted]

    def handing_over(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Return the variables that turn the modules of a run into forks; site/sitecustomize.py reads them."""
        path = [environment["PYTHONPATH"]] if environment.get("PYTHONPATH") else []
        return {
            "ANSIBLE_PIPELINING": environment.get("ANSIBLE_PIPELINING", "true"),
            "PYTHONPATH": os.pathsep.join([*path, str(self.sources / "site")]),
            MARK: str(self.folder),
        }

    def handing_all_over(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Return the variables that also turn `ansible-playbook`, typed in this environment, into a fork."""
        modules = self.handing_over(environment)
        wanted = {**environment, **modules}
        door = self.door(wanted) or self.door(wanted)  # the second call starts the process
        return {**modules, PLAYBOOKS: str(door)}

    def run(self, command: Sequence[str], environment: Mapping[str, str], folder: Path, timeout: float) -> subprocess.CompletedProcess[str] | None:
        """Run an Ansible command, with both outputs in `stdout`. Returns None when no process has its settings.

        Raises subprocess.TimeoutExpired.
        """
        door = self.door(environment)
        if door is None:
            return None
        with tempfile.TemporaryFile("w+", errors="replace") as output, open(os.devnull) as nothing:
            request = process.Request(process.umask(), str(folder), command, environment)
            try:
                answer = process.ask(door, request, (nothing.fileno(), output.fileno(), output.fileno()), timeout)
            except TimeoutError:
                raise subprocess.TimeoutExpired(list(command), timeout) from None
            if answer == process.UNFIT:
                return None
            output.seek(0)
            return subprocess.CompletedProcess(["warm", *command[1:]], os.waitstatus_to_exitcode(int(answer)), output.read())


Settings = frozenset[tuple[str, str]]


def settings(environment: Mapping[str, str]) -> Settings:
    return frozenset(process.of_ansible(environment).items())
