# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Certificates: which the portal takes, and what follows from having one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal import tls
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.settings import load_settings
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.tls import check_certificate
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.tls import server_files
from cryptography.hazmat.primitives import serialization

NAMES = ("THE_CERTIFICATE", "THE_KEY")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return server_files(tmp_path)


def refusal(certificate: Path, key: Path) -> str:
    with pytest.raises(ValueError, match="THE_") as error:
        check_certificate(str(certificate), str(key), *NAMES)
    return str(error.value)


def test_a_certificate_with_its_key_and_its_authority(files: Path) -> None:
    check_certificate(str(files / "server.crt"), str(files / "server.key"), *NAMES)
    chain = files / "chain.pem"
    chain.write_text((files / "server.crt").read_text() + (files / "ca.crt").read_text())
    check_certificate(str(chain), str(files / "server.key"), *NAMES)
    chain.write_text((files / "ca.crt").read_text() + (files / "server.crt").read_text())
    assert "does not belong to the first certificate" in refusal(chain, files / "server.key")


def test_what_cannot_be_used_is_named(files: Path) -> None:
    certificate, key = files / "server.crt", files / "server.key"
    assert refusal(files / "missing.crt", key).startswith(f"THE_CERTIFICATE is '{files}/missing.crt', which cannot be read (No such file")
    assert refusal(certificate, files).startswith(f"THE_KEY is '{files}', which cannot be read (Is a directory)")
    assert "THE_CERTIFICATE" in refusal(key, key) and "holds no certificate" in refusal(key, key)
    assert "THE_KEY" in refusal(certificate, certificate) and "holds no private key" in refusal(certificate, certificate)
    assert refusal(certificate, files / "other.key").startswith(f"The key in '{files}/other.key' does not belong to the first certificate")
    loaded = serialization.load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(
        loaded.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"some password"))
    )
    assert "whose key needs a password" in refusal(certificate, key)


def test_the_role_runs_the_file_alone(files: Path) -> None:
    """Standard library only, and nothing of the key in what it says."""
    command = [sys.executable, "-I", "-c", Path(tls.__file__).read_text()]
    good = [str(files / "server.crt"), str(files / "server.key"), *NAMES]
    done = subprocess.run([*command, *good], capture_output=True, text=True, check=False, env={})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = subprocess.run([*command, good[0], str(files / "other.key"), *NAMES], capture_output=True, text=True, check=False, env={})
    assert done.returncode == 1 and done.stderr.startswith("The key in ") and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"PORTAL_TLS_CERTIFICATE_FILE": "server.crt"}, "Only one of PORTAL_TLS_CERTIFICATE_FILE and PORTAL_TLS_KEY_FILE"),
        ({"PORTAL_TLS_KEY_FILE": "server.key"}, "Only one of"),
        ({"PORTAL_TLS_CERTIFICATE_FILE": "server.crt", "PORTAL_TLS_KEY_FILE": "other.key"}, "does not belong"),
        (
            {"PORTAL_TLS_CERTIFICATE_FILE": "server.crt", "PORTAL_TLS_KEY_FILE": "server.key", "PORTAL_URL": "http://localhost:8000"},
            "but the portal serves HTTPS",
        ),
        ({"PORTAL_TRUSTED_PROXIES": "127.0.0.1, proxy.example.com"}, "PORTAL_TRUSTED_PROXIES has 'proxy.example.com'"),
        ({"PORTAL_TRUSTED_PROXIES": "*", "PORTAL_IDENTITY": "proxy"}, "trusts everybody"),
    ],
)
def test_settings_of_connections_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch, files: Path, variables: dict[str, str], said: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, str(files / value) if name.endswith("_FILE") else value)
    with pytest.raises(ValueError, match=said):
        load_settings()


@pytest.mark.parametrize("url", ["", "https://localhost:8000"])
def test_with_a_certificate_cookies_go_over_https_only(monkeypatch: pytest.MonkeyPatch, files: Path, url: str) -> None:
    monkeypatch.setenv("PORTAL_TLS_CERTIFICATE_FILE", str(files / "server.crt"))
    monkeypatch.setenv("PORTAL_TLS_KEY_FILE", str(files / "server.key"))
    monkeypatch.setenv("PORTAL_URL", url)
    settings, _site = load_settings()
    assert settings.secure_cookies and settings.cookie("session") == "__Host-portal-session"
