# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Kill ansible-playbook before or after a certain task of this collection."""

from __future__ import annotations

DOCUMENTATION = r"""
name: die_at_event
type: aggregate
short_description: Kills ansible-playbook and its group with SIGKILL at the event whose number DIE_AT_EVENT names
description:
  - An event is the beginning or the success of a task that runs a module or action of this collection.
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
"""

import os
import signal
from typing import Any

from ansible.plugins.callback import CallbackBase

OURS = "rhpds.litellm_virtual_keys."


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "die_at_event"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._left = int(os.environ["DIE_AT_EVENT"])

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self._met(task)

    def v2_runner_on_ok(self, result: Any) -> None:
        self._met(result._task)

    def _met(self, task: Any) -> None:
        if task.action.startswith(OURS):
            self._left -= 1
            if self._left == 0:
                os.killpg(os.getpgrp(), signal.SIGKILL)
