# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""`ansible-playbook` in a fraction of its time, for tests that run hundreds of playbooks and thousands of modules.

`run` does what `subprocess.run(["ansible-playbook", ...])` does. Most of a short playbook's time goes into importing Ansible,
packing modules, and starting a Python for each that imports the same again. Two processes have done all that, and their forks
run the playbooks (playbooks.py) and the modules (modules.py), with their own arguments, environment, folder and output. Ansible
pipes modules into them (its setting ANSIBLE_PIPELINING), rather than write each into a folder that it makes and removes.

Settings of Ansible (``ANSIBLE_*``) are read while it is imported, so the first run with other ones takes the installed
ansible-playbook, and only its modules are forks; when they are asked for again, there is a process for them. Nothing is warm in
one of molecule's scenarios, in the drills, the hunt for leaks and the benchmark.
"""

from __future__ import annotations

import dataclasses
import os
import pwd
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.warm import process

HERE = Path(__file__).parent
ANSIBLE_PLAYBOOK = str(Path(sys.executable).with_name("ansible-playbook"))
START_SECONDS = 60
MARK = "LITELLM_VIRTUAL_KEYS_WARM"
"""What sitecustomize.py finds the folder by."""
PLAYBOOKS = "LITELLM_VIRTUAL_KEYS_PLAYBOOKS"
"""By what it finds who runs playbooks."""


def run(arguments: Sequence[str], usual: Mapping[str, str], own: Mapping[str, str], folder: Path, timeout: float) -> subprocess.CompletedProcess[str]:
    """`ansible-playbook ARGUMENTS` in the `usual` environment of the tests and its `own`; both outputs in `stdout`.

    Raises subprocess.TimeoutExpired.
    """
    warm = Warm.of(usual)
    environment = {**usual, **own, **warm.handing_over({**usual, **own})}
    return warm.run([ANSIBLE_PLAYBOOK, *arguments], environment, folder, timeout) or installed(arguments, environment, {}, folder, timeout)


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
        start_new_session=True,
        check=False,
    )


@dataclasses.dataclass(frozen=True)
class Owner:
    """A user who has a Python and a copy of this folder that they can read."""

    user: pwd.struct_passwd
    python: str
    sources: Path


class Warm:
    """The processes. Each process of the tests has them once, and they end with it, or when they are closed."""

    _only: Warm | None = None

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Warm:
        """The processes, started by the first who asks."""
        if cls._only is None:
            cls._only = cls(environment)
        return cls._only

    def __init__(self, environment: Mapping[str, str], owner: Owner | None = None) -> None:
        """For the user who runs the tests, or another one."""
        self.folder = Path(tempfile.mkdtemp(prefix="warm-ansible-"))
        (self.folder / "compiled").mkdir()
        self.sources, self.python = (owner.sources, owner.python) if owner else (HERE, sys.executable)
        self.identity: dict[str, Any] = {}
        if owner:
            self.identity = {"user": owner.user.pw_uid, "group": owner.user.pw_gid, "extra_groups": []}
            for folder in (self.folder, self.folder / "compiled"):
                os.chown(folder, owner.user.pw_uid, owner.user.pw_gid)
        self.processes: list[subprocess.Popen[bytes]] = []
        usual = {**environment, **self.handing_over(environment)}
        self.doors: dict[Settings, Path | None] = {settings(usual): self.folder / "playbooks"}
        """Where runs with these settings are taken; None where there was but one so far."""
        for name in ("playbooks", "modules"):
            self.start(name, self.folder / name, usual)
        self.wait_for(self.folder / "playbooks", self.folder / "modules")

    def start(self, program: str, door: Path, environment: Mapping[str, str]) -> None:
        # A test's own variables, secrets among them, are not for processes that outlive it.
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
        """Where a run with these settings is taken; None for the first that comes with them."""
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
        """What makes a module of a run a fork; see site/sitecustomize.py."""
        path = [environment["PYTHONPATH"]] if environment.get("PYTHONPATH") else []
        return {
            "ANSIBLE_PIPELINING": environment.get("ANSIBLE_PIPELINING", "true"),
            "PYTHONPATH": os.pathsep.join([*path, str(self.sources / "site")]),
            MARK: str(self.folder),
        }

    def handing_all_over(self, environment: Mapping[str, str]) -> dict[str, str]:
        """What makes a fork of ansible-playbook itself too, typed by whoever has this environment."""
        modules = self.handing_over(environment)
        wanted = {**environment, **modules}
        door = self.door(wanted) or self.door(wanted)  # it will not be the only one with these settings
        return {**modules, PLAYBOOKS: str(door)}

    def run(self, command: Sequence[str], environment: Mapping[str, str], folder: Path, timeout: float) -> subprocess.CompletedProcess[str] | None:
        """A command of Ansible's, with both outputs in `stdout`; None where no process has its settings. Raises subprocess.TimeoutExpired."""
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
