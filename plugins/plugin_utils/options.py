# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Check the options of lookups, because Ansible passes on any name that a call contains."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def check_option_names(given: Iterable[str], known: Sequence[str] = ()) -> None:
    """Raise ValueError for a name that is not an option. Ignoring a misspelt `user` would return another user's value."""
    for name in sorted(set(given) - set(known)):
        hint = f"choose among {', '.join(known)}" if len(known) > 1 else f"give {known[0]}" if known else "leave it out"
        raise ValueError(f"there is no option {name}; {hint}.")
