# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""What somebody else did under a lab's alias, and what another secret made there, passes to no key and outlives no rotation."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.plan import OnUnrecoverable, Policy
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.notes import NOTES_NAME
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import LitellmModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.plugins.module_utils.keys.lab_plans import (
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
ROTATE = Policy(on_unrecoverable=OnUnrecoverable.ROTATE)
LOGGING = [{"callback_name": "langfuse"}]


def other_secret(alias: str, generation: int) -> str:
    return derive.value("another secret altogether", alias, generation)


def squat(model: LitellmModel, maker: str = "mallory", **body: Any) -> str:
    value = create_by_hand(model, ALIAS, models=["granite"], user_id="mallory", **body)
    model.rows[derive.token(value)]["created_by"] = maker
    return value


@pytest.mark.parametrize("wanted", [{"rotation": "a"}, {}])
@pytest.mark.parametrize("grace", [0, 3600])
def test_a_new_value_takes_limits_alone_from_a_key_that_a_user_made(wanted: dict[str, str], grace: int) -> None:
    model = LitellmModel()
    squat(model, metadata={"logging": LOGGING, NOTES_NAME: {"format": 1, "guid": "abc", "filled": {"user_id": "mallory"}}}, team_id="hers", aliases={"a": "b"})
    policy = Policy(on_unrecoverable=OnUnrecoverable.ROTATE, grace=grace)
    assert "was not made with the gateway's master key" in plan_for(model, [wanted_key(**wanted)], policy).warnings[0]
    converge(model, [wanted_key(**wanted)], policy)
    row = row_of(model, ALIAS)
    assert (row.fields["user_id"], row.fields["team_id"], row.fields["models"]) == (None, None, ["granite"])
    assert list(row.metadata) == [NOTES_NAME] and row.notes and not row.notes.filled


def test_a_rotation_that_was_cut_off_takes_no_more_from_it() -> None:
    model = LitellmModel()
    squat(model, metadata={"logging": LOGGING})
    step = plan_for(model, [wanted_key(rotation="a")]).steps[0]
    model.handle("POST", step.calls[0].path, {}, dict(step.calls[0].payload))
    converge(model, [wanted_key(rotation="a")])
    assert row_of(model, ALIAS).fields["user_id"] is None and "logging" not in row_of(model, ALIAS).metadata


def test_a_new_value_takes_everything_from_a_key_of_release_132() -> None:
    model = LitellmModel()
    squat(model, "default_user_id", metadata={"guid": "abc", "owner": "ann", "tags": ["x"]})
    converge(model, [wanted_key(rotation="a")])
    row = row_of(model, ALIAS)
    assert (row.fields["user_id"], row.metadata["owner"], row.metadata["tags"]) == ("mallory", "ann", ["x"])


@pytest.mark.parametrize("grace", [0, 3600])
def test_a_generation_that_a_user_noted_is_not_counted_on(grace: int) -> None:
    model = LitellmModel()
    squat(model, metadata={NOTES_NAME: {"format": 1, "guid": "abc", "generation": 999_999_998}})
    converge(model, [wanted_key(rotation="a")], Policy(grace=grace))
    assert model.works(value_of(ALIAS, 1))


def test_an_alias_that_a_forged_generation_had_broken_works_again() -> None:
    model = LitellmModel()
    noted = {"format": 1, "guid": "abc", "generation": 999_999_999}
    create_by_hand(model, ALIAS, value_of(ALIAS, 999_999_999), metadata={NOTES_NAME: noted})
    converge(model, [wanted_key(rotation="a")])
    assert not model.works(value_of(ALIAS, 999_999_999))
    model.handle("POST", "/key/delete", {}, {"keys": list(model.rows)})
    converge(model, [wanted_key()])
    assert [row.generation for row in rows_of(model)] == [1]


@pytest.mark.parametrize("blocked", [False, True])
def test_values_that_were_retired_with_another_secret_end_with_the_others(blocked: bool) -> None:
    model = LitellmModel()
    for rotation in ("", "a"):
        converge(model, [wanted_key(rotation=rotation)], Policy(grace=3600), other_secret)
    wanted = wanted_key(fields={"blocked": True}) if blocked else wanted_key(rotation="b")
    policy = Policy(on_unrecoverable=OnUnrecoverable.KEEP) if blocked else Policy()
    assert model.works(other_secret(ALIAS, 0))
    converge(model, [wanted], policy)
    assert not model.works(other_secret(ALIAS, 0)) and not model.works(other_secret(ALIAS, 1))


def test_an_adopted_value_that_was_revoked_is_deleted_under_another_alias() -> None:
    model = LitellmModel()
    value = create_by_hand(model, ALIAS)
    converge(model, [wanted_key(adopt=True)], Policy(on_unrecoverable=OnUnrecoverable.KEEP))
    converge(model, [wanted_key(rotation="a")])
    assert len(deleted_rows_of(model)) == 1
    create_by_hand(model, "virtkey-abc-user1", value)
    converge(model, [wanted_key()])
    assert not model.works(value)
