# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Two controllers work on one lab at the same moment, with the same job or with opposite ones."""

from __future__ import annotations

import time

from ansible_collections.rhpds.litellm_virtual_keys.tests.drill.lab import JOBS
from ansible_collections.rhpds.litellm_virtual_keys.tests.drill.yard import Yard

APART = (0.0, 0.3, 0.6)
"""Seconds between the starts of two equal jobs."""
BETWEEN = (1.2, 1.5, 1.8)
"""Seconds from the start of a playbook until about the calls of its module."""
OPPOSED = (("provision", "destroy"), ("destroy", "provision"), ("destroy", "rotate"), ("destroy", "extend"), ("extend", "provision"))
"""The job that must prevail, and the one that runs in between."""


def run(yard: Yard) -> None:
    for job in JOBS:
        for seconds in APART:
            with yard.drill("two controllers", job, f"the same, {seconds} s apart") as lab:
                first = lab.start()
                time.sleep(seconds)
                second = lab.start()
                lab.end(first)
                lab.end(second)
                lab.run_again()
                lab.judge()
                lab.judge_user_info()
    by_name = {job.name: job for job in JOBS}
    for last, between in OPPOSED:
        for seconds in BETWEEN:
            with yard.drill("two controllers", by_name[last], f"{between} {seconds} s after its start") as lab:
                process = lab.start()
                time.sleep(seconds)
                lab.module(by_name[between].module, yard.proxy.url)
                lab.was_destroyed = between == "destroy"
                lab.end(process)
                lab.run_again()
                lab.judge()
