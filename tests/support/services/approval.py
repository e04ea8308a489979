# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""An approval service on loopback, as a third party would run one: a real HTTP or HTTPS server with every bad habit.

The path of a request chooses the habit with which the service answers; `asked` holds the requests.
"""

from __future__ import annotations

import contextlib
import datetime
import gzip
import ipaddress
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

BOMB = gzip.compress(b'{"decision": "APPROVE"}' + b" " * 20_000_000)
DECISIONS = ("APPROVE", "DENY", "CONTINUE", "REVIEW", "PENDING")


@dataclass(frozen=True)
class Asked:
    """A question that the service received."""

    path: str
    headers: dict[str, str]
    body: Any


class Service(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, tls: ssl.SSLContext | None = None, seconds: float = 0.0) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.tls = tls
        self.seconds = seconds
        """Seconds that it waits before each answer."""
        self.asked: list[Asked] = []
        self.connections = 0
        self.other: Service | None = None
        """The service to which `redirect_other` redirects."""

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.server_port}"

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.connections += 1
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection, address

    def finish_request(self, request: Any, client_address: Any) -> None:
        with contextlib.suppress(OSError):  # some tests are about callers that hang up or do not trust the certificate
            # In the thread of the connection, because a slow handshake must not hold up the others.
            connection = self.tls.wrap_socket(request, server_side=True) if self.tls else request
            super().finish_request(connection, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: Service
    question: dict[str, str]
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None: ...

    def do_GET(self) -> None:
        self.server.asked.append(Asked(f"GET {self.path}", dict(self.headers), None))
        self.answer(200, b'{"decision": "APPROVE"}')

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.question = json.loads(body)
        self.server.asked.append(Asked(self.path, dict(self.headers), self.question))
        time.sleep(self.server.seconds)
        with contextlib.suppress(OSError):
            self.behave(self.path.partition("?")[0].strip("/"))

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def behave(self, habit: str) -> None:
        if habit in DECISIONS:
            self.answer(200, json.dumps({"decision": habit}).encode())
        elif habit.isdigit():
            self.answer(int(habit), b'{"decision": "APPROVE"}')
        else:
            getattr(self, habit.replace("-", "_"))()

    # ------------------------------------------------------------------------------------------------------- habits
    def by_model(self) -> None:
        self.answer(200, json.dumps({"decision": self.question["model"].upper()}).encode())

    def with_reason(self) -> None:
        self.answer(200, b'{"decision": "deny", "reason": "cost center\\u001b[31m\\r\\nis closed"}')

    def echo(self) -> None:
        self.answer(200, json.dumps({"decision": "DENY", "reason": f"you sent {self.headers['Authorization']}"}).encode())

    def nonsense(self) -> None:
        self.answer(200, b'{"decision": "PERHAPS"}')

    def null(self) -> None:
        self.answer(200, b"null")

    def number(self) -> None:
        self.answer(200, b'{"decision": 1}')

    def listed(self) -> None:
        self.answer(200, b'["APPROVE"]')

    def html(self) -> None:
        self.answer(200, b"<html>APPROVE\x1b[2J</html>", Content_Type="text/html")

    def empty(self) -> None:
        self.answer(200, b"")

    def deep(self) -> None:
        self.answer(200, b"[" * 60_000)

    def huge(self) -> None:
        self.answer(200, b'{"decision": "APPROVE", "x": "' + b"x" * 200_000 + b'"}')

    def bomb(self) -> None:
        self.answer(200, BOMB, Content_Encoding="gzip")

    def endless(self, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        while True:
            self.wfile.write(b" " * 1000)
            time.sleep(0.001)

    def silent(self) -> None:
        time.sleep(3)

    def drip_body(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "23")
        self.end_headers()
        for byte in b'{"decision": "APPROVE"}':
            self.wfile.write(bytes((byte,)))
            time.sleep(0.2)

    def drip_head(self) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 23\r\n\r\n":
            self.connection.sendall(bytes((byte,)))
            time.sleep(0.2)

    def drop(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        self.answer(200, b'{"decision": "APPROVE"}', Content_Length="500")
        self.drop()

    def not_http(self) -> None:
        self.connection.sendall(b"220 mail.example.com ESMTP\r\n")
        self.close_connection = True

    def better_again(self) -> None:
        tries = sum(asked.path == self.path for asked in self.server.asked)
        self.answer(503, b"") if tries == 1 else self.answer(200, b'{"decision": "APPROVE"}')

    def redirect_same(self) -> None:
        self.answer(307, b"", Location="/APPROVE")

    def redirect_endless(self) -> None:
        self.endless(307, Location="/APPROVE")

    def redirect_other(self) -> None:
        assert self.server.other is not None
        self.answer(307, b"", Location=f"{self.server.other.url}/APPROVE")

    def redirect_down(self) -> None:
        self.answer(308, b"", Location=f"http://127.0.0.1:{self.server.server_port}/APPROVE")

    def redirect_user(self) -> None:
        self.answer(307, b"", Location=self.server.url.replace("//", "//user:pass@") + "/APPROVE")

    def redirect_loop(self) -> None:
        self.answer(308, b"", Location=self.path)

    def redirect_get(self) -> None:
        self.answer(302, b"", Location="/APPROVE")

    def redirect_nowhere(self) -> None:
        self.answer(307, b"", Location="https://[::1/")

    def cookie(self) -> None:
        self.answer(200, b'{"decision": "CONTINUE"}', Set_Cookie="who=me; Path=/")


@contextlib.contextmanager
def serving(tls: ssl.SSLContext | None = None, seconds: float = 0.0) -> Iterator[Service]:
    """Run a service inside the block."""
    service = Service(tls, seconds)
    thread = threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        service.shutdown()
        service.server_close()


# ------------------------------------------------------------------------------------------------------- certificates
@dataclass(frozen=True)
class Authority:
    """A certificate authority for tests; `path` is its certificate in PEM format."""

    directory: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def path(self) -> Path:
        return self.directory / "ca.pem"

    @classmethod
    def made_in(cls, directory: Path) -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _signed("Test authority", key, None, None, x509.BasicConstraints(ca=True, path_length=0))
        (directory / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return cls(directory, key, certificate)

    def context(self, name: str = "127.0.0.1", *, expired: bool = False) -> ssl.SSLContext:
        """Return the TLS context of a server whose certificate is for `name`."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _signed(name, key, self.certificate, self.key, x509.BasicConstraints(ca=False, path_length=None), expired=expired)
        path = self.directory / f"server-{certificate.serial_number}.pem"
        path.touch(mode=0o600)
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


def _signed(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate | None,
    issuer_key: ec.EllipticCurvePrivateKey | None,
    constraints: x509.BasicConstraints,
    *,
    expired: bool = False,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=30))
        .not_valid_after(now + datetime.timedelta(days=-1 if expired else 1))
        .add_extension(constraints, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if issuer is None:
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = builder.add_extension(usage, critical=True)
    else:
        alternative = x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
        builder = builder.add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key((issuer_key or key).public_key()), critical=False)
    return builder.sign(issuer_key or key, hashes.SHA256())
