# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""E-mail addresses in one strict form, so rules compare exactly the address that a mail is sent to.

An address is a plain local part (RFC 5322 dot-atom, ASCII) and a domain name with at least two labels. Quoted local
parts, comments, address literals and internationalised local parts are refused. The domain is kept in its ASCII (IDNA
2008) form, in which a look-alike letter makes a different name.
The library email-validator would be one more requirement on every host, while requests already brings idna.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .printable import printable, quoted

try:
    import idna

    IDNA_ERROR: ImportError | None = None
except ImportError as error:
    IDNA_ERROR = error

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_ASCII_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
_MAILBOX = re.compile(r"(?P<name>[^<>]*)<(?P<address>[^<>]*)>\s*")
_ESCAPED = re.compile(r"\\(.)")
_NOT_IN_NAMES = ("@", "=?", "<", ">", '"')  # a reader could take these for another address, or decode them
LONGEST = 254
LONGEST_NAME = 100


def ascii_lower(text: str) -> str:
    """Return `text` with only A to Z in lower case: str.lower() would turn the Kelvin sign into k."""
    return text.translate(_ASCII_LOWER)


def _lower(letter: str) -> str:
    """Return a letter in lower case, unless that is another alphabet's letter or more than one: a look-alike stays what it is."""
    small = letter.lower()
    return small if len(small) == 1 and small.isascii() == letter.isascii() else letter


def ascii_domain(domain: str, least_labels: int = 2) -> str:
    """Return a domain name in lower-case ASCII form, non-ASCII labels as `xn--...`. Raises ValueError."""
    name = "".join(map(_lower, domain))
    if not name.isascii():
        if IDNA_ERROR is not None:
            raise ValueError("the domain is not in ASCII form, and the Python library idna, which would convert it, is missing")
        try:
            name = idna.encode(name, strict=True, uts46=False).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            raise ValueError("the domain holds characters that no domain name has") from None
    labels = name.split(".")
    if len(name) > 253 or len(labels) < least_labels or labels[-1].isdigit() or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("the domain is not a domain name")
    return name


@dataclass(frozen=True)
class Address:
    """An e-mail address: `local` as written, `domain` in lower-case ASCII form."""

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"

    @property
    def person(self) -> str:
        """The person whom mail to this address reaches, to count by: lower case, without a `+tag`."""
        return f"{ascii_lower(self.local).partition('+')[0]}@{self.domain}"


@dataclass(frozen=True)
class Mailbox:
    """An address, and the name that mail readers show for it; the name may be empty."""

    address: Address
    name: str = ""


def parse_mailbox(text: object, name: str) -> Mailbox:
    """Return the mailbox in `text`: an address, or a name and an address in angle brackets. Raises ValueError that begins with `name`.

    The host of a mailbox may be one label, such as `keys@localhost`: it is an administrator's setting.
    """
    found = _MAILBOX.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return Mailbox(_address(text, name, least_labels=1))
    shown = found["name"].strip()
    if len(shown) > 1 and shown[0] == shown[-1] == '"':
        shown = _ESCAPED.sub(r"\1", shown[1:-1])
    if len(shown) > LONGEST_NAME or shown != printable(shown) or any(mark in shown for mark in _NOT_IN_NAMES):
        raise ValueError(f"{name} is {quoted(text)}, whose name is too long or holds what no name has; give one such as Keys <keys@example.com>.")
    return Mailbox(_address(found["address"], name, least_labels=1), shown)


def parse_address(text: object, name: str = "email") -> Address:
    """Return the address in `text`. Raises ValueError that begins with `name` and shows at most 80 characters of the text."""
    return _address(text, name, least_labels=2)


def _address(text: object, name: str, least_labels: int) -> Address:
    if not isinstance(text, str) or not text:
        raise ValueError(f"{name} is missing; give an address such as user@example.com.")
    local, at, domain = text.rpartition("@")
    try:
        if len(text) > LONGEST:
            raise ValueError(f"it has {len(text)} characters, and at most {LONGEST} are allowed")
        if not at or not domain:
            raise ValueError("it has no domain after an @")
        if len(local) > 64 or not _LOCAL.fullmatch(local):
            raise ValueError("the part before the @ is empty, too long or holds characters that are not allowed there")
        address = Address(local, ascii_domain(domain, least_labels))
        if len(str(address)) > LONGEST:
            raise ValueError("its domain is too long in ASCII form")
    except ValueError as error:
        raise ValueError(f"{name} is {quoted(text)}, which is not an address: {error}; give one such as user@example.com.") from None
    return address
