# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Files that only their owner can read, from the moment they exist, and that are replaced completely or not at all.

ansible.builtin.copy and template leave a new file readable by others for a moment, until they set its mode.
"""

from __future__ import annotations

import glob
import grp
import os
import pwd
import stat
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MODE = 0o600
_STALE_SECONDS = 3600
from .printable import quoted


@dataclass(frozen=True)
class Owner:
    """Numeric user and group; -1 stands for those of the writing process."""

    uid: int = -1
    gid: int = -1


def owner(user: str | None, group: str | None) -> Owner:
    """Return the owner with these names or numbers. Raises ValueError for a name that this host does not know."""
    try:
        uid = -1 if not user else int(user) if user.isdecimal() else pwd.getpwnam(user).pw_uid
    except KeyError:
        raise ValueError(f"owner is {quoted(user)}, whom this host does not know; name one of its users.") from None
    try:
        gid = -1 if not group else int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid
    except KeyError:
        raise ValueError(f"group is {quoted(group)}, which this host does not know; name one of its groups.") from None
    return Owner(uid, gid)


def is_up_to_date(path: Path, content: bytes, whose: Owner) -> bool:
    """Return whether `path` is a regular file (not a link) with this content, owner and the private mode. Raises OSError."""
    try:
        now = path.lstat()
    except FileNotFoundError:
        return False
    return (
        stat.S_ISREG(now.st_mode)
        and stat.S_IMODE(now.st_mode) == MODE
        and whose.uid in (-1, now.st_uid)
        and whose.gid in (-1, now.st_gid)
        and path.read_bytes() == content
    )


def replace(path: Path, content: bytes, whose: Owner) -> None:
    """Replace `path` by a file with `content`. A link is replaced, not followed. Raises OSError, and then nothing has changed."""
    _sweep(path)
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".new")  # mode 0600
    _fill_and_rename(handle, Path(scratch), path, content, whose)


def replace_locked(path: Path, content: bytes, scratch: Path, mode: int = MODE) -> None:
    """Like `replace`, through the file `scratch`, which the caller's lock reserves. Raises OSError, and then nothing has changed.

    Another `mode` is for files that their group shares.
    """
    with suppress(FileNotFoundError):  # left by a writer that was killed
        scratch.unlink()
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, MODE)
    if mode != MODE:
        os.fchmod(handle, mode)
    _fill_and_rename(handle, scratch, path, content, Owner())


def _fill_and_rename(handle: int, scratch: Path, path: Path, content: bytes, whose: Owner) -> None:
    """Write the new file `scratch`, open as `handle`, and rename it to `path`. It is removed if that fails."""
    try:
        with open(handle, "wb") as file:
            if whose != Owner():
                os.fchown(handle, whose.uid, whose.gid)
            file.write(content)
            file.flush()
            os.fsync(handle)
        scratch.rename(path)
    except BaseException:
        with suppress(OSError):
            scratch.unlink()
        raise


def flush(directory: Path) -> None:
    """Make the names in `directory` survive a loss of power. Raises OSError, also if the file system cannot do that."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sweep(path: Path) -> None:
    """Remove the scratch files of writers that were killed."""
    for left_over in path.parent.glob(f".{glob.escape(path.name)}.*.new"):
        with suppress(OSError):
            if time.time() - left_over.lstat().st_mtime > _STALE_SECONDS:
                left_over.unlink()
