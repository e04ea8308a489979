# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The role litellm_gateway in its mode systemd.

No machine of the tests is run by systemd, so systemctl_stand_in.py does what systemctl would: it runs the units' own command
lines, as their user and with their credentials. The units themselves are read by the real `systemd-analyze`.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import PlaybookRun, Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import Gateway, gatewayctl

STAND_IN = Path(__file__).with_name("systemctl_stand_in.py")
UNITS = ("litellm-gateway-postgres.service", "litellm-gateway.service")
USER = "daemon"
WORST_EXPOSURE = 1.5
"""The overall exposure level that `systemd-analyze security` may find, from 0 (best) to 10."""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="system units are root's to install")


class Machine:
    """A place for one gateway, and the stand-in for systemctl. Below /var/lib, as the role refuses /tmp."""

    def __init__(self, home: Path, python: str, installed: Path) -> None:
        self.python = python
        self.directory, self.software = home / "gateway", home / "software"
        self.units, self.state, self.bin = home / "units", home / "state", home / "bin"
        for folder in (self.units, self.state, self.bin):
            folder.mkdir()
        self.state.chmod(0o711)
        # What root has in a home of its own the service user could not reach, so its files get a second name here. Where it runs
        # on a Python that is in a home too, the role installs it anew (half a minute).
        self.at_hand: dict[str, str] = {}
        if (installed / "venv/bin/python").resolve().is_relative_to("/usr"):
            here = shutil.copytree(installed, self.software / installed.name, symlinks=True, copy_function=os.link)
            self.at_hand["__litellm_gateway_software"] = str(here)
        program = self.bin / "systemctl"
        settings = f"STAND_IN_UNITS={self.units} STAND_IN_STATE={self.state}"
        program.write_text(f'#!/bin/sh\n{settings} exec {sys.executable} {STAND_IN} "$@"\n')
        program.chmod(0o755)

    @property
    def variables(self) -> dict[str, Any]:
        return {
            **self.at_hand,
            "litellm_gateway_mode": "systemd",
            "litellm_gateway_dir": str(self.directory),
            "litellm_gateway_software_dir": str(self.software),
            "litellm_gateway_python": self.python,
            "litellm_gateway_user": USER,
            "litellm_gateway_postgres_settings": {"fsync": "off"},
            "litellm_gateway_environment": {"SOME_API_KEY": "env-0123456789-secret"},
            "__litellm_gateway_unit_dir": str(self.units),
            "__litellm_gateway_journald_dir": str(self.units),
        }

    def systemctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([self.bin / "systemctl", *words], capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, f"{words}: {done.stdout} {done.stderr} {self.journal()}"
        return done

    def journal(self) -> str:
        with contextlib.suppress(FileNotFoundError):
            return (self.state / "journal.log").read_text(errors="replace")[-6000:]
        return ""

    def pids(self) -> dict[str, int]:
        found: dict[str, int] = gatewayctl(self.directory, "status")["pids"]
        return found


@pytest.fixture
def machine(gateway: Gateway) -> Iterator[Machine]:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    python = shutil.which(version, path="/usr/local/bin:/usr/bin")
    if python is None:
        pytest.skip(f"there is no {version} that another user could run")
    with tempfile.TemporaryDirectory(prefix="litellm-gateway-test-", dir="/var/lib") as home:
        Path(home).chmod(0o755)
        machine = Machine(Path(home), python, gateway.software)
        try:
            yield machine
        finally:
            for unit in reversed(UNITS):
                subprocess.run([machine.bin / "systemctl", "stop", unit], check=False)


def test_its_whole_life(machine: Machine, playbook: Playbooks) -> None:
    wanted = machine.variables
    told: list[str] = []

    def run(*arguments: str, check: bool = True, **more: Any) -> PlaybookRun:
        done = playbook("gateway", {**wanted, **more}, *arguments, check=False, environment={"PATH": f"{machine.bin}:{os.environ['PATH']}"})
        assert done.returncode == 0 or not check, f"{done.output[-3000:]}\n{machine.journal()}"
        told.append(done.output)
        return done

    # Check mode tells of changes and makes none.
    assert run("--check").changed > 0
    assert list(machine.units.iterdir()) == []

    # Started: under the service user, with secrets that only root can read.
    assert run("-vvv", "--diff").changed > 0
    gateway = Gateway(machine.directory)
    key = gateway.post("/key/generate", key_alias="mine")["key"]
    assert gateway.chat(key).ok
    pids = machine.pids()
    assert all(pids.values())
    for pid in pids.values():
        assert Path(f"/proc/{pid}").owner() == USER
    for file in (machine.directory / "secrets", *(machine.directory / "secrets").iterdir(), machine.directory / "litellm.yaml"):
        assert (file.owner(), stat.S_IMODE(file.stat().st_mode) & 0o077) == ("root", 0)
    assert (machine.directory / "gatewayctl").owner() == "root"
    secrets = [(machine.directory / "secrets" / name).read_text() for name in ("master_key", "salt_key", "database_password")]
    for text in ("".join(told), *(file.read_text() for file in machine.units.iterdir() if file.is_file())):
        for secret in (*secrets, "env-0123456789-secret"):
            assert secret not in text

    # Again, and in check mode: nothing to do.
    assert run().changed == 0
    assert run("--check").changed == 0
    assert machine.pids() == pids

    # An earlier release had a single file as its control program. The new one takes its place, and nothing restarts.
    (machine.directory / "gatewayctl").unlink()
    (machine.directory / "gatewayctl.py").touch()
    assert run("--check").changed > 0
    assert run().changed > 0
    assert not (machine.directory / "gatewayctl.py").exists()
    assert machine.pids() == pids

    # The power goes, the machine comes up: the units start by themselves what was there.
    for pid in pids.values():
        os.killpg(pid, signal.SIGKILL)
    for credentials in machine.state.glob("*.credentials"):
        shutil.rmtree(credentials)
    machine.systemctl("boot")
    assert gateway.chat(key).ok
    assert run().changed == 0

    # Other software: the unit writes a backup before it starts that.
    machine.systemctl("stop", UNITS[1])
    installed = gateway.software
    (machine.software / "litellm-next").symlink_to(installed)
    gateway_json = machine.directory / "gateway.json"
    gateway_json.write_text(gateway_json.read_text().replace(installed.name, "litellm-next"))
    machine.systemctl("before", UNITS[1])
    (backup,) = (machine.directory / "backups").iterdir()
    assert (backup.owner(), stat.S_IMODE(backup.stat().st_mode)) == (USER, 0o600)
    assert backup.name.endswith(f".{installed.name}.dump")
    gatewayctl(machine.directory, "restore", str(backup))
    machine.systemctl("before", UNITS[1])  # the service's user can read what root has restored

    # Stopped: not running, and not after a reboot either.
    assert run(litellm_gateway_state="stopped").changed > 0
    assert not any(machine.pids().values())
    assert list((machine.units / "multi-user.target.wants").iterdir()) == []
    assert run(litellm_gateway_state="stopped").changed == 0

    # Absent wants a word more, and leaves the software, which lies elsewhere.
    refused = run(check=False, litellm_gateway_state="absent")
    assert "litellm_gateway_delete_data=true" in refused.output
    assert run(litellm_gateway_state="absent", litellm_gateway_delete_data=True).changed > 0
    assert not machine.directory.exists()
    assert [path.name for path in machine.units.iterdir()] == ["multi-user.target.wants"]
    assert run(litellm_gateway_state="absent").changed == 0


RENDER = """
- hosts: localhost
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  tasks:
    - ansible.builtin.setup:
        gather_subset: ["!all", "!min", env, python, user]
    - ansible.builtin.include_role:
        name: rhpds.litellm_virtual_keys.litellm_gateway
        tasks_from: systemd/units
"""


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here; it comes with systemd")
def test_systemd_takes_the_units(tmp_path: Path, playbook: Playbooks) -> None:
    units, software = tmp_path / "units", tmp_path / "software"
    python = software / "litellm-x" / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    units.mkdir()
    python.symlink_to(sys.executable)
    play = tmp_path / "render.yml"
    play.write_text(RENDER)
    variables = {
        "litellm_gateway_mode": "systemd",
        "litellm_gateway_dir": "/var/lib/litellm-gateway",
        "litellm_gateway_user": USER,
        "__litellm_gateway_software": str(python.parents[2]),
        "__litellm_gateway_unit_dir": str(units),
        "__litellm_gateway_journald_dir": str(units),
    }
    playbook(play, variables)
    files = [str(units / name) for name in UNITS]
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *files], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    for file in files:
        report = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager", file], capture_output=True, text=True, check=False)
        exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", report.stdout)
        assert exposure, report
        print(file, exposure[1])
        assert float(exposure[1]) <= WORST_EXPOSURE, report.stdout


def test_a_machine_without_systemd_is_refused(playbook: Playbooks, tmp_path: Path) -> None:
    (tmp_path / "systemctl").write_text("#!/bin/sh\necho offline; exit 1\n")
    (tmp_path / "systemctl").chmod(0o755)
    run = playbook("gateway", {"litellm_gateway_mode": "systemd"}, check=False, environment={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert "systemd does not run this machine: take litellm_gateway_mode=embedded here" in run.output
