# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Statements and questions to PostgreSQL, by its own client psql."""

from __future__ import annotations

import time
from collections.abc import Sequence

from .directory import DATABASE, Directory
from .files import GatewayError
from .postgres import Postgres

OUTSIDE = "postgres"
"""The database from which others are created, renamed and dropped."""
SEPARATOR = "\x1f"
LEAVE_SECONDS = 5.0
"""How long sessions may take to end after their program has."""
POLL_SECONDS = 0.1


class Database:
    """The databases of one gateway, as long as its PostgreSQL runs."""

    def __init__(self, directory: Directory, postgres: Postgres) -> None:
        self.directory = directory
        self.postgres = postgres

    def execute(self, *statements: str, together: bool = False) -> None:
        """Execute statements from outside of LiteLLM's database: one after another, or all `together` or none. Raises GatewayError at the first failure."""
        self._psql(OUTSIDE, statements, *(["--single-transaction"] if together else []))

    def read(self, query: str, database: str = OUTSIDE) -> list[list[str]]:
        """Return the rows that the query finds, as text. Raises GatewayError if it fails."""
        output = self._psql(database, [query], "--no-align", "--tuples-only", f"--field-separator={SEPARATOR}")
        return [line.split(SEPARATOR) for line in output.splitlines() if line]

    def exists(self, name: str) -> bool:
        return [name] in self.read("SELECT datname FROM pg_database")

    def check_unused(self) -> None:
        """Raise GatewayError, with the names of its users, if anybody goes on using LiteLLM's database."""
        deadline = time.monotonic() + LEAVE_SECONDS
        while sessions := self._sessions():
            if time.monotonic() > deadline:
                raise GatewayError(
                    f"the database is used by {', '.join(sessions)}: end {'it' if len(sessions) == 1 else 'them'} first, or give --end-sessions; "
                    "nothing was changed"
                )
            time.sleep(POLL_SECONDS)

    def _sessions(self) -> list[str]:
        """Return the sessions in LiteLLM's database, each with the name of its program."""
        rows = self.read(
            "SELECT coalesce(nullif(application_name, ''), 'a program without a name'), pid, coalesce(host(client_addr), 'this machine'), datname"
            " FROM pg_stat_activity WHERE datname IS NOT NULL ORDER BY pid"
        )
        return [f"{program} (process {pid} of PostgreSQL, from {address})" for program, pid, address, name in rows if name == DATABASE]

    def applied_migrations(self) -> set[str]:
        """Return the names of the migrations that LiteLLM's database has been through; empty for a new one."""
        if not self.read("SELECT 1 FROM pg_tables WHERE tablename = '_prisma_migrations'", DATABASE):
            return set()
        query = "SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL"
        return {name for (name,) in self.read(query, DATABASE)}

    def _psql(self, database: str, statements: Sequence[str], *more: str) -> str:
        options = [*self.postgres.client_options(), "--no-psqlrc", "--quiet", "--variable=ON_ERROR_STOP=1", f"--dbname={database}", *more]
        commands = [word for statement in statements for word in ("--command", statement)]
        return self.postgres.run_program("psql", *options, *commands, PGPASSWORD=self.directory.secret("database_password"))
