# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Surveys of the server that stands in for AWX."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.awx_surveys import faults_of_answers, faults_of_questions, job_variables


def question(variable: str, kind: str = "text", **more: Any) -> dict[str, Any]:
    return {"question_name": variable, "variable": variable, "type": kind, "required": False, "default": "", **more}


def test_an_empty_default_is_an_empty_text_and_no_number_choice_or_list() -> None:
    questions = [
        question("text", min=0, max=9),
        question("long", min=1, max=9),
        question("number", "integer", min=0, max=9),
        question("choice", "multiplechoice", choices=["a"]),
        question("list", "multiselect", choices=["a"]),
        question("preset", "multiplechoice", choices=["a", "b"], default="b"),
    ]
    assert faults_of_questions(questions) == []
    assert job_variables({"text": "of the template", "store": "file"}, questions, {}) == {"text": "", "store": "file", "preset": "b"}
    assert job_variables({}, questions, {"text": "x", "list": []})["list"] == []


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (question("a", "multiplechoice", choices=[]), "must specify choices"),
        (question("a", "multiplechoice", choices=[True, False]), "must be strings"),
        (question("a", "multiplechoice", choices=["x"], default="y"), "from the choices listed"),
        (question("a", "integer", default="1"), "expected to be int"),
        (question("a", "bool"), "not one of the allowed question types"),
        (question("a", min="1"), "must be an integer"),
        ({"variable": "a", "type": "text", "question_name": "a"}, "'required' missing"),
    ],
)
def test_questions_that_awx_refuses(asked: dict[str, Any], words: str) -> None:
    (fault,) = faults_of_questions([asked])
    assert words in fault
    assert "duplicated" in faults_of_questions([question("a"), question("a")])[0]


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({}, "'a' value missing"),
        ({"a": 5}, "expected to be a string"),
        ({"a": ""}, "too small"),
        ({"a": "12345"}, "too large"),
        ({"a": "x", "n": "5"}, "expected to be a number"),
        ({"a": "x", "c": "z"}, "expected to be one of"),
        ({"a": "x", "l": "z"}, "expected to be a list"),
        ({"a": "x", "l": ["z"]}, "expected to be one of"),
        ({"a": "x", "b": "y"}, "Variables b are not allowed on launch"),
    ],
)
def test_answers_that_awx_refuses(answers: dict[str, Any], words: str) -> None:
    questions = [
        question("a", required=True, min=1, max=4),
        question("n", "integer"),
        question("c", "multiplechoice", choices=["y"]),
        question("l", "multiselect", choices=["y"]),
    ]
    assert words in str(faults_of_answers(questions, answers))
    assert faults_of_answers(questions, {"a": "x", "n": 5, "c": "y", "l": ["y"]}) == faults_of_answers(questions, {}, needed=False) == {}
