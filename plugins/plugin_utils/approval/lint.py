# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Find faults of a chain whose rules are each valid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .decision import NO_RULES, Decision
from .loader import Link
from .pattern import covers, matches
from .rule import Patterns

ERROR, WARNING = "error", "warning"
_OPENING = (Decision.APPROVE, Decision.REVIEW, Decision.PENDING)


@dataclass(frozen=True)
class Finding:
    """A fault of the rule at `index` with the name `name`, or of the whole chain if both are None."""

    level: str
    index: int | None
    name: str | None
    message: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        place = "the chain" if self.index is None else f"rules[{self.index}] ({self.name})"
        return f"{self.level}: {place}: {self.message}"


def lint(links: Sequence[Link], models: Sequence[str] = ()) -> list[Finding]:
    """Return the findings, errors first. Patterns are compared with `models`, which the gateway serves, if there are any."""
    findings = [*_closed(links), *_unreachable(links), *_covered(links), *_unserved(links, models), *_own(links)]
    return sorted(findings, key=lambda finding: finding.level != ERROR)


def _reachable(links: Sequence[Link]) -> tuple[Sequence[Link], Link | None]:
    """Return the links that requests can reach, and the link that always ends the chain, or None."""
    for count, link in enumerate(links, 1):
        if Decision.CONTINUE not in link.outcomes():
            return links[:count], link
    return links, None


def _closed(links: Sequence[Link]) -> Iterator[Finding]:
    if not links:
        yield Finding(ERROR, None, None, f"there are no rules, so every request is denied ({NO_RULES})")
        return
    reachable, _end = _reachable(links)
    if not any(decision in link.outcomes() for link in reachable for decision in _OPENING):
        yield Finding(ERROR, None, None, "no rule that is reached can approve a request or hand it to a reviewer, so every request is denied")


def _unreachable(links: Sequence[Link]) -> Iterator[Finding]:
    reachable, end = _reachable(links)
    if end is None:
        return
    ways = " or ".join(sorted(decision.word for decision in end.outcomes()))
    for link in links[len(reachable) :]:
        message = f"is never reached, because rules[{end.index}] ({end.name}) always ends the chain ({ways})"
        yield Finding(ERROR, link.index, link.name, f"{message}; move it before that rule")


def _covered(links: Sequence[Link]) -> Iterator[Finding]:
    """Find patterns that an earlier pattern covers: redundant in the same rule, without effect in a later one."""
    earlier: list[tuple[Link, str, str]] = []
    reachable, _end = _reachable(links)
    for link in reachable:
        patterns = link.rule.patterns() or Patterns("", ())
        own = list(dict.fromkeys(patterns.patterns))
        for pattern in patterns.patterns:
            if pattern in own:
                own.remove(pattern)
            else:
                yield Finding(WARNING, link.index, link.name, f"the pattern {pattern!r} stands there twice; delete one")
        for pattern in dict.fromkeys(patterns.patterns):
            before = next((known for known in earlier if known[1] == patterns.subject and covers(known[2], pattern)), None)
            beside = next((other for other in patterns.patterns if other != pattern and covers(other, pattern)), None)
            if before:
                message = f"the pattern {pattern!r} has no effect, because rules[{before[0].index}] ({before[0].name}) decides by {before[2]!r} before"
                yield Finding(WARNING, link.index, link.name, f"{message}; delete it, or move this rule before that one")
            elif beside and not (covers(pattern, beside) and patterns.patterns.index(beside) > patterns.patterns.index(pattern)):
                yield Finding(WARNING, link.index, link.name, f"the pattern {pattern!r} is part of {beside!r}; delete it")
        earlier += [(link, patterns.subject, pattern) for pattern in patterns.patterns]


def _unserved(links: Iterable[Link], models: Sequence[str]) -> Iterator[Finding]:
    if not models:
        return
    for link in links:
        patterns = link.rule.patterns()
        if patterns is None or patterns.subject != "model":
            continue
        for pattern in dict.fromkeys(patterns.patterns):
            if not any(matches(pattern, model) for model in models):
                yield Finding(WARNING, link.index, link.name, f"the pattern {pattern!r} matches none of the {len(models)} models that the gateway serves")


def _own(links: Iterable[Link]) -> Iterator[Finding]:
    for link in links:
        patterns = link.rule.patterns()
        if patterns is not None and not patterns.patterns:
            yield Finding(WARNING, link.index, link.name, "has no patterns, so it does nothing")
        for message in link.rule.lint():
            yield Finding(WARNING, link.index, link.name, message)
