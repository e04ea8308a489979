# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The action `workload_settings`: check the variables of the workload role. The module of that name documents it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import cache
from typing import Any

from ansible.errors import AnsibleError
from ansible.playbook.task import Task
from ansible.plugins.action import ActionBase

from ..module_utils.common.printable import printable, redact
from ..plugin_utils.user_info import UserInfoError, plain_value
from ..plugin_utils.workload.settings import settings_of


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    _supports_diff = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            settings, warnings = settings_of(self._reader(variables), variables.keys(), os.environ)
        except ValueError as error:
            return {**result, "failed": True, "msg": str(error)}
        if getattr(self._connection, "become", None) is not None:
            warnings.append(
                "ansible_become is an extra variable, which no role can override, so the modules run as another user; set it for the hosts"
                " that need it in the inventory instead."
            )
        return {**result, **settings, "run": _run_of(self._task), "warnings": warnings, "changed": False}

    def _reader(self, variables: dict[str, Any]) -> Callable[[str], Any]:
        """Return a function that gives the value of a variable, templated, or None if it is not set. It raises ValueError."""
        templar = self._templar
        if getattr(templar, "jinja2_native", False):
            # Up to release 2.18 of ansible-core, jinja2_native makes a number of a text such as 12e45.
            from ansible.template import AnsibleEnvironment

            templar = templar.copy_with_new_env(environment_class=AnsibleEnvironment)

        @cache
        def read(name: str) -> Any:
            try:
                value = templar.template(variables.get(name))
            except AnsibleError as error:
                if type(error).__name__ == "AnsibleValueOmittedError":
                    return None
                raise ValueError(f"{name} cannot be read: {redact(printable(str(error).rstrip('.')))}; correct it.") from None
            if value == variables.get("omit") or type(value).__name__ == "_OmitType":
                return None
            try:
                return plain_value(value, name)
            except UserInfoError as error:
                raise ValueError(str(error)) from None

        return read


def _run_of(task: Task) -> str:
    """Return a name for this run of the role, the same for every host of the play, whatever its strategy and its batches of hosts.

    A task of the play keeps its id for all hosts. Tasks that it includes are loaded anew, for each host or batch, and only keep their place.
    """
    place, outermost, level = "", task, task
    while level is not None:
        if isinstance(level, Task):
            place, outermost = f"{place}\n{level.get_path()}", level
        level = level._parent
    # Ids are unique within a process of Ansible; this one was forked from it.
    return f"run-{hashlib.sha256(f'{os.getppid()} {outermost._uuid} {place}'.encode()).hexdigest()[:16]}"
