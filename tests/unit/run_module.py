# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Run a module's own `main` as Ansible does, in this process (fast) or in one of its own (to be killed)."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

from ansible.module_utils import basic

MODULES = "ansible_collections.rhpds.litellm_virtual_keys.plugins.modules"


def _payload(arguments: Mapping[str, Any], *, check: bool, diff: bool, no_log: bool) -> str:
    internal = {
        "_ansible_check_mode": check,
        "_ansible_diff": diff,
        "_ansible_no_log": no_log,
        "_ansible_remote_tmp": "/tmp",
        "_ansible_keep_remote_files": False,
    }
    return json.dumps({"ANSIBLE_MODULE_ARGS": {**arguments, **internal}})


def run_module(name: str, arguments: Mapping[str, Any], *, check: bool = False, diff: bool = False, no_log: bool = True) -> dict[str, Any]:
    """What the module returned, `failed` included. `no_log` is the task's. A name with dots is that of a module of others."""
    module = importlib.import_module(name if "." in name else f"{MODULES}.{name}")
    payload = _payload(arguments, check=check, diff=diff, no_log=no_log)
    printed = io.StringIO()
    with (
        mock.patch.object(basic, "_ANSIBLE_ARGS", payload.encode()),
        mock.patch.object(basic, "_ANSIBLE_PROFILE", "legacy", create=True),
        contextlib.redirect_stdout(printed),
        contextlib.suppress(SystemExit),
    ):
        module.main()
    result: dict[str, Any] = json.loads(printed.getvalue())
    return result


def start_module(name: str, arguments: Mapping[str, Any], directory: Path, *, check: bool = False, no_log: bool = True) -> subprocess.Popen[str]:
    """The module as a process of its own. Its arguments travel in a file below `directory`, as they do with Ansible."""
    file = directory / f"{name}-{id(arguments)}.json"
    file.touch(mode=0o600)
    file.write_text(_payload(arguments, check=check, diff=False, no_log=no_log))
    return subprocess.Popen(
        [sys.executable, "-m", f"{MODULES}.{name}", str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
