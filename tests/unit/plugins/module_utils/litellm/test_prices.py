# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Models without a price."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.prices import has_price, unpriced_among, without_price

SHOWN = {"input_cost_per_token": 0, "output_cost_per_token": 0, "input_cost_per_image": None, "max_tokens": 4096}
"""What LiteLLM shows of a model that its list does not have."""


@pytest.mark.parametrize(
    ("name", "params", "info", "expected"),
    [
        ("m", {"model": "openai/m"}, SHOWN, False),
        ("m", {"model": "openai/m", "input_cost_per_token": None}, SHOWN, False),
        ("m", {"model": "openai/m"}, {}, False),
        ("m", {"model": "openai/m"}, {**SHOWN, "input_cost_per_token": 1e-7}, True),
        ("m", {"model": "openai/m"}, {**SHOWN, "input_cost_per_image": 0.01}, True),
        ("m", {"model": "openai/m", "input_cost_per_token": 0}, SHOWN, True),  # free, and somebody says so
        ("openai/*", {"model": "openai/*"}, SHOWN, True),
    ],
)
def test_a_price_is_known_or_given(name: str, params: dict[str, Any], info: dict[str, Any], expected: bool) -> None:
    assert has_price(name, params, info) is expected


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        ([], ["a/one", "b"]),
        (["all-proxy-models"], ["a/one", "b"]),
        (["b"], ["b"]),
        (["a/*"], ["a/one"]),
        (["group"], ["b"]),
        (["priced"], []),
    ],
)
def test_a_keys_models_are_found_as_litellm_reads_them(models: list[str], expected: list[str]) -> None:
    assert unpriced_among(models, {"b": frozenset(["group"]), "a/one": frozenset()}) == expected


def test_a_warning_names_three_at_most() -> None:
    assert "no price of a, b, c and 2 more and counts" in without_price(["e", "d", "c", "b", "a"])
    assert "no price of a and counts" in without_price(["a"])
