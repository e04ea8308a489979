# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.rhpds.litellm_virtual_keys.plugins.filter.provider_models import provider_models

LARGE = {"name": "gpt-4o", "provider": "openai", "upstream": "gpt-4o", "credential": "ours"}
SMALL = {**LARGE, "name": "gpt-4o-mini", "upstream": "gpt-4o-mini"}


@pytest.mark.parametrize(
    ("names", "entries"),
    [("gpt-4o", [LARGE]), ("gpt-4o, gpt-4o-mini", [LARGE, SMALL]), (["gpt-4o", "gpt-4o-mini"], [LARGE, SMALL]), ([], [])],
)
def test_each_name_becomes_an_entry(names: Any, entries: list[dict[str, str]]) -> None:
    assert provider_models(names, "openai", "ours") == entries


@pytest.mark.parametrize(
    ("name", "upstream"), [("openai/gpt-4o", "gpt-4o"), ("openai/*", "*"), ("*", "*"), ("openai", "openai"), ("other/gpt-4o", "other/gpt-4o")]
)
def test_the_provider_in_front_of_a_name_is_not_doubled(name: str, upstream: str) -> None:
    """LiteLLM would call openai/openai/gpt-4o, which no provider has."""
    assert provider_models(name, "openai", "ours") == [{**LARGE, "name": name, "upstream": upstream}]


def test_a_number_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="neither a list nor a text"):
        provider_models(4, "openai", "ours")  # type: ignore[arg-type]
