# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Environment files on disk: written with the key for their user, or removed, and the result of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..common import private_file
from . import client_env


@dataclass(frozen=True)
class EnvFileSettings:
    """What all files have in common. `vendors` None means all of them. Raises ValueError if no file could be written so."""

    url: str
    vendors: Sequence[str] | None = None
    vendor_paths: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.url:
            raise ValueError("url is not given; give the address at which users reach the gateway.")
        client_env.variables(self.url, "sk-check", self.vendors, self.vendor_paths)

    def content(self, path: Path, value: str, alias: str) -> bytes:
        """Return the content of the file at `path` for the key `value`. Raises ValueError."""
        comment = f"LLM key{' ' + alias if alias else ''}. Read it with: source {path.name}"
        variables = client_env.variables(self.url, value, self.vendors, self.vendor_paths)
        return client_env.env_file(variables, [comment]).encode()


def put_env_files(files: Sequence[Mapping[str, Any]], settings: EnvFileSettings | None, whose: private_file.Owner, *, check_mode: bool) -> list[dict[str, Any]]:
    """Write the files, or remove them if `settings` is None, and return the results in the same order.

    A file is a mapping of `path`, `value` and `alias`. One that cannot be written does not stop the others.
    """
    return [_put_file(file, settings, whose, check_mode=check_mode) for file in files]


def env_files_result(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the module `key_env_file` returns, with `failed`, `msg` and `code` if a file could not be changed."""
    returned: dict[str, Any] = {"changed": any(result["changed"] for result in results), "files": list(results)}
    failures = [result for result in results if result["failed"]]
    if failures:
        first = f"{failures[0]['path']}: {failures[0]['reason']}"
        msg = f"{len(failures)} of {len(results)} files could not be changed; the first is {first}."
        returned.update(failed=True, msg=msg, code="not_written")
    return returned


def _put_file(file: Mapping[str, Any], settings: EnvFileSettings | None, whose: private_file.Owner, *, check_mode: bool) -> dict[str, Any]:
    path, changed, reason = Path(file["path"]), False, ""
    try:
        if settings is None:
            changed = _remove(path, check_mode=check_mode)
        else:
            changed = _write(path, settings.content(path, file["value"] or "", file["alias"] or ""), whose, check_mode=check_mode)
    except OSError as error:
        reason = error.strerror or type(error).__name__
    except ValueError as error:
        reason = str(error).removesuffix(".")
    return {"path": file["path"], "changed": changed, "failed": bool(reason), "reason": reason}


def _remove(path: Path, *, check_mode: bool) -> bool:
    """Remove the file. Returns whether it existed. Raises OSError."""
    if not path.is_symlink() and not path.exists():
        return False
    _check_no_folder(path)
    if not check_mode:
        path.unlink()
    return True


def _write(path: Path, content: bytes, whose: private_file.Owner, *, check_mode: bool) -> bool:
    """Write the file. Returns whether its content, mode or owner was different. Raises OSError."""
    _check_no_folder(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(None, "its folder does not exist")
    if private_file.is_up_to_date(path, content, whose):
        return False
    if not check_mode:
        private_file.replace(path, content, whose)
    return True


def _check_no_folder(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        raise IsADirectoryError(None, "it is a folder")
