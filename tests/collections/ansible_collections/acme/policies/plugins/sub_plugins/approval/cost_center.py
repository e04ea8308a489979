# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""`acme.policies.cost_center`: only cost centers that pay get keys, and none gets more than its budget.

`budgets`: a mapping of cost centers to USD. The request names its own in the field `cost_center`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval.rule import (
    ApprovalRule,
    Context,
    Decision,
    OptionError,
    Request,
    Verdict,
)


class Rule(ApprovalRule):
    OPTIONS = {"budgets": {"type": "dict", "required": True, "description": "USD by cost center."}}

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        try:
            self._budgets = {str(center): float(usd) for center, usd in options["budgets"].items()}
        except (TypeError, ValueError):
            raise OptionError("budgets", "has an amount that is no number; give USD, such as 4711: 100") from None

    def evaluate(self, request: Request, context: Context) -> Verdict:
        center = str(request.extra.get("cost_center", ""))
        budget = self._budgets.get(center)
        if budget is None:
            return Verdict(Decision.DENY, f"the cost center {center!r} does not pay", reason="Name a cost center that pays for LLM keys.")
        if request.max_budget is not None and request.max_budget <= budget:
            return Verdict(Decision.CONTINUE, f"within {budget:g} USD", matched=center)
        return Verdict(Decision.CONTINUE, f"budget cut to {budget:g} USD", matched=center, request=replace(request, max_budget=budget))

    def outcomes(self) -> frozenset[Decision]:
        return frozenset((Decision.DENY, Decision.CONTINUE))
