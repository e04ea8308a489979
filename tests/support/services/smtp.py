# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The fixture `smtp`: real SMTP servers on loopback, with the faults that a mail system has.

`smtp(tls="starttls", users={"ada": "secret"})` starts a server and returns it. `server.mailbox` shows what arrived, and takes
orders: which recipients to refuse, which to put off and when to hang up. The servers end with the test.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Received:
    """A mail that was accepted."""

    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage
    encrypted: bool
    user: str | None

    def part(self, subtype: str) -> str:
        """Return the decoded text of the part text/`subtype`."""
        body = self.message.get_body((subtype,))
        assert body is not None, f"the mail has no part text/{subtype}"
        content: str = body.get_content()
        return content.replace("\r\n", "\n")


@dataclass
class Mailbox:
    """The handler of a server: keeps what arrives, and makes the faults that a test sets here."""

    received: list[Received] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    """The server's answer to each recipient or sender that it refuses."""
    put_off: dict[str, int] = field(default_factory=dict)
    """How many more times a recipient is answered with 451."""
    hang_ups: dict[str, int] = field(default_factory=dict)
    """How many more times the connection breaks instead of an answer to a recipient's mail."""
    before_taking: Callable[[str], None] | None = None
    """Called with the recipient before a mail is accepted."""
    most_per_connection: int | None = None
    """Number of mails after which the server answers 421."""
    tries: list[str] = field(default_factory=list)
    """Every recipient that a client named, in order."""
    taken: dict[Any, int] = field(default_factory=dict)
    """Number of mails that came over each connection."""

    @property
    def connections(self) -> int:
        """Number of connections that got as far as a greeting."""
        return len(self.taken)

    def of(self, address: str) -> list[Received]:
        return [each for each in self.received if each.recipients == (address,)]

    async def handle_EHLO(self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]) -> list[str]:
        session.host_name = hostname
        self.taken.setdefault(session.peer, 0)  # EHLO comes a second time after STARTTLS
        return responses

    async def handle_MAIL(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        self.tries.append(address)
        if self.most_per_connection is not None and self.taken[session.peer] >= self.most_per_connection:
            return "421 4.7.0 too many mails, come back"
        if address in self.refused:
            return self.refused[address]
        if self.put_off.get(address, 0) > 0:
            self.put_off[address] -= 1
            return "451 4.7.1 greylisted, try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        (address,) = envelope.rcpt_tos
        assert server.transport is not None
        if self.before_taking is not None:
            self.before_taking(address)
        if self.hang_ups.get(address, 0) > 0:
            self.hang_ups[address] -= 1
            server.transport.abort()
            return "250 never heard"
        self.taken[session.peer] += 1
        content = envelope.original_content
        assert content is not None
        message = message_from_bytes(content, policy=SMTP_POLICY)
        assert isinstance(message, EmailMessage)
        login = session.auth_data.login.decode() if session.auth_data else None
        encrypted = server.transport.get_extra_info("ssl_object") is not None
        self.received.append(Received(str(envelope.mail_from), tuple(envelope.rcpt_tos), message, encrypted, login))
        return "250 OK"


@dataclass
class TokenMailbox(Mailbox):
    """The handler of a server that takes access tokens, by XOAUTH2, as Microsoft 365 and Gmail do."""

    tokens: dict[str, str] = field(default_factory=dict)
    """The access token of each user."""
    forms: list[bytes] = field(default_factory=list)
    """What clients sent to log in, and how they answered the details of a refusal."""

    async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult:
        form = base64.b64decode(args[1])
        self.forms.append(form)
        for user, token in self.tokens.items():
            if form == f"user={user}\1auth=Bearer {token}\1\1".encode():
                return AuthResult(success=True, auth_data=LoginPassword(user.encode(), b""))
        reply = await server.challenge_auth('{"status":"401","schemes":"bearer"}')
        self.forms.append(reply if isinstance(reply, bytes) else b"no reply")
        return AuthResult(success=False, handled=False)


class Server:
    """An SMTP server that runs in a thread of its own."""

    def __init__(self, tls: str, users: dict[str, str], context: ssl.SSLContext, ca_path: Path, tokens: dict[str, str] | None = None) -> None:
        self.tls, self.users, self.context, self.ca_path = tls, users, context, ca_path
        self.host = "localhost"
        self.mailbox = Mailbox() if tokens is None else TokenMailbox(tokens=tokens)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._controller: Controller | None = None

    @property
    def options(self) -> dict[str, Any]:
        """The options with which key_mail uses the server."""
        return {"host": self.host, "port": self.port, "use_tls": self.tls, "ca_path": str(self.ca_path), "retry_delay": 0.1, "timeout": 10}

    def start(self) -> None:
        more: dict[str, Any] = {"ssl_context": self.context} if self.tls == "implicit" else {}
        if self.tls == "starttls":
            more = {"tls_context": self.context, "require_starttls": True}
        self._controller = Controller(
            self.mailbox,
            hostname="127.0.0.1",
            port=self.port,
            server_hostname="mail.test",
            decode_data=False,
            authenticator=self._authenticate if self.users else None,
            auth_required=bool(self.users) or isinstance(self.mailbox, TokenMailbox),
            auth_require_tls=False,  # aiosmtpd only recognizes TLS that began with STARTTLS
            **more,
        )
        self._controller.start()

    def stop(self) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def _authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, login: object) -> AuthResult:
        assert isinstance(login, LoginPassword)
        return AuthResult(success=self.users.get(login.login.decode()) == login.password.decode(), handled=False, auth_data=login)


SmtpFactory = Callable[..., Server]


def new_server(
    directory: Path, tls: str = "starttls", users: dict[str, str] | None = None, certificate: str = "good", tokens: dict[str, str] | None = None
) -> Server:
    """Return a server that is not started yet, with its certificates in `directory`. See `mail_servers` for the options."""
    return Server(tls, users or {}, _server_context(directory, certificate), directory / "ca.crt", tokens)


@contextlib.contextmanager
def mail_servers(folder: Path) -> Iterator[SmtpFactory]:
    """Yield a function that starts servers with their files in `folder`; they are stopped at the end of the block.

    `tls`: starttls, implicit or none. `users`: names and passwords. `certificate`: good, expired or of another host. `tokens`: names
    and access tokens, with which the server takes XOAUTH2.
    """
    servers: list[Server] = []

    def make(
        tls: str = "starttls",
        users: dict[str, str] | None = None,
        certificate: str = "good",
        tokens: dict[str, str] | None = None,
        started: bool = True,
    ) -> Server:
        directory = folder / f"smtp-{len(servers)}"
        directory.mkdir(mode=0o700)
        server = new_server(directory, tls, users, certificate, tokens)
        servers.append(server)
        if started:
            server.start()
        return server

    try:
        yield make
    finally:
        for server in servers:
            server.stop()


@pytest.fixture
def smtp(tmp_path: Path) -> Iterator[SmtpFactory]:
    """A function that starts servers; see `mail_servers`."""
    with mail_servers(tmp_path) as make:
        yield make


def _server_context(directory: Path, certificate: str) -> ssl.SSLContext:
    """Return the TLS context of a server, with a certificate of a new authority; write that to `ca.crt`."""
    now = datetime.datetime.now(datetime.UTC)
    authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of the mail tests")])
    days = -1 if certificate == "expired" else 2
    host = "other-host.test" if certificate == "of another host" else "localhost"

    def begin(subject: x509.Name, public: ec.EllipticCurvePublicKey, until: datetime.datetime) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(authority_name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=3))
            .not_valid_after(until)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False)
        )

    signs = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False)
    ca = (
        begin(authority_name, authority.public_key(), now + datetime.timedelta(days=3))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True, **signs), critical=True)
        .sign(authority, hashes.SHA256())
    )
    names: list[x509.GeneralName] = [x509.DNSName(host)]
    if host == "localhost":
        names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    own = (
        begin(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]), key.public_key(), now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(authority, hashes.SHA256())
    )
    (directory / "ca.crt").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    both = directory / "server.pem"
    both.touch(mode=0o600)
    both.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + own.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return context
