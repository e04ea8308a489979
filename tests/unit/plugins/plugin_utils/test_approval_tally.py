# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Keys are counted as if requests came one after another, however the answers of services overlap."""

from __future__ import annotations

import random
import threading
import time
from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval import loader
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval.chain import Chain
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval.decision import Decision, Verdict
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval.request import Request, parse_request
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval.rule import Context
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.approval_parts import AT, ScriptedRemote, link, rule
from hypothesis import given, settings
from hypothesis import strategies as st


class Remote(ScriptedRemote):
    """Denies the model `bad`, with a delay that differs from request to request."""

    def __init__(self, seed: int) -> None:
        super().__init__(Decision.CONTINUE)
        self.random = random.Random(seed)

    def evaluate(self, request: Request, context: Context) -> Verdict:
        time.sleep(self.random.random() / 500)
        return Verdict(Decision.DENY if request.models[0] == "bad" else Decision.CONTINUE)


REQUESTS = st.lists(st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["x.example", "y.example"]), st.sampled_from(["good", "bad"])), max_size=15)


@settings(deadline=None, max_examples=60)
@given(REQUESTS, st.integers(0, 3), st.integers(0, 4), st.integers(0, 10**6))
def test_the_count_is_that_of_one_after_another(asks: list[tuple[str, str, str]], per_person: int, per_domain: int, seed: int) -> None:
    requests = [parse_request({"email": f"{name}@{domain}", "model": model}) for name, domain, model in asks]
    usage = [{"owner": "a@x.example"}]
    context = Context(now=AT, usage=usage)

    def chain(parallel: int) -> list[Any]:
        quota, allow = loader.load_chain([rule("quota", per_person=per_person, per_domain=per_domain), rule("allowlist", list=["*"])])
        links = [link(0, Remote(seed)), link(1, quota.rule), link(2, Remote(seed + 1)), link(3, allow.rule)]
        return [outcome.decision for outcome in Chain(links, parallel=parallel).decide(requests, context)]

    persons, domains = {"a@x.example": 1}, {"x.example": 1}
    expected = []
    for name, domain, model in asks:
        person = f"{name}@{domain}"
        fits = persons.get(person, 0) < per_person and domains.get(domain, 0) < per_domain
        if fits and model == "good":
            persons[person] = persons.get(person, 0) + 1
            domains[domain] = domains.get(domain, 0) + 1
        expected.append(Decision.APPROVE if fits and model == "good" else Decision.DENY)
    assert chain(1) == expected
    assert chain(6) == expected


def test_far_from_its_limit_a_quota_does_not_make_services_wait_for_each_other() -> None:
    together = threading.Barrier(8, timeout=20)

    class Together(ScriptedRemote):
        def evaluate(self, request: Request, context: Context) -> Verdict:
            together.wait()  # all eight must be evaluated at the same time, or none continues
            return Verdict(Decision.APPROVE)

    (quota,) = loader.load_chain([rule("quota", per_domain=1000)])
    requests = [parse_request({"email": f"user{number}@x.example", "model": "m"}) for number in range(16)]
    outcomes = Chain([quota, link(1, Together(Decision.APPROVE))], parallel=8).decide(requests, Context(now=AT, usage=[]))
    assert {outcome.decision for outcome in outcomes} == {Decision.APPROVE}
