# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Random lives of keys: up to twelve operations in any order, each predicted, done and done again, and every value tried after each.

Several processes live their share at the same time, between the same two gateways. Half of them begin at the one, half at the
other. The same `--seed` gives each process the same lives again.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from ansible_collections.rhpds.litellm_virtual_keys.tests.drill.yard import Outcome, Yard
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import Gateway, start_gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.key_lives import KeyLives, World
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.key_worlds import RealWorld
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

OPERATIONS = 12
PROCESSES = 5


def run(yard: Yard) -> None:
    directories = [yard.gateway.dir, start_gateway(yard.directory / "other").dir]
    print(f"{yard.lives} lives of up to {OPERATIONS} operations, --seed {yard.seed}", file=sys.stderr, flush=True)
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
        shares = []
        for number in range(PROCESSES):
            from_to = directories[:: -1 if number % 2 else 1]
            shares.append(pool.submit(live, f"process {number}", from_to, yard.seed + number, (yard.lives + number) // PROCESSES))
        for share in shares:
            yard.outcomes += share.result()


def live(name: str, directories: Sequence[Path], seeded: int, lives: int) -> list[Outcome]:
    """Live so many lives that begin at the first of two gateways, and return what became of them."""
    ended: list[Outcome] = []

    class Lives(KeyLives):
        @staticmethod
        def make_worlds() -> list[World]:
            return [world]

        def __init__(self) -> None:
            super().__init__()
            self.born = time.monotonic()

        def teardown(self) -> None:
            super().teardown()
            ended.append(Outcome("life", "every operation", f"{name}, life {len(ended) + 1}", round(time.monotonic() - self.born, 2), ""))
            if len(ended) % 25 == 0:
                print(f"{name}: {len(ended)} lives", file=sys.stderr, flush=True)

    rules = settings(
        max_examples=lives,
        stateful_step_count=OPERATIONS,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    with RealWorld(*(Gateway(directory) for directory in directories)) as world:
        try:
            run_state_machine_as_test(seed(seeded)(Lives), settings=rules)
        except Exception as error:  # noqa: BLE001 - whatever it is, this life was lost
            ended.append(Outcome("life", "every operation", f"{name}, a violation", 0.0, "; ".join(problems_of(error))))
    return ended


def problems_of(error: BaseException) -> list[str]:
    """Return what went wrong and in which life, also of the errors in a group: Hypothesis shows one that did not come again in a group."""
    found = [f"{type(error).__name__}: {error}", *getattr(error, "__notes__", [])]
    return found + [line for part in getattr(error, "exceptions", ()) for line in problems_of(part)]
