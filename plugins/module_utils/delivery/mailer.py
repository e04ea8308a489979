# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The mail settings, from options and from the environment, and the mailer that they describe.

Everything that sends mail reads its settings here: the module key_mail, passes over the queue, and programs without Ansible.
The names of the environment are those of the LLM Key Requestor (.env.example), where it has one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..common.email_address import parse_mailbox
from ..common.printable import quoted
from . import smtp
from .mail import Notice, Sender, Template
from .oauth import OAuth
from .outbox import TEXTS_SPEC, MailResult, notice_from, send_notices, template_from

MAIL_SPEC: dict[str, dict[str, Any]] = {
    **TEXTS_SPEC,
    "sender": {"type": "str", "aliases": ["from"]},
    "reply_to": {"type": "str"},
    "host": {"type": "str"},
    "port": {"type": "int"},
    "user": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "oauth_token": {"type": "str", "no_log": True},
    "oauth_token_url": {"type": "str", "no_log": False},
    "oauth_client_id": {"type": "str"},
    "oauth_client_secret": {"type": "str", "no_log": True},
    "oauth_refresh_token": {"type": "str", "no_log": True},
    "oauth_scope": {"type": "str"},
    "use_tls": {"type": "str"},
    "start_tls": {"type": "bool"},
    "validate_certs": {"type": "bool"},
    "allow_unencrypted": {"type": "bool"},
    "ca_path": {"type": "path"},
    "timeout": {"type": "float", "default": 30},
    "retries": {"type": "int", "default": 3},
    "retry_delay": {"type": "float", "default": 2},
}
"""The argument spec of everything that sends mail (doc fragment `mail`)."""

ENVIRONMENT = {
    "sender": "SMTP_FROM",
    "reply_to": "SMTP_REPLY_TO",
    "host": "SMTP_HOST",
    "port": "SMTP_PORT",
    "user": "SMTP_USER",
    "password": "SMTP_PASSWORD",
    "oauth_token": "SMTP_OAUTH_TOKEN",
    "oauth_token_url": "SMTP_OAUTH_TOKEN_URL",
    "oauth_client_id": "SMTP_OAUTH_CLIENT_ID",
    "oauth_client_secret": "SMTP_OAUTH_CLIENT_SECRET",
    "oauth_refresh_token": "SMTP_OAUTH_REFRESH_TOKEN",
    "oauth_scope": "SMTP_OAUTH_SCOPE",
    "use_tls": "SMTP_USE_TLS",
    "start_tls": "SMTP_START_TLS",
    "validate_certs": "SMTP_VERIFY_SSL",
    "allow_unencrypted": "SMTP_ALLOW_UNENCRYPTED",
}
"""The variable that is read for an option that is not set, or empty."""


_OAUTH = ("token", "token_url", "client_id", "client_secret", "refresh_token", "scope")


@dataclass(frozen=True)
class Mailer:
    """A mail server, the sender, and the language and texts of mails."""

    server: smtp.Server
    sender: Sender
    templates: Sequence[Template] = ()
    language: str = "en"

    def notice(self, message: Mapping[str, Any]) -> Notice:
        """Return the notice that a mapping of its fields describes, in this mailer's language if it names none."""
        return notice_from(message, self.language)

    def send(self, notices: Sequence[Notice], *, dry_run: bool = False) -> list[MailResult]:
        """Send a mail for each notice, and return the results in the same order. With `dry_run` nothing is sent."""
        return send_notices(self.server, self.sender, notices, self.templates, dry_run=dry_run)


def mailer_from(options: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> Mailer:
    """Return the mailer that `options` (of MAIL_SPEC, all optional) and the environment describe. Raises ValueError.

    `environment` is that of this process if it is None.
    """
    found = mail_settings(options, os.environ if environment is None else environment)
    reply_to = found["reply_to"]
    return Mailer(
        server=server_from(found),
        sender=Sender(parse_mailbox(found["sender"], "sender"), parse_mailbox(reply_to, "reply_to") if reply_to else None),
        templates=tuple(template_from(given) for given in options.get("templates") or ()),
        language=options.get("language") or "en",
    )


def mail_settings(options: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of the server and the sender, each with its type and its default. Raises ValueError."""

    def setting(name: str, convert: Callable[[Any, str], Any], default: Any) -> Any:
        value = options.get(name)
        source = name
        if value in (None, "") and name in ENVIRONMENT:
            source = ENVIRONMENT[name]
            value = environment.get(source)
        return default if value in (None, "") else convert(value, source)

    return {
        "sender": setting("sender", _text, "noreply@example.com"),
        "reply_to": setting("reply_to", _text, ""),
        "host": setting("host", _text, "localhost"),
        "port": setting("port", _whole_number, None),
        "user": setting("user", _text, ""),
        "password": setting("password", _text, ""),
        **{f"oauth_{name}": setting(f"oauth_{name}", _text, "") for name in _OAUTH},
        "use_tls": setting("use_tls", _text, None),
        "start_tls": setting("start_tls", _yes_or_no, None),
        "validate_certs": setting("validate_certs", _yes_or_no, True),
        "allow_unencrypted": setting("allow_unencrypted", _yes_or_no, False),
        "ca_path": setting("ca_path", _text, None),
        "timeout": setting("timeout", _number, 30.0),
        "retries": setting("retries", _whole_number, 3),
        "retry_delay": setting("retry_delay", _number, 2.0),
    }


def server_from(settings: Mapping[str, Any]) -> smtp.Server:
    """Return the SMTP server that `mail_settings` describes. Raises ValueError."""
    tls, port = smtp.tls_and_port(settings["use_tls"], settings["port"], settings["start_tls"])
    names = ("host", "user", "password", "validate_certs", "allow_unencrypted", "ca_path", "timeout", "retries", "retry_delay")
    oauth = {name: settings[f"oauth_{name}"] for name in _OAUTH}
    return smtp.Server(port=port, tls=tls, oauth=OAuth(**oauth) if any(oauth.values()) else None, **{name: settings[name] for name in names})


def _text(value: Any, _source: str) -> str:
    return str(value)


def _yes_or_no(value: Any, source: str) -> bool:
    word = str(value).strip().lower()
    if word not in smtp.YES + smtp.NO:
        raise ValueError(f"{source} is {quoted(value, 40)}; give true or false.")
    return word in smtp.YES


def _whole_number(value: Any, source: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise ValueError(f"{source} is {quoted(value, 40)}; give a whole number.") from None


def _number(value: Any, source: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise ValueError(f"{source} is {quoted(value, 40)}; give a number.") from None
