# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""`quota`: limit the number of live keys.

The keys in the task's `usage` count, and those granted to earlier requests of the same list.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...plugin_utils.approval.rule import ApprovalRule, Context, Decision, OptionError, Request, RuleUnavailable, Verdict
from ...plugin_utils.approval.sentences import Sentence, sentence
from ...plugin_utils.approval.tally import DOMAIN, PACKAGE, PERSON

_LIMITS = {"per_person": PERSON, "per_domain": DOMAIN, "per_package": PACKAGE}
_REASONS = {
    PERSON: "You have as many keys as one person may have.",
    DOMAIN: "Your organisation has as many keys as it may have.",
    PACKAGE: "All keys of this package are taken.",
}


class Rule(ApprovalRule):
    OPTIONS = {
        "per_person": {"type": "int", "description": "The most keys of one address. Different ``+tags`` of an address count as one."},
        "per_domain": {"type": "int", "description": "The most keys of one mail domain."},
        "per_package": {"type": "int", "description": "The most keys of one package."},
        "over": {"type": "str", "choices": ["deny", "review"], "default": "deny", "description": "What happens to a request that would be one more."},
    }

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._limits = {option: options[option] for option in _LIMITS if options[option] is not None}
        if not self._limits:
            raise OptionError("per_person", "is missing, and so are per_domain and per_package; give at least one of them")
        for option, limit in self._limits.items():
            if limit < 0:
                raise OptionError(option, f"is {limit}, which is no number of keys; give 0 or more")

    def check(self, context: Context) -> None:
        if context.usage is None:
            raise OptionError(next(iter(self._limits)), "counts live keys, and the task was not told of any; give it usage (an empty list when there are none)")

    def evaluate(self, request: Request, context: Context) -> Verdict:
        if context.tally is None:
            raise RuleUnavailable("the live keys are not known")
        if request.renews:
            return Verdict(Decision.CONTINUE, said=sentence("renewal"))
        subjects = {PERSON: request.address.person, DOMAIN: request.domain, PACKAGE: request.package}
        counts: list[Sentence] = []
        for option, limit in self._limits.items():
            subject = subjects[_LIMITS[option]]
            if subject is None:
                continue
            held = context.tally.held(_LIMITS[option], subject, limit)
            if held >= limit:
                said = sentence("enough_keys", holder=subject, held=held, option=option, limit=limit)
                return Verdict(Decision.from_word(self.options["over"]), said=said, reason=_REASONS[_LIMITS[option]], matched=f"{option}: {limit}")
            counts.append(sentence("few_keys", holder=subject, limit=limit))
        return Verdict(Decision.CONTINUE, said=counts or sentence("no_package"))

    def outcomes(self) -> frozenset[Decision]:
        return frozenset((Decision.CONTINUE, Decision.from_word(self.options["over"])))
