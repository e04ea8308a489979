# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The action `agnosticd_user_info`: save messages and data for users. The module of that name documents it."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.plugins.loader import action_loader

from ..plugin_utils import user_info
from ..plugin_utils.user_info import Entry, UserInfoError

AGNOSTICD_OWN = ("agnosticd.core.agnosticd_user_info", "ansible.legacy.agnosticd_user_info")
"""AgnosticD's own plugin: in its collection (version 2), or beside its playbooks (version 1)."""


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    _supports_diff = False  # a diff would show keys

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            entry = user_info.parse_entry(self._task.args)
            directory = user_info.directory(variables, self._templar.template)
            of_action = self._task.args.get("of_action")
            # AgnosticD's plugin writes in check mode too, into its own directory if there is no output_dir, and into the files of
            # the action that runs.
            own = None if self._task.check_mode or directory is None or of_action else user_info.own_plugin(AGNOSTICD_OWN, action_loader.has_plugin)
            if own:
                return {**result, **self._run_own(own, variables)}
            written = []
            if directory:
                action = str(of_action or user_info.action(variables, self._templar.template))
                written = user_info.Directory(directory, action).add(entry, check=self._task.check_mode)
        except UserInfoError as error:
            return {**result, "failed": True, "msg": str(error)}
        result.update(as_agnosticd_reads_it(entry), changed=bool(written), written=written)
        # Messages are meant to be read; data is not.
        result["_ansible_verbose_always"] = not (entry.data or entry.users)
        return result

    def _run_own(self, name: str, variables: dict[str, Any]) -> dict[str, Any]:
        """Hand the task to AgnosticD's plugin, with the `module_defaults` for that plugin, such as `data_prefix`."""
        defaults: Any = {}
        resolved = action_loader.find_plugin_with_context(name).resolved_fqcn  # the name under which Ansible keeps defaults
        for of_block in self._task.module_defaults:
            defaults = of_block.get(resolved, defaults)
        results = []
        for arguments in user_info.for_agnosticd(self._task.args):
            task = self._task.copy()
            task.args = {**self._templar.template(defaults), **arguments}
            handler = action_loader.get(
                name,
                task=task,
                connection=self._connection,
                play_context=self._play_context,
                loader=self._loader,
                templar=self._templar,
                shared_loader_obj=self._shared_loader_obj,
            )
            result: dict[str, Any] = handler.run(task_vars=variables)
            if result.get("failed"):
                # Its result also has the message that it could not save, which may contain a key.
                raise UserInfoError(f"{name} failed: {result.get('error') or 'it does not say why'}")
            results.append(result)
        return results[0] if len(results) == 1 else {"changed": any(result.get("changed") for result in results)}


def as_agnosticd_reads_it(entry: Entry) -> dict[str, Any]:
    """Return the part of the result that AgnosticD's portal reads from job events if it does not receive the files."""
    result: dict[str, Any] = {}
    if entry.user is not None:
        result["user"] = entry.user
        if entry.msg is not None:
            result["msg"] = entry.msg
    elif isinstance(entry.msg, list):
        result["msg"] = [f"user.info: {message}" for message in entry.msg]
    elif entry.msg is not None:
        result["msg"] = f"user.info: {entry.msg}"
    elif entry.body is not None:
        result["msg"] = f"user.body: {entry.body}"
    if entry.data:
        result["data"] = entry.data
    if entry.users:
        result["users"] = entry.users
    return result
