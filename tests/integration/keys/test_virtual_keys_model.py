# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The model of LiteLLM that the unit tests use answers as the real LiteLLM does: one conversation, held with both."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import MOCK_MODELS, Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.live import token
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import MASTER_KEY, LitellmModel

Ask = Callable[..., tuple[int, Any]]
SHOWN = ("key_alias", "models", "max_budget", "rpm_limit", "user_id", "team_id", "blocked", "metadata", "spend")


def conversation(name: str, ask: Ask, sleep: Callable[[float], None], now: Callable[[], datetime]) -> list[Any]:
    """What came back, without what may differ."""
    one, two, three = (f"sk-{name}-{number:030d}" for number in range(3))
    heard: list[Any] = []

    def post(path: str, **body: Any) -> None:
        status, answer = ask("POST", f"/key/{path}", body=body)
        heard.append((path, sorted(body), status, "already exists" in str(answer)))

    def listed(**query: str) -> None:
        status, answer = ask("GET", "/key/list", query={"return_full_object": "true", "sort_by": "token", "sort_order": "asc", **query})
        rows = [
            {
                **{column: row[column] for column in SHOWN},
                "soft_budget": (row["litellm_budget_table"] or {}).get("soft_budget"),
                "lives": row["expires"] and round((datetime.fromisoformat(row["expires"]) - now()) / timedelta(seconds=20)),
            }
            for row in (answer["keys"] if status == 200 else [])
        ]
        heard.append((sorted(query), status, rows, *(answer[count] for count in ("total_count", "total_pages") if status == 200)))

    def seen(value: str, path: str = "/models") -> None:
        heard.append((path, ask("GET", path, key=value)[0]))

    mine = {"key_alias": name, "substring_matching": "true"}
    alias = f"{name}-a"
    post("generate", key=one, key_alias=alias, models=[MOCK_MODELS[0]], duration="1h", soft_budget=2.0, max_budget=0.0, metadata={"a": 1, "b": 2}, user_id="u")
    listed(**mine)
    post("generate", key=one, key_alias=f"{name}-b", max_budget=9.0)  # the same value again: 200, and nothing happens
    post("generate", key=two, key_alias=alias)
    listed(**mine)
    for duration in ("1y", "30D", "90", "", "-1"):
        post("generate", key=two, key_alias=f"{name}-b", duration=duration)
        heard.append(duration)
    post("generate", key="short", key_alias=f"{name}-b")
    post("generate", key="a-value-that-does-not-begin-so", key_alias=f"{name}-b")
    post("generate", key=two, key_alias=f"{name}-b", duration="1h30m", blocked=True, rpm_limit=0)
    post("generate", key=three, key_alias=f"{name}-a-c", duration="1s", spend=1.5, team_id="no-such-team")
    listed(**mine)
    sleep(1.5)
    for value in (one, two, three, f"sk-unknown-{name}-0000", MASTER_KEY):
        seen(value)
    seen(one, "/key/list")
    for query in ({"expires": "active"}, {"expires": "expired"}, {"size": "2", "page": "2"}, {"size": "2", "page": "9"}, {"size": "101"}, {"user_id": "u"}):
        listed(**mine, **query)
    listed(key_alias=name)
    listed(key_alias=alias)
    listed(key_alias=alias.upper(), substring_matching="true")
    listed(key_hash=token(two))
    post("update", key=token(one), duration="2h", metadata={"c": 3}, max_budget=None, soft_budget=None, user_id=None, blocked=True)
    listed(key_alias=alias)
    post("update", key=token(one), duration="-1", blocked=False, models=[])
    post("update", key=token(one), duration="soon")
    post("update", key=token(one), key_alias=f"{name}-b")
    post("update", key=token(one), key_alias=f"{name}-d", rpm_limit=3)
    post("update", key=token("sk-unknown"), rpm_limit=3)
    listed(**mine)
    post("delete", keys=[token(one), token("sk-unknown")])
    post("delete", keys=[token(one)])
    seen(one)
    post("delete", keys=[token(two), token(three)])
    listed(**mine)
    heard.append(ask("GET", "/team/info", query={"team_id": "no-such-team"})[0])
    heard.append(ask("GET", "/nowhere")[0])
    return heard


def test_model_and_litellm_answer_alike(gateway: Gateway, unique: str) -> None:
    model = LitellmModel(models=MOCK_MODELS)

    def ask_model(method: str, path: str, query: Any = None, body: Any = None, key: str = "") -> tuple[int, Any]:
        return model.handle(method, path, query or {}, body, key or MASTER_KEY)

    def ask_litellm(method: str, path: str, query: Any = None, body: Any = None, key: str = "") -> tuple[int, Any]:
        bearer = gateway.master_key if key in ("", MASTER_KEY) else key
        answer = requests.request(method, gateway.url + path, params=query, json=body, headers={"Authorization": f"Bearer {bearer}"}, timeout=30)
        return answer.status_code, answer.json()

    real = conversation(unique, ask_litellm, time.sleep, lambda: datetime.now(UTC))
    modelled = conversation(unique, ask_model, model.pass_time, lambda: model.now)
    for number, (one, other) in enumerate(zip(modelled, real, strict=True)):
        assert one == other, f"answer {number}"


def test_a_team_and_a_user(gateway: Gateway, unique: str) -> None:
    model = LitellmModel(teams=(unique,), users={"sk-users-key": unique})
    gateway.post("/team/new", team_id=unique)
    gateway.post("/user/new", user_id=unique, user_role="internal_user", auto_create_key=False)
    try:
        users_key = gateway.post("/key/generate", user_id=unique)["key"]
        model.rows["t"] = {"key_alias": None, "token": "t", "user_id": unique, "team_id": None, "expires": None, "created_at": None, "soft_budget": None}
        assert gateway.request("GET", "/team/info", params={"team_id": unique}).status_code == 200
        assert model.handle("GET", "/team/info", {"team_id": unique}, None)[0] == 200
        for query in ({}, {"user_id": "somebody-else"}, {"user_id": unique}):
            real = requests.get(f"{gateway.url}/key/list", params=query, headers={"Authorization": f"Bearer {users_key}"}, timeout=30)
            status, answer = model.handle("GET", "/key/list", query, None, "sk-users-key")
            assert (real.status_code, len(real.json().get("keys", []))) == (status, len(answer.get("keys", []))), query
    finally:
        gateway.post("/user/delete", user_ids=[unique])
        gateway.post("/team/delete", team_ids=[unique])


@pytest.fixture(autouse=True)
def _clean(gateway: Gateway, unique: str) -> Any:
    yield
    rows = gateway.keys(unique)
    if rows:
        gateway.post("/key/delete", keys=[row["token"] for row in rows])
