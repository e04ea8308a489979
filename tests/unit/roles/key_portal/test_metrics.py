# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""`/metrics`, the alerts in the documentation, and what probes ask."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import transitions
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import StoreUnreachable
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import IN_REVIEW
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal import store
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.roles.key_portal.conftest import KeptMails, TestPortal, basic, person
from prometheus_client.parser import text_string_to_metric_families

TOKEN = "t" * 40
GUIDE = Path(__file__).parents[4] / "docs" / "docsite" / "rst" / "operations.rst"


@pytest.fixture
def portal(make_portal: Callable[..., TestPortal], monkeypatch: pytest.MonkeyPatch) -> TestPortal:
    monkeypatch.setattr(store, "FIGURES_SECONDS", 0)
    return make_portal(metrics_token=TOKEN, listing_seconds=0)


def report(portal: TestPortal, found: dict[str, Any]) -> None:
    """Report a pass, as the worker does."""
    with portal.store.turn(1) as turn:
        turn.report(found)


def scraped(portal: TestPortal) -> dict[str, float]:
    """Return the metrics as Prometheus reads them."""
    answer = portal.client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            labels = ",".join(sample.labels.values())
            found[sample.name.removeprefix("llm_key_portal_") + (f"[{labels}]" if labels else "")] = sample.value
    return found


def test_requests_and_the_last_pass(portal: TestPortal) -> None:
    portal.ask("old@company.com")
    review = portal.ask("review@company.com")
    failing = portal.ask("failing@company.com")
    ruling = transitions.Ruling("Look at it.", {"models": ["granite"]})
    portal.at = "2026-11-21T04:10:00Z"
    portal.store.transition(portal.store.get(review.id), lambda found: transitions.decide(found, IN_REVIEW, ruling, by="zz", at=portal.at))
    portal.store.transition(portal.store.get(failing.id), lambda found: transitions.mark_failed(found, at=portal.at, step="decide", reason="zz"))
    failures = [{"step": "mail", "reason": "boss@company.com: no"}, {"step": "mail"}, {"step": "a new one"}, {}, "x"]
    report(portal, {"started_at": "2026-11-21T04:09:00Z", "seconds": 1.5, "failures": failures, "delivered": 3, "minted": "many"})
    portal.at = "2026-11-21T05:00:00Z"
    found = scraped(portal)
    assert {name: value for name, value in found.items() if value and "process" not in name and "age" not in name} == {
        "store_up": 1,
        "pass_interval_seconds": 30,
        "requests[pending]": 2,
        "requests[in-review]": 1,
        "requests_failing[decide]": 1,
        "pass_duration_seconds": 1.5,
        "pass_failures[mail]": 2,
        "pass_failures[other]": 2,
        "pass_results[delivered]": 3,
    }
    assert (found["oldest_request_age_seconds[pending]"], found["oldest_request_age_seconds[in-review]"]) == (3600, 3000)
    assert found["process_resident_memory_bytes"] > 1_000_000 and found["requests[denied]"] == 0
    assert "company.com" not in portal.client.get("/metrics", headers=basic()).text


def test_before_the_first_pass(portal: TestPortal) -> None:
    found = scraped(portal)
    assert found["oldest_request_age_seconds[pending]"] == 0 and "pass_age_seconds" not in found


def test_a_store_that_is_down_is_said(portal: TestPortal, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Any:
        raise StoreUnreachable("down")

    monkeypatch.setattr(portal.app.state.portal, "last_report", fail)
    assert {name: value for name, value in scraped(portal).items() if "process" not in name} == {"store_up": 0, "pass_interval_seconds": 30}


def test_a_scrape_reads_the_store_no_more_than_every_ten_seconds(make_portal: Callable[..., TestPortal], monkeypatch: pytest.MonkeyPatch) -> None:
    portal, read = make_portal(metrics_token=TOKEN, listing_seconds=0), list[int]()
    listing = portal.store.listing
    monkeypatch.setattr(portal.app.state.portal._listing, "_read", lambda: read.append(1) or listing())
    for _scrape in range(5):
        scraped(portal)
    assert len(read) == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer "}, 401),
        ({"Authorization": f"Bearer {TOKEN[1:]}"}, 401),
        ({"Authorization": "Bearer \xff"}, 401),
        (person("ada@company.com"), 403),
        (basic(), 200),
        ({"Authorization": f"bearer {TOKEN}"}, 200),
    ],
)
def test_who_may_read_them(portal: TestPortal, headers: dict[str, str], status: int) -> None:
    raw = {name: value.encode("latin-1") for name, value in headers.items()}
    answer = portal.client.get("/metrics", headers=raw)
    assert answer.status_code == status
    assert ("llm_key_portal" in answer.text) is (status == 200)


def test_without_a_token_there_is_none(make_portal: Callable[..., TestPortal]) -> None:
    portal = make_portal(mails=KeptMails(), identity="basic")
    for given in ("Bearer ", "Bearer x", f"Bearer {TOKEN}"):
        assert portal.client.get("/metrics", headers={"Authorization": given}).status_code == 401


def test_tokens_cannot_be_tried_for_ever(portal: TestPortal) -> None:
    statuses = [portal.client.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code for _try in range(21)]
    assert statuses == [401] * 20 + [429]


# -------------------------------------------------------------------------------------------------------------------- alerts
def alerts() -> list[dict[str, Any]]:
    block = re.findall(r"^   # llm-keys\.rules\.yml\n(.*?)^\.\. list-table", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)[0]
    (group,) = yaml.safe_load(block)["groups"]
    return list(group["rules"])


def test_alerts_name_metrics_and_labels_that_exist(portal: TestPortal) -> None:
    report(portal, {"started_at": "2026-11-21T04:00:00Z", "seconds": 1})
    text = portal.client.get("/metrics", headers=basic()).text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    known = {sample.name: {label for each in samples if each.name == sample.name for label in each.labels.items()} for sample in samples}
    assert all(promql_parser.parse(rule["expr"]) for rule in alerts())
    named = [(rule["alert"], name) for rule in alerts() for name in re.findall(r"\b(?:llm_key|process)_\w+", rule["expr"])]
    assert len({alert for alert, _name in named}) == len(alerts()) - 1  # `up` is Prometheus' own
    assert [(alert, name) for alert, name in named if name not in known] == []
    for rule in alerts():
        for name, label, value in re.findall(r'(\w+)\{(\w+)="([^"]*)"\}', rule["expr"]):
            assert name == "up" or (label, value) in known[name], rule["alert"]
        assert rule["labels"]["severity"] in ("critical", "warning") and rule["annotations"]["summary"]


def test_the_guide_names_every_metric_and_says_what_to_do(portal: TestPortal) -> None:
    report(portal, {"started_at": "2026-11-21T04:00:00Z", "seconds": 1})
    guide = GUIDE.read_text(encoding="utf-8")
    names = {family.name for family in text_string_to_metric_families(portal.client.get("/metrics", headers=basic()).text)}
    assert [name for name in sorted(names) if name.startswith("llm_") and f"``{name}``" not in guide] == []
    assert [rule["alert"] for rule in alerts() if f"``{rule['alert']}``" not in guide] == []


# -------------------------------------------------------------------------------------------------------------------- probes
def test_liveness_and_readiness(portal: TestPortal, monkeypatch: pytest.MonkeyPatch) -> None:
    assert portal.get("/health/live", {}) == {"status": "alive"}
    assert portal.get("/health/ready", {}) == {"status": "ready"}  # though no pass was made yet

    def fail() -> Any:
        raise StoreUnreachable("down")

    monkeypatch.setattr(portal.app.state.portal, "last_pass", fail)
    assert portal.get("/health/ready", {}, 503) == {"status": "store down"}
    assert portal.get("/health/live", {}) == {"status": "alive"}
