# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""A program's files are put in place and repaired in one step, and nothing outside of its folder is touched."""

from __future__ import annotations

import base64
import io
import os
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.modules import run_module

FILES = {"main.py": b"1", "parts/part.py": b"2"}


def archive(files: dict[str, bytes]) -> str:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as opened:
        for name, data in files.items():
            opened.writestr(name, data)
    return base64.b64encode(content.getvalue()).decode()


def put(folder: Path, files: dict[str, bytes] | None = None, *, check: bool = False, **more: Any) -> dict[str, Any]:
    return run_module("program_files", {"path": str(folder), "archive": archive(files or FILES), **more}, check=check, diff=True, no_log=False)


def modes(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}


def test_it_is_put_in_place_repaired_and_kept(tmp_path: Path) -> None:
    folder = tmp_path / "program"
    assert put(folder, check=True)["changed"] and not folder.exists()
    assert put(folder)["changed"]
    assert modes(folder) == {".": 0o700, "parts": 0o700, "main.py": 0o600, "parts/part.py": 0o600}
    assert not put(folder)["changed"]

    (folder / "mine.txt").write_text("mine")
    (folder / "mine.txt").chmod(0o644)
    (folder / "main.py").write_text("damaged")
    (folder / "parts/part.py").unlink()
    (folder / "parts").chmod(0o777)
    foreseen, done = put(folder, check=True), put(folder)
    assert foreseen["changed"] and {**foreseen, "invocation": None} == {**done, "invocation": None}
    assert {Path(name).name for name in done["files"]} == {"main.py", "part.py", "parts"}
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES and (folder / "mine.txt").read_text() == "mine"
    assert not put(folder)["changed"]

    opened = put(folder, mode="0644", directory_mode="755")
    assert len(opened["files"]) == 4 and modes(folder) == {".": 0o755, "parts": 0o755, "main.py": 0o644, "parts/part.py": 0o644, "mine.txt": 0o644}


def test_a_link_in_the_place_of_a_file_is_replaced_and_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(FILES["main.py"])
    put(tmp_path / "program")
    (tmp_path / "program/main.py").unlink()
    (tmp_path / "program/main.py").symlink_to(other)
    before = other.stat()
    assert put(tmp_path / "program")["changed"] and not (tmp_path / "program/main.py").is_symlink()
    assert other.stat().st_mode == before.st_mode and not put(tmp_path / "program")["changed"]


@pytest.mark.parametrize("name", ["/tmp/outside.py", "../outside.py", "parts/../../outside.py"])
def test_nothing_is_written_outside_of_the_folder(tmp_path: Path, name: str) -> None:
    result = put(tmp_path / "program", {"main.py": b"1", name: b"2"})
    assert (result["code"], result["changed"]) == ("bad_input", False) and "outside of the folder" in result["msg"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"archive": "no archive"}, "archive is no ZIP archive in base64"),
        ({"archive": base64.b64encode(b"PK").decode()}, "archive is no ZIP archive in base64"),
        ({"mode": "rw"}, "mode is 'rw'; give three octal digits"),
        ({"directory_mode": "999"}, "directory_mode is '999'; give three octal digits"),
    ],
)
def test_what_cannot_be_used_is_named_before_anything_is_changed(tmp_path: Path, more: dict[str, str], said: str) -> None:
    result = put(tmp_path / "program", **more)
    assert (result["code"], result["changed"]) == ("bad_input", False) and said in result["msg"]
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    result = put(tmp_path / "nowhere" / "program")
    assert result["code"] == "not_written" and "cannot be written: No such file or directory" in result["msg"]
    (tmp_path / "file").write_text("")
    assert put(tmp_path / "file")["code"] == "not_written"
    assert os.listdir(tmp_path) == ["file"]
