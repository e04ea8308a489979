# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Drill the collection on a real LiteLLM:

    make drill [ARGS="--only network --only kills"]

Does harm to runs of provision, rotate, extend and destroy, runs them again, and checks the gateway for the wanted result: one
working key for each alias, none orphaned, none lost, and no secret printed. Lives random lives of keys as well. Ends with a
table, and with status 1 if anything was lost.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import pkgutil
import random
import sys
import time
from collections import Counter
from pathlib import Path

from ansible_collections.rhpds.litellm_virtual_keys.tests.drill import drills
from ansible_collections.rhpds.litellm_virtual_keys.tests.drill.yard import Outcome, Yard
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.faulty_proxy import FaultyProxy
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import GatewayFolder, start_gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.tables import Table
from ansible_collections.rhpds.litellm_virtual_keys.tests.tools import workshop


def main() -> int:
    names = sorted(module.name for module in pkgutil.iter_modules(drills.__path__))
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    parser = argparse.ArgumentParser(prog="make drill", description="Do harm, run again, and look whether anything was lost.")
    parser.add_argument("--only", action="append", choices=names, help="only these drills; may be given again")
    parser.add_argument("--json", type=Path, default=workshop.cache() / "drill" / f"{now}.json", help="where to keep the outcomes (%(default)s)")
    parser.add_argument("--lives", type=int, default=500, help="how many random lives to live (%(default)s)")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="live the random lives of a former run again")
    options = parser.parse_args()
    print("Starting a real LiteLLM with a real PostgreSQL (15 s; minutes the first time) ...", file=sys.stderr, flush=True)
    with GatewayFolder() as folder:
        gateway = start_gateway(folder / "drill")
        with FaultyProxy(gateway.url) as proxy:
            yard = Yard(gateway, proxy, folder, options.lives, options.seed)
            for name in options.only or names:
                importlib.import_module(f"{drills.__name__}.{name}").run(yard)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps([dataclasses.asdict(outcome) for outcome in yard.outcomes], indent=2) + "\n")
    print(f"\n{summary(yard.outcomes)}\n\nThe same as JSON: {options.json}")
    return 1 if any(outcome.lost for outcome in yard.outcomes) else 0


def summary(outcomes: list[Outcome]) -> str:
    """Print the table of drills, survived and lost, by fault and job; then the losses."""
    done = Counter((outcome.family, outcome.job) for outcome in outcomes)
    lost = Counter((outcome.family, outcome.job) for outcome in outcomes if outcome.lost)
    rows = [[family, job, number, number - lost[family, job], lost[family, job]] for (family, job), number in done.items()]
    rows.append(["all", "", len(outcomes), len(outcomes) - lost.total(), lost.total()])
    table = Table("Drills", ["fault", "job", "drills", "survived", "lost"], rows)
    losses = [f"LOST {outcome.family}: {outcome.job}, {outcome.fault}: {outcome.lost}" for outcome in outcomes if outcome.lost]
    return "\n\n".join([str(table), *losses])


if __name__ == "__main__":
    sys.exit(main())
