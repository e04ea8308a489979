# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Backups of the database: written by hand or before another LiteLLM migrates it, and restored."""

from __future__ import annotations

import os
import re
import tempfile
import time
from pathlib import Path

from .directory import DATABASE, Directory
from .postgres import UNKNOWN, Postgres


class Backups:
    """The backups of one gateway."""

    def __init__(self, directory: Directory, postgres: Postgres) -> None:
        self.directory = directory
        self.postgres = postgres
        self.folder = directory.path / "backups"

    def save_before_migration(self) -> None:
        """Back the database up if another LiteLLM is about to migrate it; once, even if that LiteLLM fails to start several times."""
        software = self.directory.software.name
        schema = self.postgres.schema
        if schema["software"] in (None, software) or schema["saved_for"] == software:
            return
        self.back_up("upgrade")
        self.postgres.write_schema(software=schema["software"], saved_for=software)
        for old in sorted(self.folder.glob("upgrade-*.dump"), reverse=True)[self.directory.settings["backups_keep"] :]:
            old.unlink()

    def back_up(self, occasion: str) -> Path:
        """Write the database into a file and return its path. Its name holds the time, and the software that fits the backup."""
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        path = self.folder / f"{occasion}-{now}.{self.postgres.schema['software'] or UNKNOWN}.dump"
        self.folder.mkdir(mode=0o700, exist_ok=True)
        handle, unfinished = tempfile.mkstemp(dir=self.folder, prefix=".unfinished-")
        try:
            with os.fdopen(handle, "wb") as file:
                options = [*self.postgres.client_options(), "--format=custom", DATABASE]
                self.postgres.run_program("pg_dump", *options, stdout=file, PGPASSWORD=self._password())
            os.replace(unfinished, path)
        except BaseException:
            os.unlink(unfinished)
            raise
        return path

    def restore(self, backup: Path) -> None:
        """Replace the database by a backup. Until the backup is loaded completely, the database stays as it is."""
        restored, replaced = f"{DATABASE}_restored", f"{DATABASE}_replaced"
        with open(backup, "rb") as file:
            self._execute(f"DROP DATABASE IF EXISTS {restored}", f"CREATE DATABASE {restored}")
            options = [*self.postgres.client_options(), f"--dbname={restored}", "--exit-on-error", "--single-transaction"]
            self.postgres.run_program("pg_restore", *options, stdin=file, PGPASSWORD=self._password())
        self._execute(
            f"DROP DATABASE IF EXISTS {replaced}",
            f"ALTER DATABASE {DATABASE} RENAME TO {replaced}",
            f"ALTER DATABASE {restored} RENAME TO {DATABASE}",
            f"DROP DATABASE {replaced}",
        )
        software = re.search(r"\.(litellm-\w+)\.dump$", backup.name)
        self.postgres.write_schema(software=software[1] if software else UNKNOWN, saved_for=None)

    def _password(self) -> str:
        return self.directory.secret("database_password")

    def _execute(self, *statements: str) -> None:
        """Execute SQL statements outside of LiteLLM's own database."""
        commands = [word for statement in statements for word in ("--command", statement)]
        options = [*self.postgres.client_options(), "--no-psqlrc", "--dbname=postgres", "--quiet"]
        self.postgres.run_program("psql", *options, *commands, PGPASSWORD=self._password())
