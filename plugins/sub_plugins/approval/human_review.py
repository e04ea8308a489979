# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""`human_review` (also `humanintheloop`): park requests for certain models until a person decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...module_utils.common import email_address
from ...module_utils.key_requests.review import check_review
from ...plugin_utils.approval.rule import ApprovalRule, Context, Decision, OptionError, Patterns, Request, Verdict, checked_patterns, first_match
from ...plugin_utils.approval.sentences import sentence


class Rule(ApprovalRule):
    OPTIONS = {
        "email": {
            "type": "list",
            "elements": "str",
            "description": "The reviewer's address, or a list. Left out: the ``reviewers`` of the rule, else ``key_requests_reviewers``.",
        },
        "patterns": {"type": "list", "elements": "str", "required": True, "description": "Patterns for models."},
        "approvals": {"type": "int", "default": 1, "description": "How many people must approve, from 1 to 10. Whoever changes the terms begins anew."},
        "by_others": {
            "type": "bool",
            "default": False,
            "description": "Whether requesters may not approve their own requests. The ``actor`` tells: their address, or the part before the @.",
        },
        "remind_after": {
            "type": "str",
            "description": "The time, such as ``24h``, after which reviewers are reminded, up to five times, with pauses that double.",
        },
        "expires_after": {"type": "str", "description": "The time, such as ``14d``, after which a request that nobody decided is denied."},
    }

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._patterns = checked_patterns("patterns", options["patterns"])
        if options["email"] == []:
            raise OptionError("email", "is an empty list, so nobody would be told; give the reviewer's address, or leave it out")
        try:
            self._reviewers = tuple(str(email_address.parse_address(reviewer, "it")) for reviewer in options["email"] or ())
        except ValueError as error:
            raise OptionError("email", f"cannot be used: {str(error).rstrip('.')}") from None

        usual = {"remind_after": None, "expires_after": None, "approvals": 1, "by_others": False}
        self._review = {name: options[name] for name, default in usual.items() if options[name] != default}
        for name, value in self._review.items():
            try:
                check_review({name: value})
            except ValueError as error:
                raise OptionError(name, f"cannot be used: {str(error).rstrip('.')}") from None

    def evaluate(self, request: Request, context: Context) -> Verdict:
        for model in request.models:
            pattern = first_match(self._patterns, model)
            if pattern is not None:
                reviewers = ", ".join(self._reviewers)
                said = sentence("model_reviewed_by", model=model, reviewers=reviewers) if reviewers else sentence("model_reviewed", model=model)
                return Verdict(Decision.REVIEW, said=said, matched=pattern, reviewers=self._reviewers, review=self._review)
        return Verdict(Decision.CONTINUE, said=sentence("models_unreviewed"))

    def outcomes(self) -> frozenset[Decision]:
        return self.patterns().outcomes(Decision.REVIEW)

    def patterns(self) -> Patterns:
        return Patterns("model", self._patterns)
