# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The lookups files_digest and files_archive: what counts, and what does not."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from ansible.errors import AnsibleLookupError
from ansible_collections.rhpds.litellm_virtual_keys.plugins.lookup import files_digest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.lookup.files_archive import archive_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in {"program/main.py": "1", "program/parts/part.py": "2", "program/__pycache__/main.pyc": "x", "list.txt": "3"}.items():
        path = tmp_path / "here" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path / "here"


def digest(folder: Path) -> str:
    (found,) = files_digest.LookupModule().run([str(folder / "program"), str(folder / "list.txt")])
    return found


def test_the_digest_is_that_of_names_and_contents(folder: Path) -> None:
    first = digest(folder)
    (folder / "program/__pycache__/main.pyc").write_text("y")
    moved = folder.rename(folder.with_name("there"))
    assert len(first) == 64 and digest(moved) == first
    (moved / "program/main.py").write_text("12")
    second = digest(moved)
    (moved / "program/main.py").write_text("1")
    (moved / "program/parts/part.py").rename(moved / "program/parts/other.py")
    assert len({first, second, digest(moved)}) == 3


def test_the_archive_holds_the_files_below_the_prefix(folder: Path, tmp_path: Path) -> None:
    found = archive_of(folder, ["program", "list.txt"], "some/where")
    with zipfile.ZipFile(io.BytesIO(found)) as archive:
        assert sorted(archive.namelist()) == ["some/where/list.txt", "some/where/program/main.py", "some/where/program/parts/part.py"]
        assert archive.read("some/where/program/main.py") == b"1"
    assert archive_of(folder, ["program", "list.txt"], "some/where") == found


def test_what_cannot_be_read_is_named(folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        archive_of(folder, ["nothing.txt"])
    with pytest.raises(AnsibleLookupError, match="cannot be read: No such file"):
        files_digest.LookupModule().run([str(folder / "nothing.txt")])
