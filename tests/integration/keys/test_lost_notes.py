# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""A key whose metadata an admin replaced in LiteLLM's UI is known by its value, and stays its lab's."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.live import GRANITE, Live

LOST: list[dict[str, Any]] = [{}, {"owner": "ada"}, {"guid": "GUID"}]


@pytest.fixture(params=LOST, ids=str)
def lost(request: pytest.FixtureRequest, gateway: Gateway, live: Live) -> dict[str, Any]:
    """A key of the user ada, rotated once, that has lost its notes, beside one of another lab with a longer name that has them."""
    live.run_ok("virtual_keys", guid=f"{live.name}-x", keys=[{"user": "x"}], models=[GRANITE])
    live.lab("ada", "bob")
    rotated = live.run_ok("virtual_keys", guid=live.name, rotation="a", _no_log=True)
    (key,) = [key for key in rotated["virtual_keys"] if key["alias"] == live.alias("ada")]
    gateway.post("/key/update", key=key["key_id"], metadata={name: value.replace("GUID", live.name) for name, value in request.param.items()})
    return dict(key)


def notes_of(live: Live) -> dict[str, Any]:
    found: dict[str, Any] = live.rows[live.alias("ada")]["metadata"]["litellm_virtual_keys"]
    return {name: found.get(name) for name in ("lab", "guid", "user", "generation")}


@pytest.mark.parametrize(
    "change",
    [{"blocked": True}, {"extend_for": "9d"}, {"keys": [{"user": "ada"}], "models": [GRANITE]}, {"rotation": "b"}],
    ids=["stop", "extend", "provision", "rotate"],
)
def test_it_gets_its_notes_back(live: Live, lost: dict[str, Any], change: dict[str, Any]) -> None:
    predicted = live.run_ok("virtual_keys", guid=live.name, **change, _check=True)
    done = live.run_ok("virtual_keys", guid=live.name, **change)
    assert live.alias("ada") in [key["alias"] for key in done["virtual_keys"]]
    assert [(key["alias"], key["action"]) for key in predicted["virtual_keys"]] == [(key["alias"], key["action"]) for key in done["virtual_keys"]]
    generation = 2 if "rotation" in change else 1
    assert notes_of(live) == {"lab": live.alias(), "guid": live.name, "user": "ada", "generation": generation}
    assert live.works(lost["value"]) is (change in ({"extend_for": "9d"}, {"keys": [{"user": "ada"}], "models": [GRANITE]}))
    assert not live.run_ok("virtual_keys", guid=live.name, **change)["changed"]


def test_it_is_deleted_with_other_former_users(live: Live, lost: dict[str, Any]) -> None:
    done = live.run_ok("virtual_keys", guid=live.name, keys=[{"user": "bob"}], models=[GRANITE], state="exact")
    assert done["revocation"]["proven"] == [live.alias("ada")] and not live.works(lost["value"])
    assert f"virtkey-{live.name}-x-x" in live.rows, "another lab's key"
