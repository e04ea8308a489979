# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The life of keys on the model of LiteLLM, many times; tests/integration/keys/test_key_lives.py compares the model with the real one."""

from __future__ import annotations

from typing import ClassVar

from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.key_lives import KeyLives
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.key_worlds import ModelWorld
from hypothesis import HealthCheck, settings


class LivesOnTheModel(KeyLives):
    """Each life has a model of its own."""

    world: ClassVar[ModelWorld]

    @classmethod
    def make_worlds(cls) -> list[ModelWorld]:  # type: ignore[override]
        return [cls.world]


class TestKeyLives(LivesOnTheModel.TestCase):  # type: ignore[name-defined,misc]
    settings = settings(max_examples=15, stateful_step_count=10, deadline=None, suppress_health_check=list(HealthCheck))

    def setUp(self) -> None:
        LivesOnTheModel.world = ModelWorld()

    def tearDown(self) -> None:
        LivesOnTheModel.world.close()
