# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Action: do what the role ocp4_workload_litellm_virtual_keys is to do with the keys of a lab, and find what to publish about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.plugins.action import ActionBase

from ..plugin_utils.key_tasks import run_here
from ..plugin_utils.task_arguments import checked_arguments
from ..plugin_utils.workload.calls import key_call
from ..plugin_utils.workload.publication import publication

SPEC: dict[str, dict[str, Any]] = {
    "settings": {"type": "dict", "required": True},
    "api_key": {"type": "str", "required": True, "no_log": True},
    "secret": {"type": "str", "no_log": True, "default": ""},
    "known_values": {"type": "raw", "no_log": True},
    "deleted_elsewhere": {"type": "list", "elements": "dict"},
    "former": {"type": "dict", "no_log": True},
}


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    _supports_diff = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        given = checked_arguments(self, SPEC)
        settings = given["settings"]
        call = key_call(settings, given["api_key"], given["secret"], known_values=given["known_values"], deleted_elsewhere=given["deleted_elsewhere"])
        done = run_here(self._task, call.work, call.spec, call.rules, call.arguments)
        if not done.get("failed"):
            done["publication"] = publication(done, settings, former=given["former"], deleted=_deleted(done, settings, given["deleted_elsewhere"]))
        return {**result, **done}


def _deleted(result: Mapping[str, Any], settings: Mapping[str, Any], elsewhere: Sequence[Any] | None) -> int:
    """Return how many keys were destroyed, by LiteLLM or else, or -1 for an action that destroys none."""
    if "by_id" not in settings:
        return -1
    return int(result["counts"]["deleted"]) if elsewhere is None else len(elsewhere)
