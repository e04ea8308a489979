# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Roles that install system units, on machines that systemd does not run.

systemctl_stand_in.py does what systemctl would: it runs the command lines of the units as their user and with their credentials.
The real `systemd-analyze` reads the units themselves.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import COLLECTION, PlaybookRun, Playbooks

STAND_IN = Path(__file__).with_name("systemctl_stand_in.py")
WORST_EXPOSURE = 1.5
"""Highest overall exposure level that `systemd-analyze security` may find, from 0 (best) to 10."""

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can install system units")
needs_systemd_analyze = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing; it comes with systemd")


def system_python() -> str:
    """Return a Python of this version that other users can run. Skips the test if there is none."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    python = shutil.which(version, path="/usr/local/bin:/usr/bin")
    if python is None:
        pytest.skip(f"there is no {version} that another user could run")
    return python


@contextlib.contextmanager
def machine_folder(prefix: str) -> Iterator[Path]:
    """Make a folder below /var/lib that other users can enter, because roles refuse /tmp for units."""
    with tempfile.TemporaryDirectory(prefix=prefix, dir="/var/lib") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def environment_without_systemd(folder: Path) -> dict[str, str]:
    """Return an environment whose systemctl, in this folder, says that systemd does not run."""
    (folder / "systemctl").write_text("#!/bin/sh\necho offline; exit 1\n")
    (folder / "systemctl").chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


class Units(ABC):
    """A folder of units below `folder`, with the stand-in for systemctl in `bin`. The folder must not be in /tmp, which roles refuse."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state, self.bin = folder / "units", folder / "state", folder / "bin"
        for made in (self.folder, self.state, self.bin):
            made.mkdir()
        self.state.chmod(0o711)
        program = self.bin / "systemctl"
        settings = f"STAND_IN_UNITS={self.folder} STAND_IN_STATE={self.state}"
        program.write_text(f'#!/bin/sh\n{settings} exec {sys.executable} {STAND_IN} "$@"\n')
        program.chmod(0o755)

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which a role finds the stand-in."""
        return {"PATH": f"{self.bin}:{os.environ['PATH']}"}

    @abstractmethod
    def pids(self) -> dict[str, int]:
        """Return the processes of the units, by service."""

    def systemctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([self.bin / "systemctl", *words], capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, f"{words}: {done.stdout} {done.stderr} {self.journal()}"
        return done

    def journal(self) -> str:
        with contextlib.suppress(FileNotFoundError):
            return (self.state / "journal.log").read_text(errors="replace")[-6000:]
        return ""

    def lose_power(self) -> None:
        """Forget what systemd keeps in memory; the processes must be killed by the caller."""
        for credentials in self.state.glob("*.credentials"):
            shutil.rmtree(credentials)

    def stop_all(self, units: Sequence[str]) -> None:
        for unit in units:
            subprocess.run([self.bin / "systemctl", "stop", unit], check=False)


Machine = TypeVar("Machine", bound=Units)


class RoleLife(Generic[Machine]):
    """What a role's playbook made of a machine, from the first start to the removal. Each step goes on where the one before it ended."""

    playbook_name: str

    def __init__(self, machine: Machine, playbook: Playbooks, variables: dict[str, Any]) -> None:
        self.machine, self._playbook, self.variables = machine, playbook, variables
        self.outputs: list[str] = []
        self.pids: dict[str, int] = {}
        """The processes of the last start."""

    def run(self, *arguments: str, check: bool = True, **more: Any) -> PlaybookRun:
        done = self._playbook(self.playbook_name, {**self.variables, **more}, *arguments, check=False, environment=self.machine.environment)
        assert done.returncode == 0 or not check, f"{done.output[-4000:]}\n{self.machine.journal()}"
        self.outputs.append(done.output)
        return done

    def a_second_run_changes_nothing(self) -> None:
        assert self.run().changed == 0
        assert self.run("--check").changed == 0
        assert self.machine.pids() == self.pids


_RENDER = """
- hosts: localhost
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{{{ ansible_playbook_python }}}}"
  tasks:
    - ansible.builtin.setup:
        gather_subset: ["!all", "!min", env, python, user]
    - ansible.builtin.include_role:
        name: {collection}.{role}
        tasks_from: systemd/units
"""


def render_units(playbook: Playbooks, folder: Path, role: str, variables: Mapping[str, Any]) -> Path:
    """Let a role write its units for software in `folder`, with these variables, and return the folder that they are in."""
    units, software = folder / "units", folder / "software" / "installed"
    python = software / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    units.mkdir()
    python.symlink_to(sys.executable)
    play = folder / "render.yml"
    play.write_text(_RENDER.format(collection=COLLECTION, role=role))
    places = {f"__{role}_software": str(software), f"__{role}_unit_dir": str(units), f"__{role}_journald_dir": str(units)}
    playbook(play, {f"{role}_mode": "systemd", **places, **variables})
    return units


def check_units(files: Sequence[Path], worst: float = WORST_EXPOSURE) -> None:
    """Let the real systemd read the units, and rate what they leave open."""
    names = [str(file) for file in files]
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *names], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    for name in names:
        report = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager", name], capture_output=True, text=True, check=False)
        exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", report.stdout)
        assert exposure, report
        print(name, exposure[1])
        assert float(exposure[1]) <= worst, report.stdout
