# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""LiteLLM's environment: its secrets, its certificates, and where they come from."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.roles.litellm_gateway.files.gatewayctl.gateway import Gateway


def test_secrets_travel_in_the_environment_only(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not for LiteLLM")
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    gateway.directory.choose_missing()
    litellm, postgres = gateway.litellm.service(), gateway.postgres.service()
    for name in ("master_key", "salt_key", "database_password"):
        secret = gateway.directory.secret(name)
        assert secret not in " ".join(litellm.command + postgres.command)
        assert secret in " ".join(litellm.environment.values())
        assert secret not in " ".join(postgres.environment.values())
    assert litellm.environment["PROVIDER_KEY"] == "given"
    assert litellm.environment["https_proxy"] == "http://proxy:3128"
    assert "AWS_SECRET_ACCESS_KEY" not in litellm.environment
    assert "fsync=off" in postgres.command


@pytest.mark.parametrize("given", [{"http_proxy": "http://proxy:3128"}, {"ALL_PROXY": "http://proxy:3128", "NO_PROXY": "example.com, localhost"}])
@pytest.mark.parametrize("way", ["inherited", "litellm_gateway_environment"])
def test_litellm_reaches_this_machine_without_a_proxy(gateway: Gateway, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], way: str) -> None:
    """Its database client is a program on this machine, and LiteLLM would ask for it through the proxy."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    gateway.directory.choose_missing()
    assert "no_proxy" not in gateway.litellm.service().environment
    if way == "inherited":
        for name, value in given.items():
            monkeypatch.setenv(name, value)
    else:
        (gateway.directory.path / "secrets" / "environment").write_text(json.dumps(given))
    environment = gateway.litellm.service().environment
    kept = ["example.com"] if "NO_PROXY" in given else []
    for name in ("no_proxy", "NO_PROXY"):
        assert environment[name].split(",")[: len(kept)] == kept
        assert sorted(environment[name].split(",")) == sorted([*kept, "localhost", "127.0.0.1", "::1"])


@pytest.mark.parametrize(
    ("source", "given"),
    [
        (None, {"--timeout_worker_healthcheck", "--use_v2_migration_resolver", "--enforce_prisma_migration_check"}),
        ('@click.option(\n    "--enforce_prisma_migration_check",\n)', {"--enforce_prisma_migration_check"}),
        ("@click.option('--timeout_worker_healthcheck', default=None)", {"--timeout_worker_healthcheck"}),
        ("", set()),
    ],
)
def test_litellm_gets_the_options_that_its_release_has(configure: Callable[..., Gateway], tmp_path: Path, source: str | None, given: set[str]) -> None:
    """LiteLLM 1.82.6 refuses to start with two of them."""
    gateway = configure(software=str(tmp_path / "software"))
    gateway.directory.make_folders()
    gateway.directory.choose_missing()
    proxy = tmp_path / "software" / "venv" / "lib" / "python3.11" / "site-packages" / "litellm" / "proxy"
    proxy.mkdir(parents=True)
    if source is not None:
        (proxy / "proxy_cli.py").write_text(source)
    command = gateway.litellm.service().command
    assert {word for word in command if "_" in word and word.startswith("--")} - {"--num_workers"} == given
    assert [word for word in command if word == "60"] == ["60"] * ("--timeout_worker_healthcheck" in given)


def test_given_authorities_are_trusted_besides_the_usual_ones(configure: Callable[..., Gateway], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    gateway = configure(software=str(tmp_path / "software"))
    litellm = gateway.litellm
    certifi = tmp_path / "software" / "venv" / "lib" / "python3.11" / "site-packages" / "certifi"
    certifi.mkdir(parents=True)
    (certifi / "cacert.pem").write_text("the usual ones")
    gateway.directory.make_folders()
    gateway.directory.choose_missing()
    before = litellm.service()
    assert "SSL_CERT_FILE" not in before.environment
    (tmp_path / "ca.pem").write_text("the company's")
    service = litellm.service()
    assert service.fingerprint != before.fingerprint
    assert {service.environment[name] for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE")} == {str(litellm.bundle)}
    litellm.prepare()
    assert litellm.bundle.read_text() == "the usual ones\nthe company's"
    (tmp_path / "corporate.pem").write_text("those of the machine")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "corporate.pem"))
    litellm.prepare()
    assert litellm.bundle.read_text() == "those of the machine\nthe company's"
    before = litellm.service()
    (tmp_path / "ca.pem").write_text("another company's")
    assert litellm.service().fingerprint != before.fingerprint


def test_under_systemd_credentials_are_read_first_and_the_callers_environment_is_not(
    configure: Callable[..., Gateway], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = configure(user=pwd.getpwuid(os.geteuid()).pw_name)
    gateway.directory.make_folders()
    gateway.directory.choose_missing()
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "master_key").write_text("sk-handed-over")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    service = gateway.litellm.service()
    assert service.environment["LITELLM_MASTER_KEY"] == "sk-handed-over"
    assert "https_proxy" not in service.environment
