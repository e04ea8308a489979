# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The cost of Ansible itself: a playbook with one module that does nothing. Every run of a playbook has it in its wall time."""

from __future__ import annotations

from pathlib import Path

from ..bench import Bench, Run, typical
from ..results import Result, Table


def run(bench: Bench) -> Result:
    bench.say("Ansible alone ...")
    bench.play(PLAYBOOK)  # the first one compiles and warms what all others find ready
    runs: list[Run] = []
    while bench.once_more([run.wall for run in runs]):
        runs.append(bench.play(PLAYBOOK))
    usual = typical(runs)
    columns = ["playbook", "wall s", "CPU s", "module s", "MB"]
    return Result([Table("Ansible alone", columns, [["one module that does nothing", usual.wall, usual.cpu, usual.module, usual.megabytes]])])


PLAYBOOK = Path(__file__).parents[1] / "nothing.yml"
