# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The fixture `playbook` and the class `Playbooks`: run playbooks as a user does.

installation.py names the Ansible that runs them. It finds the collection through ANSIBLE_COLLECTIONS_PATH, which `make` sets.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible import installation
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.warm import runner

COLLECTION = "rhpds.litellm_virtual_keys"
ANSIBLE_ENVIRONMENT = {
    "ANSIBLE_LOCALHOST_WARNING": "false",
    "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
    "ANSIBLE_NOCOLOR": "true",
    "ANSIBLE_FORCE_COLOR": "false",
    "ANSIBLE_RETRY_FILES_ENABLED": "false",
    **installation.ENVIRONMENT,
}


@dataclasses.dataclass(frozen=True)
class PlaybookRun:
    """The result of a run."""

    returncode: int
    output: str
    """Standard output and standard error, mixed as on a terminal."""

    def count(self, what: str) -> int:
        """Return a number of the recap (ok, changed, failed, skipped, ...), summed over all hosts."""
        return sum(int(number) for number in re.findall(rf"\b{what}=(\d+)", self.output.rpartition("PLAY RECAP")[2]))

    @property
    def changed(self) -> int:
        return self.count("changed")


class Playbooks:
    """Runs playbooks in another process: warm by default, or with `run` as the caller chooses (see warm/runner.py)."""

    def __init__(self, directory: Path, run: Callable[..., subprocess.CompletedProcess[str]] = runner.run) -> None:
        self.directory = directory
        self._run = run

    def __call__(
        self,
        name: str | Path,
        variables: Mapping[str, Any] | None = None,
        *arguments: str,
        check: bool = True,
        environment: Mapping[str, str] | None = None,
        timeout: float = 900,
    ) -> PlaybookRun:
        """Run a playbook of the collection by its short name ("provision"), or any other by its path.

        The variables travel in a private file because they may hold secrets. With ``check`` a run that fails raises AssertionError.
        """
        playbook = str(name) if isinstance(name, Path) else f"{COLLECTION}.{name}"
        handle, extra_vars = tempfile.mkstemp(dir=self.directory, suffix=".json")
        with os.fdopen(handle, "w") as file:
            json.dump(dict(variables or {}), file)
        done = self._run(
            [playbook, "--extra-vars", f"@{extra_vars}", *arguments],
            {**os.environ, **ANSIBLE_ENVIRONMENT},
            environment or {},
            self.directory,
            timeout,
        )
        assert done.returncode == 0 or not check, f"{playbook} ended with {done.returncode}:\n{done.stdout}"
        return PlaybookRun(done.returncode, done.stdout)


@pytest.fixture
def playbook(tmp_path: Path) -> Playbooks:
    return Playbooks(tmp_path)
