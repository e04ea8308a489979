# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Notes that somebody took off a key, or wrote on it: the value says which generation it is, and when it ends is for the gateway to say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.history import KeyHistory
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.plan import Policy, living_generations
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.notes import NOTES_NAME
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import LitellmModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.plugins.module_utils.keys.lab_plans import (
    DAY,
    converge,
    row_of,
    rows_of,
    value_of,
    wanted_key,
)

ALIAS = "virtkey-abc"
HOUR = Policy(grace=3600)


def rotated(*labels: str) -> LitellmModel:
    model = LitellmModel()
    for label in ("", *labels):
        converge(model, [wanted_key(rotation=label, lifetime=DAY)], HOUR)
    return model


def set_metadata(model: LitellmModel, generation: int, metadata: dict[str, Any]) -> None:
    model.handle("POST", "/key/update", {}, {"key": derive.token(value_of(ALIAS, generation)), "metadata": metadata})


@pytest.mark.parametrize("metadata", [{}, {"guid": "abc"}, {"owner": "ada"}, {NOTES_NAME: "text"}])
def test_a_key_that_lost_its_notes_is_still_the_labs(metadata: dict[str, Any]) -> None:
    model = rotated("a", "b")
    for generation in range(3):
        set_metadata(model, generation, metadata)
    converge(model, [wanted_key()])
    row = row_of(model, ALIAS)
    assert row.notes is not None and (row.notes.generation, row.notes.guid, row.notes.lab) == (2, "abc", ALIAS)
    assert model.works(value_of(ALIAS, 2)) and len(rows_of(model)) == 1, "nobody knows until when the former values may work"


def test_a_key_that_lost_its_notes_is_rotated_to_a_later_value() -> None:
    model = rotated("a", "b")
    set_metadata(model, 2, {})
    converge(model, [wanted_key(rotation="c")])
    assert row_of(model, ALIAS).generation == 3 and model.works(value_of(ALIAS, 3))


def test_the_value_of_a_key_that_lost_its_notes_is_known() -> None:
    model = rotated("a")
    set_metadata(model, 1, {})
    assert living_generations(rows_of(model), [ALIAS], value_of, KeyHistory(value_of)) == {ALIAS: 1}


@pytest.mark.parametrize("ends", ["never", "2199-01-01T00:00:00Z"])
def test_a_later_end_in_the_notes_of_a_key_in_service_is_not_believed(ends: str) -> None:
    model = rotated()
    row = row_of(model, ALIAS)
    assert row.notes is not None
    set_metadata(model, 0, {**row.metadata, NOTES_NAME: {**row.notes.to_metadata(), "ends": ends}})
    converge(model, [wanted_key(rotation="a")])
    expires = row_of(model, ALIAS).expires
    assert expires is not None and expires < model.now + timedelta(seconds=DAY + 60)


@pytest.mark.parametrize("generation", [10**9, 10**7, 7, 0, -1, 1.5, "text", None])
def test_a_generation_that_somebody_wrote_is_put_right(generation: Any) -> None:
    model = rotated("a")
    row = row_of(model, ALIAS)
    assert row.notes is not None
    set_metadata(model, 1, {**row.metadata, NOTES_NAME: {**row.notes.to_metadata(), "generation": generation}})
    converge(model, [wanted_key()])
    assert row_of(model, ALIAS).generation == 1 and model.works(value_of(ALIAS, 1))
    converge(model, [wanted_key(rotation="b")])
    assert row_of(model, ALIAS).generation == 2
