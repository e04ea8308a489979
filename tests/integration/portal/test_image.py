# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What the image of portal and worker holds: built by its script, and run as a user without a name, who can write nothing of it.

No container engine builds the image here; the distribution's packages and the collections of others are left out.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import IN_COLD_RUNS, MOCK_MODELS, Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.portal import eventually
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.smtp import SmtpFactory

pytestmark = IN_COLD_RUNS
CONTAINER = Path(__file__).resolve().parents[3] / "container"
CONTAINERFILE = (CONTAINER / "Containerfile").read_text(encoding="utf-8")
NOBODY_KNOWN = 1234567
PORTAL_ADDRESS = re.compile(r"running on (http://\S+)")


@pytest.fixture(scope="module")
def image() -> Iterator[Path]:
    """The folder of the software, which everybody can reach."""
    folder = Path(tempfile.mkdtemp(prefix="image-"))
    folder.chmod(0o755)
    subprocess.run(["sh", CONTAINER / "build.sh", CONTAINER.parent, folder / "keys", sys.executable], check=True, capture_output=True, timeout=600)
    yield folder / "keys"
    shutil.rmtree(folder)


class Image:
    """Runs commands of the image in an empty home, as a user of the group root that OpenShift might choose, where this machine can."""

    def __init__(self, software: Path, home: Path) -> None:
        self.software, self.home = software, home
        home.mkdir()
        home.chmod(0o777)
        for parent in home.parents[:3]:
            parent.chmod(parent.stat().st_mode | 0o011)
        given = dict(re.findall(r"(\w+)=(\S+)", CONTAINERFILE.partition("\nENV ")[2].partition("\nUSER ")[0]))
        path = given["PATH"].replace("/usr/local/bin", str(CONTAINER / "bin"))
        self.environment = {name: value.replace("/opt/litellm-keys", str(software)) for name, value in {**given, "PATH": path, "HOME": str(home)}.items()} | {
            "LITELLM_KEYS": str(software)
        }

    def start(self, *command: str, log: Path, **variables: str) -> subprocess.Popen[bytes]:
        who = {"user": NOBODY_KNOWN, "group": 0, "extra_groups": []} if os.geteuid() == 0 else {}
        with open(log, "ab") as output:
            return subprocess.Popen(
                command,
                env={**self.environment, **variables},
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                **who,
            )

    def run(self, *command: str) -> tuple[int, str]:
        log = self.home.parent / "command.log"
        log.write_text("")
        return self.start(*command, log=log).wait(120), log.read_text(errors="replace")


@pytest.fixture
def run_image(image: Path, tmp_path: Path) -> Image:
    return Image(image, tmp_path / "home")


def test_it_has_what_jobs_need_and_nothing_that_installs(run_image: Image) -> None:
    assert run_image.run("ansible-runner", "--version")[0] == 0
    status, output = run_image.run("ansible-doc", "rhpds.litellm_virtual_keys.virtual_key", "--json")
    assert status == 0 and "rhpds.litellm_virtual_keys.virtual_key" in json.loads(output)
    assert "BEGIN CERTIFICATE" in run_image.run("sh", "-c", 'cat "$(python3 -m certifi)"')[1], "to which pods add authorities of their own"
    for venv in ("portal", "worker"):
        assert "No module named pip" in run_image.run(str(run_image.software / venv / "venv/bin/python"), "-m", "pip")[1]
    assert not (run_image.software / "node").exists() and not list(run_image.software.rglob("npm-cli.js"))


def test_portal_and_worker_make_a_key_as_a_user_without_a_name(run_image: Image, gateway: Gateway, smtp: SmtpFactory, tmp_path: Path, unique: str) -> None:
    before = {path: path.stat().st_mtime_ns for path in run_image.software.rglob("*") if path.is_dir()}
    mail, stop, beat = smtp(tls="none"), run_image.home / "stop", run_image.home / "heartbeat"
    store = {"LITELLM_KEY_REQUESTS_DIR": str(run_image.home / "requests")}
    of_gateway = {"LITELLM_BASE_URL": gateway.url, "LITELLM_MASTER_KEY": gateway.master_key}
    of_mail = {"SMTP_HOST": mail.host, "SMTP_PORT": str(mail.port), "SMTP_USE_TLS": "none"}
    extra = {
        "key_requests_stop_file": str(stop),
        "key_requests_heartbeat_file": str(beat),
        "key_requests_rules": [{"name": "email", "config": {"pattern": "*"}}],
    }
    logs = {name: tmp_path / f"{name}.log" for name in ("portal", "worker")}
    portal = run_image.start("key-portal", log=logs["portal"], PORTAL_PORT="0", PORTAL_IDENTITY="basic", ADMIN_PASSWORD="only-for-this-test", **store)
    arguments = ("--extra-vars", json.dumps(extra))
    worker = run_image.start("key-worker", *arguments, log=logs["worker"], APPROVAL_QUEUE_INTERVAL="1s", **store, **of_gateway, **of_mail)
    try:
        url = eventually(lambda: PORTAL_ADDRESS.search(logs["portal"].read_text()), 60)[1]
        assert "patternfly" in requests.get(f"{url}/ask", headers={"Accept": "text/html"}, timeout=30).text
        email = f"ann-{unique}@example.com"
        assert requests.post(f"{url}/api/request-key", json={"llm": MOCK_MODELS[0], "email": email}, timeout=30).json()["success"]
        (sent,) = eventually(lambda: mail.mailbox.of(email), 60)
        key = next(word for word in sent.part("plain").split() if word.startswith("sk-"))
        assert gateway.chat(key, MOCK_MODELS[0]).ok and beat.exists()
        stop.touch()
        assert worker.wait(30) == 0
    finally:
        for process in (portal, worker):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert {path: path.stat().st_mtime_ns for path in before} == before, "nothing was written into the image"
