# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The mail settings, from options and from the environment."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common.email_address import Address, Mailbox
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery import mailer, smtp
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery.mailer import mailer_from

REQUESTOR = {
    "SMTP_HOST": "smtp.example.com",
    "SMTP_PORT": "587",
    "SMTP_USER": "keys",
    "SMTP_PASSWORD": "secret words",
    "SMTP_FROM": "LLM keys <keys@example.com>",
    "SMTP_USE_TLS": "false",
    "SMTP_START_TLS": "true",
    "SMTP_VERIFY_SSL": "false",
}
"""As the .env.example of the LLM Key Requestor."""


def test_the_environment_of_the_llm_key_requestor_is_encrypted() -> None:
    made = mailer_from({}, REQUESTOR)
    assert made.server == smtp.Server("smtp.example.com", 587, smtp.STARTTLS, "keys", "secret words", validate_certs=False)
    assert made.sender.mailbox == Mailbox(Address("keys", "example.com"), "LLM keys")


def test_without_any_setting_the_mail_server_is_on_this_host() -> None:
    made = mailer_from({}, {})
    assert made.server == smtp.Server("localhost", 587, smtp.STARTTLS)
    assert (str(made.sender.address), made.sender.reply_to) == ("noreply@example.com", None)


def test_options_replace_the_environment_and_empty_ones_do_not() -> None:
    made = mailer_from({"host": "mx.example.com", "port": None, "user": "", "validate_certs": True, "reply_to": "help@example.com"}, REQUESTOR)
    assert (made.server.host, made.server.port, made.server.user, made.server.validate_certs) == ("mx.example.com", 587, "keys", True)
    assert made.sender.reply_to == Mailbox(Address("help", "example.com"))


@pytest.mark.parametrize("name", sorted(set(mailer.ENVIRONMENT.values())))
def test_an_empty_variable_is_one_that_is_not_set(name: str) -> None:
    assert mailer_from({}, {name: ""}) == mailer_from({}, {})


def test_every_variable_belongs_to_an_option() -> None:
    assert set(mailer.ENVIRONMENT) <= set(mailer.MAIL_SPEC)


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"SMTP_PORT": "smtp"}, "SMTP_PORT is 'smtp'; give a whole number"),
        ({"SMTP_START_TLS": "maybe"}, "SMTP_START_TLS is 'maybe'; give true or false"),
        ({"SMTP_VERIFY_SSL": "2"}, "SMTP_VERIFY_SSL is '2'; give true or false"),
        ({"SMTP_FROM": "Keys"}, "sender is 'Keys'"),
        ({"SMTP_REPLY_TO": "keys@example.com\nBcc: eve@example.org"}, "reply_to is"),
    ],
)
def test_a_wrong_variable_is_named(environment: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mailer_from({}, environment)


PLAIN = [
    {"SMTP_USE_TLS": "none"},
    {"SMTP_USE_TLS": "false"},
    {"SMTP_USE_TLS": "false", "SMTP_START_TLS": "false"},
    {"SMTP_START_TLS": "false"},
]


@pytest.mark.parametrize("environment", PLAIN)
@pytest.mark.parametrize("host", ["smtp.example.com", "10.0.0.1", "localhost.example.com", "127.0.0.1.example.com"])
def test_no_mail_leaves_the_host_without_encryption(environment: dict[str, str], host: str) -> None:
    with pytest.raises(ValueError, match="set use_tls to starttls .* or allow_unencrypted"):
        mailer_from({"host": host}, environment)
    assert mailer_from({"host": host, "allow_unencrypted": True}, environment).server.is_exposed
    assert mailer_from({"host": host}, environment | {"SMTP_ALLOW_UNENCRYPTED": "true"}).server.is_exposed


@pytest.mark.parametrize("environment", PLAIN)
@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.8.8.8", "::1"])
def test_a_mail_server_on_this_host_needs_no_encryption(environment: dict[str, str], host: str) -> None:
    server = mailer_from({"host": host}, environment).server
    assert (server.tls, server.is_exposed) == (smtp.NONE, False)


def test_numbers_may_be_texts_as_templates_make_them() -> None:
    given: dict[str, Any] = {"port": "25", "timeout": "5", "retries": "0", "retry_delay": "0.5"}
    server = mailer_from(given, {}).server
    assert (server.port, server.timeout, server.retries, server.retry_delay) == (25, 5.0, 0, 0.5)
