# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Plans that create, keep, update and prune keys, carried out on a model of LiteLLM."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.key import Notes, WantedKey
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.lab import Lab
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.orphan import ORPHAN, OrphanMark
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.plan import (
    KeyAction,
    OnUnrecoverable,
    Policy,
    plan_key_deletion,
    plan_keys,
)
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.notes import NOTES_NAME
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import START, LitellmModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.plugins.module_utils.keys.lab_plans import (
    DAY,
    LAB,
    actions_of,
    carry_out,
    converge,
    create_by_hand,
    plan_for,
    row_of,
    rows_of,
    value_of,
    wanted_key,
)


# ------------------------------------------------------------------------------------------------------ create and keep
def test_a_missing_key_is_created_and_then_kept() -> None:
    model = LitellmModel()
    wanted = [wanted_key("user1", fields={"models": ["granite"], "max_budget": 5}, lifetime=DAY, metadata={"owner": "a@b"})]
    first, second = converge(model, wanted)
    assert actions_of(first) == {"virtkey-abc-user1": KeyAction.CREATE}
    assert actions_of(second) == {"virtkey-abc-user1": KeyAction.KEEP}
    row = row_of(model, "virtkey-abc-user1")
    assert row.token == derive.token(value_of("virtkey-abc-user1", 0))
    assert row.expires == START + timedelta(days=1)
    assert row.fields["max_budget"] == 5.0
    assert row.metadata["owner"] == "a@b"


def test_a_plan_holds_no_value() -> None:
    model = LitellmModel()
    converge(model, [wanted_key("user1")])
    plan = plan_for(model, [wanted_key("user1", rotation="a"), wanted_key("user2")])
    assert "sk-" not in repr(plan)
    assert [call.mint for key in plan.steps for call in key.calls if call.path == "/key/generate"] == [
        ("virtkey-abc-user1", 1),
        ("virtkey-abc-user2", 0),
    ]


def test_attributes_that_nobody_asked_for_stay() -> None:
    model = LitellmModel()
    converge(model, [wanted_key("user1", fields={"max_budget": 5, "models": ["granite"]}, metadata={"owner": "a"}, lifetime=DAY)])
    before = row_of(model, "virtkey-abc-user1")
    plans = converge(model, [wanted_key("user1", fields={"rpm_limit": 3}, metadata={"room": "7"})])
    after = row_of(model, "virtkey-abc-user1")
    assert actions_of(plans[0]) == {"virtkey-abc-user1": KeyAction.UPDATE}
    assert plans[0].steps[0].calls[0].payload.keys() == {"key", "rpm_limit", "metadata"}
    assert after.fields == {**before.fields, "rpm_limit": 3}
    assert after.metadata == {**before.metadata, "room": "7"}, "LiteLLM replaces metadata, so all of it is sent"
    assert after.expires == before.expires


@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize("again", [{}, {"rotation": "a"}])
def test_provisioning_unblocks_a_lab_that_the_reaper_blocked_unless_an_admin_had_stopped_it(stopped: bool, again: dict[str, Any]) -> None:
    model = LitellmModel()
    (plan, _kept) = converge(model, [wanted_key("user1", lifetime=DAY)])
    token = derive.token(value_of("virtkey-abc-user1", 0))
    note = OrphanMark("2026-01-01T00:00:00Z", stopped).to_metadata()
    metadata = {**plan.steps[0].calls[0].payload["metadata"], ORPHAN: note}
    model.handle("POST", "/key/update", {}, {"key": token, "blocked": True, "metadata": metadata})
    converge(model, [wanted_key("user1", lifetime=DAY, **again)])
    row = row_of(model, "virtkey-abc-user1")
    assert bool(row.fields["blocked"]) is stopped and ORPHAN not in row.metadata
    assert row.generation == len(again)


def test_none_removes_a_limit() -> None:
    model = LitellmModel()
    converge(model, [wanted_key("user1", fields={"max_budget": 5.0}, metadata={"owner": "a"})])
    converge(model, [wanted_key("user1", fields={"max_budget": None}, metadata={"owner": None})])
    row = row_of(model, "virtkey-abc-user1")
    assert row.fields["max_budget"] is None and "owner" not in row.metadata


def test_zero_is_a_limit() -> None:
    model = LitellmModel()
    converge(model, [wanted_key("user1", fields={"max_budget": 0.0, "rpm_limit": 0})])
    assert plan_for(model, [wanted_key("user1", fields={"max_budget": 0.0, "rpm_limit": 0})]).changed is False
    plan = plan_for(model, [wanted_key("user1", fields={"max_budget": None, "rpm_limit": None})])
    assert plan.steps[0].before["max_budget"] == 0.0 and plan.steps[0].before["rpm_limit"] == 0, "the diff shows the zeros"


# --------------------------------------------------------------------------------------------------------- prune, exact
def test_present_leaves_other_keys_and_exact_deletes_them() -> None:
    model = LitellmModel()
    converge(model, [wanted_key("user1"), wanted_key("user2")])
    assert not plan_for(model, [wanted_key("user1")]).changed
    (plan, _again) = converge(model, [wanted_key("user1")], Policy(prune=True))
    assert actions_of(plan) == {"virtkey-abc-user1": KeyAction.KEEP, "virtkey-abc-user2": KeyAction.DELETE}
    assert [row.alias for row in rows_of(model)] == ["virtkey-abc-user1"]


def test_exact_deletes_former_values_of_a_user_too() -> None:
    model = LitellmModel()
    converge(model, [wanted_key("user1"), wanted_key("user2")])
    converge(model, [wanted_key("user1"), wanted_key("user2", rotation="a")], Policy(grace=DAY))
    assert len(rows_of(model)) == 3
    converge(model, [wanted_key("user1")], Policy(prune=True))
    assert [row.alias for row in rows_of(model)] == ["virtkey-abc-user1"]


def test_a_lab_may_be_named_like_a_user_of_another_lab() -> None:
    model = LitellmModel()
    other = Lab(guid="abc-user1", alias="virtkey-abc-user1")
    theirs = WantedKey("virtkey-abc-user1", lab=other.alias, guid=other.guid)
    converge(model, [theirs])
    before = dict(model.rows)
    plan = plan_for(model, [wanted_key("user1"), wanted_key("user2")], Policy(prune=True, on_unrecoverable=OnUnrecoverable.ROTATE))
    (blocker,) = plan.blockers
    assert blocker.action is KeyAction.CONFLICT and not blocker.calls
    assert "virtkey-abc-user1" in blocker.reason and "abc-user1" in blocker.reason
    converge(model, [wanted_key("user2")], Policy(prune=True))
    assert {token: model.rows[token] for token in before} == before
    assert not other.is_under_alias(row_of(model, "virtkey-abc-user2")) and not LAB.is_under_alias(row_of(model, "virtkey-abc-user1"))


def test_a_key_of_another_lab_is_not_taken_over_while_it_is_being_rotated() -> None:
    model = LitellmModel()
    theirs = WantedKey("virtkey-abc-user1", lab="virtkey-abc-user1", guid="abc-user1")
    converge(model, [theirs])
    cut_off = plan_for(model, [replace(theirs, rotation="a")], Policy(grace=DAY))
    carry_out(model, cut_off, cut=lambda _alias: 1)
    assert [row.alias for row in rows_of(model)] != ["virtkey-abc-user1"]
    plan = plan_for(model, [wanted_key("user1")])
    assert [key.action for key in plan.blockers] == [KeyAction.CONFLICT]


def test_a_key_of_release_132_of_another_lab_is_not_taken_over() -> None:
    model = LitellmModel()
    create_by_hand(model, "virtkey-abc-user1", metadata={"guid": "abc-user1"})
    plan = plan_for(model, [wanted_key("user1")], Policy(on_unrecoverable=OnUnrecoverable.ROTATE))
    assert [key.action for key in plan.blockers] == [KeyAction.CONFLICT]


def test_two_sets_with_one_guid_do_not_take_each_others_keys() -> None:
    model = LitellmModel()
    tenant = WantedKey("virtkey-abc-t1-user1", lab="virtkey-abc-t1", guid="abc", user="user1")
    converge(model, [tenant])
    plan = plan_for(model, [wanted_key("t1-user1")])
    assert [key.action for key in plan.blockers] == [KeyAction.CONFLICT]


# ----------------------------------------------------------------------------------------------------------- duplicates
def duplicated(secret_first: bool) -> LitellmModel:
    model = LitellmModel()
    create_by_hand(model, "virtkey-abc-user1", value_of("virtkey-abc-user1", 0) if secret_first else "")
    create_by_hand(model, "other", "" if secret_first else value_of("virtkey-abc-user1", 0))
    for row in model.rows.values():
        row["key_alias"] = "virtkey-abc-user1"  # LiteLLM's check for taken aliases can be raced
    return model


@pytest.mark.parametrize("secret_first", [True, False])
def test_of_two_keys_with_one_alias_the_derived_one_stays(secret_first: bool) -> None:
    model = duplicated(secret_first)
    plan = plan_for(model, [wanted_key("user1")])
    assert plan.warnings == ["1 more key holds the alias virtkey-abc-user1; the module virtual_keys with state exact deletes what is too much."]
    converge(model, [wanted_key("user1")], Policy(prune=True))
    assert row_of(model, "virtkey-abc-user1").token == derive.token(value_of("virtkey-abc-user1", 0))


def test_rotation_retires_every_key_that_holds_the_alias() -> None:
    model = duplicated(True)
    converge(model, [wanted_key("user1", rotation="a")])
    assert row_of(model, "virtkey-abc-user1").generation == 1
    assert len(model.rows) == 1


def test_of_two_derived_values_the_later_one_stays() -> None:
    model = LitellmModel()
    notes = {NOTES_NAME: Notes(lab=LAB.alias, guid="abc", user="user1", generation=1).to_metadata()}
    create_by_hand(model, "virtkey-abc-user1", value_of("virtkey-abc-user1", 0))
    create_by_hand(model, "other", value_of("virtkey-abc-user1", 1), metadata=notes)
    for row in model.rows.values():
        row["key_alias"] = "virtkey-abc-user1"
    for rows in (rows_of(model), rows_of(model)[::-1]):
        plan = plan_keys([wanted_key("user1")], rows, value_of=value_of, now=model.now, policy=Policy(prune=True))
        assert plan.steps[0].expected and plan.steps[0].expected.generation == 1
        assert [row.generation for row in plan.to_delete] == [0]


def test_deletion_deletes_every_row_it_is_given() -> None:
    model = duplicated(True)
    plan = plan_key_deletion(rows_of(model))
    carry_out(model, plan)
    assert plan.changed and not model.rows
    assert not plan_key_deletion([]).changed
