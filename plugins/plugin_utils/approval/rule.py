# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The interface of an approval rule. A collection with rules of its own imports from here only.

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
    """An option has an unusable value. The message continues after the option's name: `is ..., which ...; give ...`."""

    def __init__(self, option: str, message: str) -> None:
        super().__init__(message)
        self.option = option


def checked_patterns(option: str, patterns: Sequence[str]) -> tuple[str, ...]:
    """Return the patterns of an option. Raises OptionError for one that cannot be meant."""
    for pattern in patterns:
        if not pattern or pattern != pattern.strip():
            raise OptionError(option, f"holds the pattern {pattern!r}; give one without blanks around it, such as ollama/*")
        if len(pattern) > LONGEST_PATTERN:
            raise OptionError(option, f"holds a pattern of {len(pattern)} characters, and at most {LONGEST_PATTERN} are allowed; shorten it")
    return tuple(patterns)


class RuleUnavailable(Exception):
    """The rule cannot answer now, although the request is valid: a service is down, or its answer makes no sense.

    The chain then applies `on_error`. The message is for the administrator and appears in the trace.
    """


@dataclass(frozen=True)
class Context:
    """What a rule may use in addition to the request."""

    now: datetime
    """The time of the decision, with a time zone."""
    evaluate: Callable[[str, Mapping[str, Any]], bool] | None = None
    """Evaluates a Jinja condition over variables. These are data: templates in them stay text."""
    check_condition: Callable[[str], str | None] | None = None
    """Returns the fault of a condition, or None."""
    usage: Sequence[Mapping[str, str]] | None = None
    """The live keys, each a row of owner, domain, package and alias; None if the task gave no `usage`."""
    tally: Tally | None = None
    """Counts those keys and the ones granted to earlier requests. Set during `evaluate` if there is `usage`."""


@dataclass(frozen=True)
class Patterns:
    """The wildcard patterns by which a rule chooses requests, for the lint."""

    subject: str
    """The value they are compared with: `model` or `email`."""
    patterns: tuple[str, ...]

    def outcomes(self, match: Decision, otherwise: Decision = Decision.CONTINUE) -> frozenset[Decision]:
        """Return the possible decisions, `match` for a match and `otherwise` for none. A pattern `*` leaves only `match`."""
        if any(set(pattern) == {"*"} for pattern in self.patterns):
            return frozenset((match,))
        return frozenset((match, otherwise)) if self.patterns else frozenset((otherwise,))


class ApprovalRule(ABC):
    """A rule of a chain with its options. It is created once per chain and asked about many requests."""

    OPTIONS: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """The argument spec of the rule's `config`, in the form that modules use. An option may have a `description`, in
    reStructuredText. Options with `no_log` never appear in a trace."""

    ON_ERROR: ClassVar[Decision] = Decision.PENDING
    """The decision for `RuleUnavailable` unless the chain gives `on_error`."""

    REMOTE: ClassVar[bool] = False
    """Whether the rule calls an external service. Such a rule is asked about several requests at a time, so it must be
    thread-safe, and it is called neither in check mode nor in a rehearsal."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        """`options` hold every name in OPTIONS, checked and converted. Raises OptionError for an unusable value."""
        self.options = options

    @abstractmethod
    def evaluate(self, request: Request, context: Context) -> Verdict:
        """Return the rule's answer. Raises RuleUnavailable if it cannot answer now."""

    def check(self, context: Context) -> None:
        """Raise OptionError if the rule cannot work in this context. Called before anything is decided."""
        return

    def outcomes(self) -> frozenset[Decision]:
        """Return every decision that `evaluate` can reach with these options. The lint uses it to find unreachable rules."""
        return frozenset(Decision)

    def patterns(self) -> Patterns | None:
        """Return the patterns whose match decides a request, or None."""
        return None

    def lint(self) -> list[str]:
        """Return what is questionable about these options, one sentence each."""
        return []
