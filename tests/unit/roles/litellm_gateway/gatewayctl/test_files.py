# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Private files, and who can enter a folder."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.roles.litellm_gateway.files.gatewayctl import files


def test_a_private_file_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "file"
    previous = os.umask(0)
    try:
        files.write_private(path, "text")
    finally:
        os.umask(previous)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    inode = path.stat().st_ino
    files.write_private(path, "text")
    assert path.stat().st_ino == inode
    files.write_private(path, "other")
    assert path.read_text() == "other"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("mode", "owner", "group", "entered"),
    [
        (0o700, True, False, True),
        (0o077, True, True, False),
        (0o010, False, True, True),
        (0o701, False, True, False),
        (0o001, False, False, True),
        (0o770, False, False, False),
    ],
)
def test_who_can_enter_a_folder(tmp_path: Path, mode: int, owner: bool, group: bool, entered: bool) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    status = folder.stat()
    user = pwd.struct_passwd(("who", "x", status.st_uid + (not owner), status.st_gid + (not group), "", "/", ""))
    folder.chmod(mode)
    try:
        assert files.can_enter(user, folder) is entered
    finally:
        folder.chmod(0o700)
