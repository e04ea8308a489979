# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Signed texts: links in mails, sessions, and the tokens of forms. Nothing of them is kept here.

A signed text is for one purpose only, and for a time: a link that was mailed cannot be used as a session.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Any

from itsdangerous import BadData, SignatureExpired, URLSafeTimedSerializer

LEAST_SECRET = 32
"""Characters that PORTAL_SECRET must have."""
ASKING, SIGNING_IN, SESSION = "ask", "sign_in", "session"
"""Purposes: a request that waits for a click, a sign-in that does, and a session."""
ADMIN_SESSION = "admin_session"
"""A session that began with the administrator's password."""
SIGN_ON_STATE, SINGLE_SIGN_ON = "sign_on_state", "single_sign_on"
"""The way to the provider of single sign-on and back, and a session that began there."""


class Expired(Exception):
    """A text that was signed here, too long ago."""


class Signer:
    """Signs with `secret`, or with one that only this process knows."""

    def __init__(self, secret: str = "") -> None:
        self._secret = secret or secrets.token_urlsafe(48)

    def sign(self, purpose: str, content: Mapping[str, Any]) -> str:
        """Return `content` as a signed text that can be part of an address."""
        return self._serializer(purpose).dumps(dict(content))

    def read(self, purpose: str, text: str, seconds: float) -> dict[str, Any] | None:
        """Return what was signed for this purpose, or None if it was not. Raises Expired if that is more than `seconds` ago."""
        try:
            content = self._serializer(purpose).loads(text, max_age=int(seconds))
        except SignatureExpired:
            raise Expired from None
        except BadData:
            return None
        return content if isinstance(content, dict) else None

    def form_token(self, visitor: str) -> str:
        """Return the token of the forms of one browser, which other sites cannot know."""
        return hmac.new(self._secret.encode(), b"form\0" + visitor.encode(), hashlib.sha256).hexdigest()

    def is_form_token(self, token: str, visitor: str) -> bool:
        return bool(visitor) and hmac.compare_digest(token.encode("utf-8", "replace"), self.form_token(visitor).encode())

    def derive(self, purpose: str, *parts: str) -> str:
        """Return a text of 43 characters that follows from these, and that nobody else can know."""
        found = hmac.new(self._secret.encode(), "\0".join(("derived", purpose, *parts)).encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(found).decode().rstrip("=")

    def _serializer(self, purpose: str) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self._secret, salt=f"portal.{purpose}", signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256})
