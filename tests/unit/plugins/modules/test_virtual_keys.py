# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import durations
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.options import VALUE_SPEC
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm import options
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.modules import run_module
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import MASTER_KEY, LitellmModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.scripted import Reply
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.served_model import Fault, ServedModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.module_parts import SECRET, Modules

CLASS = {"guid": "abc", "models": ["granite"], "duration": "1d", "keys": [{"user": "user1"}, {"user": "user2"}]}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LITELLM_BASE_URL", "LITELLM_MASTER_KEY", "LITELLM_API_KEY", "LITELLM_DERIVATION_SECRET"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def modules() -> Iterator[Modules]:
    with ServedModel(LitellmModel(teams={"blue": ()})) as served:
        yield Modules(served)


def values(result: dict[str, Any]) -> list[str]:
    return [key["value"] for key in result["virtual_keys"] if "value" in key]


# ------------------------------------------------------------------------------------------------------------- secrets
def test_values_are_returned_only_to_tasks_that_hide_them(modules: Modules) -> None:
    hidden = modules.run_ok("virtual_keys", **CLASS, _no_log=True)
    assert len(values(hidden)) == 2 and all(modules.served.model.works(value) for value in values(hidden))
    shown = modules.run_ok("virtual_keys", **CLASS, _no_log=False)
    assert values(shown) == []
    assert not any(value in json.dumps(shown) for value in values(hidden))


def test_the_same_values_again_and_from_anywhere(modules: Modules) -> None:
    first, second = modules.run_ok("virtual_keys", **CLASS), modules.run_ok("virtual_keys", **CLASS)
    assert (first["changed"], second["changed"]) == (True, False)
    assert values(first) == values(second)


@pytest.mark.parametrize("no_log", [True, False])
def test_secrets_are_never_returned(modules: Modules, no_log: bool) -> None:
    runs = [
        modules("virtual_keys", **CLASS, _no_log=no_log, _diff=True),
        modules("virtual_keys", **CLASS, rotation="a", _no_log=no_log, _diff=True),
        modules("virtual_keys", **{**CLASS, "models": ["gpt-9"]}, _no_log=no_log),
        modules("virtual_keys", **CLASS, api_key="sk-wrong-and-secret-01", _no_log=no_log),
        modules("virtual_keys", **CLASS, url="nonsense", _no_log=no_log),
    ]
    printed = json.dumps(runs)
    assert MASTER_KEY not in printed and SECRET not in printed and "sk-wrong-and-secret-01" not in printed
    assert "sk-" not in json.dumps([run.get("diff") for run in runs])


def test_every_secret_argument_is_marked() -> None:
    specs = {**options.GATEWAY_SPEC, **VALUE_SPEC}
    assert {name for name, spec in specs.items() if spec.get("no_log")} == {"api_key", "secret"}


# ------------------------------------------------------------------------------------------------------------ arguments
def test_the_environment_fills_what_is_not_given(modules: Modules, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITELLM_BASE_URL", modules.served.url)
    monkeypatch.setenv("LITELLM_API_KEY", "sk-not-this-one-0123")
    monkeypatch.setenv("LITELLM_MASTER_KEY", MASTER_KEY)
    monkeypatch.setenv("LITELLM_DERIVATION_SECRET", SECRET)
    from_environment = run_module("virtual_keys", CLASS)
    assert from_environment["changed"], from_environment
    assert values(modules.run_ok("virtual_keys", **CLASS)) == values(from_environment)
    monkeypatch.delenv("LITELLM_MASTER_KEY")
    assert run_module("virtual_keys", CLASS)["code"] == "unauthorized"


def test_the_secret_falls_back_to_the_master_key(modules: Modules) -> None:
    one = run_module("virtual_keys", {**CLASS, "url": modules.served.url, "master_key": MASTER_KEY})
    assert values(one) == values(modules.run_ok("virtual_keys", **CLASS, secret=MASTER_KEY))


BAD: list[tuple[dict[str, Any], str]] = [
    ({"guid": None, "keys": None}, "one of the following is required: guid, lab_alias, keys"),
    ({"guid": ""}, "guid is empty"),
    ({"guid": "a/b"}, "guid is 'a/b'"),
    ({"guid": "a..b"}, "guid is 'a..b'"),
    ({"guid": "a\nb"}, r"guid is 'a\nb'"),
    ({"guid": "a" * 129}, "guid has 129 characters"),
    ({"guid": None, "lab_alias": "", "keys": None, "state": "absent"}, "guid and lab_alias are empty"),
    ({"lab_alias": "a b"}, "alias is 'a b'"),
    ({"keys": []}, "keys is empty"),
    ({"keys": [{"user": "a b"}]}, "user is 'a b'"),
    ({"keys": [{"user": "user1"}, {"user": "user1"}]}, "twice"),
    ({"keys": [{"user": "user1", "models": []}]}, "models is empty"),
    ({"models": []}, "models is empty"),
    ({"duration": "1h30m"}, "duration is '1h30m'"),
    ({"duration": "-1"}, "duration is '-1'"),
    ({"keys": [{"user": "user1", "duration": "90"}]}, "duration is '90'"),
    ({"extend_for": "1y"}, "extend_for is '1y'"),
    ({"extend_for": "-2h"}, "extend_for is '-2h'"),
    ({"user_id": " "}, "user_id is ' '; give it without blanks around it"),
    ({"team_id": "blue "}, "team_id is 'blue '; give it without blanks around it"),
    ({"package": "\n"}, r"package is '\n'; give it without blanks around it"),
    ({"rotation": " a"}, "rotation is ' a'; give it without blanks around it"),
    ({"max_budget": -7}, "max_budget is -7"),
    ({"rotation_grace": "soon"}, "rotation_grace is 'soon'"),
    ({"secret": "short"}, "secret has 5 characters"),
    ({"state": "exact", "keys": None}, "state is exact and keys is not given"),
    ({"url": "litellm.example.com"}, "url is 'litellm.example.com'"),
    ({"url": "https://a:b@litellm.example.com"}, "url holds a user name"),
    ({"api_key": ""}, "api_key is empty"),
    ({"ca_path": "/nowhere/ca.pem"}, "ca_path is /nowhere/ca.pem, which cannot be read"),
    ({"retries": 99}, "retries is 99"),
    ({"parallel_calls": 0}, "parallel_calls is 0"),
]


@pytest.mark.parametrize(("bad", "words"), BAD, ids=[words for _bad, words in BAD])
@pytest.mark.parametrize("check", [True, False])
def test_bad_input_is_refused_before_anything_is_asked(modules: Modules, bad: dict[str, Any], words: str, check: bool) -> None:
    result = modules("virtual_keys", **{**CLASS, **bad}, _check=check)
    assert result["failed"] and words in result["msg"] and "\n" not in result["msg"]
    assert result.get("code", "bad_input") == "bad_input" and not result.get("changed")
    assert modules.served.requests == []


@pytest.mark.parametrize("check", [True, False])
def test_input_that_only_the_gateway_can_judge_is_refused_before_a_write(modules: Modules, check: bool) -> None:
    for bad, code in (({"models": ["gpt-9"]}, "unknown_model"), ({"team_id": "red"}, "unknown_team")):
        result = modules("virtual_keys", **{**CLASS, **bad}, _check=check)
        assert (result["code"], result["changed"]) == (code, False)
    assert modules.served.writes() == []


@pytest.mark.parametrize("check", [True, False])
def test_an_end_that_has_passed_by_the_gateways_clock_is_refused_before_a_write(modules: Modules, check: bool) -> None:
    result = modules("virtual_keys", **{**CLASS, "extend_until": "2020-01-01T00:00:00Z"}, _check=check)
    assert "extend_until is 2020-01-01T00:00:00Z, which has passed" in result["msg"]
    assert (result["code"], result["changed"]) == ("bad_input", False)
    assert modules.served.writes() == []


def test_without_requests_the_module_says_so(modules: Modules, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "REQUESTS_ERROR", ImportError("no module"))
    result = modules("virtual_keys", **CLASS)
    assert result["code"] == "missing_library" and "requests" in result["msg"]


def test_an_unreadable_file_is_named(modules: Modules, tmp_path: Path) -> None:
    result = modules("virtual_keys", **CLASS, client_key=str(tmp_path / "none"))
    assert result["msg"].startswith("client_key is ") and result["code"] == "bad_input"


# --------------------------------------------------------------------------------------------------------------- states
def test_present_exact_absent(modules: Modules) -> None:
    assert modules.run_ok("virtual_keys", **CLASS)["counts"]["created"] == 2
    one = {**CLASS, "keys": [{"user": "user1"}]}
    assert modules.run_ok("virtual_keys", **one)["changed"] is False
    exact = modules.run_ok("virtual_keys", **one, state="exact")
    assert exact["counts"] == {"created": 0, "updated": 0, "rotated": 0, "unchanged": 1, "deleted": 1}
    assert exact["revocation"]["proven"] == ["virtkey-abc-user2"]
    gone = modules.run_ok("virtual_keys", guid="abc", state="absent")
    assert gone["counts"]["deleted"] == 1
    assert gone["revocation"]["proven"] == ["virtkey-abc-user1", "virtkey-abc-user2"], "user2's was deleted today, too"
    assert modules.run_ok("virtual_keys", guid="abc", state="absent")["changed"] is False


def test_absent_takes_the_named_keys_only(modules: Modules) -> None:
    modules.run_ok("virtual_keys", **CLASS)
    result = modules.run_ok("virtual_keys", guid="abc", state="absent", keys=[{"user": "user2"}, {"user": "user3"}])
    assert [key["alias"] for key in result["virtual_keys"]] == ["virtkey-abc-user2"]
    assert len(modules.served.model.rows) == 1


def test_absent_takes_a_named_key_of_the_named_guid_only(modules: Modules) -> None:
    keys = [{"alias": "team-abc12", "guid": "abc12"}]
    modules.run_ok("virtual_keys", keys=keys, models=["granite"])
    other = modules.run_ok("virtual_keys", keys=[{"alias": "team-abc12", "guid": "abc1"}], state="absent")
    assert not other["changed"] and "the key team-abc12 is left alone, for it belongs to the lab abc12." in str(other["warnings"])
    assert modules.run_ok("virtual_keys", keys=keys, state="absent")["counts"]["deleted"] == 1


def test_proof_may_also_be_left_out_of_exact(modules: Modules) -> None:
    modules.run_ok("virtual_keys", **CLASS)
    modules.served.requests.clear()
    result = modules.run_ok("virtual_keys", **{**CLASS, "keys": [{"user": "user1"}]}, state="exact", proof="none")
    assert result["revocation"]["listed_only"] == ["virtkey-abc-user2"] and modules.served.asked("/models") == []


@pytest.mark.parametrize(
    ("reply", "code"), [(Reply(json={"data": []}), "still_accepted"), (Reply(status=401, text="<html>"), "unproven")], ids=["accepted", "HTML"]
)
def test_a_deletion_without_its_proof_fails_with_a_code_of_its_own(modules: Modules, reply: Reply, code: str) -> None:
    modules.run_ok("virtual_keys", **CLASS)
    modules.served.faults = [Fault("/models", reply)]
    result = modules("virtual_keys", guid="abc", state="absent", proof_cache_time=0, proof_timeout=30)
    assert result["failed"] and result["changed"] and result["code"] == code and result["counts"]["deleted"] == 2
    assert result["revocation"][code] == ["virtkey-abc-user1", "virtkey-abc-user2"] and result["revocation"]["proven"] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"proof": "certain", "proof_timeout": 60}, "proof_timeout is 60; give a number of seconds above 65"),
        ({"proof_workers": 0}, "proof_workers is 0; give a number from 1"),
        ({"proof_cache_time": -1}, "proof_cache_time is -1; give a number from 0"),
    ],
)
def test_a_proof_that_cannot_be_is_refused_before_anything_is_deleted(modules: Modules, arguments: dict[str, Any], words: str) -> None:
    modules.run_ok("virtual_keys", **CLASS)
    result = modules("virtual_keys", guid="abc", state="absent", **arguments)
    assert result["code"] == "bad_input" and words in result["msg"] and len(modules.served.model.rows) == 2


@pytest.mark.parametrize(
    ("module", "arguments", "code"),
    [
        ("virtual_keys", CLASS, "bad_input"),
        ("virtual_keys", {"guid": "abc", "rotation": "a"}, "bad_input"),
        ("virtual_keys", {"guid": "abc", "extend_for": "1d"}, "unauthorized"),
        ("virtual_keys", {"guid": "abc", "blocked": True}, "unauthorized"),
        ("virtual_keys", {"guid": "abc", "state": "absent"}, "unauthorized"),
        ("virtual_keys", {"guid": "abc", "state": "absent", "keys": [{"user": "user1"}]}, "unauthorized"),
        ("virtual_key", {"alias": "project-blue", "models": ["granite"]}, "bad_input"),
        ("virtual_key", {"alias": "project-blue", "state": "blocked"}, "unauthorized"),
        ("virtual_key", {"alias": "project-blue", "state": "absent"}, "unauthorized"),
    ],
    ids=str,
)
def test_no_values_are_derived_from_a_master_key_that_can_be_guessed(modules: Modules, module: str, arguments: dict[str, Any], code: str) -> None:
    """What makes no values goes on and asks the gateway, which does not know this key."""
    result = modules(module, **arguments, api_key="sk-1234", secret=None)
    assert result["code"] == code and ("LITELLM_DERIVATION_SECRET" in result["msg"]) == (code == "bad_input"), result
    assert (modules.served.requests == []) == (code == "bad_input")


def test_all_keys_of_a_lab_at_once(modules: Modules) -> None:
    modules.run_ok("virtual_keys", **CLASS)
    for change, count in (({"extend_for": "7d"}, 2), ({"blocked": True}, 2), ({"blocked": False}, 2), ({"max_budget": 3.0}, 2), ({"rotation": "a"}, 2)):
        for check in (True, False):
            result = modules.run_ok("virtual_keys", guid="abc", **change, _check=check)
            assert result["changed"], (change, check)
        assert sum(result["counts"][name] for name in ("updated", "rotated")) == count
        assert modules.run_ok("virtual_keys", guid="abc", **change)["changed"] is False
    assert modules("virtual_keys", guid="nobody", extend_for="7d")["code"] == "no_such_lab"


def test_the_check_of_models_can_be_switched_off(modules: Modules) -> None:
    modules.run_ok("virtual_keys", **CLASS)
    later = {"guid": "abc", "models": ["gpt-9"]}
    assert modules("virtual_keys", **later)["code"] == "unknown_model"
    assert modules.run_ok("virtual_keys", **later, check_models=False)["counts"]["updated"] == 2
    one = {"alias": "virtkey-abc-user1", "models": ["gpt-10"], "state": "blocked"}
    assert modules("virtual_key", **one)["code"] == "unknown_model"
    assert modules.run_ok("virtual_key", **one, check_models=False)["key"]["models"] == ["gpt-10"]


@pytest.mark.parametrize(
    "step",
    [
        CLASS,
        {"guid": "abc", "extend_for": "30d", "max_budget": 4},
        {**CLASS, "rotation": "a", "rotation_grace": "1h"},
        {**CLASS, "duration": "never", "keys": [{"user": "user3"}]},
    ],
    ids=["create", "extend", "rotate", "for ever"],
)
def test_check_mode_reports_for_each_key_what_the_real_run_does(modules: Modules, step: dict[str, Any]) -> None:
    if step is not CLASS:
        modules.run_ok("virtual_keys", **CLASS)
        modules.served.model.pass_time(3600)
    predicted, real = (modules.run_ok("virtual_keys", **step, _check=check)["virtual_keys"] for check in (True, False))
    moments = ("expires", "created_at")
    assert [{**key, **dict.fromkeys(moments)} for key in predicted] == [{**key, **dict.fromkeys(moments)} for key in real]
    for one, other in zip(predicted, real, strict=True):
        ends = [durations.parse_time(key["expires"]) for key in (one, other) if key["expires"]]
        assert not ends or abs(ends[0] - ends[1]) < timedelta(seconds=5)


def test_a_partial_failure_is_reported_key_by_key(modules: Modules) -> None:
    broken = Reply(status=500, json={"error": {"message": "Internal Server Error."}})
    modules.served.faults = [Fault("/key/generate", broken, when=lambda request: request.body["key_alias"].endswith("user2"))]
    result = modules("virtual_keys", **CLASS)
    assert result["failed"] and result["changed"] and result["code"] == "incomplete"
    assert [(key["alias"], key["action"]) for key in result["virtual_keys"]] == [("virtkey-abc-user1", "created")]
    assert "virtkey-abc-user2" in result["msg"] and "run again" in result["msg"]
    modules.served.faults = []
    assert modules.run_ok("virtual_keys", **CLASS)["counts"]["created"] == 1


def test_errors_carry_code_and_status(modules: Modules) -> None:
    for fault, code, status in (
        (Reply(status=401, json={"error": {"message": "no"}}), "unauthorized", 401),
        (Reply(status=403, json={"detail": "no"}), "forbidden", 403),
        (Reply(status=403, json={"detail": "Only proxy admin can do this"}), "not_admin", 403),
        (Reply(text="<html>"), "not_litellm", 200),
        (Reply(status=500, json={"error": {"message": "No connected db."}}), "no_database", 500),
        (Reply(status=429, json={"error": {"message": "slow"}}), "rate_limited", 429),
        (Reply(reset=True), "unreachable", None),
    ):
        modules.served.faults = [Fault("/key/list", fault)]
        for arguments_of_task in (CLASS, {"guid": "abc", "state": "absent"}, {"guid": "abc", "extend_for": "1d"}):
            result = modules("virtual_keys", **arguments_of_task)
            assert (result["code"], result["status"], result["changed"]) == (code, status, False), result


# ------------------------------------------------------------------------------------------------------ check and diff
def test_check_and_diff_agree_with_the_real_run(modules: Modules) -> None:
    wanted = {**CLASS, "max_budget": 5.0}
    for step in (wanted, {**wanted, "models": ["mistral"]}, {**wanted, "keys": [{"user": "user1"}], "state": "exact"}, {"guid": "abc", "state": "absent"}):
        predicted = modules.run_ok("virtual_keys", **step, _check=True, _diff=True)
        calls = len(modules.served.writes())
        real = modules.run_ok("virtual_keys", **step, _diff=True)
        assert len(modules.served.writes()) > calls
        assert (predicted["changed"], predicted["counts"], predicted["diff"]) == (real["changed"], real["counts"], real["diff"])
        again = modules.run_ok("virtual_keys", **step, _diff=True)
        assert again["changed"] is False and again["diff"] == {"before": {}, "after": {}}


def test_a_diff_names_what_changes_and_nothing_else(modules: Modules) -> None:
    modules.run_ok("virtual_keys", **CLASS)
    diff = modules.run_ok("virtual_keys", **{**CLASS, "keys": [{"user": "user1", "max_budget": 5}, {"user": "user2"}]}, _diff=True)["diff"]
    assert set(diff["before"]) == set(diff["after"]) == {"virtkey-abc-user1"}
    assert "max_budget" not in diff["before"]["virtkey-abc-user1"] and diff["after"]["virtkey-abc-user1"]["max_budget"] == 5.0


def test_calls_are_counted(modules: Modules) -> None:
    result = modules.run_ok("virtual_keys", **CLASS)
    assert result["calls"] == len(modules.served.requests) == 3 + 5


# ---------------------------------------------------------------------------------------------- options without effect
@pytest.mark.parametrize(
    ("module", "arguments", "words"),
    [
        ("virtual_keys", {"guid": "abc", "state": "absent", "duration": "1d"}, "duration would have no effect with state absent"),
        ("virtual_keys", {"guid": "abc", "state": "absent", "max_budget": 0, "rotation": "a"}, "max_budget, rotation would have no effect with state absent"),
        ("virtual_keys", {"guid": "abc", "state": "absent", "blocked": True}, "blocked would have no effect with state absent"),
        ("virtual_keys", {"guid": "abc", "state": "absent", "keep_going": True}, "keep_going would have no effect"),
        ("virtual_keys", {"guid": "abc", "state": "absent", "blocked": False}, "blocked would have no effect with state absent"),
        ("virtual_keys", {"guid": "abc", "state": "absent", "create": False}, "create would have no effect with state absent"),
        ("virtual_keys", {"guid": "abc", "state": "absent", "check_models": False}, "check_models would have no effect with state absent"),
        (
            "virtual_keys",
            {"guid": "abc", "state": "absent", "known_values": ["sk-known-0123456789"]},
            "known_values would have no effect with state absent",
        ),
        ("virtual_keys", {"guid": "abc", "state": "absent", "user_id": " "}, "user_id would have no effect with state absent"),
        ("virtual_keys", {"guid": "abc", "state": "absent", "keys": []}, "keys is empty; name the keys to delete, or leave it out to delete all"),
        ("virtual_keys", {"guid": "abc", "state": "absent", "keys": [{"user": "a"}, {"alias": "virtkey-abc-a"}]}, "keys holds virtkey-abc-a twice"),
        (
            "virtual_keys",
            {"guid": "abc", "state": "absent", "keys": [{"user": "a"}, {"user": "b", "max_budget": 1, "create": False}]},
            r"keys\[1\].max_budget, keys\[1\].create would have no effect with state absent",
        ),
        ("virtual_keys", {"guid": "abc", "create": False}, "create would have no effect without keys"),
        ("virtual_keys", {"guid": "abc", "deleted_elsewhere": [{"alias": "a"}]}, "deleted_elsewhere would have no effect with state present"),
        (
            "virtual_keys",
            {"guid": "abc", "state": "absent", "deleted_elsewhere": [{"alias": "a", "key_id": "sk-pasted-by-mistake"}]},
            "deleted_elsewhere has a key_id that is not the SHA-256 of a key",
        ),
        ("virtual_keys", {"guid": "abc", "state": "absent", "deleted_elsewhere": [{"alias": ""}]}, "deleted_elsewhere names an alias that is empty"),
        ("virtual_keys", {**CLASS, "state": "exact", "deleted_elsewhere": [{"alias": "a"}]}, "deleted_elsewhere would have no effect with state exact"),
        ("virtual_keys", {"guid": "abc", "duration": "1d"}, "duration would have no effect on keys that exist; .* use extend_for or extend_until"),
        ("virtual_keys", {"guid": "abc", "keep_going": True}, "keep_going would have no effect without keys"),
        ("virtual_keys", {"guid": "abc", "on_unrecoverable": "keep"}, "on_unrecoverable would have no effect without keys"),
        ("virtual_keys", {"guid": "abc", "rotation_grace": "1h"}, "rotation_grace would have no effect without rotation"),
        ("virtual_key", {"alias": "abc", "state": "absent", "models": ["granite"]}, "models would have no effect with state absent"),
        ("virtual_key", {"alias": "abc", "state": "absent", "create": False}, "create would have no effect with state absent"),
        ("virtual_key", {"alias": "abc", "state": "blocked", "create": False}, "create would have no effect with state blocked"),
        ("virtual_key", {"alias": "abc", "state": "blocked", "rotation": "a"}, "rotation would have no effect with state blocked"),
        ("virtual_key", {"alias": "abc", "state": "blocked", "duration": "1d"}, "duration would have no effect with state blocked"),
    ],
)
def test_an_option_without_effect_is_refused(modules: Modules, module: str, arguments: dict[str, Any], words: str) -> None:
    for check in (True, False):
        result = modules(module, **arguments, _check=check)
        assert result["failed"] and result["code"] == "bad_input" and re.search(words, result["msg"]), result
    assert not modules.served.requests


@pytest.mark.parametrize("proof", ["quick", "none"])
@pytest.mark.parametrize("way", ["virtual_key", "named keys", "lab"])
def test_deleting_a_key_ends_its_revoked_values_under_other_aliases(way: str, proof: str) -> None:
    with ServedModel(LitellmModel()) as served:
        modules, model = Modules(served), served.model
        keys = [{"user": "user1"}, {"user": "user2"}]
        old = modules.run_ok("virtual_keys", guid="abc", keys=keys, models=["granite"], _no_log=True)["virtual_keys"]
        modules.run_ok("virtual_keys", guid="abc", rotation="a")
        for key in old:
            model.handle("POST", "/key/generate", {}, {"key": key["value"], "key_alias": f"elsewhere-{key['user']}"})
        if way == "virtual_key":
            name, task = way, {"alias": "virtkey-abc-user1"}
        else:
            name, task = "virtual_keys", {"guid": "abc", **({"keys": keys[:1]} if way == "named keys" else {})}
        for time in range(3):
            assert modules.run_ok(name, **task, state="absent", proof=proof)["changed"] is (time == 0)
            assert [model.works(key["value"]) for key in old] == [False, way != "lab"]


def test_deleting_named_keys_warns_of_those_that_belong_to_another_lab() -> None:
    with ServedModel(LitellmModel()) as served:
        modules = Modules(served)
        modules.run_ok("virtual_keys", guid="abc-b", keys=[{"user": "user1"}], models=["granite"])
        result = modules.run_ok("virtual_keys", guid="abc", keys=[{"user": "b-user1"}], state="absent")
        assert not result["changed"] and len(served.model.rows) == 1
        assert any("is left alone, for it belongs to the lab abc-b." in str(warning) for warning in result["warnings"])
