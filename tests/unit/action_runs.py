# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Running an action in this process, without a playbook."""

from __future__ import annotations

from typing import Any
from unittest import mock

from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.template import Templar


def run_action(module: Any, *, check: bool = False, **arguments: Any) -> dict[str, Any]:
    """Return the result of the action in `module`, one of plugins/action, with these arguments. Raises AnsibleError."""
    task = Task()
    task.action = f"rhpds.litellm_virtual_keys.{module.__name__.rpartition('.')[2]}"
    task.args = arguments
    task.check_mode = check
    task.async_val = 0
    loader = DataLoader()
    action = module.ActionModule(task, mock.Mock(), PlayContext(), loader, Templar(loader=loader), None)
    action._load_name = task.action  # as the plugin loader sets it
    result: dict[str, Any] = action.run(task_vars={})
    return result
