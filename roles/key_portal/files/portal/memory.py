# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What stays in the memory of this process after it was used.

A sealed box that was opened is gone from the store. Its contents must not be found in a dump of the portal's memory either, because the
secret that opens them may be in an archive of mails. And what many threads used for a moment is not kept for each of them.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress

_M_PERTURB = -6
"""From malloc.h of glibc. Other C libraries have no such option."""
_PATTERN = 0xA5
_M_ARENA_MAX = -8
_ARENAS = 2
"""Heaps that all threads share. The C library's own number is eight for each processor, each with its own rest."""


def overwrite_freed_memory() -> bool:
    """Let the C library overwrite memory when it is freed, and return whether it can.

    Objects of Python up to 512 bytes, and of C up to 1,032 bytes, have pools of their own, which are not overwritten. Sealed keys are
    larger: `LEAST_PLAIN` in `delivery/sealed.py` sees to that.
    """
    return _mallopt(_M_PERTURB, _PATTERN)


def keep_little_memory() -> bool:
    """Let the C library keep less of what was freed, and return whether it can. Call it before there are threads."""
    return _mallopt(_M_ARENA_MAX, _ARENAS)


def _mallopt(option: int, value: int) -> bool:
    with suppress(OSError, AttributeError):
        return bool(ctypes.CDLL(None).mallopt(option, value))
    return False
