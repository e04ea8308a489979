# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Meters for a run of a playbook: memory and seconds inside modules; and for the machine: whether it was quiet."""

from __future__ import annotations

import dataclasses
import os
import shlex
import time
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.rhpds.litellm_virtual_keys.tests.support.processes import Sampler, descendants


class PeakMemory(Sampler):
    """Samples the memory of the processes that this process starts meanwhile; keeps the peak of their sum, in MB of a million bytes.

    It measures PSS (/proc/*/smaps_rollup), which counts a page that forked workers share once, not once per worker.
    """

    pause = 0.05

    def __init__(self) -> None:
        super().__init__()
        self.megabytes = 0.0
        self._before = frozenset(descendants(os.getpid()))

    def sample(self) -> None:
        held = sum(_proportional_set_size(process) for process in descendants(os.getpid()) if process not in self._before)
        self.megabytes = max(self.megabytes, held / 1e6)


def _proportional_set_size(process: int) -> int:
    """Return a process's memory in bytes, or 0 if it has ended."""
    try:
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        pass
    return 0


class ForeignWork:
    """How many cores other programs than this process, its children and the `servers` kept busy on average since the start."""

    def __init__(self, servers: Sequence[int]) -> None:
        self._servers = servers
        self._began = time.monotonic()
        self._before = self._foreign_seconds()

    def cores(self) -> float:
        used = self._foreign_seconds() - self._before
        return max(0.0, used / (time.monotonic() - self._began))

    def _foreign_seconds(self) -> float:
        tick = os.sysconf("SC_CLK_TCK")
        user, nice, system, _idle, _wait, irq, softirq = map(int, Path("/proc/stat").read_text().split()[1:8])
        times = os.times()
        own = times.user + times.system + times.children_user + times.children_system
        trees = {process for server in self._servers for process in (server, *descendants(server))} | set(descendants(os.getpid()))
        return (user + nice + system + irq + softirq - sum(map(_ticks, trees))) / tick - own


def _ticks(process: int) -> int:
    """Return the CPU time of a process and of its ended children in ticks, or 0 if the process itself has ended."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(map(int, fields[11:15]))


@dataclasses.dataclass(frozen=True)
class ModuleRun:
    """The life of one module's process: start of its Python, unpacking, imports, work. Times as `time.time()`."""

    module: str
    started: float
    ended: float

    @property
    def seconds(self) -> float:
        return self.ended - self.started


class ModuleTimer:
    """A stand-in for ansible_python_interpreter that records when each module's process began and ended."""

    def __init__(self, directory: Path, python: str) -> None:
        self._notes = directory / "modules.txt"
        self.interpreter = directory / "timed-python"
        self.interpreter.write_text(
            "#!/usr/bin/env bash\n"
            "export LC_ALL=C  # a point in EPOCHREALTIME, not a comma\n"
            "started=$EPOCHREALTIME\n"
            f'{shlex.quote(python)} "$@"\n'
            "status=$?\n"
            f'echo "$started $EPOCHREALTIME $1" >> {shlex.quote(str(self._notes))}\n'
            "exit $status\n"
        )
        self.interpreter.chmod(0o755)

    def take(self) -> list[ModuleRun]:
        """Return the modules that ended since the last call."""
        if not self._notes.exists():
            return []
        lines = self._notes.read_text().splitlines()
        self._notes.unlink()
        runs = []
        for line in lines:
            started, ended, file = line.split(" ", 2)
            runs.append(ModuleRun(Path(file).stem.removeprefix("AnsiballZ_"), float(started), float(ended)))
        return runs
