# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Blocking an alias blocks every value under it, and unblocking it brings those back that still have a grace period."""

from __future__ import annotations

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.orphan import ORPHAN, OrphanMark
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.plan import Policy
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import LitellmModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.plugins.module_utils.keys.lab_plans import (
    LAB,
    converge,
    create_by_hand,
    rows_of,
    value_of,
    wanted_key,
)

ALIAS = "virtkey-abc"
HOUR = Policy(grace=3600)
BLOCKED, STARTED = {"blocked": True}, {"blocked": False}


def working(model: LitellmModel, generations: int = 3) -> list[int]:
    """Return the generations whose values the gateway accepts."""
    return [generation for generation in range(generations) if model.works(value_of(ALIAS, generation))]


def rotated_lab(*labels: str) -> LitellmModel:
    model = LitellmModel()
    for label in ("", *labels):
        converge(model, [wanted_key(rotation=label)], HOUR)
    return model


def test_a_blocked_alias_has_no_value_that_works() -> None:
    model = rotated_lab("a", "b")
    assert working(model) == [0, 1, 2]
    converge(model, [wanted_key(fields=BLOCKED)])
    assert working(model) == []
    converge(model, [wanted_key(fields=STARTED)])
    assert working(model) == [0, 1, 2]


def test_a_rotation_that_blocks_blocks_what_it_retires() -> None:
    model = rotated_lab("a")
    converge(model, [wanted_key(rotation="b", fields=BLOCKED)], HOUR)
    assert working(model) == []


def test_a_former_value_that_was_blocked_alone_stays_blocked() -> None:
    model = rotated_lab("a")
    model.handle("POST", "/key/update", {}, {"key": derive.token(value_of(ALIAS, 0)), "blocked": True})
    for rotation in ("", "b"):
        converge(model, [wanted_key(fields=STARTED, rotation=rotation)], HOUR)
        assert 0 not in working(model)


@pytest.mark.parametrize("rotation", ["", "a", "b"])
def test_an_alias_with_nothing_but_former_values_is_blocked(rotation: str) -> None:
    model = rotated_lab("a")
    model.handle("POST", "/key/delete", {}, {"keys": [derive.token(value_of(ALIAS, 1))]})
    converge(model, [wanted_key(fields=BLOCKED, create=False, rotation=rotation)], HOUR)
    assert working(model) == []


@pytest.mark.parametrize("wanted", [{"blocked": True}, {"blocked": True, "rotation": "a"}])
def test_a_stopped_lab_has_that_noted_on_all_its_keys_the_reaper_blocked(wanted: dict[str, object]) -> None:
    model = rotated_lab("a")
    for row in rows_of(model):
        mark = OrphanMark("2026-01-01T00:00:00Z").to_metadata()
        model.handle("POST", "/key/update", {}, {"key": row.token, "metadata": {**row.metadata, ORPHAN: mark}, "blocked": True})
    change = LAB.change({"rotation": None, **wanted}, lambda: model.now)
    for row in rows_of(model):
        assert change(row).metadata[ORPHAN]["stopped"] is True, row.alias
        assert change(row).rotation == (wanted.get("rotation") or "")


def test_several_keys_of_one_alias_are_blocked_and_started_together() -> None:
    """Release 1.3.2 made two keys at once where two runs met."""
    model = rotated_lab()
    extra = create_by_hand(model, "another")
    model.rows[derive.token(extra)]["key_alias"] = ALIAS
    converge(model, [wanted_key(fields=BLOCKED)])
    assert working(model) == [] and not model.works(extra)
    converge(model, [wanted_key(fields=STARTED)])
    assert working(model) == [0] and model.works(extra)
