# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Two runs on one lab at once, on the model of LiteLLM: neither loses the work of the other, and no revoked value comes back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.key_worlds import ModelWorld
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.two_runs import check_meeting, meetings

CHANGES = ["rotate", "rotate with grace", "stop", "extend", "annotate"]


@pytest.fixture(scope="module")
def world() -> Iterator[ModelWorld]:
    with ModelWorld() as world:
        yield world


@pytest.mark.parametrize("second", ["destroy", "stop", "extend", "rotate again", "provision"])
@pytest.mark.parametrize("first", ["provision", "provision with a label", *CHANGES])
def test_a_run_in_the_middle_of_another(world: ModelWorld, first: str, second: str) -> None:
    met = [check_meeting(meeting, first, second) for meeting in meetings(world.sites[0], world.now, first, second)]
    assert len(met) >= 4
