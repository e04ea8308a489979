# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""What a user of LiteLLM who may create keys can do with a revoked value, and two runs at once, on the real gateway."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.notes import NOTES_FORMAT, NOTES_NAME
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import IN_COLD_RUNS, ON_THE_PINNED_RELEASE, Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.key_worlds import RealSite
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.live import GRANITE, Live, token
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.two_runs import check_meeting, meetings


@pytest.fixture
def forger(gateway: Gateway, live: Live) -> str:
    """Return the key of a user who may create keys."""
    made = gateway.post("/user/new", user_id=f"mallory-{live.name}", user_role="internal_user", auto_create_key=False)
    return str(gateway.post("/key/generate", user_id=made["user_id"], key_alias=f"mallory-{live.name}")["key"])


def forge(gateway: Gateway, forger: str, row: dict[str, Any], value: str) -> None:
    """Make a deleted key again, with its value, its alias and its notes, as the user does."""
    body = {"key": value, "key_alias": row["key_alias"], "metadata": row["metadata"], "models": [GRANITE]}
    answer = gateway.request("POST", "/key/generate", json=body, headers={"Authorization": f"Bearer {forger}"})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("again", [{}, {"state": "exact"}, {"rotation": "a"}])
def test_a_revoked_value_does_not_come_back(gateway: Gateway, live: Live, forger: str, again: dict[str, Any]) -> None:
    for _time in range(3):
        made = live.lab("user1", _no_log=True)
        value, row = made["virtual_keys"][0]["value"], live.rows[live.alias("user1")]
        live.run_ok("virtual_keys", guid=live.name, state="absent")
        assert not live.works(value)
        forge(gateway, forger, row, value)
        assert live.works(value), "the gateway knows no better"

        for change in ({"extend_for": "9d"}, {"blocked": False}):
            left = live.run_ok("virtual_keys", guid=live.name, **change)
            assert not left["changed"] and not left["virtual_keys"]
        result = live.lab("user1", _no_log=True, **again)
        assert not live.works(value) and live.works(result["virtual_keys"][0]["value"])
        assert [row["user_id"] for row in live.rows.values() if row["key_alias"].startswith("virtkey-")] == [None]
        assert not live.lab("user1", **again)["changed"]
        live.run_ok("virtual_keys", guid=live.name, state="absent")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("rotate", "destroy"),
        ("extend", "rotate again"),
        pytest.param("rotate with grace", "stop", marks=IN_COLD_RUNS),
        pytest.param("provision", "destroy", marks=IN_COLD_RUNS),
    ],
)
def test_two_runs_at_once(gateway: Gateway, first: str, second: str) -> None:
    """The unit test of this name tries all pairs on the model of LiteLLM."""
    for meeting in meetings(RealSite(gateway), lambda: datetime.now(UTC), first, second):
        check_meeting(meeting, first, second)


@pytest.mark.parametrize("grace", ["5s", "1h"])  # a rotation that takes longer than its grace period deletes the former value itself
@pytest.mark.parametrize("extension", ["extend_for", "extend_until"])
def test_a_former_value_whose_successor_was_revoked_is_not_extended(live: Live, grace: str, extension: str) -> None:
    made = live.lab("user1", _no_log=True)
    old = made["virtual_keys"][0]["value"]
    new = live.run_ok("virtual_keys", guid=live.name, rotation="a", rotation_grace=grace)["virtual_keys"][0]
    time.sleep(6 if grace == "5s" else 0)
    live.run_ok("virtual_key", key_id=new["key_id"], state="absent")
    ends = {row["key_alias"]: row["expires"] for row in live.rows.values()}
    until = "9d" if extension == "extend_for" else (datetime.now(UTC) + timedelta(days=9)).isoformat()
    for _time in range(3):
        assert not live.run_ok("virtual_keys", guid=live.name, **{extension: until})["changed"]
    assert {row["key_alias"]: row["expires"] for row in live.rows.values()} == ends
    assert live.works(old) is (grace == "1h")
    again = live.lab("user1", _no_log=True)
    assert again["virtual_keys"][0]["generation"] == 2
    ends_in = datetime.fromisoformat(live.rows[live.alias("user1")]["expires"]) - datetime.now(UTC)
    assert timedelta(hours=23) < ends_in < timedelta(hours=25), "a new key has its own lifetime"


@pytest.mark.parametrize("renamed", ["elsewhere-{}", "virtkey-{}-renamed"])
def test_a_key_that_an_admin_renamed_does_not_stop_its_lab(gateway: Gateway, live: Live, renamed: str) -> None:
    made = live.lab("user1", _no_log=True)["virtual_keys"][0]
    alias = renamed.format(live.name if "virtkey" in renamed else live.name[::-1])
    gateway.post("/key/update", key=made["key_id"], key_alias=alias)
    try:
        for _time in range(3):
            again = live.lab("user1", _no_log=True)["virtual_keys"][0]
            assert again["generation"] == 1 and again["value"] != made["value"] and live.works(again["value"])
        assert live.works(made["value"]), "what an admin has renamed is left alone"
    finally:
        live.run_ok("virtual_keys", guid=live.name, state="absent")
        gateway.request("POST", "/key/delete", json={"keys": [made["key_id"]]})


@ON_THE_PINNED_RELEASE  # 1.82.6 finds deleted keys by whole aliases only, and the value was deleted under that of a former value
@pytest.mark.parametrize("blocked", [False, True])
@pytest.mark.parametrize("alias", ["free-{}", "elsewhere-{}"])
def test_destroying_a_lab_also_ends_its_revoked_values_under_other_aliases(gateway: Gateway, live: Live, forger: str, alias: str, blocked: bool) -> None:
    old = live.lab("user1", _no_log=True)["virtual_keys"][0]["value"]
    live.run_ok("virtual_keys", guid=live.name, rotation="a")
    row = {"key_alias": alias.format(live.name if "free" in alias else live.name[::-1]), "metadata": {}}
    forge(gateway, forger, row, old)
    if blocked:
        gateway.post("/key/block", key=token(old))
    assert live.run_ok("virtual_keys", guid=live.name, state="absent", _check=True)["counts"]["deleted"] == 2
    for _time in range(2):
        gone = live.run_ok("virtual_keys", guid=live.name, state="absent")
        assert not live.works(old) and not gone["revocation"]["still_accepted"]
    assert not [row for row in gateway.keys_with("") if row["token"] == token(old)], "nobody can unblock it"


@ON_THE_PINNED_RELEASE
@pytest.mark.parametrize("proof", ["quick", "none"])
@pytest.mark.parametrize("way", ["virtual_key", "named keys", "lab"])
def test_deleting_a_key_also_ends_its_revoked_values_under_other_aliases(gateway: Gateway, live: Live, forger: str, way: str, proof: str) -> None:
    old = live.lab("user1", "user2", _no_log=True)["virtual_keys"]
    live.run_ok("virtual_keys", guid=live.name, rotation="a")
    for key in old:
        forge(gateway, forger, {"key_alias": f"elsewhere-{key['user']}-{live.name[::-1]}", "metadata": {}}, key["value"])
    if way == "virtual_key":
        task: dict[str, Any] = {"name": "virtual_key", "alias": live.alias("user1")}
    else:
        task = {"name": "virtual_keys", "guid": live.name, **({"keys": [{"user": "user1"}]} if way == "named keys" else {})}
    name = task.pop("name")
    for time_ in range(3):
        assert live.run_ok(name, **task, state="absent", proof=proof)["changed"] is (time_ == 0)
        assert [live.works(key["value"]) for key in old] == [False, way != "lab"]
    live.run_ok("virtual_keys", guid=live.name, state="absent")
    assert not any(live.works(key["value"]) for key in old)


def test_deleting_named_keys_warns_of_those_that_belong_to_another_lab(live: Live) -> None:
    other = live.lab("user1", guid=f"{live.name}-b", _no_log=True)["virtual_keys"][0]
    result = live.run_ok("virtual_keys", guid=live.name, keys=[{"user": "b-user1"}], state="absent")
    assert not result["changed"] and live.works(other["value"])
    assert any(f"is left alone, for it belongs to the lab {live.name}-b." in str(warning) for warning in result["warnings"])
    live.run_ok("virtual_keys", guid=f"{live.name}-b", state="absent")


@ON_THE_PINNED_RELEASE
def test_provisioning_deletes_a_revoked_value_that_it_sees_under_another_alias(gateway: Gateway, live: Live, forger: str) -> None:
    old = live.lab("user1", _no_log=True)["virtual_keys"][0]["value"]
    live.run_ok("virtual_keys", guid=live.name, rotation="a")
    forge(gateway, forger, {"key_alias": f"free-{live.name}", "metadata": {}}, old)
    assert live.lab("user1")["changed"] and not live.works(old)
    assert not live.lab("user1")["changed"]


@pytest.mark.parametrize("grace", ["0s", "1h"])
def test_nobody_stops_a_rotation_by_taking_the_alias_of_the_former_value(gateway: Gateway, live: Live, forger: str, grace: str) -> None:
    made = live.lab("user1", _no_log=True)["virtual_keys"][0]
    for number in range(3):
        squatted = {"key_alias": f"{made['alias']}.retired-{made['key_id'][:12]}", "metadata": {}}
        forge(gateway, forger, squatted, f"sk-squatter-{live.name}-{number}")
        rotated = live.run_ok("virtual_keys", guid=live.name, rotation=f"label {number}", rotation_grace=grace, _no_log=True)
        (made,) = [key for key in rotated["virtual_keys"] if key["alias"] == made["alias"] and key["action"] == "rotated"]
        assert made["generation"] == number + 1 and live.works(made["value"])
        assert live.works(f"sk-squatter-{live.name}-{number}"), "keys of others are left alone"
    live.run_ok("virtual_keys", guid=live.name, state="absent")
    assert not live.works(made["value"])


@pytest.mark.parametrize("metadata", [{"guid": ["x"]}, {"guid": 7}, {"guid": "another"}, {"guid": {"a": 1}}])
def test_notes_that_an_admin_replaced_do_not_hide_a_key_from_its_lab(gateway: Gateway, live: Live, metadata: dict[str, Any]) -> None:
    made = live.lab("user1", _no_log=True)["virtual_keys"][0]
    gateway.post("/key/update", key=made["key_id"], metadata=metadata)
    live.run_ok("virtual_keys", guid=live.name, state="absent")
    assert not live.works(made["value"])


@pytest.mark.parametrize(
    "text",
    [{"rotation": "a\0"}, {"metadata": {"note": "a\0"}}, {"user_id": "a\0"}, {"package": "a\0"}, {"tags": ["\0"]}],
    ids=lambda text: next(iter(text)),
)
def test_text_that_the_database_cannot_store_is_refused_before_anything_is_changed(live: Live, text: dict[str, Any]) -> None:
    made = live.lab("user1", _no_log=True)["virtual_keys"][0]
    before = live.rows
    refused = live("virtual_keys", guid=live.name, **text)
    assert refused["failed"] and "cannot store" in refused["msg"], refused["msg"]
    assert live.rows == before and live.works(made["value"])


def squat(gateway: Gateway, forger: str, alias: str, **body: Any) -> None:
    """Make a key under an alias of the lab, as a user does who may create keys."""
    headers = {"Authorization": f"Bearer {forger}"}
    answer = gateway.request("POST", "/key/generate", json={"key_alias": alias, "models": [GRANITE], **body}, headers=headers)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("again", [{"rotation": "x"}, {"keys": [{"user": "user1"}, {"user": "user2"}], "on_unrecoverable": "rotate"}])
def test_a_new_value_takes_limits_alone_from_whoever_took_its_alias_first(gateway: Gateway, live: Live, forger: str, again: dict[str, Any]) -> None:
    live.lab("user1")
    logging = [{"callback_name": "langfuse", "callback_type": "success", "callback_vars": {"langfuse_host": "http://evil.example"}}]
    squat(gateway, forger, live.alias("user2"), metadata={"logging": logging}, created_by="default_user_id")
    live.run_ok("virtual_keys", guid=live.name, **again)
    made = live.lab("user1", "user2", _no_log=True)["virtual_keys"][1]
    row = live.rows[live.alias("user2")]
    gateway.request("POST", "/key/delete", json={"keys": [row["token"]]}, headers={"Authorization": f"Bearer {forger}"})
    assert (row["user_id"], "logging" in row["metadata"], live.works(made["value"])) == (None, False, True)


def test_a_forged_generation_does_not_end_an_alias_for_good(gateway: Gateway, live: Live, forger: str) -> None:
    notes = {NOTES_NAME: {"format": NOTES_FORMAT, "generation": 999_999_998, "guid": live.name, "lab": live.alias()}}
    squat(gateway, forger, live.alias("user1"), metadata=notes)
    live.run_ok("virtual_keys", guid=live.name, rotation="a")
    live.run_ok("virtual_keys", guid=live.name, state="absent")
    assert live.lab("user1")["virtual_keys"][0]["generation"] < 9


@ON_THE_PINNED_RELEASE  # 1.82.6 finds deleted keys by whole aliases only
@pytest.mark.parametrize("way", [{"state": "absent"}, {"rotation": "a"}], ids=["destroyed", "rotated"])
@pytest.mark.parametrize(
    ("alias", "then"),
    [("free-{}", {"state": "absent"}), ("elsewhere-{}", {"state": "absent"}), ("free-{}", {"keys": [{"user": "user1"}], "models": [GRANITE]})],
)
def test_a_revoked_adopted_value_ends_with_its_lab(gateway: Gateway, live: Live, forger: str, way: dict[str, str], alias: str, then: dict[str, Any]) -> None:
    old = str(gateway.post("/key/generate", key_alias=live.alias("user1"), models=[GRANITE])["key"])
    live.run_ok("key_adoption", guid=live.name)
    live.run_ok("virtual_keys", guid=live.name, **way)
    assert not live.works(old)
    squat(gateway, forger, alias.format(live.name if "free" in alias else live.name[::-1]), key=old)
    live.run_ok("virtual_keys", guid=live.name, **then)
    works = live.works(old)
    gateway.request("POST", "/key/delete", json={"keys": [token(old)]})
    assert not works
