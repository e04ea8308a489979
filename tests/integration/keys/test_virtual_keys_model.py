# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The model of LiteLLM in the unit tests answers like the real LiteLLM: both get the same requests."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import MOCK_MODELS, ON_THE_PINNED_RELEASE, Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.live import token
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import MASTER_KEY, LitellmModel

pytestmark = ON_THE_PINNED_RELEASE

Ask = Callable[..., tuple[int, Any]]
SHOWN = ("token", "key_alias", "models", "max_budget", "rpm_limit", "user_id", "team_id", "blocked", "metadata", "spend")


class Conversation:
    """A fixed series of calls to a gateway, and its answers, without the fields that may differ between two gateways."""

    def __init__(self, name: str, ask: Ask, sleep: Callable[[float], None], now: Callable[[], datetime]) -> None:
        self.name, self.alias = name, f"{name}-a"
        self.ask, self.sleep, self.now = ask, sleep, now
        self.one, self.two, self.three = (f"sk-{name}-{number:030d}" for number in range(3))
        self.answers: list[Any] = []

    def hold(self) -> list[Any]:
        """Make all calls and return the answers."""
        self.create_keys()
        self.use_keys()
        self.search_keys()
        self.update_keys()
        self.delete_keys()
        self.ask_for_what_does_not_exist()
        return self.answers

    def post(self, path: str, **body: Any) -> None:
        status, answer = self.ask("POST", f"/key/{path}", body=body)
        self.answers.append((path, sorted(body), status, "already exists" in str(answer)))

    def list_keys(self, **query: str) -> None:
        status, answer = self.ask("GET", "/key/list", query={"return_full_object": "true", "sort_by": "token", "sort_order": "asc", **query})
        rows = [
            {
                **{column: row[column] for column in SHOWN},
                "deleted": bool(row.get("deleted_at")),
                "soft_budget": (row.get("litellm_budget_table") or {}).get("soft_budget"),
                "lives": row["expires"] and round((datetime.fromisoformat(row["expires"]) - self.now()) / timedelta(seconds=20)),
            }
            for row in (answer["keys"] if status == 200 else [])
        ]
        rows.sort(key=lambda row: (row["token"], row["key_alias"]))  # a value that was deleted twice is listed twice
        self.answers.append((sorted(query), status, rows, *(answer[count] for count in ("total_count", "total_pages") if status == 200)))

    def list_all(self, **query: str) -> None:
        self.list_keys(key_alias=self.name, substring_matching="true", **query)

    def use(self, value: str, path: str = "/models") -> None:
        status, answer = self.ask("GET", path, key=value)
        refusal = (answer["error"]["type"], token(value) in answer["error"]["message"]) if status == 401 else None
        self.answers.append((path, status, refusal))

    def create_keys(self) -> None:
        other_alias = f"{self.name}-b"
        first = {"models": [MOCK_MODELS[0]], "duration": "1h", "soft_budget": 2.0, "max_budget": 0.0, "metadata": {"a": 1, "b": 2}, "user_id": "u"}
        self.post("generate", key=self.one, key_alias=self.alias, **first)
        self.list_all()
        self.post("generate", key=self.one, key_alias=other_alias, max_budget=9.0)  # the same value again: 200, and nothing happens
        self.post("generate", key=self.two, key_alias=self.alias)
        self.list_all()
        for duration in ("1y", "30D", "90", "", "-1"):
            self.post("generate", key=self.two, key_alias=other_alias, duration=duration)
            self.answers.append(duration)
        self.post("generate", key="short", key_alias=other_alias)
        self.post("generate", key="a-value-that-does-not-begin-so", key_alias=other_alias)
        self.post("generate", key=self.two, key_alias=other_alias, duration="1h30m", blocked=True, rpm_limit=0)
        self.post("generate", key=self.three, key_alias=f"{self.name}-a-c", duration="1s", spend=1.5, team_id="no-such-team")
        self.list_all()

    def use_keys(self) -> None:
        """Use the keys after 1.5 s, when the third one has expired."""
        self.sleep(1.5)
        for value in (self.one, self.two, self.three, f"sk-unknown-{self.name}-0000", MASTER_KEY):
            self.use(value)
        self.use(self.one, "/key/list")

    def search_keys(self) -> None:
        for query in ({"expires": "active"}, {"expires": "expired"}, {"size": "2", "page": "2"}, {"size": "2", "page": "9"}, {"size": "101"}, {"user_id": "u"}):
            self.list_all(**query)
        self.list_keys(key_alias=self.name)
        self.list_keys(key_alias=self.alias)
        self.list_keys(key_alias=self.alias.upper(), substring_matching="true")
        self.list_keys(key_hash=token(self.two))
        for text in (self.name, self.alias.upper(), token(self.two), f"{self.name}_a", f"{self.name}-nothing"):
            self.list_keys(search=text)

    def update_keys(self) -> None:
        first = token(self.one)
        self.post("update", key=first, duration="2h", metadata={"c": 3}, max_budget=None, soft_budget=None, user_id=None, blocked=True)
        self.list_keys(key_alias=self.alias)
        self.post("update", key=first, duration="-1", blocked=False, models=[])
        self.post("update", key=first, duration="soon")
        self.post("update", key=first, key_alias=f"{self.name}-b")
        self.post("update", key=first, key_alias=f"{self.name}-d", rpm_limit=3)
        self.post("update", key=token("sk-unknown"), rpm_limit=3)
        self.list_all()

    def delete_keys(self) -> None:
        self.post("delete", keys=[token(self.one), token("sk-unknown")])
        self.post("delete", keys=[token(self.one)])
        self.use(self.one)
        self.post("delete", keys=[token(self.two), token(self.three)])
        self.list_all()
        self.list_deleted_keys()

    def list_deleted_keys(self) -> None:
        """List the deleted keys by alias, by a part of it and by token, those of a value that is deleted a second time as well."""
        self.post("generate", key=self.one, key_alias=f"{self.name}-again", metadata={"d": 4})
        self.post("delete", keys=[token(self.one)])
        for query in ({"search": self.name}, {"key_alias": f"{self.name}-d"}, {"key_hash": token(self.one)}):
            self.list_keys(status="deleted", **query)
        self.list_all(status="deleted")
        self.list_keys(status="missing")

    def ask_for_what_does_not_exist(self) -> None:
        self.answers.append(self.ask("GET", "/team/info", query={"team_id": "no-such-team"})[0])
        self.answers.append(self.ask("GET", "/nowhere")[0])


def test_model_and_litellm_answer_alike(gateway: Gateway, unique: str) -> None:
    model = LitellmModel(models=MOCK_MODELS)

    def ask_model(method: str, path: str, query: Any = None, body: Any = None, key: str = "") -> tuple[int, Any]:
        return model.handle(method, path, query or {}, body, key or MASTER_KEY)

    def ask_litellm(method: str, path: str, query: Any = None, body: Any = None, key: str = "") -> tuple[int, Any]:
        bearer = gateway.master_key if key in ("", MASTER_KEY) else key
        answer = requests.request(method, gateway.url + path, params=query, json=body, headers={"Authorization": f"Bearer {bearer}"}, timeout=30)
        return answer.status_code, answer.json()

    real = Conversation(unique, ask_litellm, time.sleep, lambda: datetime.now(UTC)).hold()
    modelled = Conversation(unique, ask_model, model.pass_time, lambda: model.now).hold()
    for number, (one, other) in enumerate(zip(modelled, real, strict=True)):
        assert one == other, f"answer {number}"


def test_a_team_and_a_user(gateway: Gateway, unique: str) -> None:
    model = LitellmModel(teams={unique: ()}, users={"sk-users-key": unique})
    gateway.post("/team/new", team_id=unique)
    gateway.post("/user/new", user_id=unique, user_role="internal_user", auto_create_key=False)
    try:
        users_key = gateway.post("/key/generate", user_id=unique)["key"]
        model.rows["t"] = {"key_alias": None, "token": "t", "user_id": unique, "team_id": None, "expires": None, "created_at": None, "budget_id": None}
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
