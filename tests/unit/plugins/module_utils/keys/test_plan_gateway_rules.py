# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""What the gateway's own rules set on a new key stays, unless somebody asks for something else."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.plan import KeyAction, Policy
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import LitellmModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.plugins.module_utils.keys.lab_plans import (
    DAY,
    carry_out,
    converge,
    plan_for,
    row_of,
    wanted_key,
)

ALIAS = "virtkey-abc"
OFF: dict[str, Any] = {"max_budget": None, "rpm_limit": None, "tpm_limit": None, "team_id": None}
FILLS = {"max_budget": 10.0, "rpm_limit": 100, "team_id": "default-team"}


def limits(model: LitellmModel) -> dict[str, Any]:
    row = row_of(model, ALIAS)
    return {name: row.fields[name] for name in FILLS}


@pytest.fixture
def model() -> LitellmModel:
    return LitellmModel(fills=FILLS)


def test_what_the_gateway_fills_in_stays(model: LitellmModel) -> None:
    for _time in range(3):
        converge(model, [wanted_key(fields=OFF)])
        assert limits(model) == FILLS
    assert not plan_for(model, [wanted_key(fields=OFF)]).changed


def test_what_was_asked_for_and_is_not_any_more_is_taken_off(model: LitellmModel) -> None:
    converge(model, [wanted_key(fields={**OFF, "tpm_limit": 7, "max_budget": 5.0})])
    assert limits(model) == {**FILLS, "max_budget": 5.0}
    converge(model, [wanted_key(fields=OFF)])
    assert limits(model) == {**FILLS, "max_budget": None}, "what the gateway would have filled in is not known"
    assert row_of(model, ALIAS).fields["tpm_limit"] is None


def test_another_package_in_between(model: LitellmModel) -> None:
    converge(model, [wanted_key(fields=OFF)])
    converge(model, [wanted_key(fields={**OFF, "max_budget": 5.0})])
    assert limits(model) == {**FILLS, "max_budget": 5.0}
    converge(model, [wanted_key(fields=OFF)])
    assert limits(model) == FILLS


@pytest.mark.parametrize("fields", [{}, OFF])
def test_rotation_keeps_it(model: LitellmModel, fields: dict[str, Any]) -> None:
    converge(model, [wanted_key(fields=OFF)])
    for label in ("a", "b", "c"):
        converge(model, [wanted_key(fields=fields, rotation=label)])
        assert limits(model) == FILLS
        converge(model, [wanted_key(fields=OFF)])
        assert limits(model) == FILLS


def test_a_run_that_is_killed_after_the_creation(model: LitellmModel) -> None:
    carry_out(model, plan_for(model, [wanted_key(fields=OFF)]))
    converge(model, [wanted_key(fields=OFF)])
    assert limits(model) == FILLS


def test_an_admin_s_own_limit_on_a_key_is_taken_back_as_before(model: LitellmModel) -> None:
    converge(model, [wanted_key(fields=OFF)])
    model.handle("POST", "/key/update", {}, {"key": row_of(model, ALIAS).token, "tpm_limit": 3, "max_budget": 3.0})
    converge(model, [wanted_key(fields=OFF)])
    assert limits(model) == FILLS
    assert row_of(model, ALIAS).fields["tpm_limit"] is None


def test_a_key_without_rules_has_no_more_notes_than_needed() -> None:
    model = LitellmModel()
    converge(model, [wanted_key(fields={**OFF, "max_budget": 5.0}, lifetime=DAY)])
    notes = row_of(model, ALIAS).notes
    assert notes is not None and notes.asked == ("duration", "max_budget") and not notes.filled


def test_an_end_that_nobody_asked_for_is_reported(model: LitellmModel) -> None:
    model = LitellmModel(fills={"expires": model.now})
    carry_out(model, plan_for(model, [wanted_key(endless=True)]))
    row = next(iter(model.rows.values()))
    row["expires"] = model.now.replace(year=model.now.year + 1)
    plan = plan_for(model, [wanted_key(endless=True)])
    assert plan.steps[0].action is KeyAction.KEEP
    assert "was to have no end, and the gateway ends it on 2027" in plan.warnings[0]
    assert not plan_for(model, [wanted_key(lifetime=DAY)]).warnings


def test_policy_has_nothing_to_do_with_it(model: LitellmModel) -> None:
    converge(model, [wanted_key(fields=OFF)], Policy(prune=True))
    assert limits(model) == FILLS


@pytest.mark.parametrize(
    ("old", "new", "first"),
    [
        ({"models": ["a", "b"]}, {"models": ["a"]}, {"models": ["a"]}),
        ({"models": ["a", "b"]}, {"models": ["b", "c"]}, {"models": ["b"]}),
        ({"models": ["a"]}, {"models": ["c"]}, {"models": ["c"]}),
        ({"models": ["a"]}, {"models": ["a", "b"]}, None),
        ({"tpm_limit": 9, "user_id": "u"}, {"tpm_limit": 8, "user_id": "v"}, {"tpm_limit": 8, "user_id": "v"}),
        ({"rpm_limit": 8}, {"rpm_limit": 9}, None),
    ],
)
def test_what_a_new_team_would_refuse_is_changed_first(old: dict[str, Any], new: dict[str, Any], first: dict[str, Any] | None) -> None:
    model = LitellmModel()
    converge(model, [wanted_key(fields={**old, "team_id": "s"})])
    calls = [dict(call.payload) for call in plan_for(model, [wanted_key(fields={**new, "team_id": "t"})]).steps[0].calls]
    for call in calls:
        del call["key"]
    assert calls == [*([first] if first else []), {**new, "team_id": "t"}]
