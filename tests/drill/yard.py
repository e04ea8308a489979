# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The means of a family of drills, and the record of their results."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ansible_collections.rhpds.litellm_virtual_keys.tests.drill.lab import Job, Lab, Lost
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.faulty_proxy import FaultyProxy
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import Gateway


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One drill: the fault, the job, and why it counts as lost, or '' if the lab survived."""

    family: str
    job: str
    fault: str
    seconds: float
    lost: str


class Yard:
    """The gateway, a proxy before it, folders, and the record of the drills. So many random `lives` grow from `seed`."""

    def __init__(self, gateway: Gateway, proxy: FaultyProxy, directory: Path, lives: int, seed: int) -> None:
        self.gateway, self.proxy, self.directory, self.lives, self.seed = gateway, proxy, directory, lives, seed
        self.outcomes: list[Outcome] = []

    @contextlib.contextmanager
    def drill(self, family: str, job: Job, fault: str) -> Iterator[Lab]:
        """Run one drill on a lab of its own. It is lost if the block raises Lost or exceeds its time."""
        name = f"drill{len(self.outcomes)}x"  # no name begins another one
        folder = self.directory / name
        folder.mkdir(mode=0o700)
        started, lost = time.monotonic(), ""
        lab = Lab(self.gateway, job, name, folder)
        try:
            yield lab
        except (Lost, subprocess.TimeoutExpired) as problem:
            lost = str(problem)
        finally:
            self.proxy.harms = []
        seconds = time.monotonic() - started
        self.outcomes.append(Outcome(family, job.name, fault, round(seconds, 2), lost))
        print(f"{'LOST' if lost else 'survived':<9}{seconds:>6.1f} s  {family}: {job.name}, {fault} {lost}".rstrip(), file=sys.stderr, flush=True)
        lab.clean()
        shutil.rmtree(folder)

    def exchanges(self, job: Job, run: Callable[[Lab], object]) -> int:
        """Return how many exchanges with the gateway an undisturbed job takes; `run` runs it through the proxy."""
        with self.drill("rehearsal", job, "no fault") as lab:
            self.proxy.take()
            run(lab)
            count = len(self.proxy.take())
            lab.judge()
        return count
