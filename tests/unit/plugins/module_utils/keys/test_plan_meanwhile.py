# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Work that others do on a key while it is rotated is not lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.history import KeyHistory
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.key import WantedKey
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.plan import KeyAction, KeyPlan, Policy, plan_keys
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import LitellmModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.plugins.module_utils.keys.lab_plans import (
    DAY,
    carry_out,
    converge,
    deleted_rows_of,
    plan_for,
    row_of,
    rows_of,
    value_of,
    wanted_key,
)

ALIAS = "virtkey-abc"
GRACES = [0, 3600]


def rotate(model: LitellmModel, want: WantedKey, grace: int) -> KeyPlan:
    """Carry out the first round of a rotation, and return its plan."""
    plan = plan_for(model, [want], Policy(grace=grace))
    carry_out(model, plan)
    return plan


def follow(model: LitellmModel, plan: KeyPlan, want: WantedKey, grace: int) -> KeyPlan:
    """Carry out the second round, and return its plan."""
    rotated = [step for step in plan.steps if step.action is KeyAction.ROTATE]
    history = KeyHistory(value_of, deleted_rows_of(model))
    after = plan_keys([want], rows_of(model), value_of=value_of, now=model.now, policy=Policy(grace=grace), history=history, rotated=rotated)
    carry_out(model, after)
    return after


def former_token(model: LitellmModel) -> str:
    (token,) = [row.token for row in rows_of(model) if row.alias != ALIAS]
    return token


@pytest.mark.parametrize("grace", GRACES)
@pytest.mark.parametrize("blocked", [True, False])
def test_a_key_that_is_stopped_or_started_meanwhile(grace: int, blocked: bool) -> None:
    model = LitellmModel()
    converge(model, [wanted_key(fields={"blocked": not blocked})])
    want = wanted_key(rotation="a")
    plan = rotate(model, want, grace)
    model.handle("POST", "/key/update", {}, {"key": former_token(model), "blocked": blocked})
    follow(model, plan, want, grace)
    assert row_of(model, ALIAS).fields["blocked"] is blocked


@pytest.mark.parametrize("grace", GRACES)
def test_a_key_that_is_extended_meanwhile(grace: int) -> None:
    model = LitellmModel()
    converge(model, [wanted_key(lifetime=DAY)])
    want = wanted_key(rotation="a")
    plan = rotate(model, want, grace)
    model.handle("POST", "/key/update", {}, {"key": former_token(model), "duration": "9d"})
    follow(model, plan, want, grace)
    ends = row_of(model, ALIAS).expires
    assert ends and ends > model.now + timedelta(days=8)
    for row in rows_of(model):
        if row.alias != ALIAS:
            assert row.expires and row.expires <= model.now + timedelta(seconds=grace + 60), "the former value ends with its grace period"


@pytest.mark.parametrize("grace", GRACES)
@pytest.mark.parametrize("create", [True, False])
def test_a_key_that_is_revoked_meanwhile(grace: int, create: bool) -> None:
    model = LitellmModel()
    converge(model, [wanted_key()])
    want = wanted_key(rotation="a", create=create)
    plan = plan_for(model, [want], Policy(grace=grace))
    carry_out(model, plan, cut=lambda _alias: 1)
    model.handle("POST", "/key/delete", {}, {"keys": [former_token(model)]})
    carry_out(model, replace(plan, steps=[replace(step, calls=step.calls[1:]) for step in plan.steps]))
    after = follow(model, plan, want, grace)
    assert next(step.action for step in after.steps if step.alias == ALIAS) is (KeyAction.KEEP if create else KeyAction.ABSENT)
    assert model.works(value_of(ALIAS, 1)) is create, "whoever creates keys may come after whoever revokes them"


def test_a_lab_that_comes_back_has_the_reapers_block_lifted_from_former_values_too() -> None:
    model = LitellmModel()
    converge(model, [wanted_key()])
    converge(model, [wanted_key(rotation="a")], Policy(grace=3600))
    for row in rows_of(model):
        mark = {"litellm_virtual_keys_orphan": {"since": "2026-01-01T00:00:00Z"}}
        model.handle("POST", "/key/update", {}, {"key": row.token, "blocked": True, "metadata": {**row.metadata, **mark}})
    converge(model, [wanted_key()])
    assert [row.fields["blocked"] for row in rows_of(model)] == [False, False]
    assert model.works(value_of(ALIAS, 0)) and model.works(value_of(ALIAS, 1))
    assert not any("litellm_virtual_keys_orphan" in row.metadata for row in rows_of(model))


def test_a_former_value_that_another_run_has_swept_away_was_not_revoked() -> None:
    model = LitellmModel()
    converge(model, [wanted_key()])
    want = wanted_key(rotation="a", create=False)
    plan = rotate(model, want, 0)
    converge(model, [wanted_key()])
    assert not follow(model, plan, want, 0).changed and model.works(value_of(ALIAS, 1))
