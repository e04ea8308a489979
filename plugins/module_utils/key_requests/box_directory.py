# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Sealed boxes as files in the folder `boxes` of a directory of requests: `<id of the request>.json`, mode 0600."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from ..common import private_file
from ..common.printable import printable
from .box_keeper import BoxKeeper, BoxListing
from .errors import BoxMissing, Broken, Conflict, NotReadable, NotWritable
from .sealed_box import LARGEST_CONTENTS, SealedBox, parse_box, render_box

FOLDER = "boxes"
SHARED_FOLDER_MODE = 0o2770
"""Of the folder in a directory that a group shares."""
_SUFFIX = ".json"
_SCRATCH = ".scratch"
_LARGEST = LARGEST_CONTENTS + 10_000  # bytes


class DirectoryBoxes(BoxKeeper):
    """The boxes of a directory. `locked` lets one writer at a time into the directory, which it makes if it is missing."""

    def __init__(self, directory: Path, locked: Callable[[], AbstractContextManager[None]], check: Callable[[], int], *, check_mode: bool = False) -> None:
        """`check` returns the mode of files. It raises NotReadable if others may write to the directory, and FileNotFoundError if it is missing."""
        super().__init__(check_mode=check_mode)
        self._folder = directory / FOLDER
        self._locked = locked
        self._check = check
        self._emptied: dict[str, tuple[int, int, int]] = {}

    def listing(self, *, only_full: bool = False) -> BoxListing:
        found: list[SealedBox] = []
        unreadable: list[tuple[str, str]] = []
        for name in self._names():
            signature = self._signature(name)
            if only_full and signature is not None and self._emptied.get(name) == signature:
                continue
            try:
                box = self._read(name.removesuffix(_SUFFIX))
            except Broken as error:
                unreadable.append((printable(name), str(error)))
                continue
            if box is not None and (box.contents or not only_full):
                found.append(box)
            elif box is not None and signature is not None:
                self._emptied[name] = signature  # a process that makes many passes reads it only once
        return BoxListing(tuple(found), tuple(unreadable))

    def _read(self, request_id: str) -> SealedBox | None:
        content = self._content(request_id)
        if content is None:
            return None
        try:
            box = parse_box(json.loads(content), hashlib.sha256(content).hexdigest())
            if box.request_id != request_id:
                raise ValueError("its id is not that of the request after which the file is called.")
        except (ValueError, RecursionError, OverflowError) as error:
            raise Broken(f"{printable(str(self._path(request_id)))} cannot be read as a sealed box ({printable(str(error), 200)}); remove it.") from None
        return box

    def _put(self, box: SealedBox) -> None:
        with self._locked():
            self._write(box)

    def _replace(self, box: SealedBox) -> None:
        with self._locked():
            content = self._content(box.request_id)
            if content is None:
                raise BoxMissing("The box was removed by somebody else.")
            if hashlib.sha256(content).hexdigest() != box.version:
                raise Conflict("The box was changed by somebody else.")
            self._write(box)

    def _remove(self, request_id: str) -> None:
        if not self._folder.exists():
            return
        with self._locked():
            try:
                with suppress(FileNotFoundError):
                    self._path(request_id).unlink()
                    private_file.flush(self._folder)
            except OSError as error:
                raise self._not_writable(error) from None

    def _write(self, box: SealedBox) -> None:
        """Write the box. The caller holds the lock."""
        content = (json.dumps(render_box(box), ensure_ascii=False) + "\n").encode()
        try:
            mode = self._check()
            with suppress(FileExistsError):
                self._folder.mkdir(mode=0o700)
                if mode != private_file.MODE:
                    self._folder.chmod(SHARED_FOLDER_MODE)
            private_file.replace_locked(self._path(box.request_id), content, self._folder / _SCRATCH, mode)
            private_file.flush(self._folder)
        except OSError as error:
            raise self._not_writable(error) from None

    def _content(self, request_id: str) -> bytes | None:
        try:
            self._check()
            handle = os.open(self._path(request_id), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                about = os.fstat(handle)
                if not stat.S_ISREG(about.st_mode) or about.st_size > _LARGEST:
                    raise Broken(f"{printable(str(self._path(request_id)))} is not a file, or larger than a sealed box; remove it.")
                return os.read(handle, _LARGEST + 1)
            finally:
                os.close(handle)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise NotReadable(f"{self._folder} cannot be read: {error.strerror}.") from None

    def _names(self) -> list[str]:
        try:
            self._check()
            return sorted(name for name in os.listdir(self._folder) if name.endswith(_SUFFIX) and not name.startswith("."))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise NotReadable(f"{self._folder} cannot be read: {error.strerror}.") from None

    def _signature(self, name: str) -> tuple[int, int, int] | None:
        """Return what differs after each change of a file, because every writer replaces it, or None if it cannot be told."""
        try:
            about = os.stat(self._folder / name, follow_symlinks=False)
        except OSError:
            return None
        return about.st_ino, about.st_mtime_ns, about.st_size

    def _path(self, request_id: str) -> Path:
        return self._folder / f"{request_id}{_SUFFIX}"

    def _not_writable(self, error: OSError) -> NotWritable:
        return NotWritable(f"{self._folder} cannot be written: {error.strerror or error}; nothing was changed.")
