# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The lookup ca_certificates."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible.errors import AnsibleLookupError
from ansible.parsing.dataloader import DataLoader
from ansible_collections.rhpds.litellm_virtual_keys.plugins.lookup.ca_certificates import LookupModule, bundle
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def authority(name: str) -> bytes:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    return (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )


ONE, TWO = authority("one"), authority("two")
PRIVATE = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"


def names(text: str) -> list[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=text)
    return sorted(each["subject"][0][0][1] for each in context.get_ca_certs())


def test_both_suffixes_several_in_a_file_and_each_once(tmp_path: Path) -> None:
    (tmp_path / "a.crt").write_bytes(b"# the company's\n" + ONE + TWO)
    (tmp_path / "b.PEM").write_bytes(ONE)
    (tmp_path / "c.txt").write_bytes(b"not looked at")
    text = bundle(tmp_path)
    assert names(text) == ["one", "two"]
    assert text.count("BEGIN CERTIFICATE") == 2


def test_der_is_taken_too(tmp_path: Path) -> None:
    (tmp_path / "a.crt").write_bytes(ssl.PEM_cert_to_DER_cert(ONE.decode()))
    assert names(bundle(tmp_path)) == ["one"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder.rmdir(), "is no directory: name one on the controller"),
        (lambda folder: (folder / "a.cer").write_bytes(ONE), "holds neither"),
        (lambda folder: (folder / "a.crt").write_bytes(b""), "a.crt is no certificate in PEM or DER"),
        (lambda folder: (folder / "a.pem").write_bytes(b"hello"), "a.pem is no certificate in PEM or DER"),
        (lambda folder: (folder / "a.pem").write_bytes(ONE.replace(b"MII", b"AAA", 1)), "a.pem is no certificate in PEM or DER"),
        (lambda folder: (folder / "a.pem").write_bytes(ONE + PRIVATE), "a.pem holds a private key"),
        (lambda folder: (folder / "a.pem").mkdir(), r"a.pem cannot be read \(Is a directory\)"),
    ],
)
def test_a_file_that_is_not_a_certificate_is_named(tmp_path: Path, make: Callable[[Path], object], message: str) -> None:
    folder = tmp_path / "authorities"
    folder.mkdir()
    make(folder)
    with pytest.raises(AnsibleLookupError, match=message):
        bundle(folder)


def test_an_unknown_option_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.crt").write_bytes(ONE)
    lookup = LookupModule(loader=DataLoader())
    assert names(lookup.run([str(tmp_path)])[0]) == ["one"]
    with pytest.raises(AnsibleLookupError, match="there is no option suffix"):
        lookup.run([str(tmp_path)], suffix=".cer")
