# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Hand mails to an SMTP server over one connection, with a limited number of retries and an outcome for each mail.

Delivery happens at least once: if a connection breaks between a mail and the server's answer, the mail is sent again.
"""

from __future__ import annotations

import base64
import contextlib
import os
import random
import smtplib
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from ..common.address import is_this_host
from ..common.printable import printable, quoted, redact
from .mail import Mail
from .oauth import NoToken, OAuth, fetch_token
from .poster import hidden
from .refusals import refuses_this_mail

STARTTLS, IMPLICIT, NONE = "starttls", "implicit", "none"
SENT, REFUSED, FAILED = "sent", "refused", "failed"
LONGEST_WAIT = 30.0
YES, NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_IMPLICIT_PORT, _SUBMISSION_PORT = 465, 587
_SHORTEST_SECRET = 4  # characters; without shorter ones no message could be read
_CLOSING = 421  # the server announces that it closes the connection, RFC 5321 section 3.8


@dataclass(frozen=True)
class Server:
    """How to reach a server. Times are in seconds, `retries` counts further tries. Raises ValueError for impossible settings."""

    host: str
    port: int
    tls: str
    user: str = ""
    password: str = field(default="", repr=False)
    validate_certs: bool = True
    ca_path: str | None = None
    timeout: float = 30.0
    retries: int = 3
    retry_delay: float = 2.0
    allow_unencrypted: bool = False
    """Whether mails may go to another host without encryption."""
    oauth: OAuth | None = None
    """The access token with which the user logs in instead of a password."""

    def __post_init__(self) -> None:
        if not self.host or not self.host.isprintable() or not self.host.isascii() or any(c in self.host for c in " /@"):
            raise ValueError(f"host is {quoted(self.host)}, which is no name of a host; give one such as smtp.example.com.")
        for name, low, high in (("port", 1, 65535), ("timeout", 0.1, 600), ("retries", 0, 20), ("retry_delay", 0, 60)):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} is {getattr(self, name)}; give a number from {low} to {high}.")
        if self.oauth is not None and (self.password or not self.user):
            raise ValueError("an access token is for a user without a password; give user, and leave password out.")
        if self.oauth is None and bool(self.user) != bool(self.password):
            raise ValueError("only one of user and password is given; give both, or none for a server that asks for neither.")
        for name in ("user", "password"):
            if not getattr(self, name).isascii() or not getattr(self, name).isprintable():
                raise ValueError(f"{name} holds a letter that the login of SMTP cannot carry; use ASCII.")
        if self.ca_path and not os.access(self.ca_path, os.R_OK):
            raise ValueError(f"ca_path is {printable(self.ca_path, 200)}, which cannot be read; give a readable file in PEM format.")
        if self.is_exposed and not self.allow_unencrypted:
            raise ValueError(
                f"mails to {self.name}, with keys and passwords, would go over the network without encryption; set use_tls to starttls "
                "(SMTP_START_TLS=true), or allow_unencrypted (SMTP_ALLOW_UNENCRYPTED=true) if everybody on the way may read them."
            )

    @property
    def name(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def is_exposed(self) -> bool:
        """Whether mails leave this host without encryption."""
        return self.tls == NONE and not is_this_host(self.host)

    @property
    def secrets(self) -> set[str]:
        """What no message shows: passwords and tokens, also in the forms in which a login sends them."""
        plain = {self.password} - {""} | (self.oauth.secrets if self.oauth else set())
        sent = {*plain, f"\0{self.user}\0{self.password}", *(_bearer(self.user, token) for token in plain)}
        found = plain | {base64.b64encode(form.encode()).decode() for form in sent}
        return {form for form in found if len(form) >= _SHORTEST_SECRET}


def tls_and_port(use_tls: str | None, port: int | None, start_tls: bool | None = None) -> tuple[str, int]:
    """Return the mode and the port. Raises ValueError.

    `use_tls` is a mode, or yes or no as in SMTP_USE_TLS. Yes and no leave room for `start_tls` (SMTP_START_TLS), with which
    they mean what they mean to the LLM Key Requestor: `use_tls` TLS from the start, `start_tls` TLS after the greeting.
    """
    word = "" if use_tls is None else use_tls.strip().lower()
    by_port = IMPLICIT if port == _IMPLICIT_PORT else STARTTLS
    if use_tls is None:
        word = by_port if start_tls is not False or by_port == IMPLICIT else NONE
    elif word in YES:
        word = IMPLICIT if start_tls is False else by_port
    elif word in NO:
        word = STARTTLS if start_tls else NONE
    if word not in (STARTTLS, IMPLICIT, NONE):
        raise ValueError(f"use_tls is {quoted(use_tls, 40)}; give starttls, implicit or none.")
    return word, port if port is not None else _IMPLICIT_PORT if word == IMPLICIT else _SUBMISSION_PORT


@dataclass(frozen=True)
class SendOutcome:
    """The outcome of sending a mail. `reason` quotes the server if it gave one, `code` is its SMTP code."""

    status: str
    reason: str = ""
    code: int | None = None
    temporary: bool = False
    """Whether a later try may succeed. True for every fault of settings, which somebody can mend."""
    attempts: int = 0


class _SessionError(Exception):
    """This connection cannot be used any further. `again`: another connection may, without anybody changing anything."""

    def __init__(self, reason: str, *, code: int | None = None, again: bool) -> None:
        super().__init__(reason)
        self.again = again
        self.outcome = SendOutcome(FAILED, reason, code, temporary=True)


def deliver(server: Server, mails: Sequence[Mail], *, sleep: Callable[[float], None] = time.sleep) -> list[SendOutcome]:
    """Send each mail to its one recipient, and return the outcomes in the same order.

    A mail that the server defers (4xx) is tried again together with the other deferred ones after a pause, so a slow
    recipient does not delay the rest. An unreachable server is tried `retries` times in all, not for each mail.
    """
    pending = [_PendingMail(mail) for mail in mails]
    waiting, fruitless, pauses = list(pending), 0, 0
    while waiting:
        before, fault = len(waiting), None
        try:
            server = _with_token(server)
            with _session(server) as session:
                waiting, fault = _round(server, session, waiting)
        except _SessionError as error:
            fault = error
        if fault is not None and not fault.again:
            for each in waiting:
                each.end(fault.outcome)
            break
        settled = len(waiting) < before
        fruitless = 0 if settled else fruitless + 1
        if fruitless > server.retries:
            for each in waiting:
                each.end(each.deferred if fault is None else fault.outcome)
            break
        if waiting and not (fault and settled):
            sleep(min(LONGEST_WAIT, server.retry_delay * 2**pauses) * random.uniform(0.5, 1.0))  # noqa: S311 - not a secret, it only spreads the tries
            pauses += 1
    return [each.outcome for each in pending]


class _PendingMail:
    """A mail that is not settled yet, with its attempts so far."""

    def __init__(self, mail: Mail) -> None:
        self.mail = mail
        self.attempts = 0
        self.deferred = SendOutcome(FAILED, "it was not tried", temporary=True)
        self.outcome = self.deferred

    def end(self, outcome: SendOutcome) -> None:
        self.outcome = SendOutcome(outcome.status, outcome.reason, outcome.code, outcome.temporary, self.attempts)


def _round(server: Server, session: smtplib.SMTP, pending: Sequence[_PendingMail]) -> tuple[list[_PendingMail], _SessionError | None]:
    """Try each mail once. Returns the mails to try again, and the error that ended the connection early, if any."""
    again: list[_PendingMail] = []
    for number, each in enumerate(pending, 1):
        each.attempts += 1
        fault = None
        try:
            outcome = _hand_over(server, session, each.mail)
        except _SessionError as error:
            fault, outcome = error, error.outcome
            if outcome.code == _CLOSING and number - 1 > len(again):
                each.attempts -= 1  # the server closed the connection for its own reasons, not because of this mail
        if outcome.status == FAILED and each.attempts <= server.retries:
            each.deferred = outcome
            again.append(each)
        else:
            each.end(outcome)
        if fault is not None:
            return [*pending[number:], *again], fault
    return again, None


def _hand_over(server: Server, session: smtplib.SMTP, mail: Mail) -> SendOutcome:
    of_sender = False
    try:
        session.sendmail(mail.sender, [mail.recipient], mail.data)
        return SendOutcome(SENT)
    except smtplib.SMTPRecipientsRefused as error:
        code: int
        words: bytes | str
        code, words = error.recipients[mail.recipient]
    except smtplib.SMTPResponseException as error:  # the sender or the content
        code, words = error.smtp_code, error.smtp_error
        of_sender = isinstance(error, smtplib.SMTPSenderRefused)
    except OSError as error:  # smtplib's own errors, SMTPServerDisconnected among them, are OSErrors too
        raise _SessionError(f"the connection broke: {_cause(error)}", again=True) from None
    reason = f"the server answered {_quoted(server, code, words)}"
    if code == _CLOSING or code < 400:
        raise _SessionError(reason, code=code, again=True)
    if code < 500:
        return SendOutcome(FAILED, reason, code, temporary=True)
    return SendOutcome(REFUSED, reason, code, temporary=not refuses_this_mail(code, _text(words), of_sender=of_sender))


# -------------------------------------------------------------------------------------------------------- connection
@contextlib.contextmanager
def _session(server: Server) -> Iterator[smtplib.SMTP]:
    """Open a connection, encrypted and logged in exactly as the settings say. Raises _SessionError."""
    session = _connect(server)
    try:
        yield session
    finally:
        with contextlib.suppress(OSError):
            session.quit()
        session.close()


def _connect(server: Server) -> smtplib.SMTP:
    session: smtplib.SMTP | None = None
    try:
        if server.tls == IMPLICIT:
            session = smtplib.SMTP_SSL(server.host, server.port, timeout=server.timeout, context=_context(server))
        else:
            session = smtplib.SMTP(server.host, server.port, timeout=server.timeout)
        if server.tls == STARTTLS:
            session.starttls(context=_context(server))
        if server.oauth is not None:
            _log_in_with_token(server, session, server.oauth.token)
        elif server.user:
            session.login(server.user, server.password)
        return session
    except OSError as error:
        if session is not None:
            session.close()
        raise _fault(server, error) from None


def _with_token(server: Server) -> Server:
    """Return the server with an access token, which is fetched once for a batch. Raises _SessionError."""
    if server.oauth is None or server.oauth.token:
        return server
    try:
        return replace(server, oauth=OAuth(token=fetch_token(server.oauth, server.timeout)))
    except NoToken as error:
        raise _SessionError(str(error), again=error.again) from None


def _log_in_with_token(server: Server, session: smtplib.SMTP, token: str) -> None:
    """Log in by XOAUTH2. A refusal comes as a challenge with details first, which is answered with an empty line."""
    session.ehlo_or_helo_if_needed()
    if "XOAUTH2" not in session.esmtp_features.get("auth", "").upper().split():
        raise smtplib.SMTPNotSupportedError("XOAUTH2")
    first = _bearer(server.user, token)
    session.auth("XOAUTH2", lambda challenge=None: first if challenge is None else "")


def _bearer(user: str, token: str) -> str:
    return f"user={user}\1auth=Bearer {token}\1\1"


def _context(server: Server) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=server.ca_path)
    if not server.validate_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _fault(server: Server, error: OSError) -> _SessionError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _SessionError(
            f"the certificate of {server.name} is not accepted: {error.verify_message}; give its authority in ca_path, or have it renewed",
            again=False,
        )
    if isinstance(error, smtplib.SMTPAuthenticationError):
        answer = _quoted(server, error.smtp_code, error.smtp_error)
        return _SessionError(f"{server.name} does not let the user in: {answer}", code=error.smtp_code, again=error.smtp_code < 500)
    if isinstance(error, smtplib.SMTPResponseException):
        answer = _quoted(server, error.smtp_code, error.smtp_error)
        return _SessionError(f"{server.name} answered {answer}", code=error.smtp_code, again=error.smtp_code < 500)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        missing = "STARTTLS, so nothing was sent; set use_tls to implicit if the server speaks TLS from the start"
        if "XOAUTH2" in str(error):
            missing = "a login with an access token (XOAUTH2); give user and password, or name another port"
        elif "STARTTLS" not in str(error):
            missing = "a login; leave user and password out, or name another port"
        return _SessionError(f"{server.name} does not offer {missing}", again=False)
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return _SessionError(f"{server.name} hung up: {_cause(error)}", again=True)
    if isinstance(error, smtplib.SMTPException):  # no login method that both sides know
        return _SessionError(f"{server.name} cannot be used: {_cause(error)}", again=False)
    if isinstance(error, ssl.SSLError) and not isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return _SessionError(f"no TLS with {server.name}: {_cause(error)}; check port and use_tls", again=False)
    return _SessionError(f"{server.name} cannot be reached: {_cause(error)}", again=True)


def _quoted(server: Server, code: int, words: bytes | str) -> str:
    return hidden(f"{code} {_text(words)}", server.secrets)


def _text(words: bytes | str) -> str:
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else words


def _cause(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return printable(redact(error.strerror or str(error) or type(error).__name__), 200)
