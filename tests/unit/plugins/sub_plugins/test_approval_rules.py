# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The decisions of each rule of the collection except `http`. The seeds' examples must be decided as the seeds say."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval.chain import ChainOutcome
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval.decision import Decision
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval.loader import ChainError
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.approval_parts import decide, one, rule, trusted, untrusted
from hypothesis import given
from hypothesis import strategies as st

APPROVE, DENY, CONTINUE, REVIEW, PENDING = Decision
REST = rule("allowlist", list=["*"])  # approves whatever the rule before it does not decide


def trace_lines(outcome: ChainOutcome) -> list[str]:
    """Return the trace as the seed writes it: the answer of each rule that was asked."""
    return [f"{step.rule} {step.decision}" for step in outcome.trace]


# ----------------------------------------------------------------------------------------------- the seed's own examples
EVALUATION_EXAMPLE = [
    rule("blacklist", list=["gpt-4*"]),
    rule("whitelist", list=["ollama/*"]),
    rule("email", pattern="*@company.com"),
]


@pytest.mark.parametrize(
    ("email", "model", "decision", "trace"),
    [
        ("user@company.com", "gpt-4", DENY, ["blacklist DENY"]),
        ("user@company.com", "ollama/llama2", APPROVE, ["blacklist CONTINUE", "whitelist APPROVE"]),
        ("user@company.com", "claude-3", APPROVE, ["blacklist CONTINUE", "whitelist CONTINUE", "email APPROVE"]),
        ("user@gmail.com", "claude-3", DENY, ["blacklist CONTINUE", "whitelist CONTINUE", "email DENY"]),
    ],
)
def test_the_seeds_evaluation_example(email: str, model: str, decision: Decision, trace: list[str]) -> None:
    outcome = one(EVALUATION_EXAMPLE, email, model)
    assert outcome.decision is decision
    assert trace_lines(outcome) == trace


@pytest.mark.parametrize(
    ("chain", "email", "model", "decision"),
    [
        # "Simple Whitelist"
        ([rule("whitelist", list=["ollama/*"])], "a@b.de", "ollama/llama2", APPROVE),
        ([rule("whitelist", list=["ollama/*"])], "a@b.de", "gpt-4", DENY),
        # "Email-based Access Control"
        ([rule("email", pattern="*@company.com")], "user@company.com", "gpt-4", APPROVE),
        ([rule("email", pattern="*@company.com")], "user@gmail.com", "gpt-4", DENY),
        # the seed's sections on each plugin
        ([rule("blacklist", list=["anthropic/*", "google/*", "gpt-4*"]), REST], "a@b.de", "anthropic/claude", DENY),
        ([rule("blacklist", list=["anthropic/*", "google/*", "gpt-4*"]), REST], "a@b.de", "google/gemini", DENY),
        ([rule("blacklist", list=["anthropic/*", "google/*", "gpt-4*"]), REST], "a@b.de", "gpt-4o", DENY),
        ([rule("blacklist", list=["anthropic/*", "google/*", "gpt-4*"]), REST], "a@b.de", "mistral-7b", APPROVE),
        ([rule("whitelist", list=["ollama/*", "llama-*", "mistral-7b"])], "a@b.de", "mistral-7b", APPROVE),
        ([rule("whitelist", list=["ollama/*", "llama-*", "mistral-7b"])], "a@b.de", "mistral-7b-instruct", DENY),
        ([rule("whitelist", list=["ollama/*", "llama-*", "mistral-7b"])], "a@b.de", "llama-3", APPROVE),
        ([rule("humanintheloop", email="admin@example.com", patterns=["claude*", "gpt-4*"])], "a@b.de", "claude-3", REVIEW),
        ([rule("humanintheloop", email="admin@example.com", patterns=["claude*", "gpt-4*"])], "a@b.de", "gemini-pro", DENY),
    ],
)
def test_the_seeds_other_examples(chain: list[Any], email: str, model: str, decision: Decision) -> None:
    assert one(chain, email, model).decision is decision


# ------------------------------------------------------------------------------------------------------- several models
def test_allowlist_wants_all_models_and_denylist_any() -> None:
    allow, deny = rule("allowlist", list=["a*"]), rule("denylist", list=["b*"])
    human = rule("human_review", email="x@y.de", patterns=["b*"])
    assert one([allow], model=["a1", "a2"]).decision is APPROVE
    assert one([allow], model=["a1", "b1"]).decision is DENY
    assert one([deny, REST], model=["a1", "b1"]).decision is DENY
    assert one([human, REST], model=["a1", "b1"]).decision is REVIEW


def test_case_does_not_get_past_a_denylist() -> None:
    assert one([rule("denylist", list=["gpt-4*"]), REST], model="GPT-4o").decision is DENY


# ---------------------------------------------------------------------------------------------------------------- email
@pytest.mark.parametrize("email", ["user@COMPANY.com", "USER@company.Com", "a.b+c@company.com"])
def test_the_case_of_the_domain_does_not_count(email: str) -> None:
    assert one([rule("email", pattern="*@company.com")], email).decision is APPROVE


@pytest.mark.parametrize(
    "email",
    [
        "user@соmpany.com",  # Cyrillic c and o
        "user@compаny.com",  # Cyrillic a
        "user@company.com.evil.example",
        "user@notcompany.com",
        "user@company.co",
        "user@xn--cmpany-oxa.com",
        "evil@evil.example@company.com",
        '"x@evil.example"@company.com',
        "user@evil.example\n@company.com",
    ],
)
def test_look_alikes_and_tricks_never_match(email: str) -> None:
    assert one([rule("email", pattern="*@company.com")], email).decision is DENY


def test_an_internationalised_domain_matches_its_own_pattern_in_either_form() -> None:
    for pattern in ("*@bücher.example", "*@xn--bcher-kva.example"):
        for email in ("user@bücher.example", "user@xn--bcher-kva.example"):
            assert one([rule("email", pattern=pattern)], email).decision is APPROVE
        assert one([rule("email", pattern=pattern)], "user@bucher.example").decision is DENY


def test_email_takes_a_list() -> None:
    chain = [rule("email", pattern=["*@a.example", "boss@b.example"])]
    assert [one(chain, email).decision for email in ("x@a.example", "boss@b.example", "x@b.example")] == [APPROVE, APPROVE, DENY]
    assert one(chain, "x@a.example").trace[0].matched == "*@a.example"


# --------------------------------------------------------------------------------------------------------- human_review
def test_reviewers_are_named_once() -> None:
    entry = {**rule("humanintheloop", email="admin@example.com", patterns=["*"]), "reviewers": ["boss@example.com", "admin@example.com"]}
    outcome = one([entry])
    assert outcome.decision is REVIEW
    assert outcome.reviewers == ("admin@example.com", "boss@example.com")
    assert "admin" not in outcome.reason


def test_reviewers_are_named_for_reviews_only() -> None:
    assert one([{**rule("denylist", list=["*"]), "reviewers": ["boss@example.com"]}]).reviewers == ()


# ---------------------------------------------------------------------------------------------------------------- quota
def usage(*owners: str, package: str = "") -> list[dict[str, str]]:
    return [{"owner": owner, "package": package, "alias": f"key-{number}"} for number, owner in enumerate(owners)]


@pytest.mark.parametrize(
    ("config", "live", "expected"),
    [
        ({"per_person": 2}, usage("user@company.com"), APPROVE),
        ({"per_person": 2}, usage("user@company.com", "User+x@COMPANY.com"), DENY),
        ({"per_person": 2}, usage("user@company.com", "user2@company.com"), APPROVE),
        ({"per_person": 0}, [], DENY),
        ({"per_domain": 2}, usage("a@company.com", "b@company.com"), DENY),
        ({"per_domain": 2}, usage("a@company.com", "b@sub.company.com"), APPROVE),
        ({"per_domain": 1}, [{"owner": "robot-7", "domain": "Company.com"}], DENY),
        ({"per_package": 1}, usage("a@b.de", package="ai-developer"), DENY),
        ({"per_package": 1}, usage("a@b.de", package="lab-dev"), APPROVE),
        ({"per_person": 1, "over": "review"}, usage("user@company.com"), REVIEW),
        ({"per_person": 1, "per_domain": 5}, usage("user@company.com"), DENY),
    ],
)
def test_quota(config: dict[str, Any], live: list[dict[str, str]], expected: Decision) -> None:
    assert one([rule("quota", **config), REST], package="ai-developer", usage=live).decision is expected


def test_requests_of_one_pass_count_one_after_another() -> None:
    asks = [{"email": f"user+{number}@company.com", "model": "m"} for number in range(5)]
    outcomes = decide([rule("quota", per_person=3), REST], *asks, usage=usage("user@company.com"))
    assert [outcome.decision for outcome in outcomes] == [APPROVE, APPROVE, DENY, DENY, DENY]


def test_only_granted_requests_count() -> None:
    chain = [rule("quota", per_person=1), rule("denylist", list=["bad"]), REST]
    asks = [{"email": "user@company.com", "model": model} for model in ("bad", "bad", "good", "good")]
    assert [outcome.decision for outcome in decide(chain, *asks, usage=[])] == [DENY, DENY, APPROVE, DENY]


def test_a_request_without_a_package_has_no_quota_of_packages() -> None:
    assert one([rule("quota", per_package=0), REST], usage=[]).decision is APPROVE


# ----------------------------------------------------------------------------------------------------------- expression
def condition(text: Any, decision: str = "approve") -> dict[str, Any]:
    texts = [trusted(item) for item in text] if isinstance(text, list) else trusted(text)
    return rule("expression", condition=texts, decision=decision)


@pytest.mark.filterwarnings("ignore:invalid escape")  # Jinja's own, for a regular expression
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("request.email == 'user@company.com'", APPROVE),
        ("request.domain in ['company.com', 'example.com']", APPROVE),
        ("request.model is match('gpt')", APPROVE),
        ("request.models | length == 1 and request.max_budget <= 10", APPROVE),
        ("request.email is match('.*\\.com$')", APPROVE),
        ("request.max_budget > 10", DENY),
        ("request.package is none", APPROVE),
        (["request.max_budget > 1", "request.max_budget < 100"], APPROVE),
        (["request.max_budget > 1", "request.max_budget < 5"], DENY),
        ("request.team.cost_center in [4711, 4712]", APPROVE),
    ],
)
def test_conditions(text: Any, expected: Decision) -> None:
    assert one([condition(text)], max_budget=10, team={"cost_center": 4711}).decision is expected


@pytest.mark.parametrize(
    "note",
    [
        "{{ 7 * 7 }}",
        "{{ lookup('ansible.builtin.pipe', 'touch owned') }}",
        "{% if true %}49{% endif %}",
        "{{ request.email }}",
        "') or true or ('",
        "true",
        "#}{{ 7 }}",
    ],
)
def test_text_of_the_requester_is_never_templated(note: str) -> None:
    chain = [condition("request.note | string == '49' or request.note == request.email or request.deep[0].note | string == '49' or request.note == true")]
    outcome = one(chain, note=note, deep=[{"note": note}])
    assert trace_lines(outcome) == ["expression CONTINUE"]
    same = one([condition(f"request.note | length == {len(note)} and request.deep[0].note | length == {len(note)}")], note=note, deep=[{"note": note}])
    assert same.decision is APPROVE
    assert same.request is not None
    assert same.request.as_dict()["note"] == note


def test_trusted_text_in_a_request_is_data_as_well() -> None:
    assert one([condition("request.note | string == '49'")], note=trusted("{{ 7 * 7 }}")).decision is DENY


def test_a_condition_from_data_that_ansible_does_not_trust_is_refused() -> None:
    with pytest.raises(ChainError, match="from data that Ansible does not trust"):
        one([rule("expression", condition=untrusted("request.model == 'gpt-4'"), decision="approve")])


@given(st.text(max_size=60))
def test_any_text_of_a_requester_is_itself(note: str) -> None:
    assert one([condition("request.note | length == request.size")], note=note, size=len(note)).decision is APPROVE


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("request.nothing.at_all == 1", "could not be evaluated"),
        ("request.email", "neither true nor false"),
        ("1", "neither true nor false"),
        ("request.max_budget > 'a'", "could not be evaluated"),
        ("inventory_hostname == 'localhost'", "could not be evaluated"),
        ("request.email is no_such_test", "could not be evaluated"),
    ],
)
def test_a_condition_that_cannot_be_evaluated_leaves_the_request_pending(text: str, words: str) -> None:
    outcome = one([condition(text), REST], max_budget=5)
    assert outcome.decision is PENDING
    assert words in outcome.trace[0].detail
    assert one([{**condition(text), "on_error": "deny"}, REST], max_budget=5).decision is DENY


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("request.email ==", "option condition is 'request.email =='"),
        ("{{ request.email == 'a' }}", "without {{"),
        ("true) %}{{ 7 }}{% set x = (true", "without {{ and {%"),
        ("", "no condition"),
        ("request.email = 'a'", "which cannot be used"),
    ],
)
def test_an_invalid_condition_is_an_error_before_anything_is_decided(text: str, words: str) -> None:
    with pytest.raises(ChainError, match=r"rules\[0\] \(expression\)") as raised:
        one([condition(text)])
    assert words in str(raised.value)


@pytest.mark.parametrize("decision", ["approve", "deny", "review", "pending"])
def test_an_expression_takes_its_decision_from_its_options(decision: str) -> None:
    assert one([condition("request.model == 'gpt-4'", decision)]).decision is Decision.from_word(decision)


# ------------------------------------------------------------------------------------------------------------- schedule
OFFICE = {"timezone": "Europe/Berlin", "windows": [{"days": ["mon-fri"], "from": "08:00", "to": "18:00"}]}


@pytest.mark.parametrize(
    ("config", "now", "inside"),
    [
        (OFFICE, "2026-11-23T07:00:00Z", True),  # Monday 08:00 in Berlin
        (OFFICE, "2026-11-23T06:59:59Z", False),
        (OFFICE, "2026-11-23T16:59:59Z", True),
        (OFFICE, "2026-11-23T17:00:00Z", False),
        (OFFICE, "2026-07-20T06:00:00Z", True),  # summer time: 08:00 is 06:00 UTC
        (OFFICE, "2026-11-22T12:00:00Z", False),  # Sunday
        (OFFICE, "2026-11-23T08:30:00+09:00", False),
        ({"windows": [{"days": ["sat", "sun"]}]}, "2026-11-22T23:59:00Z", True),
        ({"windows": [{"days": ["fri-mon"]}]}, "2026-11-23T00:00:00Z", True),
        ({"windows": [{"days": ["fri-mon"]}]}, "2026-11-24T00:00:00Z", False),
        ({"windows": [{"from": "22:00", "to": "06:00", "days": ["mon"]}]}, "2026-11-24T05:59:00Z", True),
        ({"windows": [{"from": "22:00", "to": "06:00", "days": ["mon"]}]}, "2026-11-23T05:59:00Z", False),
        ({"windows": [{"from": "22:00", "to": "06:00", "days": ["sun"]}]}, "2026-11-23T05:59:00Z", True),
        ({"windows": [{"to": "24:00"}]}, "2026-11-23T23:59:59Z", True),
        ({"blackout": ["2026-12-24"]}, "2026-12-24T12:00:00Z", False),
        ({"blackout": ["2026-12-24"]}, "2026-12-25T12:00:00Z", True),
        ({"blackout": ["2026-12-24/2027-01-01"]}, "2027-01-01T23:59:00Z", False),
        ({"blackout": ["2026-12-24/2027-01-01"]}, "2027-01-02T00:00:00Z", True),
        ({"blackout": ["2026-12-24"], "timezone": "Asia/Tokyo"}, "2026-12-23T15:00:00Z", False),
        ({**OFFICE, "blackout": ["2026-11-23"]}, "2026-11-23T12:00:00Z", False),
    ],
)
def test_schedule(config: dict[str, Any], now: str, inside: bool) -> None:
    assert one([rule("schedule", **config), REST], now=now).decision is (APPROVE if inside else PENDING)


@pytest.mark.parametrize(("outside", "expected"), [("deny", DENY), ("review", REVIEW), ("pending", PENDING), ("continue", APPROVE)])
def test_outside_of_the_schedule(outside: str, expected: Decision) -> None:
    outcome = one([rule("schedule", blackout=["2026-11-23"], outside=outside), REST])
    assert outcome.decision is expected
    assert outcome.trace[0].matched == "2026-11-23"
    assert "2026-11-23" not in outcome.reason


# -------------------------------------------------------------------------------------------------------------- package
PACKAGES = rule(
    "package",
    allow=[
        {"domain": "students.company.com", "packages": ["ai-beginner"], "max_duration": "7d", "max_budget": 5},
        {"domain": "*company.com", "packages": ["ai-*"], "max_duration": "30d"},
    ],
)


@pytest.mark.parametrize(
    ("email", "package", "expected"),
    [
        ("a@students.company.com", "ai-beginner", APPROVE),
        ("a@students.company.com", "ai-developer", APPROVE),  # by the second entry
        ("a@company.com", "ai-developer", APPROVE),
        ("a@company.com", "lab-prod", DENY),
        ("a@company.com", None, DENY),
        ("a@elsewhere.example", "ai-beginner", DENY),
    ],
)
def test_packages_by_domain(email: str, package: str | None, expected: Decision) -> None:
    assert one([PACKAGES, REST], email, package=package).decision is expected


@pytest.mark.parametrize(
    ("asked", "granted", "detail"),
    [
        ({"duration": "30d", "max_budget": 100}, ("7d", 5), "duration cut from 30d to 7d; budget cut from 100 to 5 USD"),
        ({"duration": "6d", "max_budget": 1}, ("6d", 1), "within the caps"),
        ({"duration": "168h", "max_budget": 5}, ("168h", 5), "within the caps"),
        ({}, ("7d", 5), "duration cut from no end to 7d; budget cut from no limit to 5 USD"),
        ({"max_budget": "0"}, ("7d", 0), "duration cut from no end to 7d"),
    ],
)
def test_caps_make_requests_smaller_and_say_so(asked: dict[str, Any], granted: tuple[str, float], detail: str) -> None:
    outcome = one([PACKAGES, REST], "a@students.company.com", package="ai-beginner", **asked)
    assert outcome.decision is APPROVE
    assert outcome.request is not None
    assert (outcome.request.duration, outcome.request.max_budget) == granted
    assert outcome.trace[0].detail == detail


@pytest.mark.parametrize(("otherwise", "expected"), [("deny", DENY), ("review", REVIEW), ("continue", APPROVE)])
def test_packages_that_no_entry_allows(otherwise: str, expected: Decision) -> None:
    assert one([rule("package", allow=[{"domain": "x.example"}], otherwise=otherwise), REST]).decision is expected


def test_a_look_alike_domain_gets_nothing() -> None:
    assert one([rule("package", allow=[{"domain": "company.com"}]), REST], "a@cоmpany.com").decision is DENY
