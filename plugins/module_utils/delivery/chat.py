# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""A notice as the body of a webhook, in the format of each service. No I/O; `webhooks` posts.

What people wrote is text in every format: it can neither mention others, nor make links, nor look like a part of the notice.

- Slack (docs.slack.dev/messaging/formatting-message-text): `&`, `<` and `>` are escaped, without which there are no links or mentions.
- Mattermost (developers.mattermost.com/integrate/webhooks/incoming) reads Markdown and mentions in `text`.
- Microsoft Teams (Workflows: "When a Teams webhook request is received") takes an Adaptive Card. Its RichTextBlocks know no Markdown.
"""

from __future__ import annotations

import json
import re
from typing import Any

from ..common.printable import redact
from .mail import Block, Code, Content, Facts, Notice, Quote, WebLink

SLACK, TEAMS, MATTERMOST, JSON = FORMATS = ("slack", "teams", "mattermost", "json")
LONGEST_TEXT = 8000
"""Characters of a message, or of a field in JSON. Teams takes 28 KB in all."""

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|<>~])")
_MENTION = re.compile(r"(?<![\w.+-])@(?=\w)")
_JSON_FIELDS = (
    "kind",
    "language",
    "url",
    "alias",
    "user",
    "package",
    "expires",
    "email",
    "request_id",
    "namespace",
    "secret_name",
    "reason",
    "purpose",
    "note",
)


def payload_of(notice: Notice, content: Content, notice_id: str, form: str) -> dict[str, Any]:
    """Return what is posted for a checked notice without a key."""
    if form == SLACK:
        return {"text": _slack(f"{content.subject}\n\n{_plain_text(content)}"), "unfurl_links": False, "unfurl_media": False}
    if form == MATTERMOST:
        return {"text": f"**{_escaped(content.subject)}**\n\n{_markdown(content)}"}
    if form == TEAMS:
        return _card(content)
    fields = {name: _clipped(_redacted(getattr(notice, name))) for name in _JSON_FIELDS if getattr(notice, name)}
    lists = {"models": list(map(redact, notice.models)), "commands": list(map(redact, notice.commands))}
    return {"id": notice_id, "subject": redact(content.subject), "text": _plain_text(content), **fields, **lists}


def _blocks(content: Content) -> tuple[Block, ...]:
    return content.blocks[1:-1]  # without the greeting, and the remark that a mail is automatic


def _plain_text(content: Content) -> str:
    text = "\n\n".join(block.text() for block in _blocks(content)) if content.blocks else content.text
    return _clipped(_redacted(text.strip()))


def _redacted(text: str) -> str:
    return "\n".join(redact(line) for line in text.split("\n"))


def _clipped(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"


def _slack(text: str) -> str:
    return _redacted(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _escaped(text: str) -> str:
    return _MENTION.sub("@\u200b", _MARKDOWN.sub(r"\\\1", _redacted(text)))


def _markdown(content: Content) -> str:
    if not content.blocks:
        return _escaped(_plain_text(content))
    return _clipped("\n\n".join(_markdown_block(block) for block in _blocks(content)))


def _markdown_block(block: Block) -> str:
    if isinstance(block, Code):
        return "\n".join(f"    {redact(line)}" for line in block.lines)
    if isinstance(block, Facts):
        return "\n".join(f"- {_escaped(name)}: {_escaped(value)}" for name, value in block.pairs)
    text = _escaped(block.words if isinstance(block, WebLink) else block.content)
    return "\n".join(f"> {line}" for line in text.split("\n")) if isinstance(block, Quote) else text


def _card(content: Content) -> dict[str, Any]:
    texts = [block.text() for block in _blocks(content)] if content.blocks else [content.text]
    body = [_run(content.subject, weight="Bolder", size="Medium"), *(_run(text) for text in _whole_texts(texts))]
    card = {"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4", "body": body}
    return {"type": "message", "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}]}


def _whole_texts(texts: list[str]) -> list[str]:
    return _clipped("\0".join(_redacted(text.strip()) for text in texts)).split("\0")


def _run(text: str, **style: str) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": _redacted(text), **style}]}


def encoded(body: dict[str, Any]) -> bytes:
    """Return a body as it is sent."""
    return json.dumps(body, ensure_ascii=True).encode("ascii")
