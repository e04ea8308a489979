# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Models that LiteLLM has no price of, for which no budget holds, are named where somebody could mend that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.live import Live

FREE = {"input_cost_per_token": 0, "output_cost_per_token": 0}


@pytest.fixture
def served(live: Live) -> Iterator[Live]:
    """`live`, without the test's models afterwards."""
    yield live
    for row in live.gateway.get("/v2/model/info", size=1000)["data"]:
        if live.name in row["model_name"]:
            live.gateway.post("/model/delete", id=row["model_info"]["id"])


def entries(live: Live) -> list[dict[str, Any]]:
    common = {"provider": "openai", "provider_key": "provider-key-of-no-known-shape-0001"}
    return [
        {**common, "name": f"{live.name}-known", "upstream": "gpt-4o-mini"},
        {**common, "name": f"{live.name}-new", "upstream": "gpt-77-galaxy", "access_groups": [f"{live.name}-group"]},
        {**common, "name": f"{live.name}-free", "upstream": "our-own", **FREE},
    ]


def warnings_of(served: Live, result: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> str:
    """Return the warnings about the test's models without a price, which ansible-core returns, or shows once the process has been a controller.

    It returns those of earlier modules of the process too.
    """
    shown = [str(warning) for warning in result.get("warnings") or []] + capsys.readouterr().err.splitlines()
    return " ".join(line for line in shown if f"no price of {served.name}-" in line)


def test_models_without_a_price_are_named(served: Live, capsys: pytest.CaptureFixture[str]) -> None:
    for check in (False, True):
        result = served.run_ok("models", set_name=served.name, models=entries(served), _check=check)
        assert f"no price of {served.name}-new and counts" in warnings_of(served, result, capsys)


@pytest.mark.parametrize(("model", "warns"), [("new", True), ("known", False), ("free", False), ("group", True)])
@pytest.mark.parametrize("budget", [5, -1])
def test_a_budget_on_a_model_without_a_price_warns(served: Live, capsys: pytest.CaptureFixture[str], model: str, warns: bool, budget: int) -> None:
    for entry in entries(served):  # not by our own module, which warns too
        parameters = {name: entry[name] for name in FREE if name in entry}
        parameters |= {"model": f"openai/{entry['upstream']}", "api_key": entry["provider_key"]}
        groups = {"access_groups": entry.get("access_groups", [])}
        served.gateway.post("/model/new", model_name=entry["name"], litellm_params=parameters, model_info=groups)
    keys = [{"user": "user1"}]
    result = served.run_ok("virtual_keys", guid=f"{served.name}b", keys=keys, models=[f"{served.name}-{model}"], max_budget=budget)
    assert bool(warnings_of(served, result, capsys)) is (warns and budget > 0)
