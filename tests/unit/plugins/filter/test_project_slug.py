# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.filter.project_slug import project_slug


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("My Project", "my-project"),
        ("  my -- PROJECT!  ", "my-project"),
        ("t1 Überblick", "t1-berblick"),
        ("ÄÖ", ""),
        ("", ""),
        (42, "42"),
    ],
)
def test_the_slug_has_lower_case_letters_digits_and_single_hyphens(name: object, slug: str) -> None:
    assert project_slug(name) == slug
