# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The control program of the role litellm_gateway, with small programs in place of LiteLLM and PostgreSQL."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import json
import os
import pwd
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[4] / "roles" / "litellm_gateway" / "files" / "gatewayctl" / "__main__.py"


def load() -> ModuleType:
    specification = importlib.util.spec_from_file_location("gatewayctl", PROGRAM)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    sys.modules["gatewayctl"] = module  # dataclasses look there
    specification.loader.exec_module(module)
    return module


gatewayctl = load()

READY = "import pathlib, time; pathlib.Path('ready').touch(); time.sleep(60)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {READY}"


@pytest.fixture(autouse=True)
def little_patience_with_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gatewayctl, "PORT_SECONDS", 0.5)
    monkeypatch.setattr(gatewayctl, "OWN_PORT_SECONDS", 1.5)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Any]:
    """A service that is ready as soon as it runs; whatever becomes of it, it ends with the test."""

    def is_ready(pid: int) -> bool:
        return (tmp_path / "ready").exists()

    service = gatewayctl.Service(
        title="Sleeper",
        command=[sys.executable, "-c", READY],
        environment={"PATH": os.environ["PATH"], "TOKEN": "very-secret-value"},
        configuration=b"",
        log=tmp_path / "sleeper.log",
        lock=tmp_path / "sleeper.lock",
        host="127.0.0.1",
        port=gatewayctl.free_port("127.0.0.1", ()),
        port_variable="sleeper_port",
        is_ready=is_ready,
        start_seconds=10,
        stop_signal=signal.SIGTERM,
        working_directory=tmp_path,
        user=None,
    )
    yield service
    record = gatewayctl.holder(service.lock)
    if record and gatewayctl.has_open(record["pid"], service.lock):
        os.kill(record["pid"], signal.SIGKILL)


def with_code(service: Any, code: str, **changes: Any) -> Any:
    return dataclasses.replace(service, command=[sys.executable, "-c", code], **changes)


# --------------------------------------------------------------------------------------------------------------- a service
def test_a_service_runs_until_stopped(service: Any) -> None:
    assert not service.is_current()
    service.start()
    record = gatewayctl.holder(service.lock)
    assert record == {"pid": record["pid"], "port": service.port, "fingerprint": service.fingerprint}
    assert os.getsid(record["pid"]) == record["pid"], "it would end with the terminal that it was started from"
    assert service.is_current()
    service.stop()
    assert gatewayctl.holder(service.lock) is None
    with pytest.raises(ProcessLookupError):
        os.kill(record["pid"], 0) if os.waitpid(record["pid"], 0) else None
    service.stop()  # nothing more to do


def test_its_files_are_private(service: Any, tmp_path: Path) -> None:
    service.start()
    for name in ("sleeper.log", "sleeper.lock", "ready"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) & 0o077 == 0, name


@pytest.mark.parametrize(
    "change",
    [{"command": ["another"]}, {"environment": {"TOKEN": "another"}}, {"configuration": b"another"}],
    ids=lambda change: next(iter(change)),
)
def test_any_change_asks_for_a_restart(service: Any, change: dict[str, Any]) -> None:
    service.start()
    assert not dataclasses.replace(service, **change).is_current()


def test_a_service_that_is_unready_for_a_moment_is_waited_for(service: Any, tmp_path: Path) -> None:
    service.start()
    (tmp_path / "ready").unlink()
    assert not service.is_current()
    subprocess.Popen([sys.executable, "-c", "import pathlib, time; time.sleep(0.5); pathlib.Path('ready').touch()"], cwd=tmp_path)
    assert service.is_current(patience=10)


def test_one_that_does_not_listen_to_reason_is_killed(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gatewayctl, "STOP_SECONDS", 0.5)
    stubborn = with_code(service, STUBBORN)
    stubborn.start()
    stubborn.stop()
    assert gatewayctl.holder(service.lock) is None


def test_one_that_ends_while_starting_is_told_with_its_last_words(service: Any) -> None:
    failing = with_code(service, "import os, sys; print('the key sk-abcdefgh12345 of', os.environ['TOKEN'], 'postgresql://me:pass@host/db'); sys.exit(3)")
    with pytest.raises(gatewayctl.GatewayError) as problem:
        failing.start()
    text = str(problem.value)
    assert text.startswith("Sleeper ended with status 3 while starting. The end of its log, ")
    assert text.endswith("the key ******** of ******** postgresql://********@host/db")


def test_one_that_is_not_ready_in_time_is_stopped(service: Any) -> None:
    slow = with_code(service, "import time; time.sleep(60)", start_seconds=0.3)
    with pytest.raises(gatewayctl.GatewayError, match=r"^Sleeper was not ready after 0\.3 seconds and was stopped"):
        slow.start()
    assert gatewayctl.holder(service.lock) is None


def test_one_that_cannot_be_run_is_told(service: Any) -> None:
    with pytest.raises(gatewayctl.GatewayError, match="Sleeper could not be started: .*no-such-program"):
        dataclasses.replace(service, command=["/no-such-program"]).start()


def test_a_taken_port_is_told_before_the_old_self_is_stopped(service: Any) -> None:
    service.start()
    pid = gatewayctl.holder(service.lock)["pid"]
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as stranger:
        port = stranger.getsockname()[1]
        with pytest.raises(gatewayctl.GatewayError, match=rf"^Sleeper cannot listen on 127\.0\.0\.1:{port} because another program does: .* sleeper_port "):
            dataclasses.replace(service, port=port).start()
    assert gatewayctl.holder(service.lock)["pid"] == pid


def test_the_log_of_the_start_before_is_kept(service: Any, tmp_path: Path) -> None:
    for word in ("first", "second", "third"):
        with_code(service, f"print('{word}', flush=True); {READY}").start()
        (tmp_path / "ready").unlink()
    assert (tmp_path / "sleeper.log").read_text() == "third\n"
    assert (tmp_path / "sleeper.log.1").read_text() == "second\n"


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_children_of_a_killed_service_are_ended(service: Any, tmp_path: Path) -> None:
    """As LiteLLM's workers, which would go on listening on its port."""
    child = "import os, pathlib, time; os.setsid(); pathlib.Path('child').write_text(str(os.getpid())); pathlib.Path('ready').touch(); time.sleep(60)"
    parent = with_code(service, f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])")
    for end in (lambda pid: os.kill(pid, signal.SIGKILL), lambda _pid: None):
        (tmp_path / "ready").unlink(missing_ok=True)
        parent.start()
        end(gatewayctl.holder(service.lock)["pid"])
        assert parent.stop()
        status = Path(f"/proc/{(tmp_path / 'child').read_text()}/stat")
        assert not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z", "the child lives"
        assert not parent.stop()


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_children_of_a_killed_service_are_no_strangers_on_its_port(service: Any, tmp_path: Path) -> None:
    listen = f"server = socket.create_server(('127.0.0.1', {service.port})); pathlib.Path('ready').touch(); time.sleep(60)"
    child = f"import os, pathlib, socket, time; os.setsid(); {listen}"
    parent = with_code(service, f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])")
    parent.start()
    (tmp_path / "ready").unlink()
    os.kill(gatewayctl.holder(service.lock)["pid"], signal.SIGKILL)
    assert parent.ends_within(10)
    parent.start()
    assert parent.is_current()
    parent.stop()


# --------------------------------------------------------------------------------------------------------------- strangers
@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def test_a_recycled_process_id_is_not_taken_for_the_service(service: Any, stranger: subprocess.Popen[bytes]) -> None:
    record = {"pid": stranger.pid, "port": service.port, "fingerprint": service.fingerprint}
    service.lock.write_text(json.dumps(record) + "\n")  # what a reboot leaves behind
    assert gatewayctl.holder(service.lock) is None
    assert not service.is_current()
    service.stop()
    assert stranger.poll() is None


def test_a_stranger_is_not_killed_even_while_the_lock_is_held(service: Any, stranger: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """As when the service's children outlive it for a moment and its process id is given to somebody else."""
    monkeypatch.setattr(gatewayctl, "STOP_SECONDS", 0.3)
    service.start()
    record = gatewayctl.holder(service.lock)
    service.lock.write_text(json.dumps({**record, "pid": stranger.pid}) + "\n")
    with pytest.raises(gatewayctl.GatewayError, match=rf"^Sleeper \(process {stranger.pid}\) does not end"):
        service.stop()
    assert stranger.poll() is None
    service.lock.write_text(json.dumps(record) + "\n")


# ------------------------------------------------------------------------------------------------------ files, ports, users
def test_a_port_that_is_being_given_back_is_waited_for() -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        assert not gatewayctl.becomes_free("127.0.0.1", port, 0.5)
        threading.Timer(0.2, server.close).start()
        assert gatewayctl.becomes_free("127.0.0.1", port, 5)


def test_a_private_file_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "file"
    previous = os.umask(0)
    try:
        gatewayctl.write_private(path, "text")
    finally:
        os.umask(previous)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    inode = path.stat().st_ino
    gatewayctl.write_private(path, "text")
    assert path.stat().st_ino == inode
    gatewayctl.write_private(path, "other")
    assert path.read_text() == "other"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_a_chosen_port_is_free_and_below_those_of_outgoing_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gatewayctl, "PORT_RANGE", range(15000, 15002))
    monkeypatch.setattr(gatewayctl, "is_free", lambda host, port: True)
    assert {gatewayctl.free_port("127.0.0.1", [15000]) for _turn in range(20)} == {15001}
    monkeypatch.setattr(gatewayctl, "is_free", lambda host, port: False)
    with pytest.raises(gatewayctl.GatewayError, match="no free port"):
        gatewayctl.free_port("127.0.0.1", ())


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
def test_who_may_enter_a_folder(tmp_path: Path, mode: int, owner: bool, group: bool, entered: bool) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    status = folder.stat()
    user = pwd.struct_passwd(("who", "x", status.st_uid + (not owner), status.st_gid + (not group), "", "/", ""))
    folder.chmod(mode)
    try:
        assert gatewayctl.may_enter(user, folder) is entered
    finally:
        folder.chmod(0o700)


# --------------------------------------------------------------------------------------------------------------- a gateway
@pytest.fixture
def gateway(tmp_path: Path) -> Any:
    """One that has been configured and never started."""
    (tmp_path / "secrets").mkdir(mode=0o700)
    (tmp_path / "secrets" / "environment").write_text('{"PROVIDER_KEY": "given"}')
    (tmp_path / "litellm.yaml").write_text("model_list: []")
    told = {
        "host": "127.0.0.1",
        "ports": {"litellm": 0, "postgres": 0},
        "software": "/opt/software",
        "workers": 1,
        "start_timeout": 5,
        "backups_keep": 2,
        "database_connections": 10,
        "user": "",
        "units": {},
        "postgres_user": "",
        "postgres_bin_dir": "/opt/software/postgres/bin",
        "postgres_settings": {"fsync": "off"},
        "litellm_environment": {"STORE_MODEL_IN_DB": "True"},
    }
    (tmp_path / "gateway.json").write_text(json.dumps(told))
    return gatewayctl.Gateway(tmp_path)


def tell(gateway: Any, **changes: Any) -> Any:
    (gateway.directory / "gateway.json").write_text(json.dumps({**gateway.told, **changes}))
    return gatewayctl.Gateway(gateway.directory)


def test_what_is_chosen_once_is_kept(gateway: Any) -> None:
    gateway.choose()
    names = ("master_key", "salt_key", "database_password")
    ports, secrets = gateway.ports, {name: gateway.secret(name) for name in names}
    assert len({*ports.values(), *secrets.values()}) == 5
    assert secrets["master_key"].startswith("sk-")
    gateway.choose()
    assert (gateway.ports, {name: gateway.secret(name) for name in names}) == (ports, secrets)
    for path in gateway.directory.rglob("secrets/*_*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_given_port_is_taken_and_a_chosen_one_moves_when_somebody_else_has_it(gateway: Any) -> None:
    gateway.choose()
    with contextlib.closing(socket.create_server(("127.0.0.1", gateway.ports["litellm"]))):
        before = gateway.ports
        gateway.choose()
        assert gateway.ports["litellm"] != before["litellm"]
        assert gateway.ports["postgres"] == before["postgres"]
    gateway = tell(gateway, ports={"litellm": 4000, "postgres": 0})
    gateway.choose()
    assert gateway.ports == {"litellm": 4000, "postgres": before["postgres"]}


def test_the_port_that_clients_know_is_waited_for_longest(gateway: Any) -> None:
    gateway.choose()
    before = gateway.ports
    server = socket.create_server(("127.0.0.1", before["litellm"]))
    threading.Timer(2 * gatewayctl.PORT_SECONDS, server.close).start()
    gateway.choose()
    assert gateway.ports == before


@pytest.mark.parametrize(("host", "url"), [("127.0.0.1", "http://127.0.0.1:4000"), ("0.0.0.0", "http://127.0.0.1:4000"), ("::", "http://[::1]:4000")])
def test_the_url_is_one_that_can_be_asked(gateway: Any, host: str, url: str) -> None:
    gateway = tell(gateway, host=host)
    (gateway.directory / "ports.json").write_text('{"litellm": 4000, "postgres": 5432}')
    assert gateway.url == url


def test_secrets_travel_in_the_environment_only(gateway: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not for LiteLLM")
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    gateway.choose()
    litellm, postgres = gateway.litellm(), gateway.postgres()
    for name in ("master_key", "salt_key", "database_password"):
        assert gateway.secret(name) not in " ".join(litellm.command + postgres.command)
        assert gateway.secret(name) in " ".join(litellm.environment.values())
        assert gateway.secret(name) not in " ".join(postgres.environment.values())
    assert litellm.environment["PROVIDER_KEY"] == "given"
    assert litellm.environment["https_proxy"] == "http://proxy:3128"
    assert "AWS_SECRET_ACCESS_KEY" not in litellm.environment
    assert "fsync=off" in postgres.command


def test_a_status_changes_nothing(gateway: Any) -> None:
    before = sorted(gateway.directory.rglob("*"))
    assert gateway.status() == {"url": None, "pids": {"postgres": None, "litellm": None}, "ready": False}
    assert gateway.would_start(None)
    assert not gateway.would_stop(None)
    assert not gateway.stop(None)
    assert sorted(gateway.directory.rglob("*")) == before


def test_starts_and_stops_take_turns(gateway: Any) -> None:
    with gateway.alone():
        other = subprocess.Popen([sys.executable, str(PROGRAM), str(gateway.directory), "stop"], stdout=subprocess.PIPE)
        time.sleep(0.5)
        assert other.poll() is None
    assert other.wait(timeout=10) == 0


def test_the_program_answers_with_json_or_a_sentence(gateway: Any, tmp_path: Path) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, str(PROGRAM), *words], capture_output=True, text=True, check=False)

    done = run(str(gateway.directory), "start", "--check")
    assert json.loads(done.stdout) == {"changed": True, "url": None, "pids": {"postgres": None, "litellm": None}, "ready": False}
    done = run(str(tmp_path / "nothing"), "start")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{tmp_path}/nothing holds no gateway: run the role with litellm_gateway_state=started\n"


# ----------------------------------------------------------------------------------------------------- certificates
def test_given_authorities_are_trusted_besides_the_usual_ones(gateway: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    gateway = tell(gateway, software=str(tmp_path / "software"))
    certifi = tmp_path / "software" / "venv" / "lib" / "python3.11" / "site-packages" / "certifi"
    certifi.mkdir(parents=True)
    (certifi / "cacert.pem").write_text("the usual ones")
    gateway.make_folders()
    gateway.choose()
    before = gateway.litellm()
    assert "SSL_CERT_FILE" not in before.environment
    (tmp_path / "ca.pem").write_text("the company's")
    service = gateway.litellm()
    assert service.fingerprint != before.fingerprint
    assert {service.environment[name] for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE")} == {str(gateway.bundle)}
    gateway.prepare_litellm()
    assert gateway.bundle.read_text() == "the usual ones\nthe company's"
    (tmp_path / "corporate.pem").write_text("those of the machine")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "corporate.pem"))
    gateway.prepare_litellm()
    assert gateway.bundle.read_text() == "those of the machine\nthe company's"
    before = gateway.litellm()
    (tmp_path / "ca.pem").write_text("another company's")
    assert gateway.litellm().fingerprint != before.fingerprint


# ---------------------------------------------------------------------------------------------------------- upgrades
@pytest.fixture
def saving(gateway: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A gateway whose pg_dump writes one word, or fails."""

    def pg_dump(name: str, *_arguments: str, stdout: Any, **_more: Any) -> None:
        if gateway.dump_fails:
            raise gatewayctl.GatewayError("disk full")
        stdout.write(b"dump")
        gateway.dumps += 1

    gateway.dump_fails, gateway.dumps = False, 0
    gateway.database.mkdir()
    gateway.choose()
    monkeypatch.setattr(gateway, "run_postgres_program", pg_dump)
    return gateway


def backups(gateway: Any) -> list[str]:
    return sorted(path.name for path in gateway.backups.iterdir()) if gateway.backups.exists() else []


def upgrade_to(gateway: Any, name: str) -> None:
    gateway.software = Path("/opt", name)
    gateway.save_before_migration()


def test_a_new_database_and_the_same_software_need_no_backup(saving: Any) -> None:
    saving.remember_schema(software=None, saved_for=None)
    upgrade_to(saving, "litellm-a")
    saving.schema_is_migrated()
    upgrade_to(saving, "litellm-a")
    assert backups(saving) == []


def test_other_software_needs_one_backup_however_often_it_fails_to_start(saving: Any) -> None:
    saving.remember_schema(software="litellm-a", saved_for=None)
    saving.dump_fails = True
    with pytest.raises(gatewayctl.GatewayError, match="disk full"):
        upgrade_to(saving, "litellm-b")
    assert backups(saving) == []
    saving.dump_fails = False
    for _attempt in range(2):
        upgrade_to(saving, "litellm-b")
    (backup,) = backups(saving)
    assert (saving.dumps, backup.rpartition("Z.")[2]) == (1, "litellm-a.dump")
    assert stat.S_IMODE((saving.backups / backup).stat().st_mode) == 0o600


def test_where_nobody_wrote_down_what_migrated_it_there_is_a_backup(saving: Any) -> None:
    upgrade_to(saving, "litellm-b")
    assert backups(saving)[0].endswith(".unknown.dump")


def test_the_newest_are_kept_and_those_made_by_hand_stay(saving: Any) -> None:
    saving.backups.mkdir()
    for name in ("manual-20260101T000000Z.litellm-a.dump", *(f"upgrade-2026010{day}T000000Z.litellm-a.dump" for day in range(1, 5))):
        (saving.backups / name).touch()
    saving.remember_schema(software="litellm-a", saved_for=None)
    upgrade_to(saving, "litellm-b")
    kept = backups(saving)
    assert kept[:2] == ["manual-20260101T000000Z.litellm-a.dump", "upgrade-20260104T000000Z.litellm-a.dump"]
    assert len(kept) == 3


def test_another_major_version_of_postgres_is_refused(gateway: Any, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "postgres"
    program.write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 17.2'\n")
    program.chmod(0o755)
    gateway = tell(gateway, postgres_bin_dir=str(tmp_path / "bin"))
    gateway.check_postgres_version()  # there is no database yet
    (gateway.database / "data").mkdir(parents=True)
    (gateway.database / "data" / "PG_VERSION").write_text("17\n")
    gateway.check_postgres_version()
    (gateway.database / "data" / "PG_VERSION").write_text("15\n")
    with pytest.raises(gatewayctl.GatewayError, match="was made by PostgreSQL 15, and .* is PostgreSQL 17, which cannot read it"):
        gateway.start(None)
    assert not (tmp_path / "run").exists()


# ----------------------------------------------------------------------------------------------------------- systemd
def test_what_systemd_hands_over_is_read_first_and_the_callers_environment_is_not(gateway: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway.make_folders()
    gateway.choose()
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "master_key").write_text("sk-handed-over")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    managed = tell(gateway, user=pwd.getpwuid(os.geteuid()).pw_name)
    service = managed.litellm()
    assert service.environment["LITELLM_MASTER_KEY"] == "sk-handed-over"
    assert "https_proxy" not in service.environment


def test_what_systemd_runs_is_started_by_systemctl_only(gateway: Any) -> None:
    tell(gateway, user=pwd.getpwuid(os.geteuid()).pw_name)
    with pytest.raises(gatewayctl.GatewayError, match="use systemctl start"):
        gatewayctl.main([str(gateway.directory), "start"])
    assert gatewayctl.main([str(gateway.directory), "start", "--check"])["changed"]


def test_a_program_in_the_foreground_holds_the_lock(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    child = os.fork()
    if child == 0:
        service.run()
    try:
        service.wait()
        assert gatewayctl.holder(service.lock) == {"pid": child, "port": service.port, "fingerprint": service.fingerprint}
        with pytest.raises(gatewayctl.GatewayError, match="runs already"):
            service.run()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    monkeypatch.setattr(gatewayctl, "RUN_SECONDS", 0.1)
    with pytest.raises(gatewayctl.GatewayError, match="Sleeper did not begin to run"):
        service.wait()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as somebody else")
class TestAsRoot:
    def test_the_named_user_runs_postgres(self, gateway: Any) -> None:
        assert gateway.postgres_user.pw_name in ("postgres", "nobody")
        assert tell(gateway, postgres_user="nobody").postgres_user.pw_name == "nobody"

    def test_a_user_who_does_not_exist_is_told(self, gateway: Any) -> None:
        with pytest.raises(gatewayctl.GatewayError, match="there is no user ghost: name an unprivileged one in litellm_gateway_postgres_user"):
            tell(gateway, postgres_user="ghost")
