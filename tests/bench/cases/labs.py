# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The inventory of 10,000 labs: read from the gateway, with a user's own groups and variables, and from the cache."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from ansible_collections.rhpds.litellm_virtual_keys.tests.bench import fleet
from ansible_collections.rhpds.litellm_virtual_keys.tests.bench.bench import Bench, cpu_seconds
from ansible_collections.rhpds.litellm_virtual_keys.tests.bench.meters import PeakMemory
from ansible_collections.rhpds.litellm_virtual_keys.tests.bench.results import Result
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.tables import Cell, Table

LABS = 10_000
_PLAIN = "plugin: rhpds.litellm_virtual_keys.labs\n"
_OWN = """
keyed_groups: [{prefix: state, key: lab_state}]
groups: {spent: (lab_budget_share or 0) > 0.8}
compose: {guid: lab_guid}
strict: true
"""
_CACHE = "cache: true\ncache_plugin: ansible.builtin.jsonfile\ncache_connection: {folder}\n"


def run(bench: Bench) -> Result:
    bench.say(f"A fleet of {LABS:,} labs: writing it ...")
    fleet.fill(bench, LABS, 1)
    cache = _CACHE.format(folder=bench.directory / "inventory-cache")
    rows: list[list[Cell]] = []
    for job, config in (
        ("read", _PLAIN),
        ("read, with constructed groups and variables", _PLAIN + _OWN),
        ("read, and kept in a cache", _PLAIN + cache),
        ("from the cache", _PLAIN + cache),
    ):
        rows.append([job, *measured(bench, config)])
        bench.say(f"  {job} {rows[-1][1]:.1f} s")
    fleet.remove(bench)
    return Result([Table(f"The inventory of {LABS:,} labs (ansible-inventory --list)", ["job", "wall s", "CPU s", "MB", "calls", "hosts"], rows)])


def measured(bench: Bench, config: str) -> list[Cell]:
    """Return wall and CPU seconds, the peak memory in MB, and the numbers of HTTP exchanges and hosts."""
    source = bench.directory / "bench.labs.yml"
    source.write_text(config)
    inventory = bench.directory / "inventory.json"
    bench.proxy.take()
    environment = {**os.environ, "LITELLM_BASE_URL": bench.proxy.url, "LITELLM_MASTER_KEY": bench.gateway.master_key}
    environment |= {"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true"}
    command = [str(Path(sys.executable).with_name("ansible-inventory")), "-i", str(source), "--list", "--output", str(inventory)]
    with PeakMemory() as memory:
        started, used = time.perf_counter(), cpu_seconds()
        subprocess.run(command, env=environment, check=True, capture_output=True)
        wall, cpu = time.perf_counter() - started, cpu_seconds() - used
    hosts = json.loads(inventory.read_text())["_meta"]["hostvars"]
    if len(hosts) != LABS:
        raise RuntimeError(f"the inventory has {len(hosts)} hosts instead of {LABS}")
    return [wall, cpu, memory.megabytes, len(bench.proxy.take()), len(hosts)]
