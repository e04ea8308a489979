# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Random lives of keys: up to twelve operations in any order, each predicted, done and done again, and every value tried after each."""

from __future__ import annotations

import sys
import time

from ansible_collections.rhpds.litellm_virtual_keys.tests.drill.yard import Outcome, Yard
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import start_gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.key_lives import KeyLives, World
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.key_worlds import RealWorld
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

LIVES = 500
OPERATIONS = 12
SETTINGS = settings(
    max_examples=LIVES,
    stateful_step_count=OPERATIONS,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def run(yard: Yard) -> None:
    ended: list[float] = []
    world = RealWorld(yard.gateway, start_gateway(yard.directory / "other"))

    class Lives(KeyLives):
        @staticmethod
        def make_worlds() -> list[World]:
            return [world]

        def __init__(self) -> None:
            super().__init__()
            self.born = time.monotonic()

        def teardown(self) -> None:
            super().teardown()
            ended.append(time.monotonic() - self.born)
            if len(ended) % 25 == 0:
                print(f"{len(ended)} lives of up to {OPERATIONS} operations", file=sys.stderr, flush=True)

    problem = ""
    try:
        run_state_machine_as_test(Lives, settings=SETTINGS)
    except Exception as error:  # noqa: BLE001 - whatever it is, this life was lost
        problem = f"{error} {' '.join(getattr(error, '__notes__', []))}"
    lives = [Outcome("life", "every operation", f"life {number}", round(seconds, 2), "") for number, seconds in enumerate(ended, start=1)]
    if problem:
        lives.append(Outcome("life", "every operation", "a violation", 0.0, problem))
    yard.outcomes += lives
