# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Run a chain of rules: requests in, decisions with their traces out. Nothing is written or kept."""

from __future__ import annotations

import contextvars
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from ...module_utils.common.printable import printable
from .decision import NO_RULES, NOTHING_APPROVED, USUAL_REASONS, Decision, Verdict
from .loader import Link
from .request import InvalidRequest, Request, growth
from .rule import Context, RuleUnavailable
from .sentences import Sentence, sentence
from .tally import Ledger, Tally

LONGEST_REASON = 500
LONGEST_DETAIL = 500
MOST_PARALLEL = 64

Answers = Callable[[Link, Request], Verdict]
"""Replaces the calls of remote rules, in check mode and in rehearsals."""


@dataclass(frozen=True)
class ChainStep:
    """The answer of one rule, as the trace shows it."""

    index: int
    rule: str
    decision: Decision
    matched: str | None
    detail: str
    duration_ms: float
    said: tuple[Sentence, ...] = ()
    """What `detail` consists of, if that can be translated."""

    def as_dict(self) -> dict[str, Any]:
        return {
            "index": self.index,
            "rule": self.rule,
            "decision": str(self.decision),
            "matched": self.matched,
            "detail": self.detail,
            "duration_ms": self.duration_ms,
        }

    def as_recorded(self) -> dict[str, Any]:
        """Return the step as it is kept with a request, for pages in several languages."""
        said = {"said": [each.as_dict() for each in self.said]} if self.said else {}
        return {**self.as_dict(), **said}


@dataclass(frozen=True)
class ChainOutcome:
    """The decision on one request."""

    decision: Decision
    reason: str
    request: Request | None
    """The request with the terms to mint; None if it could not be read."""
    decided_by: Link | None = None
    """The rule that ended the chain, or None."""
    answered: bool = True
    """Whether that rule gave the decision itself. Otherwise it failed, and `on_error` decided."""
    trace: tuple[ChainStep, ...] = ()
    reviewers: tuple[str, ...] = ()
    review: Mapping[str, Any] = field(default_factory=dict)
    """How the review is to be made, if the decision is REVIEW."""
    faults: tuple[str, ...] = field(default=(), repr=False)
    """Tracebacks of rules that failed unexpectedly."""

    def as_dict(self) -> dict[str, Any]:
        """Return the decision as playbooks receive it."""
        return {
            "decision": str(self.decision),
            "reason": self.reason,
            "rule": self.decided_by.name if self.decided_by else None,
            "rule_index": self.decided_by.index if self.decided_by else None,
            "reviewers": list(self.reviewers),
            "review": dict(self.review),
            "request": self.request.as_dict() if self.request else None,
            "trace": [step.as_dict() for step in self.trace],
        }


def not_in_check_mode(link: Link, request: Request) -> Verdict:
    """Return the answer of a remote rule in check mode."""
    return Verdict(Decision.CONTINUE, "would be asked; check mode asks nobody and goes on")


class Chain:
    """An ordered list of rules that decides an ordered list of requests."""

    def __init__(self, links: Sequence[Link], *, parallel: int = 8, answers: Answers | None = None) -> None:
        """Decide at most `parallel` requests at a time. With `answers`, remote rules are not called. Raises ValueError for a number out of reach."""
        if not 1 <= parallel <= MOST_PARALLEL:
            raise ValueError(f"parallel is {parallel}; give a number from 1 to {MOST_PARALLEL}.")
        self._links = links
        self._parallel = parallel
        self._answers = answers

    def decide(self, requests: Sequence[Request | InvalidRequest], context: Context) -> list[ChainOutcome]:
        """Return one outcome per request, in the same order, as if each were decided before the next one is considered."""
        run = _Pass(self._links, self._answers, requests, context)
        remote = self._answers is None and any(link.rule.REMOTE for link in self._links)
        if not remote or self._parallel == 1:
            return [run.decide(position) for position in range(len(requests))]
        with ThreadPoolExecutor(self._parallel, "approval") as pool:
            # Started in order, so a request only waits for requests that have already started.
            futures = [pool.submit(contextvars.copy_context().run, run.decide, position) for position in range(len(requests))]
            try:
                return [future.result() for future in futures]
            finally:
                pool.shutdown(wait=False, cancel_futures=True)


class _Pass:
    """One pass over a list of requests. Only waiting for remote rules overlaps; everything else holds `_turn`."""

    def __init__(
        self,
        links: Sequence[Link],
        answers: Answers | None,
        requests: Sequence[Request | InvalidRequest],
        context: Context,
    ) -> None:
        self._links = links
        self._answers = answers
        self._requests = requests
        self._context = context
        self._turn = threading.Condition(threading.Lock())
        valid = [request if isinstance(request, Request) else None for request in requests]
        self._ledger = None if context.usage is None else Ledger(context.usage, valid, self._turn)

    def decide(self, position: int) -> ChainOutcome:
        with self._turn:
            outcome = None
            try:
                outcome = self._walk(position)
            finally:
                if self._ledger is not None:
                    self._ledger.decided(position, outcome is not None and outcome.decision is Decision.APPROVE)
        return outcome

    def _walk(self, position: int) -> ChainOutcome:
        request = self._requests[position]
        if isinstance(request, InvalidRequest):
            return ChainOutcome(Decision.DENY, printable(str(request), LONGEST_REASON), None)
        if not self._links:
            return ChainOutcome(Decision.DENY, NO_RULES, request)
        context = self._context if self._ledger is None else replace(self._context, tally=Tally(self._ledger, position))
        trace: list[ChainStep] = []
        for link in self._links:
            started = time.perf_counter()
            verdict, answered, faults = self._ask(link, request, context)
            trace.append(_step(link, verdict, started))
            request = verdict.request or request
            if verdict.decision is not Decision.CONTINUE:
                reviewers = tuple(dict.fromkeys((*verdict.reviewers, *link.reviewers))) if verdict.decision is Decision.REVIEW else ()
                reason = (link.reason if answered else "") or verdict.reason or USUAL_REASONS[verdict.decision]
                review = verdict.review if verdict.decision is Decision.REVIEW else {}
                shown = printable(link.conceal(reason), LONGEST_REASON)
                return ChainOutcome(verdict.decision, shown, request, link, answered, tuple(trace), reviewers, review, faults)
        return ChainOutcome(Decision.DENY, NOTHING_APPROVED, request, trace=tuple(trace))

    def _ask(self, link: Link, request: Request, context: Context) -> tuple[Verdict, bool, tuple[str, ...]]:
        """Return the verdict, whether the rule itself gave it, and the traceback if the rule failed."""
        try:
            verdict = self._verdict(link, request, context)
            more = growth(request, verdict.request) if verdict.request is not None else None
            if more:
                raise TypeError(f"it would widen {more} of the request, and a rule may only take away")
        except RuleUnavailable as error:
            return Verdict(link.on_error, said=sentence("no_answer", error=error, word=link.on_error.word)), False, ()
        except Exception as error:  # noqa: BLE001 - a rule may fail in any way; the request stays pending, the fault is reported
            said = sentence("failed", error=f"{type(error).__name__}: {error}")
            fault = link.conceal(f"rules[{link.index}] ({link.name}) failed: {traceback.format_exc()}")
            return Verdict(Decision.PENDING, said=said), False, (fault,)
        return verdict, True, ()

    def _verdict(self, link: Link, request: Request, context: Context) -> Verdict:
        if link.rule.REMOTE:
            if self._answers is not None:
                return self._answers(link, request)
            with self._others_turn():
                verdict = link.rule.evaluate(request, context)
        else:
            verdict = link.rule.evaluate(request, context)
        if not isinstance(verdict, Verdict):
            raise TypeError(f"it answered {type(verdict).__name__} and must answer a Verdict")
        return verdict

    @contextmanager
    def _others_turn(self) -> Iterator[None]:
        self._turn.release()
        try:
            yield
        finally:
            self._turn.acquire()


def _step(link: Link, verdict: Verdict, started: float) -> ChainStep:
    return ChainStep(
        index=link.index,
        rule=link.name,
        decision=verdict.decision,
        matched=None if verdict.matched is None else printable(link.conceal(verdict.matched), LONGEST_DETAIL),
        detail=printable(link.conceal(verdict.detail), LONGEST_DETAIL),
        duration_ms=round((time.perf_counter() - started) * 1000, 1),
        said=tuple(_shown_sentence(link, each) for each in verdict.said) if isinstance(verdict.said, tuple) else (),
    )


def _shown_sentence(link: Link, said: Sentence) -> Sentence:
    return Sentence(said.name, {name: printable(link.conceal(value), LONGEST_DETAIL) for name, value in said.values.items()})
