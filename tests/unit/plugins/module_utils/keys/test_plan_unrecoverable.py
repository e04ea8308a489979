# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Plans for keys whose value cannot be derived: made by hand, by release 1.3.2 or with another secret."""

from __future__ import annotations

from datetime import timedelta

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.key import Notes
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.plan import (
    KeyAction,
    OnUnrecoverable,
    Policy,
)
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import START, LitellmModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.plugins.module_utils.keys.lab_plans import (
    LAB,
    actions_of,
    converge,
    create_by_hand,
    plan_for,
    row_of,
    rows_of,
    value_of,
    wanted_key,
)


def other_secret(alias: str, generation: int) -> str:
    return derive.value("another secret altogether", alias, generation)


def test_an_unrecoverable_value_blocks_the_plan_by_default() -> None:
    model = LitellmModel()
    converge(model, [wanted_key("user1"), wanted_key("user2")])
    plan = plan_for(model, [wanted_key("user1"), wanted_key("user2"), wanted_key("user3")], secret=other_secret)
    assert [key.alias for key in plan.blockers] == ["virtkey-abc-user1", "virtkey-abc-user2"]
    assert "on_unrecoverable" in plan.blockers[0].reason


def test_keep_manages_the_key_and_reports_its_value_as_unrecoverable() -> None:
    model = LitellmModel()
    value = create_by_hand(model, "virtkey-abc-user1", metadata={"guid": "abc", "created_by": "rhpds"})
    policy = Policy(on_unrecoverable=OnUnrecoverable.KEEP)
    plans = converge(model, [wanted_key("user1", fields={"rpm_limit": 2})], policy)
    assert actions_of(plans[0]) == {"virtkey-abc-user1": KeyAction.UPDATE}
    assert plans[-1].steps[0].recoverable is False
    row = row_of(model, "virtkey-abc-user1")
    assert row.token == derive.token(value) and row.fields["rpm_limit"] == 2
    assert row.notes == Notes(lab=LAB.alias, guid="abc", user="user1"), "the key belongs to the lab from now on"
    assert row.metadata["created_by"] == "rhpds"


@pytest.mark.parametrize("grace", [0, 3600])
def test_rotate_replaces_an_unrecoverable_value_by_a_derived_one(grace: int) -> None:
    model = LitellmModel()
    value = create_by_hand(model, "virtkey-abc-user1", metadata={"guid": "abc"}, max_budget=3.0, duration="7d")
    policy = Policy(on_unrecoverable=OnUnrecoverable.ROTATE, grace=grace)
    plans = converge(model, [wanted_key("user1")], policy)
    assert actions_of(plans[0]) == {"virtkey-abc-user1": KeyAction.ROTATE}
    assert model.works(value_of("virtkey-abc-user1", 1))
    assert model.works(value) == bool(grace)
    row = row_of(model, "virtkey-abc-user1")
    assert row.fields["max_budget"] == 3.0 and row.expires == START + timedelta(days=7)
    model.pass_time(grace)
    converge(model, [wanted_key("user1")], policy)
    assert len(model.rows) == 1


def test_rows_of_release_132_belong_to_the_lab() -> None:
    model = LitellmModel()
    for alias in ("virtkey-abc-user1", "virtkey-abc-user2", "virtkey-abc"):
        create_by_hand(model, alias, metadata={"guid": "abc"})
    create_by_hand(model, "virtkey-abc-user1-user1", metadata={"guid": "abc-user1"})
    create_by_hand(model, "virtkey-abc-admin", metadata={})
    converge(model, [wanted_key("user1")], Policy(prune=True, on_unrecoverable=OnUnrecoverable.KEEP))
    assert sorted(row.alias for row in rows_of(model)) == [
        "virtkey-abc-admin",
        "virtkey-abc-user1",
        "virtkey-abc-user1-user1",
    ]
