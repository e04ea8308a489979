# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Kill ansible-playbook before or after a certain step of a pass: a call to the gateway, a mail, or a file that is renamed."""

from __future__ import annotations

DOCUMENTATION = r"""
name: die_at_step
type: aggregate
short_description: Kills ansible-playbook and its group with SIGKILL at the step whose number DIE_AT_STEP names
description:
  - A step is the beginning or the end of an HTTP exchange, of the sending of a mail, or of the renaming of a file of a request.
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
"""

import os
import signal
import smtplib
from collections.abc import Callable
from multiprocessing import Value
from typing import Any

import requests
from ansible.plugins.callback import CallbackBase

LEFT = Value("i", 0)
MAIN = Value("i", 0)
"""The process of Ansible itself. Both are shared with the processes that run tasks."""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "die_at_step"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        LEFT.value, MAIN.value = int(os.environ["DIE_AT_STEP"]), os.getpid()
        for owner, name in ((requests.Session, "send"), (smtplib.SMTP, "sendmail"), (os, "rename")):
            setattr(owner, name, _deadly(getattr(owner, name), name))


def _deadly(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        if name == "rename" and not str(arguments[1]).endswith(".json"):
            return function(*arguments, **options)
        _met()
        result = function(*arguments, **options)
        _met()
        return result

    return call


def _met() -> None:
    with LEFT.get_lock():
        LEFT.value -= 1
        if LEFT.value == 0:
            os.kill(MAIN.value, signal.SIGKILL)
            os.killpg(os.getpgrp(), signal.SIGKILL)  # newer releases of Ansible run tasks in a group of their own
