# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""A lab's life on the real gateway: states, rotation, extension, keys that others made, and two runs at once."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.module_process import ModuleProcess
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import RELEASE, Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.live import GRANITE, MISTRAL, SECRET, Live, token


def values(result: dict[str, Any]) -> dict[str, str]:
    return {key["user"]: key["value"] for key in result["virtual_keys"] if "value" in key}


def made_by_hand(live: Live, user: str, **body: Any) -> str:
    """Create a key as release 1.3.2 did, with LiteLLM's own value and the guid in its metadata; return its value."""
    answer = live.gateway.post("/key/generate", key_alias=live.alias(user), models=[GRANITE], metadata={"guid": live.name, "created_by": "rhpds"}, **body)
    return str(answer["key"])


# -------------------------------------------------------------------------------------------------------------- states
def test_present_exact_absent(live: Live) -> None:
    made = values(live.lab("user1", "user2", "user3"))
    assert all(live.works(value) for value in made.values())
    assert not live.lab("user1")["changed"] and len(live.rows) == 3
    fewer = live.lab("user1", state="exact")
    assert fewer["counts"]["deleted"] == 2 and sorted(fewer["revocation"]["proven"]) == [live.alias("user2"), live.alias("user3")]
    assert [live.works(made[user]) for user in ("user1", "user2", "user3")] == [True, False, False]
    back = values(live.lab("user1", "user2"))
    assert back["user1"] == made["user1"] and back["user2"] != made["user2"], "a user who comes back gets another value"
    assert live.works(back["user2"]) and not live.works(made["user2"])
    gone = live.run_ok("virtual_keys", guid=live.name, state="absent")
    assert gone["counts"]["deleted"] == 2 and not live.rows
    assert not live.run_ok("virtual_keys", guid=live.name, state="absent")["changed"]


def test_a_lab_that_is_named_like_a_user_of_another_lab(live: Live, gateway: Gateway) -> None:
    other = Live(gateway, f"{live.name}-user1")
    value = values(other.lab())[""]
    before = live.rows[live.alias("user1")]
    conflict = live("virtual_keys", guid=live.name, keys=[{"user": "user1"}, {"user": "user2"}], models=[GRANITE])
    assert conflict["code"] == "conflict" and not conflict["changed"] and f"{live.name}-user1" in conflict["msg"]
    live.lab("user2", "user3")
    live.lab("user2", state="exact")
    live.run_ok("virtual_keys", guid=live.name, keys=[{"user": "user1"}], state="absent")
    live.run_ok("virtual_keys", guid=live.name, state="absent")
    assert live.rows == {live.alias("user1"): before} and live.works(value)
    live.lab("user2")
    assert other.run_ok("virtual_keys", guid=other.name, state="absent")["counts"]["deleted"] == 1
    assert list(live.rows) == [live.alias("user2")]


def test_more_users_than_a_page_of_the_list_holds(live: Live) -> None:
    users = [f"user{number}" for number in range(1, 105)]
    made = values(live.lab(*users))
    assert list(made) == users and len(set(made.values())) == 104
    again = live.lab(*users)
    assert not again["changed"] and values(again) == made
    assert RELEASE or again["calls"] == 3, "two pages, and the values that were deleted"
    assert live.run_ok("virtual_keys", guid=live.name, state="absent")["counts"]["deleted"] == 104
    assert not live.rows


# ------------------------------------------------------------------------------------------------------------ rotation
def test_rotation_without_grace(live: Live) -> None:
    arguments = {"max_budget": 3, "metadata": {"owner": "o"}}
    old = values(live.lab("user1", "user2", **arguments))
    before = live.rows[live.alias("user1")]
    for check in (True, False):
        rotated = live.lab("user1", "user2", **arguments, rotation="a", _check=check)
        assert rotated["counts"]["rotated"] == 2
    new = values(rotated)
    assert new != old
    assert [live.works(value) for value in [*old.values(), *new.values()]] == [False, False, True, True]
    after = live.rows[live.alias("user1")]
    assert len(live.rows) == 2
    for name in ("models", "max_budget", "user_id", "spend"):
        assert after[name] == before[name]
    assert abs(datetime.fromisoformat(after["expires"]) - datetime.fromisoformat(before["expires"])) < timedelta(seconds=5)
    assert not live.lab("user1", "user2", **arguments, rotation="a")["changed"], "one label rotates once"
    assert values(live.lab("user1", "user2", **arguments)) == new, "later runs without a label return the current value"


def test_rotation_with_grace(live: Live) -> None:
    (old,) = values(live.lab("user1")).values()
    (new,) = values(live.lab("user1", rotation="a", rotation_grace="4s")).values()
    assert live.works(old) and live.works(new)
    assert len(live.rows) == 2
    time.sleep(4.5)
    assert not live.works(old) and live.works(new)
    tidied = live.lab("user1")
    assert tidied["counts"]["deleted"] == 1 and list(live.rows) == [live.alias("user1")]


def test_rotation_of_the_whole_lab_keeps_what_each_key_has(live: Live) -> None:
    live.lab("user1", max_budget=0)
    live.run_ok("virtual_keys", guid=live.name, keys=[{"user": "user2", "models": [MISTRAL], "rpm_limit": 7}])
    live.run_ok("virtual_keys", guid=live.name, rotation="a")
    one, two = live.rows[live.alias("user1")], live.rows[live.alias("user2")]
    assert (one["models"], one["max_budget"], one["rpm_limit"]) == ([GRANITE], 0.0, None)
    assert (two["models"], two["max_budget"], two["rpm_limit"]) == ([MISTRAL], None, 7)
    assert two["expires"] is None


def test_rotation_does_not_revive_a_key_that_has_ended(live: Live) -> None:
    live.lab("user1", duration="1s")
    time.sleep(1.2)
    rotated = live.run_ok("virtual_keys", guid=live.name, rotation="a")
    time.sleep(1.2)
    assert not live.works(rotated["virtual_keys"][0]["value"])
    assert live.lab("user1")["counts"]["updated"] == 1, "a new lifetime revives it"
    assert live.works(rotated["virtual_keys"][0]["value"])


# ----------------------------------------------------------------------------------------------------------- extension
def test_extension_of_all_moves_forward_and_never_back(live: Live) -> None:
    live.lab("user1", duration="1h")
    live.lab("user2", duration="9d")
    live.run_ok("virtual_keys", guid=live.name, keys=[{"user": "user3"}], models=[GRANITE], duration="never")
    before = {alias: row["expires"] for alias, row in live.rows.items()}
    for check in (True, False):
        assert live.run_ok("virtual_keys", guid=live.name, extend_for="7d", _check=check)["counts"]["updated"] == 1
    after = {alias: row["expires"] for alias, row in live.rows.items()}
    assert abs(datetime.fromisoformat(after[live.alias("user1")]) - datetime.now(UTC) - timedelta(days=7)) < timedelta(seconds=60)
    assert {alias: end for alias, end in after.items() if not alias.endswith("user1")} == {
        alias: end for alias, end in before.items() if not alias.endswith("user1")
    }
    assert not live.run_ok("virtual_keys", guid=live.name, extend_for="7d")["changed"]


def test_extension_needs_no_value(live: Live) -> None:
    value = made_by_hand(live, "user1", duration="1h")
    extended = live.run_ok("virtual_keys", guid=live.name, extend_for="7d")
    assert extended["counts"]["updated"] == 1 and extended["virtual_keys"][0]["recoverable"] is False
    assert live.works(value) and live.rows[live.alias("user1")]["token"] == token(value)


# -------------------------------------------------------------------------------------- values that cannot be derived
def test_another_secret(live: Live) -> None:
    old = values(live.lab("user1", "user2"))
    arguments = {
        "guid": live.name,
        "keys": [{"user": "user1"}, {"user": "user2"}, {"user": "user3"}],
        "models": [GRANITE],
        "secret": "another secret of a few letters",
    }
    refused = live("virtual_keys", **arguments)
    assert refused["code"] == "unrecoverable" and not refused["changed"] and len(live.rows) == 2
    kept = live.run_ok("virtual_keys", **arguments, on_unrecoverable="keep")
    assert [key["recoverable"] for key in kept["virtual_keys"]] == [False, False, True] and list(values(kept)) == ["user3"]
    assert all(live.works(value) for value in old.values())
    rotated = live.run_ok("virtual_keys", **arguments, on_unrecoverable="rotate")
    assert rotated["counts"]["rotated"] == 2
    assert not any(live.works(value) for value in old.values()) and all(live.works(value) for value in values(rotated).values())
    assert live("virtual_keys", **{**arguments, "secret": SECRET, "keys": [{"user": "user1"}]})["code"] == "unrecoverable"


@pytest.mark.parametrize("grace", ["0s", "1h"])
def test_keys_of_release_132_are_taken_over(live: Live, grace: str) -> None:
    old = {user: made_by_hand(live, user, duration="5d", max_budget=2) for user in ("user1", "user2")}
    assert live("virtual_keys", guid=live.name, keys=[{"user": "user1"}], models=[GRANITE])["code"] == "unrecoverable"
    taken = live.lab("user1", "user2", on_unrecoverable="rotate", rotation_grace=grace)
    assert taken["counts"]["rotated"] == 2 and all(live.works(value) for value in values(taken).values())
    assert [live.works(value) for value in old.values()] == [grace != "0s"] * 2
    row = live.rows[live.alias("user1")]
    assert row["max_budget"] == 2.0 and row["metadata"]["created_by"] == "rhpds"
    assert datetime.fromisoformat(row["expires"]) - datetime.now(UTC) > timedelta(days=4)
    gone = live.run_ok("virtual_keys", guid=live.name, state="absent")
    assert not live.rows and len(gone["revocation"]["proven"]) == 2
    assert not any(live.works(value) for value in old.values())


def test_keys_of_release_132_are_destroyed_without_being_taken_over(live: Live) -> None:
    old = [made_by_hand(live, user) for user in ("user1", "user2", "user11")]
    bystander = made_by_hand(live, "admin")
    gone = live.run_ok("virtual_keys", guid=live.name, state="absent")
    assert len(gone["revocation"]["listed_only"]) == 3
    assert not any(live.works(value) for value in old) and live.works(bystander)


# ------------------------------------------------------------------------------------------------- former values and odd keys
def rotated(live: Live, **arguments: Any) -> tuple[str, str]:
    """Rotate the key of user1 with a grace period, and return its former value and its new one."""
    old = values(live.lab("user1", _no_log=True))["user1"]
    made = live.run_ok("virtual_keys", guid=live.name, rotation="a", rotation_grace="1h", _no_log=True, **arguments)
    return old, next(key["value"] for key in made["virtual_keys"] if not key["retired_from"])


@pytest.mark.parametrize("keys", [{}, {"keys": [{"user": "user1"}]}], ids=["all", "named"])
@pytest.mark.parametrize("at_once", [True, False])
def test_blocking_reaches_values_in_their_grace_period(live: Live, at_once: bool, keys: dict[str, Any]) -> None:
    old, new = rotated(live, **({**keys, "blocked": True} if at_once else {}))
    if not at_once:
        live.run_ok("virtual_keys", guid=live.name, blocked=True, **keys)
    assert (live.works(old), live.works(new)) == (False, False)


def test_unblocking_one_key_reaches_its_value_in_its_grace_period(live: Live) -> None:
    old, new = rotated(live)
    live.run_ok("virtual_key", alias=live.alias("user1"), state="blocked")
    assert (live.works(old), live.works(new)) == (False, False)
    live.run_ok("virtual_key", alias=live.alias("user1"))
    assert (live.works(old), live.works(new)) == (True, True)


def test_a_rotation_with_a_new_secret_ends_the_grace_periods_of_the_old_one(live: Live) -> None:
    old, new = rotated(live)
    live.run_ok("virtual_keys", guid=live.name, rotation="b", secret="another secret of the integration tests")
    assert (live.works(old), live.works(new)) == (False, False)


def test_destroying_finds_a_derived_value_whose_notes_were_lost(gateway: Gateway, live: Live) -> None:
    made = live.lab("ada", _no_log=True)["virtual_keys"][0]
    gateway.post("/key/update", key=made["key_id"], metadata={})
    assert live.run_ok("virtual_keys", guid=live.name, state="absent")["revocation"]["proven"] == [live.alias("ada")]
    assert not live.works(made["value"])


@pytest.mark.parametrize(("old", "new"), [([GRANITE, MISTRAL], [GRANITE]), ([GRANITE], [GRANITE, MISTRAL]), ([GRANITE], [MISTRAL])])
def test_a_key_moves_to_a_team_with_other_models(gateway: Gateway, live: Live, old: list[str], new: list[str]) -> None:
    for number, models in enumerate((old, new)):
        team = gateway.post("/team/new", team_alias=f"{number}-{live.name}", models=models)["team_id"]
        live.lab("user1", team_id=team, models=models)
    row = live.rows[live.alias("user1")]
    assert (row["team_id"], sorted(row["models"])) == (team, sorted(new))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"guid": "{}.retired", "keys": [{"user": "0123456789ab"}]}, "is how a rotation names a former value"),
        ({"lab_alias": "one-{}", "keys": [{"user": "u"}, {"alias": "two"}]}, "does not hold the lab_alias"),
        ({"guid": "{}", "keys": [{"user": "u"}], "metadata": {"a": 12345678901234567890123}}, "database would round"),
        ({"guid": "{}", "keys": [{"user": "u"}], "metadata": {"litellm_virtual_keys": {"format": 1}}}, "keeps its own notes"),
    ],
)
def test_what_would_not_be_kept_or_found_is_refused_first(live: Live, arguments: dict[str, Any], words: str) -> None:
    named = {name: value.format(live.name) if isinstance(value, str) else value for name, value in arguments.items()}
    result = live("virtual_keys", models=[GRANITE], duration="1d", **named)
    assert result.get("failed") and words in result["msg"] and not live.rows


# ----------------------------------------------------------------------------------------------------- two runs at once
def in_processes(live: Live, folder: Path, runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Run the module in several processes at the same time."""
    import json

    started = [ModuleProcess("virtual_keys", {**live.connection(secret=SECRET), "guid": live.name, **run}, folder) for run in runs]
    with ThreadPoolExecutor(len(started)) as pool:
        return [json.loads(printed) for printed in pool.map(lambda process: process.output(timeout=120), started)]


@pytest.mark.parametrize("round_", range(3))
def test_two_runs_at_once_create_one_key_each_and_both_return_it(live: Live, tmp_path: Path, round_: int) -> None:
    keys = [{"user": f"user{number}"} for number in range(1, 11)]
    run = {"keys": keys, "models": [GRANITE], "duration": "1d"}
    results = in_processes(live, tmp_path, [run] * 3)
    assert [result.get("msg") for result in results] == [None] * 3
    assert values(results[0]) == values(results[1]) == values(results[2]) and len(values(results[0])) == 10
    assert len(live.rows) == 10, "rows"
    assert all(live.works(value) for value in values(results[0]).values())
    assert not live.lab(*[key["user"] for key in keys])["changed"]


def test_a_rotation_and_a_plain_run_at_once(live: Live, tmp_path: Path) -> None:
    users = ["user1", "user2", "user3", "user4"]
    old = values(live.lab(*users))
    keys = [{"user": user} for user in users]
    plain = {"keys": keys, "models": [GRANITE], "max_budget": 2, "duration": "1d"}
    in_processes(live, tmp_path, [{"keys": keys, "rotation": "a"}, plain, plain])
    new = values(live.lab(*users, rotation="a", max_budget=2))
    assert sorted(live.rows) == [live.alias(user) for user in users]
    assert all(live.works(value) for value in new.values()) and not any(live.works(value) for value in old.values())
    assert {row["max_budget"] for row in live.rows.values()} == {2.0}
