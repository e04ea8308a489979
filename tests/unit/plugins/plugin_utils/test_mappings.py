# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.mappings import without_empty


def test_only_empty_texts_are_left_out():
    values = {"url": "", "false": False, "zero": 0, "none": None, "list": [], "space": " "}
    assert without_empty(values) == {name: value for name, value in values.items() if name != "url"}
