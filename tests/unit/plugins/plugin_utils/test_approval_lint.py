# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval.lint import lint
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval.loader import load_chain
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.approval_parts import rule

SEED_SAMPLE = [
    rule("whitelist", list=["ollama/*", "llama-*"]),
    rule("email", pattern="*@example.com"),
    rule("blacklist", list=["grok/*"]),
    rule("http", endpoint="https://api.example.com/approve"),
    rule("humanintheloop", email="admin@example.com", patterns=["claude*", "gpt-4*"]),
]
HTTP = rule("http", endpoint="https://api.example.com/approve")


def findings(entries: list[Any], models: list[str] | None = None) -> list[tuple[str, int | None]]:
    return [(finding.level, finding.index) for finding in lint(load_chain(entries), models or [])]


def test_the_seeds_own_sample_is_flagged() -> None:
    problems = lint(load_chain(SEED_SAMPLE))
    assert [(finding.level, finding.index) for finding in problems] == [("error", 2), ("error", 3), ("error", 4)]
    assert all("because rules[1] (email) always ends the chain (approve or deny)" in finding.message for finding in problems)
    assert str(problems[0]).startswith("error: rules[2] (blacklist): is never reached")


def test_the_same_rules_in_a_better_order_are_clean() -> None:
    whitelist, email, blacklist, http, human = SEED_SAMPLE
    assert findings([blacklist, whitelist, human, http, email]) == []


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], [("error", None)]),
        ([rule("denylist", list=["a"])], [("error", None)]),
        ([rule("denylist", list=["a"]), rule("quota", per_person=1)], [("error", None)]),
        ([rule("denylist", list=["*"]), rule("allowlist", list=["a"])], [("error", None), ("error", 1)]),
        ([rule("denylist", list=["a"]), rule("human_review", email="a@b.de", patterns=["x"])], []),
        ([rule("denylist", list=["a"]), HTTP], []),
        ([rule("quota", per_person=1, over="review")], []),
        ([rule("allowlist", list=["*"]), HTTP], [("error", 1)]),
        ([rule("allowlist", list=["**"]), HTTP], [("error", 1)]),
        ([rule("email", pattern=["*"]), HTTP], [("error", 1)]),
        ([rule("human_review", email="a@b.de", patterns=["*"]), HTTP], [("error", 1)]),
        ([rule("package", allow=[{"domain": "x.example"}]), HTTP], []),
        ([rule("package", allow=[]), HTTP], [("error", None), ("error", 1)]),
        ([rule("allowlist", list=[]), HTTP], [("warning", 0)]),
    ],
)
def test_chains_that_only_deny_and_rules_out_of_reach(entries: list[Any], expected: list[tuple[str, int | None]]) -> None:
    assert findings(entries) == expected


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        (
            [rule("allowlist", list=["gpt-*"]), rule("denylist", list=["gpt-4*"])],
            "'gpt-4*' has no effect, because rules[0] (allowlist) decides by 'gpt-*'",
        ),
        ([rule("denylist", list=["gpt-4*"]), rule("allowlist", list=["GPT-4o"])], "'GPT-4o' has no effect"),
        ([rule("allowlist", list=["gpt-4*", "gpt-4*"])], "stands there twice"),
        ([rule("allowlist", list=["gpt-4*", "gpt-*"])], "'gpt-4*' is part of 'gpt-*'"),
        ([rule("allowlist", list=["?*", "*?"])], "'*?' is part of '?*'"),
        ([rule("email", pattern=["*@example.com", "a@example.com"])], "'a@example.com' is part of '*@example.com'"),
        ([rule("email", pattern=["*example.com"])], "has no @ before its domain"),
    ],
)
def test_patterns_without_effect(entries: list[Any], words: str) -> None:
    problems = lint(load_chain(entries))
    assert [finding.level for finding in problems] == ["warning"]
    assert words in problems[0].message


def test_an_email_pattern_is_not_compared_with_model_patterns() -> None:
    assert findings([rule("allowlist", list=["a*"]), rule("email", pattern=["a*@example.com"])]) == []


def test_patterns_that_match_no_model_of_the_gateway() -> None:
    chain = [rule("denylist", list=["gpt-4*", "grok/*"]), rule("email", pattern="*@example.com")]
    assert findings(chain, ["gpt-4o", "claude-3"]) == [("warning", 0)]
    assert "'grok/*' matches none of the 2 models" in lint(load_chain(chain), ["gpt-4o", "claude-3"])[0].message
    assert findings(chain, []) == []
