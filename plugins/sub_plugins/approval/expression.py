# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""`expression`: decide by a Jinja condition over `request`, in the form that `when` takes.

A condition sees only `request`. Text that the requester wrote is data and is never templated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...plugin_utils.approval.rule import ApprovalRule, Context, Decision, OptionError, Request, RuleUnavailable, Verdict
from ...plugin_utils.approval.sentences import sentence


class Rule(ApprovalRule):
    OPTIONS = {
        "condition": {
            "type": "list",
            "elements": "raw",
            "required": True,
            "description": "A condition over ``request``, or a list, all of which must be true.",
        },
        "decision": {"type": "str", "choices": ["approve", "deny", "review", "pending"], "required": True, "description": "What happens then."},
    }

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._conditions: list[str] = options["condition"]
        if not self._conditions:
            raise OptionError("condition", "is an empty list; give a condition such as request.max_budget <= 10")
        for condition in self._conditions:
            if not isinstance(condition, str) or not condition.strip():
                raise OptionError("condition", f"holds {condition!r}, which is no condition; give text such as request.max_budget <= 10")

    def check(self, context: Context) -> None:
        if context.check_condition is None:
            raise OptionError("condition", "cannot be evaluated here; use the rule in the action approval or policy_check")
        for condition in self._conditions:
            wrong = context.check_condition(condition)
            if wrong:
                raise OptionError("condition", f"is {condition!r}, which cannot be used: {wrong}")

    def evaluate(self, request: Request, context: Context) -> Verdict:
        if context.evaluate is None:
            raise RuleUnavailable("there is nothing that evaluates conditions")
        variables = {"request": request.as_dict()}
        for condition in self._conditions:
            try:
                holds = context.evaluate(condition, variables)
            except ValueError as error:
                raise RuleUnavailable(f"the condition {condition!r} could not be evaluated: {error}") from None
            if not holds:
                return Verdict(Decision.CONTINUE, said=sentence("condition_false", condition=condition))
        return Verdict(Decision.from_word(self.options["decision"]), said=sentence("condition_true"), matched=" and ".join(self._conditions))

    def outcomes(self) -> frozenset[Decision]:
        return frozenset((Decision.CONTINUE, Decision.from_word(self.options["decision"])))
