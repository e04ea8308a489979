# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The filter that shows requests: the table of the playbook `requests`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Data = Mapping[str, Any]

_COLUMNS = ("REQUEST", "STATE", "PERSON", "WISH", "DONE", "ASKED")
_LEAST_WIDTHS = (36, 9, 0, 0, 9, 0)
"""The columns of ids, states and progress do not change their widths from one table to the next."""


def requests_table(requests: Sequence[Data], set_aside: Sequence[Data]) -> list[str]:
    """Return the lines of a table of requests, whose columns are as wide as their texts.

    `set_aside` are the store's entries that could not be read, each with its name and the reason.
    """
    rows = [
        (
            request["request_id"],
            request["state"],
            request["email"],
            request["package"] or ",".join(request["models"] or []),
            request["progress"]["status"] or "-",
            request["created_at"],
        )
        for request in requests
    ]
    widths = [max(least, *(len(row[column]) for row in (_COLUMNS, *rows))) for column, least in enumerate(_LEAST_WIDTHS)]
    return [
        *("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in (_COLUMNS, *rows)),
        *_set_aside_lines(set_aside),
        f"{len(rows)} requests",
    ]


def _set_aside_lines(set_aside: Sequence[Data]) -> list[str]:
    return [f"{entry['name']} is set aside: {entry['reason']}" for entry in set_aside]
