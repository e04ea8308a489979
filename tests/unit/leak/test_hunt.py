# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The hunt finds secrets that are planted for it; only then does a hunt without findings prove anything."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.leak.hunt import Leak, Place, Secrets, Watch, leaks_in_files

PASSWORD = "correct horse battery staple"
MASTER = "sk-master-0123456789abcdef"
KEY = "sk-" + "k" * 43


@pytest.fixture
def secrets() -> Secrets:
    return Secrets({"password": PASSWORD, "master key": MASTER})


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (f"the password is {PASSWORD}!", {"password"}),
        (f"key={MASTER}", {"master key"}),
        (f'{{"value": "{KEY}"}}', {"a key"}),
        (f"{MASTER} {KEY} {PASSWORD}", {"a key", "master key", "password"}),
        ("sk-*** and sk-... and ********", set()),
        *((base64.b64encode(b"x" * before + PASSWORD.encode() + b"y" * after).decode(), {"password"}) for before in range(4) for after in range(4)),
    ],
)
def test_secrets_are_found_as_they_are_and_in_base64(secrets: Secrets, content: str, names: set[str]) -> None:
    assert secrets.found_in(content.encode()) == names


def leaks_of(secrets: Secrets, program: str, *arguments: str, environment: Mapping[str, str]) -> set[Leak]:
    """Return the leaks of a child of a process that waits until it is watched. Processes of other tests, with other keys, may still run."""
    starter = "import subprocess, sys; sys.stdin.read(); subprocess.run([sys.executable, '-c', *sys.argv[1:]], check=True)"
    with subprocess.Popen([sys.executable, "-c", starter, program, *arguments], env=environment, stdin=subprocess.PIPE) as ancestor:
        with Watch(secrets, ancestor.pid) as watch:
            ancestor.communicate()
    assert ancestor.returncode == 0
    return watch.leaks


def test_arguments_and_environments_of_grandchildren_are_seen(secrets: Secrets) -> None:
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(0.5)', sys.argv[1]], env={'PASSWORD': sys.argv[2]})"
    leaks = leaks_of(secrets, child, MASTER, PASSWORD, environment={})
    assert {leak.secret for leak in leaks} == {"master key", "password"}
    assert {leak.place.split(" of ")[0] for leak in leaks} == {"the cmdline", "the environ"}


def test_unrelated_processes_are_not_searched(secrets: Secrets) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()", KEY], stdin=subprocess.PIPE, text=True) as other:
        assert leaks_of(secrets, "import time; time.sleep(0.2)", environment={}) == set()
        other.communicate("\n")


@pytest.mark.parametrize(
    ("service", "environment", "arguments", "leaks"),
    [
        ("litellm", MASTER, "", set()),
        ("litellm", PASSWORD, "", {"password"}),
        ("litellm", "", MASTER, {"master key"}),
        ("postgres", MASTER, "", {"master key"}),
    ],
)
def test_litellm_has_its_own_secrets_in_its_environment_and_nowhere_else(
    secrets: Secrets, service: str, environment: str, arguments: str, leaks: set[str]
) -> None:
    child_environment = {"LITELLM_GATEWAY_LOCK": f"/gateway/run/{service}.lock", "SECRET": environment}
    found = leaks_of(secrets, "import time; time.sleep(0.5)", arguments, environment=child_environment)
    assert {leak.secret for leak in found} == leaks


def test_files_hold_only_what_they_are_meant_to_and_for_their_owner_only(secrets: Secrets, tmp_path: Path) -> None:
    meant = [Place(r"output/.*\.yaml", frozenset({"a key"}))]
    (tmp_path / "output").mkdir()
    for name, content, mode in (
        ("output/own.yaml", KEY, 0o600),
        ("output/open.yaml", KEY, 0o644),
        ("output/too-much.yaml", MASTER, 0o600),
        ("log", KEY, 0o600),
    ):
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(mode)
    assert set(leaks_in_files(tmp_path, secrets, meant)) == {
        Leak("a key", "the file log"),
        Leak("a key", "the file output/open.yaml, which others can read"),
        Leak("master key", "the file output/too-much.yaml"),
    }
