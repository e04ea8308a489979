# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Seal a key for its owner: encrypt a document under a one-time secret that only a link carries. No I/O.

The format, which `roles/key_portal/files/portal/static/open.js` opens in a browser by WebCrypto:

- The secret is 32 random bytes. In the link it is base64url without padding (43 characters), after `#`, which browsers never send.
- The document is a JSON object in UTF-8, see `document_of`, with blanks at its end up to LEAST_PLAIN bytes.
- The contents of the box are base64url without padding of nonce (12 bytes), ciphertext, and tag (16 bytes): AES-256-GCM under the
  secret. The additional data is `litellm-virtual-keys box 1|BOX_ID|REQUEST_ID` in UTF-8.
- Whoever takes the contents shows a proof: base64url of SHA-256 over `litellm-virtual-keys proof 1|` and the 32 bytes of the secret.
  So an address without its fragment, as it stands in the logs of proxies, cannot empty the box.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ..common.printable import quoted
from . import client_env

try:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    CRYPTOGRAPHY_ERROR: ImportError | None = None
except ImportError as error:
    CRYPTOGRAPHY_ERROR = error

DOCUMENT_FORMAT = 1
SECRET_BYTES, NONCE_BYTES, TAG_BYTES = 32, 12, 16
LEAST_PLAIN = 1_200
"""Bytes of a document before it is encrypted. The size of its contents tells little then, and they are too large for the pools of small
objects, which the portal's process cannot overwrite (see `memory.py` in the role `key_portal`)."""
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
_RUN = re.compile(r"[A-Za-z0-9_-]{8,}")
_THIS_HOST = ("localhost", "127.0.0.1", "::1")


class CannotOpen(ValueError):
    """The secret does not fit the box, or one of them was changed."""


@dataclass(frozen=True)
class SealedDocument:
    """A document that only the holder of `secret` can read. The contents and the proof may be kept, the secret may not."""

    secret: str = field(repr=False)
    contents: str = field(repr=False)
    proof: str = field(repr=False)


def check_library() -> None:
    """Raise ValueError if the library that encrypts is missing."""
    if CRYPTOGRAPHY_ERROR is not None:
        raise ValueError(
            f"keys are to be delivered sealed, and the Python library cryptography is missing where Ansible runs ({CRYPTOGRAPHY_ERROR}); install it."
        )


def document_of(
    key: str, url: str, *, models: Sequence[str] = (), expires: str | None = None, alias: str = "", vendors: Sequence[str], paths: Mapping[str, str]
) -> dict[str, Any]:
    """Return what is sealed: the key, the gateway's address, models, end (None without one), alias, and what programs read.

    `variables` are those of the environment for the SDKs of `vendors`. Raises ValueError for what cannot be a key or an address.
    """
    return {
        "format": DOCUMENT_FORMAT,
        "key": key,
        "url": client_env.ascii_gateway_address(url),
        "models": list(models),
        "expires": expires,
        "alias": alias,
        "variables": client_env.variables(url, key, vendors, paths),
    }


def seal(document: Mapping[str, Any], *, box_id: str, request_id: str) -> SealedDocument:
    """Encrypt the document under a new secret for the box of this id. Raises ValueError if the library is missing."""
    check_library()
    secret, nonce = secrets.token_bytes(SECRET_BYTES), secrets.token_bytes(NONCE_BYTES)
    plain = json.dumps(document, ensure_ascii=False).encode().ljust(LEAST_PLAIN)
    contents = nonce + AESGCM(secret).encrypt(nonce, plain, _bound_to(box_id, request_id))
    text = _base64url(secret)
    return SealedDocument(text, _base64url(contents), opening_proof(text))


def open_sealed(contents: str, secret: str, *, box_id: str, request_id: str) -> dict[str, Any]:
    """Return the document in the contents of a box. Raises CannotOpen."""
    check_library()
    try:
        raw = _bytes_of(contents)
        plain = AESGCM(_bytes_of(secret)).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _bound_to(box_id, request_id))
        document: dict[str, Any] = json.loads(plain)
    except (InvalidTag, ValueError):
        raise CannotOpen(f"the secret does not open the box {box_id}; use the whole link of the newest mail.") from None
    return document


def opening_proof(secret: str) -> str:
    """Return what shows that somebody has the secret, without telling it. Raises CannotOpen if it is not one."""
    if not _SECRET.fullmatch(secret):
        raise CannotOpen("the link is not complete: its end, after #, is missing or was changed; use the whole link of the newest mail.")
    return _base64url(hashlib.sha256(b"litellm-virtual-keys proof 1|" + _bytes_of(secret)).digest())


def link_of(portal_url: str, box_id: str, secret: str) -> str:
    """Return the link that opens the box."""
    return f"{portal_url.rstrip('/')}/open/{box_id}#{secret}"


def without_secret(text: str, secret: str) -> str:
    """Return text of another program, such as the refusal of a mail server, without the secret or a part of it."""
    return _RUN.sub(lambda run: "***" if _shares(run[0], secret) else run[0], text)


def check_portal_url(url: str) -> None:
    """Raise ValueError for an address on which no browser would open a box."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    usual = url.isascii() and url.isprintable() and " " not in url
    if parts.scheme not in ("https", "http") or not host or not usual or parts.query or parts.fragment or "@" in parts.netloc or "#" in url or "?" in url:
        raise ValueError(f"the address of the portal is {quoted(url)}; give one such as https://keys.example.com, on which links to sealed keys begin.")
    if parts.scheme == "http" and host not in _THIS_HOST:
        raise ValueError(f"the address of the portal is {quoted(url)}; browsers decrypt keys on https pages only, so give one that begins with https://.")


def _shares(run: str, secret: str) -> bool:
    return any(run[start : start + 8] in secret for start in range(len(run) - 7))


def _bound_to(box_id: str, request_id: str) -> bytes:
    return f"litellm-virtual-keys box 1|{box_id}|{request_id}".encode()


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes_of(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise CannotOpen("it is not base64url.") from None
