# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""A deleted value is never minted again, and a key that shall not be made is not."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.history import KeyHistory
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.key import WantedKey
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.plan import (
    KeyAction,
    OnUnrecoverable,
    Policy,
    plan_key_updates,
)
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.notes import NOTES_NAME
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import LitellmModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.plugins.module_utils.keys.lab_plans import (
    DAY,
    carry_out,
    converge,
    create_by_hand,
    deleted_rows_of,
    plan_for,
    row_of,
    rows_of,
    value_of,
    wanted_key,
)

ALIAS = "virtkey-abc"
KEEP = Policy(on_unrecoverable=OnUnrecoverable.KEEP)


def delete_all(model: LitellmModel) -> None:
    model.handle("POST", "/key/delete", {}, {"keys": list(model.rows)})


def generations(model: LitellmModel) -> list[int]:
    return [row.generation for row in rows_of(model)]


def test_a_lab_that_is_provisioned_again_gets_another_value() -> None:
    model = LitellmModel()
    for expected in range(4):
        converge(model, [wanted_key()])
        assert generations(model) == [expected]
        assert model.works(value_of(ALIAS, expected))
        delete_all(model)
    assert not any(model.works(value_of(ALIAS, generation)) for generation in range(4))


def test_a_value_that_was_rotated_away_stays_dead_when_the_lab_comes_back() -> None:
    model = LitellmModel()
    for label in ("", "a", "b", "c"):
        converge(model, [wanted_key(rotation=label)])
    assert generations(model) == [3]
    delete_all(model)
    converge(model, [wanted_key(rotation="d")])
    assert generations(model) == [4]


@pytest.mark.parametrize("grace", [0, 1800])
def test_every_rotation_goes_as_the_first(grace: int) -> None:
    model = LitellmModel()
    converge(model, [wanted_key(lifetime=DAY)])
    for number, label in enumerate("abcd", start=1):
        plans = converge(model, [wanted_key(rotation=label)], Policy(grace=grace))
        assert plans[0].steps[0].action is KeyAction.ROTATE
        assert model.works(value_of(ALIAS, number))
        assert model.works(value_of(ALIAS, number - 1)) == bool(grace)
        assert not converge(model, [wanted_key(rotation=label)], Policy(grace=grace))[0].changed, "the same label again changes nothing"


def test_a_foreign_key_under_a_used_alias_is_rotated_past_the_history() -> None:
    model = LitellmModel()
    for label in ("a", "b"):
        converge(model, [wanted_key(rotation=label)])
    delete_all(model)
    create_by_hand(model, ALIAS)
    converge(model, [wanted_key()], Policy(on_unrecoverable=OnUnrecoverable.ROTATE))
    assert generations(model) == [2]


def test_a_deleted_value_without_notes_is_known_by_its_token() -> None:
    model = LitellmModel()
    for generation in (0, 1):
        create_by_hand(model, ALIAS, value_of(ALIAS, generation))
        delete_all(model)
    assert all(row.notes is None for row in deleted_rows_of(model))
    converge(model, [wanted_key()])
    assert generations(model) == [2]


def test_a_gateway_without_history_begins_where_the_caller_says() -> None:
    model = LitellmModel()
    converge(model, [wanted_key()], Policy(first_generation=7))
    assert generations(model) == [7]
    converge(model, [wanted_key()], Policy(first_generation=9))
    assert generations(model) == [7], "it is for new keys only"


def test_history_takes_the_highest_generation_of_every_alias() -> None:
    model = LitellmModel()
    for user, rotations in (("user1", 3), ("user2", 1)):
        for label in range(rotations):
            converge(model, [wanted_key(user, rotation=f"{label}")])
    delete_all(model)
    history = KeyHistory(value_of, deleted_rows_of(model))
    assert [history.next_generation(f"{ALIAS}-{user}", 0) for user in ("user1", "user2", "user3")] == [3, 1, 0]
    assert history.next_generation(f"{ALIAS}-user1", 8) == 8


# --------------------------------------------------------------------------------------------------- only what exists
@pytest.mark.parametrize("options", [{}, {"rotation": "a"}, {"fields": {"blocked": True}}, {"metadata": {"note": "x"}}])
def test_what_does_not_exist_is_not_made(options: dict[str, Any]) -> None:
    model = LitellmModel()
    converge(model, [wanted_key("user1")])
    plan = plan_for(model, [wanted_key(user, create=False, **options) for user in ("user1", "user2")])
    assert [step.action for step in plan.steps if step.alias.endswith("user2")] == [KeyAction.ABSENT]
    carry_out(model, plan)
    assert [row.alias for row in rows_of(model) if "user2" in row.alias] == []


def test_a_rotation_that_was_cut_off_is_finished_by_a_rotation_only() -> None:
    model = LitellmModel()
    converge(model, [wanted_key()])
    carry_out(model, plan_for(model, [wanted_key(rotation="a")]), cut=lambda _alias: 1, delete=False)
    assert plan_for(model, [wanted_key(metadata={"note": "x"}, create=False)]).steps[0].action is KeyAction.ABSENT
    converge(model, [wanted_key(rotation="a", create=False)])
    assert generations(model) == [1]


# ----------------------------------------------------------------------------------------- what we do not manage on it
@pytest.mark.parametrize("setting", ["aliases", "permissions", "project_id", "agent_id", "auto_rotate", "organization_id"])
def test_a_rotation_that_would_lose_a_setting_is_refused(setting: str) -> None:
    model = LitellmModel()
    converge(model, [wanted_key()])
    next(iter(model.rows.values()))[setting] = {"a": "b"}
    step = plan_for(model, [wanted_key(rotation="a")]).steps[0]
    assert (step.action, step.calls) == (KeyAction.NOT_CARRIED, ())
    assert setting in step.reason and "take these settings off the key" in step.reason
    assert not plan_for(model, [wanted_key()]).changed, "only a new value would lose it"


def test_blocking_a_foreign_key_does_not_make_it_ours() -> None:
    model = LitellmModel()
    create_by_hand(model, ALIAS, metadata={"team": "other"})
    row = row_of(model, ALIAS)
    plan = plan_key_updates([(row, WantedKey(ALIAS, fields={"blocked": True}))], value_of=value_of, now=model.now)
    carry_out(model, plan)
    after = row_of(model, ALIAS)
    assert after.fields["blocked"] and NOTES_NAME not in after.metadata and after.metadata == {"team": "other"}


# -------------------------------------------------------------------------------------------- what others did to a key
@pytest.mark.parametrize("noted", [{}, {"generation": 0}, {"generation": "9"}])
def test_a_key_whose_notes_were_lost_can_be_rotated(noted: dict[str, Any]) -> None:
    model = LitellmModel()
    for label in ("a", "b", "c"):
        converge(model, [wanted_key(rotation=label)])
    row = row_of(model, ALIAS)
    metadata = {NOTES_NAME: {"format": 1, "lab": ALIAS, "guid": "abc", **noted}} if noted else {}
    model.handle("POST", "/key/update", {}, {"key": row.token, "metadata": metadata})
    converge(model, [wanted_key(rotation="d")], Policy(on_unrecoverable=OnUnrecoverable.ROTATE))
    assert generations(model) == [3] and not model.works(value_of(ALIAS, 2))


def test_a_rotation_without_grace_ends_all_former_values() -> None:
    model = LitellmModel()
    converge(model, [wanted_key()])
    for label, grace in (("a", 3600), ("b", 7200), ("c", 0)):
        converge(model, [wanted_key(rotation=label)], Policy(grace=grace))
    assert [model.works(value_of(ALIAS, generation)) for generation in range(4)] == [False, False, False, True]


@pytest.mark.parametrize("calls", [1, 2], ids=["before the new value is made", "before former values are deleted"])
@pytest.mark.parametrize("again", [{"rotation": "b"}, {}], ids=["rotated again", "provisioned"])
def test_a_rotation_without_grace_that_is_cut_off_ends_all_former_values_too(calls: int, again: dict[str, Any]) -> None:
    model = LitellmModel()
    converge(model, [wanted_key(lifetime=DAY)])
    converge(model, [wanted_key(rotation="a")], Policy(grace=3600))
    carry_out(model, plan_for(model, [wanted_key(rotation="b")]), cut=lambda _alias: calls, delete=False)
    converge(model, [wanted_key(**again)])
    assert [model.works(value_of(ALIAS, generation)) for generation in range(3)] == [False, False, True]


def test_the_end_of_a_shorter_grace_period_does_not_end_a_longer_one() -> None:
    model = LitellmModel()
    converge(model, [wanted_key(lifetime=30 * DAY)])
    converge(model, [wanted_key(rotation="a")], Policy(grace=3600))
    converge(model, [wanted_key(rotation="b")], Policy(grace=15))
    for seconds in (16, 100):
        model.pass_time(seconds)
        converge(model, [wanted_key()])
        assert [model.works(value_of(ALIAS, generation)) for generation in range(3)] == [True, False, True]


def test_notes_never_hand_a_key_to_another_team_or_user() -> None:
    model = LitellmModel()
    converge(model, [wanted_key()])
    row = row_of(model, ALIAS)
    notes = {**row.metadata[NOTES_NAME], "filled": {"team_id": "admins", "user_id": "boss", "max_budget": 9, "models": ["all-proxy-models"], "rpm_limit": "x"}}
    model.handle("POST", "/key/update", {}, {"key": row.token, "metadata": {NOTES_NAME: notes}})
    converge(model, [wanted_key(fields={"team_id": None, "user_id": None, "max_budget": None, "rpm_limit": None})])
    after = row_of(model, ALIAS).fields
    assert (after["team_id"], after["user_id"], after["rpm_limit"], after["models"]) == (None, None, None, [])


def test_nobody_without_the_secret_passes_off_a_value_as_adopted() -> None:
    model = LitellmModel()
    value = create_by_hand(model, ALIAS)
    adopted = plan_key_updates([(row_of(model, ALIAS), WantedKey(ALIAS, adopt=True))], value_of=value_of, now=model.now)
    carry_out(model, adopted)
    converge(model, [wanted_key()])
    assert model.works(value), "it is kept"
    mark = row_of(model, ALIAS).metadata[NOTES_NAME]["adopted"]
    for forged in (derive.token("sk-the-value-of-another-person"), mark):
        delete_all(model)
        create_by_hand(model, ALIAS, f"sk-the-value-of-another-person-{forged}", metadata={NOTES_NAME: {"format": 1, "adopted": forged}})
        plan = plan_for(model, [wanted_key()])
        assert plan.steps[0].action is KeyAction.UNRECOVERABLE, forged
