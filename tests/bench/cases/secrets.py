# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""A lab's life at -vvv and with --diff: how often a key's value or the master key is printed or is an argument of a process."""

from __future__ import annotations

import os
from pathlib import Path

from ansible_collections.rhpds.litellm_virtual_keys.tests.bench.bench import Bench
from ansible_collections.rhpds.litellm_virtual_keys.tests.bench.results import Bar, Result
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.processes import Sampler, descendants
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.tables import Table

USERS = 3
NEW_VALUES = ("provision", "rotate")
"""The playbooks that give the lab's keys new values."""


class Arguments(Sampler):
    """Samples the arguments of all processes that this process starts meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[bytes] = set()

    def sample(self) -> None:
        for process in descendants(os.getpid()):
            try:
                self.seen.add(Path(f"/proc/{process}/cmdline").read_bytes())
            except (FileNotFoundError, ProcessLookupError):
                continue


def run(bench: Bench) -> Result:
    output_dir = bench.directory / "secrets"
    lab = {"guid": "secrets", "num_users": USERS, "output_dir": str(output_dir), "ocp4_workload_litellm_virtual_keys_extend_for": "2000h"}
    outputs: dict[str, str] = {}
    values: set[str] = {bench.gateway.master_key}
    with Arguments() as arguments:
        for name in ("provision", "extend", "rotate", "destroy"):
            outputs[name] = bench.play(name, lab, "-vvv", "--diff").output
            if name in NEW_VALUES:
                values |= set(bench.values(output_dir, name).values())
    if len(values) != 1 + USERS * len(NEW_VALUES):
        raise RuntimeError(f"{len(values)} secrets are known, and there were the master key and {USERS} values each after {' and '.join(NEW_VALUES)}.")
    rows = [[name, len(output.splitlines()), sum(output.count(value) for value in values)] for name, output in outputs.items()]
    shown = sum(int(row[2]) for row in rows)
    exposed = sum(value.encode() in seen for value in values for seen in arguments.seen)
    rows.append(["arguments of processes", len(arguments.seen), exposed])
    figures = f"{shown} in output, {exposed} in arguments, of {len(values)} secrets"
    goal = Bar("secrets in output at -vvv and in process arguments", "0", figures, shown == exposed == 0)
    return Result([Table("Secrets at -vvv --diff", ["where", "lines", "secrets"], rows)], [goal])
