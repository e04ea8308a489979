# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""LiteLLM: its service, its configuration and the certificate authorities that it trusts."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from .directory import Directory
from .files import write_private
from .service import Service

WORKER_SECONDS = 60
"""How long one of several workers may be silent before LiteLLM replaces it. With LiteLLM's default of 5 seconds, a worker that
needs longer to start on a busy machine is replaced for ever."""
INHERITED = frozenset({"http_proxy", "https_proxy", "no_proxy", "all_proxy", "ssl_cert_file", "ssl_cert_dir", "requests_ca_bundle", "tz"})
"""Variables that LiteLLM inherits from the caller's environment; everything else comes from the gateway's files."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Hosts that no proxy can reach for this machine: LiteLLM calls its database client there."""
BUNDLE_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE")
"""Variables by which LiteLLM and the libraries that call providers find the authorities to trust."""


class LiteLLM:
    """The LiteLLM of one gateway."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self.bundle = directory.home / "ca-bundle.pem"
        self.configuration = (directory.home if directory.service_user else directory.path) / "litellm.yaml"
        """Where LiteLLM reads its configuration. Under systemd this is a link to the credential."""

    # ------------------------------------------------------------------------------------------------------ service
    def service(self) -> Service:
        settings = self.directory.settings
        configuration = [
            self.directory.locate("litellm.yaml").read_bytes(),
            self.authorities(),
            settings["units"].get("litellm", "").encode(),
        ]
        return Service(
            title="LiteLLM",
            command=self._command(),
            environment=self._environment(),
            configuration=b"\0".join(configuration),
            log=self.directory.log("litellm"),
            lock=self.directory.lock("litellm"),
            host=self.directory.host,
            port=self.directory.ports["litellm"],
            port_variable="litellm_gateway_port",
            is_ready=lambda _pid: self.is_ready(),
            start_seconds=float(settings["start_timeout"]),
            stop_signal=signal.SIGTERM,
            working_directory=self.directory.home,
            user=None,
        )

    def _command(self) -> list[str]:
        options = {
            "--config": str(self.configuration),
            "--host": self.directory.host,
            "--port": str(self.directory.ports["litellm"]),
            "--num_workers": str(self.directory.settings["workers"]),
            "--telemetry": "False",
        }
        not_in_all_releases = [
            ["--timeout_worker_healthcheck", str(WORKER_SECONDS)],
            ["--use_v2_migration_resolver"],
            ["--enforce_prisma_migration_check"],  # better no gateway than one on half a schema
        ]
        known = self._options()
        return [
            str(self.directory.software / "venv" / "bin" / "python"),
            str(self.directory.software / "bin" / "serve_litellm.py"),
            *(word for option in options.items() for word in option),
            *(word for option in not_in_all_releases if known is None or option[0] in known for word in option),
        ]

    def _options(self) -> set[str] | None:
        """Return the options of the installed command `litellm`, which differ from release to release; None without its software.

        They are read from its source, because `litellm --help` takes seconds.
        """
        source = next(self.directory.software.glob("venv/lib/python3*/site-packages/litellm/proxy/proxy_cli.py"), None)
        if source is None:
            return None
        return set(re.findall(r"""["'](--[a-z0-9_-]+)["']""", source.read_text(encoding="utf-8")))

    def _environment(self) -> dict[str, str]:
        directory = self.directory
        inherited = {} if directory.service_user else {name: value for name, value in os.environ.items() if name.lower() in INHERITED}
        trusted = dict.fromkeys(BUNDLE_VARIABLES, str(self.bundle)) if self.authorities() else {}
        environment = {
            **inherited,
            "HOME": str(directory.home),
            "LANG": "C.UTF-8",
            "LITELLM_MASTER_KEY": directory.secret("master_key"),
            "LITELLM_SALT_KEY": directory.secret("salt_key"),
            "DATABASE_URL": f"{directory.database_url}?connection_limit={directory.settings['database_connections']}",
            **trusted,
            **directory.settings["litellm_environment"],
            **json.loads(directory.secret("environment")),
        }
        return environment | _without_proxy(environment)

    def is_ready(self) -> bool:
        """Whether LiteLLM answers and reaches its database. Without one it answers 200 too, so the database is looked for by name."""
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(f"{self.directory.url}/health/readiness", timeout=5) as answer:
                return bool(json.load(answer).get("db") == "connected")
        except (OSError, ValueError):
            return False

    # ---------------------------------------------------------------------------------------------------- preparing
    def authorities(self) -> bytes:
        """Return the certificates of the authorities to trust besides the usual ones; empty if there are none."""
        with contextlib.suppress(FileNotFoundError):
            return self.directory.locate("ca.pem").read_bytes()
        return b""

    def prepare(self) -> None:
        """Write the files that LiteLLM reads besides its environment."""
        if self.directory.service_user:
            self.configuration.unlink(missing_ok=True)
            self.configuration.symlink_to(self.directory.locate("litellm.yaml"))
        if authorities := self.authorities().decode():
            usual = os.environ.get("SSL_CERT_FILE") if not self.directory.service_user else None
            certifi = next(self.directory.software.glob("venv/lib/python3*/site-packages/certifi/cacert.pem"))
            write_private(self.bundle, Path(usual or certifi).read_text() + "\n" + authorities)


def _without_proxy(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that keep calls to this machine itself away from a proxy; none without a proxy."""
    if not any(name.lower() in ("http_proxy", "https_proxy", "all_proxy") for name in environment):
        return {}
    given = environment.get("no_proxy", environment.get("NO_PROXY", ""))  # in the order of Python's libraries
    hosts = [host.strip() for host in given.split(",") if host.strip()]
    exempt = ",".join([*hosts, *(host for host in LOOPBACK if host not in hosts)])
    return {"no_proxy": exempt, "NO_PROXY": exempt}
