# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What the actions over the requests share: options in, a report out, and errors that end the task with one sentence."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.utils.display import Display

from ...module_utils.key_requests.errors import StoreError
from ...module_utils.litellm.errors import GatewayError
from ..approval.context import as_data
from ..requestor_config import find_config
from ..task_arguments import checked_arguments
from .report import TaskReport

display = Display()


def reported(action: Any, spec: Mapping[str, Any], work: Callable[[Mapping[str, Any]], TaskReport | None]) -> dict[str, Any]:
    """Return the result of an action (an ActionBase) whose `work` takes the options of `spec`. No report means that all was shown already.

    What neither the task nor the environment says is taken from the configuration of the LLM Key Requestor, if there is one.
    """
    try:
        action._task.args = _filled(action._task.args, spec)
    except ValueError as error:
        raise AnsibleActionFail(str(error)) from None
    options = checked_arguments(action, spec)
    try:
        report = work(options)
    except (StoreError, GatewayError, ValueError) as error:
        raise AnsibleActionFail(str(error)) from None
    if report is None:
        return {"changed": True}
    for warning in report.warnings:
        display.warning(warning)
    return report.to_result(options["fail_on"])


def _filled(arguments: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a task with those that a configuration of the LLM Key Requestor adds. Raises ValueError."""
    config = find_config(str(arguments.get("config_file") or ""), os.environ)
    if config is None:
        return dict(arguments)
    if config.unknown:
        display.warning(f"the configuration of the LLM Key Requestor has entries that nobody knows: {', '.join(config.unknown)}.")
    filled = config.fill(arguments, os.environ)
    if filled.get("rules") is config.rules:
        filled["rules"] = as_data(config.rules)
    return {name: value for name, value in filled.items() if name in spec or name in arguments}
