# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The calls of usage_info and spend_receipt, and their errors for answers that the real gateway cannot be made to give."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.modules import run_module
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.scripted import ANYTHING, Exchange, Reply, ScriptedGateway

SUMS = {"spend": 0.5, "api_requests": 2, "successful_requests": 2, "failed_requests": 0, "prompt_tokens": 3, "completion_tokens": 4}
NOTHING = {"results": [], "metadata": {"total_pages": 0}}
AGGREGATED = "/user/daily/activity/aggregated"


def keys(*rows: Mapping[str, Any]) -> Reply:
    return Reply(json={"keys": list(rows), "total_count": len(rows), "total_pages": 1, "current_page": 1})


def day(date: str, token: str) -> dict[str, Any]:
    of_key = {"metrics": SUMS, "metadata": {"key_alias": "virtkey-abc", "team_id": None, "user_id": "ann"}}
    breakdown = {"api_keys": {token: of_key}, "model_groups": {"granite": {"metrics": SUMS, "metadata": {}, "api_key_breakdown": {token: of_key}}}}
    return {"date": date, "metrics": SUMS, "breakdown": breakdown}


def get(path: str, reply: Reply, query: Any = ANYTHING) -> Exchange:
    return Exchange("GET", path, query=query, reply=reply)


ADMIN = get("/key/list", keys(), {"user_id": "rhpds-litellm-virtual-keys-admin-check", "size": "1"})


def run(module: str, gateway: ScriptedGateway, **arguments: Any) -> dict[str, Any]:
    return run_module(module, {"url": gateway.url, "api_key": "sk-admin", "retries": 0, **arguments})


def test_a_long_range_with_much_use_is_read_in_parts() -> None:
    span = {"since": "2026-01-01", "until": "2026-01-10"}
    parts = [("2026-01-01", "2026-01-04"), ("2026-01-05", "2026-01-08"), ("2026-01-09", "2026-01-10")]
    with ScriptedGateway(
        ADMIN,
        get(
            "/user/daily/activity",
            Reply(json={**NOTHING, "metadata": {"total_pages": 12_000}}),
            {"start_date": "2026-01-01", "end_date": "2026-01-10", "page_size": "1"},
        ),
        *(get(AGGREGATED, Reply(json={"results": [day(first, "t1")]}), {"start_date": first, "end_date": last}) for first, last in parts),
        get("/key/list", Reply(json={"keys": ["t1"], "total_count": 1, "total_pages": 1}), {"size": "1"}),
        get("/key/list", keys()),
        get("/key/list", keys(), {"size": "1", "status": "deleted"}),
    ) as gateway:
        result = run("usage_info", gateway, **span, by=["lab", "owner"])
    assert result["usage"]["lab"] == [
        {"lab": "virtkey-abc", "requests": 6, "requests_ok": 6, "requests_failed": 0, "tokens_in": 9, "tokens_out": 12, "cost": 1.5},
    ]
    assert [row["owner"] for row in result["usage"]["owner"]] == ["ann"]


@pytest.mark.parametrize(
    ("reply", "code", "message"),
    [
        (Reply(status=404, json={"detail": "Not Found"}), "not_found", "does not add usage up by day"),
        (Reply(status=500, json={"detail": {"error": "DB not connected. See https://docs"}}), "no_database", "usage is kept in the gateway's database"),
        (Reply(json=["what"]), "not_litellm", "is not daily totals"),
        (Reply(json={"metadata": {}}), "not_litellm", "is not daily totals"),
        (Reply(status=403, json={"error": {"message": "You must be a LiteLLM Enterprise user"}}), "enterprise_only", "enterprise licence"),
    ],
)
def test_failures(reply: Reply, code: str, message: str) -> None:
    with ScriptedGateway(ADMIN, get("/user/daily/activity", reply)) as gateway:
        result = run("usage_info", gateway)
    assert result["failed"] and result["code"] == code and message in result["msg"]


def test_daily_totals_of_another_shape() -> None:
    with ScriptedGateway(
        ADMIN,
        get("/user/daily/activity", Reply(json={"metadata": {"total_pages": 1}})),
        get(AGGREGATED, Reply(json={"results": [{"date": "2026-01-01"}]})),
    ) as gateway:
        result = run("usage_info", gateway)
    assert result["code"] == "not_litellm" and "another shape" in result["msg"]


def test_bad_input_asks_nothing() -> None:
    with ScriptedGateway() as gateway:
        assert run("usage_info", gateway, by=["colour"])["code"] == "bad_input"
        assert run("usage_info", gateway, alias="")["code"] == "bad_input"


def test_a_receipt_that_cannot_be_written_is_returned(tmp_path: Path) -> None:
    row = {"token": "t1", "key_alias": "virtkey-abc-user1", "spend": 0.25, "budget_duration": "30d", "metadata": {"guid": "abc"}}
    with ScriptedGateway(get("/key/list", keys(row)), get("/key/list", keys())) as gateway:
        result = run("spend_receipt", gateway, guid="abc", dest=str(tmp_path / "none" / "x.json"))
    assert result["failed"] and result["code"] == "not_written" and result["calls"] == 2
    assert result["receipt"]["total"] == {"cost": 0.25}
    assert any("set back from time to time" in remark for remark in result["receipt"]["remarks"])
