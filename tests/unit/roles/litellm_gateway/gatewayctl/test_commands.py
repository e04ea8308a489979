# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The command line, run as a folder, as the role and users run it."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.roles.litellm_gateway.files.gatewayctl import commands
from ansible_collections.rhpds.litellm_virtual_keys.roles.litellm_gateway.files.gatewayctl.files import GatewayError
from ansible_collections.rhpds.litellm_virtual_keys.roles.litellm_gateway.files.gatewayctl.gateway import Gateway

PROGRAM = Path(commands.__file__).parent


def run(program: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(program), *words], capture_output=True, text=True, check=False)


def test_the_program_prints_json_or_a_sentence(gateway: Gateway, tmp_path: Path) -> None:
    done = run(PROGRAM, str(tmp_path), "start", "--check")
    assert json.loads(done.stdout) == {"changed": True, "url": None, "pids": {"postgres": None, "litellm": None}, "ready": False}
    assert (done.returncode, done.stderr) == (0, "")
    done = run(PROGRAM, str(tmp_path / "nothing"), "start")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{tmp_path}/nothing holds no gateway: run the role with litellm_gateway_state=started\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["restore"], "restore, and nothing else, wants the file of a backup"),
        (["backup", "file"], "restore, and nothing else, wants the file of a backup"),
        (["run"], "run wants --only"),
    ],
)
def test_options_that_do_not_fit_together_are_refused(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        commands.parse(["/directory", *words])
    assert exit_.value.code == 2
    assert f"gatewayctl: error: {message}" in capsys.readouterr().err


def test_its_files_alone_are_enough_and_it_adds_none(gateway: Gateway, tmp_path: Path) -> None:
    """The role copies them into a folder of another name, which a link names, in a directory that others may not list."""
    copy = tmp_path / "control" / "gatewayctl-0123"
    copy.mkdir(parents=True)
    for file in PROGRAM.glob("*.py"):
        shutil.copy(file, copy)
    (tmp_path / "gatewayctl").symlink_to("control/gatewayctl-0123")
    files = sorted(copy.iterdir())
    done = run(tmp_path / "gatewayctl", str(tmp_path), "status")
    assert json.loads(done.stdout)["ready"] is False, done.stderr
    assert sorted(copy.iterdir()) == files


def test_starts_and_stops_take_turns(gateway: Gateway, tmp_path: Path) -> None:
    with gateway.directory.exclusive():
        other = subprocess.Popen([sys.executable, str(PROGRAM), str(tmp_path), "stop"], stdout=subprocess.PIPE)
        time.sleep(0.5)
        assert other.poll() is None
    assert other.wait(timeout=10) == 0


def test_services_of_systemd_are_started_by_systemctl_only(configure: Callable[..., Gateway], tmp_path: Path) -> None:
    configure(user=pwd.getpwuid(os.geteuid()).pw_name)
    with pytest.raises(GatewayError, match="use systemctl start"):
        commands.execute([str(tmp_path), "start"])
    assert commands.execute([str(tmp_path), "start", "--check"])["changed"]


def test_a_backup_that_does_not_exist_is_named(gateway: Gateway, tmp_path: Path) -> None:
    with pytest.raises(GatewayError, match=f"there is no backup {tmp_path}/missing.dump: look into {tmp_path}/backups"):
        commands.execute([str(tmp_path), "restore", str(tmp_path / "missing.dump")])
