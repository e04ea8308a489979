# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""A chain with any mistake is refused as a whole, and the error names the place, the mistake and the remedy."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval import loader
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval.decision import Decision
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval.loader import ChainError, load_chain
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.approval_parts import context, rule

GOOD = rule("allowlist", list=["ollama/*"])


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ("allowlist", ["the chain of rules is str"]),
        ({"name": "allowlist"}, ["the chain of rules is dict"]),
        ([GOOD, "denylist"], ["rules[1]", "must be a mapping"]),
        ([GOOD, None], ["rules[1]", "must be a mapping"]),
        ([{"config": {}}], ["rules[0] has no name", "allowlist (whitelist)"]),
        ([{"name": 3}], ["rules[0] has no name"]),
        (
            [GOOD, rule("whitelst", list=[])],
            [
                "rules[1] (whitelst)",
                "no such approval rule",
                "denylist (blacklist)",
                "http",
                "human_review (humanintheloop)",
            ],
        ),
        ([rule("../../etc")], ["is not the name of a rule"]),
        ([rule("allowlist\x1b[31m", list=[])], ["rules[0] (allowlist [31m) is not the name"]),
        ([rule("os.system")], ["is not the name of a rule"]),
        ([rule("acme.nowhere.cost")], ["rules[0] (acme.nowhere.cost)", "collection acme.nowhere is not installed"]),
        ([rule("rhpds.litellm_virtual_keys.costs")], ["no such approval rule in rhpds.litellm_virtual_keys"]),
        ([rule("denylist", lst=["gpt-4"])], ["rules[0] (denylist)", "unknown option 'lst'", "it takes list"]),
        ([rule("denylist", list=["a"], List=["b"])], ["unknown option 'List'"]),
        ([rule("denylist")], ["rules[0] (denylist)", "missing required arguments: list"]),
        ([rule("denylist", list=None)], ["option list is empty"]),
        ([rule("denylist", list="gpt-4*, claude*")], ["option list is text with a comma"]),
        ([rule("denylist", list=True)], ["option list is a truth value and must be a list"]),
        ([rule("denylist", list=[["a"]])], ["option list[0] is list and must be text"]),
        ([rule("denylist", list=["a", {"b": 1}])], ["option list[1] is dict and must be text"]),
        ([rule("denylist", list=["a", None])], ["option list[1] is empty"]),
        ([rule("denylist", list=[True])], ["option list[0] is bool"]),
        ([rule("denylist", list={"a": 1})], ["rules[0] (denylist)", "list"]),
        ([rule("denylist", list=[" gpt-4"])], ["option list holds the pattern ' gpt-4'"]),
        ([rule("denylist", list=[""])], ["option list holds the pattern ''"]),
        ([rule("denylist", list=["x" * 257])], ["option list holds a pattern of 257 characters"]),
        ([rule("quota", per_person="many")], ["rules[0] (quota)", "per_person"]),
        ([rule("quota", per_person=True)], ["option per_person is a truth value"]),
        ([rule("quota", per_person=-1)], ["option per_person is -1"]),
        ([rule("quota")], ["option per_person is missing"]),
        ([rule("quota", per_person=1, over="ignore")], ["over", "deny, review"]),
        ([{"name": "denylist", "list": ["a"]}], ["unknown key 'list'", "under config"]),
        ([{"name": "denylist", "onerror": "deny", "config": {"list": ["a"]}}], ["unknown key 'onerror'", "on_error"]),
        ([{"name": "denylist", "config": ["a"]}], ["a config that is list"]),
        (
            [{"name": "http", "on_error": "approve", "config": {"endpoint": "https://x.example"}}],
            ["on_error 'approve'", "continue, deny, review, pending"],
        ),
        (
            [{"name": "http", "on_error": "deny", "config": {"endpoint": "https://x.example", "on_error": "review"}}],
            ["on_error 'deny and review'"],
        ),
        ([{"name": "denylist", "reason": 5, "config": {"list": ["a"]}}], ["reason that is int"]),
        (
            [{"name": "denylist", "reviewers": ["me"], "config": {"list": ["a"]}}],
            ["reviewers is 'me', which is not an address"],
        ),
        ([rule("email", pattern=[])], ["option pattern is an empty list"]),
        ([rule("email", pattern="*@*ü.de")], ["option pattern cannot be used"]),
        ([rule("human_review", email="nobody", patterns=["*"])], ["option email cannot be used: it is 'nobody'"]),
        ([rule("human_review", email=[], patterns=["*"])], ["option email is an empty list"]),
        ([rule("human_review", email="a@b.de")], ["missing required arguments: patterns"]),
        (
            [rule("http", endpoint="http://x.example/a?token=t0ken")],
            ["option endpoint is http://x.example,", "allow_http"],
        ),
        ([rule("http", endpoint="https://u:passw0rd@x.example")], ["option endpoint holds a user name or password"]),
        ([rule("http", endpoint="ftp://x.example")], ["option endpoint is not an address"]),
        ([rule("http", endpoint="https://x.example/\nHost: y")], ["option endpoint is not an address"]),
        ([rule("http", endpoint="https://x.example:notaport/")], ["option endpoint is not an address"]),
        ([rule("http", endpoint="https://x.example", timeout=0)], ["option timeout is 0"]),
        ([rule("http", endpoint="https://x.example", retries=11)], ["option retries is 11"]),
        ([rule("http", endpoint="https://x.example", ca_path="/nowhere/ca.pem")], ["option ca_path", "no file"]),
        (
            [rule("http", endpoint="https://x.example", headers={"X-A": "a\r\nX-B: b"})],
            ["option headers holds a value for X-A"],
        ),
        ([rule("http", endpoint="https://x.example", headers={"X A": "a"})], ["option headers holds 'X A'"]),
        ([rule("expression", condition=[], decision="deny")], ["option condition is an empty list"]),
        ([rule("expression", condition="a", decision="maybe")], ["decision", "approve, deny, review, pending"]),
        ([rule("schedule")], ["option windows is missing, and so is blackout"]),
        ([rule("schedule", windows=[])], ["option windows is an empty list"]),
        (
            [rule("schedule", windows=[{"form": "08:00"}])],
            ["option windows[0].form is unknown; known are days, from, to"],
        ),
        ([rule("schedule", windows=[{"from": 1080}])], ["windows[0].from '1080', which is no time", "in quotes"]),
        ([rule("schedule", windows=[{"to": "24:01"}])], ["windows[0].to '24:01'"]),
        ([rule("schedule", windows=[{"days": ["monday"]}])], ["windows[0].days 'monday'"]),
        ([rule("schedule", blackout=["24.12.2026"])], ["option blackout holds '24.12.2026'"]),
        ([rule("schedule", blackout=["2027-01-01/2026-12-24"])], ["ends before it begins"]),
        ([rule("schedule", blackout=["2026-12-24"], timezone="Mars/Olympus")], ["option timezone is 'Mars/Olympus'"]),
        (
            [rule("package", allow=[{"domain": "x.example", "max_duraton": "1d"}])],
            ["option allow[0].max_duraton is unknown"],
        ),
        ([rule("package", allow=[{"max_duration": "1y"}])], ["allow[0].max_duration is '1y'"]),
        ([rule("package", allow=[{"max_budget": -1}])], ["allow[0].max_budget -1"]),
    ],
)
def test_every_mistake_is_named(entries: Any, words: list[str]) -> None:
    with pytest.raises(ChainError) as raised:
        load_chain(entries)
    message = str(raised.value)
    assert all(word in message for word in words), message
    assert message.isprintable()
    assert "t0ken" not in message
    assert "passw0rd" not in message


def test_a_secret_stays_out_of_the_error() -> None:
    with pytest.raises(ChainError) as raised:
        load_chain([rule("http", endpoint="https://x.example", headers={"Authorization": "s3cret-value\n"})])
    assert "s3cret" not in str(raised.value)
    with pytest.raises(ChainError) as raised:
        load_chain([rule("http", endpoint="https://x.example", headers="s3cret-value")])
    assert "s3cret" not in str(raised.value)


def test_the_quota_requires_the_living_keys() -> None:
    with pytest.raises(ChainError, match=r"rules\[0\] \(quota\): option per_person .* give it usage"):
        load_chain([rule("quota", per_person=1)], context())
    assert load_chain([rule("quota", per_person=1)], context(usage=[]))


@pytest.mark.parametrize("row", ["alice", {"owner": 3}, {"ower": "a@b.de"}])
def test_usage_is_checked(row: Any) -> None:
    with pytest.raises(ValueError, match=r"usage\[1\]"):
        context(usage=[{"owner": "a@b.de"}, row])


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("whitelist", "allowlist"),
        ("allowlist", "allowlist"),
        ("blacklist", "denylist"),
        ("denylist", "denylist"),
        ("rhpds.litellm_virtual_keys.whitelist", "allowlist"),
        ("rhpds.litellm_virtual_keys.denylist", "denylist"),
    ],
)
def test_the_seeds_names_and_ours_are_the_same_rules(name: str, file: str) -> None:
    (link,) = load_chain([rule(name, list=["a"])])
    assert type(link.rule).__module__.endswith(f".sub_plugins.approval.{file}")
    assert link.name == name


def test_the_seeds_human_in_the_loop() -> None:
    (link,) = load_chain([rule("humanintheloop", email="admin@example.com", patterns=["claude*"])])
    assert type(link.rule).__module__.endswith(".human_review")


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({}, Decision.CONTINUE),
        ({"on_error": "deny"}, Decision.DENY),
        ({"config": {"endpoint": "https://x.example", "on_error": "review"}}, Decision.REVIEW),
        ({"on_error": "review", "config": {"endpoint": "https://x.example", "on_error": "review"}}, Decision.REVIEW),
    ],
)
def test_on_error_stands_beside_the_config_or_in_it(entry: dict[str, Any], expected: Decision) -> None:
    (link,) = load_chain([{"name": "http", "config": {"endpoint": "https://x.example"}, **entry}])
    assert link.on_error is expected


def test_an_empty_chain_is_a_chain() -> None:
    assert load_chain(None) == load_chain([]) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({}, "no class Rule that extends ApprovalRule"),
        ({"Rule": object}, "no class Rule that extends ApprovalRule"),
        ({"Rule": "text"}, "no class Rule that extends ApprovalRule"),
    ],
)
def test_a_file_that_is_not_a_rule(monkeypatch: pytest.MonkeyPatch, content: dict[str, Any], words: str) -> None:
    module = types.ModuleType("stand_in")
    module.__dict__.update(content)
    monkeypatch.setattr(loader, "_rules_in", lambda collection: ["stand_in"])
    monkeypatch.setitem(sys.modules, "ansible_collections.acme.policies.plugins.sub_plugins.approval.stand_in", module)
    with pytest.raises(ChainError, match=words):
        load_chain([rule("acme.policies.stand_in")])
