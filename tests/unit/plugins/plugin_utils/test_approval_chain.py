# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""How a chain combines the answers of its rules: order, stopping, default deny, faults, concurrency."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval.chain import Chain, ChainOutcome
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval.decision import Decision, Verdict
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval.loader import Link
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval.request import Request, parse_request
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval.rule import Context, RuleUnavailable
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.approval_parts import AT, Scripted, ScriptedRemote, decide, link, one, rule
from hypothesis import given
from hypothesis import strategies as st

APPROVE, DENY, CONTINUE, REVIEW, PENDING = Decision
REQUEST = parse_request({"request_id": "req_1", "email": "user@company.com", "model": "gpt-4", "duration": "30d", "max_budget": 10})


def run(*answers: object, request: Request = REQUEST) -> tuple[ChainOutcome, list[Scripted]]:
    rules = [answer if isinstance(answer, Scripted) else Scripted(answer) for answer in answers]
    links = [link(index, rule) for index, rule in enumerate(rules)]
    return Chain(links).decide([request], Context(now=AT))[0], rules


# --------------------------------------------------------------------------------------------------- order and stopping
@given(st.lists(st.sampled_from(list(Decision)), max_size=8))
def test_the_first_rule_that_does_not_continue_decides(says: list[Decision]) -> None:
    outcome, rules = run(*says)
    stop = next((index for index, say in enumerate(says) if say is not CONTINUE), None)
    asked = says if stop is None else says[: stop + 1]
    assert outcome.decision is (DENY if stop is None else says[stop])
    assert [step.decision for step in outcome.trace] == asked
    assert [step.index for step in outcome.trace] == list(range(len(asked)))
    assert [len(rule.asked) for rule in rules] == [1] * len(asked) + [0] * (len(says) - len(asked))
    assert (outcome.decided_by.index if outcome.decided_by else None) == stop


@given(st.lists(st.lists(st.sampled_from(list(Decision)), min_size=3, max_size=3), max_size=12), st.integers(1, 5))
def test_many_requests_at_once_are_decided_as_if_one_by_one(table: list[list[Decision]], parallel: int) -> None:
    class FromTable(ScriptedRemote):
        def __init__(self, column: int) -> None:
            super().__init__(CONTINUE)
            self.column = column

        def evaluate(self, request: Request, context: Context) -> Verdict:
            return Verdict(table[int(request.request_id)][self.column])

    links = [link(column, FromTable(column)) for column in range(3)]
    requests = [replace(REQUEST, request_id=str(row)) for row in range(len(table))]
    outcomes = Chain(links, parallel=parallel).decide(requests, Context(now=AT))
    expected = [next((say for say in row if say is not CONTINUE), DENY) for row in table]
    assert [outcome.decision for outcome in outcomes] == expected
    assert [outcome.request.request_id for outcome in outcomes if outcome.request] == [request.request_id for request in requests]


def test_no_rules_deny_in_the_words_of_the_seed() -> None:
    outcome, _rules = run()
    assert (outcome.decision, outcome.reason, outcome.trace) == (DENY, "No approval plugins configured", ())


def test_nothing_approves_denies() -> None:
    outcome, _rules = run(CONTINUE, CONTINUE)
    assert outcome.decision is DENY
    assert outcome.reason == "No approval rule approved this request."
    assert outcome.decided_by is None


# -------------------------------------------------------------------------------------------------------------- faults
@pytest.mark.parametrize("on_error", [CONTINUE, DENY, REVIEW, PENDING])
def test_on_error_decides_about_an_outage(on_error: Decision) -> None:
    broken = link(0, Scripted(RuleUnavailable("the line is cut")), on_error=on_error)
    outcome = Chain([broken, link(1, Scripted(APPROVE))]).decide([REQUEST], Context(now=AT))[0]
    assert outcome.decision is (APPROVE if on_error is CONTINUE else on_error)
    assert outcome.trace[0].decision is on_error
    assert "the line is cut" in outcome.trace[0].detail
    assert "line" not in outcome.reason


@pytest.mark.parametrize("fault", [ZeroDivisionError("oops"), Exception(), 42, None])
def test_a_rule_with_a_bug_neither_denies_nor_lets_through(fault: object) -> None:
    outcome, rules = run(fault, APPROVE)
    assert outcome.decision is PENDING
    assert outcome.reason == "Your request could not be decided yet and will be looked at again."
    assert "the rule failed" in outcome.trace[0].detail
    assert "Traceback" in outcome.faults[0]
    assert rules[1].asked == []


def test_the_chains_words_are_not_used_for_an_outage() -> None:
    broken = link(0, Scripted(RuleUnavailable("down")), on_error=DENY, reason="GPT-4 is not for you.")
    assert "GPT-4" not in Chain([broken]).decide([REQUEST], Context(now=AT))[0].reason
    denying = link(0, Scripted(DENY), reason="GPT-4 is not for you.")
    assert Chain([denying]).decide([REQUEST], Context(now=AT))[0].reason == "GPT-4 is not for you."


# ------------------------------------------------------------------------------------------------------------ rewriting
def test_a_rule_reduces_a_request_for_all_rules_after_it() -> None:
    less = replace(REQUEST, duration="1d", max_budget=1.0)
    outcome, rules = run(Verdict(CONTINUE, request=less), APPROVE)
    assert outcome.request == less
    assert rules[1].asked == [less]


@pytest.mark.parametrize(
    "more",
    [
        replace(REQUEST, duration="31d"),
        replace(REQUEST, duration=None),
        replace(REQUEST, max_budget=10.5),
        replace(REQUEST, max_budget=None),
        replace(REQUEST, models=("gpt-4", "claude-3")),
        replace(REQUEST, models=()),
        replace(REQUEST, package="lab-prod"),
        replace(REQUEST, request_id="req_2"),
        parse_request({"email": "other@company.com", "model": "gpt-4"}),
    ],
)
def test_a_rule_cannot_enlarge_a_request(more: Request) -> None:
    outcome, _rules = run(Verdict(APPROVE, request=more))
    assert outcome.decision is PENDING
    assert outcome.request == REQUEST
    assert "may only take away" in outcome.trace[0].detail


# --------------------------------------------------------------------------------------------------------- hostile text
def test_words_in_terminals_hold_no_control_characters() -> None:
    nasty = "a\x1b]0;owned\x07\r\n\u202eb" + "x" * 10_000
    outcome, _rules = run(Verdict(DENY, detail=nasty, reason=nasty, matched=nasty))
    step = outcome.trace[0]
    for text in (outcome.reason, step.detail, step.matched or ""):
        assert text.isprintable()
        assert len(text) <= 500


def test_a_rules_secrets_are_concealed_wherever_it_shows_them() -> None:
    shown = Verdict(DENY, detail="I sent Bearer-s3cret", reason="Bearer-s3cret", matched="Bearer-s3cret")
    outcomes = [
        Chain([link(0, Scripted(say), secrets=("Bearer-s3cret",))]).decide([REQUEST], Context(now=AT))[0]
        for say in (shown, RuntimeError("Bearer-s3cret"), RuleUnavailable("Bearer-s3cret"))
    ]
    assert "s3cret" not in repr([(outcome.reason, outcome.trace, outcome.faults) for outcome in outcomes])


@pytest.mark.parametrize(
    "request_",
    [
        "text",
        None,
        {},
        {"email": "user@company.com"},
        {"email": "not an address", "model": "gpt-4"},
        {"email": "user@company.com\nBcc: x@y.zz", "model": "gpt-4"},
        {"email": "user@company.com", "model": "gpt-4\x1b[2J"},
        {"email": "user@company.com", "model": " gpt-4"},
        {"email": "user@company.com", "model": "x" * 10_000},
        {"email": "user@company.com", "models": [{"a": 1}]},
        {"email": "user@company.com", "models": ["m"] * 201},
        {"email": "user@company.com", "model": "gpt-4", "duration": "for ever"},
        {"email": "user@company.com", "model": "gpt-4", "duration": "9" * 10_000 + "d"},
        {"email": "user@company.com", "model": "gpt-4", "duration": "٣d"},
        {"email": "user@company.com", "model": "gpt-4", "max_budget": "1e999"},
        {"email": "user@company.com", "model": "gpt-4", "max_budget": -1},
        {"email": "user@company.com", "model": "gpt-4", "max_budget": True},
        {"email": "user@company.com", "model": "gpt-4", "max_budget": 10**400},
        {"email": "user@company.com", "model": "gpt-4", "request_id": "../../etc/passwd"},
        {"email": "user@company.com", "model": "gpt-4", "package": "<b>"},
    ],
)
def test_an_invalid_request_is_denied_and_the_others_are_decided(request_: object) -> None:
    wrong, right = decide([rule("allowlist", list=["*"])], request_, {"email": "user@company.com", "model": "gpt-4"})
    assert (wrong.decision, wrong.request, right.decision) == (DENY, None, APPROVE)
    assert wrong.reason.isprintable()
    assert len(wrong.reason) < 500


def test_all_other_fields_stay_as_they_are() -> None:
    note = "<script>{{ 7*7 }}</script>\n\x1b[31m" * 400
    outcome = one([rule("allowlist", list=["*"])], note=note, team={"cost_center": 4711})
    assert outcome.request is not None
    assert outcome.request.as_dict()["note"] == note
    assert outcome.request.as_dict()["team"] == {"cost_center": 4711}


def test_a_package_brings_its_models_and_its_lifetime() -> None:
    packages = {"ai-beginner": {"models": ["m1", "m2"], "duration": "7d"}}
    outcome = one([rule("allowlist", list=["m*"])], model=None, package="ai-beginner", packages=packages)
    assert outcome.decision is APPROVE
    assert outcome.request is not None
    assert (outcome.request.models, outcome.request.duration) == (("m1", "m2"), "7d")
    assert one([rule("denylist", list=["m2"])], model=None, package="ai-beginner", packages=packages).decided_by is not None
    unknown = one([rule("allowlist", list=["*"])], package="ai-begginer", packages=packages)
    assert unknown.decision is DENY
    assert "choose one of ai-beginner" in unknown.reason


def test_a_model_that_the_gateway_does_not_serve_is_denied_with_the_closest_names() -> None:
    served = ["openai/granite-8b", "openai/mistral-7b", "ollama/*"]
    allow = [rule("allowlist", list=["*"])]
    wrong = one(allow, model="openai/granit-8b", served=served)
    assert (wrong.decision, wrong.request, wrong.trace) == (DENY, None, ())
    assert "serves no model named openai/granit-8b; its closest names are openai/granite-8b" in wrong.reason
    assert "ask which models it has" in one(allow, model="x", served=served).reason
    assert one(allow, model=["openai/mistral-7b", "y"], served=served).decision is DENY, "one is enough"
    assert len(one(allow, model=[f"model-{number:0>200}" for number in range(200)], served=served).reason) <= 500
    for model in ("openai/mistral-7b", "ollama/anything"):
        assert one(allow, model=model, served=served).decision is APPROVE
    assert one(allow, model="y").decision is APPROVE, "the served models are unknown"
    assert one(allow, model="y", served=[]).decision is DENY


def test_a_request_is_not_denied_for_the_models_of_its_package() -> None:
    packages = {"dev": {"models": ["gone"]}}
    allow = [rule("allowlist", list=["*"])]
    assert one(allow, model=None, package="dev", packages=packages, served=["other"]).decision is APPROVE


# --------------------------------------------------------------------------------------------------------- concurrency
class Slow(ScriptedRemote):
    """A rule that records how many requests were evaluated at the same time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(CONTINUE)
        self.seconds = seconds
        self.now = self.most = 0
        self.lock = threading.Lock()

    def evaluate(self, request: Request, context: Context) -> Verdict:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(self.seconds)
        with self.lock:
            self.now -= 1
        return Verdict(CONTINUE)


def test_remote_rules_wait_side_by_side_within_the_bound() -> None:
    slow = Slow(0.02)
    requests = [replace(REQUEST, request_id=str(number)) for number in range(40)]
    outcomes = Chain([link(0, slow), link(1, Scripted(APPROVE))], parallel=4).decide(requests, Context(now=AT))
    assert [outcome.decision for outcome in outcomes] == [APPROVE] * 40
    assert slow.most == 4


def test_local_rules_are_asked_by_one_thread_at_a_time() -> None:
    class Local(Slow):
        REMOTE = False

    local = Local(0.001)
    requests = [replace(REQUEST, request_id=str(number)) for number in range(20)]
    Chain([link(0, Slow(0.001)), link(1, local)], parallel=8).decide(requests, Context(now=AT))
    assert local.most == 1


def test_with_declared_answers_no_service_is_asked() -> None:
    def answers(asked: Link, request: Request) -> Verdict:
        return Verdict(CONTINUE, f"{asked.name} is not asked")

    remote = ScriptedRemote(APPROVE)
    outcome = Chain([link(0, remote)], answers=answers).decide([REQUEST], Context(now=AT))[0]
    assert remote.asked == []
    assert outcome.trace[0].detail == "rule0 is not asked"
    assert outcome.decision is DENY
