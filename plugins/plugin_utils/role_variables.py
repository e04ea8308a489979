# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The names of a role's variables, as people write them. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

# How alike two names are, from 0 to 1, if one is a slip of the finger.
_SLIP = 0.84


def name_without_slip(name: str, known: Iterable[str]) -> str:
    """Return the known name of which `name` is a misspelling; empty if there is none. Both are without the role's name."""
    return next(iter(difflib.get_close_matches(name, list(known), 1, _SLIP)), "")


def sentence_about_slip(role: str, name: str, known_name: str) -> str:
    return f"{role}_{name} is set, but there is no such variable; correct it to {role}_{known_name}, or take it out."


def misspelt(names: Iterable[str], role: str, known: Iterable[str]) -> list[str]:
    """Return one sentence for each variable among `names` that is a misspelling of one of the role's own, `known` without the role's name."""
    own = [name.removeprefix(f"{role}_") for name in sorted(names) if name.startswith(f"{role}_")]
    known = sorted(known)
    slips = {name: name_without_slip(name, known) for name in own if name not in known}
    return [sentence_about_slip(role, name, slip) for name, slip in slips.items() if slip]
