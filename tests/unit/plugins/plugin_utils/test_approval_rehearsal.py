# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval import loader, rehearsal
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval.rehearsal import RehearsedCase, parse_cases, read_cases, rehearsal_table
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.approval_parts import context, rule

CHAIN = [
    rule("blacklist", list=["gpt-4*"]),
    rule("http", endpoint="https://approval.example.com/decide"),
    rule("quota", per_person=1),
    rule("schedule", blackout=["2026-12-24"]),
    rule("email", pattern="*@company.com"),
]


def rehearse(*cases: dict[str, Any], chain: list[Any] | None = None, answers: Any = None, packages: Any = None, served: Any = None) -> list[RehearsedCase]:
    here = context(usage=[{"owner": "full@company.com"}])
    links = loader.load_chain(CHAIN if chain is None else chain, here)
    declared = rehearsal.checked_answers(answers, links, "answers")
    return rehearsal.rehearse(parse_cases(cases, links), links, here, packages, declared, served)


def case(decision: str, email: str = "user@company.com", model: str = "claude-3", **more: Any) -> dict[str, Any]:
    return {"email": email, "model": model, "decision": decision, **more}


@pytest.mark.parametrize(
    "fits",
    [
        case("DENY", model="gpt-4o"),
        case("deny", model="gpt-4o", rule="blacklist"),
        case("DENY", model="gpt-4o", rule="denylist"),
        case("DENY", model="gpt-4o", rule=0),
        case("APPROVE", rule="email"),
        case("APPROVE", answer="APPROVE", rule="http"),
        case("DENY", answer={"http": "deny"}, rule=1),
        case("DENY", answer={1: "DENY"}, rule="1"),
        case("APPROVE", answer="ERROR", rule="email"),
        case("DENY", email="full@company.com", rule="quota"),
        case("PENDING", at="2026-12-24T10:00:00Z", rule="schedule"),
        case("DENY", email="user@gmail.com", rule="email"),
        case("DENY", email="no address", rule="none"),
        {"email": "user@company.com", "model": "claude-3", "expected": "APPROVE"},
        {"email": "user@company.com", "models": ["claude-3", "gpt-4"], "expected": "DENY", "rule": "blacklist"},
        {"email": "user@company.com", "package": "p", "decision": "DENY", "rule": "blacklist"},
    ],
)
def test_cases_that_agree(fits: dict[str, Any]) -> None:
    (trial,) = rehearse(fits, packages={"p": {"models": ["gpt-4"]}} if "package" in fits else None)
    assert trial.agrees, str(trial)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (case("APPROVE", model="gpt-4o"), "case 1 (user@company.com, gpt-4o): expected APPROVE, got DENY by rules[0] blacklist"),
        (case("DENY", model="gpt-4o", rule="email"), "expected DENY by email, got DENY by rules[0] blacklist"),
        (case("DENY", model="gpt-4o", rule="none"), "expected DENY by none, got DENY by rules[0] blacklist"),
        (case("REVIEW", email="no address"), "got DENY by not a valid request"),
    ],
)
def test_cases_that_disagree(wrong: dict[str, Any], words: str) -> None:
    (trial,) = rehearse(wrong)
    assert not trial.agrees
    assert words in str(trial)


def test_a_denial_because_nothing_approves_names_no_rule() -> None:
    (trial,) = rehearse(case("DENY", rule="none"), chain=[rule("denylist", list=["x"])])
    assert trial.agrees
    assert trial.rule == "no rule approves"


def test_what_the_gateway_does_not_serve_is_denied_as_in_a_pass() -> None:
    (trial,) = rehearse(case("DENY", rule="none"), served=["mistral-7b"])
    assert trial.agrees
    assert trial.rule == "not a valid request"


def test_cases_do_not_count_towards_the_quota_of_other_cases() -> None:
    assert all(trial.agrees for trial in rehearse(case("APPROVE"), case("APPROVE")))


def test_answers_of_the_task_hold_where_a_case_has_none() -> None:
    first, second = rehearse(case("DENY", rule="http"), case("APPROVE", answer="CONTINUE"), answers={"http": "DENY"})
    assert first.agrees
    assert second.agrees
    (assumed,) = rehearse(case("APPROVE"))
    assert assumed.outcome.trace[1].detail == "not asked, and no answer is declared: taken as CONTINUE"


def test_on_error_decides_about_a_declared_failure() -> None:
    chain = [{**CHAIN[1], "on_error": "review", "reviewers": ["boss@company.com"]}]
    (trial,) = rehearse(case("REVIEW", answer="ERROR"), chain=chain)
    assert trial.agrees
    assert trial.outcome.reviewers == ("boss@company.com",)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("text", "case 1 is str"),
        ({"email": "a@b.de", "model": "m"}, "case 1 expects the decision 'None'"),
        (case("CONTINUE"), "expects the decision 'CONTINUE'"),
        (case("YES\x1b[31m"), "expects the decision 'YES\\x1b[31m'"),
        (case("DENY", rule="whitelist"), "expects the rule 'whitelist', which the chain does not have"),
        (case("DENY", rule=7), "expects the rule '7'"),
        (case("DENY", answer="MAYBE"), "has the answer 'MAYBE'"),
        (case("DENY", answer={"email": "DENY"}), "an answer of 'email', which is no rule of the chain that asks a service"),
        (case("DENY", answer={"htp": "DENY"}), "an answer of 'htp'"),
        (case("DENY", at="noon"), "case 1: at is 'noon'"),
    ],
)
def test_invalid_cases(row: Any, words: str) -> None:
    with pytest.raises(ValueError, match="^case 1") as raised:
        rehearse(row)
    assert words in str(raised.value)


def test_an_empty_table_of_cases_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="there are no cases"):
        rehearse()


# ------------------------------------------------------------------------------------------------------------ files
def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    "text",
    [
        "email,model,decision\na@b.de,m,DENY\n",
        "\ufeffemail, model, decision\n# a note\n\na@b.de, m, DENY\n",
        "email;model;decision;rule\na@b.de;m;DENY;\n",
        'email,model,decision\n"a@b.de","m",DENY\n',
    ],
)
def test_csv(tmp_path: Path, text: str) -> None:
    assert read_cases(write(tmp_path / "cases.csv", text)) == [{"email": "a@b.de", "model": "m", "decision": "DENY"}]


def test_several_models_in_csv(tmp_path: Path) -> None:
    assert read_cases(write(tmp_path / "cases.CSV", "email,models,decision\na@b.de,m1 m2,DENY\n"))[0]["models"] == ["m1", "m2"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cases.yml", "- {email: a@b.de, model: m, decision: DENY}\n"),
        ("cases.yaml", "cases:\n  - {email: a@b.de, model: m, decision: DENY}\n"),
        ("cases.json", '[{"email": "a@b.de", "model": "m", "decision": "DENY"}]'),
    ],
)
def test_yaml_and_json(tmp_path: Path, name: str, text: str) -> None:
    assert read_cases(write(tmp_path / name, text)) == [{"email": "a@b.de", "model": "m", "decision": "DENY"}]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("cases.csv", "email,decision\na@b.de,DENY,more\n", "more cells than columns"),
        ("cases.yml", "email: a@b.de\n", "holds no list of cases"),
        ("cases.yml", "- [unclosed\n", "are not YAML"),
        ("cases.yml", "- !!python/object/apply:os.system ['true']\n", "are not YAML"),
        ("cases.yml", "", "holds no list of cases"),
    ],
)
def test_a_file_that_is_not_a_table(tmp_path: Path, name: str, text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_cases(write(tmp_path / name, text))


def test_a_missing_file() -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        read_cases("/nowhere/cases.csv")


# ------------------------------------------------------------------------------------------------------------ table
def test_the_table() -> None:
    trials = rehearse(case("APPROVE"), case("APPROVE", model="gpt-4o", email="x\x1b[31m@company.com"), case("REVIEW", email="user@gmail.com", rule="email"))
    lines = rehearsal_table(trials)
    assert lines[0].split() == ["case", "who", "asks", "for", "gets", "by", "expected"]
    assert lines[2].split() == ["ok", "1", "user@company.com", "claude-3", "APPROVE", "rules[4]", "email", "APPROVE"]
    assert lines[3].startswith("WRONG  2     x [31m@company.com  gpt-4o    DENY     not a valid request  APPROVE")
    assert "email is 'x\\x1b[31m@company.com', which is not an address" in lines[4]
    assert lines[5].startswith("WRONG  3     user@gmail.com")
    assert lines[6].strip() == "rules[0] blacklist: CONTINUE, no model is on the list"
    assert all(line.isprintable() for line in lines)
