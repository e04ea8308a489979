# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""A batch of mails: notices and templates as callers give them, sent over one connection, and the result of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ..common.printable import printable
from . import smtp
from .mail import KINDS, LANGUAGES, Mail, Notice, Sender, Template, TemplateFault, compose

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

PLANNED = "planned"
STATUSES = (smtp.SENT, smtp.REFUSED, smtp.FAILED, PLANNED)
_LARGEST_TEMPLATE = 1_000_000  # characters


MESSAGE_SPEC: dict[str, dict[str, Any]] = {
    "kind": {"type": "str", "choices": list(KINDS), "required": True},
    "to": {"type": "str", "default": ""},
    "id": {"type": "str", "required": True},
    "language": {"type": "str", "choices": list(LANGUAGES)},
    "value": {"type": "str", "no_log": True},
    "url": {"type": "str"},
    "alias": {"type": "str"},
    "user": {"type": "str"},
    "models": {"type": "list", "elements": "str"},
    "package": {"type": "str"},
    "expires": {"type": "str"},
    "email": {"type": "str"},
    "request_id": {"type": "str"},
    "namespace": {"type": "str"},
    "secret_name": {"type": "str"},
    "link": {"type": "str", "no_log": True},
    "link_expires": {"type": "str"},
    "reason": {"type": "str"},
    "purpose": {"type": "str"},
    "note": {"type": "str"},
    "commands": {"type": "list", "elements": "str"},
    "variables": {"type": "dict"},
}
"""The argument spec of a notice (doc fragment `notices`)."""


MESSAGES_SPEC: dict[str, dict[str, Any]] = {"messages": {"type": "list", "elements": "dict", "required": True, "options": MESSAGE_SPEC}}
TEMPLATE_SPEC: dict[str, dict[str, Any]] = {
    "kind": {"type": "str", "choices": list(KINDS), "required": True},
    "language": {"type": "str", "choices": list(LANGUAGES)},
    "subject": {"type": "str"},
    "text": {"type": "str"},
    "text_path": {"type": "path"},
    "html": {"type": "str"},
    "html_path": {"type": "path"},
}
TEXTS_SPEC: dict[str, dict[str, Any]] = {
    "language": {"type": "str", "choices": list(LANGUAGES), "default": "en"},
    "templates": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": TEMPLATE_SPEC,
        "mutually_exclusive": [("text", "text_path"), ("html", "html_path")],
        "required_one_of": [("text", "text_path")],
    },
}
"""The argument spec of what sends notices (doc fragment `notice_texts`)."""


@dataclass(frozen=True)
class MailResult:
    """A notice, and the outcome of its mail. `message_id` is None if the notice made no mail."""

    notice: Notice
    outcome: smtp.SendOutcome
    message_id: str | None

    def as_dict(self) -> dict[str, Any]:
        """Return the result without anything that may be secret."""
        return {
            "id": printable(self.notice.id),
            "kind": self.notice.kind,
            "to": printable(self.notice.to, 254),
            **asdict(self.outcome),
            "message_id": self.message_id,
        }


def notice_from(message: Mapping[str, Any], language: str) -> Notice:
    """Return the notice that a mapping of its fields describes. None counts as not given, `language` is the default."""
    given = {name: value for name, value in message.items() if value is not None}
    for name in ("models", "commands"):
        given[name] = tuple(given.get(name, ()))
    if given.get("expires") == "never":
        given["expires"] = None
    return Notice(**{"language": language, **given})


def template_from(given: Mapping[str, Any]) -> Template:
    """Return the template that a mapping describes, reading `text_path` and `html_path`. Raises ValueError."""
    content = {name: given[name] or "" for name in ("subject", "text", "html")}
    for name in ("text", "html"):
        path = given[f"{name}_path"]
        if path:
            try:
                with Path(path).open(encoding="utf-8") as file:
                    content[name] = file.read(_LARGEST_TEMPLATE)
            except (OSError, UnicodeError):
                raise ValueError(f"{name}_path is {printable(path, 200)}, which cannot be read as UTF-8; give a readable file.") from None
    return Template(kind=given["kind"], language=given["language"] or "", **content)


def warnings_about(server: smtp.Server) -> list[str]:
    """Return what an administrator should know about the connection."""
    if not server.is_exposed:
        return []
    return [f"Mails go to {server.name} without encryption; everybody on the way reads the keys in them."]


def send_notices(
    server: smtp.Server, sender: Sender, notices: Sequence[Notice], templates: Sequence[Template] = (), *, dry_run: bool = False
) -> list[MailResult]:
    """Compose and send a mail for each notice, and return the results in the same order.

    A notice that makes no mail does not stop the others. With `dry_run` mails are composed but not sent.
    """
    mails: dict[int, Mail] = {}
    outcomes: dict[int, smtp.SendOutcome] = {}
    for number, notice in enumerate(notices):
        try:
            mails[number] = compose(notice, sender, templates)
        except ValueError as error:
            outcomes[number] = smtp.SendOutcome(smtp.FAILED, str(error).removesuffix("."), temporary=isinstance(error, TemplateFault))
    if dry_run:
        outcomes |= dict.fromkeys(mails, smtp.SendOutcome(PLANNED))
    else:
        outcomes |= dict(zip(mails, smtp.deliver(server, list(mails.values())), strict=True))
    return [MailResult(notice, outcomes[number], mails[number].message_id if number in mails else None) for number, notice in enumerate(notices)]


def mails_result(results: Sequence[MailResult]) -> dict[str, Any]:
    """Return what the module `key_mail` returns, with `failed`, `msg` and `code` if a mail was not sent."""
    counts = {status: sum(1 for result in results if result.outcome.status == status) for status in STATUSES}
    mails = [result.as_dict() for result in results]
    returned: dict[str, Any] = {"changed": bool(counts[smtp.SENT] or counts[PLANNED]), "mails": mails, "counts": counts}
    unsent = [mail for mail in mails if mail["status"] in (smtp.REFUSED, smtp.FAILED)]
    if unsent:
        first = f"{unsent[0]['kind']} mail to {unsent[0]['to']}: {unsent[0]['reason']}"
        returned.update(failed=True, msg=f"{len(unsent)} of {len(mails)} mails were not sent; the first is the {first}.", code="not_sent")
    return returned


def exit_with_result(module: AnsibleModule, work: Callable[[], dict[str, Any]]) -> NoReturn:
    """End a module with the result of `work`, which says if it `failed`, or with the message of its ValueError."""
    try:
        result = work()
    except ValueError as error:
        module.fail_json(msg=str(error), code="bad_input", changed=False)
    if result.get("failed"):
        module.fail_json(**result)
    module.exit_json(**result)
    raise AssertionError("exit_json and fail_json do not return")
