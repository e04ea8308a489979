# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Every option of virtual_key and virtual_keys: create, modify, remove and delete, each in check mode, for real and once more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import MODEL_REFUSED, RELEASE, Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.live import GRANITE, LLAMA, MISTRAL, Live

TEAM = "team-of-the-option-tests"


def column(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda row: row[name]


def noted(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda row: row["metadata"].get(name)


@dataclass(frozen=True)
class Option:
    """A series of values for one option, the content of LiteLLM's row for each, and other options that it requires."""

    name: str
    values: list[Any]
    shown: list[Any]
    read: Callable[[dict[str, Any]], Any] = field(default=lambda row: None)
    beside: dict[str, Any] = field(default_factory=dict)

    def step(self, number: int) -> tuple[Any, Any]:
        """Return a value of the series, or its last one, and the content of the row."""
        number = min(number, len(self.values) - 1)
        return self.values[number], self.shown[number]


OPTIONS = [
    Option("models", [[GRANITE], [MISTRAL, GRANITE], ["all-proxy-models"]], [[GRANITE], [MISTRAL, GRANITE], ["all-proxy-models"]], column("models")),
    Option("max_budget", [5, 0, 7.5, -1], [5.0, 0.0, 7.5, None], column("max_budget")),
    Option("soft_budget", [3, 4.5, -1], [3.0, 4.5, None], lambda row: (row["litellm_budget_table"] or {}).get("soft_budget")),
    Option("budget_duration", ["30d", "7d", "never"], ["30d", "7d", None], column("budget_duration"), {"max_budget": 5}),
    Option("rpm_limit", [0, 10, -1], [0, 10, None], column("rpm_limit")),
    Option("tpm_limit", [1000, 2**40, -1], [1000, 2**40, None], column("tpm_limit")),
    Option("max_parallel_requests", [2, 2**31 - 1, -1], [2, 2**31 - 1, None], column("max_parallel_requests")),
    Option(
        "allowed_routes",
        [["llm_api_routes"], ["llm_api_routes", "info_routes"], []],
        [["llm_api_routes"], ["llm_api_routes", "info_routes"], []],
        column("allowed_routes"),
    ),
    Option("tags", [["course"], ["course", "2026"], []], [["course"], ["course", "2026"], None], noted("tags")),
    Option("metadata", [{"owner": "a@b.example"}, {"owner": "ä \"'{{ x }}\n"}, {"owner": None}], ["a@b.example", "ä \"'{{ x }}\n", None], noted("owner")),
    Option("user_id", ["ada@lab.example", "bob", ""], ["ada@lab.example", "bob", None], column("user_id")),
    Option("team_id", [TEAM, ""], [TEAM, None], column("team_id")),
    Option("package", ["ai-beginner", "ai-developer"], ["ai-beginner", "ai-developer"], lambda row: row["metadata"]["litellm_virtual_keys"].get("package")),
]
if RELEASE:  # test_what_an_older_release_cannot_do_is_refused has the others
    BUDGET_DURATION = Option("budget_duration", ["30d", "7d"], ["30d", "7d"], column("budget_duration"), {"max_budget": 5})
    OPTIONS = [option for option in OPTIONS if option.name not in ("soft_budget", "budget_duration")] + [BUDGET_DURATION]


@pytest.fixture(scope="module", autouse=True)
def _team(gateway: Gateway) -> Iterator[None]:
    gateway.request("POST", "/team/new", json={"team_id": TEAM})
    yield
    gateway.request("POST", "/team/delete", json={"team_ids": [TEAM]})


@pytest.fixture(params=["virtual_key", "virtual_keys of all", "virtual_keys of one"])
def manage(request: pytest.FixtureRequest, live: Live) -> Callable[..., dict[str, Any]]:
    """One key, managed in each possible way."""

    def by_name(**options: Any) -> dict[str, Any]:
        return live.run_ok("virtual_key", alias=live.alias(), **options)

    def of_all(**options: Any) -> dict[str, Any]:
        keys: dict[str, Any] = {} if options.get("state") == "absent" else {"keys": [{}]}
        return live.run_ok("virtual_keys", guid=live.name, **keys, **options)

    def of_one(**options: Any) -> dict[str, Any]:
        task = {name: options.pop(name) for name in list(options) if name.startswith("_") or name == "state"}
        return live.run_ok("virtual_keys", guid=live.name, keys=[{**options}], **task)

    return {"virtual_key": by_name, "virtual_keys of all": of_all, "virtual_keys of one": of_one}[request.param]


def timeless(result: dict[str, Any]) -> dict[str, Any]:
    """Return the one key of a result, without its times."""
    key: dict[str, Any] = result["key"] if "key" in result else result["virtual_keys"][0]
    return {**key, "expires": None, "created_at": None}


ONE_BY_ONE = [("virtual_key", [option]) for option in OPTIONS]
ALL_AT_ONCE = [("virtual_keys of all", OPTIONS), ("virtual_keys of one", OPTIONS)]


@pytest.mark.parametrize(
    ("manage", "options"), [*ONE_BY_ONE, *ALL_AT_ONCE], indirect=["manage"], ids=[*(option.name for option in OPTIONS), *(way for way, _options in ALL_AT_ONCE)]
)
def test_create_modify_delete(live: Live, manage: Callable[..., dict[str, Any]], options: list[Option]) -> None:
    base = {"models": [GRANITE], "duration": "1d", **{name: value for option in options for name, value in option.beside.items()}}
    previous = None
    for number in range(max(len(option.values) for option in options)):
        given = {option.name: option.step(number)[0] for option in options}
        arguments = {**base, **given}
        before = live.rows
        predicted = manage(**arguments, _check=True, _diff=True)
        assert predicted["changed"] and live.rows == before
        real = manage(**arguments, _diff=True)
        assert real["changed"]
        assert predicted["diff"] == real["diff"] and real["diff"]["after"]
        assert timeless(predicted) == timeless(real)
        (row,) = live.rows.values()
        for option in options:
            assert option.read(row) == option.step(number)[1], option.name
        assert not manage(**arguments)["changed"]
        others = {name: value for name, value in base.items() if name not in given}
        assert not manage(**others)["changed"], "without the options, their values stay"
        assert previous is None or row["token"] == previous, "the value of the key stays"
        previous = row["token"]
    assert manage(state="absent", _check=True)["changed"] and live.rows
    assert manage(state="absent")["changed"] and not live.rows
    assert not manage(state="absent")["changed"]


@pytest.mark.skipif(not RELEASE, reason="the release that the role litellm_gateway pins can do all of this")
@pytest.mark.parametrize("check", [True, False])
def test_what_an_older_release_cannot_do_is_refused(live: Live, check: bool) -> None:
    live.lab("user1", max_budget=5, budget_duration="30d")
    before = live.rows
    for options, words in (
        ({"soft_budget": 3}, "soft_budget cannot be set on the key"),
        ({"soft_budget": 3, "keys": [{"user": "user2"}]}, f"soft_budget cannot be set on the key {live.alias('user2')}"),
        ({"budget_duration": "never"}, "budget_duration cannot be taken off the key"),
    ):
        arguments = {"guid": live.name, "keys": [{"user": "user1"}], "models": [GRANITE], **options}
        result = live("virtual_keys", **arguments, _check=check)
        assert result["failed"] and not result["changed"] and result["code"] == "unsupported_release", result["msg"]
        assert words in result["msg"] and "update LiteLLM to" in result["msg"]
        assert live.rows == before
    result = live("virtual_key", alias=live.alias("user3"), models=[GRANITE], soft_budget=3, _check=check)
    assert result["code"] == "unsupported_release" and live.rows == before


def test_duration_and_extension(live: Live, manage: Callable[..., dict[str, Any]]) -> None:
    def end() -> datetime | None:
        (row,) = live.rows.values()
        return datetime.fromisoformat(row["expires"]) if row["expires"] else None

    def near(time: datetime | None, expected: timedelta) -> bool:
        return time is not None and abs(time - datetime.now(UTC) - expected) < timedelta(seconds=30)

    manage(models=[GRANITE], duration="2h")
    first = end()
    assert near(first, timedelta(hours=2))
    for unchanged in ({"duration": "7d"}, {"duration": "1h"}, {"duration": "never"}, {"extend_for": "1h"}, {}):
        assert not manage(models=[GRANITE], **unchanged)["changed"], unchanged
    for longer in ({"extend_for": "3h"}, {"extend_until": (datetime.now(UTC) + timedelta(hours=5)).isoformat()}):
        assert manage(**longer, _check=True)["changed"]
        assert manage(**longer)["changed"]
        assert not manage(**longer)["changed"]
    assert near(end(), timedelta(hours=5))
    manage(state="absent")
    manage(models=[GRANITE], duration="never")
    assert end() is None and not manage(extend_for="1h")["changed"]
    manage(state="absent")
    manage(models=[GRANITE])
    assert end() is None


def test_the_error_names_the_feature_that_needs_an_enterprise_licence(live: Live) -> None:
    result = live("virtual_key", alias=live.alias(), models=[GRANITE], model_max_budget={GRANITE: {"budget_limit": 1, "time_period": "1d"}})
    assert result["code"] == "enterprise_only" and not result["changed"] and not live.rows
    assert result["msg"] == (
        "POST /key/generate needs LiteLLM's enterprise licence (to set model_max_budget); leave out what only that allows:"
        " instead of model_max_budget, make a key for each model, with a max_budget of its own."
    )


def test_each_user_may_differ(live: Live) -> None:
    keys = [{"user": "user1"}, {"user": "user2", "models": [MISTRAL], "max_budget": 2, "metadata": {"room": "2"}, "duration": "2d"}]
    arguments = {"guid": live.name, "keys": keys, "models": [GRANITE, LLAMA], "max_budget": 1, "duration": "1d", "metadata": {"owner": "o", "room": "1"}}
    live.run_ok("virtual_keys", **arguments)
    one, two = live.rows[live.alias("user1")], live.rows[live.alias("user2")]
    assert (one["models"], one["max_budget"], one["metadata"]["room"]) == ([GRANITE, LLAMA], 1.0, "1")
    assert (two["models"], two["max_budget"], two["metadata"]["room"], two["metadata"]["owner"]) == ([MISTRAL], 2.0, "2", "o")
    assert datetime.fromisoformat(two["expires"]) - datetime.fromisoformat(one["expires"]) > timedelta(hours=23)
    assert not live.run_ok("virtual_keys", **arguments)["changed"]


def test_the_value_calls_the_models_of_the_key_and_no_others(live: Live) -> None:
    (key,) = live.lab("user1")["virtual_keys"]
    assert live.gateway.chat(key["value"], GRANITE).status_code == 200
    refused = live.gateway.chat(key["value"], MISTRAL)
    assert refused.status_code == MODEL_REFUSED and "key_model_access_denied" in refused.text


def test_blocked(live: Live) -> None:
    values = [key["value"] for key in live.lab("user1", "user2")["virtual_keys"]]
    for arguments, works in (
        ({"guid": live.name, "blocked": True}, False),
        ({"guid": live.name, "blocked": False}, True),
        ({"guid": live.name, "keys": [{"user": "user1"}, {"user": "user2"}], "blocked": True}, False),
    ):
        assert live.run_ok("virtual_keys", **arguments, _check=True)["changed"]
        assert live.run_ok("virtual_keys", **arguments)["counts"]["updated"] == 2
        assert not live.run_ok("virtual_keys", **arguments)["changed"]
        assert [live.works(value) for value in values] == [works, works]
    assert not live.lab("user1", "user2")["changed"], "without the option `blocked`, the state stays"
