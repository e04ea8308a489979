# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""What an older release of LiteLLM would accept and not do is refused before anything is written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.plan import Policy
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.errors import Refused
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import LitellmModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.served_model import ServedModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.plugins.module_utils.keys.served_lab import actions_of, apply, destroy, wanted_keys

RELEASES = {
    "1.82.6": {"search": "exact", "budgets": "none"},
    "1.95": {"search": "optional", "budgets": "no tiers"},
    "1.102.4": {"search": "search", "budgets": "all"},
}
PERIOD = {"models": ["granite"], "max_budget": 5.0, "budget_duration": "30d"}


@pytest.fixture(params=RELEASES)
def release(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def served(release: str) -> Iterator[ServedModel]:
    """A gateway of each release, with a key of somebody else that has a budget tier."""
    with ServedModel(LitellmModel(**RELEASES[release], tiers={"gold": {"max_budget": 3.0}})) as server:
        server.model.handle("POST", "/key/generate", {}, {"key": "sk-of-somebody-else", "key_alias": "other"})
        (row,) = server.model.rows.values()
        row["budget_id"] = "gold"
        yield server


def fields(**more: Any) -> dict[str, Any]:
    return {"models": ["granite"], **more}


@pytest.mark.parametrize("check_mode", [True, False])
@pytest.mark.parametrize("exists", [True, False])
def test_a_soft_budget_is_set_only_where_the_list_shows_it(served: ServedModel, release: str, exists: bool, check_mode: bool) -> None:
    if exists:
        apply(served, wanted_keys("user1"))
    before = len(served.writes())
    wanted = wanted_keys("user1", fields=fields(soft_budget=3.0))
    if release == "1.102.4":
        assert actions_of(apply(served, wanted, check_mode=check_mode)) == {"user1": "updated" if exists else "created"}
        return
    with pytest.raises(
        Refused, match="^nothing was changed: soft_budget cannot be set on the key virtkey-abc-user1, because the release of LiteLLM at http"
    ) as caught:
        apply(served, wanted, check_mode=check_mode)
    assert caught.value.code == "unsupported_release" and len(served.writes()) == before
    assert str(caught.value).endswith("leave soft_budget out, or update LiteLLM to 1.102 or later.")
    assert actions_of(apply(served, wanted_keys("user1", fields=fields(soft_budget=None)))) == {"user1": "unchanged" if exists else "created"}


def test_the_period_of_a_budget_is_taken_off_only_where_that_has_an_effect(served: ServedModel, release: str) -> None:
    apply(served, wanted_keys("user1", fields=PERIOD))
    before = len(served.writes())
    endless = wanted_keys("user1", fields={**PERIOD, "budget_duration": None})
    if release == "1.82.6":
        with pytest.raises(Refused, match="^nothing was changed: budget_duration cannot be taken off the key virtkey-abc-user1, because the release") as caught:
            apply(served, endless)
        assert caught.value.code == "unsupported_release" and len(served.writes()) == before
        destroy(served)
    apply(served, endless)
    assert actions_of(apply(served, endless)) == {"user1": "unchanged"}
    assert actions_of(apply(served, wanted_keys("user1", fields={**PERIOD, "budget_duration": "7d"}))) == {"user1": "updated"}


@pytest.mark.parametrize("grace", [0, 60])
def test_a_key_with_a_budget_tier_is_not_rotated_into_one_without(served: ServedModel, release: str, grace: int) -> None:
    apply(served, wanted_keys("user1", "user2"))
    (row,) = served.model.with_alias("virtkey-abc-user1")
    served.model.handle("POST", "/key/update", {}, {"key": row["token"], "budget_id": "gold"})
    before = len(served.writes())
    with pytest.raises(Refused, match="^nothing was changed: the key virtkey-abc-user1 has budget_id, which") as caught:
        apply(served, wanted_keys("user1", rotation="a"), Policy(grace=grace))
    assert caught.value.code == "not_carried" and len(served.writes()) == before and row["budget_id"] == "gold"
    assert len(served.asked("/key/info")) == (0 if release == "1.102.4" else 1)
    assert actions_of(apply(served, wanted_keys("user2", rotation="a"), Policy(grace=grace)))["user2"] == "rotated"
