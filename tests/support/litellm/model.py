# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""LiteLLM's table of keys in memory, with the behaviour measured on LiteLLM 1.102.4 and PostgreSQL.

It complements the real gateway of the integration tests where that one is too slow or cannot be made to misbehave:
thousands of random histories, the searches of other releases, workers that remember a deleted key, lost calls.
tests/integration/keys/test_virtual_keys_model.py compares its answers with those of the real gateway.
"""

from __future__ import annotations

import hashlib
import random
import re
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

MASTER_KEY = "sk-master-of-the-model-0123456789"
START = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
MODELS = ("granite", "mistral", "llama")

_DURATION = re.compile(r"(\d+)(mo|[smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "mo": 30 * 86_400}
_DEFAULTS: dict[str, Any] = {
    "models": [],
    "max_budget": None,
    "budget_duration": None,
    "rpm_limit": None,
    "tpm_limit": None,
    "max_parallel_requests": None,
    "model_max_budget": {},
    "allowed_routes": [],
    "user_id": None,
    "team_id": None,
    "blocked": None,
    "spend": 0.0,
}


def error(message: str, kind: str = "bad_request_error") -> dict[str, Any]:
    """Return a body in the form of most refusals by LiteLLM."""
    return {"error": {"message": message, "type": kind, "param": None, "code": "400"}}


def contains(alias: str, part: str) -> bool:
    """Return whether LiteLLM finds `part` in `alias`: without regard to case, and `_` and `%` stand for other characters as in SQL."""
    pattern = re.escape(part).replace("_", ".").replace("%", ".*")
    return re.search(pattern, alias, re.IGNORECASE | re.DOTALL) is not None


@dataclass
class LitellmModel:
    """A LiteLLM without HTTP.

    `search` is how `/key/list` finds a part of an alias, release by release: "search" with the parameter of that name or with
    `substring_matching` (from 1.101 on), "optional" with `substring_matching` only, "always" whatever is asked, "exact" not at
    all (up to 1.83.0). `history`: deleted keys are listed on request. `budgets` is what the gateway does with budgets, release by
    release: "all" (from 1.102 on), "no tiers" if it neither lists nor changes tiers (from 1.90 on), "none" if it also ignores that a
    period of a budget is taken off. `tiers` are the budget tiers by id. `ignores` are parameters of `/key/list` that it does not
    know. `tick` is the time in milliseconds that making or deleting a key takes. `memory` is the time in seconds for which workers remember a
    deleted key: all that a call can meet, or if `workers` is above 1, one of so many, over which calls spread at random. `fills`
    are the limits that the gateway's `default_key_generate_params` set where a call names none. `models` may hold wildcards, and
    `groups` maps a model access group to its models; `teams` maps a team to its list of models. `users` maps the keys of users
    who are not admins to their ids; they see and create only their own keys.
    """

    search: str = "search"
    history: bool = True
    budgets: str = "all"
    tiers: dict[str, dict[str, Any]] = field(default_factory=dict)
    ignores: Collection[str] = ()
    memory: float = 0.0
    workers: int = 1
    luck: random.Random = field(default_factory=lambda: random.Random(1))
    models: Sequence[str] = MODELS
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    teams: Mapping[str, Sequence[str]] = field(default_factory=dict)
    users: Mapping[str, str] = field(default_factory=dict)
    fills: Mapping[str, Any] = field(default_factory=dict)
    now: datetime = START
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    deleted: list[dict[str, Any]] = field(default_factory=list)
    writes: int = 0
    made: int = 0
    tick: int = 1
    remembered: dict[str, datetime] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def now_in_seconds(self) -> float:
        """Return the time as a clock for a client."""
        return self.now.timestamp()

    def works(self, value: str) -> bool:
        """Return whether the gateway accepts this value now, even if its budget is spent."""
        return self.handle("GET", "/models", {}, None, value)[0] in (200, 429)

    def with_alias(self, alias: str) -> list[dict[str, Any]]:
        return [row for row in self.rows.values() if row["key_alias"] == alias]

    def handle(self, method: str, path: str, query: Mapping[str, str], body: Mapping[str, Any] | None, key: str = MASTER_KEY) -> tuple[int, Any]:
        """Return the status and the JSON that answer a call."""
        with self.lock:
            refusal = self._refusal(key, path)
            if refusal:
                return refusal
            if (method, path) == ("GET", "/key/list"):
                if key in self.users and query.get("user_id", self.users[key]) != self.users[key]:
                    return 403, error("You are not authorized to check another user's keys")
                return self._list({**query, "user_id": self.users[key]} if key in self.users else query)
            if (method, path) == ("GET", "/models"):
                return self._models(query)
            if (method, path) == ("GET", "/key/info"):
                found = self.rows.get(query["key"])
                return (200, {"key": query["key"], "info": {"budget_id": found["budget_id"]}}) if found else (404, error("Key not found in database"))
            if (method, path) == ("GET", "/team/info"):
                team = {"team_id": query["team_id"], "models": list(self.teams.get(query["team_id"], ()))}
                return (200, {"team_id": query["team_id"], "team_info": team}) if query["team_id"] in self.teams else (404, error("Team not found"))
            write = {"/key/generate": self._generate, "/key/update": self._update, "/key/delete": self._delete}.get(path)
            if method == "POST" and write and body is not None:
                self.writes += 1
                return write(body)
            return 404, {"detail": "Not Found"}

    def _refusal(self, key: str, path: str) -> tuple[int, Any] | None:
        if key == MASTER_KEY or key in self.users:
            return None
        token = hashlib.sha256(key.encode()).hexdigest()
        row = self.rows.get(token)
        if row is None and self.remembered.get(token, START) > self.now and self.luck.randrange(self.workers) == 0:
            row = {"blocked": None, "expires": None}
        if row is None:
            received = f"Received API Key = sk-...{key[-4:]}, Key Hash (Token) ={token}. Unable to find token in cache or `LiteLLM_VerificationTokenTable`"
            return 401, error(f"Authentication Error, Invalid proxy server token passed. {received}", "token_not_found_in_db")
        if row["blocked"]:
            return 401, error("Authentication Error, Key is blocked. Update via `/key/unblock` if you're an admin.", "auth_error")
        if row["expires"] and row["expires"] <= self.now:
            return 401, error(f"Authentication Error - Expired Key. Key Expiry time {row['expires']} and current time {self.now}", "expired_key")
        if path != "/models":
            return 403, error("You are not authorized to access this endpoint. No 'user_id' is associated")
        if row.get("max_budget") is not None and row["spend"] >= row["max_budget"]:
            return 429, error("Budget has been exceeded!", "budget_exceeded")
        return None

    def _models(self, query: Mapping[str, str]) -> tuple[int, Any]:
        """Return the models of the gateway, or those that a team may use. Unlike LiteLLM, a wildcard stands for no known models."""
        if query.get("team_id") and query["team_id"] not in self.teams:
            return 404, error("Team not found")
        own = self.teams.get(query.get("team_id", ""), ())
        everything = not own or bool({"all-proxy-models", "all-team-models"} & set(own))
        with_groups = query.get("include_model_access_groups") == "true"
        names = [*own, *(member for name in own for member in self.groups.get(name, ()))]
        names += [*self.models, *(self.groups if with_groups else ())] if everything else []
        shown = [
            name
            for name in dict.fromkeys(names)
            if (with_groups or name not in self.groups) and ("*" not in name or query.get("return_wildcard_routes") == "true")
        ]
        return 200, {"data": [{"id": name} for name in shown], "object": "list"}

    def _expiry(self, duration: Any) -> datetime | None:
        """Return the end of a duration that begins now. Only the first number and unit count: `1h30m` is an hour."""
        match = _DURATION.match(str(duration))
        if match is None:
            raise ValueError(f"Unable to parse time {duration}")
        return self.now + timedelta(seconds=int(match[1]) * _SECONDS[match[2]])

    def _taken(self, alias: Any, by_another_than: str = "") -> tuple[int, Any] | None:
        if alias is not None and any(row["token"] != by_another_than for row in self.with_alias(alias)):
            message = f"Key with alias '{alias}' already exists. Unique key aliases across all keys are required."
            return 400, error(message)
        return None

    def _generate(self, body: Mapping[str, Any]) -> tuple[int, Any]:
        value = body["key"]
        if not value.startswith("sk-") or len(value) < 16:
            return 400, error("Invalid key format")
        refusal = self._taken(body.get("key_alias"))
        if refusal:
            return refusal
        try:
            expires = self._expiry(body["duration"]) if body.get("duration") is not None else None
        except ValueError as problem:
            return 500, error(str(problem), "internal_server_error")
        token = hashlib.sha256(value.encode()).hexdigest()
        row = {
            **_DEFAULTS,
            **self.fills,
            **{name: body[name] for name in _DEFAULTS if name in body},
            "token": token,
            "key_alias": body.get("key_alias"),
            "created_by": "default_user_id",
            "metadata": dict(body.get("metadata") or {}),
            "budget_id": self._tier_with(body.get("soft_budget")),
            "expires": expires,
            "created_at": self.now + timedelta(milliseconds=self.made),
            "settings_updated_at": None,
        }
        self.made += self.tick
        self.rows.setdefault(token, row)  # the same value again answers 200 and changes nothing
        return 200, {"key": value, "token": token, "key_alias": body.get("key_alias"), "expires": None}

    def _update(self, body: Mapping[str, Any]) -> tuple[int, Any]:
        row = self.rows.get(body["key"])
        if row is None:
            return 404, error("Key not found.", "not_found_error")
        refusal = self._taken(body.get("key_alias"), row["token"])
        if refusal:
            return refusal
        changed = {name: body[name] for name in (*_DEFAULTS, "key_alias", "metadata", "budget_id") if name in body}
        if self.budgets == "none" and body.get("budget_duration", "") is None:
            del changed["budget_duration"]
        if self.budgets == "all" and "soft_budget" in body and row["budget_id"]:
            self.tiers[row["budget_id"]]["soft_budget"] = body["soft_budget"]
        elif self.budgets == "all" and "soft_budget" in body:
            changed["budget_id"] = self._tier_with(body["soft_budget"])
        if "duration" in body:
            endless = body["duration"] in (None, "-1")
            try:
                changed["expires"] = None if endless else self._expiry(body["duration"])
            except ValueError as problem:
                return 400, error(str(problem))
        row.update(changed, settings_updated_at=self.now)
        return 200, {"key": body["key"]}

    def _tier_with(self, soft_budget: float | None) -> str | None:
        """Return the id of a new tier with a soft budget; None without one."""
        if soft_budget is None:
            return None
        self.tiers[f"tier-{len(self.tiers)}"] = {"soft_budget": soft_budget}
        return f"tier-{len(self.tiers) - 1}"

    def _delete(self, body: Mapping[str, Any]) -> tuple[int, Any]:
        found = [token for token in body["keys"] if token in self.rows]
        if not found:
            return 404, error("{'error': 'No keys found'}", "internal_server_error")
        for token in found:
            self.deleted.append({**self.rows.pop(token), "deleted_at": self.now + timedelta(milliseconds=self.made)})
            self.remembered[token] = self.now + timedelta(seconds=self.memory)
        self.made += self.tick
        return 200, {"deleted_keys": body["keys"]}

    def _list(self, query: Mapping[str, str]) -> tuple[int, Any]:
        query = {name: value for name, value in query.items() if name not in self.ignores}
        size, page = int(query.get("size", 10)), int(query.get("page", 1))
        if not 1 <= size <= 100:
            return 422, {"detail": [{"loc": ["query", "size"], "msg": "Input should be less than or equal to 100"}]}
        if self.history and query.get("status", "deleted") != "deleted":
            return 400, error("Invalid status value. Currently only 'deleted' is supported.")
        listed = self.deleted if self.history and "status" in query else list(self.rows.values())
        rows = sorted((row for row in listed if self._listed(row, query)), key=self._order(query))
        shown = [self._shown(row) for row in rows[(page - 1) * size : page * size]]
        if query.get("return_full_object") != "true":
            shown = [row["token"] for row in shown]
        pages = -(-len(rows) // size)
        return 200, {"keys": shown, "total_count": len(rows), "current_page": page, "total_pages": pages}

    @staticmethod
    def _order(query: Mapping[str, str]) -> Callable[[Mapping[str, Any]], Any]:
        """Return the order of a list, the newest first unless the caller chooses. PostgreSQL puts keys of one moment in any order, page by page."""
        if query.get("sort_by") == "token":
            return lambda row: row["token"]
        if query.get("sort_by") == "created_at":
            return lambda row: (row["created_at"], hash((row["token"], query.get("page"))))
        return lambda row: (-(row["created_at"] or START).timestamp(), row["token"])

    def _listed(self, row: Mapping[str, Any], query: Mapping[str, str]) -> bool:
        alias, wanted = row["key_alias"] or "", query.get("key_alias")
        if wanted:
            part = self.search == "always" or (self.search in ("search", "optional") and query.get("substring_matching") == "true")
            if not contains(alias, wanted) if part else wanted != alias:
                return False
        text = query.get("search", "") if self.search == "search" else ""
        if text and not contains(alias, text) and text != row["token"]:
            return False
        if "expires" in query and self.search in ("search", "optional"):
            expired = row["expires"] is not None and row["expires"] <= self.now
            if expired != (query["expires"] == "expired"):
                return False
        asked = {"token": query.get("key_hash"), "team_id": query.get("team_id"), "user_id": query.get("user_id")}
        return all(value is None or row[name] == value for name, value in asked.items())

    def _shown(self, row: Mapping[str, Any]) -> dict[str, Any]:
        shown = {name: value for name, value in row.items() if name != "budget_id" or self.budgets != "none"}
        for name in ("expires", "created_at", "settings_updated_at", "deleted_at"):
            if name in row:
                shown[name] = row[name].isoformat() if row[name] else None
        listed = self.budgets == "all" and not row.get("deleted_at")
        shown["litellm_budget_table"] = self.tiers.get(row["budget_id"]) if listed else None
        shown["soft_budget"] = None
        return shown
