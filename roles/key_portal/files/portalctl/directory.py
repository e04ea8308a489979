# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The portal's directory: the settings that the role wrote, and what stays the same from one start to the next.

The role writes `portal.json` (what to run) and the secrets that it was given. This program keeps everything else there: generated
secrets, the port, logs, and for each service a home and a folder `run` with its lock. Under systemd each service has a user of its
own, and gets its files as credentials, in the folder `$CREDENTIALS_DIRECTORY`; a file is looked up there first.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from pathlib import Path
from typing import Any

from . import ports
from .files import GatewayError, write_private

SECRETS = ("admin_password", "session_secret")
"""What is generated if it was not given."""


class Directory:
    """The directory of one portal and its worker."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.settings: dict[str, Any] = json.loads(self._locate("portal.json", path / "portal.json").read_text())
        except FileNotFoundError as error:
            raise GatewayError(f"{path} holds no portal: run the role key_portal with key_portal_state=started") from error
        self.host: str = self.settings["host"]
        self.software = Path(self.settings["software"])
        self.has_units: bool = bool(self.settings["units"])
        """Whether systemd runs the services."""

    def lock(self, service: str) -> Path:
        return self.path / "run" / service / "lock"

    def stop_file(self, service: str) -> Path:
        """Return the file at whose sight the service ends by itself."""
        return self.path / "run" / service / "stop"

    def home(self, service: str) -> Path:
        return self.path / "home" / service

    def log(self, service: str) -> Path:
        return self.path / "log" / f"{service}.log"

    # ------------------------------------------------------------------------------------------- files of the services
    def files(self, service: str) -> dict[str, Path]:
        """Return the files that the service itself reads, by name."""
        return {name: Path(path) for name, path in self.settings["files"][service].items()}

    def path_for(self, service: str, name: str) -> Path:
        """Return where the service reads one of its files. Under systemd this is a link to the credential."""
        return self.home(service) / name if self.has_units else self.files(service)[name]

    def contents(self, service: str) -> bytes:
        """Return what is in the files that the service reads; another content needs a restart. It says itself if one cannot be read."""
        found = []
        for name, path in sorted(self.files(service).items()):
            with contextlib.suppress(OSError):
                found += [name.encode(), self._locate(name, path).read_bytes()]
        return b"\0".join(found)

    def link_credentials(self, service: str) -> None:
        """Let the service find its files in its home, whatever systemd calls the folder of its credentials."""
        for name, path in self.files(service).items():
            link = self.path_for(service, name)
            link.unlink(missing_ok=True)
            link.symlink_to(self._locate(name, path))

    def _locate(self, name: str, path: Path) -> Path:
        """Return the path of the systemd credential of this name, or else `path`."""
        credential = Path(os.environ.get("CREDENTIALS_DIRECTORY", "/nowhere"), name)
        return credential if credential.exists() else path

    # ------------------------------------------------------------------------------------------------ secrets and the port
    def secret(self, name: str) -> str:
        return self._locate(name, self.path / "secrets" / name).read_text()

    @property
    def port(self) -> int | None:
        """The port of the portal; None before the first start."""
        with contextlib.suppress(FileNotFoundError):
            return int(self._locate("port", self.path / "port").read_text())
        return None

    @property
    def has_all(self) -> bool:
        """Whether nothing is missing of what `choose_missing` chooses."""
        return self.port is not None and all((self.path / "secrets" / name).exists() for name in SECRETS)

    def choose_missing(self) -> None:
        """Generate the secrets and choose the port that are missing."""
        for name in SECRETS:
            path = self.path / "secrets" / name
            if not path.exists():
                write_private(path, secrets.token_urlsafe(32))
        self.keep_port(int(self.settings["port"]) or self.port or ports.choose_port(self.host, ()))

    def keep_port(self, port: int) -> None:
        write_private(self.path / "port", str(port))

    def make_folders(self, services: tuple[str, ...]) -> None:
        for name in ("log", *(f"{kind}/{service}" for kind in ("home", "run") for service in services)):
            (self.path / name).mkdir(mode=0o700, exist_ok=True, parents=True)
