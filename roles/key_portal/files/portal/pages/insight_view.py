# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What the worker found out about a request, as pages show it: the use of its key, what the rules would say now, and traces of rules. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.insight import KeyFigures, Outlook
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import APPROVED, Record

from ..insights import SeenInsight
from ..language import Language
from ..wording import terms_in_words
from .view import READY

KNOWN, WAITING, MISSING, UNANSWERED = "known", "waiting", "missing", "unanswered"
APPROVES, DENIES, REVIEWS, WAITS, GOES_ON = "APPROVE", "DENY", "REVIEW", "PENDING", "CONTINUE"
"""The answers of rules, as traces have them."""
_COLORS = {APPROVES: "green", DENIES: "red", REVIEWS: "orange", WAITS: "blue", GOES_ON: "grey"}


@dataclass(frozen=True)
class FiguresView:
    """The use of a key. `status` says whether it is known; `share` is how much of the budget is spent, from 0 to 1."""

    status: str
    at: str = ""
    is_old: bool = False
    spent: str = ""
    share: float | None = None
    expires: str = ""
    anew: str = ""
    blocked: bool = False
    problem: str = ""


@dataclass(frozen=True)
class TraceRow:
    """The answer of a rule: `answer` is a text of the section `ruling`, `words` say why: in the language of the page
    where a rule of this collection answered, else as the rule wrote them."""

    rule: str
    answer: str
    color: str
    words: str
    cut: int = 0


@dataclass(frozen=True)
class OutlookView:
    """What the rules would say now. `decision` is a text of the section `outlook`."""

    decision: str
    color: str = ""
    at: str = ""
    is_old: bool = False
    reason: str = ""
    unasked: str = ""
    terms: tuple[str, ...] = ()
    trace: tuple[TraceRow, ...] = ()


def has_figures(record: Record, status: str) -> bool:
    """Return whether the gateway may know what the key of a request has spent."""
    return status == READY and bool(record.progress.key_alias)


def may_be_decided(record: Record) -> bool:
    """Return whether what the rules would say about a request is worth knowing."""
    return record.state != APPROVED and not record.cancelled


def figures_view(seen: SeenInsight, language: Language) -> FiguresView:
    """Return the use of a key, as far as it is known."""
    figures = seen.insight.key if seen.insight else None
    if figures is None:
        return FiguresView(WAITING)
    view = FiguresView(KNOWN, seen.at, seen.is_old)
    if figures.problem:
        return replace(view, status=UNANSWERED, problem=figures.problem)
    if not figures.exists:
        return replace(view, status=MISSING)
    return replace(
        view,
        spent=_spent(figures, language),
        share=min(1.0, max(0.0, figures.spend / figures.max_budget)) if figures.max_budget else None,
        expires=figures.expires,
        anew=language.term("budget_duration", figures.budget_duration) if figures.budget_duration else "",
        blocked=figures.blocked,
    )


def _spent(figures: KeyFigures, language: Language) -> str:
    if figures.max_budget is None:
        return language("figures.spent_freely", spend=language.spend(figures.spend))
    return language("figures.spent_of", spend=language.spend(figures.spend), budget=language.money(figures.max_budget))


def outlook_view(seen: SeenInsight, language: Language) -> OutlookView:
    """Return what the rules would say now, as far as it is known."""
    found: Outlook | None = seen.insight.outlook if seen.insight else None
    if found is None:
        return OutlookView("waiting")
    if found.decision not in _COLORS or found.decision == GOES_ON:
        return OutlookView("unknown", "red", seen.at, seen.is_old, found.reason)
    return OutlookView(
        found.decision.lower(),
        _COLORS[found.decision],
        seen.at,
        seen.is_old,
        found.reason,
        language.names(found.unasked) if found.unasked else "",
        tuple(language.terms(terms_in_words(found.terms))),
        trace_rows(found.trace, language),
    )


def trace_rows(trace: Sequence[Mapping[str, Any]], language: Language) -> tuple[TraceRow, ...]:
    """Return a trace of the rules. It may come from another release, or from an edited record."""
    return tuple(_row(step, language) for step in trace)


def _row(step: Mapping[str, Any], language: Language) -> TraceRow:
    cut, answer = step.get("cut"), str(step.get("decision", ""))
    words = next((str(step[name]) for name in ("detail", "reason", "matched") if step.get(name)), "")
    known = answer.lower() if answer in _COLORS else ""
    said = _sentences(step.get("said"), language) or words
    return TraceRow(str(step.get("rule", "")), known, _COLORS.get(answer, "grey"), said, cut if isinstance(cut, int) else 0)


def _sentences(said: object, language: Language) -> str:
    """Return the sentences of a step, or nothing if one of them is not known here."""
    entries = [entry if isinstance(entry, Mapping) else {} for entry in said] if isinstance(said, (list, tuple)) else []
    found = [language.sentence(str(entry.get("name", "")), entry.get("values")) for entry in entries]
    return "; ".join(found) if all(found) else ""
