# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""A file as a lock for one writer at a time, on one host or several that share a directory.

The system releases the lock when its holder dies.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path

MODE = 0o600
_PAUSE_SECONDS = 0.005


def open_lock(path: Path, mode: int = MODE) -> int:
    """Open the lock's file, creating it if needed, and return its descriptor. Closing it releases the lock. Raises OSError.

    Another `mode` is for a lock that a group shares.
    """
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    if mode == MODE:
        return os.open(path, flags | os.O_CREAT, mode)
    if not os.path.lexists(path):
        _create(path, mode)
    return os.open(path, flags)


def _create(path: Path, mode: int) -> None:
    """Create an empty file that nobody sees without its mode, unless there is one. Raises OSError."""
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")
    try:
        os.fchmod(handle, mode)
        with suppress(FileExistsError):
            os.link(scratch, path)
    finally:
        os.close(handle)
        os.unlink(scratch)


def take_lock(handle: int, patience: float, pause: float = _PAUSE_SECONDS) -> bool:
    """Take the lock, trying again every `pause` seconds. Returns False if another program held it for `patience` seconds."""
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(pause)
