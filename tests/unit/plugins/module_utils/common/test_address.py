# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Where secrets may go. Whatever is no address is answered, not raised."""

from __future__ import annotations

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common.address import is_safe_endpoint


@pytest.mark.parametrize("url", ["https://sso.example.com/token", "http://localhost:8080/", "http://127.0.0.1", "http://[::1]:5556/dex"])
def test_secrets_may_go_there(url: str) -> None:
    assert is_safe_endpoint(url)


@pytest.mark.parametrize(
    "url", ["http://sso.example.com/token", "ftp://localhost/", "https://[", "https://", "", "https://sso.example.com/ x", "http://10.0.0.1"]
)
def test_secrets_may_not_go_there(url: str) -> None:
    assert not is_safe_endpoint(url)
