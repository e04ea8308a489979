# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""`denylist` (also `blacklist`): deny requests if one of their models is on a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...plugin_utils.approval.rule import ApprovalRule, Context, Decision, Patterns, Request, Verdict, checked_patterns, first_match
from ...plugin_utils.approval.sentences import sentence


class Rule(ApprovalRule):
    OPTIONS = {"list": {"type": "list", "elements": "str", "required": True, "description": "Patterns for models."}}

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._patterns = checked_patterns("list", options["list"])

    def evaluate(self, request: Request, context: Context) -> Verdict:
        for model in request.models:
            pattern = first_match(self._patterns, model)
            if pattern is not None:
                reason = f"The model {model} is not given out."
                return Verdict(Decision.DENY, said=sentence("model_listed", model=model), reason=reason, matched=pattern)
        return Verdict(Decision.CONTINUE, said=sentence("models_unlisted"))

    def outcomes(self) -> frozenset[Decision]:
        return self.patterns().outcomes(Decision.DENY)

    def patterns(self) -> Patterns:
        return Patterns("model", self._patterns)
