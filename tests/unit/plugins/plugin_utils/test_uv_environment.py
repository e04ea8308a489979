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


def test_the_environment_beats_the_section_install_and_that_one_the_section_global() -> None:
    """As in pip. `pip config list` prints them in the order of the alphabet."""
    lines = [":env:.proxy='http://env'", "global.index-url='http://global'", "global.proxy='http://global'", "install.index-url='http://install'"]
    expected = {"ALL_PROXY": "http://env", "UV_DEFAULT_INDEX": "http://install"}
    assert uv_environment(lines) == uv_environment(lines[::-1]) == expected


def test_several_values_are_separated_as_uv_reads_them() -> None:
    lines = ["global.extra-index-url='\\nhttps://a/simple\\nhttps://b/simple'", "global.trusted-host='a\\nb  c'", "global.find-links='/one\\n/two'"]
    assert uv_environment(lines) == {"UV_INDEX": "https://a/simple https://b/simple", "UV_INSECURE_HOST": "a b c", "UV_FIND_LINKS": "/one,/two"}


def test_a_quote_in_a_value_is_kept() -> None:
    assert uv_environment(["""global.proxy="http://user:it's@proxy:3128\""""]) == {"ALL_PROXY": "http://user:it's@proxy:3128"}


def test_other_lines_do_not_count() -> None:
    assert uv_environment([]) == {}
    assert uv_environment(["global.timeout='60'", "a warning", "download.proxy='http://a'", "global.proxy=http://not-quoted"]) == {}


def test_a_text_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="uv_environment: the input is a text"):
        uv_environment("global.proxy='http://a'")
