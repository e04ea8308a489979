# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The Ansible that integration tests run, by two environment variables; without them it is pytest's own, and warm (see warm/runner.py).

- ``LITELLM_VIRTUAL_KEYS_TEST_COLD=1``: the installed `ansible-playbook` runs every playbook and every module, with nothing patched.
- ``LITELLM_VIRTUAL_KEYS_TEST_CORE=core-2.17@3.11``: the tool set of that name (tests/requirements) holds Ansible and runs the modules,
  while pytest stays in its own environment. Without a Python after the @, workshop.py chooses one.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ansible_collections.rhpds.litellm_virtual_keys.tests.tools import workshop

COLD = os.environ.get("LITELLM_VIRTUAL_KEYS_TEST_COLD", "") not in ("", "0")
CORE = os.environ.get("LITELLM_VIRTUAL_KEYS_TEST_CORE", "")
PROGRAMS = workshop.environment(CORE) / "bin" if CORE else Path(sys.executable).parent
"""The folder of ansible-playbook and its Python."""
PYTHON = str(PROGRAMS / "python") if CORE else sys.executable
ANSIBLE_PLAYBOOK = str(PROGRAMS / "ansible-playbook")
ENVIRONMENT = {"PATH": os.pathsep.join([str(PROGRAMS), os.environ.get("PATH", os.defpath)]), "VIRTUAL_ENV": str(PROGRAMS.parent)} if CORE else {}
"""Variables that let programs find this Ansible by name."""
