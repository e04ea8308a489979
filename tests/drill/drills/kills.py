# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""kill -9 of ansible-playbook at every exchange with the gateway: before the request arrives, after it was answered, of
ansible-playbook with all its processes, and of ansible-playbook alone, whose module then goes on while the next run begins."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess

from ansible_collections.rhpds.litellm_virtual_keys.tests.drill.lab import JOBS, Lab
from ansible_collections.rhpds.litellm_virtual_keys.tests.drill.yard import Yard
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.faulty_proxy import Harm
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.processes import descendants

KILLS = (
    ("before the request arrives", False, True),
    ("after the answer", True, True),
    ("alone, after the answer", True, False),
)
"""Name of a kill, whether the request was answered, and whether all processes die."""


def run(yard: Yard) -> None:
    for job in JOBS:
        for at in range(yard.exchanges(job, lambda lab: lab.end(lab.start(yard.proxy.url), must_succeed=True))):
            for name, answered, all_of_it in KILLS:
                with yard.drill("kill -9", job, f"exchange {at + 1}, {name}") as lab:
                    kill(yard, lab, at, answered=answered, all_of_it=all_of_it)
                    lab.run_again()
                    lab.judge()
                    lab.judge_user_info()


def kill(yard: Yard, lab: Lab, at: int, *, answered: bool, all_of_it: bool) -> None:
    """Run the playbook and kill it at its exchange number `at`, counted from 0; it may have ended before."""
    started: list[subprocess.Popen[str]] = []

    def strike(after: bool) -> None:
        if after != answered:
            return
        for process in (started[0].pid, *(descendants(started[0].pid) if all_of_it else [])):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        if not after:
            raise ConnectionResetError  # the request never arrives

    yard.proxy.harms = [Harm("call", skip=at, times=1, work=strike)]
    started.append(lab.start(yard.proxy.url))
    if all_of_it:
        lab.end(started[0])
    else:
        started[0].wait(timeout=300)  # not to the end of its output: the module that it leaves goes on
