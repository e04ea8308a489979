# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What was published about a lab is found in this order: facts of the host, of localhost, saved data. Nobody gets the key of somebody else."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.workload.lab_values import lab_value

KEYS = {"litellm_user1_virtual_key": "sk-1", "litellm_user2_virtual_key": None}
HERE = {"litellm_virtual_key": "sk-lab", "_litellm_user_data": KEYS}
NOTHING: dict[str, Any] = {}


def find(name: str, user: str, *hosts: dict[str, Any], saved: Any = "saved") -> Any:
    return lab_value(name, user, [facts.get for facts in hosts], lambda _name: saved)


@pytest.mark.parametrize(
    ("user", "hosts", "key"),
    [
        ("", [HERE, {"litellm_virtual_key": "sk-other"}], "sk-lab"),
        ("", [NOTHING, HERE], "sk-lab"),
        ("", [{"litellm_virtual_key": ""}, HERE], "sk-lab"),
        ("", [NOTHING, NOTHING], "saved"),
        ("user1", [NOTHING, HERE], "sk-1"),
        ("user1", [{"_litellm_user_data": ""}, {"_litellm_user_data": None}], "saved"),
        ("user2", [HERE, HERE], "saved"),
        ("user9", [HERE, HERE], "saved"),
    ],
)
def test_the_key_is_that_of_the_user_or_of_the_lab(user: str, hosts: list[dict[str, Any]], key: str) -> None:
    assert find("litellm_virtual_key", user, *hosts) == key


def test_other_values_are_those_of_the_lab_for_every_user() -> None:
    facts = {"litellm_available_models": ["a", "b"]}
    assert find("litellm_available_models", "user1", {"litellm_available_models": []}, facts) == ["a", "b"]
    assert find("litellm_available_models", "user1", saved=None) == ""


def test_saved_data_are_not_read_if_a_fact_has_the_value() -> None:
    def broken(_name: str) -> Any:
        raise ValueError("the file is broken")

    assert lab_value("litellm_virtual_key", "", [HERE.get], broken) == "sk-lab"
    with pytest.raises(ValueError, match="broken"):
        lab_value("litellm_virtual_key", "", [NOTHING.get], broken)
