# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""A batch of mails: the arguments of callers, and the result of each mail. Sending on real servers: tests/integration."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common.email_address import parse_mailbox
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery import outbox, smtp
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery.mail import Mail, Notice, Sender

NOTHING = dict.fromkeys(outbox.MESSAGE_SPEC)
NO_TEMPLATE = dict.fromkeys(outbox.TEMPLATE_SPEC)
SENDER = Sender(parse_mailbox("keys@example.com", "sender"))
SERVER = smtp.Server("smtp.example.com", 587, smtp.STARTTLS)
GOOD, OTHER = Notice("denial", "ada@example.com", "1"), Notice("denial", "bob@example.com", "2")
BAD = Notice("approval", "eve@example.com", "3")


def test_a_notice_from_arguments() -> None:
    made = outbox.notice_from({**NOTHING, "kind": "expiry", "to": "a@b.example", "id": "1", "models": ["x"], "expires": "2026-12-31T18:00:00Z"}, "de")
    assert made == Notice("expiry", "a@b.example", "1", "de", models=("x",), expires="2026-12-31T18:00:00Z")


def test_a_message_has_its_own_language_and_may_never_end() -> None:
    made = outbox.notice_from({**NOTHING, "kind": "approval", "to": "a@b.example", "id": "1", "language": "es", "expires": "never"}, "de")
    assert (made.language, made.expires) == ("es", None)


def test_a_template_from_files(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("Grüße {{ to }}", encoding="utf-8")
    assert outbox.template_from({**NO_TEMPLATE, "kind": "denial", "text_path": str(tmp_path / "t"), "html": "<p>"}).text == "Grüße {{ to }}"
    (tmp_path / "t").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"text_path is .* cannot be read as UTF-8"):
        outbox.template_from({**NO_TEMPLATE, "kind": "denial", "text_path": str(tmp_path / "t")})


def test_a_notice_that_makes_no_mail_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def deliver(server: smtp.Server, mails: list[Mail]) -> list[smtp.SendOutcome]:
        assert server is SERVER
        return [smtp.SendOutcome(smtp.SENT if mail.recipient == GOOD.to else smtp.REFUSED, "", 250, attempts=1) for mail in mails]

    monkeypatch.setattr(smtp, "deliver", deliver)
    results = outbox.send_notices(SERVER, SENDER, [BAD, GOOD, OTHER])
    assert [(result.notice, result.outcome.status) for result in results] == [(BAD, smtp.FAILED), (GOOD, smtp.SENT), (OTHER, smtp.REFUSED)]
    assert [result.message_id is None for result in results] == [True, False, False]
    returned = outbox.mails_result(results)
    assert returned["counts"] == {"sent": 1, "refused": 1, "failed": 1, "planned": 0}
    assert (returned["changed"], returned["failed"], returned["code"]) == (True, True, "not_sent")
    assert returned["msg"].startswith("2 of 3 mails were not sent; the first is the approval mail to eve@example.com: the approval mail to")


def test_a_dry_run_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(smtp, "deliver")
    returned = outbox.mails_result(outbox.send_notices(SERVER, SENDER, [GOOD], dry_run=True))
    assert (returned["changed"], returned["counts"]["planned"], "failed" in returned) == (True, 1, False)


def test_a_connection_without_encryption_is_warned_about_unless_it_stays_on_this_host() -> None:
    plain = dataclasses.replace(SERVER, tls=smtp.NONE, allow_unencrypted=True)
    assert outbox.warnings_about(SERVER) == []
    assert "smtp.example.com:587 without encryption" in outbox.warnings_about(plain)[0]
    assert outbox.warnings_about(dataclasses.replace(plain, host="localhost")) == []
