# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The module key_mail against real SMTP servers, well and badly behaved."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery.mailer import ENVIRONMENT
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.call_module import call_module
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.smtp import Server, SmtpFactory

KEY = "sk-stoEN1JAQJQCe8fmu0i5L_wwnqvuGMVYok3FbyaTj8s"
PASSWORD = "correct horse battery"

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENVIRONMENT.values():
        monkeypatch.delenv(name, raising=False)


def approval(name: str, key: str = KEY, **more: Any) -> dict[str, Any]:
    return {
        "kind": "approval",
        "to": f"{name}@example.org",
        "id": f"request-{name}",
        "value": key,
        "url": "https://llm.example.com",
        **more,
    }


def key_mail(server: Server, *messages: dict[str, Any], check: bool = False, **more: Any) -> dict[str, Any]:
    return call_module("key_mail", {**server.options, "from": "keys@example.com", "messages": list(messages), **more}, check=check, no_log=False)


def statuses(result: dict[str, Any]) -> dict[str, str]:
    return {each["to"].partition("@")[0]: each["status"] for each in result["mails"]}


# -------------------------------------------------------------------------------------------------------- delivered
@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_key_arrives_encrypted_and_logged_in(smtp: SmtpFactory, tls: str) -> None:
    server = smtp(tls, users={"keys": PASSWORD})
    result = key_mail(server, approval("ada"), user="keys", password=PASSWORD)
    assert (result["changed"], result["counts"]["sent"]) == (True, 1)
    (mail,) = server.mailbox.received
    assert (mail.sender, mail.recipients, mail.encrypted, mail.user) == ("keys@example.com", ("ada@example.org",), True, "keys")
    assert KEY in mail.part("plain")
    assert KEY in mail.part("html")
    assert mail.message["Message-ID"] == result["mails"][0]["message_id"]


def test_without_encryption_only_when_asked_for(smtp: SmtpFactory) -> None:
    server = smtp("none")
    assert key_mail(server, approval("ada"))["counts"]["sent"] == 1
    assert not server.mailbox.received[0].encrypted


@pytest.mark.parametrize(("use_tls", "start_tls"), [("true", ""), ("false", "true"), ("true", "true")])
def test_the_environment_of_the_llm_key_requestor(smtp: SmtpFactory, monkeypatch: pytest.MonkeyPatch, use_tls: str, start_tls: str) -> None:
    server = smtp("starttls", users={"keys": PASSWORD})
    environment = {
        "HOST": "localhost",
        "PORT": str(server.port),
        "USER": "keys",
        "PASSWORD": PASSWORD,
        "FROM": "Schlüsseldienst <env@example.com>",
        "USE_TLS": use_tls,
        "START_TLS": start_tls,
        "VERIFY_SSL": "true",
    }
    for name, value in environment.items():
        monkeypatch.setenv(f"SMTP_{name}", value)
    result = call_module("key_mail", {"messages": [approval("ada")], "ca_path": str(server.ca_path)})
    assert result["counts"]["sent"] == 1
    (mail,) = server.mailbox.received
    assert (mail.sender, mail.encrypted, mail.user) == ("env@example.com", True, "keys")
    assert mail.message["From"] == "Schlüsseldienst <env@example.com>"


def test_a_certificate_that_is_not_to_be_verified(smtp: SmtpFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    server = smtp(certificate="expired")
    monkeypatch.setenv("SMTP_VERIFY_SSL", "false")
    assert key_mail(server, approval("ada"))["counts"]["sent"] == 1
    assert server.mailbox.received[0].encrypted


def test_answers_go_elsewhere(smtp: SmtpFactory) -> None:
    server = smtp()
    key_mail(server, approval("ada"), reply_to="Help <help@example.com>", **{"from": "LLM keys <keys@example.com>"})
    (mail,) = server.mailbox.received
    assert (mail.sender, mail.message["From"], mail.message["Reply-To"]) == ("keys@example.com", "LLM keys <keys@example.com>", "Help <help@example.com>")


def test_many_mails_share_one_connection_and_each_reaches_its_own_recipient_only(smtp: SmtpFactory) -> None:
    server = smtp()
    owners = {f"user{number}": f"sk-{number:04}-0123456789abcdef" for number in range(50)}
    result = key_mail(server, *(approval(name, key) for name, key in owners.items()))
    assert result["counts"]["sent"] == 50
    assert server.mailbox.connections == 1
    for name, key in owners.items():
        (mail,) = server.mailbox.of(f"{name}@example.org")
        assert mail.message["To"] == f"{name}@example.org"
        assert set(re.findall(r"sk-[0-9]{4}-0123456789abcdef", mail.part("plain") + mail.part("html"))) == {key}


def test_text_that_people_write_arrives_as_text(smtp: SmtpFactory) -> None:
    server = smtp()
    reason = "<script>alert(1)</script>\r\n.\r\nBcc: eve@example.org\r\n\r\nÄrger {{ 7 * 7 }}"
    result = key_mail(server, {"kind": "denial", "to": "ada@example.org", "id": "1\r\nBcc: eve@example.org", "reason": reason, "language": "de"})
    assert result["counts"]["sent"] == 1
    (mail,) = server.mailbox.received
    assert mail.recipients == ("ada@example.org",)
    assert "Bcc" not in mail.message
    assert "> <script>alert(1)</script>\n> .\n> Bcc: eve@example.org\n> \n> Ärger {{ 7 * 7 }}\n" in mail.part("plain")
    assert "<script" not in mail.part("html")


def test_templates_from_files(smtp: SmtpFactory, tmp_path: Path) -> None:
    server = smtp()
    (tmp_path / "a.txt").write_text("Schlüssel {{ value }} für {{ variables_are.deep }}\n", encoding="utf-8")
    (tmp_path / "a.html").write_text("<p>{{ variables_are.deep }}</p>", encoding="utf-8")
    own = {"kind": "approval", "subject": "Für {{ to }}", "text_path": str(tmp_path / "a.txt"), "html_path": str(tmp_path / "a.html")}
    key_mail(server, approval("ada", variables={"variables_are": {"deep": "<i>"}}), templates=[own])
    (mail,) = server.mailbox.received
    assert mail.message["Subject"] == "Für ada@example.org"
    assert mail.part("plain") == f"Schlüssel {KEY} für <i>\n"
    assert mail.part("html") == "<p>&lt;i&gt;</p>\n"


def test_check_mode_writes_the_mails_and_sends_none(smtp: SmtpFactory) -> None:
    server = smtp()
    result = key_mail(server, approval("ada"), check=True)
    assert (result["changed"], statuses(result)) == (True, {"ada": "planned"})
    assert key_mail(server, {**approval("ada"), "to": "nobody"}, check=True)["failed"]
    assert server.mailbox.connections == 0


def test_without_messages_it_does_not_connect(smtp: SmtpFactory) -> None:
    assert key_mail(smtp(started=False))["changed"] is False


# ------------------------------------------------------------------------------------------------------------ faults
def test_a_refused_recipient_does_not_stop_the_others(smtp: SmtpFactory) -> None:
    server = smtp()
    server.mailbox.refused["bob@example.org"] = "550 5.1.1 no such user here"
    result = key_mail(server, approval("ada"), approval("bob"), approval("eve"))
    assert result["failed"]
    assert (result["code"], statuses(result)) == ("not_sent", {"ada": "sent", "bob": "refused", "eve": "sent"})
    bob = result["mails"][1]
    assert (bob["reason"], bob["code"], bob["temporary"], bob["attempts"]) == (
        "the server answered 550 5.1.1 no such user here",
        550,
        False,
        1,
    )
    assert result["msg"] == "1 of 3 mails were not sent; the first is the approval mail to bob@example.org: the server answered 550 5.1.1 no such user here."
    assert len(server.mailbox.received) == 2


def test_a_template_that_fails_can_be_mended_and_a_bad_address_cannot(smtp: SmtpFactory) -> None:
    server = smtp()
    result = key_mail(server, approval("ada"), {**approval("bob"), "to": "bob"}, templates=[{"kind": "approval", "text": "{{ unknown }}"}])
    assert [each["temporary"] for each in result["mails"]] == [True, False]


def test_a_bad_message_does_not_stop_the_others(smtp: SmtpFactory) -> None:
    server = smtp()
    result = key_mail(server, {**approval("bob"), "to": "bob@example.org\nBcc: eve@example.org"}, approval("ada"), {**approval("eve"), "value": ""})
    assert [each["status"] for each in result["mails"]] == ["failed", "sent", "failed"]
    assert result["mails"][0]["message_id"] is None
    assert server.mailbox.tries == ["ada@example.org"]


def test_a_deferred_mail_is_accepted_later(smtp: SmtpFactory) -> None:
    server = smtp()
    server.mailbox.put_off.update({"ada@example.org": 2, "bob@example.org": 1})
    result = key_mail(server, approval("ada"), approval("bob"), approval("eve"))
    assert result["counts"]["sent"] == 3
    assert {each["to"]: each["attempts"] for each in result["mails"]} == {"ada@example.org": 3, "bob@example.org": 2, "eve@example.org": 1}
    assert server.mailbox.tries[2] == "eve@example.org"  # other mails do not wait for deferred ones


def test_a_mail_that_is_always_deferred_fails_in_the_end(smtp: SmtpFactory) -> None:
    server = smtp()
    server.mailbox.put_off["ada@example.org"] = 99
    result = key_mail(server, approval("ada"), approval("bob"), retries=2)
    ada = result["mails"][0]
    assert (ada["status"], ada["temporary"], ada["code"], ada["attempts"]) == ("failed", True, 451, 3)
    assert statuses(result)["bob"] == "sent"


def test_after_a_broken_connection_the_mail_is_sent_again_with_its_message_id(smtp: SmtpFactory) -> None:
    server = smtp()
    server.mailbox.hang_ups["bob@example.org"] = 1
    result = key_mail(server, approval("ada"), approval("bob"), approval("eve"))
    assert result["counts"]["sent"] == 3
    assert server.mailbox.connections == 2
    assert len(server.mailbox.received) == 3


def test_a_mail_that_breaks_every_connection_does_not_stop_the_others(smtp: SmtpFactory) -> None:
    server = smtp()
    server.mailbox.hang_ups["bob@example.org"] = 99
    result = key_mail(server, approval("bob"), approval("ada"), approval("eve"), retries=2)
    assert statuses(result) == {"bob": "failed", "ada": "sent", "eve": "sent"}
    assert (result["mails"][0]["temporary"], result["mails"][0]["attempts"]) == (True, 3)
    assert [address.partition("@")[0] for address in server.mailbox.tries] == ["bob", "ada", "eve", "bob", "bob"]


def test_a_server_that_takes_only_some_mails_at_a_time(smtp: SmtpFactory) -> None:
    server = smtp()
    server.mailbox.most_per_connection = 2
    started = time.monotonic()
    result = key_mail(server, *(approval(f"user{number}") for number in range(9)), retries=1, retry_delay=20)
    assert result["counts"]["sent"] == 9
    assert server.mailbox.connections == 5
    assert time.monotonic() - started < 15  # no pause as long as mails go out


def test_sent_again_has_the_same_message_id(smtp: SmtpFactory) -> None:
    server = smtp()
    first, second = (key_mail(server, approval("ada"))["mails"][0]["message_id"] for _time in range(2))
    assert first == second
    assert [mail.message["Message-ID"] for mail in server.mailbox.received] == [first, first]


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
@pytest.mark.parametrize(("certificate", "words"), [("expired", "certificate has expired"), ("of another host", "certificate is not valid for 'localhost'")])
def test_an_invalid_certificate(smtp: SmtpFactory, tls: str, certificate: str, words: str) -> None:
    server = smtp(tls, users={"keys": PASSWORD}, certificate=certificate)
    result = key_mail(server, approval("ada"), approval("bob"), user="keys", password=PASSWORD)
    assert set(statuses(result).values()) == {"failed"}
    assert words in result["mails"][0]["reason"]
    assert result["mails"][1]["temporary"] is True  # somebody renews the certificate
    assert server.mailbox.received == []
    unchecked = key_mail(server, approval("ada"), user="keys", password=PASSWORD, validate_certs=False)
    assert unchecked["counts"]["sent"] == 1


def test_an_unknown_authority(smtp: SmtpFactory) -> None:
    server = smtp()
    result = key_mail(server, approval("ada"), ca_path=None)
    assert "give its authority in ca_path" in result["msg"]
    assert server.mailbox.received == []


@pytest.mark.parametrize("use_tls", ["starttls", "true"])
def test_a_server_without_starttls_gets_neither_password_nor_key(smtp: SmtpFactory, use_tls: str) -> None:
    server = smtp("none", users={"keys": PASSWORD})
    result = key_mail(server, approval("ada"), use_tls=use_tls, user="keys", password=PASSWORD)
    assert "does not offer STARTTLS, so nothing was sent" in result["msg"]
    assert result["mails"][0]["temporary"] is True
    assert server.mailbox.tries == []


def test_implicit_tls_to_a_server_without_tls(smtp: SmtpFactory) -> None:
    result = key_mail(smtp("starttls"), approval("ada"), use_tls="implicit")
    assert "check port and use_tls" in result["msg"]


def test_a_wrong_password_is_reported_once_and_not_shown(smtp: SmtpFactory) -> None:
    server = smtp(users={"keys": PASSWORD})
    result = key_mail(server, *(approval(f"user{number}") for number in range(5)), user="keys", password="wrong horse battery")
    assert set(statuses(result).values()) == {"failed"}
    assert "does not let the user in: 535" in result["msg"]
    assert {(each["code"], each["temporary"]) for each in result["mails"]} == {(535, True)}
    assert server.mailbox.connections == 1
    assert "wrong horse" not in json.dumps(result)


def test_a_server_that_wants_a_login_and_gets_none(smtp: SmtpFactory) -> None:
    result = key_mail(smtp(users={"keys": PASSWORD}), approval("ada"))
    assert "530" in result["mails"][0]["reason"]
    assert result["mails"][0]["temporary"] is True


@pytest.mark.parametrize(
    ("answer", "status", "temporary", "attempts"),
    [
        ("450 4.2.0 greylisted", "failed", True, 2),
        ("451 4.7.1 greylisted", "failed", True, 2),
        ("452 4.2.2 mailbox full", "failed", True, 2),
        ("552 5.2.2 mailbox full", "refused", True, 1),
        ("550 5.1.1 no such user", "refused", False, 1),
        ("553 mailbox name not allowed", "refused", False, 1),
        ("554 5.7.1 Relay access denied", "refused", True, 1),
        ("530 5.7.0 authentication required", "refused", True, 1),
    ],
)
def test_whether_a_later_try_may_succeed(smtp: SmtpFactory, answer: str, status: str, temporary: bool, attempts: int) -> None:
    server = smtp()
    server.mailbox.refused["ada@example.org"] = answer
    (mail,) = key_mail(server, approval("ada"), retries=1)["mails"]
    assert (mail["status"], mail["temporary"], mail["attempts"], mail["code"]) == (status, temporary, attempts, int(answer[:3]))


def test_a_sender_that_the_server_does_not_accept(smtp: SmtpFactory) -> None:
    server = smtp()
    server.mailbox.refused["keys@example.com"] = "550 5.7.1 not allowed to send as keys@example.com"
    result = key_mail(server, approval("ada"), approval("bob"))
    assert {(each["status"], each["code"], each["temporary"], each["attempts"]) for each in result["mails"]} == {("refused", 550, True, 1)}
    assert server.mailbox.tries == []


def test_a_server_that_is_down_is_retried_once_and_not_for_each_mail(smtp: SmtpFactory) -> None:
    server = smtp(started=False)
    started = time.monotonic()
    result = key_mail(server, *(approval(f"user{number}") for number in range(200)), retries=3, retry_delay=0.2)
    assert time.monotonic() - started < 10
    assert (set(statuses(result).values()), result["mails"][199]["temporary"]) == ({"failed"}, True)
    assert f"localhost:{server.port} cannot be reached: Connection refused" in result["msg"]


def test_a_server_that_comes_back_in_time(smtp: SmtpFactory) -> None:
    server = smtp(started=False)
    timer = threading.Timer(1.0, server.start)
    timer.start()
    try:
        result = key_mail(server, approval("ada"), retries=6, retry_delay=0.5)
    finally:
        timer.join()
    assert result["counts"]["sent"] == 1


def test_a_server_that_never_answers_is_given_up_after_the_timeout(smtp: SmtpFactory) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = smtp(started=False)
        server.port = silent.getsockname()[1]
        started = time.monotonic()
        result = key_mail(server, approval("ada"), timeout=0.5, retries=1)
        assert time.monotonic() - started < 8
    assert result["mails"][0]["temporary"] is True


def test_an_unknown_host_name() -> None:
    result = call_module("key_mail", {"host": "smtp.invalid", "messages": [approval("ada")], "retries": 0})
    assert "smtp.invalid:587 cannot be reached" in result["msg"]


# ---------------------------------------------------------------------------------------------------------- bad input
@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"use_tls": "ssl3"}, "use_tls is 'ssl3'"),
        ({"port": 0}, "port is 0"),
        ({"host": "smtp example"}, "host is 'smtp example'"),
        ({"from": "Keys keys@example.com"}, "sender is"),
        ({"reply_to": "nobody"}, "reply_to is"),
        ({"host": "smtp.example.com", "use_tls": "none"}, "would go over the network without encryption"),
        ({"host": "smtp.example.com", "use_tls": "false", "start_tls": False, "user": "keys", "password": "schlussel"}, "would go over the network"),
        ({"from": "keys@example.com\nBcc: eve@example.org"}, "sender is"),
        ({"user": "keys"}, "only one of user and password"),
        ({"user": "keys", "password": "schlüssel"}, "password holds a letter"),
        ({"ca_path": "/nowhere/ca.pem"}, "ca_path is /nowhere/ca.pem"),
        ({"timeout": 0}, "timeout is 0"),
        ({"retries": -1}, "retries is -1"),
        ({"templates": [{"kind": "approval", "text": "{{ x"}]}, "the template of approval mails is wrong in its text"),
        ({"templates": [{"kind": "approval", "text_path": "/nowhere/a.txt"}]}, "text_path is /nowhere/a.txt"),
        ({"templates": [{"kind": "approval"}]}, "one of the following is required: text, text_path"),
        ({"templates": [{"kind": "approval", "text": "x", "text_path": "/x"}]}, "mutually exclusive"),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(smtp: SmtpFactory, more: dict[str, Any], message: str) -> None:
    server = smtp()
    result = key_mail(server, approval("ada"), **more)
    assert result["failed"]
    assert message in result["msg"]
    assert "schlüssel" not in json.dumps(result, ensure_ascii=False)
    assert server.mailbox.connections == 0


def test_no_key_and_no_password_in_what_the_module_returns(smtp: SmtpFactory) -> None:
    server = smtp(users={"keys": PASSWORD})
    server.mailbox.refused["ada@example.org"] = f"550 the words {KEY} {PASSWORD} are not welcome"
    result = key_mail(server, approval("ada"), user="keys", password=PASSWORD)
    assert "are not welcome" in result["msg"]
    for secret in (KEY, PASSWORD):
        assert secret not in json.dumps(result)
