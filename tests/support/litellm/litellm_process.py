# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""LiteLLM processes beside the shared gateway: one without a database, and a second replica on the same one."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import MOCK_MODELS, Gateway

START_SECONDS = 120
PROVIDERS = ("openai", "hosted_vllm")
"""Providers that LiteLLM knows, of those in the tests' models: it leaves out a model without one."""


@dataclass(frozen=True)
class LitellmProcess:
    """A LiteLLM that runs beside the shared gateway."""

    url: str
    master_key: str


def mock_model(name: str, *groups: str) -> dict[str, Any]:
    """Return a model of LiteLLM's configuration that calls no provider, and is in these access groups."""
    prefix, slash, rest = name.rpartition("/")
    model = name if prefix in PROVIDERS else f"openai/{rest if slash else name}"
    return {"model_name": name, "litellm_params": {"model": model, "mock_response": "Hello."}, "model_info": {"access_groups": list(groups)}}


@contextlib.contextmanager
def running_litellm(
    gateway: Gateway,
    folder: Path,
    *,
    database: bool,
    settings: Mapping[str, Any] | None = None,
    models: Sequence[Mapping[str, Any]] | None = None,
) -> Iterator[LitellmProcess]:
    """Run a LiteLLM with the software and the master key of `gateway`, and with its database if `database` is true.

    `settings` are its `general_settings`, which may name Python files in `folder`, `models` its list of models (as in `mock_model`).
    """
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    installed = json.loads((gateway.dir / "gateway.json").read_text())
    configuration = folder / "litellm.yaml"
    model_list = [dict(model) for model in models or [mock_model(name) for name in MOCK_MODELS]]
    configuration.write_text(yaml.safe_dump({"model_list": model_list, "general_settings": dict(settings or {})}))
    environment = {
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "LITELLM_MASTER_KEY": gateway.master_key,
        **installed["litellm_environment"],
        **({"DATABASE_URL": gateway.database_url} if database else {"STORE_MODEL_IN_DB": "False"}),
    }
    command = [str(Path(installed["software"], each)) for each in ("venv/bin/python", "bin/serve_litellm.py")]
    command += ["--config", str(configuration)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--num_workers", "1", "--telemetry", "False"]
    log = folder / "litellm.log"
    descriptor = os.open(log, os.O_CREAT | os.O_WRONLY, 0o600)
    process = subprocess.Popen(command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=descriptor, stderr=descriptor)
    os.close(descriptor)
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + START_SECONDS
        while not _answers(url):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()[-3000:]
            time.sleep(0.3)
        yield LitellmProcess(url, gateway.master_key)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    with contextlib.suppress(requests.RequestException):
        return requests.get(f"{url}/health/readiness", timeout=5).ok
    return False


@pytest.fixture(scope="module")
def without_database(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LitellmProcess]:
    """A LiteLLM without a database, shared by the tests of a file."""
    with running_litellm(gateway, tmp_path_factory.mktemp("no-database"), database=False) as litellm:
        yield litellm
