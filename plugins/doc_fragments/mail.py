# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The options that name the mail server, and the sender, for everything that sends mail."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
requirements:
  - the Python library requests on that host, for O(oauth_token_url)
options:
  sender:
    description:
      - The address that sends the mails, with or without a name, for example V(LLM keys <keys@example.com>).
      - When not set, the environment variable E(SMTP_FROM) is used, and after it V(noreply@example.com).
    type: str
    aliases: [from]
  reply_to:
    description:
      - Where answers to the mails go, with or without a name. The default is the sender.
      - When not set, the environment variable E(SMTP_REPLY_TO) is used.
    type: str
  host:
    description:
      - The SMTP server.
      - When not set, the environment variable E(SMTP_HOST) is used, and after it V(localhost).
    type: str
  port:
    description:
      - The port of the server. The default is 587, with O(use_tls=implicit) 465.
      - When not set, the environment variable E(SMTP_PORT) is used.
    type: int
  user:
    description:
      - The user who logs in. Without it the module does not log in.
      - When not set, the environment variable E(SMTP_USER) is used.
    type: str
  password:
    description:
      - The password of O(user).
      - When not set, the environment variable E(SMTP_PASSWORD) is used.
    type: str
  oauth_token:
    description:
      - An access token with which O(user) logs in by XOAUTH2, instead of O(password).
      - When not set, the environment variable E(SMTP_OAUTH_TOKEN) is used.
    type: str
  oauth_token_url:
    description:
      - The endpoint, by https, that gives such a token. One token is fetched for all mails of a run. The machine's authorities, or
        those in the file that E(REQUESTS_CA_BUNDLE) names, are trusted.
      - When not set, the environment variable E(SMTP_OAUTH_TOKEN_URL) is used.
    type: str
  oauth_client_id:
    description:
      - The client that asks O(oauth_token_url).
      - When not set, the environment variable E(SMTP_OAUTH_CLIENT_ID) is used.
    type: str
  oauth_client_secret:
    description:
      - The secret of that client. Without O(oauth_refresh_token) the token is given for the client itself (client credentials).
      - When not set, the environment variable E(SMTP_OAUTH_CLIENT_SECRET) is used.
    type: str
  oauth_refresh_token:
    description:
      - A refresh token of the mailbox, for which O(oauth_token_url) gives an access token. A new refresh token in the answer is not
        kept.
      - When not set, the environment variable E(SMTP_OAUTH_REFRESH_TOKEN) is used.
    type: str
  oauth_scope:
    description:
      - The scope to ask for, for example V(https://outlook.office365.com/.default).
      - When not set, the environment variable E(SMTP_OAUTH_SCOPE) is used.
    type: str
  use_tls:
    description:
      - With V(starttls) the connection is encrypted right after the greeting, and given up if the server does not offer that.
      - With V(implicit) it is encrypted from the beginning.
      - With V(none) it is not encrypted, and everybody along the way can read passwords and keys. Only a server on this host is
        then used, unless O(allow_unencrypted) is set.
      - V(true) means V(implicit) on port 465 and V(starttls) on any other, V(false) means V(none), both unless O(start_tls) is
        set.
      - When not set, the environment variable E(SMTP_USE_TLS) is used, and after it V(true).
    type: str
  start_tls:
    description:
      - Changes the meaning of V(true) and V(false) in O(use_tls) to that of the LLM Key Requestor. With O(start_tls=true),
        O(use_tls=false) means V(starttls). With O(start_tls=false), O(use_tls=true) means V(implicit) on any port. If
        O(use_tls) is not set, O(start_tls=false) means V(none), and on port 465 V(implicit).
      - When not set, the environment variable E(SMTP_START_TLS) is used.
    type: bool
  validate_certs:
    description:
      - Whether to check the server's certificate. Set this to V(false) only for tests.
      - When not set, the environment variable E(SMTP_VERIFY_SSL) is used, and after it V(true).
    type: bool
  allow_unencrypted:
    description:
      - Whether mails, passwords and keys may go to another host without encryption. Otherwise the module fails before it
        connects.
      - When not set, the environment variable E(SMTP_ALLOW_UNENCRYPTED) is used, and after it V(false).
    type: bool
  ca_path:
    description:
      - A file with the certificates of the authorities to trust, in PEM format. The default is the system's authorities.
    type: path
  timeout:
    description: How many seconds to wait for each answer of the server.
    type: float
    default: 30
  retries:
    description:
      - How often to try again if the server cannot be reached, closes the connection or defers a mail.
    type: int
    default: 3
  retry_delay:
    description:
      - How many seconds to wait before the first retry. The time doubles with each retry, up to 30 seconds.
    type: float
    default: 2
"""
