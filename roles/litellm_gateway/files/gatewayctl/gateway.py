# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""One gateway: PostgreSQL and LiteLLM, started and stopped in the right order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .backups import Backups
from .directory import Directory
from .files import GatewayError, write_private
from .litellm import LiteLLM
from .locks import find_holder, find_leftovers, kill_leftovers
from .postgres import Postgres
from .service import Service
from .upgrade import Upgrade

SERVICES = ("postgres", "litellm")
"""In the order of starting."""
RECOVERY_SECONDS = 20.0
"""How long a running service may be unready before it is restarted: LiteLLM needs some seconds after its database was away."""


class Gateway:
    """The two services of one directory. Where a method takes `only`, it concerns that service, or both if it is None."""

    def __init__(self, path: Path) -> None:
        self.directory = Directory(path)
        self.postgres = Postgres(self.directory)
        self.litellm = LiteLLM(self.directory)
        self.backups = Backups(self.directory, self.postgres)

    def services(self, only: str | None) -> list[Service]:
        makers = {"postgres": self.postgres.service, "litellm": self.litellm.service}
        return [makers[name]() for name in SERVICES if only in (None, name)]

    # ---------------------------------------------------------------------------------------------------- start, stop
    def start(self, only: str | None) -> bool:
        """Start the services, or restart those whose configuration has changed; return whether anything was done."""
        self.postgres.check_version()
        for lock in map(self.directory.lock, SERVICES):
            if find_holder(lock) is None:
                kill_leftovers(lock)  # they would keep the port of the service that was killed
        self.directory.make_folders()
        self.directory.choose_missing()
        if not self.postgres.data.exists():
            for service in self.services(None):
                service.check_port()  # before a database is created that nobody can use
        if only != "litellm":
            self.postgres.prepare()
        changed = False
        for service in self.services(only):
            if not service.is_current(RECOVERY_SECONDS):
                self._start_service(service)
                changed = True
        self.write_connection()
        return changed

    def _start_service(self, service: Service) -> None:
        if service.lock != self.directory.lock("litellm"):
            service.start()
            return
        self.litellm.prepare()
        upgrade = Upgrade(self.directory, self.postgres, self.backups)
        if upgrade.is_needed:
            self._carry_out(upgrade, service)
        else:
            service.start()
            self._note_migration()

    def _carry_out(self, upgrade: Upgrade, service: Service) -> None:
        """Start LiteLLM from other software than the one that has migrated the database, or the former one if that does not get ready."""
        service.check_port()
        upgrade.check()
        service.stop()  # so that the backup misses nothing
        upgrade.prepare()
        try:
            service.start()
        except GatewayError as error:
            raise GatewayError("\n".join(filter(None, (str(error), upgrade.go_back(self._start_former))))) from error
        self._note_migration()
        upgrade.remove_unused_software()

    def _start_former(self, software: Path) -> None:
        """Start LiteLLM from other software than the configured one, with the configured settings."""
        former = Gateway(self.directory.path)
        former.directory.use_software(software)
        former.litellm.service().start()
        former._note_migration()

    def _note_migration(self) -> None:
        """Write down, as soon as LiteLLM is ready, that this software has migrated the database."""
        self.backups.forget_replaced()
        self.postgres.write_schema({"software": self.directory.software.name})

    def would_start(self, only: str | None) -> bool:
        """Whether `start` would do anything."""
        return not self.directory.ports or any(not service.is_current() for service in self.services(only))

    def stop(self, only: str | None) -> bool:
        """Stop the services; return whether anything ran."""
        if not self.directory.ports:
            return False
        stopped = [service.stop() for service in reversed(self.services(only))]
        self.write_connection()
        return any(stopped)

    def would_stop(self, only: str | None) -> bool:
        """Whether `stop` would do anything."""
        locks = [self.directory.lock(name) for name in SERVICES if only in (None, name)]
        return any(find_holder(lock) or find_leftovers(lock) for lock in locks)

    # --------------------------------------------------------------------------------------------- for systemd's units
    def prepare_unit(self, only: str) -> None:
        """Do what must be done before the unit's program starts."""
        if only == "postgres":
            self.postgres.check_version()
            self.postgres.prepare()
        else:
            self.litellm.prepare()
            upgrade = Upgrade(self.directory, self.postgres, self.backups)
            if upgrade.is_needed:
                upgrade.check()
                upgrade.prepare()

    def wait(self, only: str) -> None:
        """Wait until the unit's program is ready."""
        for service in self.services(only):
            service.wait()
        if only == "litellm":
            self._note_migration()

    # ------------------------------------------------------------------------------------------------------- status
    def pids(self) -> dict[str, int | None]:
        """Return the process id of each service, or None for one that does not run."""
        holders = {name: find_holder(self.directory.lock(name)) for name in SERVICES}
        return {name: holder.pid if holder else None for name, holder in holders.items()}

    def status(self) -> dict[str, Any]:
        pids = self.pids()
        return {"url": self.directory.url if self.directory.ports else None, "pids": pids, "ready": bool(pids["litellm"]) and self.litellm.is_ready()}

    def write_connection(self) -> None:
        """Write what a client needs into connection.json, and the database's URL alone into a file of its own, for programs."""
        directory = self.directory
        connection: dict[str, Any] = {"url": directory.url, "master_key": directory.secret("master_key"), "database_url": directory.database_url}
        if not directory.service_user:  # systemd restarts services by itself, and the process ids would be out of date
            connection["pids"] = self.pids()
        write_private(directory.path / "connection.json", json.dumps(connection, indent=2) + "\n")
        write_private(directory.path / "secrets" / "database_url", directory.database_url)
