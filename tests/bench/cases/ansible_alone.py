# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The cost of Ansible itself: a playbook with one module that does nothing. The wall time of every run includes it."""

from __future__ import annotations

from ansible_collections.rhpds.litellm_virtual_keys.tests.bench.bench import Bench
from ansible_collections.rhpds.litellm_virtual_keys.tests.bench.results import Result
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.tables import Cell, Table


def run(bench: Bench) -> Result:
    usual = bench.nothing
    columns = ["playbook", "wall s", "CPU s", "module s", "MB"]
    row: list[Cell] = ["one module that does nothing", usual.wall, usual.cpu, usual.module, usual.megabytes]
    return Result([Table("Ansible alone", columns, [row])])
