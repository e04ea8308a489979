# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Another LiteLLM takes the database over: refused if it is too old for it, and taken back if it does not get ready."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from .backups import Backups
from .directory import Directory
from .files import GatewayError
from .postgres import Postgres

DATED = re.compile(r"\d{8,}_")
"""How the names of migrations begin, so that they sort by their age."""
MIGRATIONS = "venv/lib/python3*/site-packages/litellm_proxy_extras/migrations/*/migration.sql"


class Upgrade:
    """The change from the software that has migrated the database to the configured one."""

    def __init__(self, directory: Directory, postgres: Postgres, backups: Backups) -> None:
        self.directory = directory
        self.postgres = postgres
        self.backups = backups
        self.former: str | None = postgres.schema["software"]
        """The software that has migrated the database; None for a new database."""
        self.backup: Path | None = None
        self._before: set[str] = set()

    @property
    def is_needed(self) -> bool:
        return self.former != self.directory.software.name

    def check(self) -> None:
        """Raise GatewayError if a newer LiteLLM has migrated the database, which the configured one would damage or misread."""
        if self.former is None:
            return
        known = {path.parent.name for path in self.directory.software.glob(MIGRATIONS)}
        self._before = self.backups.database.applied_migrations()
        newest = max(filter(DATED.match, self._before), default="")
        if known and newest > max(filter(DATED.match, known), default=""):
            raise GatewayError(
                f"the database was migrated by a newer LiteLLM than {self.directory.software.name}, which does not know its migration {newest}: run the role"
                f" with the newer software again, or restore a backup from before the upgrade, out of {self.backups.folder}, and start again"
            )

    def prepare(self) -> None:
        """Write the backup that `go_back` restores."""
        self.backup = self.backups.save_before_migration()

    def go_back(self, start: Callable[[Path], None]) -> str:
        """Start the former software on its former database again, by `start`, and return a sentence that says what is the case now."""
        if self.backup is None or self.former is None:
            return ""
        by_hand = f"to go back, run the role with the software from before, and give {self.backup} to gatewayctl's restore if the database was migrated"
        former = self.directory.software.parent / self.former
        if not former.is_dir():
            return f"The software from before, {former}, is gone: {by_hand}."
        try:
            restored = self.backups.database.applied_migrations() != self._before
            if restored:
                self.backups.restore(self.backup)
            start(former)
        except GatewayError as error:
            return f"The software from before could not be started either ({error}): {by_hand}."
        database = f"the database from before, out of {self.backup}" if restored else "its database, which was not changed"
        return f"The gateway runs again with the software from before, {former.name}, and {database}."

    def remove_unused_software(self) -> None:
        """Remove what is installed in the gateway's own folder, but for the software that runs now and the one from before."""
        if self.directory.software.parent != self.directory.path / "software":
            return  # other gateways may run from there
        for folder in self.directory.software.parent.glob("litellm-*"):
            if folder.name not in (self.directory.software.name, self.former):
                shutil.rmtree(folder, ignore_errors=True)
