# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The process that has imported Ansible, and whose forks run playbooks: `python playbooks.py SOCKET`, see runner.py."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from process import Request, serve


def settings(environment: Mapping[str, str]) -> dict[str, str]:
    """What of an environment is read while Ansible is imported."""
    return {name: value for name, value in environment.items() if name.startswith(("ANSIBLE_", "PYTHON", "LC_")) or name in ("HOME", "LANG", "PATH", "TMPDIR")}


def run(request: Request) -> None:
    from ansible.cli.playbook import main

    main(request.arguments)


if __name__ == "__main__":
    for name in ("ansible.cli.playbook", "ansible.executor.module_common", "ansible.executor.task_executor"):
        importlib.import_module(name)
    own = settings(os.environ)
    serve(sys.argv[1], lambda request: settings(request.environment) == own, run)
    shutil.rmtree(Path(sys.argv[1]).parent, ignore_errors=True)
