# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""How the tests share a machine, the gateway of integration and molecule, and the list of slow files at the end.

`make test` gives each of several processes (the workers of pytest-xdist) one file of tests at a time. Each worker has its own
servers, so a test may stop its database or its Kubernetes API without disturbing another; the tests of a file run one after
another. The files that probably take longest come first, and small ones fill the end.
"""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.kubernetes import build
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import gateway, gateway_folder

__all__ = ["gateway", "gateway_folder"]

MOST_WORKERS = 4
"""Each worker has a LiteLLM, a PostgreSQL and a Kubernetes API: more than a gigabyte."""
WAITING_WORKERS = 1
"""Workers beyond the number of cores, as tests wait for servers and clocks. With it, 95 % of two cores are in use."""
SECONDS = {
    "own": 8.0,
    "lab": 3.0,
    "desk": 3.0,
    "playbook": 3.0,
    "bastion": 3.0,
    "vendor_gateway": 1.5,
    "live": 1.0,
    "gateway": 0.7,
    "kube": 0.7,
    "inventory": 0.7,
}
"""Seconds of a test that uses one of these fixtures, to sort the files; the greatest counts."""
SECONDS_BY_NAME = {"test_its_whole_life": 120.0, "test_scenario": 25.0, "test_two_runs_at_once": 15.0, "test_several_hosts_of_a_lab": 25.0}
"""Seconds of tests that take much longer than others with their fixtures."""
SLOWEST_FILES = 10


@pytest.hookimpl(optionalhook=True)  # the tools for other releases of ansible-core have no pytest-xdist
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return the number of workers for `-n auto`: none (all in this process) for a selection of tests, which would end before a second server is up."""
    chosen = any(config.getoption(name, None) for name in ("keyword", "markexpr", "lf"))
    selected = chosen or any("::" in given or given.endswith(".py") for given in config.args)
    # A borrowed gateway exists once, and a test that stops its database would disturb the others.
    if selected or os.environ.get("LITELLM_VIRTUAL_KEYS_TEST_GATEWAY"):
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores + WAITING_WORKERS, MOST_WORKERS)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell each worker whether Kubernetes is built, because all workers must sort the files in the same way."""
    node.workerinput["kubernetes_is_built"] = build.are_built()


def expected_seconds(item: pytest.Item) -> float:
    """Estimate how many seconds a test takes."""
    if item.nodeid.startswith("tests/unit/"):  # whose fixtures may have the same names
        return 0.02
    name: str = getattr(item, "originalname", item.name)
    if name in SECONDS_BY_NAME:
        return SECONDS_BY_NAME[name]
    fixtures: tuple[str, ...] = getattr(item, "fixturenames", ())
    return max((seconds for name, seconds in SECONDS.items() if name in fixtures), default=0.02)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On workers, run the longest files first, and those that wait for a build of Kubernetes last."""
    worker: dict[str, Any] | None = getattr(config, "workerinput", None)
    if worker is None:
        return
    files: defaultdict[Path, float] = defaultdict(float)
    late: set[Path] = set()
    for item in items:
        files[item.path] += expected_seconds(item)
        if "kube" in getattr(item, "fixturenames", ()) and not worker["kubernetes_is_built"]:
            late.add(item.path)
    items.sort(key=lambda item: (item.path in late, -files[item.path]))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the slowest files, including the start of the servers that they used first; pytest itself lists the slowest tests."""
    files: defaultdict[str, float] = defaultdict(float)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                files[report.nodeid.partition("::")[0]] += report.duration
    slowest = sorted(((seconds, name) for name, seconds in files.items() if seconds >= 1), reverse=True)[:SLOWEST_FILES]
    if slowest and len(files) > 1:
        terminalreporter.section("slowest files")
        for seconds, name in slowest:
            terminalreporter.write_line(f"{seconds:.0f}s {name}")
