# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The approval chain of a site with its offers, loaded once and asked by every pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.parsing.dataloader import DataLoader

from ...module_utils.key_requests.review import APPROVALS, BY_OTHERS
from ..approval import context as contexts
from ..approval.chain import Chain, ChainOutcome, not_in_check_mode
from ..approval.decision import Decision, Verdict
from ..approval.loader import OUR_COLLECTION, Link, load_chain
from ..approval.request import Request, request_or_refusal
from ..approval.sentences import sentence
from .offers import Offers

_QUOTA = ("quota", f"{OUR_COLLECTION}.quota")


def _needs_several(options: Mapping[str, Any]) -> bool:
    """Return whether the options of a rule ask for more than one approval by anybody, in the words of `human_review`."""
    approvals = options.get(APPROVALS)
    return (isinstance(approvals, int) and approvals > 1) or options.get(BY_OTHERS) is True


def _not_in_rehearsals(link: Link, request: Request) -> Verdict:
    return Verdict(Decision.CONTINUE, said=sentence("not_asked"))


class SiteChain:
    """The rules and offers of a site. `check_mode`: services are not asked."""

    def __init__(self, rules: Sequence[Any], offers: Offers, loader: DataLoader, *, parallel: int = 8, check_mode: bool = False) -> None:
        """Raises ValueError for a chain that cannot be used."""
        self.offers = offers
        self.policy = offers.digest(rules)
        self._loader = loader
        links = load_chain(rules, contexts.build(loader, usage=[]))
        self.has_rules = bool(links)
        self._strict = [link.index for link in links if _needs_several(link.rule.options)]
        self.needs_several = bool(self._strict)
        # A rule of another collection may ask how many keys somebody has.
        self.counts_keys = any(link.name in _QUOTA or ("." in link.name and not link.name.startswith(f"{OUR_COLLECTION}.")) for link in links)
        self._chain = Chain(links, parallel=parallel, answers=not_in_check_mode if check_mode else None)
        self._rehearsal = Chain(links, answers=_not_in_rehearsals)
        self._remote = frozenset(link.index for link in links if link.rule.REMOTE)
        self._packages = {name: {"models": offer["models"]} for name, offer in offers.packages.items()}

    def decide(self, requests: Sequence[Mapping[str, Any]], models: Sequence[str] | None, usage: Sequence[Mapping[str, Any]] | None) -> list[ChainOutcome]:
        """Return the decision on each request. `models` are those that requests may name, `usage` the living keys."""
        parsed = [request_or_refusal(request, self._packages, models) for request in requests]
        return self._chain.decide(parsed, contexts.build(self._loader, usage=usage))

    def rehearse(self, request: Mapping[str, Any], models: Sequence[str] | None, usage: Sequence[Mapping[str, Any]] | None) -> ChainOutcome:
        """Return the decision on one request as it would be at present, without asking a service. See `decide`."""
        parsed = request_or_refusal(request, self._packages, models)
        return self._rehearsal.decide([parsed], contexts.build(self._loader, usage=usage))[0]

    def unasked(self, outcome: ChainOutcome) -> list[str]:
        """Return the names of the rules that a rehearsal went past because they ask a service."""
        return [step.rule for step in outcome.trace if step.index in self._remote]

    def may_need_several(self, outcome: ChainOutcome) -> bool:
        """Return whether the chain ended at a rule without its answer, before all rules that want several approvals had given theirs."""
        if outcome.decided_by is None or (outcome.answered and outcome.decision is not Decision.PENDING):
            return False
        return any(index >= outcome.decided_by.index for index in self._strict)
