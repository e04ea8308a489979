# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Look keys up on the real gateway."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.live import GRANITE, Live


@pytest.fixture
def lab(live: Live, gateway: Gateway) -> Live:
    """Four keys, and their namesakes in another lab."""
    gateway.request("POST", "/team/new", json={"team_id": f"team-{live.name}"})
    owner = f"Ada@{live.name}.example"
    keys = [{"user": "user1", "user_id": owner}, {"user": "user2", "team_id": f"team-{live.name}"}, {"user": "user3", "duration": "1s"}]
    live.lab(package=f"package-{live.name}", keys=keys, duration="2h")
    live.run_ok("virtual_key", alias=live.alias("endless"), models=[GRANITE], metadata={"owner": owner.upper()})
    Live(gateway, f"{live.name}x").lab("user1")
    time.sleep(1.2)
    return live


def found(live: Live, **conditions: Any) -> list[str]:
    """Return the users whose keys match."""
    result = live.run_ok("virtual_key_info", **conditions)
    assert not result["changed"]
    assert "sk-" not in json.dumps(result["virtual_keys"])
    aliases = [key["alias"] for key in result["virtual_keys"] if live.name in key["alias"]]
    assert aliases == sorted(aliases)
    return [alias.removeprefix(f"{live.alias()}-") for alias in aliases]


def test_conditions(lab: Live) -> None:
    for check in (True, False):
        assert found(lab, guid=lab.name, _check=check) == ["user1", "user2", "user3"]
    assert found(lab, alias=lab.alias("user2")) == ["user2"]
    assert found(lab, alias=lab.alias()) == []
    assert found(lab, owner=f"ada@{lab.name}.EXAMPLE") == ["endless", "user1"]
    assert found(lab, team_id=f"team-{lab.name}") == ["user2"]
    assert found(lab, package=f"package-{lab.name}") == ["user1", "user2", "user3"]
    assert found(lab, package=f"package-{lab.name}", expired=False, owner=f"ada@{lab.name}.example") == ["user1"]
    assert found(lab, guid=lab.name, expired=True) == ["user3"]
    assert found(lab, guid=lab.name, expired=False) == ["user1", "user2"]
    assert found(lab, guid=lab.name, expiring_within="3h") == ["user1", "user2"]
    assert found(lab, guid=lab.name, expiring_within="1h") == []


def test_the_fields_of_a_key(lab: Live, gateway: Gateway) -> None:
    lab.run_ok("virtual_key", alias=lab.alias("user1"), max_budget=5, rpm_limit=7)
    row = lab.rows[lab.alias("user1")]
    (key,) = lab.run_ok("virtual_key_info", alias=lab.alias("user1"))["virtual_keys"]
    assert (key["key_id"], key["guid"], key["user"], key["managed"], key["expired"]) == (row["token"], lab.name, "user1", True, False)
    assert (key["models"], key["max_budget"], key["rpm_limit"], key["blocked"]) == ([GRANITE], 5.0, 7, False)
    assert "litellm_virtual_keys" not in key["metadata"]


def test_spending_is_returned(lab: Live, gateway: Gateway) -> None:
    gateway.post("/key/update", key=lab.rows[lab.alias("user1")]["token"], spend=1.25)
    gateway.post("/key/update", key=lab.rows[lab.alias("user2")]["token"], spend=0.5)
    result = lab.run_ok("virtual_key_info", guid=lab.name)
    assert result["spend"] == 1.75
    assert [key["spend"] for key in result["virtual_keys"]] == [1.25, 0.5, 0.0]


def test_it_only_reads(lab: Live) -> None:
    before = lab.rows
    for conditions in ({}, {"guid": lab.name}, {"expired": True}):
        lab.run_ok("virtual_key_info", **conditions)
    assert lab.rows == before
