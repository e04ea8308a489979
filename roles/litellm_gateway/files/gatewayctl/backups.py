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

from .database import Database
from .directory import DATABASE, Directory
from .files import GatewayError, put_in_place, sync
from .postgres import UNKNOWN, Postgres

RESTORED, REPLACED, DISCARDED = f"{DATABASE}_restored", f"{DATABASE}_replaced", f"{DATABASE}_discarded"
"""Databases beside LiteLLM's own: one that a backup is being loaded into, the one from before a restore, and one that nobody wants any more."""
END_ALL_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'litellm%'"
END_SESSIONS_BESIDE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'litellm\\_%'"
"""Those in the databases beside LiteLLM's own. A monitor may follow databases as soon as they are there."""


class Backups:
    """The backups of one gateway."""

    def __init__(self, directory: Directory, postgres: Postgres) -> None:
        self.directory = directory
        self.postgres = postgres
        self.database = Database(directory, postgres)
        self.folder = directory.path / "backups"

    # ------------------------------------------------------------------------------------------------------- writing
    def save_before_migration(self) -> Path | None:
        """Back the database up if another LiteLLM is about to migrate it; once, even if that LiteLLM fails to start several times.

        Returns the backup, or None if there is none, as a new database needs none. The newest of each software are kept.
        """
        software = self.directory.software.name
        schema = self.postgres.schema
        if schema["software"] in (None, software):
            return None
        if schema["saved_for"] == software:
            return next(iter(self._made_of(schema["software"])), None)
        backup = self.back_up("upgrade")
        self.postgres.write_schema({**schema, "saved_for": software})
        for old in self._made_of(schema["software"])[self.directory.settings["backups_keep"] :]:
            old.unlink()
        return backup

    def _made_of(self, software: str) -> list[Path]:
        """Return the backups that were made before an upgrade of that software, the newest first."""
        return sorted(self.folder.glob(f"upgrade-*.{software}.dump"), reverse=True)

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
                sync(file)
            put_in_place(Path(unfinished), path)
        except BaseException:
            os.unlink(unfinished)
            raise
        return path

    # ----------------------------------------------------------------------------------------------------- restoring
    def restore(self, backup: Path, *, end_sessions: bool = False) -> None:
        """Replace the database by a backup.

        Until the backup is loaded completely, the database stays as it is. Afterwards it stays beside the new one until LiteLLM has
        served that one, so that `undo_restore` can bring it back, even after several restores. Raises GatewayError if others use
        the database; with `end_sessions` they lose their sessions instead.
        """
        if not end_sessions:
            self.database.check_unused()
        with open(backup, "rb") as file:
            self.database.execute(f"DROP DATABASE IF EXISTS {RESTORED} WITH (FORCE)", f"CREATE DATABASE {RESTORED}")
            options = [*self.postgres.client_options(), f"--dbname={RESTORED}", "--exit-on-error", "--single-transaction"]
            self.postgres.run_program("pg_restore", *options, stdin=file, PGPASSWORD=self._password())
        keeps = self.database.exists(REPLACED)
        self._exchange(RESTORED, DISCARDED if keeps else REPLACED, end_sessions)
        schema = self.postgres.schema
        before = schema["before_restore"] if keeps and schema["before_restore"] else schema
        software = re.search(r"\.(litellm-\w+)\.dump$", backup.name)
        self.postgres.write_schema({"software": software[1] if software else UNKNOWN, "saved_for": None, "before_restore": before})

    def undo_restore(self, *, end_sessions: bool = False) -> None:
        """Bring back the database from before the last restores. Raises GatewayError if LiteLLM has served the restored one already."""
        if not self.database.exists(REPLACED):
            raise GatewayError("there is no restore to undo: LiteLLM has served the restored database, and the one from before is gone")
        if not end_sessions:
            self.database.check_unused()
        self._exchange(REPLACED, DISCARDED, end_sessions)
        self.postgres.write_schema(self.postgres.schema["before_restore"] or {"software": UNKNOWN, "saved_for": None})

    def forget_replaced(self) -> None:
        """Drop the database from before a restore, once LiteLLM serves the restored one."""
        if self.postgres.schema["before_restore"]:
            self.database.execute(f"DROP DATABASE IF EXISTS {REPLACED} WITH (FORCE)")

    def _exchange(self, new: str, former: str, end_sessions: bool) -> None:
        """Make `new` LiteLLM's database, which is then named `former`. A kill leaves all names as they were, or as they shall be."""
        self.database.execute(f"DROP DATABASE IF EXISTS {DISCARDED} WITH (FORCE)")
        self.database.execute(
            END_ALL_SESSIONS if end_sessions else END_SESSIONS_BESIDE,
            f"ALTER DATABASE {DATABASE} RENAME TO {former}",
            f"ALTER DATABASE {new} RENAME TO {DATABASE}",
            together=True,
        )
        self.database.execute(f"DROP DATABASE IF EXISTS {DISCARDED} WITH (FORCE)")

    def _password(self) -> str:
        return self.directory.secret("database_password")
