# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What /health says of the store, of passes and of mail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import durations
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.health import health_of_pass, seconds_of_interval
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.roles.key_portal.conftest import TestPortal

NOW = datetime(2026, 11, 21, 4, tzinfo=UTC)


def report(seconds_ago: float, **fields: Any) -> dict[str, Any]:
    return {"started_at": durations.iso(NOW - timedelta(seconds=seconds_ago)), "seconds": 10, "failures": [], **fields}


@pytest.mark.parametrize(
    ("given", "status", "age"),
    [
        (report(40), "on time", 30),
        (report(190), "on time", 180),
        (report(191), "late", 181),
        (report(-100), "on time", 0),
        (None, "never", None),
        ({}, "never", None),
        ({"started_at": "soon"}, "never", None),
        ({"started_at": 7, "seconds": "x"}, "never", None),
        (report(40, seconds="x"), "on time", 40),
        (report(40, seconds=1e300), "on time", 40),
        (report(40, failures="many"), "on time", 30),
    ],
)
def test_the_last_pass(given: Any, status: str, age: int | None) -> None:
    found = health_of_pass(given, 30, NOW)
    assert (found.status, found.age_seconds) == (status, age)


def test_failures_are_counted() -> None:
    of_mail = [
        {"step": "mail", "reason": "mail: refused"},
        {"step": "mail", "reason": "boss@x.com: refused"},
        {"step": "deliver", "reason": "mail: down"},
    ]
    others = [{"step": "mint"}, {}, {"step": "deliver", "reason": "kubernetes_secret: no"}, {"step": "mail", "reason": "webhook-chat: no"}, {"step": []}]
    found = health_of_pass(report(1, failures=[*of_mail, *others, "x", None]), 30, NOW)
    assert (found.failed, found.mails_failed) == (8, 3)


@pytest.mark.parametrize(("interval", "seconds"), [("30s", 30), ("5m", 300), ("1h", 3600), ("", 30), ("0s", 30), ("5 m", 30), ("1d", 30), ("once", 30)])
def test_intervals_as_the_requestor_reads_them(interval: str, seconds: int) -> None:
    assert seconds_of_interval(interval) == seconds


def make_pass(portal: TestPortal, seconds_ago: float = 5, **fields: Any) -> None:
    started = durations.iso(datetime.now(UTC) - timedelta(seconds=seconds_ago))
    with portal.store.turn(1) as turn:
        turn.report({"started_at": started, "seconds": 1, "failures": [], **fields})


def test_healthy(portal: TestPortal) -> None:
    make_pass(portal)
    found = portal.get("/health", {})
    assert found["status"] == "healthy"
    assert found["components"]["store"] == {"status": "up"} and found["components"]["mail"] == {"status": "up", "failed": 0}
    assert found["components"]["passes"]["status"] == "on time" and found["components"]["passes"]["age_seconds"] in (3, 4, 5)


def test_without_a_pass(portal: TestPortal) -> None:
    found = portal.get("/health", {})
    assert (found["status"], found["components"]["passes"]["status"], found["components"]["mail"]["status"]) == ("degraded", "never", "unknown")


def test_late(portal: TestPortal) -> None:
    make_pass(portal, 4000)
    assert portal.get("/health", {})["status"] == "degraded"


def test_mails_that_fail(portal: TestPortal) -> None:
    make_pass(portal, failures=[{"step": "mail", "reason": "smtp.internal refuses", "request_id": "x"}])
    found = portal.get("/health", {})
    assert (found["status"], found["components"]["mail"]) == ("degraded", {"status": "failing", "failed": 1})
    assert "internal" not in str(found), "strangers read this"
