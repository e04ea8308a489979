# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The role litellm_gateway in its mode systemd.

Tests cannot count on a machine that systemd runs; tests/support/systemd.py has what stands in for it.
"""

from __future__ import annotations

import os
import re
import signal
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import PlaybookRun, Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import Gateway, gatewayctl, linked_software
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.systemd import (
    RoleLife,
    Units,
    check_units,
    environment_without_systemd,
    machine_folder,
    needs_systemd_analyze,
    only_root,
    render_units,
    system_python,
)

UNITS = ("litellm-gateway-postgres.service", "litellm-gateway.service")
USER = "daemon"

pytestmark = only_root


class Machine(Units):
    """A place for one gateway, with the stand-in for systemctl. It is below /var/lib because the role refuses /tmp."""

    def __init__(self, folder: Path, python: str, installed: Path) -> None:
        super().__init__(folder)
        self.python = python
        self.directory, self.software = folder / "gateway", folder / "software"
        self.linked_software = linked_software(installed, self.directory.parent)

    @property
    def variables(self) -> dict[str, Any]:
        return {
            **self.linked_software,
            "litellm_gateway_mode": "systemd",
            "litellm_gateway_dir": str(self.directory),
            "litellm_gateway_software_dir": str(self.software),
            "litellm_gateway_python": self.python,
            "litellm_gateway_user": USER,
            "litellm_gateway_postgres_settings": {"fsync": "off"},
            "litellm_gateway_environment": {"SOME_API_KEY": "env-0123456789-secret"},
            "__litellm_gateway_unit_dir": str(self.folder),
            "__litellm_gateway_journald_dir": str(self.folder),
        }

    def pids(self) -> dict[str, int]:
        found: dict[str, int] = gatewayctl(self.directory, "status")["pids"]
        return found


@pytest.fixture
def machine(gateway: Gateway) -> Iterator[Machine]:
    with machine_folder("litellm-gateway-test-") as folder:
        machine = Machine(folder, system_python(), gateway.software)
        try:
            yield machine
        finally:
            machine.stop_all(UNITS[::-1])


class GatewayLife(RoleLife[Machine]):
    """One gateway run by units."""

    playbook_name = "gateway"

    def __init__(self, machine: Machine, playbook: Playbooks) -> None:
        super().__init__(machine, playbook, machine.variables)
        self.gateway: Gateway
        self.key: str
        """A virtual key made after the first start; it works until the end."""

    def check_mode_reports_changes_and_makes_none(self) -> None:
        assert self.run("--check").changed > 0
        assert list(self.machine.folder.iterdir()) == []

    def starts_as_the_service_user(self) -> None:
        assert self.run("-vvv", "--diff").changed > 0
        self.gateway = Gateway(self.machine.directory)
        self.key = self.gateway.post("/key/generate", key_alias="mine")["key"]
        assert self.gateway.chat(self.key).ok
        self.pids = self.machine.pids()
        assert all(self.pids.values())
        for pid in self.pids.values():
            assert Path(f"/proc/{pid}").owner() == USER

    def only_root_can_read_its_secrets(self) -> None:
        folder = self.machine.directory
        for file in (folder / "secrets", *(folder / "secrets").iterdir(), folder / "litellm.yaml"):
            assert (file.owner(), stat.S_IMODE(file.stat().st_mode) & 0o077) == ("root", 0)
        assert (folder / "gatewayctl").owner() == "root"
        secrets = [(folder / "secrets" / name).read_text() for name in ("master_key", "salt_key", "database_password")]
        for text in ("".join(self.outputs), *(file.read_text() for file in self.machine.folder.iterdir() if file.is_file())):
            for secret in (*secrets, "env-0123456789-secret"):
                assert secret not in text

    def the_units_start_again_after_a_power_failure(self) -> None:
        for pid in self.pids.values():
            os.killpg(pid, signal.SIGKILL)
        self.machine.lose_power()
        self.machine.systemctl("boot")
        assert self.gateway.chat(self.key).ok
        self.pids = self.machine.pids()

    def a_control_program_of_an_earlier_release_is_replaced_without_a_restart(self) -> None:
        program = (self.machine.directory / "gatewayctl").resolve()
        (self.machine.directory / "gatewayctl").unlink()
        (self.machine.directory / "gatewayctl.py").write_text(f"import runpy\nrunpy.run_path({str(program)!r}, run_name='__main__')\n")
        assert self.run().changed > 0
        assert not (self.machine.directory / "gatewayctl.py").exists()
        assert self.machine.pids() == self.pids

    def the_unit_writes_a_backup_before_it_starts_other_software(self) -> None:
        machine, installed = self.machine, self.gateway.software
        machine.systemctl("stop", UNITS[1])
        (machine.software / "litellm-next").symlink_to(installed)
        gateway_json = machine.directory / "gateway.json"
        gateway_json.write_text(gateway_json.read_text().replace(installed.name, "litellm-next"))
        machine.systemctl("before", UNITS[1])
        (backup,) = (machine.directory / "backups").iterdir()
        assert (backup.owner(), stat.S_IMODE(backup.stat().st_mode)) == (USER, 0o600)
        assert backup.name.endswith(f".{installed.name}.dump")
        gatewayctl(machine.directory, "restore", str(backup))
        machine.systemctl("before", UNITS[1])  # the service user can read what root has restored

    def stopped_also_means_not_started_at_boot(self) -> None:
        assert self.run(litellm_gateway_state="stopped").changed > 0
        assert not any(self.machine.pids().values())
        assert list((self.machine.folder / "multi-user.target.wants").iterdir()) == []
        assert self.run(litellm_gateway_state="stopped").changed == 0

    def absent_needs_consent_and_keeps_the_software(self) -> None:
        refused = self.run(check=False, litellm_gateway_state="absent")
        assert "litellm_gateway_delete_data=true" in refused.output
        assert self.run(litellm_gateway_state="absent", litellm_gateway_delete_data=True).changed > 0
        assert not self.machine.directory.exists()
        assert [path.name for path in self.machine.folder.iterdir()] == ["multi-user.target.wants"]
        assert self.run(litellm_gateway_state="absent").changed == 0


def test_its_whole_life(machine: Machine, playbook: Playbooks) -> None:
    life = GatewayLife(machine, playbook)
    life.check_mode_reports_changes_and_makes_none()
    life.starts_as_the_service_user()
    life.only_root_can_read_its_secrets()
    life.the_units_start_again_after_a_power_failure()
    life.a_second_run_changes_nothing()
    life.a_control_program_of_an_earlier_release_is_replaced_without_a_restart()
    life.the_unit_writes_a_backup_before_it_starts_other_software()
    life.stopped_also_means_not_started_at_boot()
    life.absent_needs_consent_and_keeps_the_software()


def started_units(run: PlaybookRun) -> list[str]:
    """Return the units whose start or restart a run reports as a change."""
    return re.findall(r"Start the unit [^\n]*: (\S+)\] \**\nchanged:", run.output)


@pytest.fixture
def empty_machine() -> Iterator[Machine]:
    """Return a place without software, which is enough for check mode."""
    with machine_folder("litellm-gateway-test-") as folder:
        machine = Machine(folder, sys.executable, folder / "missing")
        machine.directory.mkdir()
        yield machine


PROGRAM_OF_A_CURRENT_GATEWAY = """print('{"changed": false, "url": null, "pids": {}, "ready": true}')"""


def test_check_mode_predicts_the_restart_of_an_upgrade(empty_machine: Machine, playbook: Playbooks) -> None:
    """An earlier release had a single file as its control program, and other units."""
    (empty_machine.directory / "gatewayctl.py").write_text(PROGRAM_OF_A_CURRENT_GATEWAY)
    for unit in UNITS:
        (empty_machine.folder / unit).write_text("[Service]\n")
    assert started_units(GatewayLife(empty_machine, playbook).run("--check")) == list(UNITS)


def test_check_mode_without_units_does_not_run_them(empty_machine: Machine, playbook: Playbooks) -> None:
    """A gateway that ran in embedded mode has a control program and no units."""
    program = empty_machine.directory / "control" / "gatewayctl-of-this-gateway"
    program.mkdir(parents=True)
    (program / "__main__.py").write_text(PROGRAM_OF_A_CURRENT_GATEWAY)
    (empty_machine.directory / "gatewayctl").symlink_to(program)
    assert started_units(GatewayLife(empty_machine, playbook).run("--check")) == []


@needs_systemd_analyze
def test_systemd_accepts_the_units(tmp_path: Path, playbook: Playbooks) -> None:
    units = render_units(playbook, tmp_path, "litellm_gateway", {"litellm_gateway_dir": "/var/lib/litellm-gateway", "litellm_gateway_user": USER})
    check_units([units / name for name in UNITS])


def test_a_machine_without_systemd_is_refused(playbook: Playbooks, tmp_path: Path) -> None:
    run = playbook("gateway", {"litellm_gateway_mode": "systemd"}, check=False, environment=environment_without_systemd(tmp_path))
    assert "systemd does not run this machine: take litellm_gateway_mode=embedded here" in run.output


@pytest.mark.parametrize("name", ["with a blank", "100%"])
def test_a_path_that_no_unit_could_have_is_refused(empty_machine: Machine, playbook: Playbooks, name: str) -> None:
    variables = {**empty_machine.variables, "litellm_gateway_dir": f"/srv/{name}"}
    run = playbook("gateway", variables, "--check", check=False, environment=empty_machine.environment)
    assert "must have neither blanks nor signs that mean something in a unit" in " ".join(run.output.split())
