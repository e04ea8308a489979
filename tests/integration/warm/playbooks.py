# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The process that has imported Ansible, and whose forks run playbooks: `python playbooks.py SOCKET`, see runner.py."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from pathlib import Path

from process import Request, of_ansible, serve


def run(request: Request) -> None:
    from ansible.cli.playbook import main

    main(request.arguments)


if __name__ == "__main__":
    for name in ("ansible.cli.playbook", "ansible.executor.module_common", "ansible.executor.task_executor"):
        importlib.import_module(name)
    own = of_ansible(os.environ)
    serve(sys.argv[1], lambda request: of_ansible(request.environment) == own, run)
    shutil.rmtree(Path(sys.argv[1]).parent, ignore_errors=True)
