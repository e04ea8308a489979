# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""kill -9 of a provisioning run at every call, before the gateway sees it or after it has answered; then the same run again."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
from ansible_collections.rhpds.litellm_virtual_keys.tests.bench.bench import Bench
from ansible_collections.rhpds.litellm_virtual_keys.tests.bench.results import Bar, Result
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import ANSIBLE_ENVIRONMENT, COLLECTION
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.faulty_proxy import FaultyProxy, Harm
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.processes import descendants
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.tables import Table

SHORT = {"killed_users": 1}
SIDES = ("before", "after")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--killed-users", type=int, default=5, help="users of the lab whose provisioning is killed (%(default)s)")


def run(bench: Bench) -> Result:
    users, cuts, problems = bench.options.killed_users, 0, []
    for call, side in _cut_points():
        guid = f"killed{call}{side}"
        lab = {"guid": guid, "num_users": users, "output_dir": str(bench.directory / guid)}
        if not killed(bench, lab, call, side):
            break
        cuts += 1
        bench.play("provision", lab)
        problems += wrong(bench, guid, users, Path(lab["output_dir"]))
        bench.play("destroy", lab)
        bench.say(f"  killed {side} call {call}, and run again: {'; '.join(problems) or 'well'}")
    figures = f"{cuts} cut points, {len(problems)} problems" + (f": {'; '.join(problems[:3])}" if problems else "")
    goal = Bar(f"kill -9 of provisioning {users} users at every call, then again", "one working key per alias", figures, cuts > 0 and not problems)
    return Result([Table("kill -9, then the same run again", ["users", "cut points", "problems"], [[users, cuts, len(problems)]])], [goal])


def _cut_points() -> Iterator[tuple[int, str]]:
    call = 0
    while True:
        call += 1
        for side in SIDES:
            yield call, side


def killed(bench: Bench, lab: dict[str, Any], call: int, side: str) -> bool:
    """Provision, and kill the run at a call. Return False if there was no such call."""
    variables = bench.directory / f"{lab['guid']}.json"
    with FaultyProxy(bench.gateway.url) as proxy:
        variables.write_text(json.dumps({"litellm_url": proxy.url, "litellm_master_key": bench.gateway.master_key, **lab}))
        command = [str(Path(sys.executable).with_name("ansible-playbook")), f"{COLLECTION}.provision", "-e", f"@{variables}"]
        with subprocess.Popen(command, env={**os.environ, **ANSIBLE_ENVIRONMENT}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:

            def kill(after: bool) -> None:
                if after == (side == "after"):
                    for each in (process.pid, *descendants(process.pid)):
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(each, signal.SIGKILL)

            proxy.harms = [Harm("call", skip=call - 1, times=1, work=kill)]
            return process.wait() != 0


def wrong(bench: Bench, guid: str, users: int, output_dir: Path) -> list[str]:
    """Return what is wrong with the keys of a lab."""
    values = bench.values(output_dir)
    found = []
    if (left := bench.left(f"virtkey-{guid}")) != users or len(values) != users:
        found.append(f"{left} keys and {len(values)} values for {users} users")
    for user, value in values.items():
        answer = requests.get(f"{bench.gateway.url}/models", headers={"Authorization": f"Bearer {value}"}, timeout=30)
        if not answer.ok:
            found.append(f"{user}: {answer.status_code}")
    return found
