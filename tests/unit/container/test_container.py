# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The image, and the compose file that runs it, read from their files: pinned, unprivileged, and each secret where it belongs."""

from __future__ import annotations

import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
CONTAINER = ROOT / "container"
COMPOSE = yaml.safe_load((CONTAINER / "compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("portal", "worker")
SECRETS = ("DATABASE_PASSWORD", "MASTER_KEY", "SALT_KEY", "DERIVATION_SECRET", "PORTAL_SECRET", "ADMIN_PASSWORD")
PINNED = re.compile(r"[a-z0-9._/-]+:(?!latest)v?\d+\.\d[\w.-]*")


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Containerfile, each with its arguments in one line."""
    text = re.sub(r"^#.*\n", "", (CONTAINER / "Containerfile").read_text(encoding="utf-8"), flags=re.MULTILINE).replace("\\\n", " ")
    return [(name, " ".join(rest.split())) for name, _blank, rest in (line.partition(" ") for line in text.splitlines() if line)]


def last_stage() -> list[tuple[str, str]]:
    found = instructions()
    return found[max(number for number, (name, _rest) in enumerate(found) if name == "FROM") :]


def version() -> str:
    return str(yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["version"])


def test_base_images_are_pinned() -> None:
    assert [rest for name, rest in instructions() if name == "FROM"] == ["${BASE} AS runtime", "runtime AS build", "runtime"]
    (base,) = [rest.removeprefix("BASE=") for name, rest in instructions() if name == "ARG"]
    workflow = (ROOT / ".github" / "workflows" / "image.yml").read_text(encoding="utf-8")
    bases = re.findall(r"base: (\S+)", workflow)
    assert bases[0] == base and all(PINNED.fullmatch(each) for each in bases)


def test_it_runs_unprivileged_and_holds_nothing_that_builds() -> None:
    stage = last_stage()
    assert [rest for name, rest in stage if name == "USER"] == ["1001:0"]
    assert [rest for name, rest in stage if name == "COPY"] == ["--from=build /opt/litellm-keys /opt/litellm-keys", "container/bin /usr/local/bin/"]
    assert not [rest for name, rest in stage if name == "RUN" and re.search(r"dnf|apt|pip|npm|curl", rest)]
    assert "ADD" not in {name for name, _rest in instructions()}


def test_what_is_copied_exists_and_is_all_that_the_collection_consists_of() -> None:
    copied = {source for name, rest in instructions() if name == "COPY" and "--from" not in rest for source in rest.split()[:-1]}
    assert [source for source in copied if not (ROOT / source).exists()] == []
    script = (CONTAINER / "build.sh").read_text(encoding="utf-8")
    (parts,) = re.findall(r"for part in (.+); do", script)
    assert set(parts.split()) == copied - {"container", "container/bin", "container/install-python.sh"}


@pytest.mark.parametrize("script", [*CONTAINER.glob("*.sh"), *CONTAINER.glob("bin/*")], ids=lambda path: path.name)
def test_scripts_are_programs_of_any_shell(script: Path) -> None:
    assert script.read_text(encoding="utf-8").startswith("#!/bin/sh\n") and script.stat().st_mode & stat.S_IXUSR
    assert subprocess.run(["sh", "-n", script], check=False).returncode == 0


def test_packages_have_their_hashes() -> None:
    text = (CONTAINER / "requirements.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    packages = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(packages) > 30 and all("==" in line and "--hash=sha256:" in line for line in packages)
    worker = (ROOT / "roles" / "key_portal" / "files" / "worker" / "requirements.txt").read_text(encoding="utf-8")
    (core,) = re.findall(r"^ansible-core==\S+", worker, re.MULTILINE)
    assert f"\n{core} " in text, "the worker runs on the ansible-core that the role tests"
    for name in (ROOT / "meta" / "ee-requirements.txt").read_text(encoding="utf-8").split("\n"):
        assert not name or name.startswith("#") or f"\n{name}==" in text, name


def test_images_in_compose_are_pinned_to_what_the_tests_run() -> None:
    images = {name: service["image"] for name, service in SERVICES.items()}
    assert {images[name] for name in OURS} == {f"${{IMAGE:-litellm-virtual-keys:{version()}}}"}
    assert all(PINNED.fullmatch(image) for name, image in images.items() if name not in OURS), images
    litellm = re.findall(r"litellm\[proxy\]==(\S+)", (ROOT / "roles" / "litellm_gateway" / "files" / "requirements.in").read_text(encoding="utf-8"))
    assert images["gateway"].rpartition(":v")[2] == litellm[0]
    catcher = yaml.safe_load((ROOT / "tests" / "tools" / "mail_catcher" / "package.json").read_text(encoding="utf-8"))
    assert images["mails"].rpartition(":")[2] == catcher["dependencies"]["maildev"]


@pytest.mark.parametrize("name", OURS)
def test_ours_are_hardened(name: str) -> None:
    service = SERVICES[name]
    assert (service["read_only"], service["cap_drop"], service["security_opt"]) == (True, ["ALL"], ["no-new-privileges:true"])
    assert service["command"][0] in {path.name for path in (CONTAINER / "bin").iterdir()}


def test_no_secret_is_in_the_file_and_each_is_asked_for() -> None:
    text = (CONTAINER / "compose.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"\$\{(\w+):\?", text)) == set(SECRETS)
    given = [line.partition("=") for line in (CONTAINER / "env.example").read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    assert [name for name, _equals, _value in given] == list(SECRETS) and not any(value for _name, _equals, value in given)
    assert "/container/.env" in (ROOT / ".gitignore").read_text(encoding="utf-8").split()


def test_the_portal_has_no_secret_of_the_gateway_and_no_way_to_it() -> None:
    portal = str(SERVICES["portal"]["environment"])
    assert not [name for name in ("DATABASE_PASSWORD", "MASTER_KEY", "SALT_KEY", "DERIVATION_SECRET") if name in portal]
    assert set(SERVICES["portal"]["networks"]).isdisjoint({*SERVICES["gateway"]["networks"], *SERVICES["database"]["networks"]})
    assert all(port.startswith("127.0.0.1:") for service in SERVICES.values() for port in service.get("ports", ()))
    assert {name for name, service in SERVICES.items() if service.get("ports")} == {"gateway", "portal", "mails"}


def test_images_are_published_for_tags_only() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "image.yml").read_text(encoding="utf-8"))
    assert workflow[True] == {"push": {"tags": ["v*"]}}, "YAML reads `on` as true"
    assert workflow["permissions"] == {"contents": "read"}
    steps = [step.get("uses", step.get("run", "")) for step in workflow["jobs"]["image"]["steps"]]
    scan, push = (next(number for number, step in enumerate(steps) if word in step) for word in ("trivy-action@", "docker push"))
    assert scan < push and len([step for step in steps if "push" in step and "build-push" not in step]) == 1
