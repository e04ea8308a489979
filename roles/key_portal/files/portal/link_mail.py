# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The mails with links. They are sent behind the answer to whoever asked for one, whose time therefore tells nothing."""

from __future__ import annotations

import logging
import queue
import threading
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import make_msgid
from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common.email_address import parse_address
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery.mail import Mail, Sender
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery.mailer import Mailer, mailer_from
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery.smtp import SENT, deliver

from .errors import shown
from .language import Language
from .settings import Settings
from .templating import render_template

log = logging.getLogger("portal")

MOST_WAITING = 500
"""How many mails may wait. More are dropped: the mail server does not keep up with what somebody asks for."""
SMTP_SECONDS, SMTP_RETRIES = 20, 2
_POLICY = SMTP.clone(cte_type="7bit")


def link_mail(sender: Sender, to: str, address: str, language: Language, **values: Any) -> Mail:
    """Return the mail that carries the link `address`. `values` are what its templates show. Raises ValueError."""
    recipient = parse_address(to)
    message = EmailMessage(policy=_POLICY)
    message["From"] = Address(sender.mailbox.name, sender.address.local, sender.address.domain)
    message["To"] = str(recipient)
    message["Subject"] = language(f"mail.{values['purpose']}_subject")
    message["Date"] = datetime.now(UTC)
    message["Message-ID"] = make_msgid(domain=sender.address.domain)
    message["Auto-Submitted"] = "auto-generated"
    shown_values = {**values, "t": language, "link": address, "email": str(recipient)}
    message.set_content(render_template("mail/link.txt", shown_values))
    message.add_alternative(render_template("mail/link.html", shown_values), subtype="html")
    message["Content-Language"] = language.code
    return Mail(str(sender.address), str(recipient), message["Message-ID"], message.as_bytes())


class MailThread:
    """Sends mails one after another, in a thread that ends with the process."""

    def __init__(self, mailer: Mailer) -> None:
        self._mailer = mailer
        self._waiting: queue.Queue[Mail] = queue.Queue(MOST_WAITING)
        self._began = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def sender(self) -> Sender:
        return self._mailer.sender

    def send(self, mail: Mail) -> None:
        """Let a mail be sent soon. What becomes of it is only logged."""
        with self._began:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="mails", daemon=True)
                self._thread.start()
        try:
            self._waiting.put_nowait(mail)
        except queue.Full:
            log.error("A mail with a link was dropped, because %d others wait for the mail server.", MOST_WAITING)

    def wait(self) -> None:
        """Wait until all mails are sent."""
        self._waiting.join()

    def _run(self) -> None:
        while True:
            mail = self._waiting.get()
            try:
                (outcome,) = deliver(self._mailer.server, [mail])
                if outcome.status != SENT:
                    log.error("A mail with a link was not sent: %s", shown(outcome.reason))
            except Exception as error:  # noqa: BLE001 - the next mail must be sent all the same
                log.error("A mail with a link was not sent: %s", shown(f"{type(error).__name__}: {error}"))
            finally:
                self._waiting.task_done()


def mails_of(settings: Settings) -> MailThread | None:
    """Return what sends mails, by the SMTP_ variables of the environment, or None if no method of identity needs it. Raises ValueError."""
    if "link" not in settings.identity_methods:
        return None
    return MailThread(mailer_from({"timeout": SMTP_SECONDS, "retries": SMTP_RETRIES}))
