# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Surveys as AWX treats them: which questions it takes, which answers, and with what variables a job starts.

From the findings on AWX 24.6.1, and read in its `models/mixins.py` and `api/views`: a default answers a question that is left out when
a job is launched by hand only if it is a valid answer itself, so an empty default of an optional text becomes an empty variable, and one of a
number, a choice or a list no variable at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Question = Mapping[str, Any]
TEXTS = ("text", "textarea", "password")
DEFAULTS = {**dict.fromkeys((*TEXTS, "multiplechoice", "multiselect"), str), "integer": int, "float": float}
"""The type of a default, by the type of the question. An empty text is none. That of a list is lines of text."""


def faults_of_questions(questions: Sequence[Question]) -> list[str]:
    """Return why AWX refuses a survey with these questions."""
    faults = []
    names = [question.get("variable") for question in questions]
    for question in questions:
        name, kind = question.get("variable"), question.get("type")
        if missing := [each for each in ("type", "question_name", "variable", "required") if each not in question]:
            faults.append(f"'{missing[0]}' missing from survey question {name}.")
        elif kind not in DEFAULTS:
            faults.append(f"'{kind}' in survey question {name} is not one of the allowed question types.")
        elif names.count(name) > 1:
            faults.append(f"'variable' '{name}' duplicated in survey question.")
        else:
            faults += _faults_of_question(question)
    return faults


def _faults_of_question(question: Question) -> list[str]:
    name, kind, default = question["variable"], question["type"], question.get("default", "")
    faults = [f"The {limit} of '{name}' must be an integer." for limit in ("min", "max") if not isinstance(question.get(limit, 0), int)]
    if default != "" and not isinstance(default, DEFAULTS[kind]):
        faults.append(f"Default of '{name}' expected to be {DEFAULTS[kind].__name__}.")
    if kind in ("multiplechoice", "multiselect"):
        if not question.get("choices"):
            faults.append(f"Survey question '{name}' must specify choices.")
        elif not all(isinstance(each, str) for each in question["choices"]):
            faults.append(f"Choices of '{name}' must be strings.")
        elif default and not set(str(default).splitlines()) <= set(question["choices"]):
            faults.append(f"Default choice of '{name}' must be answered from the choices listed.")
    return faults


def faults_of_answer(question: Question, answers: Mapping[str, Any], *, needed: bool = True) -> list[str]:
    """Return why AWX refuses the answer to a question; a missing one only if the question is required and the answer `needed`."""
    name, kind = question["variable"], question["type"]
    if name not in answers:
        return [f"'{name}' value missing"] if question["required"] and needed else []
    value, choices = answers[name], question.get("choices", [])
    if kind == "multiselect":
        if not isinstance(value, list):
            return [f"'{name}' value is expected to be a list."]
        return [f"Value {each} for '{name}' expected to be one of {choices}." for each in value if each not in choices]
    if kind == "multiplechoice":
        return [] if value in choices else [f"Value {value} for '{name}' expected to be one of {choices}."]
    if type(value) not in {"integer": (int,), "float": (int, float)}.get(kind, (str,)):
        return [f"Value {value} for '{name}' expected to be {'a string' if kind in TEXTS else 'a number'}."]
    size = len(value) if kind in TEXTS else value
    too_small, too_large = size < question.get("min", size), size > question.get("max", size)
    return [f"'{name}' value {value} is too {'small' if too_small else 'large'}."] if too_small or too_large else []


def faults_of_answers(questions: Sequence[Question], answers: Mapping[str, Any], *, needed: bool = True) -> dict[str, Any]:
    """Return the refusal of a launch or a schedule with these answers, empty if AWX accepts it."""
    refusal: dict[str, Any] = {}
    if faults := [fault for question in questions for fault in faults_of_answer(question, answers, needed=needed)]:
        refusal["variables_needed_to_start"] = faults
    if unknown := sorted(set(answers) - {question["variable"] for question in questions}):
        refusal["extra_vars"] = [f"Variables {', '.join(unknown)} are not allowed on launch."]
    return refusal


def job_variables(extra_vars: Mapping[str, Any], questions: Sequence[Question], answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the extra variables of a job: those of the template, then valid defaults of the survey, then the answers."""
    defaults = {each["variable"]: each["default"] for each in questions if each.get("default") is not None}
    valid = {each["variable"]: defaults[each["variable"]] for each in questions if each["variable"] in defaults and not faults_of_answer(each, defaults)}
    return {**extra_vars, **valid, **answers}
