# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.rhpds.litellm_virtual_keys.plugins.filter.usage_names import usage_names

ROWS = [{"day": "2026-11-25", "lab": "abc12", "cost": 1.0}, {"day": "2026-11-26", "lab": "", "cost": 2.0}]


def test_rows_are_named_for_what_the_table_groups_by() -> None:
    assert usage_names(ROWS, "lab") == ["abc12", "-"]
    assert usage_names(ROWS, "lab", "(no lab)") == ["abc12", "(no lab)"]
    assert usage_names(ROWS, "day+lab") == ["2026-11-25 abc12", "2026-11-26 -"]
    assert usage_names([], "day") == []


def test_a_column_that_the_rows_do_not_have() -> None:
    with pytest.raises(AnsibleFilterError, match="no column 'model'"):
        usage_names(ROWS, "day+model")
