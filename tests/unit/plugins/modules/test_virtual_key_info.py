# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import LitellmModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.served_model import ServedModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.module_parts import Modules


@pytest.fixture(params=["search", "optional", "always", "exact"])
def modules(request: pytest.FixtureRequest) -> Iterator[Modules]:
    with ServedModel(LitellmModel(search=request.param, teams={"blue": ()})) as served:
        modules = Modules(served)
        lab = {"guid": "abc", "models": ["granite"], "package": "ai-developer"}
        modules.run_ok("virtual_keys", **lab, duration="2h", keys=[{"user": "user1", "user_id": "Ada@lab.example"}, {"user": "user2", "team_id": "blue"}])
        modules.run_ok("virtual_keys", guid="abcd", keys=[{}], models=["granite"], duration="10d", metadata={"owner": "ada@lab.example"})
        modules.run_ok("virtual_key", alias="endless", models=["granite"])
        served.model.handle("POST", "/key/generate", {}, {"key": "sk-nobodys-very-own-01", "key_alias": None, "duration": "1h"})
        for row in served.model.rows.values():
            row["spend"] = 0.5
        yield modules


def aliases(modules: Modules, **conditions: Any) -> list[str]:
    result = modules.run_ok("virtual_key_info", **conditions)
    assert result["spend"] == 0.5 * len(result["virtual_keys"])
    return [key["alias"] for key in result["virtual_keys"]]


ONE, TWO = "virtkey-abc-user1", "virtkey-abc-user2"


def test_conditions(modules: Modules) -> None:
    assert aliases(modules) == ["", "endless", ONE, TWO, "virtkey-abcd"]
    assert aliases(modules, alias=ONE) == [ONE]
    assert aliases(modules, alias="virtkey-abc") == []
    assert aliases(modules, guid="abc") == [ONE, TWO]
    assert aliases(modules, guid="nobody") == []
    assert aliases(modules, owner="ada@LAB.example") == [ONE, "virtkey-abcd"]
    assert aliases(modules, owner="none") == [], "no owner is not an owner of that name"
    assert aliases(modules, team_id="blue") == [TWO]
    assert aliases(modules, package="ai-developer") == [ONE, TWO]
    assert aliases(modules, guid="abc", owner="ada@lab.example", package="ai-developer") == [ONE]


def test_ends(modules: Modules) -> None:
    assert aliases(modules, expiring_within="3h") == ["", ONE, TWO]
    assert aliases(modules, expiring_within="30d") == ["", ONE, TWO, "virtkey-abcd"]
    assert aliases(modules, expired=True) == []
    modules.served.model.pass_time(3600 + 1)
    assert aliases(modules, expired=True) == [""]
    assert aliases(modules, expired=False) == ["endless", ONE, TWO, "virtkey-abcd"]
    assert aliases(modules, guid="abc", expired=True) == []
    assert aliases(modules, expiring_within="3h") == [ONE, TWO]
    modules.served.model.pass_time(3600)
    assert aliases(modules, guid="abc", expired=True) == [ONE, TWO]
    assert aliases(modules, guid="abc", expired=False) == []


def test_values_are_never_in_a_result(modules: Modules) -> None:
    result = modules.run_ok("virtual_key_info", _no_log=True)
    assert "value" not in json.dumps(result["virtual_keys"]) and "sk-" not in json.dumps(result["virtual_keys"])
    assert not result["changed"]


def test_only_an_admin_may_conclude_that_no_key_exists(modules: Modules) -> None:
    modules.served.model.users = {"sk-an-internal-user-01": "u"}
    assert modules("virtual_key_info", api_key="sk-an-internal-user-01")["code"] == "not_admin"
    assert modules("virtual_key_info", api_key="sk-an-unknown-key-0001")["code"] == "unauthorized"


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"guid": ""}, "guid is empty"),
        ({"guid": "a/b"}, "guid is"),
        ({"expiring_within": "soon"}, "expiring_within is 'soon'"),
        *(({name: ""}, f"{name} is empty") for name in ("alias", "owner", "team_id", "package", "expiring_within")),
    ],
)
def test_bad_input(modules: Modules, bad: dict[str, str], words: str) -> None:
    result = modules("virtual_key_info", **bad)
    assert result["code"] == "bad_input" and words in result["msg"]
