# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The reaper over a fleet of 10,000 keys: a report, and a run that blocks 500 orphans and deletes 500 others."""

from __future__ import annotations

import json

from ansible_collections.rhpds.litellm_virtual_keys.tests.bench import fleet
from ansible_collections.rhpds.litellm_virtual_keys.tests.bench.bench import Bench, Run
from ansible_collections.rhpds.litellm_virtual_keys.tests.bench.results import Bar, Result
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.tables import Cell, Table

LABS, USERS = 500, 20
NEW, OLD = 25, 25
"""Number of labs that have just died, and of labs whose grace period is over."""
SECONDS, MEGABYTES = 60, 400


def run(bench: Bench) -> Result:
    keys = LABS * USERS
    bench.say(f"A fleet of {keys:,} keys: writing it ...")
    guids = fleet.fill(bench, LABS, USERS)
    fleet.orphan(bench, guids[NEW : NEW + OLD])
    live = bench.directory / "live.json"
    live.write_text(json.dumps(guids[NEW + OLD :]))
    runs: dict[str, Run] = {}
    for name, more in (("report", {}), ("reap", {"stage": "delete"}), ("reap again", {"stage": "delete"})):
        runs[name] = bench.play("reap", {"live_file": str(live), **more})
        bench.say(f"  {name} {runs[name].wall:.1f} s")
    left = bench.left("virtkey-")
    fleet.remove(bench)
    if left != keys - OLD * USERS:
        raise RuntimeError(f"{left} keys are left of {keys}, and {OLD * USERS} should have been deleted")
    rows: list[list[Cell]] = [[name, done.wall, done.cpu, done.module, done.megabytes, done.reads, done.writes, done.probes] for name, done in runs.items()]
    note = f"reap: blocks {NEW * USERS} keys of {NEW} labs, deletes {OLD * USERS} keys of {OLD} labs, and proves that their values are refused."
    table = Table(f"Reaping over {keys:,} keys", ["job", "wall s", "CPU s", "module s", "MB", "reads", "writes", "probes"], rows, note)
    bars = [
        Bar(f"{name} over {keys:,} keys", f"under {SECONDS} s and {MEGABYTES} MB", f"{done.wall:.1f} s, {done.megabytes:.0f} MB", met(done))
        for name, done in runs.items()
    ]
    return Result([table], bars)


def met(done: Run) -> bool:
    return done.wall < SECONDS and done.megabytes < MEGABYTES
