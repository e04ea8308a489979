# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Let a test drive a program that was written for a vendor: a line in (`ask MODEL` or `stream MODEL`), a line of JSON out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable


def talk(ask: Callable[[str], str], stream: Callable[[str], str]) -> None:
    for line in sys.stdin:
        how, model = line.split()
        try:
            answer = {"text": (stream if how == "stream" else ask)(model)}
        except Exception as error:  # noqa: BLE001 - each SDK has its own, and the test wants to see them all
            answer = {"status": status_of(error), "error": f"{type(error).__module__}.{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


def status_of(error: Exception) -> int | None:
    """Return the HTTP status that made an SDK raise the error."""
    for name in ("status_code", "code"):
        if isinstance(value := getattr(error, name, None), int):
            return value
    return getattr(getattr(error, "response", None), "status_code", None)
