# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Action: find what the role ocp4_workload_litellm_virtual_keys publishes about the keys of a lab, once for all its tasks."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ..plugin_utils.task_arguments import checked_arguments
from ..plugin_utils.workload.publication import publication

SPEC: dict[str, dict[str, Any]] = {
    "virtual_keys": {"type": "list", "elements": "dict", "required": True, "no_log": True},
    "settings": {"type": "dict", "required": True},
    "former": {"type": "dict", "no_log": True},
}


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    _supports_diff = False  # a diff would show keys

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        given = checked_arguments(self, SPEC)
        return {**result, **publication(given["virtual_keys"], given["settings"], former=given["former"]), "changed": False}
