# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The role litellm_gateway in its embedded mode: what it leaves on the machine, and its whole life."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import pwd
import re
import shutil
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
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import ANSIBLE_ENVIRONMENT, COLLECTION, Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.warm import runner
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import GATEWAY_SOFTWARE, MOCK_MODELS, Gateway, GatewayHome, gatewayctl
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.tls import TlsProvider

ROLE = Path(__file__).parents[3] / "roles" / "litellm_gateway"


def is_alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def secrets_of(directory: Path) -> list[str]:
    """Every secret of a gateway, as text that must not show anywhere."""
    files = (directory / "secrets").glob("*_*")
    found = [file.read_text() for file in files]
    assert len(found) == 4, found
    return [secret.rpartition("@")[0].rpartition(":")[2] if "://" in secret else secret for secret in found]


def assert_hidden(secrets: list[str], text: str) -> None:
    for secret in secrets:
        assert len(secret) > 10
        assert secret not in text


@pytest.fixture
def own(gateway_home: Path, unique: str) -> Iterator[dict[str, Any]]:
    """Variables of a gateway of this test's own; stopped afterwards."""
    directory = gateway_home / unique
    yield {
        "litellm_gateway_dir": str(directory),
        "litellm_gateway_software_dir": str(GATEWAY_SOFTWARE),
        "litellm_gateway_postgres_settings": {"fsync": "off"},
    }
    if (directory / "gatewayctl").exists():
        gatewayctl(directory, "stop")


def install_former_control_program(directory: Path) -> None:
    """Put the control program into a single file, as an earlier release did, and a copy of another release beside it."""
    former = (directory / "gatewayctl").resolve().rename(directory / "control" / "gatewayctl-of-another-release")
    (directory / "gatewayctl").unlink()
    (directory / "gatewayctl.py").write_text(f"import runpy\nrunpy.run_path({str(former)!r}, run_name='__main__')\n")


# ---------------------------------------------------------------------------------------------------- a running gateway
def test_another_file_of_the_query_engine_is_other_software(playbook: Playbooks, tmp_path: Path) -> None:
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {"role_path": str(ROLE), "litellm_gateway_requirements_file": ""},
        "vars_files": [str(ROLE / "vars" / "main.yml")],
        "tasks": [{"ansible.builtin.debug": {"var": "__litellm_gateway_sources"}}],
    }
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    told = playbook(tmp_path / "play.yml").output
    files = [path for path in (ROLE / "files" / "query-engine").rglob("*") if path.is_file()]
    assert not [path for path in [*files, ROLE / "files" / "requirements.txt", ROLE / "files" / "serve_litellm.py"] if f'"{path}"' not in told]


def test_the_mock_models_answer(gateway: Gateway) -> None:
    assert sorted(model["id"] for model in gateway.get("/models")["data"]) == sorted(MOCK_MODELS)
    for model in MOCK_MODELS:
        answer = gateway.chat(gateway.master_key, model)
        assert "mock answer" in answer.json()["choices"][0]["message"]["content"]


def test_its_database_client_describes_no_table_as_part_of_another(gateway: Gateway) -> None:
    """What common/install.yml leaves out."""
    described = re.findall(r"^class (?:FindMany)?(\w+)(?:Include|Args)From(\w+)\(", (gateway.software / "prisma" / "types.py").read_text(), re.MULTILINE)
    assert ("LiteLLM_TeamTable", "LiteLLM_TeamTable") in described
    assert {one for one, other in described if one != other} == set()


def test_nobody_else_can_read_its_files(gateway: Gateway) -> None:
    inspected = 0
    for path in gateway.dir.rglob("*"):
        if path.is_symlink() or any(part.startswith("server-") for part in path.parts):
            continue  # PostgreSQL's programs
        inspected += 1
        mode = stat.S_IMODE(path.stat().st_mode)
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


def test_the_database_opens_to_its_password_only(gateway: Gateway) -> None:
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
    assert gateway.connection["pids"]["litellm"] == pid, "LiteLLM was restarted where it could have recovered"
    key = gateway.post("/key/generate", key_alias=unique)["key"]
    assert gateway.chat(key).ok
    gateway.post("/key/delete", key_aliases=[unique])


# ------------------------------------------------------------------------------------------------------------- its life
def test_its_whole_life(own: dict[str, Any], playbook: Playbooks, tls_provider: TlsProvider) -> None:
    directory = Path(own["litellm_gateway_dir"])
    provider_key = "sk-provider-0123456789"  # one in the configuration, one in the environment
    real = {"model": "openai/real", "api_key": provider_key, "api_base": tls_provider.url, "max_retries": 0}
    own |= {
        "litellm_gateway_models": [{"model_name": "real", "litellm_params": real}],
        "litellm_gateway_backups_keep": 1,
        "litellm_gateway_environment": {"SOME_API_KEY": "env-0123456789-secret"},
    }

    # Check mode first: it tells of changes and makes none.
    assert playbook("gateway", own, "--check").changed > 0
    assert not directory.exists()

    # Started, told at length: no secret is.
    run = playbook("gateway", own, "-vvv", "--diff")
    assert run.changed > 0
    assert_hidden([*secrets_of(directory), provider_key, "env-0123456789-secret"], run.output)
    gateway = Gateway(directory)
    first = gateway.connection
    assert sorted(model["id"] for model in gateway.get("/models")["data"]) == sorted([*MOCK_MODELS, "real"])
    key = gateway.post("/key/generate", key_alias="mine")["key"]
    assert "Connection error" in gateway.chat(key, "real").text  # LiteLLM does not know the authority

    # Again: nothing to do, and check mode agrees.
    assert playbook("gateway", own).changed == 0
    assert playbook("gateway", own, "--check").changed == 0
    assert gateway.connection == first

    # Another configuration: LiteLLM alone restarts, where it was; check mode says so and does not.
    own |= {"litellm_gateway_mock_models": ["new-model"], "litellm_gateway_ca_dir": str(tls_provider.ca_dir)}
    assert playbook("gateway", own, "--check").changed > 0
    assert gateway.connection == first
    run = playbook("gateway", own, "-vvv", "--diff")
    assert_hidden([*secrets_of(directory), provider_key, "env-0123456789-secret", key], run.output)
    assert gateway.connection["pids"]["postgres"] == first["pids"]["postgres"]
    assert gateway.connection["pids"]["litellm"] != first["pids"]["litellm"]
    assert not is_alive(first["pids"]["litellm"])
    assert {name: gateway.connection[name] for name in ("url", "master_key", "database_url")} == {
        name: first[name] for name in ("url", "master_key", "database_url")
    }
    assert gateway.chat(key, "new-model").ok
    assert gateway.chat(key, "real").json()["choices"][0]["message"]["content"] == "Spoken over TLS."

    # Stopped, and stopped again, by the single file that was the control program of an earlier release.
    install_former_control_program(directory)
    pids = gateway.connection["pids"]
    stopped = {**own, "litellm_gateway_state": "stopped"}
    assert playbook("gateway", stopped, "--check").changed > 0
    assert is_alive(pids["litellm"])
    assert playbook("gateway", stopped).changed > 0
    assert not is_alive(pids["litellm"])
    assert not is_alive(pids["postgres"])
    assert playbook("gateway", stopped).changed == 0

    # Another salt key is refused before anything happens.
    run = playbook("gateway", {**own, "litellm_gateway_salt_key": "another"}, check=False)
    assert run.count("failed") == 1
    assert "litellm_gateway_salt_key differs" in run.output

    # Started once more, from other software and with more workers: the same keys at the same place, and a backup of before.
    installed, upgraded = gateway.software, directory / "litellm-next"
    upgraded.symlink_to(installed)
    own |= {"litellm_gateway_workers": 2, "__litellm_gateway_software": str(upgraded)}
    assert playbook("gateway", own, "--check").changed > 0
    assert list((directory / "backups").iterdir()) == []
    playbook("gateway", own)
    assert not (directory / "gatewayctl.py").exists()
    assert [path.name for path in (directory / "control").iterdir()] == [(directory / "gatewayctl").resolve().name]
    assert {**gateway.connection, "pids": None} == {**first, "pids": None}
    assert gateway.chat(key, "new-model").ok
    (backup,) = (directory / "backups").iterdir()
    assert re.fullmatch(rf"upgrade-\d{{8}}T\d{{6}}Z\.{installed.name}\.dump", backup.name)
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600

    # Killed, its orphaned workers do not keep the port. What came after the backup goes when that is put back.
    late = gateway.post("/key/generate", key_alias="late")["key"]
    for pid in gateway.connection["pids"].values():
        os.kill(pid, signal.SIGKILL)
    gatewayctl(directory, "restore", str(backup))
    assert gatewayctl(directory, "status")["pids"]["litellm"] is None

    # Killed in the middle of a migration, it is put right. The backup fits the software of before, so there is a new one of it.
    own["litellm_gateway_workers"] = 1
    with psycopg.connect(gateway.database_url) as connection:
        connection.execute("INSERT INTO _prisma_migrations (id, checksum, migration_name) VALUES ('x', 'x', '99990101000000_interrupted')")
    os.kill(gateway.connection["pids"]["postgres"], signal.SIGKILL)
    assert playbook("gateway", own).changed > 0
    assert {**gateway.connection, "pids": None} == {**first, "pids": None}
    assert gateway.chat(key, "new-model").ok
    assert gateway.chat(late, "new-model").status_code == 401
    (newer,) = (directory / "backups").iterdir()
    assert newer.name > backup.name

    # Absent wants a word more, and takes only what the role has made.
    absent = {**own, "litellm_gateway_state": "absent"}
    run = playbook("gateway", absent, check=False)
    assert "litellm_gateway_delete_data=true" in run.output
    assert gateway.chat(key, "new-model").ok
    pids = gateway.connection["pids"]
    upgraded.unlink()
    (directory / "mine.txt").write_text("not the role's")
    absent["litellm_gateway_delete_data"] = "true"  # as it comes from a command line
    assert playbook("gateway", absent, "--check").changed > 0
    assert is_alive(pids["litellm"])
    assert playbook("gateway", absent).changed > 0
    assert not is_alive(pids["litellm"])
    assert not is_alive(pids["postgres"])
    assert [path.name for path in directory.iterdir()] == ["mine.txt"]
    assert playbook("gateway", absent).changed == 0


@pytest.mark.parametrize("command", ["init", "serve"])
def test_check_mode_foresees_the_first_start(own: dict[str, Any], playbook: Playbooks, command: str) -> None:
    assert playbook(command, own, "--check").changed > 0
    assert not Path(own["litellm_gateway_dir"]).exists()


def test_a_taken_port_is_named(own: dict[str, Any], playbook: Playbooks) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as stranger, contextlib.closing(socket.create_server(("127.0.0.1", 0))) as another:
        ports = {"litellm_gateway_port": stranger.getsockname()[1], "litellm_gateway_database_port": another.getsockname()[1]}
        run = playbook("gateway", {**own, **ports}, check=False)
        assert run.count("failed") == 1
        assert f"PostgreSQL cannot listen on 127.0.0.1:{ports['litellm_gateway_database_port']} because another program does" in run.output
        assert "litellm_gateway_database_port" in run.output
        another.close()
        run = playbook("gateway", {**own, **ports}, check=False)
        assert run.count("failed") == 1
        assert f"LiteLLM cannot listen on 127.0.0.1:{ports['litellm_gateway_port']} because another program does" in run.output
        assert "litellm_gateway_port" in run.output
    assert not Path(own["litellm_gateway_dir"], "postgres").exists()


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


@pytest.mark.skipif(os.geteuid() != 0, reason="for root only: others run PostgreSQL as themselves")
def test_root_is_told_when_postgres_cannot_reach_its_folder(own: dict[str, Any], playbook: Playbooks, gateway_home: Path, unique: str) -> None:
    closed = gateway_home / f"closed-{unique}"
    closed.mkdir(mode=0o700)
    run = playbook("gateway", {**own, "litellm_gateway_dir": str(closed / "gateway")}, check=False)
    assert re.search(rf"PostgreSQL runs as the user \w+, who cannot enter {closed}: set litellm_gateway_dir", run.output)


# -------------------------------------------------------------------------------------------------------- a normal user
def copy_ansible(folder: Path) -> None:
    """Copy ansible-core and what it needs, to where another user can read it."""
    wanted, seen = ["ansible-core"], set()
    while wanted:
        name = re.split(r"[ \[<>=!~;(]", wanted.pop())[0].lower()
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            distribution = importlib.metadata.distribution(name)
            if name in seen:
                continue
            seen.add(name)
            wanted += [requirement for requirement in distribution.requires or [] if "extra ==" not in requirement]
            for file in distribution.files or []:
                if ".." not in file.parts:
                    target = folder / file
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with contextlib.suppress(FileNotFoundError):  # a compiled file that pip has written down and not made
                        shutil.copy2(str(distribution.locate_file(file)), target)


@pytest.mark.skipif(os.geteuid() != 0, reason="this whole run is by a normal user already")
def test_a_normal_user_runs_it(gateway_home: Path, unique: str) -> None:
    """From nothing: the software is installed by that user too (half a minute)."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    python = shutil.which(version, path="/usr/local/bin:/usr/bin")
    if python is None:
        pytest.skip(f"there is no {version} that another user could run")
    nobody = pwd.getpwnam("nobody")
    home = gateway_home / f"user-{unique}"
    for folder, source in (
        (home / "ansible", None),
        (home / "warm", runner.HERE),
        (home / "ansible_collections" / COLLECTION.replace(".", "/") / "roles" / "litellm_gateway", ROLE),
        (home / "ansible_collections" / COLLECTION.replace(".", "/") / "playbooks", ROLE.parents[1] / "playbooks"),
    ):
        copy_ansible(folder) if source is None else shutil.copytree(source, folder)
    for path in (home, *home.rglob("*")):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)

    environment = {
        **{name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "NODE_", "npm_")) or name.lower().endswith("_proxy")},
        **ANSIBLE_ENVIRONMENT,
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(home),
        "ANSIBLE_REMOTE_TEMP": str(home / "tmp"),  # not in the home that the user database tells
        "PYTHONPATH": str(home / "ansible"),
        "ANSIBLE_COLLECTIONS_PATH": str(home),
    }
    warm = runner.Warm(environment, runner.Owner(nobody, python, home / "warm"))

    def run(*arguments: str) -> str:
        command = ["ansible-playbook", f"{COLLECTION}.gateway", *arguments]
        done = warm.run(command, {**environment, **warm.handing_over(environment)}, home, 900)
        assert done is not None and done.returncode == 0, done and done.stdout
        return done.stdout

    directory = home / ".local" / "share" / "litellm-gateway"  # the default
    try:
        run()
        gateway = Gateway(directory)
        key = gateway.post("/key/generate", key_alias="mine")["key"]
        assert gateway.chat(key).ok
        for pid in gateway.connection["pids"].values():
            assert Path(f"/proc/{pid}").stat().st_uid == nobody.pw_uid
        assert re.search(r"\bchanged=0\b", run())
        run("-e", "litellm_gateway_state=absent", "-e", "litellm_gateway_delete_data=true")
        assert not directory.exists()
    finally:
        if (directory / "gatewayctl").exists():
            gatewayctl(directory, "stop")
        warm.close()


def test_it_ends_with_nothing_left_of_a_killed_session(gateway_home: Path, playbook: Playbooks, unique: str) -> None:
    """What makes the shared gateway's end certain: the next session takes down what a killed one has left."""
    sleeper = subprocess.Popen([sys.executable, "-c", "pass"])
    sleeper.wait()
    prefix = f"killed-{GatewayHome.PREFIX}{unique}-"  # not that of other sessions, which would take it down before us
    left_over = gateway_home.parent / f"{prefix}{sleeper.pid}-{unique}"
    left_over.mkdir(mode=0o711)
    directory = left_over / "gateway"
    variables = {"litellm_gateway_dir": str(directory), "litellm_gateway_software_dir": str(GATEWAY_SOFTWARE), "litellm_gateway_start_timeout": 1}
    playbook("gateway", variables, check=False)  # PostgreSQL runs, LiteLLM could not
    pid = gatewayctl(directory, "status")["pids"]["postgres"]
    assert is_alive(pid)
    with GatewayHome(prefix):
        assert not left_over.exists()
        deadline = time.monotonic() + 5
        while is_alive(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not is_alive(pid)
