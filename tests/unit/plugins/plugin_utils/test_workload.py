# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.limits import LIMITS_SPEC
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils import workload

PACKAGES = {
    "small": {"models": ["a", "b"], "duration": "7d", "rpm_limit": 9},
    "misspelt": {"modles": ["a"], "duration": "7d", "budget": 3},
    "no models": {"duration": "7d"},
    "no duration": {"models": ["a"]},
    "text": "a",
    "one model": {"models": "a", "duration": "7d"},
}
ENDPOINT = "https://litellm.example.com"
DOCLING = {"model": "docling", "endpoint": f"{ENDPOINT}/v1/convert/source"}


# ------------------------------------------------------------------------------------------------------------- terms
def test_a_limit_that_the_package_does_not_name_is_removed_from_keys() -> None:
    assert workload.terms(PACKAGES, "small") == {
        **workload.NO_LIMITS,
        "models": ["a", "b"],
        "duration": "7d",
        "rpm_limit": 9,
        "package": "small",
        "docling": {},
        "runtime_duration": "",
        "problem": "",
    }


def test_every_setting_of_a_package_is_an_option_of_the_module() -> None:
    not_for_packages = {"extend_for", "extend_until", "model_max_budget", "metadata", "user_id", "package"}
    assert set(workload.SETTINGS) == LIMITS_SPEC.keys() - not_for_packages


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({"models": ["c"]}, {"models": ["c"]}),
        ({"models": []}, {"models": []}),
        ({"duration": "1d"}, {"duration": "1d"}),
        ({"duration": ""}, {"duration": ""}),
        ({"max_budget": 0}, {"max_budget": 0}),
        ({"models": None, "duration": None, "max_budget": None}, {"models": ["a", "b"], "duration": "7d", "max_budget": -1}),
        ({"runtime": "36"}, {"duration": "36h", "runtime_duration": "36h"}),
        ({"runtime": "36", "duration": "1d"}, {"duration": "36h"}),
        ({"docling": DOCLING}, {"models": ["a", "b", "docling"], "docling": DOCLING}),
        ({"docling": DOCLING, "models": ["c"]}, {"models": ["c", "docling"]}),
    ],
)
def test_what_the_caller_sets_replaces_the_package_s_settings(own: dict[str, Any], expected: dict[str, Any]) -> None:
    terms = workload.terms(PACKAGES, "small", **own)
    assert {name: terms[name] for name in expected} == expected
    assert not terms["problem"]
    assert PACKAGES["small"]["models"] == ["a", "b"], "the package stays as it is"


def test_own_settings_complete_a_package() -> None:
    assert workload.terms(PACKAGES, "no models", models=["c"])["models"] == ["c"]
    assert workload.terms(PACKAGES, "no duration", duration="1d")["duration"] == "1d"
    for lifetime in ({"duration": "1d"}, {"runtime": "2"}):
        assert workload.terms(PACKAGES, "no duration", **lifetime)["problem"] == ""


@pytest.mark.parametrize(
    ("package", "own", "problem"),
    [
        (
            "gold",
            {},
            (
                "ocp4_workload_litellm_virtual_keys_subscription_package is 'gold', and there is no such package; choose one of small, misspelt, "
                "no models, no duration, text, one model, or add it to ocp4_workload_litellm_virtual_keys_packages."
            ),
        ),
        (
            "misspelt",
            {},
            (
                "The package 'misspelt' in ocp4_workload_litellm_virtual_keys_packages has budget, modles, which no package can have; correct it to "
                "one of models, duration, max_budget, soft_budget, budget_duration, rpm_limit, tpm_limit, max_parallel_requests, allowed_routes, "
                "tags, team_id, or take it out."
            ),
        ),
        ("text", {}, "The package 'text' in ocp4_workload_litellm_virtual_keys_packages is not a mapping; give it models and duration."),
        (
            "no models",
            {"docling": DOCLING},
            "The package 'no models' in ocp4_workload_litellm_virtual_keys_packages has no models; add it, or set ocp4_workload_litellm_virtual_keys_models.",
        ),
        ("no duration", {}, "has no duration; add it, or set ocp4_workload_litellm_virtual_keys_duration."),
        ("one model", {"docling": DOCLING}, "The models of the package 'one model', or those in ocp4_workload_litellm_virtual_keys_models, are not a list"),
        ("small", {"models": "a,b"}, "The models of the package 'small', or those in ocp4_workload_litellm_virtual_keys_models, are not a list"),
    ],
)
def test_a_problem_is_one_sentence_and_leaves_the_runtime_usable(package: str, own: dict[str, Any], problem: str) -> None:
    terms = workload.terms(PACKAGES, package, **own)
    assert problem in terms["problem"]
    assert terms["problem"].endswith(".")
    assert workload.terms(PACKAGES, package, runtime="2", **own)["runtime_duration"] == "2h"


@pytest.mark.parametrize(
    ("runtime", "duration"),
    [("", ""), ("36", "36h"), ("007", "007h"), ("1.5", "90m"), ("0.125", "8m"), ("0.375", "22m"), ("0.001", "0m"), ("x", "0m"), ("inf", "0m")],
)
def test_a_runtime_becomes_a_duration(runtime: str, duration: str) -> None:
    assert workload.runtime_duration(runtime) == duration


# -------------------------------------------------------------------------------------------------------------- keys
def keys(user_count: object = 1, **settings: Any) -> list[dict[str, str]]:
    return workload.keys(user_count, **{"user_base": "user", "email_domain": "x.org", "user_id": " ann@example.com\n", **settings})


ONE_KEY = [{"user_id": "ann@example.com"}]


def test_many_users_have_a_key_each() -> None:
    assert keys("03", user_base="student-", multi_user=True) == [{"user": f"student-{n}", "user_id": f"student-{n}@x.org"} for n in (1, 2, 3)]


@pytest.mark.parametrize(
    ("settings", "many"),
    [
        ({}, False),
        ({"num_users": 1}, False),
        ({"num_users": 2}, True),
        ({"num_users": "02"}, True),
        ({"num_users": "10"}, True),
        ({"num_users": "many"}, False),
        ({"num_users": -3}, False),
        ({"num_users": None}, False),
        ({"lab_multi_user": True}, True),
        ({"multi_user": True}, True),
        ({"multi_user": False, "num_users": 5, "lab_multi_user": True}, False),
        ({"tenant": "anna", "num_users": 5, "lab_multi_user": True}, False),
        ({"tenant": "anna", "multi_user": True}, True),
    ],
)
def test_the_settings_that_decide_between_one_key_and_many(settings: dict[str, Any], many: bool) -> None:
    assert keys(2, **settings) == (keys(2, multi_user=True) if many else ONE_KEY)


@pytest.mark.parametrize("user_count", ["many", -1, 0, "", None, 2.5])
def test_a_number_of_users_that_is_refused_makes_no_key(user_count: object) -> None:
    assert keys(user_count, multi_user=True) == []


def test_the_user_of_one_key_may_be_a_number() -> None:
    assert keys(user_id=12345) == [{"user_id": "12345"}]


# --------------------------------------------------------------------------------------------------------- user info
def key(user: str = "", **more: Any) -> dict[str, Any]:
    name = user or "lab"
    return {
        "alias": f"virtkey-abc-{name}",
        "user": user,
        "user_id": f"{name}@x.org",
        "action": "created",
        "key_id": f"id-{name}",
        "value": f"sk-{name}",
        "expires": "2026-12-24T00:00:00Z",
        **more,
    }


def without_value(one: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in one.items() if name != "value"}


TERMS = workload.terms(PACKAGES, "small")
SHARED = {
    "litellm_api_endpoint": ENDPOINT,
    "litellm_api_base_url": f"{ENDPOINT}/v1",
    "litellm_available_models": ["a", "b"],
    "litellm_available_models_list": "a, b",
    "litellm_key_duration": "7d",
    "litellm_subscription_package": "small",
}


def own_data(user: str) -> dict[str, str]:
    return {
        "litellm_virtual_key": f"sk-{user}",
        "litellm_key_alias": f"virtkey-abc-{user}",
        "litellm_key_id": f"id-{user}",
        "litellm_user_email": f"{user}@x.org",
    }


def test_one_key() -> None:
    found = workload.user_info([key()], endpoint=ENDPOINT, terms=TERMS)
    assert found == {
        "facts": {"litellm_virtual_key": "sk-lab", "litellm_key_alias": "virtkey-abc-lab", "litellm_key_id": "id-lab", "_litellm_user_data": {}},
        "user_count": 0,
        "count": 1,
        "known_count": 1,
        "shared_data": {**SHARED, "litellm_user_count": 0},
        "data_by_user": {},
        "data_by_key": [
            {
                "user": "",
                "alias": "virtkey-abc-lab",
                "data": {**SHARED, "litellm_virtual_key": "sk-lab", "litellm_key_alias": "virtkey-abc-lab", "litellm_key_id": "id-lab"},
            }
        ],
        "messages": [f"LiteLLM API Endpoint: {ENDPOINT}/v1", "LiteLLM Virtual Key: sk-lab", "Available Models: a, b", "Key Duration: 7d"],
        "earliest_end": "2026-12-24T00:00:00Z",
    }


def test_many_keys() -> None:
    found = workload.user_info([key("user1"), key("user2")], endpoint=ENDPOINT, terms=TERMS)
    assert found["facts"] == {
        "litellm_virtual_key": "sk-user1",
        "litellm_key_alias": "virtkey-abc-user1",
        "litellm_key_id": "id-user1",
        "_litellm_user_data": {
            "litellm_user1_virtual_key": "sk-user1",
            "litellm_user2_virtual_key": "sk-user2",
            "litellm_user1_key_alias": "virtkey-abc-user1",
            "litellm_user2_key_alias": "virtkey-abc-user2",
            "litellm_user1_key_id": "id-user1",
            "litellm_user2_key_id": "id-user2",
            "litellm_user1_user_email": "user1@x.org",
            "litellm_user2_user_email": "user2@x.org",
        },
    }
    assert found["shared_data"] == {**SHARED, "litellm_user_count": 2}
    assert found["data_by_user"] == {user: {**SHARED, **own_data(user)} for user in ("user1", "user2")}
    assert found["data_by_key"] == [{"user": user, "alias": f"virtkey-abc-{user}", "data": data} for user, data in found["data_by_user"].items()]
    assert found["messages"] == [f"LiteLLM API Endpoint: {ENDPOINT}/v1", "Created 2 virtual keys", "Available Models: a, b", "Key Duration: 7d"]


def test_values_stay_out_of_facts_and_reach_user_data() -> None:
    found = workload.user_info([key("user1")], endpoint=ENDPOINT, terms=TERMS, values_in_facts=False)
    assert found["facts"] == {"litellm_virtual_key": "", "litellm_key_alias": "virtkey-abc-user1", "litellm_key_id": "id-user1", "_litellm_user_data": {}}
    assert found["data_by_user"]["user1"]["litellm_virtual_key"] == "sk-user1"
    assert "sk-" not in str(found["shared_data"])


@pytest.mark.parametrize("values_in_facts", [True, False])
def test_all_keys_reach_the_shared_data_when_wanted(values_in_facts: bool) -> None:
    shared = workload.user_info([key("user1")], all_keys=True, values_in_facts=values_in_facts)["shared_data"]
    assert shared == {
        "litellm_user_count": 1,
        "litellm_user1_virtual_key": "sk-user1",
        "litellm_user1_key_alias": "virtkey-abc-user1",
        "litellm_user1_key_id": "id-user1",
        "litellm_user1_user_email": "user1@x.org",
    }


def test_a_value_that_nobody_knows_is_left_out() -> None:
    found = workload.user_info([without_value(key("user1")), key("user2")], endpoint=ENDPOINT)
    assert (found["count"], found["known_count"]) == (2, 1)
    assert found["facts"]["litellm_virtual_key"] == ""
    assert found["facts"]["_litellm_user_data"]["litellm_user1_virtual_key"] == ""
    assert found["data_by_user"]["user1"] == {name: value for name, value in own_data("user1").items() if name != "litellm_virtual_key"}
    assert found["data_by_user"]["user2"] == own_data("user2")
    assert workload.user_info([without_value(key())], endpoint=ENDPOINT, terms=TERMS)["messages"][1] == "LiteLLM Virtual Key: as it was handed out"


def test_deleted_keys_do_not_count() -> None:
    found = workload.user_info([key("user1"), key("user2", action="deleted", expires="2026-01-01T00:00:00Z")], endpoint=ENDPOINT, terms=TERMS)
    assert (found["count"], found["user_count"], list(found["data_by_user"])) == (1, 1, ["user1"])
    assert found["earliest_end"] == "2026-12-24T00:00:00Z"
    assert "virtkey-abc-user2" not in str(found)


def test_without_terms_nothing_but_the_keys_is_published() -> None:
    found = workload.user_info([key("user1")], endpoint=ENDPOINT, terms={})
    assert found["shared_data"] == {"litellm_user_count": 1}
    assert found["data_by_user"] == {"user1": own_data("user1")}
    assert found["messages"] == []


def test_docling_is_in_user_data_and_messages() -> None:
    found = workload.user_info([key("user1")], endpoint=ENDPOINT, terms=workload.terms(PACKAGES, "small", docling=DOCLING))
    docling = {"litellm_docling_endpoint": DOCLING["endpoint"], "litellm_docling_model": "docling"}
    assert found["shared_data"].items() >= docling.items()
    assert found["data_by_user"]["user1"].items() >= docling.items()
    assert found["messages"][2] == "Available Models: a, b, docling"
    assert found["messages"][4:] == [f"Docling Endpoint: {DOCLING['endpoint']}", "Docling Model: docling"]


@pytest.mark.parametrize(
    ("ends", "earliest"),
    [
        (["2026-12-24T00:00:00Z", "2026-11-30T00:00:00Z", None], "2026-11-30T00:00:00Z"),
        ([None], ""),
        ([], ""),
    ],
)
def test_the_earliest_end(ends: list[str | None], earliest: str) -> None:
    assert workload.user_info([key(f"user{n}", expires=end) for n, end in enumerate(ends)])["earliest_end"] == earliest


def test_a_lab_without_keys_has_no_facts_of_a_key() -> None:
    found = workload.user_info([], endpoint=ENDPOINT, terms=TERMS)
    assert found["facts"] == {"_litellm_user_data": {}}
    assert (found["count"], found["data_by_key"]) == (0, [])


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
    assert workload.receipt_messages(result, "abc", check_mode=check_mode) == messages
