# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Measure the collection against a real LiteLLM:

    make bench [ARGS="--short"] [ARGS="--case lab_life --users 1,20 --others 0,1000"]

Starts a gateway of its own, runs every case in `cases/`, prints tables and the bars, writes the same as JSON, and removes the
gateway. The bars are printed, not enforced: the status is 0 if everything could be measured.

A case is a module in `cases/`. Its function `run(bench)` measures with the help of a `bench.Bench` and returns a
`results.Result`. It may also have `add_options(parser)`, which adds its options, and `SHORT`, their values in a short run.
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
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import requests
from ansible_collections.rhpds.litellm_virtual_keys.tests.bench import cases
from ansible_collections.rhpds.litellm_virtual_keys.tests.bench.bench import Bench, numbers
from ansible_collections.rhpds.litellm_virtual_keys.tests.bench.charts import draw
from ansible_collections.rhpds.litellm_virtual_keys.tests.bench.meters import ForeignWork
from ansible_collections.rhpds.litellm_virtual_keys.tests.bench.results import Chart, Result, bar_table
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import Gateway, GatewayFolder, start_gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.recording_proxy import RecordingProxy
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.tables import Table
from ansible_collections.rhpds.litellm_virtual_keys.tests.tools import workshop

PINGS = 200
IMAGES = "images"
"""Name of the folder, beside the page, for its curves."""
PAGE_MARK = ".. Below stands what make bench has written."
FOREIGN = "cores busy with other work"
QUIET_CORES = 0.1
"""Number of cores that other programs may keep busy on a machine that counts as quiet."""


SHORT = {"users": [1, 20], "others": [0, 1000], "repeat": 1}
"""The cases of a short run."""


class Case(Protocol):
    """A module in `cases/`. See the top of this file for its optional parts."""

    def run(self, bench: Bench) -> Result:
        """Measure, and return the figures."""


def main() -> None:
    names = sorted(module.name for module in pkgutil.iter_modules(cases.__path__))
    found: dict[str, Case] = {name: importlib.import_module(f"{cases.__name__}.{name}") for name in names}
    options = parsed(found)
    started = time.monotonic()
    print("Starting a real LiteLLM with a real PostgreSQL (15 s; minutes the first time) ...", file=sys.stderr, flush=True)
    with GatewayFolder() as folder:
        gateway = start_gateway(folder / "gateway")
        with RecordingProxy(gateway.url) as proxy:
            about = surroundings(gateway, proxy)
            foreign = ForeignWork(list(gateway.connection["pids"].values()))
            bench = Bench(gateway, proxy, folder, options)
            results = {name: found[name].run(bench) for name in options.case or names}
            about |= {FOREIGN: round(foreign.cores(), 2), "minutes": round((time.monotonic() - started) / 60, 1)}

    tables = [about_table(about), *(table for result in results.values() for table in result.tables)]
    bars = [checked for result in results.values() for checked in result.bars]
    figures = "\n\n".join(str(table) for table in [*tables, *([bar_table(bars)] if bars else [])])
    print("\n" + figures)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    kept = {"about": about, "cases": {name: result.to_json() for name, result in results.items()}}
    options.json.write_text(json.dumps(kept, indent=2) + "\n")
    print(f"\nThe same as JSON: {options.json}")
    charts = [chart for result in results.values() for chart in result.charts]
    folder = options.page.parent / IMAGES if options.page else options.json.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    for chart in charts:
        draw(chart, folder / f"{chart.file}.svg")
    print(f"The curves: {folder}")
    if options.page:
        renew(options.page, figures, charts)


def parsed(found: dict[str, Case]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description="Measure the collection against a real LiteLLM.")
    parser.add_argument("--case", action="append", choices=sorted(found), help="only this one; may be given again")
    parser.add_argument("--short", action="store_true", help="a few minutes, for a first look: fewer and smaller measurements")
    parser.add_argument("--users", type=numbers, default=[1, 10, 20, 100, 1000], help="sizes of labs (%(default)s)")
    parser.add_argument("--others", type=numbers, default=[0, 1000, 10000, 50000], help="keys of other labs (%(default)s)")
    parser.add_argument("--repeat", type=int, default=3, help="measure so often what is short, and take the median (%(default)s)")
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    parser.add_argument("--json", type=Path, default=workshop.cache() / "bench" / f"{now}.json", help="where to keep the figures (%(default)s)")
    parser.add_argument("--page", type=Path, help="a page of the documentation whose figures are to be renewed")
    for case in found.values():
        if hasattr(case, "add_options"):
            case.add_options(parser)
    if parser.parse_known_args()[0].short:
        parser.set_defaults(**SHORT)
        for case in found.values():
            parser.set_defaults(**getattr(case, "SHORT", {}))
    return parser.parse_args()


def renew(page: Path, figures: str, charts: Sequence[Chart]) -> None:
    """Replace everything on the page after the mark by the figures."""
    before, mark, _old = page.read_text().partition(PAGE_MARK)
    if not mark:
        raise SystemExit(f"{page} has no line {PAGE_MARK!r}, after which the figures would go; it was left as it is.")
    images = "".join(f".. image:: {IMAGES}/{chart.file}.svg\n   :alt: {chart.title}\n\n" for chart in charts)
    page.write_text(f"{before}{mark}\n\n{images}.. code-block:: text\n\n{textwrap.indent(figures, '   ')}\n")


def surroundings(gateway: Gateway, proxy: RecordingProxy) -> dict[str, str | int | float]:
    """Return the properties of the machine and its software on which the figures depend."""
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
    """Return the median time of the cheapest call at each address, in seconds. The addresses are called in turn."""
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
