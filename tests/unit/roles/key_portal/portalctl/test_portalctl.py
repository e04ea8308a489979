# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The control program: which change restarts which service, and what units see of the directory."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portalctl import commands, ports
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portalctl.files import GatewayError
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portalctl.services import Portal

Configure = Callable[..., Path]


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    """Write a directory as the role does, and return it."""
    directory = tmp_path / "portal"
    files = {"portal": {"config.yaml": "config.yaml", "tls_certificate": "crt", "tls_key": "key"}, "worker": {"worker_variables": "secrets/worker_variables"}}

    def write(**more: Any) -> Path:
        (directory / "secrets").mkdir(parents=True, exist_ok=True)
        for service in ("portal", "worker"):
            (directory / "home" / service).mkdir(parents=True, exist_ok=True)
        for name in ("config.yaml", "crt", "key", "secrets/worker_variables", "secrets/admin_password", "secrets/session_secret"):
            if not (directory / name).exists():
                (directory / name).write_text(name)
        (directory / "secrets" / "portal_environment").write_text('{"SMTP_HOST": "mail.example.com"}')
        (directory / "port").write_text("8443")
        settings = {
            "host": "127.0.0.1",
            "port": 8443,
            "software": str(directory / "software"),
            "start_timeout": 5,
            "portal_environment": {"ADMIN_USERNAME": "admin"},
            "worker": {"command": ["python", "-m", "ansible"], "environment": {}, "report": str(directory / "report"), "code": "1"},
            "files": {service: {name: str(directory / path) for name, path in found.items()} for service, found in files.items()},
            "units": {},
            **more,
        }
        (directory / "portal.json").write_text(json.dumps(settings))
        return directory

    return write


def fingerprints(directory: Path) -> list[str]:
    return [service.fingerprint for service in Portal(directory).services(None)]


@pytest.mark.parametrize(
    ("name", "restarted"), [("config.yaml", [True, False]), ("crt", [True, False]), ("key", [True, False]), ("secrets/worker_variables", [False, True])]
)
def test_another_content_of_a_file_restarts_the_service_that_reads_it(configure: Configure, name: str, restarted: list[bool]) -> None:
    before = fingerprints(configure())
    (configure() / name).write_text("another content")
    assert [one != other for one, other in zip(before, fingerprints(configure()), strict=True)] == restarted


def test_stopping_needs_none_of_the_files(configure: Configure) -> None:
    """A certificate may have vanished since the start."""
    directory = configure()
    (directory / "crt").unlink()
    assert commands.execute([str(directory), "stop"])["changed"] is False


def test_the_portals_environment_names_its_files(configure: Configure) -> None:
    directory = configure()
    portal, worker = Portal(directory).services(None)
    assert portal.environment.items() >= {
        ("CONFIG_FILE", str(directory / "config.yaml")),
        ("PORTAL_TLS_CERTIFICATE_FILE", str(directory / "crt")),
        ("PORTAL_TLS_KEY_FILE", str(directory / "key")),
        ("SMTP_HOST", "mail.example.com"),
    }
    assert f"@{directory}/secrets/worker_variables" in worker.command
    assert Portal(directory).url == "https://127.0.0.1:8443"


def test_a_unit_and_root_agree_on_what_runs(configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit cannot read the directory, only its credentials, and those have another path after each start."""
    directory = configure(units={"portal": "digest", "worker": "digest"})
    seen_by_root = fingerprints(directory)
    for number, (service, names) in enumerate(
        (
            ("portal", ["portal.json", "port", "config.yaml", "secrets/admin_password", "secrets/session_secret", "secrets/portal_environment"]),
            ("worker", ["portal.json", "secrets/worker_variables"]),
        )
    ):
        credentials = tmp_path / f"credentials-{number}"
        credentials.mkdir()
        for name in names:
            (credentials / Path(name).name).write_bytes((directory / name).read_bytes())
        if service == "portal":
            (credentials / "tls_certificate").write_text("crt")
            (credentials / "tls_key").write_text("key")
        hidden = {name: (directory / name).read_bytes() for name in (*names, "crt", "key")}
        for name in hidden:
            (directory / name).unlink()
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
        assert commands.execute([str(directory), "prepare", "--only", service]) == {"changed": True}
        (found,) = Portal(directory).services(service)
        assert found.fingerprint == seen_by_root[number]
        for name in Portal(directory).directory.files(service):
            link = directory / "home" / service / name
            assert link.readlink() == credentials / name and link.read_bytes()
        for name, content in hidden.items():
            (directory / name).write_bytes(content)


def test_services_of_systemd_are_started_by_systemctl_only(configure: Configure) -> None:
    directory = configure(units={"portal": "digest"})
    with pytest.raises(GatewayError, match="use systemctl start"):
        commands.execute([str(directory), "start"])
    assert commands.execute([str(directory), "start", "--check"])["changed"]


@pytest.mark.parametrize("command", ["start", "init"])
def test_a_port_that_is_in_use_leaves_the_portal_its_own(configure: Configure, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setattr(ports, "WAIT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as other:
        directory = configure(port=other.getsockname()[1])
        with pytest.raises(GatewayError, match="set key_portal_port to another port"):
            commands.execute([str(directory), command])
    assert (directory / "port").read_text() == "8443"


def test_another_unit_asks_for_a_restart(configure: Configure) -> None:
    before = fingerprints(configure(units={"portal": "digest", "worker": "digest"}))
    after = fingerprints(configure(units={"portal": "other", "worker": "digest"}))
    assert before[0] != after[0] and before[1] == after[1]


def test_commands_of_units_want_one_service(configure: Configure, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        commands.execute([str(configure()), "run"])
    assert "run wants --only" in capsys.readouterr().err


def test_a_directory_without_a_portal_is_named(tmp_path: Path) -> None:
    assert commands.main([str(tmp_path), "status"]) == f"{tmp_path} holds no portal: run the role key_portal with key_portal_state=started"
