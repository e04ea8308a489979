# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The options that name the mail server, the sender and the texts, for everything that sends mail."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
requirements:
  - Python 3.11 or newer on the host that runs the module
  - the Python library Jinja2 on that host, for O(templates)
options:
  language:
    description: The language of mails that do not set their own.
    type: str
    choices: [en, de, es]
    default: en
  templates:
    description:
      - Custom texts for a kind of mail, in Jinja. They replace the built-in ones.
      - A template can use the fields of the mail by their names, the entries of its C(variables), and C(ends), the
        end of the key in readable form. These values are data, never templates, and are escaped in HTML.
      - Ansible fills in a template that is written in a playbook before the module sees it. Use a file instead, or mark the
        text with C(!unsafe).
    type: list
    elements: dict
    default: []
    suboptions:
      kind:
        description: The kind of mail that the template is for.
        type: str
        choices: [approval, denial, review, expiry, custom]
        required: true
      language:
        description: The language that the template is for. The default is all languages.
        type: str
        choices: [en, de, es]
      subject:
        description: The subject, on one line. Required for V(custom) mails, others have a built-in one.
        type: str
      text:
        description: The text. Set either this or O(templates[].text_path).
        type: str
      text_path:
        description: A file with the text.
        type: path
      html:
        description: The text in HTML. Without it and O(templates[].html_path), the mail is plain text.
        type: str
      html_path:
        description: A file with the text in HTML, instead of O(templates[].html).
        type: path
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
