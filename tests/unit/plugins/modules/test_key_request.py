# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The modules key_request, key_request_info and key_requests, on a directory."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.modules import run_module

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a module on the test's own directory of requests."""

    def run(name: str, *, check: bool = False, **arguments: Any) -> dict[str, Any]:
        return run_module(name, {"directory": str(tmp_path / "requests"), **arguments}, check=check, diff=True, no_log=False)

    return run


def ask(run: Run, email: str = "ada@example.com", **more: Any) -> dict[str, Any]:
    result = run("key_request", **{"email": email, "model": "gpt-4", **more})
    assert not result.get("failed"), result
    request: dict[str, Any] = result["request"]
    return request


def record(run: Run, *changes: dict[str, Any], check: bool = False) -> dict[str, Any]:
    return run("key_requests", changes=list(changes), check=check)


# ------------------------------------------------------------------------------------------------------- key_request
def test_asking_twice_makes_one_request(run: Run) -> None:
    rehearsed = run("key_request", email="ada@example.com", model="gpt-4", check=True)
    first = run("key_request", email="ada@example.com", model="gpt-4")
    again = run("key_request", email="ADA@EXAMPLE.com", models=["gpt-4"])
    assert [result["changed"] for result in (rehearsed, first, again)] == [True, True, False]
    assert first["request"]["request_id"] == again["request"]["request_id"] == rehearsed["request"]["request_id"]
    assert first["diff"]["before"] == {}
    assert first["diff"]["after"]["state"] == "pending"
    assert (again["request"]["email"], again["request"]["state"]) == ("ada@example.com", "pending")


def test_another_model_package_lab_or_user_is_another_request(run: Run) -> None:
    asked = [
        ask(run),
        ask(run, model="gpt-5"),
        ask(run, model="", package="ai-developer"),
        ask(run, guid="abc12"),
        ask(run, guid="abc12", user="user1"),
        ask(run, email="bob@example.com"),
    ]
    assert len({request["request_id"] for request in asked}) == 6


@pytest.mark.parametrize("state", ["approved", "denied", "cancelled"])
def test_decisions_are_idempotent_and_have_a_check_mode(run: Run, state: str) -> None:
    ask(run)
    wish = {"email": "ada@example.com", "model": "gpt-4", "state": state, "reason": "because", "actor": "grace"}
    results = [run("key_request", check=True, **wish), run("key_request", **wish), run("key_request", **wish)]
    assert [result["changed"] for result in results] == [True, True, False]
    request = results[1]["request"]
    assert request["state"] == ("approved" if state == "approved" else "denied")
    assert (request["reason"], request["cancelled"]) == ("because", state == "cancelled")
    assert {key: request["history"][-1][key] for key in ("by", "from", "to", "reason")} == {
        "by": "grace",
        "from": "pending",
        "to": request["state"],
        "reason": "because",
    }


def test_the_history_distinguishes_requester_and_decider(run: Run) -> None:
    asked = ask(run, actor="service-desk")
    decided = run("key_request", state="approved", request_id=asked["request_id"])["request"]
    cancelled = run("key_request", state="cancelled", request_id=asked["request_id"])["request"]
    assert asked["email"] == "ada@example.com"
    assert [step["by"] for step in cancelled["history"]] == ["service-desk", getpass.getuser(), "ada@example.com"]
    assert decided["history"][-1]["by"] == getpass.getuser()


def test_an_approval_may_grant_less(run: Run) -> None:
    asked = ask(run, duration="90d", max_budget=100)
    approved = run("key_request", state="approved", request_id=asked["request_id"], duration="7d", max_budget=5)["request"]
    assert approved["granted"] == {"duration": "7d", "max_budget": 5}
    assert (approved["duration"], approved["max_budget"]) == ("90d", 100)


def test_a_denied_request_starts_again_only_on_demand_and_a_cancelled_one_at_once(run: Run) -> None:
    asked = ask(run)
    run("key_request", state="denied", request_id=asked["request_id"], reason="no")
    assert ask(run)["state"] == "denied"
    assert ask(run, again=True)["state"] == "pending"
    run("key_request", state="cancelled", request_id=asked["request_id"])
    assert ask(run)["state"] == "pending"


def test_absent(run: Run) -> None:
    ask(run)
    wish = {"email": "ada@example.com", "model": "gpt-4", "state": "absent"}
    results = [run("key_request", check=True, **wish), run("key_request", **wish), run("key_request", **wish)]
    assert [result["changed"] for result in results] == [True, True, False]
    assert run("key_request_info")["requests"] == []
    assert "request" not in results[1]


@pytest.mark.parametrize(
    ("wish", "code", "words"),
    [
        ({"email": "nobody", "model": "gpt-4"}, "bad_input", "email is"),
        ({"email": "a@b.example\nBcc: c@d.example", "model": "gpt-4"}, "bad_input", "email is"),
        ({"email": "ada@example.com", "model": "*"}, "bad_input", "more than one model"),
        ({"email": "ada@example.com", "model": "gpt-4", "purpose": "x" * 10_240}, "bad_input", "10240 characters"),
        ({"email": "ada@example.com", "model": "gpt-4", "purpose": "\x1b[31m"}, "bad_input", "control or direction"),
        ({"email": "ada@example.com", "model": "gpt-4", "duration": "1y"}, "bad_input", "duration is"),
        ({"email": "ada@example.com"}, "bad_input", "either models or a package"),
        ({"state": "approved", "request_id": "../../etc/passwd"}, "bad_input", "not the id of a request"),
        ({"state": "approved", "request_id": "none"}, "missing", "no request none"),
        ({"state": "approved", "email": "ada@example.com", "model": "gpt-4"}, "missing", "no such request"),
        ({"state": "denied", "request_id": "none"}, None, "reason"),
        ({"state": "denied"}, None, "one of the following is required"),
        ({"state": "submitted", "request_id": "none"}, None, "email"),
        ({"email": "ada@example.com", "model": "gpt-4", "package": "x"}, "bad_input", "either models or a package"),
    ],
)
def test_bad_input_changes_nothing(run: Run, tmp_path: Path, wish: dict[str, Any], code: str | None, words: str) -> None:
    result = run("key_request", **wish)
    assert result["failed"]
    assert result.get("code") == code
    assert words in result["msg"]
    assert len(result["msg"]) < 500
    assert "\x1b" not in result["msg"]
    assert not (tmp_path / "requests").exists()


def test_a_reason_with_terminal_escapes_is_refused_and_nothing_is_decided(run: Run) -> None:
    asked = ask(run)
    result = run("key_request", state="denied", request_id=asked["request_id"], reason="\x1b]0;owned\x07no")
    assert result["failed"]
    assert "control or direction" in result["msg"]
    assert ask(run)["state"] == "pending"


def test_html_in_a_reason_is_kept_as_it_is(run: Run) -> None:
    asked = ask(run)
    reason = "<a href='https://x.example'>click</a>\n& more"
    assert run("key_request", state="denied", request_id=asked["request_id"], reason=reason)["request"]["reason"] == reason


# -------------------------------------------------------------------------------------------------- key_request_info
def test_filters(run: Run) -> None:
    ids = {name: ask(run, email=f"{name}@example.com")["request_id"] for name in ("ada", "bob", "cleo", "dora", "eve")}
    record(
        run,
        {"request_id": ids["bob"], "action": "approve"},
        {"request_id": ids["cleo"], "action": "deny", "reason": "no"},
        {"request_id": ids["cleo"], "action": "finished"},
        {"request_id": ids["dora"], "action": "review"},
        {"request_id": ids["eve"], "action": "failed", "step": "decide", "reason": "gateway down"},
    )

    def people(**how: Any) -> set[str]:
        return {request["email"].partition("@")[0] for request in run("key_request_info", **how)["requests"]}

    assert people() == people(filter="all") == set(ids)
    assert people(filter="pending") == {"ada", "eve"}
    assert people(filter="review") == {"dora"}
    assert people(filter="approved") == {"bob"}
    assert people(filter="denied") == {"cleo"}
    assert people(filter="open") == {"ada", "bob", "dora", "eve"}
    assert people(filter="due") == {"ada", "bob", "dora"}
    assert people(email="ADA@example.com") == people(id=ids["ada"]) == {"ada"}
    assert people(id="none") == set()


def test_a_damaged_record_is_named_beside_the_others(run: Run, tmp_path: Path) -> None:
    asked = ask(run)
    ask(run, email="bob@example.com")
    file = tmp_path / "requests" / f"{asked['request_id']}.json"
    file.write_text("nonsense")
    result = run("key_request_info")
    assert len(result["requests"]) == 1
    assert result["set_aside"][0]["name"] == file.name
    alone = run("key_request_info", id=asked["request_id"])
    assert alone["requests"] == []
    assert "not JSON" in alone["set_aside"][0]["reason"]
    failed = run("key_request", state="approved", request_id=asked["request_id"])
    assert failed["code"] == "broken"
    assert file.read_text() == "nonsense"


# ------------------------------------------------------------------------------------------------------ key_requests
def test_a_whole_pass(run: Run) -> None:
    ids = [ask(run, email=f"person{number}@example.com")["request_id"] for number in range(12)]
    approve = [{"request_id": request_id, "action": "approve", "granted": {"duration": "7d"}} for request_id in ids]
    rehearsed, done, again = record(run, *approve, check=True), record(run, *approve), record(run, *approve)
    assert [result["changed"] for result in (rehearsed, done, again)] == [True, True, False]
    assert len(done["requests"]) == len(done["diff"]) == 12
    assert done["refused"] == []
    record(run, *({"request_id": request_id, "action": "minted", "key_alias": f"k-{request_id}"} for request_id in ids))
    result = record(
        run,
        *({"request_id": request_id, "action": "delivered", "via": "mail"} for request_id in ids[:10]),
        *({"request_id": request_id, "action": "finished"} for request_id in ids[:10]),
        {"request_id": ids[10], "action": "failed", "step": "mail", "reason": "421 try later\r\n\x1b[31m" + "x" * 5000},
    )
    assert result["refused"] == []
    left = {request["request_id"]: request for request in run("key_request_info", filter="open")["requests"]}
    assert set(left) == set(ids[10:])
    failure = left[ids[10]]["progress"]["failure"]
    assert (failure["attempts"], failure["step"]) == (1, "mail")
    assert len(failure["reason"]) == 1000
    assert failure["reason"].isprintable()


def test_changes_that_are_no_longer_possible_are_named_and_the_rest_is_made(run: Run) -> None:
    mine, theirs = ask(run)["request_id"], ask(run, email="bob@example.com")["request_id"]
    run("key_request", state="denied", request_id=theirs, reason="no")
    result = record(
        run,
        {"request_id": theirs, "action": "approve"},
        {"request_id": "none", "action": "approve"},
        {"request_id": theirs, "action": "minted", "key_alias": "virtkey-bob"},
        {"request_id": mine, "action": "approve"},
    )
    assert [(entry["action"], entry["code"]) for entry in result["refused"]] == [
        ("approve", "refused"),
        ("approve", "missing"),
        ("minted", "refused"),
    ]
    assert "virtkey-bob must be deleted" in result["refused"][2]["msg"]
    assert [request["request_id"] for request in result["requests"]] == [mine]


def test_a_chain_does_not_overrule_an_administrator(run: Run) -> None:
    asked = ask(run)["request_id"]
    run("key_request", state="denied", request_id=asked, reason="no")
    assert record(run, {"request_id": asked, "action": "approve"})["refused"][0]["code"] == "refused"
    assert ask(run)["state"] == "denied"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"action": "deny"}, "reason"),
        ({"action": "minted"}, "key_alias"),
        ({"action": "approve", "granted": {"api_key": "x"}}, "not a limit"),
        ({"action": "approve", "granted": {"duration": "1h30m"}}, "granted.duration"),
        ({"action": "notified", "whom": "a\nb"}, "not the name of a step"),
        ({"action": "explode"}, "must be one of"),
        ({"action": "approve", "aktion": 1}, "Unsupported parameters"),
    ],
)
def test_one_bad_change_keeps_all_others_from_being_made(run: Run, change: dict[str, Any], words: str) -> None:
    first, second = ask(run)["request_id"], ask(run, email="bob@example.com")["request_id"]
    result = record(run, {"request_id": first, "action": "approve"}, {"request_id": second, **change})
    assert result["failed"]
    assert words in result["msg"]
    assert {request["state"] for request in run("key_request_info")["requests"]} == {"pending"}


def test_an_ended_key_lets_its_owner_ask_again(run: Run) -> None:
    asked = ask(run)["request_id"]
    steps = ({"action": "approve"}, {"action": "minted", "key_alias": "k", "expires": "2026-12-31T18:00:00+01:00"}, {"action": "finished"})
    done = record(run, *({"request_id": asked, **step} for step in steps))
    assert done["requests"][0]["progress"]["expires"] == "2026-12-31T17:00:00Z"
    assert ask(run)["state"] == "approved"
    record(run, {"request_id": asked, "action": "ended"})
    assert ask(run)["state"] == "pending"
