# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Run playbooks as another user, who cannot read the environment of the tests. Only root can."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible import installation
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import ANSIBLE_ENVIRONMENT
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.warm import runner

PACKAGES = next((installation.PROGRAMS.parent / "lib").glob("python*/site-packages"))
PYTHON_NAME = PACKAGES.parent.name
PATH = "/usr/local/bin:/usr/bin:/bin"


def python_of_everybody() -> str | None:
    """Return a Python of the version that this Ansible is installed for, which every user can run; None if the machine has none."""
    return shutil.which(PYTHON_NAME, path=PATH)


class OtherUser:
    """A user with a home that holds a copy of Ansible."""

    def __init__(self, name: str, folder: Path, python: str, sources: Mapping[Path, Path]) -> None:
        """Fill `folder`, a folder that does not exist yet. `sources` are folders to copy, by their path in it."""
        self.user, self.folder, self._python = pwd.getpwnam(name), folder, python
        _copy_ansible(folder / "ansible")
        for target, source in {Path("warm"): runner.HERE, **sources}.items():
            shutil.copytree(source, folder / target)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, self.user.pw_uid, self.user.pw_gid)
        passed_on = ("PIP_", "SSL_", "NODE_", "npm_")
        self.environment = {
            **{name: value for name, value in os.environ.items() if name.startswith(passed_on) or name.lower().endswith("_proxy")},
            **ANSIBLE_ENVIRONMENT,
            "PATH": PATH,
            "LANG": "C.UTF-8",
            "HOME": str(folder),
            "ANSIBLE_REMOTE_TEMP": str(folder / "tmp"),  # instead of the home in the user database
            "PYTHONPATH": str(folder / "ansible"),
            "ANSIBLE_COLLECTIONS_PATH": str(folder),
        }
        self._warm = None if installation.COLD else runner.Warm(self.environment, runner.Owner(self.user, python, folder / "warm"))

    def playbook(self, *arguments: str, timeout: float = 900) -> str:
        """Run `ansible-playbook ARGUMENTS` and return its output. `timeout` is in seconds."""
        if self._warm is None:
            done = self._run_cold(arguments, timeout)
        else:
            environment = {**self.environment, **self._warm.handing_over(self.environment)}
            forked = self._warm.run(["ansible-playbook", *arguments], environment, self.folder, timeout)
            assert forked is not None
            done = forked
        assert done.returncode == 0, done.stdout
        return done.stdout

    def _run_cold(self, arguments: tuple[str, ...], timeout: float) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self._python, "-m", "ansible", "playbook", *arguments],
            env=self.environment,
            cwd=self.folder,
            user=self.user.pw_uid,
            group=self.user.pw_gid,
            extra_groups=[],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )

    def close(self) -> None:
        if self._warm is not None:
            self._warm.close()


def _copy_ansible(folder: Path) -> None:
    """Copy ansible-core and the packages that it requires."""
    wanted, seen = ["ansible-core"], set()
    while wanted:
        name = re.split(r"[ \[<>=!~;(]", wanted.pop())[0].lower()
        distribution = next(iter(importlib.metadata.distributions(name=name, path=[str(PACKAGES)])), None)
        if name in seen or distribution is None:
            continue
        seen.add(name)
        wanted += [requirement for requirement in distribution.requires or [] if "extra ==" not in requirement]
        for file in distribution.files or []:
            if ".." not in file.parts:
                target = folder / file
                target.parent.mkdir(parents=True, exist_ok=True)
                with contextlib.suppress(FileNotFoundError):  # a compiled file that pip lists but did not write
                    shutil.copy2(str(distribution.locate_file(file)), target)
