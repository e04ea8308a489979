# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The modules key_request and key_request_info, on a directory."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import transitions
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import now
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.transitions import Change, Ruling
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.modules import run_module

AT = "2026-11-21T04:00:00Z"
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a module on the test's own directory of requests."""

    def run(name: str, *, check: bool = False, **arguments: Any) -> dict[str, Any]:
        return run_module(name, {"directory": str(tmp_path / "requests"), **arguments}, check=check, diff=True, no_log=False)

    return run


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    """The store behind that directory."""
    return DirectoryStore(str(tmp_path / "requests"))


def ask(run: Run, email: str = "ada@example.com", **more: Any) -> dict[str, Any]:
    result = run("key_request", **{"email": email, "model": "gpt-4", **more})
    assert not result.get("failed"), result
    request: dict[str, Any] = result["request"]
    return request


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


def test_whoever_asks_for_something_else_learns_what_is_asked_for(run: Run, store: DirectoryStore) -> None:
    ask(run, duration="7d")
    assert "note" not in run("key_request", email="ada@example.com", model="gpt-4")
    assert "note" not in run("key_request", email="ada@example.com", model="gpt-4", duration="7d")
    for other in ({"duration": "9d"}, {"max_budget": 5}):
        assert "what was asked first (duration 7d); cancel it" in run("key_request", email="ada@example.com", model="gpt-4", **other)["note"]
    (record,) = store.listing().records
    made = transitions.mark_minted(transitions.approve(record, {}, by="boss", at=AT), at=AT, key_alias="k", expires="2036-12-21T04:00:00Z")
    store.transition(record, lambda _: transitions.mark_finished(made, at=AT))
    extended = run("key_request", request_id=record.id, state="extended", duration="2d")["request"]["request_id"]
    assert "note" not in run("key_request", request_id=record.id, state="extended", duration="2d")
    for state, duration in (("extended", "3d"), ("renewed", "2d"), ("renewed", None)):
        note = run("key_request", request_id=record.id, state=state, **({"duration": duration} if duration else {}))["note"]
        assert "(duration 2d, counted from the end of the key)" in note
    run("key_request", request_id=extended, state="denied", reason="no")
    assert "again=true" in run("key_request", request_id=record.id, state="extended", duration="2d")["note"]
    assert "note" not in run("key_request", request_id=record.id, state="extended", duration="2d", again=True)


def test_whoever_submits_to_a_directory_of_their_own_is_told_who_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("LITELLM_KEY_REQUESTS_DIR", raising=False)
    wish = {"email": "ada@example.com", "model": "gpt-4"}
    note = run_module("key_request", wish, no_log=False)["note"]
    assert f"It is kept in {tmp_path}/state/rhpds-litellm-virtual-keys/requests, the directory of {getpass.getuser()}: only passes that this user" in note
    assert "note" not in run("key_request", **wish)
    monkeypatch.setenv("LITELLM_KEY_REQUESTS_DIR", str(tmp_path / "shared"))
    assert "note" not in run_module("key_request", wish, no_log=False)


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


def test_an_approval_may_set_every_limit_and_says_when_it_may_be_more(run: Run) -> None:
    asked = ask(run)["request_id"]
    limits = {"models": ["gpt-4-mini"], "rpm_limit": 5, "tpm_limit": 6, "max_parallel_requests": 7, "soft_budget": 0.5}
    approved = run("key_request", state="approved", request_id=asked, beyond=True, **limits)["request"]
    assert approved["granted"] == {**limits, "beyond": True}
    assert approved["terms"] == {}, "the next pass works them out, because the chain has not looked at the request"
    assert approved["history"][-1]["terms"] == approved["granted"]


def test_only_what_failed_can_be_retried(run: Run, store: DirectoryStore) -> None:
    asked = ask(run)["request_id"]
    refused = run("key_request", state="retried", request_id=asked)
    assert (refused["code"], "nothing about it has failed" in refused["msg"]) == ("refused", True)
    store.transition(
        store.get(asked), lambda r: transitions.mark_failed(transitions.approve(r, {}, by="boss", at=AT), at=AT, step="mail", reason="550", final=True)
    )
    assert run("key_request_info", filter="open")["requests"] == [], "passes gave up"
    retried = run("key_request", state="retried", request_id=asked, actor="grace")["request"]
    assert (retried["open"], retried["progress"]["failure"], retried["history"][-1]["by"]) == (True, None, "grace")


def test_a_key_whose_time_is_over_lets_its_owner_ask_again_before_any_pass_has_noticed(run: Run, store: DirectoryStore) -> None:
    asked = ask(run)["request_id"]
    for expires, state in (("2099-12-31T17:00:00Z", "approved"), ("2026-01-01T00:00:00Z", "pending")):
        store.transition(
            store.get(asked), lambda r, ends=expires: transitions.mark_minted(transitions.approve(r, {}, by="boss", at=AT), at=AT, key_alias="k", expires=ends)
        )
        assert ask(run)["state"] == state


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
        ({"state": "denied", "request_id": "none"}, "bad_input", "reason"),
        ({"state": "denied"}, "bad_input", "one of the following is required"),
        ({"state": "submitted", "request_id": "none"}, "bad_input", "email"),
        ({"email": "ada@example.com", "model": "gpt-4", "package": "x"}, "bad_input", "either models or a package"),
    ],
)
def test_bad_input_changes_nothing(run: Run, tmp_path: Path, wish: dict[str, Any], code: str, words: str) -> None:
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
def test_filters(run: Run, store: DirectoryStore) -> None:
    ids = {name: ask(run, email=f"{name}@example.com")["request_id"] for name in ("ada", "bob", "cleo", "dora", "eve")}
    changes: dict[str, Change] = {
        "bob": lambda r: transitions.decide(r, "approved", by="chain", at=now()),
        "cleo": lambda r: transitions.mark_finished(transitions.decide(r, "denied", Ruling("no"), by="chain", at=now()), at=now()),
        "dora": lambda r: transitions.decide(r, "in-review", by="chain", at=now()),
        "eve": lambda r: transitions.mark_failed(r, at=now(), step="decide", reason="gateway down"),
    }
    store.transition_all([(store.get(ids[name]), change) for name, change in changes.items()])

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


def test_whoever_decides_only_what_waits_undoes_nothing(run: Run) -> None:
    """Two workflows ask two people about the same request: the answer that comes second changes nothing."""
    name = ask(run)["request_id"]
    assert run("key_request", state="approved", request_id=name, undecided=True)["request"]["state"] == "approved"
    late = run("key_request", state="denied", request_id=name, reason="no", undecided=True)
    assert (late["changed"], late["request"]["state"], late["note"]) == (False, "approved", "It was approved before, so nothing was changed.")
    assert run("key_request", state="denied", request_id=name, reason="no")["request"]["state"] == "denied"
    late = run("key_request", state="approved", request_id=name, undecided=True)
    assert (late["changed"], late["request"]["state"]) == (False, "denied")


def test_a_variable_that_awx_sets_to_nothing_counts_as_unset(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LITELLM_KEY_REQUESTS_DIR", "K8S_AUTH_HOST", "K8S_AUTH_VERIFY_SSL", "K8S_AUTH_KUBECONFIG"):
        monkeypatch.setenv(name, "")
    assert not run("key_request_info").get("failed")
