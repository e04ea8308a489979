# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The role key_portal in its mode systemd.

Tests cannot count on a machine that systemd runs; tests/support/systemd.py has what stands in for it.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portalctl.locks import kill_leftovers
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.kubernetes import cluster
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import IN_COLD_RUNS, MOCK_MODELS, Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.processes import is_alive
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.portal import control, eventually
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.smtp import Server, SmtpFactory
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
from ansible_collections.rhpds.litellm_virtual_keys.tests.tools import workshop

UNITS = ("litellm-key-portal.service", "litellm-key-portal-worker.service")
USERS = {"portal": "daemon", "worker": "games"}
GROUP = "sys"
MODEL = MOCK_MODELS[0]
DERIVATION = "derivation-0123456789-0123456789-secret"
MAIL_USERS = {"portal": "smtp-of-the-portal-0123456789", "worker": "smtp-of-the-worker-0123456789"}
NO_GATEWAY = {"gateway": False, "litellm_url": "http://127.0.0.1:1", "litellm_master_key": "sk-master-0123456789"}
"""Variables of a gateway that nobody reaches."""
SOFTWARE = workshop.cache() / "portal-software"

pytestmark = only_root


def link_folders(source: Path, target: Path) -> None:
    """Link the installed software from one folder into another, if both are in one file system: other users cannot reach the cache in a home."""
    for folder in source.glob("*-????????????????"):
        if not (target / folder.name).exists() and source.stat().st_dev == target.stat().st_dev:
            shutil.copytree(folder, target / folder.name, symlinks=True, copy_function=os.link)


class Machine(Units):
    """A place for one portal, with the stand-in for systemctl. It is below /var/lib because the role refuses /tmp."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.directory = folder / "portal"
        self.software = folder / "software"
        self.software.mkdir()
        self.tls = folder / "tls"
        self.tls.mkdir()
        cluster.make_certificates(self.tls)
        for key in self.tls.glob("*.key"):
            key.chmod(0o600)

    @property
    def variables(self) -> dict[str, Any]:
        return {
            "key_portal_mode": "systemd",
            "key_portal_dir": str(self.directory),
            "key_portal_software_dir": str(self.software),
            "key_portal_user": USERS["portal"],
            "key_portal_worker_user": USERS["worker"],
            "key_portal_group": GROUP,
            "key_portal_port": 0,
            "key_portal_interval": "1h",
            "__key_portal_unit_dir": str(self.folder),
            "__key_portal_journald_dir": str(self.folder),
        }

    def pids(self) -> dict[str, int]:
        found: dict[str, int] = control(self.directory, "status")["pids"]
        return found


@pytest.fixture
def machine() -> Iterator[Machine]:
    with machine_folder("litellm-key-portal-test-") as folder:
        made = Machine(folder)
        try:
            yield made
        finally:
            made.stop_all(UNITS[::-1])


READ_AS_USER = """
import os, pwd, sys
user, group, secret = sys.argv[1:]
os.setgroups([])
os.setgid(int(group))
os.setuid(pwd.getpwnam(user).pw_uid)
for path in sys.stdin.read().splitlines():
    try:
        if secret.encode() in open(path, "rb").read():
            print(path)
    except OSError:
        pass
"""


def found_as_user(user: str, group: str, secret: str, paths: list[str]) -> list[str]:
    """Return which of the files a user, in this group alone, can read and finds the secret in."""
    command = [system_python(), "-c", READ_AS_USER, user, group, secret]
    return subprocess.run(command, input="\n".join(paths), capture_output=True, text=True, check=True).stdout.split()


class PortalLife(RoleLife[Machine]):
    """One portal and its worker run by units."""

    playbook_name = "portal"

    def __init__(self, machine: Machine, playbook: Playbooks, gateway: Gateway, server: Server) -> None:
        self.gateway, self.server = gateway, server
        variables = {
            **machine.variables,
            "key_portal_public_url": "https://localhost",
            "key_portal_tls_certificate_file": str(machine.tls / "server.crt"),
            "key_portal_tls_key_file": str(machine.tls / "server.key"),
            "key_portal_sealed_delivery": False,
            "key_portal_smtp_host": server.host,
            "key_portal_smtp_port": server.port,
            "key_portal_smtp_use_tls": "none",
            "key_portal_smtp_user": "portal",
            "key_portal_smtp_password": MAIL_USERS["portal"],
            "gateway": False,
            "litellm_url": gateway.url,
            "litellm_master_key": gateway.master_key,
            "litellm_derivation_secret": DERIVATION,
            "portal_worker": {
                "key_requests_rules": [{"name": "allowlist", "config": {"list": [MODEL]}}],
                "key_delivery_smtp_user": "worker",
                "key_delivery_smtp_password": MAIL_USERS["worker"],
            },
        }
        super().__init__(machine, playbook, variables)

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        url = control(self.machine.directory, "status")["url"]
        return requests.request(method, url + path, timeout=10, verify=str(self.machine.tls / "ca.crt"), **options)

    def check_mode_reports_changes_and_makes_none(self) -> None:
        assert self.run("--check").changed > 0
        assert list(self.machine.folder.iterdir()) == [] and not self.machine.directory.exists()

    def starts_as_two_users(self) -> None:
        link_folders(SOFTWARE, self.machine.software)
        assert self.run("-vvvv", "--diff").changed > 0
        SOFTWARE.mkdir(parents=True, exist_ok=True)
        link_folders(self.machine.software, SOFTWARE)
        self.pids = self.machine.pids()
        for service, pid in self.pids.items():
            assert Path(f"/proc/{pid}").owner() == USERS[service]
        assert self.call("GET", "/health").json()["components"]["store"]["status"] == "up"

    def a_request_becomes_a_key(self) -> None:
        assert self.call("POST", "/api/request-key", json={"llm": MODEL, "email": "ann@example.com"}).json()["success"]
        (mail,) = eventually(lambda: self.server.mailbox.of("ann@example.com"))
        assert self.gateway.chat(next(word for word in mail.part("plain").split() if word.startswith("sk-")), MODEL).ok

    def the_portals_user_cannot_read_what_is_the_workers(self) -> None:
        """As that user, with the group of both units, and by the modes of all files."""
        places = [self.machine.directory, self.machine.state]
        paths = [str(path) for place in places for path in place.rglob("*") if path.is_file()]
        paths += [f"/proc/{self.pids['worker']}/{name}" for name in ("environ", "cmdline")]
        group = str((self.machine.directory / "requests").stat().st_gid)
        for secret in (self.gateway.master_key, DERIVATION, MAIL_USERS["worker"]):
            assert found_as_user("root", "0", secret, paths), "the worker's secrets are somewhere"
            assert found_as_user(USERS["worker"], group, secret, paths) and not found_as_user(USERS["portal"], group, secret, paths)
        assert found_as_user(USERS["portal"], group, MAIL_USERS["portal"], paths)
        folder = self.machine.directory
        for file in (folder / "secrets", *(folder / "secrets").iterdir(), folder / "portal.json", folder / "port"):
            assert (file.owner(), stat.S_IMODE(file.stat().st_mode) & 0o077) == ("root", 0), file
        for service, user in USERS.items():
            for kind in ("home", "run"):
                path = folder / kind / service
                assert (path.owner(), stat.S_IMODE(path.stat().st_mode)) == (user, 0o700)
        assert stat.S_IMODE((folder / "requests").stat().st_mode) == 0o2770

    def no_secret_is_in_units_output_or_arguments(self) -> None:
        texts = ["".join(self.outputs), *(file.read_text() for file in self.machine.folder.iterdir() if file.is_file())]
        texts += [Path(f"/proc/{pid}/cmdline").read_text() for pid in self.pids.values()]
        names = ("admin_password", "session_secret")
        generated = [(self.machine.directory / "secrets" / name).read_text() for name in names]
        for secret in (*generated, self.gateway.master_key, DERIVATION, *MAIL_USERS.values()):
            assert [text[:200] for text in texts if secret in text] == []

    def the_units_start_again_after_a_power_failure(self) -> None:
        for service in self.pids:
            kill_leftovers(self.machine.directory / "run" / service / "lock")
        self.machine.lose_power()
        self.machine.systemctl("boot")
        assert self.call("GET", "/api/models").ok
        self.pids = self.machine.pids()

    def a_renewed_certificate_restarts_the_portal_alone(self) -> None:
        cluster.make_certificates(self.machine.tls)
        assert self.run().changed > 0
        assert self.call("GET", "/api/models").ok, "by the new authority"
        pids = self.machine.pids()
        assert pids["portal"] != self.pids["portal"] and pids["worker"] == self.pids["worker"]
        self.pids = pids

    def stopped_also_means_not_started_at_boot(self) -> None:
        assert self.run(key_portal_state="stopped").changed > 0
        assert not any(self.machine.pids().values()) and not any(is_alive(pid) for pid in self.pids.values())
        assert list((self.machine.folder / "multi-user.target.wants").iterdir()) == []
        assert self.run(key_portal_state="stopped").changed == 0

    def without_a_worker_there_is_no_unit_of_it(self) -> None:
        assert self.run().changed > 0
        assert self.run(key_portal_worker=False).changed > 0
        assert self.machine.pids()["worker"] is None and not (self.machine.folder / UNITS[1]).exists()
        assert self.run(key_portal_worker=False).changed == 0

    def absent_needs_consent_and_keeps_the_software(self) -> None:
        refused = self.run(check=False, key_portal_state="absent")
        assert "key_portal_delete_data=true" in refused.output and self.machine.pids()["portal"]
        assert self.run(key_portal_state="absent", key_portal_delete_data=True).changed > 0
        assert not self.machine.directory.exists()
        assert [path.name for path in self.machine.folder.iterdir()] == ["multi-user.target.wants"]
        assert self.run(key_portal_state="absent").changed == 0


def test_its_whole_life(machine: Machine, playbook: Playbooks, gateway: Gateway, smtp: SmtpFactory) -> None:
    life = PortalLife(machine, playbook, gateway, smtp(tls="none", users=MAIL_USERS))
    life.check_mode_reports_changes_and_makes_none()
    life.starts_as_two_users()
    life.a_request_becomes_a_key()
    life.the_portals_user_cannot_read_what_is_the_workers()
    life.no_secret_is_in_units_output_or_arguments()
    life.the_units_start_again_after_a_power_failure()
    life.a_second_run_changes_nothing()
    life.a_renewed_certificate_restarts_the_portal_alone()
    life.stopped_also_means_not_started_at_boot()
    life.without_a_worker_there_is_no_unit_of_it()
    life.absent_needs_consent_and_keeps_the_software()


@IN_COLD_RUNS
def test_from_embedded_to_systemd_and_no_way_back(machine: Machine, playbook: Playbooks) -> None:
    """Requests, secrets and the address stay. The way back is refused, and names what to do."""
    link_folders(SOFTWARE, machine.software)
    variables = {
        **machine.variables,
        "gateway": False,
        "key_portal_worker": False,
        "litellm_url": "http://127.0.0.1:1",
        "litellm_master_key": "sk-0123456789-01",
    }
    secrets = [machine.directory / "secrets" / name for name in ("admin_password", "session_secret")]

    def seen() -> tuple[Any, ...]:
        url = control(machine.directory, "status")["url"]
        answer = requests.get(f"{url}/api/admin/requests?filter=all", auth=("admin", secrets[0].read_text()), timeout=10)
        return url, [path.read_text() for path in secrets], [entry["email"] for entry in answer.json()]

    playbook("portal", {**variables, "key_portal_mode": "embedded"}, environment=machine.environment)
    url, former = control(machine.directory, "status")["url"], machine.pids()["portal"]
    assert requests.post(f"{url}/api/request-key", json={"llm": MODEL, "email": "ann@example.com"}, timeout=10).json()["success"]
    before = seen()
    playbook("portal", variables, environment=machine.environment)
    assert seen() == before and not is_alive(former) and Path(f"/proc/{machine.pids()['portal']}").owner() == USERS["portal"]
    assert requests.post(f"{url}/api/request-key", json={"llm": MODEL, "email": "bob@example.com"}, timeout=10).json()["success"]
    pids, kept = machine.pids(), seen()
    for _number in range(2):
        refused = playbook("portal", {**variables, "key_portal_mode": "embedded"}, check=False, environment=machine.environment)
        assert "set key_portal_mode=systemd, or another key_portal_dir" in " ".join(refused.output.split()) and refused.changed == 0
        assert (machine.pids(), seen()) == (pids, kept)


@needs_systemd_analyze
@pytest.mark.parametrize("port", [8443, 443])
def test_systemd_accepts_the_units(tmp_path: Path, playbook: Playbooks, port: int) -> None:
    variables = {
        "key_portal_dir": "/var/lib/litellm-key-portal",
        "key_portal_port": port,
        "key_portal_user": USERS["portal"],
        "key_portal_worker_user": USERS["worker"],
        "key_portal_group": GROUP,
        "key_portal_tls_certificate_file": "/etc/pki/portal.crt",
        "key_portal_tls_key_file": "/etc/pki/portal.key",
        "key_portal_smtp_host": "mail.example.com",
        "key_portal_smtp_user": "portal",
        "key_portal_smtp_password": MAIL_USERS["portal"],
    }
    units = render_units(playbook, tmp_path, "key_portal", variables)
    check_units([units / name for name in UNITS], worst=1.5 if port == 8443 else 1.7)
    portal, worker = ((units / name).read_text() for name in UNITS)
    assert "LoadCredential=tls_key:/etc/pki/portal.key\n" in portal and "worker_variables" not in portal
    assert "LoadCredential=worker_variables:/var/lib/litellm-key-portal/secrets/worker_variables\n" in worker and "tls_key" not in worker
    assert MAIL_USERS["portal"] not in portal + worker
    assert ("AmbientCapabilities=CAP_NET_BIND_SERVICE" in portal) == (port == 443) and "CAP_NET" not in worker


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"key_portal_worker_user": USERS["portal"]}, "give two users, because the portal"),
        ({"key_portal_user": "root"}, "must be unprivileged users"),
        ({"key_portal_group": "root"}, "key_portal_group must be a group"),
        ({"key_portal_requests_dir": "/tmp/requests"}, "must lie where units can reach them"),
    ],
)
def test_what_units_cannot_be_is_refused_before_anything_is_changed(machine: Machine, playbook: Playbooks, more: dict[str, Any], said: str) -> None:
    run = playbook("portal", {**machine.variables, **NO_GATEWAY, **more}, check=False, environment=machine.environment)
    assert said in " ".join(run.output.split()) and run.changed == 0
    assert not machine.directory.exists() and list(machine.folder.iterdir()) == []


def test_a_machine_without_systemd_is_refused(playbook: Playbooks, tmp_path: Path) -> None:
    run = playbook("portal", {"key_portal_mode": "systemd", **NO_GATEWAY}, check=False, environment=environment_without_systemd(tmp_path))
    assert "systemd does not run this machine: take key_portal_mode=embedded here" in run.output
