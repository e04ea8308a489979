# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""TLS: private authorities, client certificates, and certificates that are refused."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
import subprocess
from pathlib import Path

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm import errors
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.scripted import Exchange, ScriptedGateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.plugins.module_utils.litellm.client_parts import (
    MODELS,
    OK,
    client_of,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Authority:
    """A certificate authority that writes its certificates into a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.file = self._write(name, self._sign(self._name, self._key, True))

    def _sign(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, authority: bool) -> bytes:
        now = dt.datetime.now(dt.UTC)
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        usage = x509.KeyUsage(
            digital_signature=not authority,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=authority,
            crl_sign=authority,
            encipher_only=False,
            decipher_only=False,
        )
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(hours=1))
            .add_extension(address, critical=False)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(usage, critical=True)  # required of an authority since Python 3.13
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM)

    def _write(self, name: str, content: bytes) -> Path:
        file = self._folder / f"{name}.pem"
        file.write_bytes(content)
        return file

    def issue(self, name: str) -> tuple[Path, Path]:
        """Issue a certificate; return its file and the file of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return self._write(f"{name}-cert", self._sign(subject, key, False)), self._write(f"{name}-key", secret)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"), "an-authority-of-the-lab")


@pytest.fixture
def tls(authority: Authority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("gateway"))
    return context


def test_a_certificate_of_an_unknown_authority_is_refused(tls: ssl.SSLContext, waits: list[float]) -> None:
    with ScriptedGateway(tls=tls) as gateway:
        with pytest.raises(errors.TlsFailed, match="self-signed certificate|unable to get.*issuer") as caught:
            client_of(gateway.url, waits).get("/models")
        assert "ca_path" in str(caught.value) and gateway.requests == []
    assert waits == [], "a retry would not help"


def test_ca_path(tls: ssl.SSLContext, authority: Authority) -> None:
    with ScriptedGateway(Exchange("GET", "/models", reply=OK), Exchange("GET", "/models", reply=MODELS), tls=tls) as gateway:
        client = client_of(gateway.url, ca_path=str(authority.file))
        client.get("/models")
        assert client.accepts("sk-some-value-0123456")


def test_the_certificate_of_another_host_is_refused(authority: Authority, tls: ssl.SSLContext) -> None:
    with ScriptedGateway(tls=tls) as gateway:
        url = gateway.url.replace("127.0.0.1", "localhost")
        with pytest.raises(errors.TlsFailed, match="ca_path|name"):
            client_of(url, ca_path=str(authority.file)).get("/models")


def test_validate_certs_off(tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/etc/hostname")
    with ScriptedGateway(Exchange("GET", "/models", reply=OK), tls=tls) as gateway:
        with pytest.warns(Warning, match="Unverified HTTPS"):
            client_of(gateway.url, validate_certs=False).get("/models")


def test_a_ca_file_without_a_certificate_is_refused(tls: ssl.SSLContext, tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing\n")
    with ScriptedGateway(tls=tls) as gateway:
        with pytest.raises(errors.TlsFailed):
            client_of(gateway.url, ca_path=str(empty)).get("/models")


def test_a_client_certificate(tls: ssl.SSLContext, authority: Authority) -> None:
    tls.load_verify_locations(authority.file)
    tls.verify_mode = ssl.CERT_REQUIRED
    certificate, key = authority.issue("caller")
    both = certificate.with_name("both.pem")
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    with ScriptedGateway(*[Exchange("GET", "/models", reply=OK)] * 2, tls=tls) as gateway:
        ca = str(authority.file)
        client_of(gateway.url, ca_path=ca, client_cert=str(certificate), client_key=str(key)).get("/models")
        client_of(gateway.url, ca_path=ca, client_cert=str(both)).get("/models")
    with ScriptedGateway(tls=tls) as gateway:
        with pytest.raises(errors.GatewayError):
            client_of(gateway.url, ca_path=ca, retries=0).get("/models")


def test_https_to_a_server_without_tls(waits: list[float]) -> None:
    with ScriptedGateway() as gateway:
        with pytest.raises(errors.TlsFailed):
            client_of(gateway.url.replace("http:", "https:"), waits).get("/models")


# -------------------------------------------------------------------------------------------- authorities of the machine
def test_the_authorities_of_the_machine_are_trusted(tls: ssl.SSLContext, authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As ansible.builtin.uri trusts them: in a file or a folder that OpenSSL's own variables name."""
    folder = tmp_path / "authorities"
    folder.mkdir()
    name = x509.load_pem_x509_certificate(authority.file.read_bytes())
    hashed = subprocess.run(["openssl", "x509", "-noout", "-hash", "-in", authority.file], capture_output=True, text=True, check=True).stdout.strip()
    (folder / f"{hashed}.0").write_bytes(name.public_bytes(serialization.Encoding.PEM))
    for variable, place in (("SSL_CERT_FILE", authority.file), ("SSL_CERT_DIR", folder)):
        with (
            ScriptedGateway(Exchange("GET", "/models", reply=OK), Exchange("GET", "/models", reply=MODELS), tls=tls) as gateway,
            monkeypatch.context() as patch,
        ):
            patch.delenv("SSL_CERT_FILE", raising=False)
            patch.setenv(variable, str(place))
            client = client_of(gateway.url)
            client.get("/models")
            assert client.accepts("sk-some-value-0123456")


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_bundle_for_requests_is_trusted_instead_of_them(
    tls: ssl.SSLContext, authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    monkeypatch.setenv(variable, str(authority.file))
    with ScriptedGateway(Exchange("GET", "/models", reply=OK), tls=tls) as gateway:
        client_of(gateway.url).get("/models")
    other = Authority(tmp_path, "another-authority")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    monkeypatch.setenv(variable, str(other.file))
    with ScriptedGateway(tls=tls) as gateway, pytest.raises(errors.TlsFailed):
        client_of(gateway.url).get("/models")


def test_ca_path_is_trusted_instead_of_all_others(tls: ssl.SSLContext, authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = Authority(tmp_path, "another-authority")
    for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        with ScriptedGateway(tls=tls) as gateway, monkeypatch.context() as patch:
            patch.setenv(variable, str(authority.file))
            client = client_of(gateway.url, ca_path=str(other.file))
            for call in (lambda: client.get("/models"), lambda: client.accepts("sk-some-value-0123456")):  # noqa: B023 - called at once
                with pytest.raises(errors.TlsFailed):
                    call()


def test_a_bundle_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/authorities.pem")
    with pytest.raises(errors.TlsFailed, match="certificates for https://127.0.0.1:9 cannot be used .No such file.*REQUESTS_CA_BUNDLE"):
        client_of("https://127.0.0.1:9").get("/models")
