# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Compose the mail that carries a notice, as text and as HTML. No I/O; `smtp` sends.

A mail is a list of blocks, and each block renders itself as text and as HTML. Text from people is therefore escaped in
one place, where it cannot be forgotten. Custom templates are Jinja: text from people is data to them, never a template,
and is escaped in their HTML too.
"""

from __future__ import annotations

import functools
import hashlib
import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from email import headerregistry
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any, TypeAlias

from ..common import durations, email_address
from ..common.email_address import Address, Mailbox
from ..common.printable import printable, quoted
from . import client_env
from .words import WORDS

try:
    import jinja2
    import jinja2.sandbox

    JINJA_ERROR: ImportError | None = None
except ImportError as error:
    JINJA_ERROR = error

KINDS = ("approval", "renewal", "denial", "review", "expiry", "custom")
LANGUAGES = tuple(WORDS)
LONGEST_LINE = 1000
MOST_LINES = 100
MOST_MODELS = 50
_POLICY = SMTP.clone(cte_type="7bit")  # not every server accepts 8-bit bodies


@dataclass(frozen=True)
class Notice:
    """The content of a mail and its recipient. Texts may be empty; `compose` checks those that a kind needs."""

    kind: str
    to: str
    id: str
    """The subject of the notice, such as a request's id. Kind, id and recipient make the Message-ID, so repeats are recognised."""
    language: str = "en"
    value: str = ""
    url: str = ""
    alias: str = ""
    user: str = ""
    models: tuple[str, ...] = ()
    package: str = ""
    expires: str | None = ""
    """When the key ends, in ISO 8601. None if it never does, empty if that is not known."""
    email: str = ""
    request_id: str = ""
    namespace: str = ""
    secret_name: str = ""
    """The Secret of Kubernetes in which the key is, with its namespace."""
    link: str = field(default="", repr=False)
    """The link that opens the sealed key, with its secret."""
    link_expires: str = ""
    """Until when the link works, in ISO 8601."""
    reason: str = ""
    purpose: str = ""
    note: str = ""
    commands: tuple[str, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)


class TemplateFault(ValueError):
    """A template cannot be filled in. It is somebody's setting, so a later try may succeed."""


@dataclass(frozen=True)
class Template:
    """A custom text in Jinja for one kind of mail, in one language, or in all if `language` is empty."""

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
        """Return subject, text or html, filled in. Raises TemplateFault, which shows no values."""
        try:
            return str(_jinja(name).from_string(getattr(self, name)).render(values))
        except jinja2.UndefinedError as error:
            raise TemplateFault(f"the template of {self.kind} mails cannot be filled in: {printable(str(error.message), 200)}.") from None
        except (jinja2.TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            # An expression of the template failed. Its message may contain values, so only its type is shown.
            raise TemplateFault(f"the template of {self.kind} mails fails in its {name} with {type(error).__name__}; correct it.") from None


# ------------------------------------------------------------------------------------------------------------ blocks
@dataclass(frozen=True)
class Paragraph:
    """Running text."""

    content: str

    def text(self) -> str:
        return self.content

    def html(self) -> str:
        return f"<p>{_markup(self.content)}</p>"


@dataclass(frozen=True)
class Quote:
    """Text that a person wrote, shown as a quotation."""

    content: str

    def text(self) -> str:
        return "\n".join(f"> {line}" for line in self.content.split("\n"))

    def html(self) -> str:
        style = "margin:0 0 1em;padding:.2em 1em;border-left:4px solid #bbb;color:#444"
        return f'<blockquote style="{style}">{_markup(self.content)}</blockquote>'


@dataclass(frozen=True)
class Facts:
    """A table of names and values."""

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
    """Lines to copy into a terminal."""

    lines: tuple[str, ...]

    def text(self) -> str:
        return "\n".join(f"    {line}" for line in self.lines)

    def html(self) -> str:
        style = "background:#f4f4f4;padding:.8em;white-space:pre-wrap;word-break:break-all"
        return f'<pre style="{style}">{html.escape(chr(10).join(self.lines))}</pre>'


@dataclass(frozen=True)
class WebLink:
    """A link with the words on it."""

    words: str
    url: str

    def text(self) -> str:
        return f"{self.words}:\n{self.url}"

    def html(self) -> str:
        style = "display:inline-block;padding:.6em 1.2em;background:#06c;color:#fff;text-decoration:none;border-radius:4px"
        return f'<p><a href="{html.escape(self.url)}" rel="noreferrer" style="{style}">{_markup(self.words)}</a></p>'


Block: TypeAlias = "Paragraph | Quote | Facts | Code | WebLink"


def _markup(text: str) -> str:
    return html.escape(text).replace("\n", "<br>")


# ------------------------------------------------------------------------------------------------------------- mails
@dataclass(frozen=True)
class Mail:
    """A mail ready to send: its envelope and its content."""

    sender: str
    recipient: str
    message_id: str
    data: bytes


@dataclass(frozen=True)
class Sender:
    """Who sends mails, and where answers go, if not to the sender."""

    mailbox: Mailbox
    reply_to: Mailbox | None = None

    @property
    def address(self) -> Address:
        return self.mailbox.address


def compose(notice: Notice, sender: Sender, templates: Sequence[Template] = (), now: datetime | None = None) -> Mail:
    """Return the mail. Raises ValueError, one sentence without the key, if the notice is incomplete or not allowed."""
    recipient, clean = checked_notice(notice)
    content = content_of(clean, templates)
    message = EmailMessage(policy=_POLICY)
    message["From"] = _header(sender.mailbox)
    if sender.reply_to:
        message["Reply-To"] = _header(sender.reply_to)
    message["To"] = str(recipient)
    message["Subject"] = content.subject
    message["Date"] = now or datetime.now(UTC)
    message["Message-ID"] = message_id(clean, sender.address)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(content.text)
    if content.html:
        message.add_alternative(content.html, subtype="html")
    message["Content-Language"] = clean.language  # set_content removes what begins with Content-
    return Mail(str(sender.address), str(recipient), message["Message-ID"], message.as_bytes())


@dataclass(frozen=True)
class Content:
    """What a notice says. `blocks` is empty if a template of an administrator says it."""

    subject: str
    text: str
    html: str
    blocks: tuple[Block, ...] = ()


def content_of(clean: Notice, templates: Sequence[Template] = ()) -> Content:
    """Return what a checked notice says. Raises ValueError."""
    template = _best(templates, clean)
    if template is not None:
        values = _values(clean)
        subject = template.render("subject", values) if template.subject else _subject(clean)
        return Content(printable(subject, 200), template.render("text", values), template.render("html", values) if template.html else "")
    subject = printable(_subject(clean), 200)
    blocks = _blocks(clean)
    return Content(subject, "\n\n".join(block.text() for block in blocks) + "\n", _page(clean.language, subject, blocks), tuple(blocks))


def _header(mailbox: Mailbox) -> headerregistry.Address:
    return headerregistry.Address(mailbox.name, mailbox.address.local, mailbox.address.domain)


def message_id(notice: Notice, sender: Address) -> str:
    """Return the Message-ID, which depends only on kind, id, recipient and the sender's domain."""
    return f"<{notice_id(notice)}@{sender.domain}>"


def notice_id(notice: Notice) -> str:
    """Return what repeats of a notice have in common: a text that depends only on kind, id and recipient."""
    identity = "\0".join((notice.kind, notice.id, email_address.ascii_lower(notice.to)))
    return hashlib.sha256(identity.encode()).hexdigest()[:40]


def checked_notice(notice: Notice) -> tuple[Address, Notice]:
    """Return the recipient, and the notice with its texts made safe to show. Raises ValueError."""
    recipient = email_address.parse_address(notice.to, "to")
    if "=?" in recipient.local:  # a mail reader decodes that, and then shows or answers another address
        raise ValueError(f"to is {quoted(notice.to)}, which mail readers would decode to another address; give a plain one.")
    return recipient, replace(checked_texts(notice, f"the {printable(notice.kind, 40)} mail to {recipient}"), to=str(recipient))


def checked_texts(notice: Notice, what: str) -> Notice:
    """Return the notice with its texts made safe to show. Raises ValueError, which calls the notice `what`."""
    if notice.kind not in KINDS:
        raise ValueError(f"kind is {quoted(notice.kind, 40)}; give one of {', '.join(KINDS)}.")
    if notice.language not in LANGUAGES:
        raise ValueError(f"language is {quoted(notice.language, 40)}; give one of {', '.join(LANGUAGES)}.")
    if not notice.id.strip():
        raise ValueError(f"{what} has no id; give the id of the request, or the alias of the key.")
    if notice.kind == "approval" and not (notice.value or notice.note or notice.secret_name or notice.link):
        raise ValueError(f"{what} holds neither a key nor a note that says where it is; give value or note.")
    _check_link(notice, what)
    if notice.value and notice.kind not in ("approval", "custom"):
        raise ValueError(f"{what} is given a key, which it never tells; leave value out.")
    if (notice.kind == "renewal" and notice.expires == "") or (notice.kind == "expiry" and not notice.expires):
        raise ValueError(f"{what} does not say when the key ends; give expires.")
    if notice.value and (not notice.value.isascii() or not notice.value.isprintable() or " " in notice.value):
        raise ValueError(f"the key in {what} holds a blank, a line break or a letter that no key has.")
    if notice.expires:
        _utc(notice.expires)
    texts = ("alias", "user", "package", "email", "request_id", "namespace", "secret_name")
    return replace(
        notice,
        url=client_env.ascii_gateway_address(notice.url) if notice.url else "",
        **{name: printable(getattr(notice, name)) for name in texts},
        **{name: _lines(getattr(notice, name)) for name in ("reason", "purpose", "note")},
        models=tuple(printable(model) for model in notice.models),
        commands=tuple(printable(command, LONGEST_LINE) for command in notice.commands),
        variables=_plain(notice.variables),
    )


def _check_link(notice: Notice, what: str) -> None:
    if not notice.link:
        return
    if notice.kind not in ("approval", "custom") or notice.value:
        raise ValueError(f"{what} is given the link to a sealed key, which only a mail that brings no key itself may hold; leave link out.")
    if not notice.link.startswith(("https://", "http://")) or not notice.link.isascii() or not notice.link.isprintable() or " " in notice.link:
        raise ValueError(f"the link in {what} is not a web address; give the one that opens the key.")
    if notice.link_expires:
        _utc(notice.link_expires)


def _lines(text: str) -> str:
    """Return text of several lines without characters that control a terminal or a mail reader."""
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
    return durations.parse_time(text, "expires").astimezone(UTC)


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
        "namespace": notice.namespace,
        "secret": notice.secret_name,
    }
    pairs = tuple((WORDS[notice.language][f"field_{name}"], known[name]) for name in names if known[name])
    return Facts(pairs) if pairs else None


def _blocks(notice: Notice) -> list[Block]:
    words = WORDS[notice.language]
    blocks: list[Block | None] = [Paragraph(words["greeting"]), Paragraph(words[f"{notice.kind}_intro"])]
    if notice.kind == "approval":
        blocks += _sealed(notice)
        blocks.append(_facts(notice, "key", "namespace", "secret", "url", "models", "package", "expires", "user", "alias", "request"))
        if not notice.value:
            blocks.append(None if notice.link else Paragraph(words["approval_elsewhere"]))
            blocks += _secret_use(notice)
        elif notice.url:
            exports = client_env.env_file(client_env.variables(notice.url, notice.value, ["openai"]))
            blocks += [Paragraph(words["approval_use"]), Code(tuple(exports.splitlines()))]
        blocks += _note(notice.note)
        blocks.append(Paragraph(words["approval_care"]) if notice.value else None)
    elif notice.kind == "denial":
        blocks.append(_facts(notice, "models", "package", "request"))
        blocks.append(Paragraph(words["denial_reason" if notice.reason else "denial_no_reason"]))
        blocks.append(Quote(notice.reason) if notice.reason else None)
        blocks += _note(notice.note)
    elif notice.kind == "review":
        blocks.append(_facts(notice, "request", "email", "models", "package"))
        for name, text in (("review_purpose", notice.purpose), ("review_reason", notice.reason)):
            blocks += [Paragraph(words[name]), Quote(text)] if text else []
        blocks += _note(notice.note)
        blocks += [Paragraph(words["review_commands"]), Code(notice.commands)] if notice.commands else []
    else:
        blocks.append(_facts(notice, "alias", "expires", "models", "package", "url", "user", "request"))
        blocks += _note(notice.note)
        blocks += [Code(notice.commands)] if notice.commands else []
    blocks.append(Paragraph(words["automatic"]))
    return [block for block in blocks if block is not None]


def _sealed(notice: Notice) -> list[Block | None]:
    """Return the link to a sealed key, and how it is used, if there is one."""
    if not notice.link:
        return []
    words = WORDS[notice.language]
    until = words["approval_link_until"].format(when=_utc(notice.link_expires).strftime("%Y-%m-%d %H:%M UTC")) if notice.link_expires else ""
    texts = [words["approval_link_once"], until, words["approval_link_strange"]]
    return [WebLink(words["approval_link"], notice.link), Paragraph(" ".join(text for text in texts if text))]


def _secret_use(notice: Notice) -> list[Block | None]:
    """Return how a container gets the key from its Secret, if the notice names one."""
    if not notice.secret_name:
        return []
    lines = ("envFrom:", "  - secretRef:", f"      name: {notice.secret_name}")
    return [Paragraph(WORDS[notice.language]["approval_secret"]), Code(lines)]


def _note(note: str) -> list[Block | None]:
    return [Paragraph(note)] if note else []


def _page(language: str, title: str, blocks: Iterable[Block]) -> str:
    body = "\n".join(block.html() for block in blocks)
    return (
        f'<!DOCTYPE html>\n<html lang="{language}">\n<head><meta charset="utf-8"><title>{html.escape(title)}</title></head>\n'
        f'<body style="font-family:sans-serif;line-height:1.5;max-width:44em">\n{body}\n</body>\n</html>\n'
    )


# --------------------------------------------------------------------------------------------------------- templates
def _best(templates: Sequence[Template], notice: Notice) -> Template | None:
    """Return the template for this kind and language, or for this kind, or None. Raises ValueError if a custom mail has none."""
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
