# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Try a chain on a table of cases: who would get what, and by which rule. No service is asked and no key is made."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from ...module_utils.common import durations
from ...module_utils.common.printable import printable, quoted
from .chain import Chain, ChainOutcome
from .decision import Decision, Verdict
from .loader import ALIASES, Link
from .request import InvalidRequest, Request, request_or_refusal
from .rule import Context, RuleUnavailable

FAILS = "ERROR"
"""The declared answer of a remote rule whose service fails."""
NO_RULE = "none"
"""The expected rule of a case that no rule decides."""
_OWN_COLUMNS = frozenset(("decision", "expected", "rule", "answer", "at"))
_WIDEST = 44


@dataclass(frozen=True)
class Case:
    """A request, and the decision that is expected for it."""

    number: int
    request: Mapping[str, Any]
    expected: Decision
    rule: str | None = None
    """The rule expected to decide it: its name, its index, or `none`."""
    answers: Mapping[str, str] | str | None = None
    """The answers of remote rules: one for all of them, or by their name or index."""
    at: str | None = None
    """When it is decided; None means at the time of the others."""


@dataclass(frozen=True)
class RehearsedCase:
    """A case and the decision that the chain made."""

    case: Case
    request: Request | InvalidRequest
    outcome: ChainOutcome

    @property
    def rule(self) -> str:
        """The rule that decided it, to be shown."""
        link = self.outcome.decided_by
        if link is not None:
            return f"rules[{link.index}] {link.name}"
        return "no rule approves" if self.outcome.request else "not a valid request"

    @property
    def agrees(self) -> bool:
        """Whether the decision, and the rule if one is expected, are as expected."""
        if self.outcome.decision is not self.case.expected:
            return False
        link, wanted = self.outcome.decided_by, self.case.rule
        if wanted is None:
            return True
        if link is None:
            return wanted == NO_RULE
        return wanted == str(link.index) or ALIASES.get(wanted, wanted) == ALIASES.get(link.name, link.name)

    def as_dict(self) -> dict[str, Any]:
        return {
            "case": self.case.number,
            **self.outcome.as_dict(),
            "expected": str(self.case.expected),
            "expected_rule": self.case.rule,
            "agrees": self.agrees,
        }

    def __str__(self) -> str:
        wanted = str(self.case.expected) + (f" by {self.case.rule}" if self.case.rule else "")
        return f"case {self.case.number} ({_asks(self)}): expected {wanted}, got {self.outcome.decision} by {self.rule}"


# --------------------------------------------------------------------------------------------------------------- cases
def read_cases(path: str) -> list[Any]:
    """Return the rows of a table: CSV (column names in line 1, # starts a comment), or a list in YAML or JSON. Raises ValueError."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the cases in {path} cannot be read: {error}.") from None
    if Path(path).suffix.lower() == ".csv":
        return _read_csv(path, text)
    try:
        rows = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"the cases in {path} are not YAML: {printable(str(error), 200)}.") from None
    rows = rows.get("cases") if isinstance(rows, Mapping) else rows
    if not isinstance(rows, list):
        raise ValueError(f"{path} holds no list of cases; write one case an item, each with email, model or package, and decision.")
    return rows


def _read_csv(path: str, text: str) -> list[Any]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    delimiter = ";" if lines and lines[0].count(";") > lines[0].count(",") else ","
    rows = []
    for row in csv.DictReader(io.StringIO("\n".join(lines)), delimiter=delimiter, skipinitialspace=True):
        if None in row:
            raise ValueError(f"{path} has a line with more cells than columns: {printable(str(row[None]), 80)}; put cells with a {delimiter} in quotes.")
        filled: dict[str, Any] = {name.strip(): value.strip() for name, value in row.items() if value and value.strip()}
        if "models" in filled:
            filled["models"] = filled["models"].split()
        rows.append(filled)
    return rows


def parse_cases(rows: Iterable[Any], links: Sequence[Link]) -> list[Case]:
    """Return the cases in the rows of a table, numbered from 1. Raises ValueError for the first invalid row."""
    cases = [_case(number, row, links) for number, row in enumerate(rows, 1)]
    if not cases:
        raise ValueError("there are no cases; give at least one, with email, model or package, and decision.")
    return cases


def _case(number: int, row: Any, links: Sequence[Link]) -> Case:
    place = f"case {number}"
    if not isinstance(row, Mapping):
        raise ValueError(f"{place} is {type(row).__name__} and must be a mapping of email, model or package, and decision.")
    expected = row.get("decision") or row.get("expected")
    try:
        decision = Decision.from_word(str(expected))
        if decision is Decision.CONTINUE:
            raise ValueError
    except ValueError:
        raise ValueError(f"{place} expects the decision {quoted(expected, 40)}; give APPROVE, DENY, REVIEW or PENDING.") from None
    rule = row.get("rule")
    if rule is not None and str(rule) != NO_RULE and not _named(str(rule), links):
        raise ValueError(f"{place} expects the rule {quoted(rule, 40)}, which the chain does not have; give a name, an index or {NO_RULE}.")
    at = row.get("at")
    if at is not None:
        durations.parse_time(str(at), f"{place}: at")
    return Case(
        number=number,
        request={str(name): value for name, value in row.items() if name not in _OWN_COLUMNS},
        expected=decision,
        rule=None if rule is None else str(rule),
        answers=checked_answers(row.get("answer"), links, place),
        at=None if at is None else str(at),
    )


def checked_answers(answers: Any, links: Sequence[Link], place: str) -> Mapping[str, str] | str | None:
    """Return the declared answers of remote rules: one for all, or a mapping by name or index. Raises ValueError."""
    if answers is None:
        return None
    remote = [link for link in links if link.rule.REMOTE]
    for name, word in answers.items() if isinstance(answers, Mapping) else [(None, answers)]:
        if name is not None and not _named(str(name), remote):
            raise ValueError(f"{place} has an answer of {quoted(name, 40)}, which is no rule of the chain that asks a service.")
        if str(word).upper() not in (FAILS, *Decision.__members__):
            known = ", ".join((*Decision.__members__, FAILS))
            raise ValueError(f"{place} has the answer {quoted(word, 40)}; give one of {known}.")
    return {str(name): str(word) for name, word in answers.items()} if isinstance(answers, Mapping) else str(answers)


def _named(name: str, links: Iterable[Link]) -> list[Link]:
    return [link for link in links if name == str(link.index) or ALIASES.get(name, name) == ALIASES.get(link.name, link.name)]


# -------------------------------------------------------------------------------------------------------------- trials
def rehearse(
    cases: Iterable[Case],
    links: Sequence[Link],
    context: Context,
    packages: Mapping[str, Any] | None = None,
    answers: Mapping[str, str] | str | None = None,
    served: Sequence[str] | None = None,
) -> list[RehearsedCase]:
    """Decide each case separately, so that none counts towards the quota of another.

    `answers` are for cases that declare none. `served` are the gateway's models; None means not to compare.
    """
    trials = []
    for case in cases:
        at = durations.parse_time(case.at) if case.at else context.now
        chain = Chain(links, answers=_Declared(links, case.answers, answers))
        request = request_or_refusal(case.request, packages, served)
        trials.append(RehearsedCase(case, request, chain.decide([request], replace(context, now=at))[0]))
    return trials


class _Declared:
    """Answers for remote rules: from the case, else from the task, else CONTINUE, which the trace mentions."""

    def __init__(self, links: Sequence[Link], *sources: Mapping[str, str] | str | None) -> None:
        self._words: dict[int, str] = {}
        for source in reversed(sources):
            for name, word in source.items() if isinstance(source, Mapping) else [(None, source)] if source else []:
                for link in links if name is None else _named(name, links):
                    self._words[link.index] = word.upper()

    def __call__(self, link: Link, request: Request) -> Verdict:
        word = self._words.get(link.index)
        if word is None:
            return Verdict(Decision.CONTINUE, "not asked, and no answer is declared: taken as CONTINUE")
        if word == FAILS:
            raise RuleUnavailable("declared to fail")
        return Verdict(Decision(word), f"declared to answer {word}", matched="declared")


# --------------------------------------------------------------------------------------------------------------- table
def rehearsal_table(trials: Sequence[RehearsedCase]) -> list[str]:
    """Return lines for a terminal: one per case, and the answers of the rules under each case that disagrees."""
    head = ("", "case", "who", "asks for", "gets", "by", "expected")
    rows = [
        (
            "ok" if trial.agrees else "WRONG",
            str(trial.case.number),
            printable(str(trial.case.request.get("email", "")), _WIDEST),
            _asked_for(trial),
            str(trial.outcome.decision),
            printable(trial.rule, _WIDEST),
            str(trial.case.expected) + (f" by {printable(trial.case.rule, 20)}" if trial.case.rule else ""),
        )
        for trial in trials
    ]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()

    lines = [line(head), line(["-" * width for width in widths])]
    for row, trial in zip(rows, trials, strict=True):
        lines.append(line(row))
        if not trial.agrees:
            lines += [f"         rules[{step.index}] {step.rule}: {step.decision}, {step.detail}" for step in trial.outcome.trace]
            lines.append(f"         {trial.outcome.reason}")
    return lines


def _asked_for(trial: RehearsedCase) -> str:
    given = trial.case.request
    models = given.get("models") or given.get("model") or ""
    wanted = given.get("package") or (" ".join(map(str, models)) if isinstance(models, (list, tuple)) else models)
    return printable(str(wanted), _WIDEST)


def _asks(trial: RehearsedCase) -> str:
    return f"{printable(str(trial.case.request.get('email', '')), _WIDEST)}, {_asked_for(trial)}"
