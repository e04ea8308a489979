# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The action `awx_object`: run the module for an object of AWX. The module of that name documents it."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils.awx import KINDS, forgive_missing, module_calls
from ..plugin_utils.task_arguments import checked_arguments

ARGUMENTS: dict[str, dict[str, Any]] = {
    "kind": {"type": "str", "required": True, "choices": list(KINDS)},
    "options": {"type": "dict", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "modules": {"type": "str", "default": "awx.awx"},
    "connection": {"type": "dict", "default": {}, "no_log": True},
}


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False
    _supports_diff = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = checked_arguments(self, ARGUMENTS)
        kind, state, modules = arguments["kind"], arguments["state"], arguments["modules"]
        found = self._shared_loader_obj.module_loader.find_plugin_with_context(f"{modules}.{kind}", collection_list=[])
        if not found.resolved:
            raise AnsibleActionFail(f"There is no module {modules}.{kind}; install the collection {modules} where Ansible runs, or name one that is there.")
        try:
            calls = module_calls(kind, arguments["options"], state)
        except ValueError as error:
            raise AnsibleActionFail(str(error)) from None
        changed = False
        for module, options in calls:
            module_args = {**arguments["connection"], **options}
            answer = self._execute_module(module_name=f"{modules}.{module}", module_args=module_args, task_vars=task_vars)
            result.update(forgive_missing(answer, state, self._task.check_mode))
            changed = changed or bool(result.get("changed"))
            if result.get("failed"):
                break
        result["changed"] = changed
        return result
