# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""`package`: limit which packages a mail domain may take, and cut requests down to the terms that it may have.

A request without a duration or budget gets the upper bound, if there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...module_utils.common import durations
from ...plugin_utils.approval.pattern import domain_pattern
from ...plugin_utils.approval.rule import ApprovalRule, Context, Decision, OptionError, Request, Verdict, checked_patterns, first_match, matches
from ...plugin_utils.approval.sentences import Sentence, sentence


class Rule(ApprovalRule):
    OPTIONS = {
        "allow": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "description": "The first entry whose ``domain`` and ``packages`` match holds.",
            "options": {
                "domain": {"type": "str", "default": "*", "description": "A pattern for domains."},
                "packages": {"type": "list", "elements": "str", "description": "Patterns for packages. Left out: any package, and models without a package."},
                "max_duration": {"type": "str", "description": "The longest duration, such as ``30d``."},
                "max_budget": {"type": "float", "description": "The highest budget, in USD."},
            },
        },
        "otherwise": {"type": "str", "choices": ["deny", "review", "continue"], "default": "deny", "description": "What happens when no entry matches."},
    }

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._entries: list[tuple[str, Mapping[str, Any]]] = []
        for index, entry in enumerate(options["allow"]):
            checked_patterns("allow", [entry["domain"], *(entry["packages"] or ())])
            try:
                self._entries.append((domain_pattern(entry["domain"]), entry))
                if entry["max_duration"] is not None:
                    durations.seconds(entry["max_duration"], f"allow[{index}].max_duration")
            except ValueError as error:
                raise OptionError("allow", f"cannot be used: {str(error).rstrip('.')}") from None
            if entry["max_budget"] is not None and not 0 <= entry["max_budget"] < float("inf"):
                raise OptionError("allow", f"has allow[{index}].max_budget {entry['max_budget']}, which is no amount in USD; give 0 or more")

    def evaluate(self, request: Request, context: Context) -> Verdict:
        for pattern, entry in self._entries:
            if not matches(pattern, request.domain):
                continue
            package = None
            if entry["packages"] is not None:
                package = first_match(entry["packages"], request.package) if request.package else None
                if package is None:
                    continue
            cut, cuts = _cut(request, entry)
            matched = entry["domain"] if package is None else f"{entry['domain']}: {package}"
            return Verdict(Decision.CONTINUE, said=cuts or sentence("within_caps"), matched=matched, request=cut)
        domain, package = request.domain, request.package
        said = sentence("no_package_for", package=package, domain=domain) if package else sentence("no_models_for", domain=domain)
        return Verdict(Decision.from_word(self.options["otherwise"]), said=said, reason="Your organisation may not take what you asked for.")

    def outcomes(self) -> frozenset[Decision]:
        every = any(set(pattern) == {"*"} and entry["packages"] is None for pattern, entry in self._entries)
        otherwise = () if every else (Decision.from_word(self.options["otherwise"]),)
        return frozenset((Decision.CONTINUE, *otherwise)) if self._entries else frozenset(otherwise)


def _cut(request: Request, entry: Mapping[str, Any]) -> tuple[Request, list[Sentence]]:
    """Return the request within the bounds of an entry, and a description of each change."""
    cuts: list[Sentence] = []
    longest, most = entry["max_duration"], entry["max_budget"]
    if longest is not None and (request.duration is None or durations.seconds(request.duration) > durations.seconds(longest)):
        asked = request.duration
        cuts.append(sentence("duration_cut", duration_asked=asked, duration=longest) if asked else sentence("duration_capped", duration=longest))
        request = replace(request, duration=longest)
    if most is not None and (request.max_budget is None or request.max_budget > most):
        budget, cap = request.max_budget, f"{most:g}"
        cuts.append(sentence("budget_capped", cap=cap) if budget is None else sentence("budget_cut", asked=f"{budget:g}", cap=cap))
        request = replace(request, max_budget=most)
    return request, cuts
