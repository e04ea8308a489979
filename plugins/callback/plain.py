# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Stdout callback for people: the answer of a playbook, without the tasks that led to it."""

from __future__ import annotations

DOCUMENTATION = r"""
name: plain
type: stdout
short_description: Print only the answer of a playbook
version_added: 2.0.0
description:
  - Prints the messages and variables of C(ansible.builtin.debug) tasks, texts as they are and data as JSON, to standard output. The names
    of plays, the names of tasks that take long, and failures go to standard error. Everything else is left out.
  - If a task with C(no_log) fails, only its name is printed.
  - Made for the playbooks of this collection that answer a question, such as C(list_virtual_keys) and C(report).
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
options:
  slow_seconds:
    description: After how many seconds a task counts as slow, so that its name is printed.
    type: float
    default: 3
    env:
      - name: LITELLM_VIRTUAL_KEYS_SLOW_SECONDS
    ini:
      - section: callback_litellm_virtual_keys_plain
        key: slow_seconds
requirements:
  - set as stdout in configuration
"""

import json
import threading
import time
from typing import Any

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "rhpds.litellm_virtual_keys.plain"

    def __init__(self) -> None:
        super().__init__()
        self._timer: threading.Timer | None = None
        self._printed: float | None = None
        self._items_failed = False

    def v2_playbook_on_play_start(self, play: Any) -> None:
        name = play.get_name().strip()
        if name:
            self._print_aside(f"\n{name}\n{'=' * len(name)}")

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self._finish()
        self._items_failed = False
        name = task.get_name().split(" : ", 1)[-1].strip()
        started = time.monotonic()

        def print_name() -> None:
            self._printed = started
            self._print_aside(f"  … {name}")

        self._timer = threading.Timer(self.get_option("slow_seconds"), print_name)
        self._timer.daemon = True
        self._timer.start()

    v2_playbook_on_handler_task_start = v2_playbook_on_task_start

    def v2_runner_on_ok(self, result: Any) -> None:
        self._finish()
        if not result._task.loop:  # the items of a loop have been printed
            self._print_answer(result)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        self._finish()
        self._print_answer(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._finish()
        if not ignore_errors and not self._items_failed:
            self._print_failure(result)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        self._finish()
        self._items_failed = True
        self._print_failure(result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self.v2_runner_on_failed(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._finish()

    def _finish(self) -> None:
        """Stop the timer of the last task; if its name was printed, print how many seconds it took."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._printed is not None:
            self._print_aside(f"    {time.monotonic() - self._printed:.0f} s")
            self._printed = None

    def _print_aside(self, text: str) -> None:
        """Print `text` to standard error, where it does not get into a pipe with the answer."""
        self._display.display(text, stderr=True)

    def _print_failure(self, result: Any) -> None:
        """Print what failed and why; only the task's name if its output is hidden."""
        name, fields = result._task.get_name(), result._result
        what = f"{name} (its output is hidden by no_log)" if "censored" in fields else fields.get("msg") or name
        self._display.display(f"FAILED: {what}", color="red", stderr=True)

    def _print_answer(self, result: Any) -> None:
        """Print the message of a debug task: text as it is, data as JSON."""
        task, fields = result._task, result._result
        if task.action not in ("debug", "ansible.builtin.debug") or "censored" in fields:
            return
        message = fields.get("msg", fields.get(task.args.get("var")))
        if isinstance(message, list) and all(isinstance(line, str) for line in message):
            self._display.display("\n".join(message))
        elif isinstance(message, str):
            self._display.display(message)
        elif message is not None:
            self._display.display(json.dumps(message, indent=2, default=str))
