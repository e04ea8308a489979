# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The filters `client_env` and `to_env_file` as templates use them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.rhpds.litellm_virtual_keys.plugins.filter.client_env import FilterModule as ClientEnv
from ansible_collections.rhpds.litellm_virtual_keys.plugins.filter.to_env_file import FilterModule as ToEnvFile

KEY = "sk-0123456789abcdef"
client_env: Any = ClientEnv().filters()["client_env"]
to_env_file: Any = ToEnvFile().filters()["to_env_file"]


def test_from_key_to_file() -> None:
    content = to_env_file(client_env(KEY, "https://llm.example.com", ["openai"]), comments=["For ada"])
    assert content == f"# For ada\nexport OPENAI_API_KEY='{KEY}'\nexport OPENAI_BASE_URL='https://llm.example.com/v1'\n"


def test_other_paths() -> None:
    assert client_env(KEY, "https://llm.example.com", ["vectara"], paths={"vectara": "/v2"})["VECTARA_BASE_URL"] == "https://llm.example.com/v2"


def test_errors_name_the_filter_and_no_key() -> None:
    for call in (
        lambda: client_env("sk-secret\n", "https://llm.example.com"),
        lambda: client_env("sk-secret", "llm.example.com"),
        lambda: client_env("sk-secret", "https://llm.example.com", "openai"),
        lambda: to_env_file("sk-secret"),
        lambda: to_env_file({"A": "x"}, "sk-secret"),
        lambda: to_env_file({"A B": "sk-secret"}),
    ):
        with pytest.raises(AnsibleFilterError, match=r"^(client_env|to_env_file): ") as caught:
            call()
        assert "sk-secret" not in str(caught.value)
