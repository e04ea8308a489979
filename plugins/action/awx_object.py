# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The action `awx_object`: run the module for an object of AWX. The module of that name documents it."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils.awx import KINDS, forgive_missing, legible_options, module_calls
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
            result.update(self._answer(f"{modules}.{module}", arguments["connection"], module, options, state, task_vars))
            changed = changed or bool(result.get("changed"))
            if result.get("failed"):
                break
        result["changed"] = changed
        return result

    def _answer(
        self, name: str, connection: dict[str, Any], module: str, options: dict[str, Any], state: str, task_vars: dict[str, Any] | None
    ) -> dict[str, Any]:
        """Return the answer of a module, with what may be missing forgiven.

        In check mode a module that fails is asked again without its secrets, because Ansible blanks their letters out of the reason.
        """
        check_mode = self._task.check_mode
        answer = forgive_missing(self._execute_module(module_name=name, module_args={**connection, **options}, task_vars=task_vars), state, check_mode)
        legible = legible_options(module, options)
        if not (answer.get("failed") and check_mode and legible):
            return answer
        again = self._execute_module(module_name=name, module_args={**connection, **legible}, task_vars=task_vars)
        return forgive_missing(again, state, check_mode) if again.get("failed") else answer
