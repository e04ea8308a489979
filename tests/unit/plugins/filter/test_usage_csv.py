# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.rhpds.litellm_virtual_keys.plugins.filter.usage_csv import usage_csv
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.usage.tables import Sums

SUMS = Sums(3, 2, 1, 10, 20, 0.25).to_result()


def test_texts_are_quoted_and_no_formula_is_left() -> None:
    text = usage_csv([{"day": "2026-11-25", "owner": '=HYPERLINK("x")', **SUMS}, {"day": "2026-11-25", "owner": "@SUM", **SUMS}], "day+owner")
    assert text.splitlines() == [
        '"day","owner","requests","requests_ok","requests_failed","tokens_in","tokens_out","cost"',
        '"2026-11-25","\'=HYPERLINK(""x"")",3,2,1,10,20,0.25',
        '"2026-11-25","\'@SUM",3,2,1,10,20,0.25',
    ]


def test_the_header_of_rows_of_keys_names_their_owners_even_without_rows() -> None:
    assert usage_csv([], "key").startswith('"key","key_id","lab","user","owner","team","package","deleted","requests"')


def test_rows_of_another_table() -> None:
    with pytest.raises(AnsibleFilterError, match="usage_csv: the rows do not have"):
        usage_csv([SUMS], "lab")
