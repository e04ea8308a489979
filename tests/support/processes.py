# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Watch processes from outside: their descendants, and samples taken while something runs."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import Self


class Sampler:
    """Calls `sample` over and over in a thread of its own, until the block is left."""

    pause = 0.01
    """Seconds between samples."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=type(self).__name__, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_problem: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(self.pause):
            self.sample()

    def sample(self) -> None:
        raise NotImplementedError


def descendants(process: int) -> list[int]:
    """Return the children of a process, their children and so on. A process that ends during the search may be missing."""
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{process}/task"):
            for child in map(int, Path(f"/proc/{process}/task/{task}/children").read_text().split()):
                found += [child, *descendants(child)]
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found


def is_alive(pid: int) -> bool:
    """Return whether a process runs. One that has ended and was not waited for does not."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def writable_memory(pid: int) -> bytes:
    """Return everything that a process has in memory which it can write: what a dump of it would show, without files that it only reads."""
    found: list[bytes] = []
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            if not rights.startswith("rw"):
                continue
            first, end = (int(part, 16) for part in span.split("-"))
            with contextlib.suppress(OSError, OverflowError):  # a mapping that ended meanwhile, or one of the kernel
                memory.seek(first)
                found.append(memory.read(end - first))
    return b"\n".join(found)
