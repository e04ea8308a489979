# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Manage keys where Ansible runs, in its own process, as the modules for keys do on the hosts of a play.

Packing a module and starting Python for it takes longer than the calls of a small lab.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.playbook.task import Task

from ..module_utils.common.options import usable_arguments
from ..module_utils.litellm.options import result_of


class HereTask:
    """A task (`KeyTask`) that runs in this process."""

    def __init__(self, task: Task, params: dict[str, Any], no_log_values: set[str]) -> None:
        self.params = params
        self.check_mode: bool = task.check_mode
        self.no_log: bool = task.no_log
        self.no_log_values = no_log_values
        self.warnings: list[str] = []
        self._diff: bool = task.diff

    def warn(self, warning: str) -> None:
        self.warnings.append(warning)

    def fail_json(self, msg: str, **result: Any) -> NoReturn:
        raise _FailedError({**result, "failed": True, "msg": msg})


class _FailedError(Exception):
    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__(result["msg"])
        self.result = result


def run_here(
    task: Task,
    work: Callable[[HereTask], dict[str, Any]],
    spec: Mapping[str, Mapping[str, Any]],
    rules: Mapping[str, Any],
    arguments: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what a module with the argument spec `spec` and the `rules` would return that did this `work` with `arguments`."""
    usable, refusals = usable_arguments(spec, arguments)
    checked = ArgumentSpecValidator(dict(spec), **rules).validate(usable)
    if refusals or checked.error_messages:
        return {"failed": True, "msg": (refusals or checked.error_messages)[0], "code": "bad_input", "changed": False}
    here = HereTask(task, checked.validated_parameters, set(checked._no_log_values))
    try:
        result = result_of(lambda: work(here))
    except _FailedError as error:
        result = error.result
    shown: dict[str, Any] = remove_values({**result, "warnings": here.warnings}, here.no_log_values)
    return shown
