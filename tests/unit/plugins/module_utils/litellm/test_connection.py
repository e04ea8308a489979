# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The settings of a connection that are refused: addresses, keys and numbers out of range."""

from __future__ import annotations

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.client import Connection
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.plugins.module_utils.litellm.client_parts import (
    KEY,
)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "litellm.example.com",
        "litellm.example.com:4000",
        "//litellm.example.com",
        "ftp://litellm.example.com",
        "http://",
        "https:///path",
        "http://:4000",
        "http://litellm.example.com:port",
        "http://litellm.example.com:99999",
        "http://[::1",
        "http://litellm example.com",
        "http://litellm.example.com\n",
    ],
)
def test_an_invalid_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="^url ") as caught:
        Connection(url=url, api_key=KEY)
    assert str(caught.value).endswith("give one such as https://litellm.example.com.")


@pytest.mark.parametrize("url", ["http://[::1]:4000", "https://llm.bücher.example/base", "HTTP://LITELLM"])
def test_a_valid_url_is_kept(url: str) -> None:
    assert Connection(url=url, api_key=KEY).base == url


@pytest.mark.parametrize(
    "url",
    [
        "https://admin:secret@litellm.example.com",
        "ftp://admin:secret@litellm.example.com",
        "https://litellm.example.com?key=secret",
        "https://litellm.example.com#secret",
        "admin:secret@litellm.example.com",
    ],
)
def test_a_url_with_a_secret_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ValueError, match="^url ") as caught:
        Connection(url=url, api_key=KEY)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("key", ["", " ", "sk-a b", "sk-a\n", "sk-\x00", "sk-ä", "sk-a\x7f"])
def test_an_invalid_key_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(ValueError, match="^api_key ") as caught:
        Connection(url="https://litellm.example.com", api_key=key)
    assert key.strip() == "" or key not in str(caught.value)


@pytest.mark.parametrize("name", ["", "X Litellm", "X-Litellm-Key:", "X-\n", "X-Schlüssel"])
def test_a_header_that_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="^key_header_name is .*; give one such as X-Litellm-Key"):
        Connection(url="https://litellm.example.com", api_key=KEY, key_header_name=name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timeout", 0),
        ("timeout", -1),
        ("timeout", 3601),
        ("timeout", float("nan")),
        ("retries", -1),
        ("retries", 21),
        ("retry_delay", -0.1),
        ("retry_delay", 61),
        ("parallel_calls", 0),
        ("parallel_calls", 65),
    ],
)
def test_a_number_out_of_range_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name} is .*; give a number from"):
        Connection(url="https://litellm.example.com", api_key=KEY, **{name: value})  # type: ignore[arg-type]
