# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The gateway's directory: the settings that the role wrote, and what stays the same from one start to the next.

The role writes `gateway.json` (what to run), `litellm.yaml` (LiteLLM's own configuration) and the secrets that it was given.
This program keeps everything else there: generated secrets, ports, the database, logs, and a lock file for each service.
systemd passes secrets to its units as credentials, in the folder `$CREDENTIALS_DIRECTORY`; a file is looked up there first.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from . import locks, ports
from .files import GatewayError, write_private
from .locks import find_holder

DATABASE = "litellm"
"""Name of the database and of its only role."""
DATABASE_HOST = "127.0.0.1"


class Directory:
    """The directory of one gateway."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.settings: dict[str, Any] = json.loads(self.locate("gateway.json").read_text())
        except FileNotFoundError as error:
            raise GatewayError(f"{path} holds no gateway: run the role with litellm_gateway_state=started") from error
        self.host: str = self.settings["host"]
        self.service_user: str = self.settings["user"]
        """The user as whom systemd runs both services; empty if this program starts them."""
        self.home = path / "home"
        self.software = Path(self.settings["software"])

    def use_software(self, software: Path) -> None:
        """Use other software than the configured one, also where the settings name a program of it."""
        settings = json.dumps(self.settings).replace(str(self.software), str(software))
        self.settings, self.software = json.loads(settings), software

    def locate(self, name: str) -> Path:
        """Return the path of a file of the directory, or of the systemd credential of the same name."""
        credential = Path(os.environ.get("CREDENTIALS_DIRECTORY", "/nowhere"), Path(name).name)
        return credential if credential.exists() else self.path / name

    def lock(self, service: str) -> Path:
        return self.path / "run" / f"{service}.lock"

    def log(self, service: str) -> Path:
        return self.path / "log" / f"{service}.log"

    def secret(self, name: str) -> str:
        return self.locate(f"secrets/{name}").read_text()

    @property
    def ports(self) -> dict[str, int]:
        """The ports by service; empty before the first start."""
        with contextlib.suppress(FileNotFoundError):
            chosen: dict[str, int] = json.loads(self.locate("ports.json").read_text())
            return chosen
        return {}

    @property
    def url(self) -> str:
        """The URL at which this machine reaches LiteLLM."""
        return ports.url_of(self.host, self.ports["litellm"])

    @property
    def database_url(self) -> str:
        return f"postgresql://{DATABASE}:{self.secret('database_password')}@{DATABASE_HOST}:{self.ports['postgres']}/{DATABASE}"

    def make_folders(self) -> None:
        for name in ("log", "home", "run", "backups"):
            (self.path / name).mkdir(mode=0o700, exist_ok=True)

    def choose_missing(self) -> None:
        """Generate the secrets and choose the ports that are missing. A port that another program occupies is chosen anew."""
        for name, prefix in (("master_key", "sk-"), ("salt_key", ""), ("database_password", "")):
            path = self.path / "secrets" / name
            if not path.exists():
                write_private(path, prefix + secrets.token_urlsafe(32))
        chosen: dict[str, int] = {}
        for name, host in (("postgres", DATABASE_HOST), ("litellm", self.host)):
            port, given = self.ports.get(name, 0), self.settings["ports"][name]
            if given not in (0, port):
                port = given
            elif not (given or (port and (find_holder(self.lock(name)) or ports.wait_until_free(host, port, ports.WAIT_FOR_OWN_SECONDS)))):
                port = ports.choose_port(host, chosen.values())
            chosen[name] = port
        write_private(self.path / "ports.json", json.dumps(chosen))

    def exclusive(self) -> AbstractContextManager[None]:
        """Hold the directory for one command at a time; others wait."""
        return locks.exclusive(self.path)
