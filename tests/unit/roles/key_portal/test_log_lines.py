# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The log in JSON: every line is an object, and none names a person unless that is wanted."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.log_lines import JsonLines
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.roles.key_portal.conftest import TestPortal, Visitor

SECRET = "s" * 40


class Log:
    """Everything that is logged, as JSON."""

    def __init__(self, **options: Any) -> None:
        self._output = StringIO()
        self.handler = logging.StreamHandler(self._output)
        self.handler.setFormatter(JsonLines(secret=SECRET, **options))

    @property
    def text(self) -> str:
        return self._output.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def logs() -> Iterator[tuple[Log, Log]]:
    """Yield a log without people, and one with them."""
    both, root = (Log(), Log(persons=True)), logging.getLogger("portal")
    before = root.level
    root.setLevel(logging.INFO)
    for log in both:
        root.addHandler(log.handler)
    yield both
    for log in both:
        root.removeHandler(log.handler)
    root.setLevel(before)


def test_the_audit_log_has_ids_in_place_of_people(logs: tuple[Log, Log], site: TestPortal, visitor: Visitor) -> None:
    visitor.sign_in("Boss@example.com")
    request = site.ask("ada@company.com")
    visitor.send(f"/admin/{request.id}/deny", {"reason": "Ask bob@company.com first.", "version": request.version})
    without, named = logs
    assert [line["event"] for line in without.lines] == [line["event"] for line in named.lines] == ["signed_in", "denied"]
    signed_in, denied = without.lines
    assert signed_in["who_id"] == denied["who_id"] != denied["email_id"] and len(denied["who_id"]) == 16
    assert (denied["request"], denied["logger"], denied["level"], denied["method"]) == (request.id, "portal.audit", "info", "link")
    assert "@" not in without.text and "testclient" not in without.text and "peer" not in without.text
    assert (named.lines[1]["who"].lower(), named.lines[1]["email"]) == ("boss@example.com", "ada@company.com") and named.lines[1]["peer"]


def test_ids_follow_from_the_secret() -> None:
    def id_of(secret: str, who: str) -> str:
        record = logging.makeLogRecord({"name": "portal.audit", "facts": {"event": "x", "who": who}})
        return str(json.loads(JsonLines(secret=secret).format(record))["who_id"])

    assert id_of(SECRET, "ada@company.com") == id_of(SECRET, "ADA@company.com") != id_of("t" * 40, "ada@company.com")
    assert id_of(SECRET, "somebody") == "somebody"


def test_other_lines_lose_addresses(logs: tuple[Log, Log]) -> None:
    log = logging.getLogger("portal")
    log.warning("A mail to <%s> failed:\nno such user 'bob@company.com'", "ada.lovelace+x@company.com")
    try:
        raise ValueError("eve@company.com \x00")
    except ValueError:
        log.exception("It failed")
    without, named = logs
    first, second = without.lines
    assert first["message"] == "A mail to <(address)> failed:\nno such user '(address)'" and first["level"] == "warning"
    assert second["error"].startswith("Traceback") and "@" not in without.text and "eve@company.com" in named.text
    assert first["time"].endswith("Z")
