# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""A service and a gateway for the tests of the control program, with small programs in place of LiteLLM and PostgreSQL."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.roles.litellm_gateway.files.gatewayctl import locks, ports
from ansible_collections.rhpds.litellm_virtual_keys.roles.litellm_gateway.files.gatewayctl.gateway import Gateway
from ansible_collections.rhpds.litellm_virtual_keys.roles.litellm_gateway.files.gatewayctl.service import Service

SETTINGS = {
    "host": "127.0.0.1",
    "ports": {"litellm": 0, "postgres": 0},
    "software": "/opt/software",
    "workers": 1,
    "start_timeout": 5,
    "backups_keep": 2,
    "database_connections": 10,
    "user": "",
    "units": {},
    "postgres_user": "",
    "postgres_bin_dir": "/opt/software/postgres/bin",
    "postgres_settings": {"fsync": "off"},
    "litellm_environment": {"STORE_MODEL_IN_DB": "True"},
}


@pytest.fixture(autouse=True)
def short_waits_for_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "WAIT_SECONDS", 0.5)
    monkeypatch.setattr(ports, "WAIT_FOR_OWN_SECONDS", 1.5)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service that is ready as soon as it runs; it ends with the test at the latest."""
    service = Service(
        title="Sleeper",
        command=[sys.executable, "-c", "import pathlib, time; pathlib.Path('ready').touch(); time.sleep(60)"],
        environment={"PATH": os.environ["PATH"], "TOKEN": "very-secret-value"},
        configuration=b"",
        log=tmp_path / "sleeper.log",
        lock=tmp_path / "sleeper.lock",
        host="127.0.0.1",
        port=ports.choose_port("127.0.0.1", ()),
        port_variable="sleeper_port",
        is_ready=lambda _pid: (tmp_path / "ready").exists(),
        start_seconds=10,
        stop_signal=signal.SIGTERM,
        working_directory=tmp_path,
        user=None,
    )
    yield service
    holder = locks.find_holder(service.lock)
    if holder and locks.has_open(holder.pid, service.lock):
        os.kill(holder.pid, signal.SIGKILL)


@pytest.fixture
def configure(tmp_path: Path) -> Callable[..., Gateway]:
    """Write gateway.json, with the given settings in place of the usual ones, and return the gateway."""

    def configure(**settings: Any) -> Gateway:
        (tmp_path / "gateway.json").write_text(json.dumps({**SETTINGS, **settings}))
        return Gateway(tmp_path)

    (tmp_path / "secrets").mkdir(mode=0o700)
    (tmp_path / "secrets" / "environment").write_text('{"PROVIDER_KEY": "given"}')
    (tmp_path / "litellm.yaml").write_text("model_list: []")
    return configure


@pytest.fixture
def gateway(configure: Callable[..., Gateway]) -> Gateway:
    """A gateway that has been configured and never started."""
    return configure()
