# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Keys of a fleet for unit tests, as a gateway would list them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import names
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.key import LiveKey
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.notes import NOTES_NAME

NOW = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)


def key(guid: str = "abc12", user: str = "", *, ends: float | None = 240, age: float = 100, notes: bool = True, **row: Any) -> LiveKey:
    """Return a key that ends in `ends` hours (None: never) and was made `age` hours ago. Its notes hold `package`, `lab` and `retired`."""
    lab = row.pop("lab", names.lab_alias(guid))
    alias = names.user_alias(lab, user)
    token = derive.token(derive.value("a secret for tests", alias))
    record = {"format": 1, "generation": 0, "guid": guid, "lab": lab, "user": user, "package": row.pop("package", "")}
    if row.pop("retired", False):
        token = token[::-1]
        record["retired_from"], alias = alias, names.retired_alias(alias, token)
    metadata = {**(row.pop("metadata", None) or {}), **({NOTES_NAME: {name: value for name, value in record.items() if value != ""}} if notes else {})}
    return LiveKey.from_row(
        {
            "key_alias": alias,
            "token": token,
            "metadata": metadata,
            "expires": (NOW + timedelta(hours=ends)).isoformat() if ends is not None else None,
            "created_at": (NOW - timedelta(hours=age)).isoformat(),
            "models": ["granite"],
            **row,
        }
    )
