# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Private files, and which folders a user can pass through."""

from __future__ import annotations

import contextlib
import os
import pwd
import tempfile
from pathlib import Path
from typing import IO, Any


class GatewayError(Exception):
    """A sentence for the user, without a secret."""


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, in one step that survives a power cut; leave it alone if it already holds the text."""
    with contextlib.suppress(FileNotFoundError):
        if path.read_text() == text:
            return
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp creates it with mode 0600
    with os.fdopen(handle, "w") as file:
        file.write(text)
        sync(file)
    put_in_place(Path(temporary), path)


def sync(file: IO[Any]) -> None:
    """Wait until the disk has what was written into the file."""
    file.flush()
    os.fsync(file.fileno())


def put_in_place(unfinished: Path, path: Path) -> None:
    """Give a complete file its name, and wait until the disk knows it under that name."""
    os.replace(unfinished, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def give_to(user: pwd.struct_passwd | None, path: Path) -> None:
    """Make the user the owner of the file, unless it is None."""
    if user:
        os.chown(path, user.pw_uid, user.pw_gid)


def can_enter(user: pwd.struct_passwd, folder: Path) -> bool:
    """Whether the user can pass through the folder, by its mode alone: access lists are not read."""
    status = folder.stat()
    bit = 0o100 if status.st_uid == user.pw_uid else 0o010 if status.st_gid == user.pw_gid else 0o001
    return bool(status.st_mode & bit)
