# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Dex, a real OpenID Connect provider, with people and groups of a test: `support/dex/main.go`, built once into the project's cache."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urljoin

import requests
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.kubernetes import build
from ansible_collections.rhpds.litellm_virtual_keys.tests.tools import workshop

SOURCE = Path(__file__).parents[1] / "dex"
CLIENT, SECRET, PASSWORD = "portal", "the-secret-of-the-portal", "correct-horse"
_FORM = re.compile(r'<form method="post" action="([^"]+)"')


@dataclass(frozen=True)
class DexPerson:
    """Somebody whom Dex knows."""

    name: str
    email: str
    groups: Sequence[str] = field(default_factory=list)
    verified: bool = True


def dex_program() -> Path:
    """Return Dex, after building it if necessary. Raises `build.Unavailable`."""
    recipe = b"".join((SOURCE / name).read_bytes() for name in ("main.go", "go.mod", "go.sum"))
    target = workshop.cache() / "dex" / f"dex-{hashlib.sha256(recipe).hexdigest()[:12]}"
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target.parent / "build.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            scratch = Path(tempfile.mkdtemp(prefix=".building-", dir=target.parent))
            try:
                build.build_program(".", scratch / "dex", folder=SOURCE, go_folder=workshop.cache() / "kube")
                (scratch / "dex").rename(target)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    return target


def free_port() -> int:
    """Return a port for a portal whose address Dex must know before either of them is started."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class DexProcess:
    """A running Dex. Started again, it keeps its address and has other keys."""

    def __init__(self, folder: Path, people: Sequence[DexPerson], redirect: str, token_seconds: int = 3600) -> None:
        self.issuer = ""
        self._log = folder / "dex.log"
        self._setup = {
            "Listen": "127.0.0.1:0",
            "Client": CLIENT,
            "Secret": SECRET,
            "Redirect": redirect,
            "TokenSeconds": token_seconds,
            "People": [{**asdict(person), "password": PASSWORD} for person in people],
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen([dex_program()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env={"PATH": os.environ["PATH"]})
        assert self._process.stdin is not None and self._process.stdout is not None
        with self._process.stdin as given:
            given.write(json.dumps(self._setup).encode())
        said = self._process.stdout.readline().decode()
        assert said.startswith("issuer http"), self._log.read_text(errors="replace")
        self.issuer = said.split()[1]
        self._setup["Listen"] = self.issuer.split("/")[2]

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(10)
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def sign_in(self, address: str, name: str) -> str:
        """Sign in as somebody who was sent to `address`, and return where Dex sends them back to."""
        with requests.Session() as browser:
            browser.trust_env = False
            page = browser.get(address, timeout=30)
            assert page.status_code == 200, page.text[:500]
            (form,) = _FORM.findall(page.text)
            answer = browser.post(urljoin(page.url, form.replace("&amp;", "&")), data={"login": name, "password": PASSWORD}, timeout=30, allow_redirects=False)
            while (where := answer.headers["location"]).startswith("/dex/"):
                answer = browser.get(urljoin(page.url, where), timeout=30, allow_redirects=False)
            return str(where)


@contextmanager
def running_dex(folder: Path, people: Sequence[DexPerson], redirect: str, **options: int) -> Iterator[DexProcess]:
    """Run Dex while the block runs. It sends people back to `redirect`."""
    dex = DexProcess(folder, people, redirect, **options)
    dex.start()
    try:
        yield dex
    finally:
        dex.stop()
