# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Requests as files in a directory: `<id>.json`, mode 0600, in a directory of mode 0700.

An administrator may share a directory with a group: root owns it, and its mode is 2770. The files in it then have the mode 0660.

A new record is written to a scratch file, flushed to the disk and then renamed, so a reader sees the old record or the
new one, whatever happens to the writer. Writers take turns by a lock on the directory, which the system releases when
its holder dies. The version of a record is a hash of its file, so a manual edit counts as any other change.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import pwd
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from ..common import private_file
from ..common.file_lock import open_lock, take_lock
from ..common.printable import printable, quoted
from .base import Listing, SetAside, Store, Turn, oldest_first
from .box_directory import DirectoryBoxes
from .document import FORMAT, parse_document, render_document
from .errors import Broken, Busy, Conflict, Exists, Missing, NotReadable, NotWritable, StoreError
from .record import Record, check_id

SUFFIX = ".json"
SHARED_MODE, SHARED_FILE_MODE = 0o2770, 0o660
"""Of a directory that root shares with a group, and of the files in it."""
LOCK = ".lock"
SCRATCH = ".scratch"
TURN_FILE = ".pass"
REPORT_FILE = ".last-pass"
PUBLISHED = ".published-"
LOCK_SECONDS = 30
TURN_PAUSE_SECONDS = 0.1
_TICK_NANOSECONDS = 100_000_000
LARGEST = 1 << 20  # bytes

_THIS_FILE_ONLY = frozenset((errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO))


def default_directory() -> str:
    """Return the directory used when none is given, below `$XDG_STATE_HOME` or `~/.local/state`."""
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return str(Path(state) / "rhpds-litellm-virtual-keys" / "requests")


class DirectoryStore(Store):
    """A store in a directory, which is created when the first request is submitted."""

    def __init__(self, directory: str, *, check_mode: bool = False, remember: bool = False) -> None:
        super().__init__(check_mode=check_mode, remember=remember)
        self.directory = Path(directory)
        self._prefix = f"{self.directory}{os.sep}"
        self._finished: dict[str, tuple[int, int, int]] = {}
        self._file_mode = private_file.MODE
        self.boxes = DirectoryBoxes(self.directory, self._locked, self._check_directory, check_mode=check_mode)
        self._mark: object = None
        self._marked_at: object = None

    @property
    def place(self) -> str:
        return f"the directory {self.directory}"

    def listing(self, states: Sequence[str] | None = None, *, only_open: bool = False) -> Listing:
        found: list[Record] = []
        broken: list[SetAside] = []
        before, self._remembered = self._remembered, {}
        for name in self._names():
            signature = self._signature(name) if only_open or self._remember else None
            if only_open and signature is not None and self._finished.get(name) == signature:
                continue
            try:
                record = before[name][1] if name in before and before[name][0] == signature else self._read(name.removesuffix(SUFFIX))
            except Broken as error:
                broken.append(SetAside(printable(name), str(error)))
                continue
            if self._remember and signature is not None and record is not None:
                self._remembered[name] = (signature, record)
            if record is not None and (states is None or record.state in states) and (not only_open or record.open):
                found.append(record)
            elif only_open and record is not None and signature is not None:
                self._finished[name] = signature  # a process that makes many passes reads it only once
        return Listing(oldest_first(found), tuple(broken))

    @contextmanager
    def _turn(self, patience: float) -> Iterator[Turn]:
        message = f"Another pass was at work in {self.place} for {patience:g} s; wait until it has ended."
        with self._holding(TURN_FILE, patience, message, pause=TURN_PAUSE_SECONDS):
            yield _DirectoryTurn(self)

    def last_pass(self) -> dict[str, Any] | None:
        try:
            report = json.loads(self._beside(REPORT_FILE) or b"")
        except ValueError:
            return None
        return report if isinstance(report, dict) else None

    def write_last_pass(self, report: Mapping[str, Any]) -> None:
        """Keep `report` for `last_pass`. Raises NotWritable."""
        self._write_beside(REPORT_FILE, json.dumps(report, ensure_ascii=False).encode())

    def mark(self, *published: str) -> object:
        """Every write replaces a file, which changes the time of the directory, so as long as that is the same no file is looked at."""
        try:
            changed_at = self.directory.stat().st_mtime_ns
            if self._marked_at != (changed_at, published):
                names = [*self._names(), *(PUBLISHED + name for name in published)]
                self._mark = hash(tuple((name, self._signature(name)) for name in names))
                # The clock of a file system has ticks, and another write may follow within the same one.
                self._marked_at = (changed_at, published) if time.time_ns() - changed_at > _TICK_NANOSECONDS else None
        except (OSError, StoreError):
            return None
        return self._mark

    def _publish(self, name: str, text: bytes) -> None:
        self._write_beside(PUBLISHED + name, text)

    def _published(self, name: str) -> bytes | None:
        return self._beside(PUBLISHED + name)

    def _beside(self, name: str) -> bytes | None:
        """Return the content of a file that is not a request, or None if it does not exist. Raises NotReadable."""
        try:
            self._check_directory()
            with open(os.open(self.directory / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise NotReadable(f"{self.place} cannot be read: {error.strerror}.") from None

    def _write_beside(self, name: str, content: bytes) -> None:
        with self._locked():
            try:
                private_file.replace_locked(self.directory / name, content, self.directory / SCRATCH, self._file_mode)
            except OSError as error:
                self._not_writable(error)

    def _names(self) -> list[str]:
        try:
            self._check_directory()
            return sorted(name for name in os.listdir(self.directory) if name.endswith(SUFFIX) and not name.startswith("."))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise NotReadable(f"{self.place} cannot be read: {error.strerror}.") from None

    def _signature(self, name: str) -> tuple[int, int, int] | None:
        """Return what differs after each change of a file, because every writer replaces it, or None if it cannot be told."""
        try:
            about = os.stat(self._prefix + name, follow_symlinks=False)  # a Path takes twice as long, and this is done for every request
        except OSError:
            return None
        return about.st_ino, about.st_mtime_ns, about.st_size

    def _path(self, request_id: str) -> Path:
        return self.directory / f"{request_id}{SUFFIX}"

    def _read(self, request_id: str) -> Record | None:
        content = self._content(request_id)
        if content is None:
            return None
        path = self._path(request_id)
        try:
            check_id(request_id)
            record = parse_document(json.loads(content, parse_constant=_refuse_constant), _version(content))
            if record.id != request_id:
                raise ValueError(f"its id is {quoted(record.id)}, which is not the name of the file.")
        except (ValueError, OverflowError, RecursionError) as error:
            no_json = isinstance(error, (json.JSONDecodeError, UnicodeDecodeError, RecursionError))
            why = "it is not JSON" if no_json else str(error)
            raise _broken(path, f"{printable(why).rstrip('.')}; correct or remove the file.") from None
        return record

    def _content(self, request_id: str) -> bytes | None:
        path = self._path(request_id)
        try:
            self._check_directory()
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                about = os.fstat(handle)
                if not stat.S_ISREG(about.st_mode) or about.st_size > LARGEST:
                    raise _broken(path, f"it is not a file or larger than {LARGEST} bytes; remove it.")
                # Not LARGEST at once: Python takes as much memory for each of ten thousand files, and the portal overwrites it.
                return os.read(handle, min(about.st_size, LARGEST) + 1)
            finally:
                os.close(handle)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno in _THIS_FILE_ONLY:
                raise _broken(path, f"it cannot be read: {error.strerror}.") from None
            raise NotReadable(f"{self.place} cannot be read: {error.strerror}.") from None

    def _create(self, record: Record) -> Record:
        with self._locked():
            if os.path.lexists(self._path(record.id)):
                raise Exists(f"Request {record.id} is in {self.place} already.")
            return self._write(record)

    def _replace(self, record: Record) -> Record:
        with self._locked():
            content = self._content(record.id)
            if content is None:
                raise Missing(f"Request {record.id} was removed from {self.place} by somebody else.")
            if _version(content) != record.version:
                raise Conflict(f"Request {record.id} was changed by somebody else.")
            return self._write(record)

    def _remove(self, record: Record) -> None:
        with self._locked():
            content = self._content(record.id)
            if content is None:
                return
            if _version(content) != record.version:
                raise Conflict(f"Request {record.id} was changed by somebody else.")
            try:
                self._path(record.id).unlink()
                private_file.flush(self.directory)
            except OSError as error:
                self._not_writable(error)

    def _write(self, record: Record) -> Record:
        """Write the record. The caller holds the lock."""
        content = (json.dumps(render_document(record), indent=2, ensure_ascii=False) + "\n").encode()
        try:
            private_file.replace_locked(self._path(record.id), content, self.directory / SCRATCH, self._file_mode)
            private_file.flush(self.directory)
        except OSError as error:
            self._not_writable(error)
        return replace(record, format=max(FORMAT, record.format), version=_version(content))

    def _locked(self) -> AbstractContextManager[None]:
        """Let one writer in at a time."""
        return self._holding(LOCK, LOCK_SECONDS, f"{self.place} was locked by another program for {LOCK_SECONDS} s; try again.")

    @contextmanager
    def _holding(self, name: str, patience: float, message: str, **pause: float) -> Iterator[None]:
        """Hold the lock of this name. Raises Busy with `message` if another program held it for `patience` seconds, and NotWritable."""
        try:
            self._make_directory()
            handle = open_lock(self.directory / name, self._file_mode)
        except OSError as error:
            self._not_writable(error)
        try:
            if not take_lock(handle, patience, **pause):
                raise Busy(message)
            yield
        finally:
            os.close(handle)

    def _make_directory(self) -> None:
        if not self.directory.is_dir():
            self.directory.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):
                self.directory.mkdir(mode=0o700)
        self._check_directory()

    def _check_directory(self) -> int:
        """Return the mode of files in the directory.

        Raises NotReadable if others may write to it, because whoever can write there can approve requests.
        """
        about = self.directory.stat()
        if not stat.S_ISDIR(about.st_mode):
            raise NotReadable(f"{self.directory} is not a directory; name one.")
        if about.st_uid not in (os.geteuid(), 0):
            raise NotReadable(
                f"{self.place} belongs to {_user(about.st_uid)}, and this process runs as {_user(os.geteuid())}: who owns the directory can approve "
                "requests, so everything on them is done as its owner. Run this as that user, or keep requests in Kubernetes, where several may work."
            )
        shared = stat.S_IMODE(about.st_mode) == SHARED_MODE and about.st_uid == 0 and about.st_gid != 0
        if about.st_mode & 0o022 and not shared:
            raise NotReadable(f"{self.place} can be written by others than its owner, who could approve requests; take that right away (chmod go-w).")
        self._file_mode = SHARED_FILE_MODE if shared else private_file.MODE
        return self._file_mode

    def _not_writable(self, error: OSError) -> NoReturn:
        raise NotWritable(f"{self.place} cannot be written: {error.strerror or error}; nothing was changed.") from None


@dataclass(frozen=True)
class _DirectoryTurn:
    """A turn that lasts as long as this program holds the lock, which nobody can take from it."""

    store: DirectoryStore

    def check(self) -> None:
        return

    def report(self, report: Mapping[str, Any]) -> None:
        self.store.write_last_pass(report)


def _user(uid: int) -> str:
    try:
        return printable(pwd.getpwuid(uid).pw_name, 80)
    except KeyError:
        return f"uid {uid}"


def _broken(path: Path, why: str) -> Broken:
    return Broken(f"{printable(str(path))} is set aside, because {why}")


def _version(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:20]


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"it holds {text}, which is no number.")
