# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.workload import publication as published
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.workload.publication import duration_of, plan_lines, publication, receipt_messages
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.workload.terms import terms

ENDPOINT = "https://litellm.example.com"
DOCLING = {"model": "Docling", "endpoint": f"{ENDPOINT}/docling/v1/convert/source"}
TERMS = terms({"small": {"models": ["a", "b"], "duration": "7d"}}, "small", {})
END = "2026-12-24T00:00:00Z"


def settings(**more: Any) -> dict[str, Any]:
    given = {
        "action": "provision",
        "endpoint": ENDPOINT,
        "alias": "virtkey-abc",
        "tenant": "",
        "values_in_facts": True,
        "all_keys": False,
        "tenants": False,
        "hidden": True,
    }
    return {**given, "terms": TERMS, **more}


def token(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def key(user: str = "", **more: Any) -> dict[str, Any]:
    alias = f"virtkey-abc-{user}" if user else "virtkey-abc"
    own = {"alias": alias, "user": user, "user_id": f"{user or 'lab'}@x.org", "action": "created", "models": ["a", "b"], "package": "small"}
    return {**own, "key_id": token(f"sk-{user}"), "value": f"sk-{user}", "expires": END, "created_at": "2026-12-17T00:00:00Z", **more}


def without_value(one: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in one.items() if name != "value"}


SHARED = {
    "litellm_api_endpoint": ENDPOINT,
    "litellm_api_base_url": f"{ENDPOINT}/v1",
    "litellm_available_models": ["a", "b"],
    "litellm_available_models_list": "a, b",
    "litellm_key_duration": "7d",
    "litellm_key_expires": END,
    "litellm_subscription_package": "small",
}


def of_keys(keys: list[dict[str, Any]], given: dict[str, Any], **more: Any) -> dict[str, Any]:
    return publication({"virtual_keys": keys, "changed": any(each.get("action") != "unchanged" for each in keys)}, given, **more)


def own_data(user: str) -> dict[str, str]:
    alias = f"virtkey-abc-{user}" if user else "virtkey-abc"
    data = {"litellm_virtual_key": f"sk-{user}", "litellm_key_alias": alias, "litellm_key_id": token(f"sk-{user}"), "litellm_key_expires": END}
    return {**data, "litellm_user_email": f"{user}@x.org"} if user else data


def test_one_key() -> None:
    found = of_keys([key()], settings())
    assert found["facts"] == {
        "litellm_api_endpoint": ENDPOINT,
        "litellm_api_base_url": f"{ENDPOINT}/v1",
        "litellm_virtual_key": "sk-",
        "litellm_key_alias": "virtkey-abc",
        "litellm_key_id": token("sk-"),
        "litellm_key_expires": END,
        "litellm_key_duration": "7d",
        "litellm_available_models": ["a", "b"],
        "litellm_subscription_package": "small",
        "_litellm_user_data": {},
        "litellm_key_deleted": False,
        "litellm_key_was_missing": False,
        "litellm_revocation": {},
    }
    assert (found["data"], found["users"]) == ({**SHARED, **own_data("")}, {})
    assert found["messages"] == [
        f"LiteLLM API Endpoint: {ENDPOINT}/v1",
        "LiteLLM Virtual Key: sk-",
        "Available Models: a, b",
        "Key Duration: 7d",
        f"Key Expires: {END}",
    ]


def test_many_keys() -> None:
    found = of_keys([key("user1"), key("user2", expires=None)], settings())
    facts = found["facts"]["_litellm_user_data"]
    parts = ("virtual_key", "key_alias", "key_id", "user_email", "key_expires")
    assert facts.keys() == {f"litellm_{user}_{part}" for user in ("user1", "user2") for part in parts}
    assert (facts["litellm_user2_virtual_key"], facts["litellm_user2_user_email"], facts["litellm_user2_key_expires"]) == ("sk-user2", "user2@x.org", "never")
    assert found["facts"]["litellm_virtual_key"] == "sk-user1"
    assert found["data"] == {**SHARED, "litellm_user_count": 2}
    assert found["users"]["user1"] == {**SHARED, **own_data("user1")}
    assert found["users"]["user2"]["litellm_key_expires"] == "never"
    assert found["messages"] == [
        f"LiteLLM API Endpoint: {ENDPOINT}/v1",
        "Created 2 virtual keys",
        "Available Models: a, b",
        "Key Duration: 7d",
        f"Key Expires: {END}",
    ]


def test_values_stay_out_of_facts_and_reach_user_data() -> None:
    found = of_keys([key("user1")], settings(values_in_facts=False))
    assert "sk-" not in json.dumps(found["facts"]) and found["facts"]["_litellm_user_data"] == {}
    assert found["users"]["user1"]["litellm_virtual_key"] == "sk-user1"
    assert "sk-" not in json.dumps(found["data"])
    assert found["saves"] == [{"data": found["data"], "users": found["users"]}]


def test_each_user_has_a_call_of_its_own_where_all_is_to_be_seen() -> None:
    found = of_keys([key("user1"), key("user2")], settings(hidden=False))
    assert found["saves"] == [{"data": found["data"]}, *({"user": user, "data": found["users"][user]} for user in ("user1", "user2"))]


@pytest.mark.parametrize("values_in_facts", [True, False])
def test_all_keys_reach_the_shared_data_when_wanted_as_in_release_1_3_2(values_in_facts: bool) -> None:
    shared = of_keys([key("user1"), key("user2")], settings(all_keys=True, values_in_facts=values_in_facts))["data"]
    assert shared["litellm_user2_virtual_key"] == "sk-user2"
    assert shared["litellm_virtual_keys"] == ["sk-user1", "sk-user2"]
    assert shared["litellm_key_aliases"] == ["virtkey-abc-user1", "virtkey-abc-user2"]
    assert shared["litellm_key_ids"] == [token("sk-user1"), token("sk-user2")]
    assert shared["litellm_user_ids"] == ["user1@x.org", "user2@x.org"]
    assert (shared["litellm_virtual_key"], shared["litellm_key_alias"], shared["litellm_key_id"]) == ("sk-user1", "virtkey-abc-user1", token("sk-user1"))


def test_a_tenant_s_data_are_the_lab_s_and_only_on_request_under_a_name() -> None:
    found = of_keys([key()], settings(tenant="anna"))
    assert found["data"]["litellm_virtual_key"] == "sk-" and found["users"] == {}
    assert of_keys([key()], settings(tenant="anna", tenants=True))["users"] == {"anna": found["data"]}


def test_a_value_that_nobody_knows_is_left_out() -> None:
    found = of_keys([without_value(key("user1")), key("user2")], settings())
    assert found["facts"]["litellm_virtual_key"] == ""
    assert "litellm_virtual_key" not in found["users"]["user1"]
    assert "LiteLLM Virtual Key: as it was handed out" in of_keys([without_value(key())], settings())["messages"]


def test_deleted_keys_do_not_count() -> None:
    found = of_keys([key("user1"), key("user2", action="deleted", expires="2026-01-01T00:00:00Z")], settings())
    assert list(found["users"]) == ["user1"] and "Created 1 virtual keys" in found["messages"]
    assert "virtkey-abc-user2" not in json.dumps(found)


@pytest.mark.parametrize("keys", [[], [key(action="deleted")]])
def test_of_a_lab_without_keys_no_fact_is_left(keys: list[dict[str, Any]]) -> None:
    former = {"litellm_virtual_key": "sk-other", "_litellm_user_data": {"litellm_user1_virtual_key": "sk-other"}}
    found = of_keys(keys, settings(action="destroy", terms={}), former=former)
    facts = found["facts"]
    assert facts.pop("litellm_api_endpoint") and facts.pop("litellm_api_base_url") and facts.pop("litellm_key_alias") == "virtkey-abc"
    assert [value for value in facts.values() if value] == []
    assert (found["data"], found["users"], found["messages"]) == ({}, {}, [])


def test_facts_of_the_same_key_stay_where_the_action_returns_no_value() -> None:
    former = {"litellm_virtual_key": "sk-user2", "_litellm_user_data": {"litellm_user1_virtual_key": "sk-user1", "litellm_user3_virtual_key": "sk-old"}}
    found = of_keys([without_value(key(f"user{n}", action="updated")) for n in (1, 2, 3)], settings(action="extend", terms={}), former=former)
    facts = found["facts"]["_litellm_user_data"]
    assert [facts[f"litellm_user{n}_virtual_key"] for n in (1, 2, 3)] == ["sk-user1", "sk-user2", ""]


@pytest.mark.parametrize(("action", "saves"), [("rotate", True), ("adopt", True), ("extend", False), ("stop", False), ("start", False)])
def test_what_an_action_saves_of_its_own(action: str, saves: bool) -> None:
    found = of_keys([key("user1")], settings(action=action, terms={}))
    assert found["saves"] == ([{"data": found["data"], "users": found["users"]}] if saves else [])
    if action == "extend":
        assert (found["data"], found["users"]) == ({"litellm_key_expires": END}, {"user1": {"litellm_key_expires": END}})
    elif action == "rotate":
        assert found["data"] == {"litellm_key_expires": END, "litellm_user_count": 1}
        assert found["users"] == {"user1": own_data("user1")}


@pytest.mark.parametrize(
    ("action", "messages"),
    [
        ("rotate", ["New values for 2 virtual keys"]),
        ("adopt", ["Took over 2 virtual keys, of which 1 have a value that is known"]),
        ("extend", [f"LiteLLM Virtual Keys valid until {END}"]),
        ("stop", []),
        ("start", []),
    ],
)
def test_the_messages_of_other_actions(action: str, messages: list[str]) -> None:
    keys = [key("user1", action="updated"), without_value(key("user2", action="updated", expires=None))]
    assert of_keys(keys, settings(action=action, terms={}))["messages"] == messages


def test_an_extension_that_changes_nothing_says_nothing() -> None:
    assert of_keys([key(action="unchanged")], settings(action="extend", terms={}))["messages"] == []
    assert of_keys([key(action="updated", expires=None)], settings(action="extend", terms={}))["messages"] == [
        "LiteLLM Virtual Keys valid until the gateway ends"
    ]


@pytest.mark.parametrize(("deleted", "facts"), [(2, (True, False)), (0, (False, True)), (-1, (False, False))])
def test_the_facts_of_a_deletion(deleted: int, facts: tuple[bool, bool]) -> None:
    given = {"virtual_keys": [], "revocation": {"summary": "2 proven"}}
    found = publication(given, settings(action="destroy", terms={}), deleted=deleted)["facts"]
    assert (found["litellm_key_deleted"], found["litellm_key_was_missing"]) == facts
    assert found["litellm_revocation"] == {"summary": "2 proven"}


def test_the_messages_repeat_the_data() -> None:
    found = of_keys([key()], settings(terms={**TERMS, "docling": DOCLING}))
    repeated = [form.format(found["data"][name]) for form, name in published.REPEATED.items() if name in found["data"]]
    assert found["messages"] == repeated and repeated[-2:] == [f"Docling Endpoint: {DOCLING['endpoint']}", "Docling Model: Docling"]


@pytest.mark.parametrize(
    ("more", "wanted", "expected"),
    [
        ({}, "7d", "7d"),
        ({"action": "created", "created_at": None}, "90d", "90d"),
        ({"action": "unchanged"}, "7d", "7d"),
        ({"action": "unchanged"}, "168h", "168h"),
        ({"action": "unchanged"}, "90d", "7d"),
        ({"action": "updated", "expires": "2026-12-24T00:01:30Z"}, "7d", "7d"),
        ({"action": "updated", "expires": "2026-12-24T03:00:00Z"}, "7d", "171h"),
        ({"action": "updated", "expires": "2026-12-24T03:30:10Z"}, "7d", "10290m"),
        ({"action": "unchanged", "expires": None}, "7d", "never"),
        ({"action": "unchanged"}, "never", "7d"),
        ({"action": "unchanged", "expires": "2026-12-17T00:00:30Z"}, "7d", "30s"),
    ],
)
def test_the_duration_is_the_key_s_own(more: dict[str, Any], wanted: str, expected: str) -> None:
    assert duration_of(key(**more), wanted) == expected


# ------------------------------------------------------------------------------------------------------ what was done
RESULT = {
    "virtual_keys": [key("user1", action="updated"), key("user2", action="unchanged"), key("user3", action="deleted"), key("user4")],
    "diff": {
        "before": {"virtkey-abc-user1": {"models": ["a"], "max_budget": None, "expires": END}, "virtkey-abc-user3": {"models": ["a"]}},
        "after": {"virtkey-abc-user1": {"models": ["a", "b"], "max_budget": 2.0, "expires": END}, "virtkey-abc-user4": {"models": ["a"]}},
    },
}


def test_a_plan_names_each_key_that_changes() -> None:
    lines = ["virtkey-abc-user1: would be updated", "virtkey-abc-user3: would be deleted", "virtkey-abc-user4: would be created", "1 key unchanged"]
    assert plan_lines(RESULT, check_mode=True, with_diff=False) == lines
    assert plan_lines({"virtual_keys": []}, check_mode=True, with_diff=True) == ["0 keys unchanged"]


def test_a_diff_shows_before_and_after_and_nothing_secret() -> None:
    lines = plan_lines(RESULT, check_mode=False, with_diff=True)
    assert lines[:3] == ["virtkey-abc-user1: updated", "  models: a -> a, b", "  max_budget: (none) -> 2.0"]
    assert lines[3:] == ["virtkey-abc-user3: deleted", "  models: a -> (none)", "virtkey-abc-user4: created", "  models: (none) -> a", "1 key unchanged"]
    assert "sk-" not in str(lines)


# ----------------------------------------------------------------------------------------------------------- receipt
SPENT = {"total": {"cost": 1.23456}}
WARNING = "WARNING: there is no file with the receipt of lab abc, whose keys are deleted all the same: "


@pytest.mark.parametrize(
    ("result", "check_mode", "messages"),
    [
        ({"receipt": SPENT, "dest": "/r.json"}, False, ["The lab abc has spent 1.2346 USD; receipt: /r.json."]),
        ({"receipt": SPENT, "dest": "/r.json"}, True, ["The lab abc has spent 1.2346 USD."]),
        ({"receipt": {"total": {"cost": 0}}, "dest": ""}, False, ["The lab abc has spent 0.0000 USD."]),
        ({"receipt": SPENT, "dest": "", "code": "not_written", "msg": "No space."}, False, [f"{WARNING}No space.", "The lab abc has spent 1.2346 USD."]),
        ({"msg": "No answer.", "code": "unreachable"}, False, [f"{WARNING}No answer."]),
        ({"rc": 1}, False, [f"{WARNING}the module failed."]),
    ],
)
def test_messages_about_a_receipt(result: dict[str, Any], check_mode: bool, messages: list[str]) -> None:
    assert receipt_messages(result, "abc", check_mode=check_mode) == messages
