# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""`human_review` (also `humanintheloop`): park requests for certain models until a person decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...module_utils.common import email_address
from ...plugin_utils.approval.rule import ApprovalRule, Context, Decision, OptionError, Patterns, Request, Verdict, checked_patterns, first_match


class Rule(ApprovalRule):
    OPTIONS = {
        "email": {"type": "list", "elements": "str", "required": True, "description": "The reviewer's address, or a list."},
        "patterns": {"type": "list", "elements": "str", "required": True, "description": "Patterns for models."},
    }

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._patterns = checked_patterns("patterns", options["patterns"])
        if not options["email"]:
            raise OptionError("email", "is an empty list, so nobody would be told; give the reviewer's address")
        try:
            self._reviewers = tuple(str(email_address.parse_address(reviewer, "it")) for reviewer in options["email"])
        except ValueError as error:
            raise OptionError("email", f"cannot be used: {str(error).rstrip('.')}") from None

    def evaluate(self, request: Request, context: Context) -> Verdict:
        for model in request.models:
            pattern = first_match(self._patterns, model)
            if pattern is not None:
                detail = f"the model {model} needs a reviewer: {', '.join(self._reviewers)}"
                return Verdict(Decision.REVIEW, detail, matched=pattern, reviewers=self._reviewers)
        return Verdict(Decision.CONTINUE, "no model needs a reviewer")

    def outcomes(self) -> frozenset[Decision]:
        return self.patterns().outcomes(Decision.REVIEW)

    def patterns(self) -> Patterns:
        return Patterns("model", self._patterns)
