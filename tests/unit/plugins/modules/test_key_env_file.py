# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Files with keys are private from the first moment, written completely or not at all, and independent of each other."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import private_file
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.modules import run_module

KEY = "sk-stoEN1JAQJQCe8fmu0i5L_wwnqvuGMVYok3FbyaTj8s"
OTHER = KEY[:-1] + "t"


def write(*paths: Path, value: str = KEY, check: bool = False, **more: Any) -> dict[str, Any]:
    files = [{"path": str(path), "value": value, "alias": "virtkey-a"} for path in paths]
    return run_module("key_env_file", {"url": "https://llm.example.com", "files": files, **more}, check=check, no_log=False)


def remove(*paths: Path, check: bool = False) -> dict[str, Any]:
    return run_module("key_env_file", {"files": [{"path": str(path)} for path in paths], "state": "absent"}, check=check)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_a_file_is_created_kept_changed_and_removed(tmp_path: Path) -> None:
    file = tmp_path / "llamakey_local.env"
    assert write(file, check=True)["changed"]
    assert not file.exists()
    assert write(file, vendors=["openai"])["changed"]
    assert file.read_text(encoding="utf-8") == (
        f"# LLM key virtkey-a. Read it with: source llamakey_local.env\nexport OPENAI_API_KEY='{KEY}'\nexport OPENAI_BASE_URL='https://llm.example.com/v1'\n"
    )
    assert mode(file) == 0o600
    before = file.stat()
    assert not write(file, vendors=["openai"])["changed"]
    assert file.stat() == before
    assert write(file, vendors=["openai"], value=OTHER)["changed"]
    assert OTHER in file.read_text(encoding="utf-8")
    assert remove(file, check=True)["changed"]
    assert file.exists()
    assert remove(file)["changed"]
    assert not remove(file)["changed"]
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_others_could_read_is_replaced_and_never_opened_to_them_again(tmp_path: Path) -> None:
    file = tmp_path / "x.env"
    write(file)
    file.chmod(0o644)
    before = file.stat().st_ino
    assert write(file)["changed"]
    assert (mode(file), file.stat().st_ino == before) == (0o600, False)


def test_a_link_is_replaced_and_what_it_leads_to_is_left_alone(tmp_path: Path) -> None:
    file, target = tmp_path / "x.env", tmp_path / "target"
    target.write_text("mine", encoding="utf-8")
    file.symlink_to(target)
    assert write(file)["changed"]
    assert target.read_text(encoding="utf-8") == "mine"
    assert not file.is_symlink()
    file.unlink()
    file.symlink_to(tmp_path / "nowhere")
    assert remove(file)["changed"]
    assert not file.is_symlink()


def test_one_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    folder, lost, good = tmp_path / "folder", tmp_path / "no" / "x.env", tmp_path / "good.env"
    folder.mkdir()
    result = write(folder, lost, good)
    assert (result["failed"], result["changed"], result["code"]) == (True, True, "not_written")
    assert [each["reason"] for each in result["files"]] == ["it is a folder", "its folder does not exist", ""]
    assert good.exists()
    assert remove(folder)["files"][0]["reason"] == "it is a folder"
    assert "2 of 3 files could not be changed" in result["msg"]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "x.env"
    write(file)

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    result = write(file, value=OTHER)
    assert result["files"][0]["reason"] == "No space left on device"
    assert KEY in file.read_text(encoding="utf-8")
    assert list(tmp_path.iterdir()) == [file]


def test_temporary_files_of_a_killed_writer_are_removed_later(tmp_path: Path) -> None:
    file = tmp_path / "x.env"
    old, new = tmp_path / ".x.env.abcd1234.new", tmp_path / ".x.env.efgh5678.new"
    for left_over in (old, new):
        left_over.write_text(KEY, encoding="utf-8")
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    write(file)
    assert not old.exists()
    assert new.exists()  # its writer may still be at work


def test_many_writers_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    file = tmp_path / "x.env"
    script = (
        "import sys, pathlib\n"
        "from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import private_file as p\n"
        "[p.replace(pathlib.Path(sys.argv[1]), sys.argv[2].encode() * 50000, p.Owner()) for _ in range(50)]\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", script, str(file), letter]) for letter in "abc"]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        if file.exists():
            content = file.read_bytes()
            seen.add((len(content), len(set(content))))
    assert {writer.returncode for writer in writers} == {0}
    assert seen <= {(50000, 1)}
    assert list(tmp_path.iterdir()) == [file]


def test_the_owner_is_set_before_the_key_is_in_it(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    file = tmp_path / "x.env"
    assert write(file, owner="nobody", group="0")["changed"]
    assert file.stat().st_uid == private_file.owner("nobody", None).uid
    assert not write(file, owner="nobody", group="0")["changed"]
    assert write(file, owner="0")["changed"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"url": None}, "url is not given"),
        ({"url": "llm.example.com"}, "not the address of a gateway"),
        ({"vendors": ["opnai"]}, "vendor is 'opnai'"),
        ({"owner": "nobody-here"}, "owner is 'nobody-here'"),
        ({"group": "nobody-here"}, "group is 'nobody-here'"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(tmp_path: Path, more: dict[str, Any], message: str) -> None:
    result = write(tmp_path / "x.env", **more)
    assert (result["failed"], result["code"]) == (True, "bad_input")
    assert message in result["msg"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["", "sk-a b", "sk-a\nexport X=1"])
def test_a_value_that_is_not_a_key_fails_only_its_own_file(tmp_path: Path, value: str) -> None:
    result = write(tmp_path / "x.env", value=value)
    assert result["files"][0]["reason"].startswith("the key is empty or holds")


def test_the_key_is_hidden(tmp_path: Path) -> None:
    result = write(tmp_path / "x.env")
    if "invocation" in result:  # ansible-core before 2.21 returns what it was given
        assert result["invocation"]["module_args"]["files"][0]["value"] == "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
    assert KEY not in json.dumps(result)
