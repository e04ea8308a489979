# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The settings: what the environment and config.yaml say, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal import __main__ as program
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.settings import DEFAULT_PASSWORD, Settings, load_settings

README = Path(program.__file__).with_name("README.md")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def write(**entries: Any) -> None:
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(entries))
        monkeypatch.setenv("CONFIG_FILE", str(tmp_path / "config.yaml"))

    return write


def test_without_anything() -> None:
    settings, site = load_settings()
    assert (settings.host, settings.port, settings.store, settings.origins) == ("127.0.0.1", 8000, "file", ["http://localhost:5174"])
    assert (settings.admin_username, settings.admin_password.get_secret_value(), settings.has_default_password) == ("admin", DEFAULT_PASSWORD, True)
    assert (settings.tell_state, settings.interval_seconds, site.models, site.with_served) == (False, 30, (), True)


def test_the_environment_counts_more_than_the_file(config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    config(
        admin={"username": "root", "password": "from the file"},
        approval={"queue_interval": "5m"},
        kubernetes={"namespace": "keys"},
        litellm={"enable_litellm_models": False},
        models=[{"id": "granite"}],
    )
    settings, site = load_settings()
    assert (settings.admin_username, settings.admin_password.get_secret_value()) == ("root", "from the file")
    assert (settings.interval_seconds, settings.namespace, site.with_served, site.models[0].title) == (300, "keys", False, "Granite")
    for name, value in {
        "ADMIN_USERNAME": "ann",
        "ADMIN_PASSWORD": "secret",
        "APPROVAL_QUEUE_INTERVAL": "2h",
        "KUBERNETES_NAMESPACE": "own",
        "ENABLE_LITELLM_MODELS": "true",
    }.items():
        monkeypatch.setenv(name, value)
    settings, site = load_settings()
    assert (settings.admin_username, settings.admin_password.get_secret_value()) == ("ann", "secret")
    assert (settings.interval_seconds, settings.namespace, site.with_served) == (7200, "own", True)


@pytest.mark.parametrize("value", [False, "false", "no", "off"])
def test_models_of_litellm_can_be_left_out(config: Any, value: Any) -> None:
    config(enable_litellm_models=value)
    assert load_settings()[1].with_served is False


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "keys.example.com"])
def test_the_documented_password_is_refused_outside_of_loopback(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("PORTAL_HOST", host)
    monkeypatch.setenv("PORTAL_URL", "https://keys.example.com")
    with pytest.raises(ValueError, match="set ADMIN_PASSWORD"):
        load_settings()
    monkeypatch.setenv("ADMIN_PASSWORD", DEFAULT_PASSWORD)
    with pytest.raises(ValueError, match="set ADMIN_PASSWORD"):
        load_settings()
    monkeypatch.setenv("ADMIN_PASSWORD", "another")
    assert load_settings()[0].host == host


@pytest.mark.parametrize("name", ["LITELLM_MASTER_KEY", "LITELLM_API_KEY", "LITELLM_DERIVATION_SECRET"])
def test_secrets_of_the_worker_are_dropped(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str) -> None:
    monkeypatch.setenv(name, "sk-very-secret")
    load_settings()
    assert name not in os.environ
    assert name in caplog.text and "very-secret" not in caplog.text


def test_the_gateways_key_in_the_file_is_noticed(config: Any, caplog: pytest.LogCaptureFixture) -> None:
    config(litellm={"api_key": "sk-very-secret"})
    settings, _site = load_settings()
    assert "gateway's key" in caplog.text and "very-secret" not in caplog.text + repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORTAL_PORT", "http"), ("PORTAL_PORT", "70000"), ("PORTAL_STORE", "redis"), ("PORTAL_LARGEST_BODY", "1"), ("PORTAL_TELL_STATE", "perhaps")],
)
def test_a_setting_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("ADMIN_PASSWORD", "hidden-password")
    assert program.main() == 1
    said = capsys.readouterr().err
    assert name in said and "hidden-password" not in said and "Traceback" not in said


@pytest.mark.parametrize("value", ["oauth", "basic,magic", ",", "basic;link"])
def test_an_unknown_method_of_identity(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("PORTAL_IDENTITY", value)
    with pytest.raises(ValueError, match="PORTAL_IDENTITY is"):
        load_settings()


@pytest.mark.parametrize("entries", [{"models": {"id": "x"}}, {"models": ["x"]}, {"models": [{"title": "x"}]}, {"admin": {"password": ["x"]}}])
def test_a_file_that_cannot_be_meant(config: Any, entries: dict[str, Any]) -> None:
    config(**entries)
    with pytest.raises(ValueError, match=r"config\.yaml"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PORTAL_SECRET", "s" * 31, "PORTAL_SECRET has 31 characters"),
        ("PORTAL_URL", "keys.example.com", "PORTAL_URL is"),
        ("PORTAL_URL", "https://keys.example.com/portal", "without a path"),
        ("PORTAL_HOST", "0.0.0.0", "set PORTAL_URL"),
        ("PORTAL_LANGUAGE", "tlh", "PORTAL_LANGUAGE is 'tlh'"),
        ("PORTAL_ADMINS", "boss", "PORTAL_ADMINS is"),
        ("PORTAL_MAILS_PER_ADDRESS", "often", "PORTAL_MAILS_PER_ADDRESS is"),
    ],
)
def test_settings_of_pages_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str) -> None:
    monkeypatch.setenv("ADMIN_PASSWORD", "another")
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=said) as error:
        load_settings()
    assert name != "PORTAL_SECRET" or value not in str(error.value)


@pytest.mark.parametrize(
    ("url", "host", "secure"),
    [
        ("https://keys.example.com", "127.0.0.1", True),
        ("http://keys.example.com", "0.0.0.0", True),
        ("", "127.0.0.1", False),
        ("http://localhost:8000", "::", False),
    ],
)
def test_cookies_go_over_https_only_except_on_this_machine(url: str, host: str, secure: bool) -> None:
    settings = Settings(url=url, host=host)
    assert (settings.secure_cookies, settings.cookie("session")) == (secure, "__Host-portal-session" if secure else "portal-session")


def test_the_readme_names_every_variable() -> None:
    text = README.read_text(encoding="utf-8")
    assert [name for field in Settings.model_fields.values() if f"| `{(name := str(field.validation_alias))}` |" not in text] == []
