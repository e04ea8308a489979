# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Hypothesis strategies for requests. Every drawn request is a record that could really exist."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import durations
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import record as records
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import transitions
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import RequestRefused
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import Record
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.text import clip
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.transitions import Change, Ruling
from hypothesis import strategies as st

AT = "2026-11-21T04:00:00Z"

times = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)).map(lambda time: durations.iso(time.replace(tzinfo=UTC)))
hostile = st.text(max_size=200) | st.sampled_from(
    [
        "<script>alert(1)</script>",
        "\x1b[31mred",
        "a\r\nBcc: x@example.com",
        "{{ 7*7 }}",
        "sk-" + "a" * 40,
        "\u202egnp.exe",
        "'; DROP TABLE x;--",
    ]
)
texts = hostile.map(lambda text: clip(text, 200))
locals_ = st.from_regex(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,12}(\.[A-Za-z0-9]{1,8}){0,2}", fullmatch=True)
emails = st.builds("{}@{}".format, locals_, st.sampled_from(["example.com", "Example.COM", "bücher.example", "lab.opentlc.com"]))
models = st.lists(
    st.sampled_from(["ollama/llama3:8b", "granite-3-2-8b-instruct", "gpt-4", "日本語モデル", "a b", "<b>"])
    | st.from_regex(r"[a-z0-9/._:-]{1,40}", fullmatch=True),
    min_size=1,
    max_size=4,
)
wanted_duration = st.sampled_from(["", "30d", "12h", "2w"])
budgets = st.none() | st.floats(0, 1e6) | st.integers(0, 10**6)


@st.composite
def wishes(draw: st.DrawFn) -> Record:
    """Draw a request as it is submitted."""
    what: dict[str, Any] = draw(st.fixed_dictionaries({"models": models}) | st.fixed_dictionaries({"package": st.sampled_from(["ai-developer", "lab-prod"])}))
    guid = draw(st.sampled_from(["", "abc12"]))
    renews = draw(st.sampled_from(["", "", "61675744-cffc-5b79-8a46-d69b1c18c28e"]))
    return records.new(
        email=draw(emails),
        **what,
        purpose=draw(texts),
        duration=draw(wanted_duration),
        max_budget=draw(budgets),
        guid=guid,
        user=draw(st.sampled_from(["", "user1"])) if guid else "",
        renews=renews,
        from_end=bool(renews) and draw(st.booleans()),
        by=draw(texts),
        at=draw(times),
    )


granted = st.fixed_dictionaries(
    {},
    optional={
        "duration": st.sampled_from(["7d", "never"]),
        "max_budget": st.floats(0, 100),
        "models": models,
        "rpm_limit": st.integers(0, 1000),
    },
)
anything = st.none() | st.booleans() | st.integers() | st.floats() | hostile | st.lists(hostile, max_size=2)
traces = st.lists(st.dictionaries(hostile, anything, max_size=3), max_size=3)
step_names = st.sampled_from(["mint", "mail", "kubernetes_secret", "decide"])


@st.composite
def renewals(draw: st.DrawFn) -> Change:
    """Draw a change that a pass makes to a renewal, or to the request whose key it renews."""
    at, expires = draw(times), draw(st.just("") | times)
    kind = draw(st.sampled_from(["planned", "renewed", "another end"]))
    if kind == "planned":
        alias = draw(texts)
        return lambda r: transitions.plan_renewal(r, at=at, key_alias=alias, expires=expires)
    if kind == "renewed":
        return lambda r: transitions.mark_renewed(r, at=at)
    terms = draw(granted)
    return lambda r: transitions.note_end(r, expires, terms=terms, reason="Renewed.", by="gateway", at=at)


@st.composite
def _changes(draw: st.DrawFn) -> Change:
    """Draw a change that people, the chain or a pass may make to a request, at a time that any clock may show."""
    at = draw(times)
    kind = draw(
        st.sampled_from(
            ["decide", "approve", "settle", "retry", "cancel", "again", "minted", "delivered", "finished", "ended", "notified", "failed", "by hand"]
        )
    )
    by = draw(texts)
    if kind == "decide":
        goal, reason, terms, trace = draw(st.sampled_from(records.STATES[1:])), draw(texts), draw(granted), draw(traces)
        only_from = draw(st.sampled_from([records.STATES, (records.PENDING,)]))
        ruling = Ruling(reason, terms, trace=trace, reviewers=draw(st.sampled_from([(), ("boss@example.com",)])), policy="sha256:0")
        return lambda r: transitions.decide(r, goal, ruling, by=by, at=at, only_from=only_from)
    if kind == "approve":
        reason, terms, beyond = draw(texts), draw(granted), draw(st.booleans())
        return lambda r: transitions.approve(r, terms, beyond=beyond, reason=reason, by=by, at=at)
    if kind == "settle":
        terms = draw(granted)
        return lambda r: transitions.settle_terms(r, terms, at=at)
    if kind == "retry":
        return lambda r: transitions.retry(r, by=by, at=at)
    if kind == "cancel":
        reason = draw(texts)
        return lambda r: transitions.cancel(r, by=by, at=at, reason=reason)
    if kind == "again":
        wish, again = draw(wishes()), draw(st.booleans())
        return lambda r: transitions.resubmit(r, wish, again=again)
    if kind == "minted":
        alias, expires = draw(texts), draw(st.just("") | times)
        return lambda r: transitions.mark_minted(r, at=at, key_alias=alias, expires=expires)
    if kind == "failed":
        step, reason, final, trace = draw(step_names), draw(hostile), draw(st.booleans()), draw(traces)
        return lambda r: transitions.mark_failed(r, at=at, step=step, reason=reason, final=final, trace=trace)
    if kind == "by hand":
        goal = draw(st.sampled_from(records.STATES))

        def by_hand(r: Record) -> Record:
            try:
                return transitions.set_by_hand(r, goal, by=by, at=at)
            except ValueError as error:
                raise RequestRefused(str(error)) from None

        return by_hand
    name = draw(step_names)
    if kind == "delivered":
        return lambda r: transitions.mark_delivered(r, at=at, via=name)
    if kind == "notified":
        return lambda r: transitions.mark_notified(r, at=at, notices=[name])
    return (lambda r: transitions.mark_finished(r, at=at)) if kind == "finished" else (lambda r: transitions.mark_ended(r, at=at))


def changes() -> st.SearchStrategy[Change]:
    """Return a strategy for any change to a request."""
    return _changes() | renewals()


@st.composite
def lives(draw: st.DrawFn) -> Record:
    """Draw a request after any number of changes."""
    record = draw(wishes())
    for change in draw(st.lists(changes(), max_size=8)):
        try:
            record = change(record)
        except RequestRefused:
            continue
    return record
