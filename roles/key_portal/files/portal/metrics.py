# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What `/metrics` says of requests and passes, as Prometheus counts. No metric names a person.

All are gauges: the store is shared and keeps what happened, so a portal that restarts, or another one beside it, says the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import durations
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.base import Listing
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import IN_REVIEW, PENDING, STATES, Record
from prometheus_client.core import GaugeMetricFamily, Metric

from .health import PassHealth

PREFIX = "llm_key_portal_"
WAITING = (PENDING, IN_REVIEW)
STEPS = ("decide", "mint", "deliver", "mail", "renew", "record")
OTHER = "other"
RESULTS = ("approved", "denied", "minted", "renewed", "delivered", "ended")
"""Counts in the report of a pass."""


@dataclass(frozen=True)
class RequestFigures:
    """Counts over all requests. `waiting_since` has, for states that wait, when the oldest request there got into it."""

    states: Mapping[str, int]
    failing: Mapping[str, int]
    stopped: int
    delivered: int
    set_aside: int
    waiting_since: Mapping[str, str] = field(default_factory=dict)


def figures_of(listing: Listing) -> RequestFigures:
    """Return the counts over a listing."""
    states, failing, since = Counter(dict.fromkeys(STATES, 0)), Counter(dict.fromkeys((*STEPS, OTHER), 0)), dict[str, str]()
    stopped = delivered = 0
    for record in listing.records:
        progress = record.progress
        states[record.state] += 1
        stopped += bool(progress.stopped_at)
        delivered += bool(progress.delivered)
        if progress.failure:
            failing[_step(progress.failure.step)] += 1
        if record.state in WAITING:
            began = _began(record)
            since[record.state] = min(since.get(record.state, began), began)
    return RequestFigures(states, failing, stopped, delivered, len(listing.set_aside), since)


def _began(record: Record) -> str:
    """Return when a request got into its present state."""
    return next((entry.at for entry in reversed(record.history) if entry.was != entry.now), record.created_at)


def _step(name: object) -> str:
    return str(name) if name in STEPS else OTHER


def metrics_of(figures: RequestFigures | None, health: PassHealth | None, report: Mapping[str, Any] | None, interval: int, now: datetime) -> Iterator[Metric]:
    """Yield the metrics. Without `figures` or `health` the store did not answer, and only that is said."""
    yield _gauge("store_up", "Whether the store of requests answers (1) or not (0).", int(figures is not None and health is not None))
    yield _gauge("pass_interval_seconds", "How often passes are made when nothing happens.", interval)
    if figures is not None:
        yield from _request_metrics(figures, now)
    if health is not None and health.age_seconds is not None:
        yield from _pass_metrics(health, report or {})


def _request_metrics(figures: RequestFigures, now: datetime) -> Iterator[Metric]:
    yield _gauge("requests", "Requests by state.", figures.states.items(), "state")
    ages = [(state, _age(figures.waiting_since.get(state), now)) for state in WAITING]
    yield _gauge("oldest_request_age_seconds", "For how long the oldest request that waits in this state has waited; 0 if none does.", ages, "state")
    yield _gauge(
        "requests_failing", "Requests of which a step failed, by step, and which passes try again unless they stopped.", figures.failing.items(), "step"
    )
    yield _gauge("requests_stopped", "Requests on which passes gave up; an operator can let them try again.", figures.stopped)
    yield _gauge("requests_delivered", "Requests whose answer or key was delivered by at least one method.", figures.delivered)
    yield _gauge("records_set_aside", "Records that cannot be read.", figures.set_aside)


def _pass_metrics(health: PassHealth, report: Mapping[str, Any]) -> Iterator[Metric]:
    yield _gauge("pass_age_seconds", "Seconds since the last pass ended. Without this metric there was none.", health.age_seconds or 0)
    yield _gauge("pass_duration_seconds", "How long the last pass took.", _number(report.get("seconds")))
    found = report.get("failures")
    steps = Counter(dict.fromkeys((*STEPS, OTHER), 0))
    steps.update(_step(failure.get("step")) for failure in (found if isinstance(found, list) else []) if isinstance(failure, Mapping))
    yield _gauge("pass_failures", "Requests that had failed when the last pass ended, by step.", steps.items(), "step")
    yield _gauge("pass_results", "What the last pass did, in requests.", [(name, _number(report.get(name))) for name in RESULTS], "result")


def _gauge(name: str, words: str, value: float | Iterable[tuple[str, float]], label: str = "") -> Metric:
    metric = GaugeMetricFamily(PREFIX + name, words, labels=[label] if label else [])
    for text, number in [("", value)] if isinstance(value, (int, float)) else value:
        metric.add_metric([text] if label else [], number)
    return metric


def _age(since: str | None, now: datetime) -> float:
    return max(0.0, (now - durations.parse_time(since)).total_seconds()) if since else 0.0


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) and 0 <= value < 1e9 else 0.0
