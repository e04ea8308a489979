# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Seeing one's own changes, whichever process of the portal answers next.

A process uses a listing of all requests again for a second. What it changes itself it sees at once, what another one changes it does not.
So whoever changes something gets a cookie for as long, and a call with it gets a listing that was read after it came.
"""

from __future__ import annotations

import math
from contextvars import ContextVar

from starlette.datastructures import MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .settings import Settings

NAME = "changed"
_SAFE = frozenset(("GET", "HEAD", "OPTIONS"))

_wanted: ContextVar[bool] = ContextVar("wants_own_changes", default=False)


def wants_own_changes() -> bool:
    """Return whether this call comes from somebody who has just changed something, here or in another process."""
    return _wanted.get()


class OwnChanges:
    """Gives the cookie to whoever changed something, and remembers for the rest of a call that it came with one."""

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self.app, self.name = app, settings.cookie(NAME)
        seconds = math.ceil(settings.listing_seconds) + 1
        self._cookie = f"{self.name}=1; Path=/; Max-Age={seconds}; HttpOnly; SameSite=lax{'; Secure' if settings.secure_cookies else ''}"
        self._is_needed = settings.listing_seconds > 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._is_needed:
            await self.app(scope, receive, send)
            return
        if scope["method"] in _SAFE:
            token = _wanted.set(self._has_cookie(scope))
            try:
                await self.app(scope, receive, send)
            finally:
                _wanted.reset(token)
            return

        async def with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400:
                MutableHeaders(scope=message).append("Set-Cookie", self._cookie)
            await send(message)

        await self.app(scope, receive, with_cookie)

    def _has_cookie(self, scope: Scope) -> bool:
        return any(name == b"cookie" and self.name in cookie_parser(value.decode("latin-1")) for name, value in scope["headers"])
