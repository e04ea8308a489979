# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""A gateway whose admin set defaults and upper bounds for new keys, and budget tiers: all of it stays."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import MOCK_MODELS, RELEASE, Gateway, start_gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.live import Live

OFF = {"max_budget": -1, "rpm_limit": -1, "tpm_limit": -1, "max_parallel_requests": -1, "budget_duration": "never", "team_id": ""}
FILLED = {"max_budget": 10.0, "rpm_limit": 100, "budget_duration": "30d"}


@pytest.fixture(scope="module")
def ruled_gateway(gateway_folder: Path, gateway: Gateway) -> Gateway:
    """A gateway with defaults and upper bounds. `gateway` has installed the software that it shares."""
    settings = {
        "default_key_generate_params": {"rpm_limit": 100},
        "upperbound_key_generate_params": {"max_budget": 10, "duration": "7d", "budget_duration": "30d"},
    }
    return start_gateway(gateway_folder / "ruled", litellm_gateway_litellm_settings=settings)


@pytest.fixture
def ruled(ruled_gateway: Gateway, unique: str) -> Iterator[Live]:
    live = Live(ruled_gateway, unique)
    yield live
    live.clean()


def limits(live: Live) -> dict[str, Any]:
    row = live.rows[live.alias()]
    return {name: row[name] for name in FILLED}


def test_what_the_gateway_fills_in_survives_every_operation(ruled: Live) -> None:
    made = ruled.lab(**OFF)
    assert limits(ruled) == FILLED
    assert made["virtual_keys"][0]["max_budget"] == 10.0, "users are told what the key really has"
    for operation in ({"rotation": "a"}, {"blocked": True}, {"blocked": False}, {"extend_for": "6d"}, {"rotation": "b"}):
        ruled.run_ok("virtual_keys", guid=ruled.name, **operation)
        assert limits(ruled) == FILLED, operation
        assert not ruled.lab(**OFF)["changed"], operation
    if RELEASE:
        time.sleep(1.1)  # 1.82.6 does not show when settings were changed, so a change in the key's first second passes for the gateway's own
    ruled.lab(**{**OFF, "max_budget": 5})
    assert limits(ruled) == {**FILLED, "max_budget": 5.0}
    ruled.lab(**OFF)
    assert limits(ruled) == FILLED


def test_a_lifetime_beyond_the_bound_is_refused_with_the_gateway_s_own_words(ruled: Live) -> None:
    result = ruled("virtual_keys", guid=ruled.name, keys=[{}], models=[MOCK_MODELS[0]], duration="30d")
    assert result["failed"] and "over max limit" in result["msg"], result["msg"]
    assert not ruled.rows


def test_an_endless_key_that_the_gateway_ends_is_named(ruled: Live, capsys: pytest.CaptureFixture[str]) -> None:
    result = ruled.lab(duration="never")
    assert result["virtual_keys"][0]["expires"], "what is returned is the real end"
    shown = f"{result.get('warnings')} {capsys.readouterr().err}"  # shown instead of returned, once the process has been a controller
    assert "was to have no end, and the gateway ends it on" in " ".join(shown.split())


def test_a_key_with_a_budget_tier_is_not_rotated_into_one_without(live: Live) -> None:
    budget = live.gateway.post("/budget/new", budget_id=f"tier-{live.name}", max_budget=3)["budget_id"]
    try:
        live.lab(max_budget=-1)
        live.gateway.post("/key/update", key=live.rows[live.alias()]["token"], budget_id=budget)
        refused = live("virtual_keys", guid=live.name, rotation="a")
        assert refused["code"] == "not_carried" and "budget_id" in refused["msg"], refused
        (row,) = live.rows.values()
        assert live.gateway.get("/key/info", key=row["token"])["info"]["budget_id"] == budget
        assert not live.lab(max_budget=-1)["changed"]
    finally:
        live.clean()
        live.gateway.post("/budget/delete", id=budget)
