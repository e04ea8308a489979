# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""A real LiteLLM with a real PostgreSQL, for all tests of a worker.

Fixtures:

- ``gateway`` (whole session): a :class:`Gateway`. Other tests use it too, so a test uses names of its own for its keys. Each
  worker (see tests/conftest.py) has its own gateway, so a test may stop its database for a while.
  ``LITELLM_VIRTUAL_KEYS_TEST_GATEWAY=<litellm_gateway_dir of a running gateway>`` uses that gateway and leaves it running.
  ``LITELLM_VIRTUAL_KEYS_TEST_LITELLM=1.82.6`` installs and starts that LiteLLM, with the packages that tests/requirements pins for
  it, instead of the one that the role litellm_gateway pins.
- ``other_gateway`` (whole session): a second gateway, started when a test asks for it, or the one that
  ``LITELLM_VIRTUAL_KEYS_TEST_TARGET`` names.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible import installation
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.tools import workshop

MOCK_MODELS = ["openai/granite-3-2-8b-instruct", "openai/mistral-7b-instruct", "openai/llama-3-1-8b-instruct"]
"""The models that the shared gateway serves; the role's default."""
CACHE_TTL_SECONDS = 5
"""How long LiteLLM caches a key, in seconds (60 by default). A change to a team, or one made through another worker, is
visible after this time, so tests that wait for one stay short."""
SHARED_GATEWAY = {
    "litellm_gateway_mock_models": MOCK_MODELS,
    "litellm_gateway_general_settings": {"user_api_key_cache_ttl": CACHE_TTL_SECONDS},
    "litellm_gateway_postgres_settings": {"fsync": "off"},  # the data does not outlive the tests
}
RELEASE = os.environ.get("LITELLM_VIRTUAL_KEYS_TEST_LITELLM", "")
MODEL_REFUSED = 401 if RELEASE else 403
"""The status with which LiteLLM refuses a model that the key may not use; 1.82.6 has another than the pinned release."""
ON_THE_PINNED_RELEASE = pytest.mark.skipif(bool(RELEASE), reason="for the release of LiteLLM that the role litellm_gateway pins")
IN_COLD_RUNS = pytest.mark.skipif(not installation.COLD, reason="more of the same, for the nightly run (make integration-cold)")
GATEWAY_SOFTWARE = workshop.cache() / (f"gateway-software-{RELEASE}" if RELEASE else "gateway-software")


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold a lock that all processes sharing the cache respect."""
    folder = workshop.cache() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"{name}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Gateway:
    """A running gateway, with calls as its admin makes them."""

    def __init__(self, directory: Path) -> None:
        self.dir = directory
        self.session = requests.Session()
        self.session.trust_env = False  # no proxy on the way to loopback
        self.session.headers["Authorization"] = f"Bearer {self.master_key}"

    @property
    def connection(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.dir / "connection.json").read_text())
        return found

    @property
    def url(self) -> str:
        return str(self.connection["url"])

    @property
    def master_key(self) -> str:
        return str(self.connection["master_key"])

    @property
    def database_url(self) -> str:
        return str(self.connection["database_url"])

    @property
    def software(self) -> Path:
        """The folder in which its software is installed."""
        return Path(json.loads((self.dir / "gateway.json").read_text())["software"])

    @property
    def variables(self) -> dict[str, str]:
        """The variables with which a playbook finds the gateway."""
        return {"litellm_url": self.url, "litellm_master_key": self.master_key}

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which a module finds the gateway."""
        return {"LITELLM_BASE_URL": self.url, "LITELLM_API_KEY": self.master_key}

    # ------------------------------------------------------------------------------------------------ admin's calls
    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        """Make a call with the master key and return the answer, whatever its status."""
        return self.session.request(method, self.url + path, timeout=60, **options)

    def get(self, path: str, **parameters: Any) -> Any:
        answer = self.request("GET", path, params=parameters)
        assert answer.ok, f"GET {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def post(self, path: str, **body: Any) -> Any:
        answer = self.request("POST", path, json=body)
        assert answer.ok, f"POST {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def chat(self, key: str, model: str = MOCK_MODELS[0]) -> requests.Response:
        """Call a model with a virtual key, over a new connection."""
        return requests.post(
            f"{self.url}/v1/chat/completions",
            headers={"Authorization": f"Bearer {key}"},
            json={"model": model, "messages": [{"role": "user", "content": "Say hello."}]},
            timeout=60,
        )

    def keys(self, prefix: str) -> list[dict[str, Any]]:
        """Return the rows of all keys whose alias begins with the prefix."""
        return [key for key in self.keys_with(prefix) if (key["key_alias"] or "").startswith(prefix)]

    def keys_with(self, part: str) -> list[dict[str, Any]]:
        """Return the rows of all keys whose alias contains `part`."""
        search = {"search": part} if part else {}  # older releases ignore it and list all keys
        found, page = [], 1
        while True:
            answer = self.get("/key/list", return_full_object="true", size=100, page=page, **search)
            found += [key for key in answer["keys"] if part in (key["key_alias"] or "")]
            if page >= answer["total_pages"]:
                return found
            page += 1

    # ------------------------------------------------------------------------------------------------------ control
    def control(self, command: str, *arguments: str) -> dict[str, Any]:
        return gatewayctl(self.dir, command, *arguments)

    def stop_postgres(self) -> None:
        """Stop the database. The test must call start_postgres afterwards, also when it fails."""
        self.control("stop", "--only", "postgres")

    def start_postgres(self) -> None:
        """Start the database and wait until LiteLLM answers from it; the answer of its readiness route may be outdated."""
        self.control("start")
        deadline = time.monotonic() + 30
        while not (answer := self.request("GET", "/key/list", params={"size": 1})).ok:
            assert time.monotonic() < deadline, answer.text
            time.sleep(0.2)

    def restart(self) -> None:
        self.control("restart")


def gatewayctl(directory: Path, command: str, *arguments: str) -> dict[str, Any]:
    """Run a gateway's own control program and return the JSON that it prints."""
    done = subprocess.run(
        [sys.executable, str(directory / "gatewayctl"), str(directory), command, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"gatewayctl {command}: {done.stderr}"
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


class GatewayFolder:
    """A folder for gateways. In the end they are stopped and deleted, also those that a killed session left.

    It is not below pytest's tmp_path because PostgreSQL, which never runs as root, must be able to enter it.
    """

    PREFIX = "litellm-gateway-test-"

    def __init__(self, prefix: str = PREFIX) -> None:
        with locked("test-gateways"):  # two sessions at once would delete the same folders
            for left_over in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
                owner = int(left_over.name.removeprefix(prefix).partition("-")[0])
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(owner, 0)
                    continue
                if left_over.stat().st_uid == os.geteuid():
                    self.remove(left_over)
        self.path = Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-"))
        self.path.chmod(0o711)

    @staticmethod
    def remove(folder: Path) -> None:
        for gateway in folder.glob("*/gateway.json"):
            if (gateway.parent / "gatewayctl").exists():  # a killed session may have left anything half made
                gatewayctl(gateway.parent, "stop")
        shutil.rmtree(folder)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_problem: object) -> None:
        self.remove(self.path)


def gateway_variables(directory: Path) -> dict[str, Any]:
    """Return the variables of the role litellm_gateway for a gateway that tests share."""
    return {**SHARED_GATEWAY, **software_variables(), "litellm_gateway_dir": str(directory)}


def software_variables() -> dict[str, str]:
    """Return the variables of the role litellm_gateway that say which software to install, and where."""
    packages = {"litellm_gateway_requirements_file": str(workshop.pins(f"litellm-{RELEASE}"))} if RELEASE else {}
    return {**packages, "litellm_gateway_software_dir": str(GATEWAY_SOFTWARE)}


def linked_software(installed: Path, folder: Path) -> dict[str, str]:
    """Link the installed software below `folder` for a user who cannot reach it in a home directory; return the role's variable for it.

    Returns none where links cannot help, because its Python is in a home directory or `folder` in another file system. The role then
    installs the software again, which takes a minute of CPU time.
    """
    if not (installed / "venv/bin/python").resolve().is_relative_to("/usr") or folder.stat().st_dev != installed.stat().st_dev:
        return {}
    here = shutil.copytree(installed, folder / "software" / installed.name, symlinks=True, copy_function=os.link)
    return {"__litellm_gateway_software": str(here)}


def start_gateway(directory: Path, **more: Any) -> Gateway:
    """Start a gateway for the tests, in a folder below a GatewayFolder. `more` are further variables of the role."""
    Playbooks(directory.parent)("gateway", {**gateway_variables(directory), **more})
    return Gateway(directory)


@pytest.fixture(scope="session")
def gateway_folder() -> Iterator[Path]:
    """A folder for gateways; those that run in it are stopped at the end of the session."""
    with GatewayFolder() as folder:
        yield folder


@pytest.fixture(scope="session")
def gateway(request: pytest.FixtureRequest) -> Iterator[Gateway]:
    """The shared LiteLLM. Its start takes 15 seconds, or up to three minutes if its software must be installed first."""
    borrowed = os.environ.get("LITELLM_VIRTUAL_KEYS_TEST_GATEWAY")
    if borrowed:
        yield Gateway(Path(borrowed))
        return
    folder: Path = request.getfixturevalue("gateway_folder")
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        print("\nStarting a real LiteLLM with a real PostgreSQL (15 s; minutes the first time) ...", file=sys.stderr, flush=True)
    # The first worker installs the software, and the others find it.
    with contextlib.nullcontext() if list(GATEWAY_SOFTWARE.glob("litellm-*")) else locked("gateway-software"):
        shared = start_gateway(folder / "shared")
    yield shared


@pytest.fixture(scope="session")
def other_gateway(request: pytest.FixtureRequest) -> Gateway:
    """A second LiteLLM with a database of its own, for migrations from one to the other. Its start takes 15 seconds."""
    borrowed = os.environ.get("LITELLM_VIRTUAL_KEYS_TEST_TARGET")
    return Gateway(Path(borrowed)) if borrowed else start_gateway(request.getfixturevalue("gateway_folder") / "other")


@pytest.fixture
def unique() -> str:
    """A name that no other test uses, valid as a GUID, in an alias or as a folder."""
    return f"t{uuid.uuid4().hex[:10]}"
