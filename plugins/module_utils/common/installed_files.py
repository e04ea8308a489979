# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Put the files of a program in place, all in one step.

ansible.builtin.copy runs two modules on the host for every file, also for one that is there already.
"""

from __future__ import annotations

import base64
import binascii
import io
import os
import stat
import zipfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath

from . import private_file
from .printable import quoted


@dataclass(frozen=True)
class PathState:
    """A file with its content, or a folder without; what it shall be, or what is there."""

    path: Path
    mode: int
    content: bytes | None = None

    def __str__(self) -> str:
        described = "folder" if self.content is None else f"sha256 {sha256(self.content).hexdigest()[:16]}"
        return f"{self.path} {self.mode:04o} {described}\n"


def entries_of(archive: str, folder: Path, file_mode: int, folder_mode: int) -> list[PathState]:
    """Return `folder` and what a ZIP archive in base64 puts into it, folders before their contents. Raises ValueError."""
    try:
        with zipfile.ZipFile(io.BytesIO(base64.b64decode(archive, validate=True))) as opened:
            files = {PurePosixPath(name): opened.read(name) for name in opened.namelist() if not name.endswith("/")}
    except (binascii.Error, ValueError, zipfile.BadZipFile, RuntimeError):  # RuntimeError: it has a password
        raise ValueError("archive is no ZIP archive in base64; make it with the lookup rhpds.litellm_virtual_keys.files_archive.") from None
    for name in files:
        if name.is_absolute() or ".." in name.parts:
            raise ValueError(f"archive has the file {quoted(str(name))}, which would lie outside of the folder; leave it out.")
    inner = {parent for name in files for parent in name.parents}
    folders = [PathState(folder / name, folder_mode) for name in sorted(inner | {PurePosixPath(".")}, key=lambda name: (len(name.parts), name))]
    return folders + [PathState(folder / name, file_mode, content) for name, content in sorted(files.items())]


def present(wanted: Iterable[PathState]) -> dict[Path, PathState]:
    """Return what is there of these entries, by their paths. A link to a file is not there, because it would be replaced. Raises OSError."""
    found = {}
    for entry in wanted:
        with suppress(FileNotFoundError, NotADirectoryError):
            status = entry.path.stat() if entry.content is None else entry.path.lstat()
            if entry.content is None and stat.S_ISDIR(status.st_mode):
                found[entry.path] = PathState(entry.path, stat.S_IMODE(status.st_mode))
            elif entry.content is not None and stat.S_ISREG(status.st_mode):
                found[entry.path] = PathState(entry.path, stat.S_IMODE(status.st_mode), entry.path.read_bytes())
    return found


def put(changes: Iterable[PathState], there: Mapping[Path, PathState]) -> None:
    """Make each entry as it is wanted, where `there` is what is there. Each file is replaced completely or not at all. Raises OSError."""
    for entry in changes:
        before = there.get(entry.path)
        if entry.content is None:
            if before is None:
                entry.path.mkdir()
        elif before is None or before.content != entry.content:
            private_file.replace(entry.path, entry.content, private_file.Owner())
        os.chmod(entry.path, entry.mode)
