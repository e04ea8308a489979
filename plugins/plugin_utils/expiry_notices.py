# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Whom to warn before a key ends. Pure: keys in, mails and notes out.

A key is what `virtual_key_info` returns. The notices that were sent stand in the key's own metadata, each with the end
that it was about, so that the owner of a key that was extended is warned again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ..module_utils.common import durations, email_address

Data = Mapping[str, Any]

METADATA_ENTRY = "expiry_notices"


def expiry_mails(keys: Sequence[Data], before: Sequence[str], now: str) -> list[dict[str, Any]]:
    """Return the mails that warn owners, for `key_mail`: at most one for each key.

    A mail is due when one of the spans `before` the key's end has begun and its notice was not sent yet. Raises
    ValueError for a span that is not a duration.
    """
    mails = []
    for key in keys:
        owner, due = _owner(key), _due_notices(key, before, now)
        if owner and due and due[0] not in _sent_notices(key):
            mails.append(
                {
                    "kind": "expiry",
                    "to": owner,
                    "id": f"{key['alias']}-{due[0]}",
                    "alias": key["alias"],
                    "models": key["models"],
                    "package": key.get("package") or None,
                    "expires": key["expires"],
                }
            )
    return mails


def expiry_notes(keys: Sequence[Data], warned: Collection[str], before: Sequence[str], now: str) -> list[dict[str, Any]]:
    """Return the keys of which the owners were `warned`, by alias, with the metadata that notes it."""
    return [
        {"alias": key["alias"], "metadata": {METADATA_ENTRY: sorted({*_sent_notices(key), *_due_notices(key, before, now)})}}
        for key in keys
        if key["alias"] in warned
    ]


def _due_notices(key: Data, before: Sequence[str], now: str) -> list[str]:
    """Return the notices whose time has come, the one nearest to the key's end first."""
    if not key.get("expires") or key.get("retired_from") or key.get("blocked"):
        return []
    left = (durations.parse_time(key["expires"]) - durations.parse_time(now)).total_seconds()
    spans = sorted(before, key=lambda text: durations.seconds(text, "key_requests_expiry_notices"))
    return [f"{span} before {key['expires']}" for span in spans if left <= durations.seconds(span)]


def _sent_notices(key: Data) -> list[str]:
    """Return the notices that are noted on a key. Others may have noted anything there."""
    noted = (key.get("metadata") or {}).get(METADATA_ENTRY)
    return [notice for notice in noted if isinstance(notice, str)] if isinstance(noted, list) else []


def _owner(key: Data) -> str | None:
    """Return the first of the key's owner and its user that is an e-mail address."""
    for name in ((key.get("metadata") or {}).get("owner"), key.get("user_id")):
        try:
            return str(email_address.parse_address(name))
        except ValueError:
            continue
    return None
