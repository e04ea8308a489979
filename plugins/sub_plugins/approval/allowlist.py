# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""`allowlist` (also `whitelist`): approve requests if all their models are on a list."""

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
        matched = [first_match(self._patterns, model) for model in request.models]
        if None in matched:
            missing = request.models[matched.index(None)]
            return Verdict(Decision.CONTINUE, said=sentence("model_unlisted", model=missing))
        found = ", ".join(dict.fromkeys(pattern for pattern in matched if pattern))
        return Verdict(Decision.APPROVE, said=sentence("models_listed"), matched=found)

    def outcomes(self) -> frozenset[Decision]:
        return self.patterns().outcomes(Decision.APPROVE)

    def patterns(self) -> Patterns:
        return Patterns("model", self._patterns)
