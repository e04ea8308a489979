# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""What a user of LiteLLM who may create keys can do with a revoked value, and two runs at once, on the real gateway."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.key_worlds import RealSite
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.live import GRANITE, Live
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.two_runs import check_meeting, meetings


@pytest.fixture
def forger(gateway: Gateway, live: Live) -> str:
    """Return the key of a user who may create keys."""
    made = gateway.post("/user/new", user_id=f"mallory-{live.name}", user_role="internal_user", auto_create_key=False)
    return str(gateway.post("/key/generate", user_id=made["user_id"], key_alias=f"mallory-{live.name}")["key"])


def forge(gateway: Gateway, forger: str, row: dict[str, Any], value: str) -> None:
    """Make a deleted key again, with its value, its alias and its notes, as the user does."""
    body = {"key": value, "key_alias": row["key_alias"], "metadata": row["metadata"], "models": [GRANITE]}
    answer = gateway.request("POST", "/key/generate", json=body, headers={"Authorization": f"Bearer {forger}"})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("again", [{}, {"state": "exact"}, {"rotation": "a"}])
def test_a_revoked_value_does_not_come_back(gateway: Gateway, live: Live, forger: str, again: dict[str, Any]) -> None:
    for _time in range(3):
        made = live.lab("user1", _no_log=True)
        value, row = made["virtual_keys"][0]["value"], live.rows[live.alias("user1")]
        live.run_ok("virtual_keys", guid=live.name, state="absent")
        assert not live.works(value)
        forge(gateway, forger, row, value)
        assert live.works(value), "the gateway knows no better"

        for change in ({"extend_for": "9d"}, {"blocked": False}):
            left = live.run_ok("virtual_keys", guid=live.name, **change)
            assert not left["changed"] and not left["virtual_keys"]
        result = live.lab("user1", _no_log=True, **again)
        assert not live.works(value) and live.works(result["virtual_keys"][0]["value"])
        assert [row["user_id"] for row in live.rows.values() if row["key_alias"].startswith("virtkey-")] == [None]
        assert not live.lab("user1", **again)["changed"]
        live.run_ok("virtual_keys", guid=live.name, state="absent")


@pytest.mark.parametrize(("first", "second"), [("rotate", "destroy"), ("rotate with grace", "stop"), ("provision", "destroy"), ("extend", "rotate again")])
def test_two_runs_at_once(gateway: Gateway, first: str, second: str) -> None:
    for meeting in meetings(RealSite(gateway), lambda: datetime.now(UTC), first, second):
        check_meeting(meeting, first, second)
