# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Find key values that were delivered before: in user data, in a Secret, in messages, or in anything else."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any

from . import derive

_VALUE = re.compile(r"(?<![A-Za-z0-9_-])sk-[A-Za-z0-9_-]{13,}")  # LiteLLM accepts no shorter ones
_BASE64 = re.compile(r"c2st[A-Za-z0-9+/]+={0,2}")  # of a text that begins with sk-


def known_values(tree: Any) -> dict[str, str]:
    """Return every key value in `tree`, by its sha256, which is the key's id in LiteLLM.

    `tree` is any structure of mappings, lists and texts. The base64 data of a Kubernetes Secret is read, too.
    """
    return {derive.token(value): value for text in texts(tree) for value in _VALUE.findall(text)}


def texts(tree: Any) -> Iterator[str]:
    """Yield every text in `tree`, and every number as a text."""
    if isinstance(tree, str):
        yield tree
        if _BASE64.fullmatch(tree):
            try:
                yield base64.b64decode(tree, validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                return
    elif isinstance(tree, Mapping):
        for value in tree.values():
            yield from texts(value)
    elif isinstance(tree, list | tuple):
        for value in tree:
            yield from texts(value)
    elif isinstance(tree, int | float):
        yield str(tree)
