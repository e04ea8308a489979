# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""How the answers of a pass reach people: mails and webhooks. Every result says whether trying again can help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ...module_utils.common.printable import printable
from ...module_utils.delivery import mail, outbox, smtp, webhooks
from ...module_utils.delivery.mailer import mailer_from


@dataclass(frozen=True)
class PostResult:
    """The result of one delivery. `final`: the receiving side will never take it, so that trying again is of no use."""

    delivered: bool
    reason: str = ""
    final: bool = False


class MailSender(Protocol):
    """Sends mails."""

    def send(self, messages: Sequence[Mapping[str, Any]]) -> list[PostResult]:
        """Send mails, each in the words of the module `key_mail`, and return their results in the same order."""


class ChannelPoster(Protocol):
    """Posts notices to channels, such as one in a chat."""

    def channels(self, kind: str) -> list[str]:
        """Return the names of the channels that take notices of this kind."""

    def post(self, channel: str, messages: Sequence[Mapping[str, Any]]) -> list[PostResult]:
        """Post notices, each in the words of the module `key_mail`, and return their results in the same order."""


class SmtpMailer:
    """Sends mails as the module `key_mail` does. `settings` are that module's options."""

    def __init__(self, settings: Mapping[str, Any], *, dry_run: bool = False) -> None:
        """Raises ValueError for settings that cannot work."""
        self._mailer = mailer_from(settings)
        self._dry_run = dry_run
        self.warnings = outbox.warnings_about(self._mailer.server)

    def send(self, messages: Sequence[Mapping[str, Any]]) -> list[PostResult]:
        notices: dict[int, mail.Notice] = {}
        results: dict[int, PostResult] = {}
        for number, message in enumerate(messages):
            try:
                notices[number] = self._mailer.notice(message)
            except (TypeError, ValueError) as error:
                results[number] = PostResult(False, printable(str(error)), final=True)
        sent = self._mailer.send(list(notices.values()), dry_run=self._dry_run) if notices else []
        results |= {number: _post_result(result.outcome) for number, result in zip(notices, sent, strict=True)}
        return [results[number] for number in range(len(messages))]


def _post_result(outcome: smtp.SendOutcome) -> PostResult:
    delivered = outcome.status in (smtp.SENT, outbox.PLANNED)
    return PostResult(delivered, outcome.reason, final=not delivered and not outcome.temporary)


class Webhooks:
    """Posts notices to webhooks as the module `key_webhook` does. `targets` are that module's."""

    def __init__(self, targets: Sequence[Mapping[str, Any]], language: str, *, dry_run: bool = False) -> None:
        """Raises ValueError for a target that cannot be used."""
        self._targets = {target.name: target for target in map(webhooks.target_from, targets)}
        if len(self._targets) < len(targets):
            raise ValueError("two webhooks have the same name; give each a name of its own.")
        self._language = language
        self._dry_run = dry_run

    def channels(self, kind: str) -> list[str]:
        return [name for name, target in self._targets.items() if kind in target.kinds]

    def post(self, channel: str, messages: Sequence[Mapping[str, Any]]) -> list[PostResult]:
        notices = [outbox.notice_from({**message, "to": ""}, self._language) for message in messages]
        results = webhooks.send_webhooks([self._targets[channel]], notices, dry_run=self._dry_run)
        return [_post_result(result.outcome) for result in results]
