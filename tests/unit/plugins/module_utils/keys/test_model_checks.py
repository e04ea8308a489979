# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Keys that LiteLLM would make although they could not be used are refused before anything is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.errors import Refused
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import LitellmModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.served_model import ServedModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.plugins.module_utils.keys.served_lab import LAB, actions_of, apply, reconciler, wanted_keys

TEAMS = {"blue": ("granite",), "any": ()}


@pytest.fixture
def served() -> Iterator[ServedModel]:
    with ServedModel(LitellmModel(models=("granite", "mistral", "openai/*"), groups={"beta": ("mistral",)}, teams=TEAMS)) as server:
        yield server


def test_wildcards_and_groups_are_models(served: ServedModel) -> None:
    apply(served, wanted_keys("user1", fields={"models": ["openai/*"]}))
    apply(served, wanted_keys("user2", fields={"models": ["openai/some-new-model", "beta"]}))
    with pytest.raises(Refused, match="no model named anthropic/claude; it serves beta, granite, mistral, openai/") as caught:
        apply(served, wanted_keys("user3", fields={"models": ["anthropic/claude"]}))
    assert caught.value.code == "unknown_model"


def test_a_model_that_the_team_lacks_is_refused_and_both_are_named(served: ServedModel) -> None:
    wanted = wanted_keys("user1", "user2", fields={"models": ["granite", "mistral"], "team_id": "blue"})
    with pytest.raises(Refused, match="the team blue may not use mistral, .* it may use granite: choose among these") as caught:
        apply(served, wanted)
    assert caught.value.code == "model_not_in_team" and served.writes() == []
    assert len(served.asked("/team/info")) == 1, "once for all keys"
    apply(served, wanted, check_models=False)
    for fields in ({"models": ["mistral"], "team_id": "any"}, {"models": ["all-team-models"], "team_id": "blue"}):
        apply(served, wanted_keys("user3", fields=fields))


@pytest.mark.parametrize(
    ("first", "second"), [({"models": ["mistral"]}, {"team_id": "blue"}), ({"models": ["granite"], "team_id": "blue"}, {"models": ["mistral"]})]
)
def test_team_and_models_of_a_key_that_exists_go_together(served: ServedModel, first: dict[str, Any], second: dict[str, Any]) -> None:
    apply(served, wanted_keys("user1", fields=first))
    with pytest.raises(Refused, match="the team blue may not use mistral"):
        apply(served, wanted_keys("user1", fields=second))
    worker = reconciler(served)
    with pytest.raises(Refused, match="the team blue may not use mistral"):
        worker.change(LAB.members(worker.api, worker.value_of), lambda row: replace(wanted_keys("user1", fields=second)[0], alias=row.alias), list)


def test_a_key_that_is_moved_into_another_team_with_other_models(served: ServedModel) -> None:
    apply(served, wanted_keys("user1", fields={"models": ["mistral"], "team_id": "any"}))
    assert actions_of(apply(served, wanted_keys("user1", fields={"models": ["granite"], "team_id": "blue"}))) == {"user1": "updated"}


def test_all_team_models_need_a_team(served: ServedModel) -> None:
    with pytest.raises(Refused, match="without a team LiteLLM takes that to mean every model") as caught:
        apply(served, wanted_keys("user1", fields={"models": ["all-team-models"]}))
    assert caught.value.code == "no_team" and served.writes() == []
    apply(served, wanted_keys("user1", fields={"models": ["all-team-models"], "team_id": "blue"}))
    with pytest.raises(Refused, match="all-team-models"):
        apply(served, wanted_keys("user1", fields={"team_id": None}))
