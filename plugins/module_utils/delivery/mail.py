# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""From a notice to the mail that carries it, as text and as HTML. Pure; `smtp` sends.

A mail is a list of blocks, and each block has one way into text and one into HTML. So there is one place where what
people wrote is escaped, and none where that can be forgotten. Own templates are Jinja; what people wrote is data to
them and never becomes a template, and HTML is escaped there too.
"""

from __future__ import annotations

import functools
import hashlib
import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any, TypeAlias

from ..common import durations, email_address
from ..common.email_address import Address
from ..common.printable import printable
from . import client_env
from .words import WORDS

try:
    import jinja2
    import jinja2.sandbox

    JINJA_ERROR: ImportError | None = None
except ImportError as error:
    JINJA_ERROR = error

KINDS = ("approval", "denial", "review", "expiry", "custom")
LANGUAGES = tuple(WORDS)
LONGEST_LINE = 1000
MOST_LINES = 100
MOST_MODELS = 50
_POLICY = SMTP.clone(cte_type="7bit")  # not every server takes 8-bit bodies


@dataclass(frozen=True)
class Notice:
    """What to tell whom. Texts may be empty; which ones a kind needs, `compose` says."""

    kind: str
    to: str
    id: str
    """What the notice is about. Together with kind and recipient it makes the Message-ID, so a repetition is recognised."""
    language: str = "en"
    value: str = ""
    url: str = ""
    alias: str = ""
    user: str = ""
    models: tuple[str, ...] = ()
    package: str = ""
    expires: str | None = ""
    """ISO 8601; None: the key never ends; empty: not known."""
    email: str = ""
    request_id: str = ""
    reason: str = ""
    purpose: str = ""
    note: str = ""
    commands: tuple[str, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Template:
    """Own words, in Jinja, for one kind, and for one language or, when that is empty, for all."""

    kind: str
    text: str
    subject: str = ""
    html: str = ""
    language: str = ""

    def __post_init__(self) -> None:
        if JINJA_ERROR is not None:
            raise ValueError("templates are given, and the Python library Jinja2, which renders them, is missing on this host.")
        for name in ("subject", "text", "html"):
            try:
                _jinja(name).from_string(getattr(self, name))
            except jinja2.TemplateSyntaxError as error:
                raise ValueError(f"the template of {self.kind} mails is wrong in its {name}, line {error.lineno}: {error.message}; correct it.") from None

    def render(self, name: str, values: Mapping[str, Any]) -> str:
        """One of subject, text and html, filled in. Raises ValueError, which holds no values."""
        try:
            return str(_jinja(name).from_string(getattr(self, name)).render(values))
        except jinja2.UndefinedError as error:
            raise ValueError(f"the template of {self.kind} mails cannot be filled in: {printable(str(error.message), 200)}.") from None
        except (jinja2.TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            # An expression of the template failed. Its message may show what it worked on, so only the kind is told.
            raise ValueError(f"the template of {self.kind} mails fails in its {name} with {type(error).__name__}; correct it.") from None


# ------------------------------------------------------------------------------------------------------------ blocks
@dataclass(frozen=True)
class Paragraph:
    said: str

    def text(self) -> str:
        return self.said

    def html(self) -> str:
        return f"<p>{_markup(self.said)}</p>"


@dataclass(frozen=True)
class Quote:
    """What a person wrote, recognisable as such."""

    said: str

    def text(self) -> str:
        return "\n".join(f"> {line}" for line in self.said.split("\n"))

    def html(self) -> str:
        style = "margin:0 0 1em;padding:.2em 1em;border-left:4px solid #bbb;color:#444"
        return f'<blockquote style="{style}">{_markup(self.said)}</blockquote>'


@dataclass(frozen=True)
class Facts:
    """Names and values."""

    pairs: tuple[tuple[str, str], ...]

    def text(self) -> str:
        wide = max(len(name) for name, _value in self.pairs) + 1
        return "\n".join(f"{name + ':':<{wide}} {value}" for name, value in self.pairs)

    def html(self) -> str:
        rows = "".join(
            f'<tr><th style="text-align:left;vertical-align:top;padding:.2em 1em .2em 0">{_markup(name)}</th>'
            f'<td style="padding:.2em 0"><code style="word-break:break-all">{_markup(value)}</code></td></tr>'
            for name, value in self.pairs
        )
        return f'<table style="border-collapse:collapse;margin:0 0 1em">{rows}</table>'


@dataclass(frozen=True)
class Code:
    lines: tuple[str, ...]

    def text(self) -> str:
        return "\n".join(f"    {line}" for line in self.lines)

    def html(self) -> str:
        style = "background:#f4f4f4;padding:.8em;white-space:pre-wrap;word-break:break-all"
        return f'<pre style="{style}">{html.escape(chr(10).join(self.lines))}</pre>'


Block: TypeAlias = "Paragraph | Quote | Facts | Code"


def _markup(text: str) -> str:
    return html.escape(text).replace("\n", "<br>")


# ------------------------------------------------------------------------------------------------------------- mails
@dataclass(frozen=True)
class Mail:
    """A mail ready to be handed over: the envelope, and what is in it."""

    sender: str
    recipient: str
    message_id: str
    data: bytes


def compose(notice: Notice, sender: Address, templates: Sequence[Template] = (), now: datetime | None = None) -> Mail:
    """The mail. Raises ValueError, one sentence that holds no key, for a notice that makes no mail."""
    recipient, clean = checked(notice)
    template = _best(templates, clean)
    if template is not None:
        values = _values(clean)
        subject = template.render("subject", values) if template.subject else _subject(clean)
        text = template.render("text", values)
        marked_up = template.render("html", values) if template.html else ""
    else:
        subject = _subject(clean)
        blocks = _blocks(clean)
        text = "\n\n".join(block.text() for block in blocks) + "\n"
        marked_up = _page(clean.language, subject, blocks)
    message = EmailMessage(policy=_POLICY)
    message["From"] = str(sender)
    message["To"] = str(recipient)
    message["Subject"] = printable(subject, 200)
    message["Date"] = now or datetime.now(UTC)
    message["Message-ID"] = message_id(clean, sender)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    if marked_up:
        message.add_alternative(marked_up, subtype="html")
    message["Content-Language"] = clean.language  # set_content removes what begins with Content-
    return Mail(str(sender), str(recipient), message["Message-ID"], message.as_bytes())


def message_id(notice: Notice, sender: Address) -> str:
    """The same for the same kind, id and recipient, and another one for any other."""
    told = "\0".join((notice.kind, notice.id, email_address.ascii_lower(notice.to)))
    return f"<{hashlib.sha256(told.encode()).hexdigest()[:40]}@{sender.domain}>"


def checked(notice: Notice) -> tuple[Address, Notice]:
    """The recipient, and the notice with texts that steer nothing. Raises ValueError."""
    recipient = email_address.parse_address(notice.to, "to")
    if "=?" in recipient.local:  # a mail reader takes that for an encoded word, and shows or answers another address
        raise ValueError(f"to is {printable(notice.to, 80)!r}, which mail readers would decode to another address; give a plain one.")
    if notice.kind not in KINDS:
        raise ValueError(f"kind is {printable(notice.kind, 40)!r}; give one of {', '.join(KINDS)}.")
    if notice.language not in LANGUAGES:
        raise ValueError(f"language is {printable(notice.language, 40)!r}; give one of {', '.join(LANGUAGES)}.")
    if not notice.id.strip():
        raise ValueError(f"the {notice.kind} mail to {recipient} has no id; give the id of the request, or the alias of the key.")
    if notice.kind == "approval" and not notice.value and not notice.note:
        raise ValueError(f"the approval mail to {recipient} holds neither a key nor a note that says where it is; give value or note.")
    if notice.value and notice.kind not in ("approval", "custom"):
        raise ValueError(f"the {notice.kind} mail to {recipient} is given a key, which it never tells; leave value out.")
    if notice.kind == "expiry" and not notice.expires:
        raise ValueError(f"the expiry mail to {recipient} does not say when the key ends; give expires.")
    if notice.value and (not notice.value.isascii() or not notice.value.isprintable() or " " in notice.value):
        raise ValueError(f"the key for {recipient} holds a blank, a line break or a letter that no key has.")
    if notice.expires:
        _utc(notice.expires)
    lines = ("reason", "purpose", "note")
    texts = ("url", "alias", "user", "package", "email", "request_id")
    return recipient, Notice(
        **{
            **{item.name: getattr(notice, item.name) for item in fields(notice)},
            "to": str(recipient),
            "url": client_env.gateway_address(notice.url) if notice.url else "",
            **{name: printable(getattr(notice, name)) for name in texts if name != "url"},
            **{name: _lines(getattr(notice, name)) for name in lines},
            "models": tuple(printable(model) for model in notice.models),
            "commands": tuple(printable(command, LONGEST_LINE) for command in notice.commands),
            "variables": _plain(notice.variables),
        }
    )


def _lines(text: str) -> str:
    """Text of several lines without anything that steers a terminal or a mail reader."""
    lines = text.replace("\r\n", "\n").strip("\n").split("\n")[:MOST_LINES]
    return "\n".join(printable(line, LONGEST_LINE) for line in lines)


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return _lines(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return value


def _subject(notice: Notice) -> str:
    if notice.kind == "custom":
        raise ValueError(f"the custom mail to {notice.to} has no subject; give a template with one.")
    return WORDS[notice.language][notice.kind].format(when=_time(notice))


def _time(notice: Notice) -> str:
    if not notice.expires:
        return WORDS[notice.language]["never"]
    return _utc(notice.expires).strftime("%Y-%m-%d %H:%M UTC")


def _utc(text: str) -> datetime:
    try:
        return durations.parse_time(text, "expires").astimezone(UTC)
    except OverflowError:
        raise ValueError(f"expires is {printable(text, 60)!r}, which is no time that a calendar has.") from None


def _facts(notice: Notice, *names: str) -> Facts | None:
    models = ", ".join(notice.models[:MOST_MODELS]) + (", …" if len(notice.models) > MOST_MODELS else "")
    known = {
        "key": notice.value,
        "url": f"{notice.url}/v1" if notice.url else "",
        "models": models,
        "package": notice.package,
        "expires": _time(notice) if notice.expires or notice.expires is None else "",
        "alias": notice.alias,
        "user": notice.user,
        "email": notice.email,
        "request": notice.request_id,
    }
    pairs = tuple((WORDS[notice.language][f"field_{name}"], known[name]) for name in names if known[name])
    return Facts(pairs) if pairs else None


def _blocks(notice: Notice) -> list[Block]:
    words = WORDS[notice.language]
    blocks: list[Block | None] = [Paragraph(words["greeting"]), Paragraph(words[f"{notice.kind}_intro"])]
    if notice.kind == "approval":
        blocks.append(_facts(notice, "key", "url", "models", "package", "expires", "user", "alias", "request"))
        if not notice.value:
            blocks.append(Paragraph(words["approval_elsewhere"]))
        elif notice.url:
            exports = client_env.env_file(client_env.variables(notice.url, notice.value, ["openai"]))
            blocks += [Paragraph(words["approval_use"]), Code(tuple(exports.splitlines()))]
        blocks += _said(notice.note)
        blocks.append(Paragraph(words["approval_care"]) if notice.value else None)
    elif notice.kind == "denial":
        blocks.append(_facts(notice, "models", "package", "request"))
        blocks.append(Paragraph(words["denial_reason" if notice.reason else "denial_no_reason"]))
        blocks.append(Quote(notice.reason) if notice.reason else None)
        blocks += _said(notice.note)
    elif notice.kind == "review":
        blocks.append(_facts(notice, "request", "email", "models", "package"))
        for name, said in (("review_purpose", notice.purpose), ("review_reason", notice.reason)):
            blocks += [Paragraph(words[name]), Quote(said)] if said else []
        blocks += _said(notice.note)
        blocks += [Paragraph(words["review_commands"]), Code(notice.commands)] if notice.commands else []
    else:
        blocks.append(_facts(notice, "alias", "expires", "models", "package", "url", "user", "request"))
        blocks += _said(notice.note)
        blocks += [Code(notice.commands)] if notice.commands else []
    blocks.append(Paragraph(words["automatic"]))
    return [block for block in blocks if block is not None]


def _said(note: str) -> list[Block | None]:
    return [Paragraph(note)] if note else []


def _page(language: str, title: str, blocks: Iterable[Block]) -> str:
    body = "\n".join(block.html() for block in blocks)
    return (
        f'<!DOCTYPE html>\n<html lang="{language}">\n<head><meta charset="utf-8"><title>{html.escape(title)}</title></head>\n'
        f'<body style="font-family:sans-serif;line-height:1.5;max-width:44em">\n{body}\n</body>\n</html>\n'
    )


# --------------------------------------------------------------------------------------------------------- templates
def _best(templates: Sequence[Template], notice: Notice) -> Template | None:
    """The template for this kind and language, else the one for this kind. Raises ValueError when a custom mail has none."""
    fitting = [t for t in templates if t.kind == notice.kind and t.language in (notice.language, "")]
    if not fitting and notice.kind == "custom":
        raise ValueError(f"the custom mail to {notice.to} has no template for {notice.language}; give one.")
    return max(fitting, key=lambda template: bool(template.language), default=None)


def _values(notice: Notice) -> dict[str, Any]:
    own = {item.name: getattr(notice, item.name) for item in fields(notice) if item.name != "variables"}
    return {**notice.variables, **own, "models": list(notice.models), "commands": list(notice.commands), "ends": _time(notice)}


@functools.cache
def _jinja(part: str) -> Any:
    return jinja2.sandbox.ImmutableSandboxedEnvironment(
        autoescape=part == "html", undefined=jinja2.StrictUndefined, keep_trailing_newline=True, trim_blocks=True
    )
