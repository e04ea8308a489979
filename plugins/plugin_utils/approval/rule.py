# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The interface of an approval rule. A collection that brings its own rules imports from here, and from nowhere else.

A rule is a file `plugins/sub_plugins/approval/<name>.py` with a class `Rule` that extends `ApprovalRule`. It is named
`<namespace>.<collection>.<name>` in a chain. The guide `approval_rules` in the documentation builds one step by step.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from .decision import Decision, Verdict
from .pattern import covers, email_pattern, first_match, matches
from .request import Request
from .tally import Tally

__all__ = (
    "ApprovalRule",
    "Context",
    "Decision",
    "OptionError",
    "Patterns",
    "Request",
    "RuleUnavailable",
    "Verdict",
    "checked_patterns",
    "covers",
    "email_pattern",
    "first_match",
    "matches",
)


LONGEST_PATTERN = 256


class OptionError(ValueError):
    """An option has a value that the rule cannot work with. The message goes on after the option's name: `is ..., which ...; give ...`."""

    def __init__(self, option: str, message: str) -> None:
        super().__init__(message)
        self.option = option


def checked_patterns(option: str, patterns: Sequence[str]) -> tuple[str, ...]:
    """The patterns of an option. Raises OptionError for one that could match nothing that anybody means."""
    for pattern in patterns:
        if not pattern or pattern != pattern.strip():
            raise OptionError(option, f"holds the pattern {pattern!r}; give one without blanks around it, such as ollama/*")
        if len(pattern) > LONGEST_PATTERN:
            raise OptionError(option, f"holds a pattern of {len(pattern)} characters, and at most {LONGEST_PATTERN} are allowed; shorten it")
    return tuple(patterns)


class RuleUnavailable(Exception):
    """The rule cannot answer now, through no fault of the request: a service is down, an answer makes no sense.

    The chain then does what `on_error` says. The message is for the administrator and stands in the trace.
    """


@dataclass(frozen=True)
class Context:
    """What a rule may know beside the request."""

    now: datetime
    """When the requests are decided, with a time zone."""
    evaluate: Callable[[str, Mapping[str, Any]], bool] | None = None
    """Evaluates a Jinja condition over variables. The variables are data: templates in them stay text."""
    check_condition: Callable[[str], str | None] | None = None
    """What is wrong with a condition, in words, or None."""
    usage: Sequence[Mapping[str, str]] | None = None
    """The live keys, one row of owner, domain, package and alias each; None when the task gave no `usage`."""
    tally: Tally | None = None
    """Counts those keys, and what requests before this one have been granted. Set in `evaluate` when there is `usage`."""


@dataclass(frozen=True)
class Patterns:
    """The wildcard patterns by which a rule chooses requests, for the lint."""

    subject: str
    """What they are compared with: `model` or `email`."""
    patterns: tuple[str, ...]

    def outcomes(self, match: Decision, otherwise: Decision = Decision.CONTINUE) -> frozenset[Decision]:
        """What can come of them when a match means the one and no match the other: `*` leaves no other."""
        if any(set(pattern) == {"*"} for pattern in self.patterns):
            return frozenset((match,))
        return frozenset((match, otherwise)) if self.patterns else frozenset((otherwise,))


class ApprovalRule(ABC):
    """One rule of a chain, with its options. Made once for a chain, then asked about many requests."""

    OPTIONS: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """The argument spec of the rule's `config`, as modules have one. An option may have a `description`, in reStructuredText.

    Options with `no_log` never reach a trace.
    """

    ON_ERROR: ClassVar[Decision] = Decision.PENDING
    """What `RuleUnavailable` means unless the chain says `on_error`."""

    REMOTE: ClassVar[bool] = False
    """Whether the rule asks somebody else's service. Such rules are asked for several requests at a time, must be safe
    to call from several threads, and are neither called in check mode nor in a rehearsal."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        """`options` hold every name of OPTIONS, checked and converted. Raises OptionError for a value that makes no sense."""
        self.options = options

    @abstractmethod
    def evaluate(self, request: Request, context: Context) -> Verdict:
        """The rule's answer. Raises RuleUnavailable when there is none now."""

    def check(self, context: Context) -> None:
        """Raises OptionError when the rule cannot work in this context. Called before anything is decided."""
        return

    def outcomes(self) -> frozenset[Decision]:
        """Every decision that `evaluate` can come to with these options. The lint finds unreachable rules by it."""
        return frozenset(Decision)

    def patterns(self) -> Patterns | None:
        """The patterns whose match decides a request, when the rule has any."""
        return None

    def lint(self) -> list[str]:
        """What is odd about these options, one sentence each."""
        return []
