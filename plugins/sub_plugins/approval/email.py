# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""`email`: approve requests from addresses that match `pattern` (one, or a list), and deny all others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...plugin_utils.approval.rule import ApprovalRule, Context, Decision, OptionError, Patterns, Request, Verdict, checked_patterns, email_pattern, matches
from ...plugin_utils.approval.sentences import sentence


class Rule(ApprovalRule):
    OPTIONS = {"pattern": {"type": "list", "elements": "str", "required": True, "description": "A pattern for addresses, or a list."}}

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        if not options["pattern"]:
            raise OptionError("pattern", "is an empty list, which would deny everybody; give a pattern such as *@example.com")
        patterns = checked_patterns("pattern", options["pattern"])
        try:
            self._compared = [(pattern, email_pattern(pattern)) for pattern in patterns]
        except ValueError as error:
            raise OptionError("pattern", f"cannot be used: {error}") from None

    def evaluate(self, request: Request, context: Context) -> Verdict:
        for pattern, compared in self._compared:
            if matches(compared, request.email):
                return Verdict(Decision.APPROVE, said=sentence("address_matches"), matched=pattern)
        return Verdict(Decision.DENY, said=sentence("address_unmatched"), reason="Keys are not given to your e-mail address.")

    def outcomes(self) -> frozenset[Decision]:
        return self.patterns().outcomes(Decision.APPROVE, otherwise=Decision.DENY)

    def patterns(self) -> Patterns:
        return Patterns("email", tuple(compared for _pattern, compared in self._compared))

    def lint(self) -> list[str]:
        return [
            f"the pattern {pattern!r} has no @ before its domain, so it also matches other domains that end alike; write *@{pattern.lstrip('*.')}"
            for pattern in self.options["pattern"]
            if "@" not in pattern and set(pattern) != {"*"}
        ]
