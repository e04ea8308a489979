# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Measure the collection against a real LiteLLM:

    make bench [ARGS="--users 1,20 --others 0,1000 --case lab_life"]

Starts a gateway of its own, runs every case in `cases/`, prints tables and the bars, keeps the same as JSON, and removes the
gateway. Bars are printed, not enforced: the status is 0 whenever everything could be measured.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import os
import pkgutil
import platform
import statistics
import sys
import textwrap
import time
from pathlib import Path
from typing import Protocol

import requests
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.gateway_fixtures import (
    Gateway,
    GatewayHome,
    cache,
    start_gateway,
)

from . import cases
from .bench import Bench
from .meters import ForeignWork
from .recording_proxy import RecordingProxy
from .results import Result, Table, bar_table

PINGS = 200
PAGE_MARK = ".. Below stands what make bench has written."
FOREIGN = "cores busy with other work"
QUIET_CORES = 0.1
"""Up to so much other work a machine counts as quiet."""


class Case(Protocol):
    """A module in `cases/`: one thing to measure."""

    def run(self, bench: Bench) -> Result:
        """Measure. `add_options(parser)` beside it is optional."""


def main() -> None:
    names = sorted(module.name for module in pkgutil.iter_modules(cases.__path__))
    found: dict[str, Case] = {name: importlib.import_module(f"{cases.__name__}.{name}") for name in names}
    options = parsed(found)
    started = time.monotonic()
    print("Starting a real LiteLLM with a real PostgreSQL (15 s; minutes the first time) ...", file=sys.stderr, flush=True)
    with GatewayHome() as home:
        gateway = start_gateway(home / "gateway")
        with RecordingProxy(gateway.url) as proxy:
            about = surroundings(gateway, proxy)
            foreign = ForeignWork(list(gateway.connection["pids"].values()))
            bench = Bench(gateway, proxy, home, options)
            results = {name: found[name].run(bench) for name in options.case or names}
            about |= {FOREIGN: round(foreign.cores(), 2), "minutes": round((time.monotonic() - started) / 60, 1)}

    tables = [about_table(about), *(table for result in results.values() for table in result.tables)]
    bars = [checked for result in results.values() for checked in result.bars]
    told = "\n\n".join(str(table) for table in [*tables, *([bar_table(bars)] if bars else [])])
    print("\n" + told)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    kept = {"about": about, "cases": {name: result.to_json() for name, result in results.items()}}
    options.json.write_text(json.dumps(kept, indent=2) + "\n")
    print(f"\nThe same as JSON: {options.json}")
    if options.page:
        renew(options.page, told)


def parsed(found: dict[str, Case]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description="Measure the collection against a real LiteLLM.")
    parser.add_argument("--case", action="append", choices=sorted(found), help="only this one; may be given again")
    parser.add_argument("--users", type=numbers, default=[1, 20, 200], help="sizes of labs (%(default)s)")
    parser.add_argument("--others", type=numbers, default=[0, 1000, 5000], help="keys of other labs (%(default)s)")
    parser.add_argument("--repeat", type=int, default=3, help="measure so often what is short, and take the median (%(default)s)")
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    parser.add_argument("--json", type=Path, default=cache() / "bench" / f"{now}.json", help="where to keep the figures (%(default)s)")
    parser.add_argument("--page", type=Path, help="a page of the documentation whose figures are to be renewed")
    for case in found.values():
        if hasattr(case, "add_options"):
            case.add_options(parser)
    return parser.parse_args()


def renew(page: Path, told: str) -> None:
    """Put the figures in the place of all that stands on the page after the mark."""
    before, mark, _old = page.read_text().partition(PAGE_MARK)
    if not mark:
        raise SystemExit(f"{page} has no line {PAGE_MARK!r}, after which the figures would go; it was left as it is.")
    page.write_text(f"{before}{mark}\n\n.. code-block:: text\n\n{textwrap.indent(told, '   ')}\n")


def numbers(text: str) -> list[int]:
    return sorted({int(number) for number in text.split(",")})


def surroundings(gateway: Gateway, proxy: RecordingProxy) -> dict[str, str | int | float]:
    """What the figures depend on."""
    direct, through = pings(gateway.url, proxy.url)
    return {
        "began": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Linux {platform.release()}",
        "python": platform.python_version(),
        "ansible-core": importlib.metadata.version("ansible-core"),
        "litellm": gateway.get("/openapi.json")["info"]["version"],
        "proxy adds to a call (ms)": round((through - direct) * 1000, 2),
    }


def pings(*urls: str) -> list[float]:
    """The median time of the cheapest call at each address, in seconds, asked in turn."""
    times: list[list[float]] = [[] for _url in urls]
    with requests.Session() as session:
        session.trust_env = False
        for _number in range(PINGS):
            for url, mine in zip(urls, times, strict=True):
                started = time.perf_counter()
                session.get(f"{url}/health/liveliness", timeout=10).raise_for_status()
                mine.append(time.perf_counter() - started)
    return [statistics.median(mine) for mine in times]


def about_table(about: dict[str, str | int | float]) -> Table:
    busy = float(about[FOREIGN]) > QUIET_CORES
    note = "The machine had other work: times are longer than on a quiet one, and ratios less certain." if busy else ""
    return Table("This run", ["what", "value"], [[name, str(value)] for name, value in about.items()], note)


if __name__ == "__main__":
    main()
