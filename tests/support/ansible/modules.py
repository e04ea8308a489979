# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Run the `main` of a module in this process, with arguments as Ansible gives them."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
from collections.abc import Mapping
from typing import Any
from unittest import mock

from ansible.module_utils import basic

MODULES = "ansible_collections.rhpds.litellm_virtual_keys.plugins.modules"


def payload(arguments: Mapping[str, Any], *, check: bool, diff: bool, no_log: bool) -> str:
    """Return a module's arguments as Ansible passes them. `no_log` is the keyword of the task."""
    internal = {
        "_ansible_check_mode": check,
        "_ansible_diff": diff,
        "_ansible_no_log": no_log,
        "_ansible_remote_tmp": "/tmp",
        "_ansible_keep_remote_files": False,
    }
    return json.dumps({"ANSIBLE_MODULE_ARGS": {**arguments, **internal}})


def run_module(name: str, arguments: Mapping[str, Any], *, check: bool = False, diff: bool = False, no_log: bool = True) -> dict[str, Any]:
    """Run a module and return its result, `failed` included.

    `name` is one of the collection's modules or, with dots, the whole name of another one. `no_log` is the keyword of the task.
    """
    module = importlib.import_module(name if "." in name else f"{MODULES}.{name}")
    passed = payload(arguments, check=check, diff=diff, no_log=no_log)
    printed, warned, warn = io.StringIO(), list[str](), basic.AnsibleModule.warn

    def noted(self: basic.AnsibleModule, warning: str, **more: Any) -> None:
        warned.append(warning)
        warn(self, warning, **more)

    with (
        mock.patch.object(basic.AnsibleModule, "warn", noted),
        mock.patch.object(basic, "_ANSIBLE_ARGS", passed.encode()),
        mock.patch.object(basic, "_ANSIBLE_PROFILE", "legacy", create=True),
        contextlib.redirect_stdout(printed),
        contextlib.suppress(SystemExit),
    ):
        module.main()
    result: dict[str, Any] = json.loads(printed.getvalue())
    # In a process that has loaded Ansible's controller, ansible-core shows the warnings of a module instead of returning them.
    return {**result, **({"warnings": warned} if warned and not result.get("warnings") else {})}
