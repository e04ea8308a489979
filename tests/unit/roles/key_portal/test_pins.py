# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What the role installs from PyPI: every package is pinned with its hashes, and pip is told to take nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.tests.tools.workshop import INSTALLED_REQUIREMENTS, PORTAL_FILES

TASKS = PORTAL_FILES.parent / "tasks"
PACKAGE = re.compile(r"[a-z0-9-]+==\S+( ; .+?)?( --hash=sha256:[0-9a-f]{64})+")


def pip_tasks(tasks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the arguments of every installation from PyPI."""
    for task in tasks:
        if "ansible.builtin.pip" in task:
            yield task["ansible.builtin.pip"]
        for part in ("block", "rescue", "always"):
            yield from pip_tasks(task.get(part, []))


@pytest.mark.parametrize("source", INSTALLED_REQUIREMENTS, ids=lambda path: str(path.parent.name))
def test_every_package_has_hashes(source: Path) -> None:
    text = source.with_suffix(".txt").read_text(encoding="utf-8").replace("\\\n", "")
    packages = [" ".join(line.split()) for line in text.splitlines() if not line.startswith("#")]
    assert len(packages) > 1 and [line for line in packages if not PACKAGE.fullmatch(line)] == []


def test_pip_takes_nothing_without_them() -> None:
    found = [arguments for path in sorted(TASKS.rglob("*.yml")) for arguments in pip_tasks(yaml.safe_load(path.read_text(encoding="utf-8")) or [])]
    assert len(found) == sum(PORTAL_FILES in source.parents for source in INSTALLED_REQUIREMENTS)
    assert [
        arguments for arguments in found if arguments.get("extra_args") != "--require-hashes" or "requirements" not in arguments or "name" in arguments
    ] == []
