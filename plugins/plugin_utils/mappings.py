# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Small helpers for dictionaries in roles. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def without_empty(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return `values` without the entries that are an empty text. Others, such as false, 0 and an empty list, stay."""
    return {name: value for name, value in values.items() if value != ""}
