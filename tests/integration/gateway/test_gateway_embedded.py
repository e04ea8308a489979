# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The role litellm_gateway in its embedded mode: what it leaves on the machine, and its life from start to removal."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible import installation
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.other_user import PYTHON_NAME, OtherUser, python_of_everybody
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import COLLECTION, PlaybookRun, Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import (
    GATEWAY_SOFTWARE,
    IN_COLD_RUNS,
    MOCK_MODELS,
    Gateway,
    GatewayFolder,
    gatewayctl,
    linked_software,
)
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.processes import is_alive
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.tls import TlsProvider

ROLE = Path(__file__).parents[3] / "roles" / "litellm_gateway"


def secrets_of(directory: Path) -> list[str]:
    """Return the secrets of a gateway, which no output may show."""
    files = (directory / "secrets").glob("*_*")
    found = [file.read_text() for file in files]
    assert len(found) == 4, found
    return [secret.rpartition("@")[0].rpartition(":")[2] if "://" in secret else secret for secret in found]


def assert_hidden(secrets: list[str], text: str) -> None:
    for secret in secrets:
        assert len(secret) > 10
        assert secret not in text


@pytest.fixture
def own(gateway_folder: Path, unique: str) -> Iterator[dict[str, Any]]:
    """Return the variables of a gateway for this test alone, and stop it afterwards."""
    directory = gateway_folder / unique
    yield {
        "litellm_gateway_dir": str(directory),
        "litellm_gateway_software_dir": str(GATEWAY_SOFTWARE),
        "litellm_gateway_postgres_settings": {"fsync": "off"},
    }
    if (directory / "gatewayctl").exists():
        gatewayctl(directory, "stop")


def install_former_control_program(directory: Path) -> None:
    """Put the control program into a single file, as an earlier release did, next to the copy of another release."""
    former = (directory / "gatewayctl").resolve().rename(directory / "control" / "gatewayctl-of-another-release")
    (directory / "gatewayctl").unlink()
    (directory / "gatewayctl.py").write_text(f"import runpy\nrunpy.run_path({str(former)!r}, run_name='__main__')\n")


# ---------------------------------------------------------------------------------------------------- the control program
PROVIDE_CONTROL_PROGRAM = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.setup:
        gather_subset: ["!all", "!min", env, python, user]
    - ansible.builtin.include_role:
        name: rhpds.litellm_virtual_keys.litellm_gateway
        tasks_from: common/control_program
"""


def modes_of_control_program(directory: Path) -> tuple[set[int], set[int]]:
    """Return the modes of its folders and of its files."""
    program = (directory / "gatewayctl").resolve()
    folders, files = (program, program.parent), program.iterdir()
    return tuple({stat.S_IMODE(path.stat().st_mode) for path in paths} for paths in (folders, files))  # type: ignore[return-value]


def test_the_control_program_is_repaired_and_only_another_mode_of_the_role_opens_it_to_others(playbook: Playbooks, tmp_path: Path) -> None:
    play, directory = tmp_path / "play.yml", tmp_path / "gateway"
    play.write_text(PROVIDE_CONTROL_PROGRAM)
    directory.mkdir()

    def run(*arguments: str, **more: str) -> PlaybookRun:
        return playbook(play, {"litellm_gateway_dir": str(directory), **more}, *arguments)

    assert run().changed > 0
    assert modes_of_control_program(directory) == ({0o700}, {0o600})
    program = (directory / "gatewayctl").resolve()
    before = {path.name: path.read_bytes() for path in program.iterdir()}
    (program / "commands.py").write_text("import nothing\n")
    (program / "locks.py").unlink()
    assert run("--check").changed == 1
    assert run().changed == 1
    assert {path.name: path.read_bytes() for path in program.iterdir()} == before
    assert run(litellm_gateway_mode="systemd").changed > 0
    assert modes_of_control_program(directory) == ({0o755}, {0o644})
    assert run().changed > 0
    assert modes_of_control_program(directory) == ({0o700}, {0o600})


# ---------------------------------------------------------------------------------------------------- a running gateway
def test_every_file_of_the_query_engine_counts_as_software(playbook: Playbooks, tmp_path: Path) -> None:
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {"role_path": str(ROLE), "litellm_gateway_requirements_file": ""},
        "vars_files": [str(ROLE / "vars" / "main.yml")],
        "tasks": [{"ansible.builtin.debug": {"var": "__litellm_gateway_sources"}}],
    }
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    output = playbook(tmp_path / "play.yml").output
    files = [path for path in (ROLE / "files" / "query-engine").rglob("*") if path.is_file()]
    assert not [path for path in [*files, ROLE / "files" / "requirements.txt", ROLE / "files" / "serve_litellm.py"] if f'"{path}"' not in output]


def test_the_mock_models_answer(gateway: Gateway) -> None:
    assert sorted(model["id"] for model in gateway.get("/models")["data"]) == sorted(MOCK_MODELS)
    for model in MOCK_MODELS:
        answer = gateway.chat(gateway.master_key, model)
        assert "mock answer" in answer.json()["choices"][0]["message"]["content"]


def test_its_database_client_has_no_types_for_nested_tables(gateway: Gateway) -> None:
    """See common/install.yml, which leaves them out."""
    described = re.findall(r"^class (?:FindMany)?(\w+)(?:Include|Args)From(\w+)\(", (gateway.software / "prisma" / "types.py").read_text(), re.MULTILINE)
    assert ("LiteLLM_TeamTable", "LiteLLM_TeamTable") in described
    assert {one for one, other in described if one != other} == set()


def test_nobody_else_can_read_its_files(gateway: Gateway) -> None:
    inspected = 0
    for path in gateway.dir.rglob("*"):
        if path.is_symlink() or any(part.startswith("server-") for part in path.parts):
            continue  # the programs of PostgreSQL
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except FileNotFoundError:
            continue  # PostgreSQL has removed it meanwhile
        inspected += 1
        assert mode & 0o077 == 0, f"{path} has mode {mode:o}"
    assert inspected > 20


def test_postgres_is_not_root(gateway: Gateway) -> None:
    assert Path(f"/proc/{gateway.connection['pids']['postgres']}").stat().st_uid != 0


def test_no_secret_is_on_a_command_line(gateway: Gateway) -> None:
    lines = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            lines.append((process / "cmdline").read_text(errors="replace"))
    assert any(str(gateway.dir) in line for line in lines)
    assert_hidden(secrets_of(gateway.dir), "\n".join(lines))


def test_the_database_accepts_nothing_but_its_password(gateway: Gateway) -> None:
    with psycopg.connect(gateway.database_url) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
        assert connection.execute("SHOW unix_socket_directories").fetchone() == ("",)
        rules = connection.execute("SELECT DISTINCT auth_method FROM pg_hba_file_rules").fetchall()
        assert rules == [("scram-sha-256",)]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(re.sub(r":[^:@]+@", ":wrong@", gateway.database_url))


def test_it_survives_a_restart_of_its_database(gateway: Gateway, unique: str) -> None:
    pid = gateway.connection["pids"]["litellm"]
    gateway.stop_postgres()
    try:
        assert gateway.request("GET", "/key/list").status_code >= 500
    finally:
        gateway.start_postgres()
    assert gateway.connection["pids"]["litellm"] == pid, "LiteLLM was restarted instead of reconnecting"
    key = gateway.post("/key/generate", key_alias=unique)["key"]
    assert gateway.chat(key).ok
    gateway.post("/key/delete", key_aliases=[unique])


# ------------------------------------------------------------------------------------------------------------- its life
PROVIDER_KEY, ENVIRONMENT_SECRET = "sk-provider-0123456789", "env-0123456789-secret"
"""A secret in the models and one in the environment; no output may show them."""


class GatewayLife:
    """One gateway from its first start to its removal. Each step goes on where the one before it ended."""

    def __init__(self, variables: dict[str, Any], playbook: Playbooks, provider: TlsProvider) -> None:
        real = {"model": "openai/real", "api_key": PROVIDER_KEY, "api_base": provider.url, "max_retries": 0}
        self.variables = {
            **variables,
            "litellm_gateway_models": [{"model_name": "real", "litellm_params": real}],
            "litellm_gateway_backups_keep": 1,
            "litellm_gateway_environment": {"SOME_API_KEY": ENVIRONMENT_SECRET},
        }
        self.playbook, self.ca_dir = playbook, str(provider.ca_dir)
        self.directory = Path(variables["litellm_gateway_dir"])
        self.gateway: Gateway
        self.first: dict[str, Any]
        """The connection after the first start."""
        self.key: str
        """A virtual key made after the first start; it works until the end."""

    def run(self, *arguments: str, check: bool = True, **more: Any) -> PlaybookRun:
        return self.playbook("gateway", {**self.variables, **more}, *arguments, check=check)

    @property
    def pids(self) -> dict[str, int]:
        found: dict[str, int] = self.gateway.connection["pids"]
        return found

    def starts_without_printing_a_secret(self) -> None:
        run = self.run("-vvv", "--diff")
        assert run.changed > 0
        assert_hidden([*secrets_of(self.directory), PROVIDER_KEY, ENVIRONMENT_SECRET], run.output)
        self.gateway = Gateway(self.directory)
        self.first = self.gateway.connection
        assert sorted(model["id"] for model in self.gateway.get("/models")["data"]) == sorted([*MOCK_MODELS, "real"])
        self.key = self.gateway.post("/key/generate", key_alias="mine")["key"]
        assert "Connection error" in self.gateway.chat(self.key, "real").text  # LiteLLM does not know the authority

    def a_second_run_changes_nothing(self) -> None:
        assert self.run().changed == 0
        assert self.run("--check").changed == 0
        assert self.gateway.connection == self.first

    def another_configuration_restarts_litellm_alone(self) -> None:
        self.variables |= {"litellm_gateway_mock_models": ["new-model"], "litellm_gateway_ca_dir": self.ca_dir}
        assert self.run("--check").changed > 0
        assert self.gateway.connection == self.first
        run = self.run("-vvv", "--diff")
        assert_hidden([*secrets_of(self.directory), PROVIDER_KEY, ENVIRONMENT_SECRET, self.key], run.output)
        assert self.pids["postgres"] == self.first["pids"]["postgres"]
        assert self.pids["litellm"] != self.first["pids"]["litellm"]
        assert not is_alive(self.first["pids"]["litellm"])
        assert {name: self.gateway.connection[name] for name in ("url", "master_key", "database_url")} == {
            name: self.first[name] for name in ("url", "master_key", "database_url")
        }
        assert self.gateway.chat(self.key, "new-model").ok
        assert self.gateway.chat(self.key, "real").json()["choices"][0]["message"]["content"] == "Spoken over TLS."

    def stops_under_the_control_program_of_an_earlier_release(self) -> None:
        install_former_control_program(self.directory)
        pids = self.pids
        assert self.run("--check", litellm_gateway_state="stopped").changed > 0
        assert is_alive(pids["litellm"])
        assert self.run(litellm_gateway_state="stopped").changed > 0
        assert not is_alive(pids["litellm"])
        assert not is_alive(pids["postgres"])
        assert self.run(litellm_gateway_state="stopped").changed == 0

    def another_salt_key_is_refused(self) -> None:
        run = self.run(check=False, litellm_gateway_salt_key="another")
        assert run.count("failed") == 1
        assert "litellm_gateway_salt_key differs" in run.output

    def other_software_starts_after_a_backup(self) -> Path:
        """Start other software with more workers, and return the backup that is written before its migration."""
        installed, upgraded = self.gateway.software, self.directory / "litellm-next"
        upgraded.symlink_to(installed)
        self.variables |= {"litellm_gateway_workers": 2, "__litellm_gateway_software": str(upgraded)}
        assert self.run("--check").changed > 0
        assert list((self.directory / "backups").iterdir()) == []
        self.run()
        assert not (self.directory / "gatewayctl.py").exists()
        assert [path.name for path in (self.directory / "control").iterdir()] == [(self.directory / "gatewayctl").resolve().name]
        self.keeps_its_place_and_its_keys()
        (backup,) = (self.directory / "backups").iterdir()
        assert re.fullmatch(rf"upgrade-\d{{8}}T\d{{6}}Z\.{installed.name}\.dump", backup.name)
        assert stat.S_IMODE(backup.stat().st_mode) == 0o600
        return backup

    def keeps_its_place_and_its_keys(self) -> None:
        assert {**self.gateway.connection, "pids": None} == {**self.first, "pids": None}
        assert self.gateway.chat(self.key, "new-model").ok

    def restores_a_backup_after_it_was_killed(self, backup: Path) -> str:
        """Kill the gateway, whose orphaned workers must not keep the port, and restore `backup`. Return a key made after that backup."""
        late: str = self.gateway.post("/key/generate", key_alias="late")["key"]
        for pid in self.pids.values():
            os.kill(pid, signal.SIGKILL)
        gatewayctl(self.directory, "restore", str(backup))
        assert gatewayctl(self.directory, "status")["pids"]["litellm"] is None
        return late

    def recovers_from_an_interrupted_migration(self, backup: Path, late: str) -> None:
        """The restored database belongs to the former software, so the start writes a newer backup, which replaces `backup`."""
        self.variables["litellm_gateway_workers"] = 1
        with psycopg.connect(self.gateway.database_url) as connection:
            connection.execute("INSERT INTO _prisma_migrations (id, checksum, migration_name) VALUES ('x', 'x', '99990101000000_interrupted')")
        os.kill(self.pids["postgres"], signal.SIGKILL)
        assert self.run().changed > 0
        self.keeps_its_place_and_its_keys()
        assert self.gateway.chat(late, "new-model").status_code == 401
        (newer,) = (self.directory / "backups").iterdir()
        assert newer.name > backup.name

    def absent_needs_consent_to_delete_data(self) -> None:
        self.run()
        run = self.run(check=False, litellm_gateway_state="absent")
        assert "litellm_gateway_delete_data=true" in run.output
        assert self.gateway.chat(self.key, "new-model").ok

    def absent_deletes_only_what_the_role_made(self) -> None:
        pids = self.pids
        (self.directory / "mine.txt").write_text("not the role's")
        absent = {"litellm_gateway_state": "absent", "litellm_gateway_delete_data": "true"}  # a string, as from a command line
        assert self.run("--check", **absent).changed > 0
        assert is_alive(pids["litellm"])
        assert self.run(**absent).changed > 0
        assert not is_alive(pids["litellm"])
        assert not is_alive(pids["postgres"])
        assert [path.name for path in self.directory.iterdir()] == ["mine.txt"]
        assert self.run(**absent).changed == 0


def test_its_whole_life(own: dict[str, Any], playbook: Playbooks, tls_provider: TlsProvider) -> None:
    life = GatewayLife(own, playbook, tls_provider)
    life.starts_without_printing_a_secret()
    life.a_second_run_changes_nothing()
    life.another_configuration_restarts_litellm_alone()
    life.stops_under_the_control_program_of_an_earlier_release()
    life.another_salt_key_is_refused()
    life.absent_needs_consent_to_delete_data()
    life.absent_deletes_only_what_the_role_made()


@IN_COLD_RUNS
def test_it_survives_an_upgrade_a_restore_and_an_interrupted_migration(own: dict[str, Any], playbook: Playbooks, tls_provider: TlsProvider) -> None:
    life = GatewayLife(own, playbook, tls_provider)
    life.starts_without_printing_a_secret()
    life.another_configuration_restarts_litellm_alone()
    install_former_control_program(life.directory)
    backup = life.other_software_starts_after_a_backup()
    late = life.restores_a_backup_after_it_was_killed(backup)
    life.recovers_from_an_interrupted_migration(backup, late)


def test_check_mode_reports_the_first_start(own: dict[str, Any], playbook: Playbooks) -> None:
    """The playbook init consists of serve, and serve of gateway."""
    assert playbook("init", own, "--check").changed > 0
    assert not Path(own["litellm_gateway_dir"]).exists()


def test_check_mode_predicts_a_start_under_the_control_program_of_an_earlier_release(own: dict[str, Any], playbook: Playbooks) -> None:
    directory = Path(own["litellm_gateway_dir"])
    directory.mkdir()
    (directory / "gatewayctl.py").write_text("""print('{"changed": true, "url": null, "pids": {}, "ready": false}')""")
    run = playbook("gateway", own, "--check")
    assert re.search(r"Start LiteLLM [^\n]*\nchanged:", run.output), run.output
    assert [path.name for path in directory.iterdir()] == ["gatewayctl.py"]


def test_the_error_names_a_port_that_is_taken(own: dict[str, Any], playbook: Playbooks) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as stranger, contextlib.closing(socket.create_server(("127.0.0.1", 0))) as another:
        ports = {"litellm_gateway_port": stranger.getsockname()[1], "litellm_gateway_database_port": another.getsockname()[1]}
        run = playbook("gateway", {**own, **ports}, check=False)
        assert run.count("failed") == 1
        assert f"PostgreSQL cannot listen on 127.0.0.1:{ports['litellm_gateway_database_port']} because another program does" in run.output
        assert "litellm_gateway_database_port" in run.output
        another.close()
        directory = Path(own["litellm_gateway_dir"])
        command = [sys.executable, str(directory / "gatewayctl"), str(directory), "start"]
        error = subprocess.run(command, capture_output=True, text=True, check=False).stderr  # which the role passes on, as above
        assert f"LiteLLM cannot listen on 127.0.0.1:{ports['litellm_gateway_port']} because another program does" in error
        assert "litellm_gateway_port" in error
    assert not (directory / "postgres").exists()


def test_a_start_that_takes_too_long_shows_the_log_without_secrets(own: dict[str, Any], playbook: Playbooks) -> None:
    own |= {"litellm_gateway_start_timeout": 2, "litellm_gateway_environment": {"LITELLM_LOG": "DEBUG", "SOME_API_KEY": "env-0123456789-secret"}}
    run = playbook("gateway", own, "-vvv", check=False)
    assert run.count("failed") == 1
    assert "LiteLLM was not ready after 2 seconds and was stopped." in run.output
    directory = Path(own["litellm_gateway_dir"])
    assert "litellm.log" in run.output
    assert_hidden([*secrets_of(directory), "env-0123456789-secret"], run.output)
    assert gatewayctl(directory, "status")["pids"]["litellm"] is None


def test_a_start_that_fails_shows_why(own: dict[str, Any], playbook: Playbooks) -> None:
    own["litellm_gateway_postgres_settings"] = {"shared_buffers": "nonsense"}
    run = playbook("gateway", own, check=False)
    assert "PostgreSQL ended with status 1 while starting" in run.output
    assert 'invalid value for parameter "shared_buffers": "nonsense"' in run.output.replace('\\"', '"')


@pytest.mark.parametrize(
    ("script", "words"),
    [("echo 3.9", "is Python 3.9, and LiteLLM needs Python 3.11 to 3.14"), ("exit 1", "is no Python that can make virtual environments")],
)
def test_a_python_that_litellm_cannot_be_built_with_is_named(own: dict[str, Any], playbook: Playbooks, tmp_path: Path, script: str, words: str) -> None:
    python = tmp_path / "python3.9"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    run = playbook("gateway", {**own, "litellm_gateway_python": str(python), "litellm_gateway_software_dir": str(tmp_path / "software")}, check=False)
    assert f"{python} {words}" in " ".join(run.output.split())
    assert not (tmp_path / "software").exists()


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"litellm_gateway_environment": {"DATABASE_URL": "postgresql://me:hush@db/x"}}, "DATABASE_URL in litellm_gateway_environment (use"),
        ({"litellm_gateway_general_settings": {"master_key": "sk-other"}}, "master_key in litellm_gateway_general_settings (use litellm_gateway_master_key)"),
    ],
)
def test_nothing_takes_litellm_away_from_its_database_and_keys(own: dict[str, Any], playbook: Playbooks, variables: dict[str, Any], words: str) -> None:
    run = playbook("gateway", {**own, **variables}, check=False)
    assert words in run.output
    assert_hidden(["postgresql://me:hush@db"], run.output)
    assert not Path(own["litellm_gateway_dir"]).exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="for root only: others run PostgreSQL as themselves")
def test_an_unreachable_folder_is_reported_to_root(own: dict[str, Any], playbook: Playbooks, gateway_folder: Path, unique: str) -> None:
    closed = gateway_folder / f"closed-{unique}"
    closed.mkdir(mode=0o700)
    run = playbook("gateway", {**own, "litellm_gateway_dir": str(closed / "gateway")}, check=False)
    assert re.search(rf"PostgreSQL runs as the user \w+, who cannot enter {closed}: set litellm_gateway_dir", run.output)


# -------------------------------------------------------------------------------------------------------- a normal user
@pytest.mark.skipif(os.geteuid() != 0, reason="the tests run as a normal user already")
def test_a_normal_user_runs_it(gateway: Gateway, gateway_folder: Path, unique: str) -> None:
    """In cold runs (see installation.py) the user also installs the software, which takes a minute of CPU time."""
    python = python_of_everybody()
    if python is None:
        pytest.skip(f"there is no {PYTHON_NAME} that another user could run")
    folder = gateway_folder / f"user-{unique}"
    root, collection = ROLE.parents[1], Path("ansible_collections", *COLLECTION.split("."))
    nobody = OtherUser("nobody", folder, python, {collection / part: root / part for part in ("roles/litellm_gateway", "playbooks", "plugins")})

    software = {} if installation.COLD else linked_software(gateway.software, folder)

    def run(*arguments: str) -> str:
        return nobody.playbook(f"{COLLECTION}.gateway", "-e", json.dumps(software), *arguments)

    directory = folder / ".local" / "share" / "litellm-gateway"  # the default
    try:
        run()
        own = Gateway(directory)
        key = own.post("/key/generate", key_alias="mine")["key"]
        assert own.chat(key).ok
        for pid in own.connection["pids"].values():
            assert Path(f"/proc/{pid}").stat().st_uid == nobody.user.pw_uid
        assert re.search(r"\bchanged=0\b", run())
        run("-e", "litellm_gateway_state=absent", "-e", "litellm_gateway_delete_data=true")
        assert not directory.exists()
    finally:
        if (directory / "gatewayctl").exists():
            gatewayctl(directory, "stop")
        nobody.close()


def test_a_session_cleans_up_after_a_killed_session(gateway_folder: Path, playbook: Playbooks, unique: str) -> None:
    """The next session stops and deletes whatever a killed session left, so that no shared gateway outlives its tests."""
    sleeper = subprocess.Popen([sys.executable, "-c", "pass"])
    sleeper.wait()
    prefix = f"killed-{GatewayFolder.PREFIX}{unique}-"  # not the prefix of other sessions, which would clean up first
    left_over = gateway_folder.parent / f"{prefix}{sleeper.pid}-{unique}"
    left_over.mkdir(mode=0o711)
    directory = left_over / "gateway"
    variables = {"litellm_gateway_dir": str(directory), "litellm_gateway_software_dir": str(GATEWAY_SOFTWARE), "litellm_gateway_start_timeout": 1}
    playbook("gateway", variables, check=False)  # PostgreSQL runs; LiteLLM is not ready within its second
    pid = gatewayctl(directory, "status")["pids"]["postgres"]
    assert is_alive(pid)
    with GatewayFolder(prefix):
        assert not left_over.exists()
        deadline = time.monotonic() + 5
        while is_alive(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not is_alive(pid)
