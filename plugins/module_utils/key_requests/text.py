# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Checks of the free text in a record (purposes, reasons, names of people), which makes it safe to show anywhere."""

from __future__ import annotations

import re

from ..common.printable import printable, quoted

# Characters that control a terminal or the direction of writing, or that cannot be encoded.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_KEY = re.compile(r"(?<![A-Za-z0-9])sk-[A-Za-z0-9_-]{20,}")


def check_text(text: str, name: str, longest: int, *, lines: bool = False) -> str:
    """Return `text` without surrounding blanks. Raises ValueError that begins with `name`. `lines` allows line breaks."""
    clean = text.replace("\r\n", "\n").strip()
    if len(clean) > longest:
        raise ValueError(f"{name} has {len(clean)} characters, and at most {longest} are allowed; shorten it.")
    if looks_like_key(clean):
        raise ValueError(f"{name} holds what looks like a key; never write a key into a request.")
    if not is_plain(clean.replace("\n", "") if lines else clean):
        raise ValueError(f"{name} holds control or direction characters ({quoted(clean, 60)}); write it as plain text.")
    return clean


def looks_like_key(text: str) -> bool:
    """Return whether `text` holds what may be the value of a key."""
    return _KEY.search(text) is not None


def is_plain(text: str) -> bool:
    """Return whether `text` is on one line and has no control or direction characters."""
    return _CONTROL.search(text) is None


def clip(text: str, longest: int) -> str:
    """Return another program's text on one line, shortened, with keys hidden, so that it passes `check_text`."""
    return printable(_CONTROL.sub(" ", _KEY.sub("sk-***", text)), longest)
