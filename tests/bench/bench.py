# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The means of every case: a gateway of its own, a proxy that counts calls, and runs of playbooks with their cost."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.rhpds.litellm_virtual_keys.tests.bench import stock
from ansible_collections.rhpds.litellm_virtual_keys.tests.bench.meters import ModuleTimer, PeakMemory
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.warm import runner
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.recording_proxy import Exchange, RecordingProxy, caller

BARE = Path(__file__).with_name("bare.py")
NOTHING = Path(__file__).with_name("nothing.yml")
TIMES = ("wall", "cpu", "module", "gateway", "megabytes")
LONG_SECONDS = 45.0
"""Seconds of measuring after which a measurement is not repeated again."""


@dataclasses.dataclass(frozen=True)
class Run:
    """The cost of one run of ansible-playbook, or of a typical one of several. In seconds, and in MB of a million bytes."""

    wall: float
    cpu: float
    """CPU time of all processes of the run. Unlike the other times it does not grow with the load of the machine."""
    module: float
    """Time in the processes of modules, from the start of their Python to its end."""
    megabytes: float
    """Peak memory of all processes of the run together."""
    changed: int
    """Number of tasks that reported a change."""
    reads: int
    writes: int
    probes: int
    """Number of calls with a key of the lab instead of the admin's."""
    gateway: float
    """Time with at least one call under way, which is the gateway's share as seen from outside."""
    exchanges: Sequence[Exchange] = dataclasses.field(repr=False)
    output: str = dataclasses.field(repr=False)
    """Standard output and standard error."""

    @property
    def calls(self) -> int:
        return self.reads + self.writes + self.probes

    def written(self) -> list[Exchange]:
        return [exchange for exchange in self.exchanges if exchange.method == "POST"]


def numbers(text: str) -> list[int]:
    """Parse the value of an option that takes several numbers, such as `1,20,200`."""
    return sorted({int(number) for number in text.split(",")})


def typical(runs: Sequence[Run]) -> Run:
    """Return the median of the times and of the memory, and the maximum of everything counted."""
    medians = {name: statistics.median(getattr(run, name) for run in runs) for name in TIMES}
    most = {name: max(getattr(run, name) for run in runs) for name in ("changed", "reads", "writes", "probes")}
    return Run(**medians, **most, exchanges=runs[-1].exchanges, output=runs[-1].output)


MORE = ("wall ms", "gateway ms", "CPU ms", "kB")
"""The columns of `one_more`."""


def one_more(small: Run, large: Run, count: int) -> list[float]:
    """Return the cost of each of the `count` items that `large` had and `small` had not, without the fixed cost of a run."""
    return [1000 * (getattr(large, what) - getattr(small, what)) / count for what in ("wall", "gateway", "cpu", "megabytes")]


def covered(spans: Sequence[tuple[float, float]]) -> float:
    """Return how much time lies within at least one of these spans."""
    seconds, end = 0.0, float("-inf")
    for started, ended in sorted(spans):
        seconds += max(0.0, ended - max(started, end))
        end = max(end, ended)
    return seconds


def cpu_seconds() -> float:
    """Return the CPU time of all ended descendants of this process."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Bench:
    """A gateway, a proxy before it, and runs of playbooks and clients against them."""

    def __init__(self, gateway: Gateway, proxy: RecordingProxy, directory: Path, options: argparse.Namespace) -> None:
        self.gateway = gateway
        self.proxy = proxy
        self.options = options
        self.directory = directory
        self._playbooks = Playbooks(directory, runner.installed)
        self._timer = ModuleTimer(directory, sys.executable)
        self._admin = caller(gateway.master_key)

    def play(self, name: str | Path, variables: Mapping[str, Any] | None = None, *arguments: str) -> Run:
        """Run a playbook of the collection by its short name, or any by its path. Raises an error if the run fails."""
        self.proxy.take()
        self._timer.take()
        given = {
            "litellm_url": self.proxy.url,
            "litellm_master_key": self.gateway.master_key,
            "ansible_python_interpreter": str(self._timer.interpreter),
            **(variables or {}),
        }
        with PeakMemory() as memory:
            started, used = time.perf_counter(), cpu_seconds()
            run = self._playbooks(name, given, *arguments)
            wall, cpu = time.perf_counter() - started, cpu_seconds() - used
        exchanges = self.proxy.take()
        admins = [exchange for exchange in exchanges if exchange.caller == self._admin]
        return Run(
            wall=wall,
            cpu=cpu,
            module=sum(module.seconds for module in self._timer.take()),
            megabytes=memory.megabytes,
            changed=run.changed,
            reads=sum(exchange.method == "GET" for exchange in admins),
            writes=sum(exchange.method != "GET" for exchange in admins),
            probes=len(exchanges) - len(admins),
            gateway=covered([(exchange.started, exchange.ended) for exchange in exchanges]),
            exchanges=exchanges,
            output=run.output,
        )

    @functools.cached_property
    def nothing(self) -> Run:
        """Return the cost of a playbook with one module that does nothing."""
        self.say("Ansible alone ...")
        self.play(NOTHING)  # the first one warms what all others find ready
        return typical([self.play(NOTHING) for _number in range(self.options.repeat)])

    def bare(self, exchanges: Sequence[Exchange]) -> float:
        """Repeat recorded calls word for word with a bare client, and return the seconds of its process.

        As with a module, the start of Python and the imports count, and the calls go through the proxy.
        """
        calls = [(exchange.path, exchange.body.decode()) for exchange in exchanges]
        job = json.dumps({"url": self.proxy.url, "key": self.gateway.master_key, "calls": calls})
        started = time.perf_counter()
        subprocess.run([sys.executable, str(BARE)], input=job, text=True, check=True)
        seconds = time.perf_counter() - started
        self.proxy.take()
        return seconds

    def values(self, output_dir: Path, action: str = "provision") -> dict[str, str]:
        """Return the values of a lab's keys by user ('' in a lab without users), from the user data that an action wrote."""
        data = yaml.safe_load((output_dir / f"{action}-user-data.yaml").read_text())
        return {user: str(about["litellm_virtual_key"]) for user, about in data.get("users", {"": data}).items()}

    def others(self, keys: int) -> None:
        """Set the number of other labs' keys in the gateway."""
        pattern = {"guid": "pattern", "num_users": 1, "output_dir": str(self.directory / "pattern")}
        self.play("provision", pattern)
        stock.fill(self.gateway.database_url, keys, "virtkey-pattern")
        self.play("destroy", pattern)

    def remove(self, prefix: str) -> None:
        """Delete the keys whose aliases begin with `prefix` from the gateway's database."""
        stock.remove(self.gateway.database_url, prefix)

    def left(self, prefix: str) -> int:
        """Return the number of keys in the gateway's database whose aliases begin with `prefix`."""
        return stock.count(self.gateway.database_url, prefix)

    def once_more(self, spent: Sequence[float]) -> bool:
        """Return whether to repeat a measurement that took these seconds so far."""
        return len(spent) < self.options.repeat and sum(spent) < LONG_SECONDS

    def say(self, text: str) -> None:
        """Print the progress."""
        print(text, file=sys.stderr, flush=True)
