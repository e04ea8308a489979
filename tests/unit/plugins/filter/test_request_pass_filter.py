# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.rhpds.litellm_virtual_keys.plugins.filter.request_pass import request_pass


@pytest.mark.parametrize(
    ("step", "options", "words"),
    [
        ("kyes", {}, "there is no step 'kyes'"),
        ("keys", {"packages": {}}, "lifetime is not given; give packages, lifetime."),
        ("noticed", {"before": [], "now": ""}, "results is not given; give results, before, now."),
        ("usage", {"keys": []}, "keys is no option of this step; give none."),
    ],
)
def test_what_is_wrong_with_the_options_is_named(step: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        request_pass([], step, **options)
    assert words in str(caught.value) and "lambda" not in str(caught.value)


def test_options_that_are_complete_are_taken() -> None:
    assert request_pass([], "keys", packages={}, lifetime="1d") == []
