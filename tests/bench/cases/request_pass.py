# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""One pass over a queue of pending requests: read, decide, record, create the keys, mail them, record. For queues of several sizes.

The queue is a directory, or Secrets of a real Kubernetes API; the mails go to a real SMTP server over STARTTLS.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import itertools
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import durations
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import record as records
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.base import Store
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.tests.bench.bench import MORE, Bench, Run, numbers, one_more, typical
from ansible_collections.rhpds.litellm_virtual_keys.tests.bench.results import Bar, Chart, Result
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import MOCK_MODELS
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.smtp import Server, mail_servers
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.tables import Cell, Table

STORES = ("file", "kubernetes")
SHORT = {"pending": [25, 50, 100], "stores": ["file"]}
GROWTH = 1.5
"""Factor by which a request may cost more in the upper half of the sizes than in the lower half. If the cost grew with the square
of the size, the factor would be 2 for sizes that double, such as 125, 250 and 500."""
MOST_OF_FLOOR = 2.0
BARE_MAILS = Path(__file__).parents[1] / "bare_mails.py"
LEAST_KILOBYTES = 100
"""Least memory that one more request counts for, because samples differ by more than this from run to run."""
PACKAGE = {"models": MOCK_MODELS[:1], "duration": "30d", "max_budget": 5}


@dataclasses.dataclass(frozen=True)
class Pass:
    """One pass over a number of pending requests in a store."""

    store: str
    pending: int
    run: Run
    calls: float
    """Seconds of a bare client that makes the calls which made the keys."""
    mails: float
    """Seconds of a bare program that sends the mails."""
    times: int

    @property
    def floor(self) -> float:
        return self.calls + self.mails


@dataclasses.dataclass(frozen=True)
class Queue:
    """An empty queue: the collection's variables for it, and the store that fills it."""

    variables: dict[str, str]
    store: Store


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pending", type=numbers, default=[125, 250, 500], help="sizes of queues of requests (%(default)s)")
    parser.add_argument("--stores", type=lambda text: text.split(","), default=list(STORES), help="where requests are kept (%(default)s)")


def run(bench: Bench) -> Result:
    passes: list[Pass] = []
    folder = bench.directory / "request-pass"
    folder.mkdir()
    with mail_servers(folder) as servers:
        server = servers(tls="starttls")
        for store in bench.options.stores:
            with _queues(store, folder) as new:
                passes += [measured(bench, server, new, store, pending) for pending in bench.options.pending]
    return Result([table(passes), *each_request(passes)], list(bars(passes)), list(charts(passes)))


# ------------------------------------------------------------------------------------------------------------ queues
@contextlib.contextmanager
def _queues(store: str, folder: Path) -> Iterator[Callable[[str], Queue]]:
    """Yield a function that creates an empty queue under a new name."""
    if store == "file":
        yield lambda name: _directory(folder / name)
        return
    from ansible_collections.rhpds.litellm_virtual_keys.tests.support.kubernetes import cluster

    with cluster.running() as running:
        yield lambda name: _namespace(running)


def _directory(path: Path) -> Queue:
    return Queue({"key_requests_directory": str(path)}, DirectoryStore(str(path)))


def _namespace(cluster: Any) -> Queue:
    from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.kubernetes_secrets import Access, KubernetesStore
    from ansible_collections.rhpds.litellm_virtual_keys.tests.support.kubernetes.cluster import PASS_RULES

    namespace = cluster.namespace()
    kubeconfig = str(cluster.account_with_rules(namespace, PASS_RULES).kubeconfig)
    store = {"key_requests_store": "kubernetes", "key_requests_namespace": namespace, "key_requests_kubeconfig": kubeconfig}
    return Queue(store, KubernetesStore(Access(kubeconfig=kubeconfig, namespace=namespace)))


# --------------------------------------------------------------------------------------------------------- measuring
def measured(bench: Bench, server: Server, new: Callable[[str], Queue], store: str, pending: int) -> Pass:
    runs: list[Run] = []
    floors: list[tuple[float, float]] = []
    while bench.once_more([run.wall for run in runs]):
        queue = new(f"{store}-{pending}-{len(runs)}")
        for number in range(pending):
            at = durations.iso(datetime.now(UTC))
            queue.store.submit(records.new(email=f"person{number}@company.com", package="dev", purpose="Trying code completion", at=at))
        server.mailbox.received.clear()
        done = bench.play("process_requests", {**variables(server), **queue.variables})
        bench.say(f"  {pending} requests ({store}): {done.wall:.1f} s")
        finished = sum(record.progress.status == "finished" for record in queue.store.listing().records)
        if {finished, bench.left("request-"), len(server.mailbox.received)} != {pending}:
            raise RuntimeError(f"of {pending} requests {finished} are finished, with {bench.left('request-')} keys and {len(server.mailbox.received)} mails.")
        bench.remove("request-")
        runs.append(done)
        floors.append((bench.bare([each for each in done.written() if each.path == "/key/generate"]), bare_mails(server)))
        bench.remove("request-")
    calls, mails = (statistics.median(each) for each in zip(*floors, strict=True))
    return Pass(store, pending, typical(runs), calls, mails, len(runs))


def bare_mails(server: Server) -> float:
    """Send the mails that arrived once more with a bare program, and return the seconds of its process."""
    mails = [(mail.sender, mail.recipients[0], mail.message.as_string()) for mail in server.mailbox.received]
    job = json.dumps({"host": server.host, "port": server.port, "ca_path": str(server.ca_path), "mails": mails})
    started = time.perf_counter()
    subprocess.run([sys.executable, str(BARE_MAILS)], input=job, text=True, check=True)
    return time.perf_counter() - started


def variables(server: Server) -> dict[str, Any]:
    return {
        "key_requests_rules": [
            {"name": "denylist", "config": {"list": ["gpt-4*"]}},
            {"name": "quota", "config": {"per_person": 3}},
            {"name": "email", "config": {"pattern": "*@company.com"}},
        ],
        "key_requests_packages": {"dev": PACKAGE},
        "key_delivery_smtp_host": server.host,
        "key_delivery_smtp_port": server.port,
        "key_delivery_smtp_use_tls": server.tls,
        "key_delivery_smtp_ca_path": str(server.ca_path),
    }


# ----------------------------------------------------------------------------------------------------------- telling
def table(passes: Iterable[Pass]) -> Table:
    columns = ["store", "pending", "wall s", "floor s", "CPU s", "gateway s", "calls", "MB", "times"]
    rows = [
        [
            *(each.store, each.pending, each.run.wall, each.floor, each.run.cpu, each.run.gateway),
            *(each.run.calls, each.run.megabytes, each.times),
        ]
        for each in passes
    ]
    note = (
        "Every request is approved by the chain, gets its key, and its mail is taken by the mail server; all of that is in the one pass. "
        "The floor is a bare client that makes the same keys, and after it a bare program that sends the same mails."
    )
    return Table("One pass over a queue of requests", columns, rows, note)


def each_request(passes: Sequence[Pass]) -> Iterable[Table]:
    """Yield a table of the cost of one more request between each size and the next. All are equal if growth is linear."""
    pairs = [(small, large) for small, large in itertools.pairwise(passes) if small.store == large.store]
    rows: list[list[Cell]] = [
        [small.store, f"{small.pending} to {large.pending}", *one_more(small.run, large.run, large.pending - small.pending)] for small, large in pairs
    ]
    if rows:
        yield Table("What one request more costs", ["store", "sizes", *MORE], rows)


def bars(passes: Sequence[Pass]) -> Iterable[Bar]:
    """Yield bars: a pass is not far above its floor, and time and memory grow no faster than the number of requests."""
    kinds: tuple[tuple[str, str, Callable[[Run], float], float], ...] = (
        ("time", "ms", lambda run: 1000 * run.wall, 0),
        ("memory", "kB", lambda run: 1000 * run.megabytes, LEAST_KILOBYTES),
    )
    for each in passes:
        name = f"a pass over {each.pending} requests ({each.store}) against its floor"
        yield Bar(name, f"at most {MOST_OF_FLOOR}x", f"{each.run.wall / each.floor:.2f}x", each.run.wall <= MOST_OF_FLOOR * each.floor)
    for store in dict.fromkeys(each.store for each in passes):
        pairs = list(itertools.pairwise(each for each in passes if each.store == store))[-2:]
        if len(pairs) < 2:
            continue
        for what, unit, measure, least in kinds:
            lower, upper = ((measure(large.run) - measure(small.run)) / (large.pending - small.pending) for small, large in pairs)
            sizes = " and ".join(f"{small.pending} to {large.pending}" for small, large in pairs)
            yield Bar(
                f"a pass over requests ({store}): {what} of one more, {sizes}",
                f"at most {GROWTH}x" + (f", or {GROWTH * least:.0f} {unit}" if least else ""),
                f"{lower:.1f} and {upper:.1f} {unit}",
                upper <= GROWTH * max(lower, least),
            )


def charts(passes: Sequence[Pass]) -> Iterable[Chart]:
    if len({each.pending for each in passes}) < 2:
        return
    stores = list(dict.fromkeys(each.store for each in passes))
    walls = {store: [(each.pending, each.run.wall) for each in passes if each.store == store] for store in stores}
    yield Chart("requests-time", "One pass over a queue of requests", "pending requests", "seconds, the whole command", walls)
    held = {store: [(each.pending, each.run.megabytes) for each in passes if each.store == store] for store in stores}
    yield Chart("requests-memory", "One pass over a queue of requests", "pending requests", "MB, all processes together", held)
