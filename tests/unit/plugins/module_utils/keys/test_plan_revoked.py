# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""A value that was revoked, and that somebody made again, is never kept: it is replaced and deleted."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import names
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.history import KeyHistory
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.plan import KeyAction, OnUnrecoverable, Policy, living_generations
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.notes import NOTES_NAME
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import LitellmModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.plugins.module_utils.keys.lab_plans import (
    carry_out,
    converge,
    create_by_hand,
    deleted_rows_of,
    plan_for,
    rows_of,
    value_of,
    wanted_key,
)

ALIAS = "virtkey-abc"


def delete(model: LitellmModel, alias: str) -> None:
    tokens = [row.token for row in rows_of(model) if row.served_alias == alias]
    assert model.handle("POST", "/key/delete", {}, {"keys": tokens})[0] == 200


def make_again(model: LitellmModel, alias: str, generation: int = 0, **notes: Any) -> str:
    """Make a deleted key again as somebody does who knows its value and what is noted on it."""
    noted = {"format": 1, "lab": ALIAS, "guid": "abc", "generation": generation, **notes}
    return create_by_hand(model, alias, value_of(ALIAS, generation), metadata={NOTES_NAME: noted, "owner": "mallory"}, max_budget=9999)


def lives(model: LitellmModel) -> list[tuple[str, int]]:
    return [(row.alias, row.generation) for row in rows_of(model)]


@pytest.mark.parametrize("options", [{}, {"rotation": "a"}])
@pytest.mark.parametrize("policy", [Policy(), Policy(grace=3600), Policy(on_unrecoverable=OnUnrecoverable.KEEP), Policy(prune=True)])
def test_a_revoked_value_that_was_made_again_is_replaced(options: dict[str, Any], policy: Policy) -> None:
    model = LitellmModel()
    for time in range(1, 4):
        converge(model, [wanted_key()])
        delete(model, ALIAS)
        values = [make_again(model, ALIAS, 2 * time - 2)]
        plans = converge(model, [wanted_key(fields={"max_budget": 5}, **options)], policy)
        assert plans[0].warnings and "revoked before" in plans[0].warnings[0]
        assert lives(model) == [(ALIAS, 2 * time - 1)] and not any(model.works(value) for value in values)
        (row,) = rows_of(model)
        assert row.fields["max_budget"] == 5 and "owner" not in row.metadata, "nothing of the forged key is carried over"
        delete(model, ALIAS)


def test_an_older_value_than_the_last_one_revoked_is_replaced_too() -> None:
    """A release of LiteLLM that finds no parts of aliases shows only keys that were deleted under the alias itself."""
    model = LitellmModel()
    converge(model, [wanted_key()])
    converge(model, [wanted_key(rotation="a")])
    delete(model, ALIAS)
    model.deleted = [row for row in model.deleted if row["key_alias"] == ALIAS]
    value = make_again(model, ALIAS)
    converge(model, [wanted_key()])
    assert lives(model) == [(ALIAS, 2)] and not model.works(value)


def test_a_forged_history_does_not_make_a_living_key_look_revoked() -> None:
    model = LitellmModel()
    converge(model, [wanted_key()])
    create_by_hand(model, f"{ALIAS}.retired-mine", metadata={NOTES_NAME: {"format": 1, "guid": "abc", "generation": 77, "retired_from": ALIAS}})
    tokens = [row.token for row in rows_of(model) if row.alias != ALIAS]
    model.handle("POST", "/key/delete", {}, {"keys": tokens})
    assert not plan_for(model, [wanted_key()]).changed


def test_a_revoked_former_value_is_deleted_before_its_grace_ends() -> None:
    model = LitellmModel()
    converge(model, [wanted_key()])
    converge(model, [wanted_key(rotation="a")], Policy(grace=3600))
    (former,) = [row.alias for row in rows_of(model) if row.alias != ALIAS]
    tokens = [row.token for row in rows_of(model) if row.alias == former]
    model.handle("POST", "/key/delete", {}, {"keys": tokens})
    value = make_again(model, former, retired_from=ALIAS, retired_until="2099-01-01T00:00:00Z")
    converge(model, [wanted_key()])
    assert lives(model) == [(ALIAS, 1)] and not model.works(value)


def test_what_only_notes_something_leaves_it_alone() -> None:
    model = LitellmModel()
    converge(model, [wanted_key()])
    delete(model, ALIAS)
    make_again(model, ALIAS)
    plan = plan_for(model, [wanted_key(create=False, metadata={"note": "x"})])
    assert [step.action for step in plan.steps] == [KeyAction.ABSENT] and not plan.changed


def test_a_revoked_value_is_never_looked_up() -> None:
    model = LitellmModel()
    converge(model, [wanted_key()])
    delete(model, ALIAS)
    make_again(model, ALIAS)
    with pytest.raises(ValueError, match="value that was revoked before"):
        living_generations(rows_of(model), [ALIAS], value_of, KeyHistory(value_of, deleted_rows_of(model)))


def test_another_tool_s_key_under_a_used_alias_is_not_taken_for_a_revoked_one() -> None:
    model = LitellmModel()
    for label in ("a", "b"):
        converge(model, [wanted_key(rotation=label)])
    delete(model, ALIAS)
    value = create_by_hand(model, ALIAS)
    converge(model, [wanted_key()], Policy(on_unrecoverable=OnUnrecoverable.KEEP))
    assert model.works(value)


def test_a_rotation_deletes_it_and_makes_no_key_without_terms_in_its_place() -> None:
    model = LitellmModel()
    converge(model, [wanted_key()])
    delete(model, ALIAS)
    value = make_again(model, ALIAS)
    for _time in range(2):
        converge(model, [wanted_key(rotation="a", create=False)])
        assert not rows_of(model) and not model.works(value)


# ------------------------------------------------------------------------------------------ rows that look like former values
FORGED = [{"generation": 3}, {"generation": 500}, {"generation": 999_999_999}, {"generation": 3, "retired_until": "2099-01-01T00:00:00Z"}]


def look_like_a_former_value(model: LitellmModel, **notes: Any) -> str:
    """Make a key as a user does who wants to dictate the settings of the next one."""
    noted = {"format": 1, "lab": ALIAS, "guid": "abc", "retired_from": ALIAS, "retired_mark": "0" * 64, **notes}
    return create_by_hand(model, f"{ALIAS}.retired-q", metadata={NOTES_NAME: noted, "owner": "mallory"}, max_budget=9999, user_id="mallory")


@pytest.mark.parametrize("notes", FORGED)
@pytest.mark.parametrize("deleted", [False, True])
def test_a_row_that_only_looks_like_a_former_value_has_no_say(notes: dict[str, Any], deleted: bool) -> None:
    model = LitellmModel()
    look_like_a_former_value(model, **notes)
    if deleted:
        model.handle("POST", "/key/delete", {}, {"keys": [row.token for row in rows_of(model)]})
    for label, generation in (("", 0), ("a", 1), ("b", 2), ("", 2)):
        converge(model, [wanted_key(rotation=label, fields={"max_budget": 5}, lifetime=60)], Policy(grace=3600))
        (row,) = [row for row in rows_of(model) if row.alias == ALIAS]
        assert (row.generation, row.fields["max_budget"], row.fields["user_id"]) == (generation, 5, None) and row.expires
        assert "owner" not in row.metadata and model.works(value_of(ALIAS, generation))


@pytest.mark.parametrize("notes", FORGED)
def test_it_neither_ends_values_in_their_grace_nor_is_a_rotation_that_was_cut_off(notes: dict[str, Any]) -> None:
    model = LitellmModel()
    converge(model, [wanted_key()])
    converge(model, [wanted_key(rotation="a")], Policy(grace=3600))
    look_like_a_former_value(model, **notes)
    converge(model, [wanted_key()])
    assert model.works(value_of(ALIAS, 0)) and model.works(value_of(ALIAS, 1))
    delete(model, ALIAS)
    look_like_a_former_value(model, **notes)
    plan = plan_for(model, [wanted_key(rotation="b", create=False)])
    assert [step.action for step in plan.steps] == [KeyAction.ABSENT] and not plan.changed


def test_a_random_value_that_a_rotation_retired_still_counts() -> None:
    model = LitellmModel()
    value = create_by_hand(model, ALIAS, max_budget=7)
    policy = Policy(on_unrecoverable=OnUnrecoverable.ROTATE, grace=3600)
    plan = plan_for(model, [wanted_key()], policy)
    carry_out(model, plan, cut=lambda _alias: 1, delete=False)
    converge(model, [wanted_key()], policy)
    (row,) = [row for row in rows_of(model) if row.alias == ALIAS]
    assert row.fields["max_budget"] == 7 and model.works(value) and row.generation == 1
    model.pass_time(3601)
    converge(model, [wanted_key()], policy)
    assert not model.works(value) and [row.alias for row in rows_of(model)] == [ALIAS]


def test_notes_of_another_lab_do_not_block_an_alias_of_this_one() -> None:
    model = LitellmModel()
    create_by_hand(model, f"{ALIAS}.retired-q", metadata={NOTES_NAME: {"format": 1, "lab": "virtkey-zzz", "retired_from": ALIAS}})
    converge(model, [wanted_key()])
    converge(model, [wanted_key(rotation="a")])


# ----------------------------------------------------------------------------------------- aliases that others took first
@pytest.mark.parametrize("policy", [Policy(), Policy(grace=3600)])
def test_nobody_can_stop_a_rotation_by_taking_the_alias_of_the_former_value(policy: Policy) -> None:
    model = LitellmModel()
    converge(model, [wanted_key()])
    for number in range(3):
        create_by_hand(model, names.retired_alias(ALIAS, derive.token(value_of(ALIAS, number))))
        converge(model, [wanted_key(rotation=f"label {number}")], policy)
        assert (ALIAS, number + 1) in lives(model)


def test_nobody_can_stop_a_displacement_with_an_alias_that_was_seen_before() -> None:
    model = LitellmModel()
    converge(model, [wanted_key()])
    converge(model, [wanted_key(rotation="a")], Policy(grace=3600))
    (seen,) = [row.alias for row in rows_of(model) if row.alias != ALIAS]
    for time in range(3):
        delete(model, ALIAS)
        forged, squatting = make_again(model, ALIAS), create_by_hand(model, seen)
        plan = plan_for(model, [wanted_key()])
        (displaced,) = plan.steps[0].retired
        carry_out(model, plan)
        converge(model, [wanted_key()])
        assert not model.works(forged) and (ALIAS, 2 + time) in lives(model)
        assert displaced.alias != seen and model.works(squatting)
