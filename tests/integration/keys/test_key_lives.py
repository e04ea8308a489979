# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Short lives of keys on the real LiteLLM and on the model of it at once: both must agree. `make drill` lives long ones."""

from __future__ import annotations

from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.key_lives import KeyLives, World
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.key_worlds import ModelWorld, RealWorld
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

SHORT = settings(
    max_examples=4,
    stateful_step_count=6,
    deadline=None,
    database=None,
    phases=[Phase.generate],  # shrinking would take minutes; the model alone finds the short form
    suppress_health_check=list(HealthCheck),
)


def test_litellm_and_its_model_live_alike(gateway: Gateway, other_gateway: Gateway) -> None:
    with RealWorld(gateway, other_gateway) as litellm, ModelWorld() as model:

        class Lives(KeyLives):
            @staticmethod
            def make_worlds() -> list[World]:
                return [litellm, model]

        run_state_machine_as_test(Lives, settings=SHORT)
