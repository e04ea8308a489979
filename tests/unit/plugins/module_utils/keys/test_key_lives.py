# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The life of keys on the model of LiteLLM: every operation after every other, each three times, and at random.

tests/integration/keys/test_key_lives.py compares the model with the real LiteLLM.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from unittest import mock

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.key_lives import OPERATIONS, KeyLives, World, live_through
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.key_worlds import ModelWorld
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test


@pytest.fixture
def life() -> Iterator[type[KeyLives]]:
    """A class of lives on two models. No variable of the environment counts, and requests need not read them at every call."""
    with mock.patch.dict(os.environ, clear=True), ModelWorld() as world:

        class LifeOnTheModel(KeyLives):
            @staticmethod
            def make_worlds() -> list[World]:
                return [world]

        yield LifeOnTheModel


@pytest.mark.parametrize("first", OPERATIONS)
def test_every_operation_after_every_other(life: type[KeyLives], first: str) -> None:
    for second in OPERATIONS:  # the first itself among them: three times in a row
        live_through(life(), [first, second, first])


def test_a_limit_that_was_set_before_a_move_can_be_taken_off_after_it(life: type[KeyLives]) -> None:
    lab = life()
    try:
        lab.others_have_keys()
        for package in ("small", "large"):
            lab.provision(lab=0, users={"user1"}, package=package, exact=False)
        lab.migrate(lab=0, known=False, renew=False, retire=False)
        lab.provision(lab=0, users={"user1"}, package="small", exact=False)
        lab.exactly_the_expected_rows_are_there()
    finally:
        lab.teardown()


def test_random_lives(life: type[KeyLives]) -> None:
    many = settings(max_examples=25, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(life, settings=many)
