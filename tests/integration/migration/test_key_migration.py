# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Keys move from one real gateway to another with their values, once; nothing is deleted before the move is proven."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.key import LiveKey
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.migration.move_note import NOTE, made, seen
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.faulty_proxy import FaultyProxy, Harm
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.live import GRANITE, MISTRAL, SECRET, Live

CARRIED = (
    *("key_alias", "token", "models", "max_budget", "budget_duration", "rpm_limit", "tpm_limit"),
    *("max_parallel_requests", "allowed_routes", "user_id", "blocked"),
)


class Move:
    """A lab at the source, and the same lab at the target."""

    def __init__(self, source: Live, target: Live) -> None:
        self.source, self.target, self.guid = source, target, source.name

    def __call__(self, **arguments: Any) -> dict[str, Any]:
        scope = {} if arguments.keys() & {"package", "all_keys"} else {"guid": self.guid}
        target = arguments.pop("target", {"url": self.target.url, "api_key": self.target.gateway.master_key})
        return self.source("key_migration", target=target, **scope, **arguments)

    def run_ok(self, **arguments: Any) -> dict[str, Any]:
        result = self(**arguments)
        assert not result.get("failed"), result["msg"]
        return result

    def random_key(self, user: str) -> str:
        body = {"key_alias": self.source.alias(user), "models": [GRANITE], "metadata": {"guid": self.guid}}
        return str(self.source.gateway.post("/key/generate", **body)["key"])


@pytest.fixture
def move(live: Live, other_gateway: Gateway) -> Iterator[Move]:
    target = Live(other_gateway, live.name)
    yield Move(live, target)
    target.clean()


def values(result: dict[str, Any]) -> dict[str, str]:
    return {key["alias"]: key["value"] for key in result["virtual_keys"]}


def end(row: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(row["expires"])


def notes(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row["metadata"].items() if name != NOTE}


def test_a_lab_moves_with_its_values_limits_ends_and_spending_and_is_retired_on_request(move: Move) -> None:
    source, target = move.source, move.target
    limits = {"max_budget": 5.0, "soft_budget": 4.0, "budget_duration": "30d", "rpm_limit": 60, "tpm_limit": 7000, "max_parallel_requests": 3}
    made = source.lab("user1", "user2", user_id="ann@example.com", metadata={"course": "AI 101"}, duration="3d", package="workshop", **limits)
    source.lab("user3", duration="never", allowed_routes=["llm_api_routes"])
    source.run_ok("virtual_keys", guid=move.guid, keys=[{"user": "user2"}], models=[GRANITE], blocked=True)
    source.gateway.post("/key/update", key=made["virtual_keys"][0]["key_id"], spend=1.5)
    before = source.rows

    predicted = move.run_ok(_check=True, _diff=True)
    assert predicted["changed"] and predicted["counts"]["created"] == 3 and not target.rows
    assert predicted["diff"]["after"][source.alias("user1")]["spend"] == 1.5

    moved = move.run_ok()
    assert moved["counts"] == {"created": 3, "updated": 0, "unchanged": 0, "left_out": 0, "retired": 0}
    assert all(key["verified"] and not key["differs"] for key in moved["virtual_keys"])
    assert source.rows == before, "the source is unchanged"
    for alias, row in before.items():
        target_row = target.rows[alias]
        assert {name: target_row[name] for name in CARRIED} == {name: row[name] for name in CARRIED}
        assert notes(target_row) == row["metadata"] and target_row["spend"] == row["spend"]
        assert (target_row["expires"] is None) == (row["expires"] is None)
        assert not row["expires"] or abs(end(target_row) - end(row)) < timedelta(seconds=5)
    assert target.rows[source.alias("user1")]["litellm_budget_table"]["soft_budget"] == 4.0
    value = values(moved)
    assert [target.works(value[source.alias(user)]) for user in ("user1", "user2", "user3")] == [True, False, True], "user2 is blocked at the target too"

    assert move.run_ok()["counts"]["unchanged"] == 3 and not move.run_ok()["changed"]
    again = target.lab("user1", "user2", metadata={"course": "AI 101"})
    assert again["counts"]["created"] == again["counts"]["rotated"] == 0, "the lab continues at the target with the same secret"

    retired = move.run_ok(retire_source=True)
    assert retired["changed"] and retired["counts"]["retired"] == 3 and not source.rows
    assert len(retired["revocation"]["proven"]) == 3
    assert not source.works(value[source.alias("user1")]) and target.works(value[source.alias("user1")])
    assert not move.run_ok(retire_source=True)["changed"], "repeating it changes nothing"
    assert move()["code"] == "nothing_to_migrate"


def test_a_further_run_repeats_changes_at_the_source_and_keeps_changes_at_the_target(move: Move) -> None:
    source, target = move.source, move.target
    first = source.lab("user1", "user2", "user3")["virtual_keys"][0]
    move.run_ok()
    alias = source.alias("user1")
    source.gateway.post("/key/update", key=first["key_id"], spend=2.0)
    target.gateway.post("/key/update", key=first["key_id"], spend=0.5)
    target.run_ok("virtual_keys", guid=move.guid, keys=[{"user": "user1"}, {"user": "user2"}], models=[GRANITE, MISTRAL], extend_for="9d")
    source.run_ok("virtual_keys", guid=move.guid, keys=[{"user": "user3"}], models=[MISTRAL], extend_for="5d")
    result = move.run_ok()
    assert {key["alias"].rpartition("-")[2]: key["action"] for key in result["virtual_keys"]} == {"user1": "updated", "user2": "unchanged", "user3": "updated"}
    rows = target.rows
    assert rows[alias]["spend"] == 2.5, "the spending at both gateways"
    assert rows[alias]["models"] == rows[source.alias("user2")]["models"] == [GRANITE, MISTRAL], "changes at the target are kept"
    assert "models" in next(key["differs"] for key in result["virtual_keys"] if key["alias"] == source.alias("user2"))
    assert rows[source.alias("user3")]["models"] == [MISTRAL]
    assert abs(end(rows[source.alias("user3")]) - end(source.rows[source.alias("user3")])) < timedelta(seconds=5)
    assert not move.run_ok()["changed"]

    target.run_ok("virtual_keys", guid=move.guid, rotation="at the target")
    assert not move.run_ok()["changed"], "a key that was rotated at the target is not brought back"
    assert move.run_ok(retire_source=True)["counts"]["retired"] == 3


def test_rotated_keys_move_with_their_former_values(move: Move) -> None:
    old = values(move.source.lab())[move.source.alias()]
    move.run_ok()
    new = values(move.source.lab(rotation="one", rotation_grace="1h"))[move.source.alias()]
    result = move.run_ok()
    assert result["counts"]["created"] == result["counts"]["updated"] == 1
    assert move.target.works(old) and move.target.works(new) and len(move.target.rows) == 2
    assert values(move.target.lab())[move.source.alias()] == new


def test_random_values_stay_unless_they_are_given_or_renewed(move: Move) -> None:
    source, target = move.source, move.target
    known, unknown = move.random_key("user1"), move.random_key("user2")
    user_data = f"users:\n  user1: {{litellm_virtual_key: {known}, password: hunter2}}\n"
    left = move.run_ok()
    assert {each["code"] for each in left["left_out"]} == {"unrecoverable"} and not target.rows and not left["changed"]
    given = move.run_ok(known_values=user_data)
    assert values(given) == {source.alias("user1"): known} and target.works(known)
    assert not move.run_ok(known_values=user_data)["changed"]
    renewed = move.run_ok(known_values=user_data, on_unrecoverable="renew")
    new = values(renewed)[source.alias("user2")]
    assert target.works(new) and not target.works(unknown) and source.works(unknown)
    assert [key["renewed"] for key in renewed["virtual_keys"]] == [False, True]
    assert not move.run_ok(known_values=user_data, on_unrecoverable="renew")["changed"]
    quiet = move.run_ok(known_values=user_data, on_unrecoverable="renew", _no_log=False)
    assert not {known, unknown, new, "hunter2"} & set(str(quiet).replace("'", '"').split('"')) and known not in str(quiet)
    assert move.run_ok(known_values=user_data, retire_source=True)["retired"] == [source.alias("user1")]
    assert source.works(unknown), "keys that have not moved are not deleted"


def test_keys_that_have_expired_or_that_the_collection_cannot_carry_are_named(move: Move) -> None:
    move.source.lab("user1", "user2", "user3")
    rows = move.source.rows
    move.source.gateway.post("/key/update", key=rows[move.source.alias("user2")]["token"], aliases={"gpt": GRANITE})
    move.source.gateway.post("/key/update", key=rows[move.source.alias("user3")]["token"], duration="0s")
    result = move.run_ok()
    assert [(each["alias"].rpartition("-")[2], each["code"]) for each in result["left_out"]] == [("user2", "not_carried"), ("user3", "expired")]
    assert list(move.target.rows) == [move.source.alias("user1")]


def test_a_package_moves_alone(move: Move) -> None:
    for user, package in (("user1", f"{move.guid}-p"), ("user2", "other")):
        move.source.lab(user, package=package)
    assert list(values(move.run_ok(package=f"{move.guid}-p"))) == [move.source.alias("user1")]
    assert list(move.target.rows) == [move.source.alias("user1")]


# ------------------------------------------------------------------------------------------------- nothing was touched
def test_obstacles_are_refused_before_the_first_write(move: Move) -> None:
    source, target = move.source, move.target
    source.lab("user1", "user2")
    theirs = target.gateway.post("/key/generate", key_alias=source.alias("user2"), models=[MISTRAL])
    before = source.rows, target.rows

    def refused(code: str, words: str, **arguments: Any) -> None:
        result = move(**arguments)
        assert result.get("failed") and result["code"] == code and words in result["msg"], result
        assert not result.get("changed") and (source.rows, target.rows) == before
        assert target.gateway.master_key not in result["msg"]

    refused("conflict", f"holds the alias {source.alias('user2')} with another value")
    refused("conflict", "another value", retire_source=True)
    target.gateway.post("/key/delete", keys=[theirs["token_id"]])
    before = source.rows, target.rows
    refused("not_migrated", "migrate without retire_source first", retire_source=True)
    refused("bad_input", "target.url is the address of the source", target={"url": source.url, "api_key": "sk-whatever-it-is"})
    refused("same_gateway", "share a database", target={"url": source.url.replace("127.0.0.1", "localhost"), "api_key": source.gateway.master_key})
    refused("unauthorized", "does not know the API key", target={"url": target.url, "api_key": "sk-some-other-master-key"})
    refused("bad_input", "exactly one of", package="workshop", all_keys=True)
    source.gateway.post("/key/update", key_alias=source.alias("user1"), models=["only-at-the-source"])
    before = source.rows, target.rows
    refused("unknown_model", "only-at-the-source")
    source.gateway.post("/team/new", team_id=move.guid, team_alias=move.guid)
    source.gateway.post("/key/update", key_alias=source.alias("user1"), models=[GRANITE], team_id=move.guid)
    before = source.rows, target.rows
    refused("unknown_team", move.guid)
    source.gateway.post("/team/delete", team_ids=[move.guid])


def test_a_run_that_was_cut_off_is_finished_by_the_next_and_retires_nothing_before(move: Move) -> None:
    source, target = move.source, move.target
    source.lab(*(f"user{number}" for number in range(1, 9)))
    before = source.rows
    with FaultyProxy(target.url, Harm("lose", "POST /key/generate", skip=2)) as proxy:
        broken = {"url": proxy.url, "api_key": target.gateway.master_key}
        cut = move(target=broken, retries=0, parallel_calls=1)
    assert cut["code"] == "incomplete" and cut["changed"] and "run again" in cut["msg"]
    assert 2 < len(target.rows) < 8 and source.rows == before
    assert move(retire_source=True)["code"] == "not_migrated" and source.rows == before
    rest = move.run_ok()
    assert rest["counts"]["created"] + rest["counts"]["unchanged"] == 8 and rest["counts"]["unchanged"] > 0
    assert all(target.works(value) for value in values(rest).values())


def test_a_value_that_the_target_refuses_is_a_failure_and_nothing_is_retired(move: Move) -> None:
    move.source.lab()
    before = move.source.rows
    refusal = Harm("answer", "GET /models", status=401, body={"error": {"message": "unknown", "type": "token_not_found_in_db"}})
    with FaultyProxy(move.target.url, refusal) as proxy:
        broken = {"url": proxy.url, "api_key": move.target.gateway.master_key}
        for retire in (False, True):
            result = move(target=broken, check_models=False, retire_source=retire)
            assert result["code"] == "incomplete" and "the target refuses its value" in result["msg"] and move.source.rows == before


# -------------------------------------------------------------------------------------------------------- the playbook
def test_the_playbook(move: Move, playbook: Playbooks) -> None:
    source, target = move.source, move.target
    source.lab("user1", "user2")
    both = {**source.gateway.variables, "target_url": target.url, "target_master_key": target.gateway.master_key}
    given = {**both, "litellm_derivation_secret": SECRET, "guid": move.guid}
    run = playbook("migrate", given, "-vvv")
    assert run.changed == 1 and "2 created" in run.output and len(target.rows) == 2
    run = playbook("migrate", {**given, "retire_source": True}, "-vvv")
    assert run.changed == 1 and "2 deleted at the source" in run.output and not source.rows and len(target.rows) == 2
    assert target.gateway.master_key not in run.output and SECRET not in run.output


def test_a_value_that_was_retired_at_a_gateway_does_not_come_back_to_it(move: Move) -> None:
    old = values(move.source.lab("user1", "user2", _no_log=True))
    move.run_ok()
    move.run_ok(retire_source=True)
    back = Move(move.target, move.source)
    for _time in range(2):
        refused = back.run_ok()
        assert not refused["changed"] and [left["code"] for left in refused["left_out"]] == ["revoked"] * 2
        assert not move.source.rows

    predicted = back.run_ok(on_unrecoverable="renew", _check=True)
    renewed = back.run_ok(on_unrecoverable="renew", _no_log=True)
    assert predicted["counts"] == renewed["counts"] and renewed["counts"]["created"] == 2
    assert [key["generation"] for key in predicted["virtual_keys"]] == [key["generation"] for key in renewed["virtual_keys"]] == [1, 1]
    new = values(renewed)
    assert not set(new.values()) & set(old.values()) and all(map(move.source.works, new.values()))
    assert not back.run_ok(on_unrecoverable="renew")["changed"]
    assert values(move.source.lab("user1", "user2", _no_log=True)) == new, "provisioning knows the new values"
    back.run_ok(on_unrecoverable="renew", retire_source=True)
    for value in old.values():
        assert not move.source.works(value) and not move.target.works(value)

    move.run_ok()
    assert all(map(move.target.works, new.values())), "the target never revoked these"


def test_a_key_that_somebody_made_at_the_target_beforehand_gets_the_terms_of_the_source(move: Move) -> None:
    """He knows the value and its notes, and what a migration notes."""
    lab = move.source.lab("user1", max_budget=5, _no_log=True)["virtual_keys"][0]
    row = LiveKey.from_row(move.source.rows[lab["alias"]])
    note = {"from": move.source.url, "made": made(row), "at": "2026-01-01T00:00:00Z", "spend": 1e9, "seen": seen(row), "mark": "0" * 64}
    target = move.target.gateway
    owner = target.post("/user/new", user_id=f"mallory-{move.guid}", user_role="internal_user", auto_create_key=False)["user_id"]
    forged = {"key": lab["value"], "key_alias": lab["alias"], "max_budget": 9999, "user_id": owner, "metadata": {**row.metadata, NOTE: note}}
    target.post("/key/generate", **forged)
    assert [key["action"] for key in move.run_ok()["virtual_keys"]] == ["updated"]
    at_target = move.target.rows[lab["alias"]]
    assert (at_target["max_budget"], at_target["user_id"]) == (5, None)
    for _time in range(3):
        assert [key["action"] for key in move.run_ok()["virtual_keys"]] == ["unchanged"]
    move.run_ok(retire_source=True)
    assert move.target.works(lab["value"]) and not move.source.works(lab["value"])
