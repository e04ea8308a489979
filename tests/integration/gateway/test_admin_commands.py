# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""An admin's day with playbooks alone: set a provider's key, create a project's key, list both, and delete the key."""

from __future__ import annotations

import json
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import PlaybookRun, Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import Gateway

PROVIDER_KEY = "tOp-provider-secret-8815"
PLAIN = {"ANSIBLE_STDOUT_CALLBACK": "rhpds.litellm_virtual_keys.plain"}


class Admin:
    """Runs commands as an admin does: the environment names the gateway, and the terminal shows the answer."""

    def __init__(self, gateway: Gateway, playbook: Playbooks, name: str) -> None:
        self.gateway, self.playbook, self.name = gateway, playbook, name
        self.slowest = 0.0

    def __call__(self, command: str, *arguments: str, check: bool = True, **environment: str) -> PlaybookRun:
        started = time.monotonic()
        done = self.playbook(command, {}, *arguments, check=check, environment={**PLAIN, **self.gateway.environment, **environment})
        self.slowest = max(self.slowest, time.monotonic() - started)
        assert self.gateway.master_key not in done.output and PROVIDER_KEY not in done.output
        return done


@pytest.fixture
def admin(gateway: Gateway, playbook: Playbooks, unique: str) -> Iterator[Admin]:
    yield Admin(gateway, playbook, unique)
    for row in gateway.get("/v2/model/info", size=1000)["data"]:
        if unique in row["model_name"]:
            gateway.request("POST", "/model/delete", json={"id": row["model_info"]["id"]})
    gateway.request("DELETE", f"/credentials/{unique}")
    tokens = [row["token"] for row in gateway.keys(f"project-{unique}")]
    if tokens:
        gateway.post("/key/delete", keys=tokens)


def test_an_admins_day(admin: Admin, tmp_path: Path) -> None:
    name = admin.name
    provider = ("-e", "provider=openai", "-e", f"credential={name}", "-e", f"models={name}-small,{name}-large")
    predicted = admin("set_provider_key", *provider, "--check", PROVIDER_KEY=PROVIDER_KEY).output
    assert f"key {name} (openai): created" in predicted and name not in admin("list_provider_keys").output
    assert admin("set_provider_key", *provider, PROVIDER_KEY=PROVIDER_KEY).output.count("created") == 3
    key_file = tmp_path / "provider.key"
    key_file.write_text(f"{PROVIDER_KEY}-next\n")
    turned = admin("set_provider_key", *provider, "-e", f"key_file={key_file}").output
    assert f"key {name} (openai): updated" in turned and turned.count("unchanged") == 2

    listed = admin("list_provider_keys").output
    assert next(line for line in listed.splitlines() if line.startswith(name)).split() == [name, "openai", "tO****xt", f"{name}-large,", f"{name}-small"]
    assert name in {key["name"] for key in json.loads(from_json(admin("list_provider_keys", "-e", "output=json").output))}

    project = ("-e", f"project='{name} Überblick'", "-e", f"models={name}-small")
    alias = f"project-{name}-berblick"
    made = admin("create_project_key", *project, "-e", f"file={tmp_path / 'mine.env'}")
    env = tmp_path / "mine.env"
    value = next(line for line in env.read_text().splitlines() if "OPENAI_API_KEY" in line).split("'")[1]
    assert alias in made.output and "100 requests a minute" in made.output and value not in made.output
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    (row,) = admin.gateway.keys(alias)
    assert (row["models"], row["rpm_limit"], row["metadata"]["project"]) == ([f"{name}-small"], 100, f"{name} Überblick")
    assert row["allowed_routes"] == ["openai_routes", "anthropic_routes", "google_routes"]
    assert admin.gateway.chat(value, f"{name}-small").status_code != 403
    passed_on = requests.get(f"{admin.gateway.url}/openai/models", headers={"Authorization": f"Bearer {value}"}, timeout=30)
    assert (passed_on.status_code, "allowed" in passed_on.text) == (403, True), passed_on.text
    again = admin("create_project_key", *project, "-e", "show=true", "-e", "tier=premium")
    assert value in again.output, "the same key, printed when asked for"
    assert admin.gateway.keys(alias)[0]["rpm_limit"] == 1000

    taken = admin("create_project_key", "-e", f"project={name}-berblick", check=False)
    assert taken.returncode and "belongs to the project" in taken.output

    assert alias in admin("list_virtual_keys").output
    assert admin.gateway.chat(value, f"{name}-small").status_code != 401
    assert "the gateway refuses it" in admin("revoke_virtual_key", "-e", f"project='{name} Überblick'").output
    assert admin.gateway.chat(value, f"{name}-small").status_code == 401
    assert "there is no such key" in admin("revoke_virtual_key", "-e", f"alias={alias}").output


def from_json(output: str) -> str:
    """Return the answer, without the title, which goes to standard error."""
    return output[output.index("[") :]


@pytest.mark.parametrize(
    ("command", "arguments", "words"),
    [
        ("set_provider_key", [], "Name the provider"),
        ("set_provider_key", ["-e", "provider=opnai"], "did you mean openai"),
        ("create_project_key", ["-e", "project=ÄÖ"], "a letter from a to z"),
        ("create_project_key", ["-e", "project=x", "-e", "duration=often"], "FAILED: duration"),
        ("approve", [], "Name the request by its id in request_id"),
        ("deny", ["-e", "reason=no"], "Name the request by its id in request_id"),
        ("request", ["-e", "package=ai-developer"], "Give the address of the person who asks"),
        ("revoke_virtual_key", ["-e", "project=My Project"], "in quotes twice"),
    ],
)
def test_an_impossible_command_fails_with_a_reason(admin: Admin, command: str, arguments: list[str], words: str) -> None:
    done = admin(command, *arguments, check=False, PROVIDER_KEY=PROVIDER_KEY)
    assert done.returncode and words in done.output
