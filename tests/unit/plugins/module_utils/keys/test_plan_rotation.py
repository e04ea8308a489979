# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Plans that rotate keys, also when a run is killed in between."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import names
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.key import Notes
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.plan import (
    KeyAction,
    Policy,
)
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.notes import NOTES_NAME
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import START, LitellmModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.plugins.module_utils.keys.lab_plans import (
    DAY,
    LAB,
    actions_of,
    carry_out,
    converge,
    plan_for,
    row_of,
    rows_of,
    value_of,
    wanted_key,
)


def test_rotation_keeps_what_the_key_had() -> None:
    model = LitellmModel()
    fields = {
        "models": ["granite"],
        "max_budget": 0.0,
        "soft_budget": 2.0,
        "budget_duration": "30d",
        "rpm_limit": 0,
        "tpm_limit": 7,
        "max_parallel_requests": 2,
        "allowed_routes": ["llm_api_routes"],
        "user_id": "u",
        "team_id": "t",
        "blocked": True,
    }
    converge(model, [wanted_key("user1", fields=fields, lifetime=DAY, metadata={"owner": "a"}, package="p")])
    next(iter(model.rows.values()))["spend"] = 1.25
    before = row_of(model, "virtkey-abc-user1")
    model.pass_time(3600)
    converge(model, [wanted_key("user1", rotation="a")])
    after = row_of(model, "virtkey-abc-user1")
    assert after.token == derive.token(value_of("virtkey-abc-user1", 1))
    assert after.fields == before.fields
    assert after.spend == 1.25
    assert after.expires == before.expires
    assert after.notes == replace(before.notes or Notes(), generation=1, rotation="a")
    assert after.metadata["owner"] == "a"


def test_the_old_value_works_until_its_grace_period_ends() -> None:
    old, new = value_of("virtkey-abc-user1", 0), value_of("virtkey-abc-user1", 1)
    for grace in (0, 3600):
        model = LitellmModel()
        converge(model, [wanted_key("user1", lifetime=DAY)])
        converge(model, [wanted_key("user1", lifetime=DAY, rotation="a")], Policy(grace=grace))
        assert model.works(new)
        assert model.works(old) == bool(grace)
        model.pass_time(grace)
        assert not model.works(old)
        assert model.works(new)
        converge(model, [wanted_key("user1", lifetime=DAY, rotation="a")])
        assert [row.alias for row in rows_of(model)] == ["virtkey-abc-user1"]


def test_grace_does_not_prolong_the_life_of_a_key() -> None:
    model = LitellmModel()
    converge(model, [wanted_key("user1", lifetime=600)])
    converge(model, [wanted_key("user1", rotation="a")], Policy(grace=3600))
    model.pass_time(601)
    assert not model.works(value_of("virtkey-abc-user1", 0))


def test_a_label_rotates_once() -> None:
    model = LitellmModel()
    converge(model, [wanted_key("user1", rotation="a")])
    assert row_of(model, "virtkey-abc-user1").generation == 0, "a new key has no former holder"
    for label, generation in (("a", 0), ("b", 1), ("b", 1), ("a", 2)):
        converge(model, [wanted_key("user1", rotation=label)])
        assert row_of(model, "virtkey-abc-user1").generation == generation
    assert not plan_for(model, [wanted_key("user1")]).changed, "without a label nothing rotates"


def test_an_old_value_is_deleted_only_after_the_new_one_was_listed() -> None:
    model = LitellmModel()
    converge(model, [wanted_key("user1")])
    carry_out(model, plan_for(model, [wanted_key("user1", rotation="a")]), cut=lambda _alias: 1, delete=False)
    plan = plan_for(model, [wanted_key("user1", rotation="a")])
    assert actions_of(plan) == {"virtkey-abc-user1": KeyAction.CREATE} and not plan.to_delete
    carry_out(model, plan)
    assert [row.generation for row in plan_for(model, [wanted_key("user1", rotation="a")]).to_delete] == [0]


@pytest.mark.parametrize("grace", [0, 3600])
@pytest.mark.parametrize("cuts", list(itertools.product((0, 1, 2), (0, 1, 2))))
@pytest.mark.parametrize("then", ["same", "plain"])
def test_a_rotation_killed_between_any_two_calls_is_completed_by_the_next_run(grace: int, cuts: tuple[int, int], then: str) -> None:
    model = LitellmModel()
    users = ["user1", "user2"]
    converge(model, [wanted_key(user, lifetime=DAY, fields={"max_budget": 5.0}) for user in users])
    rotate = [wanted_key(user, rotation="a") for user in users]
    plan = plan_for(model, rotate, Policy(grace=grace))
    through = dict(zip((key.alias for key in plan.steps), cuts, strict=True))
    carry_out(model, plan, cut=through.__getitem__, delete=False)
    for user in users:  # a user always has a key that works
        alias = names.user_alias(LAB.alias, user)
        assert model.works(value_of(alias, 0)) or model.works(value_of(alias, 1))

    converge(model, rotate if then == "same" else [wanted_key(user) for user in users], Policy(grace=grace))
    for user, cut in zip(users, cuts, strict=True):
        alias = names.user_alias(LAB.alias, user)
        row = row_of(model, alias)
        assert row.generation == (1 if then == "same" or cut else 0)
        assert model.works(value_of(alias, row.generation))
        assert row.fields["max_budget"] == 5.0
        assert row.expires == START + timedelta(seconds=DAY)
    model.pass_time(grace)
    converge(model, [wanted_key(user) for user in users])
    assert sorted(row.alias for row in rows_of(model)) == [names.user_alias(LAB.alias, user) for user in users]


def test_a_retired_row_is_recognized_by_its_alias_too() -> None:
    """Another run that did not know of the rotation may have overwritten the notes of the retired row."""
    model = LitellmModel()
    converge(model, [wanted_key("user1")])
    converge(model, [wanted_key("user1", rotation="a")], Policy(grace=3600))
    (retired,) = [row for row in model.rows.values() if "retired" in row["key_alias"]]
    retired["metadata"] = {NOTES_NAME: Notes(lab=LAB.alias, guid=LAB.guid, user="user1").to_metadata()}
    assert {row.served_alias for row in rows_of(model)} == {"virtkey-abc-user1"}
    converge(model, [wanted_key("user1")])
    assert [row.alias for row in rows_of(model)] == ["virtkey-abc-user1"]
