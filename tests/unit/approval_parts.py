# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Helpers for tests of the approval chain: a chain from data, and requests in short form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ansible.parsing.dataloader import DataLoader
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval import context as contexts
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval import loader
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval.chain import Answers, Chain, ChainOutcome
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval.decision import Decision, Verdict
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval.loader import Link
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval.request import InvalidRequest, Request, parse_request
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval.rule import ApprovalRule, Context

MONDAY_NOON = "2026-11-23T12:00:00Z"


def rule(name: str, **config: Any) -> dict[str, Any]:
    """Return an entry of a chain."""
    return {"name": name, "config": config}


def trusted(condition: str) -> str:
    """Return text as it comes from a playbook."""
    return contexts.trust_as_template(condition)


def untrusted(condition: str) -> str:
    """Return text as it comes from a lookup."""
    return contexts.as_data(condition)  # type: ignore[no-any-return]


def context(now: str = MONDAY_NOON, usage: Sequence[Mapping[str, str]] | None = None) -> Context:
    return contexts.build(DataLoader(), now=now, usage=usage)


def parsed(raw: object, packages: Mapping[str, Any] | None = None, served: Sequence[str] | None = None) -> Request | InvalidRequest:
    try:
        return parse_request(raw, packages, served)
    except InvalidRequest as error:
        return error


def decide(
    entries: list[Any],
    *requests: Any,
    now: str = MONDAY_NOON,
    usage: Sequence[Mapping[str, str]] | None = None,
    packages: Mapping[str, Any] | None = None,
    served: Sequence[str] | None = None,
    parallel: int = 8,
    answers: Answers | None = None,
) -> list[ChainOutcome]:
    """Return the outcomes of requests (mappings) in a chain (data)."""
    here = context(now, usage)
    chain = Chain(loader.load_chain(entries, here), parallel=parallel, answers=answers)
    return chain.decide([parsed(request, packages, served) for request in requests], here)


def one(entries: list[Any], email: str = "user@company.com", model: Any = "gpt-4", **options: Any) -> ChainOutcome:
    """Return the outcome of one request; options that `decide` does not take are fields of the request."""
    own = {name: options.pop(name) for name in ("now", "usage", "packages", "served", "parallel", "answers") if name in options}
    models = {"model": model} if isinstance(model, str) else {"models": model} if model else {}
    return decide(entries, {"email": email, **models, **options}, **own)[0]


class Scripted(ApprovalRule):
    """A rule with a scripted answer."""

    def __init__(self, say: Decision | BaseException | Any) -> None:
        super().__init__({})
        self.say = say
        self.asked: list[Request] = []

    def evaluate(self, request: Request, context: Context) -> Verdict:
        self.asked.append(request)
        if isinstance(self.say, BaseException):
            raise self.say
        return Verdict(self.say) if isinstance(self.say, Decision) else self.say


class ScriptedRemote(Scripted):
    REMOTE = True
    ON_ERROR = Decision.CONTINUE


def link(index: int, rule: ApprovalRule, **options: Any) -> Link:
    return Link(index, f"rule{index}", rule, options.pop("on_error", rule.ON_ERROR), **options)


AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
