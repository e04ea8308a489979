# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Post notices to webhooks, with the guarantees of mail: at least once, the same id for repeats, and a result for each.

Apprise 2.2 knows more services (BSD-2-Clause, five further requirements), but cannot keep these guarantees. Its Slack plugin returns False
for a failure, with neither the status nor `Retry-After`, so nobody can tell a channel that is gone from a busy one; a message has no
id; and at the level DEBUG it logs the address, which is the secret, and the content (plugins/slack.py). The four formats here are one
POST each.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from ..common.printable import printable, quoted
from . import chat
from .mail import KINDS, LANGUAGES, Notice, Template, TemplateFault, checked_texts, content_of, notice_id
from .outbox import PLANNED, STATUSES
from .poster import NotPosted, PostAnswer, Poster, checked_secret_url, hidden, secrets_of_url
from .smtp import FAILED, LONGEST_WAIT, REFUSED, SENT, SendOutcome

TARGET_SPEC: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "url": {"type": "str", "required": True, "no_log": True},
    "format": {"type": "str", "choices": list(chat.FORMATS), "default": chat.JSON},
    "kinds": {"type": "list", "elements": "str", "choices": list(KINDS)},
    "language": {"type": "str", "choices": list(LANGUAGES)},
    "headers": {"type": "dict", "no_log": True, "default": {}},
    "ca_path": {"type": "path"},
    "allow_unencrypted": {"type": "bool", "default": False},
}
"""The argument spec of a target."""

_OF_THE_NOTICE = (400, 413, 422)  # the service does not take this body
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]*")


@dataclass(frozen=True)
class WebhookTarget:
    """Where notices go. Only `name` is ever shown. Raises ValueError for what cannot work.

    `kinds` are the kinds of notices that it takes, `language` replaces that of the notices, if it is not empty.
    """

    name: str
    url: str = field(repr=False)
    format: str = chat.JSON
    kinds: tuple[str, ...] = KINDS
    language: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    ca_path: str | None = None
    allow_unencrypted: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"the name of a webhook is {quoted(self.name, 40)}; give up to 64 letters, digits, blanks, dots and hyphens.")
        if self.format not in chat.FORMATS:
            raise ValueError(f"the format of webhook {self.name} is {quoted(self.format, 40)}; give one of {', '.join(chat.FORMATS)}.")
        checked_secret_url(self.url, f"the url of webhook {self.name}", allow_unencrypted=self.allow_unencrypted)
        for name, value in self.headers.items():
            if not _HEADER_NAME.fullmatch(str(name)) or not _HEADER_VALUE.fullmatch(str(value)):
                raise ValueError(f"a header of webhook {self.name} holds what no HTTP header has; correct it.")

    @property
    def secrets(self) -> set[str]:
        return secrets_of_url(self.url) | {value for value in self.headers.values() if len(value) > 2}


@dataclass(frozen=True)
class WebhookResult:
    """A notice, the name of a target, and the outcome of the POST. `notice_id` is the same for repeats."""

    target: str
    notice: Notice
    notice_id: str
    outcome: SendOutcome

    def as_dict(self) -> dict[str, Any]:
        """Return the result without anything that may be secret."""
        return {
            "target": self.target,
            "id": printable(self.notice.id),
            "kind": self.notice.kind,
            "to": printable(self.notice.to, 254),
            **asdict(self.outcome),
            "notice_id": self.notice_id,
        }


def target_from(given: Mapping[str, Any]) -> WebhookTarget:
    """Return the target that a mapping of TARGET_SPEC describes. None counts as not given. Raises ValueError."""
    known = {name: value for name, value in given.items() if value is not None}
    if unknown := sorted(set(known) - set(TARGET_SPEC)):
        raise ValueError(f"{quoted(unknown[0], 40)} is not an option of a webhook; give {', '.join(TARGET_SPEC)}.")
    if missing := [name for name in ("name", "url") if not known.get(name)]:
        raise ValueError(f"a webhook has no {missing[0]}; give name and url.")
    kinds = tuple(known.pop("kinds", None) or KINDS)
    if strange := [kind for kind in kinds if kind not in KINDS]:
        raise ValueError(f"kinds holds {quoted(strange[0], 40)}; choose among {', '.join(KINDS)}.")
    headers = {str(name): str(value) for name, value in known.pop("headers", {}).items()}
    return WebhookTarget(**known, kinds=kinds, headers=headers)


def send_webhooks(
    targets: Sequence[WebhookTarget],
    notices: Sequence[Notice],
    templates: Sequence[Template] = (),
    *,
    timeout: float = 30.0,
    retries: int = 3,
    retry_delay: float = 2.0,
    dry_run: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> list[WebhookResult]:
    """Post each notice to each target that takes its kind, and return the results, target by target, in the order of the notices.

    A notice that cannot be posted does not stop the others. A target that cannot be used is given up for the rest of the batch.
    Raises ValueError, before anything is posted, if the authorities of a target cannot be read.
    """
    if not notices:
        return []
    posters = [_TargetPoster(target, templates, timeout, retries, retry_delay, sleep) for target in targets]
    return [poster.result(notice, dry_run=dry_run) for poster in posters for notice in notices if notice.kind in poster.target.kinds]


def webhooks_result(results: Sequence[WebhookResult]) -> dict[str, Any]:
    """Return what the module `key_webhook` returns, with `failed`, `msg` and `code` if a notice was not posted."""
    posts = [result.as_dict() for result in results]
    counts = {status: sum(1 for post in posts if post["status"] == status) for status in STATUSES}
    returned: dict[str, Any] = {"changed": bool(counts[SENT] or counts[PLANNED]), "posts": posts, "counts": counts}
    unsent = [post for post in posts if post["status"] in (REFUSED, FAILED)]
    if unsent:
        first = f"{unsent[0]['kind']} notice to {unsent[0]['target']}: {unsent[0]['reason']}"
        returned.update(failed=True, msg=f"{len(unsent)} of {len(posts)} notices were not posted; the first is the {first}.", code="not_sent")
    return returned


class _TargetPoster:
    """Posts a batch of notices to one target."""

    def __init__(
        self, target: WebhookTarget, templates: Sequence[Template], timeout: float, retries: int, retry_delay: float, sleep: Callable[[float], None]
    ) -> None:
        self.target = target
        self._templates, self._retries, self._retry_delay, self._sleep = templates, retries, retry_delay, sleep
        self._poster = Poster(timeout=timeout, ca_path=target.ca_path)
        self._fault: SendOutcome | None = None
        """Why the target cannot be used, for the rest of the batch."""

    def result(self, notice: Notice, *, dry_run: bool) -> WebhookResult:
        known_as = notice_id(notice)
        try:
            content = self._content(notice, known_as)
        except ValueError as error:
            reason = hidden(str(error).removesuffix("."), self.target.secrets)
            return WebhookResult(self.target.name, notice, known_as, SendOutcome(FAILED, reason, temporary=isinstance(error, TemplateFault)))
        if dry_run:
            outcome = SendOutcome(PLANNED)
        elif self._fault is not None:
            outcome = self._fault
        else:
            outcome = self._posted(content, known_as)
        return WebhookResult(self.target.name, notice, known_as, outcome)

    def _content(self, notice: Notice, known_as: str) -> bytes:
        what = f"the {printable(notice.kind, 40)} notice to {self.target.name}"
        if notice.value or notice.link:
            given = "a key" if notice.value else "the link to a sealed key"
            raise ValueError(f"{what} is given {given}, and webhooks never carry keys; leave it out, and say in note where the key is.")
        clean = replace(checked_texts(replace(notice, language=self.target.language or notice.language), what), to=printable(notice.to, 254))
        return chat.encoded(chat.payload_of(clean, content_of(clean, self._templates), known_as, self.target.format))

    def _posted(self, content: bytes, known_as: str) -> SendOutcome:
        headers = {"Content-Type": "application/json", "Idempotency-Key": known_as, **self.target.headers}
        attempt = 0
        while True:
            attempt += 1
            pause = min(LONGEST_WAIT, self._retry_delay * 2 ** (attempt - 1))
            try:
                answer = self._poster.post(self.target.url, content, headers)
            except NotPosted as error:
                outcome, again = SendOutcome(FAILED, hidden(str(error), self.target.secrets), temporary=True, attempts=attempt), error.again
            else:
                outcome, again = self._judged(answer, attempt), answer.status in _PASSING
                pause = max(pause, min(LONGEST_WAIT, answer.retry_after))
            if outcome.status == SENT or not outcome.temporary:
                return outcome
            if not again or attempt > self._retries:
                self._fault = replace(outcome, attempts=0)
                return outcome
            self._sleep(pause)

    def _judged(self, answer: PostAnswer, attempt: int) -> SendOutcome:
        if 200 <= answer.status < 300:
            return SendOutcome(SENT, attempts=attempt)
        host = urlsplit(self.target.url).hostname
        words = hidden(f"{answer.status} {answer.body[:1000].decode('utf-8', 'replace')}".strip(), self.target.secrets)
        if 300 <= answer.status < 400:
            words = f"{answer.status}, a redirection, which is not followed"
        return SendOutcome(REFUSED, f"{host} answered {words}", answer.status, answer.status not in _OF_THE_NOTICE, attempt)
