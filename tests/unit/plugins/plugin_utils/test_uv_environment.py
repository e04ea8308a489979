# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Pip's settings, handed over to uv."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.rhpds.litellm_virtual_keys.plugins.filter.uv_environment import uv_environment


def test_each_setting_becomes_its_variable() -> None:
    lines = [
        "global.index-url='https://pypi.example.com/simple'",
        "global.extra-index-url='https://other.example.com/simple'",
        "install.find-links='/wheels'",
        ":env:.cert='/etc/ssl/ca.pem'",
        "global.trusted-host='pypi.example.com'",
        "global.proxy='http://proxy:3128'",
    ]
    assert uv_environment(lines) == {
        "UV_DEFAULT_INDEX": "https://pypi.example.com/simple",
        "UV_INDEX": "https://other.example.com/simple",
        "UV_FIND_LINKS": "/wheels",
        "SSL_CERT_FILE": "/etc/ssl/ca.pem",
        "UV_INSECURE_HOST": "pypi.example.com",
        "ALL_PROXY": "http://proxy:3128",
    }


def test_the_last_of_a_setting_counts_and_other_lines_do_not() -> None:
    assert uv_environment([]) == {}
    assert uv_environment(["global.timeout='60'", "a warning", "global.proxy='http://a'", ":env:.proxy='http://b'"]) == {"ALL_PROXY": "http://b"}


def test_a_text_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="uv_environment: the input is a text"):
        uv_environment("global.proxy='http://a'")
