# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The settings of a mail server, and sending, which always ends whatever the server does. Real servers: tests/integration."""

from __future__ import annotations

import smtplib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery import smtp
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery.mail import Mail
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("use_tls", "port", "expected"),
    [
        ("true", None, ("starttls", 587)),
        ("True", 587, ("starttls", 587)),
        ("yes", 2525, ("starttls", 2525)),
        ("true", 465, ("implicit", 465)),
        ("starttls", 465, ("starttls", 465)),
        ("implicit", None, ("implicit", 465)),
        ("Implicit", 587, ("implicit", 587)),
        ("none", None, ("none", 587)),
        ("false", 25, ("none", 25)),
        ("0", 25, ("none", 25)),
    ],
)
def test_how_the_connection_is_encrypted(use_tls: str, port: int | None, expected: tuple[str, int]) -> None:
    assert smtp.tls_and_port(use_tls, port) == expected


@pytest.mark.parametrize(
    ("use_tls", "start_tls", "port", "mode"),
    [
        (None, None, None, "starttls"),
        (None, None, 465, "implicit"),
        (None, True, 2525, "starttls"),
        (None, True, 465, "implicit"),
        (None, False, 587, "none"),
        (None, False, 465, "implicit"),
        ("false", True, 587, "starttls"),
        ("false", True, 465, "starttls"),
        ("false", False, 25, "none"),
        ("true", True, 587, "starttls"),
        ("true", True, 465, "implicit"),
        ("true", False, 2465, "implicit"),
        ("starttls", False, 587, "starttls"),
        ("implicit", True, 465, "implicit"),
        ("none", True, 25, "none"),
    ],
)
def test_use_tls_and_start_tls_as_the_llm_key_requestor_means_them(use_tls: str | None, start_tls: bool | None, port: int | None, mode: str) -> None:
    assert smtp.tls_and_port(use_tls, port, start_tls)[0] == mode


@pytest.mark.parametrize("use_tls", ["", "ssl", "tls", "starttls implicit", "maybe"])
def test_no_guess_at_encryption(use_tls: str) -> None:
    with pytest.raises(ValueError, match="give starttls, implicit or none"):
        smtp.tls_and_port(use_tls, None)


class ScriptedServer:
    """Stands in for smtplib's connection and answers in any order. `script` holds the event of each step."""

    def __init__(self, script: Iterator[str]) -> None:
        self.script = script
        self.arrived: Counter[str] = Counter()
        self.connections = self.handed = 0

    def connect(self, server: smtp.Server) -> ScriptedServer:
        self.connections += 1
        what = next(self.script)
        if what == "down":
            raise smtp._fault(server, ConnectionRefusedError(111, "Connection refused"))
        if what == "bad password":
            raise smtp._fault(server, smtplib.SMTPAuthenticationError(535, b"no"))
        return self

    def sendmail(self, sender: str, recipients: list[str], data: bytes) -> None:
        self.handed += 1
        (recipient,) = recipients
        what = next(self.script)
        if what == "cut after":
            self.arrived[recipient] += 1
        if what.startswith("cut"):
            raise smtplib.SMTPServerDisconnected("cut")
        if what in ("421", "451", "550"):
            raise smtplib.SMTPRecipientsRefused({recipient: (int(what), b"because")})
        if what == "552":
            raise smtplib.SMTPDataError(552, b"5.3.4 too big")
        if what == "521":
            raise smtplib.SMTPSenderRefused(521, b"not you", sender)
        self.arrived[recipient] += 1

    def quit(self) -> None: ...

    def close(self) -> None: ...


STEPS = ["ok", "ok", "ok", "down", "bad password", "cut before", "cut after", "421", "451", "550", "552", "521"]


def run(script: list[str], mails: int, retries: int) -> tuple[ScriptedServer, list[smtp.SendOutcome], list[float]]:
    """Send `mails` mails to a server that repeats the script forever."""

    def steps() -> Iterator[str]:
        while True:
            yield from script

    scripted = ScriptedServer(steps())
    pauses: list[float] = []
    server = smtp.Server("mail.test", 587, "starttls", retries=retries)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(smtp, "_connect", scripted.connect)
        outcomes = smtp.deliver(server, [Mail("a@b.test", f"user{n}@b.test", "<x>", b"x") for n in range(mails)], sleep=pauses.append)
    return scripted, outcomes, pauses


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(STEPS), min_size=1, max_size=40), st.integers(0, 8), st.integers(0, 4))
def test_sending_ends_within_its_bounds_and_reports_correctly(script: list[str], mails: int, retries: int) -> None:
    scripted, outcomes, pauses = run(script, mails, retries)
    assert len(outcomes) == mails
    assert scripted.handed <= 2 * mails * (retries + 1)
    assert scripted.connections <= (mails + 1) * (retries + 1)
    assert len(pauses) <= mails * (retries + 1) + retries
    assert all(0 <= pause <= smtp.LONGEST_WAIT for pause in pauses)
    for number, outcome in enumerate(outcomes):
        arrived = scripted.arrived[f"user{number}@b.test"]
        assert outcome.attempts <= retries + 1
        if outcome.status == smtp.SENT:
            assert arrived >= 1
        else:
            assert outcome.reason
            assert arrived == 0 or "cut after" in script  # the server accepted it, but its answer was lost
        assert (outcome.status == smtp.SENT or outcome.temporary) == (outcome.code not in (550, 552) or outcome.status == smtp.SENT)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(["ok", "550", "552"]), min_size=1, max_size=20), st.integers(1, 10))
def test_without_broken_connections_nothing_arrives_twice(script: list[str], mails: int) -> None:
    scripted, outcomes, pauses = run(["ok", *script], mails, 3)
    assert scripted.connections == 1
    assert pauses == []
    assert [scripted.arrived[f"user{number}@b.test"] for number in range(mails)] == [int(outcome.status == smtp.SENT) for outcome in outcomes]


def test_pauses_grow_and_stay_bounded() -> None:
    _scripted, (outcome,), pauses = run(["down"], 1, 10)
    assert outcome == smtp.SendOutcome(smtp.FAILED, "mail.test:587 cannot be reached: Connection refused", None, True, 0)
    assert len(pauses) == 10
    for number, pause in enumerate(pauses):
        assert 0.5 * min(30, 2 * 2**number) <= pause <= min(30, 2 * 2**number)


def test_a_wrong_password_is_not_tried_again() -> None:
    scripted, outcomes, pauses = run(["bad password"], 5, 4)
    assert (scripted.connections, pauses) == (1, [])
    assert {(outcome.code, outcome.temporary) for outcome in outcomes} == {(535, True)}


@pytest.mark.parametrize(
    "settings_",
    [
        {"host": "a b"},
        {"host": ""},
        {"port": 70000},
        {"timeout": 0},
        {"retries": 21},
        {"retry_delay": -1},
        {"user": "x"},
        {"password": "secret"},
    ],
)
def test_settings_that_cannot_work_are_named_and_secrets_are_not_shown(settings_: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings_))) as caught:
        smtp.Server(**{"host": "mail.test", "port": 587, "tls": "starttls", **settings_})
    assert "secret" not in str(caught.value)


def test_words_of_the_server_are_shown_without_keys_and_escapes() -> None:
    server = smtp.Server("mail.test", 587, "starttls", user="keys", password="secret words")
    quoted = smtp._quoted(server, 550, b"no \x1b[31mroom for sk-0123456789abcdef\r\n\xff secret words AGtleXMAc2VjcmV0IHdvcmRz")
    assert quoted == "550 no [31mroom for sk-*** \ufffd *** ***"
    assert "secret" not in repr(server)
