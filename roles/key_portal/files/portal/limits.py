# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""How large a call may be, how long it may take to arrive, and to be answered. A body is read in full before anything else happens."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .errors import RETRY_SECONDS, STORE_DOWN, problem_answer

TOO_LARGE = "The body of the call is too large."
TOO_SLOW = "The body of the call did not arrive in time."

MOST_OVERDUE = 20
"""How many calls may still wait for the store after they were answered. Each has a thread, of which there are 40."""
WITHOUT_STORE = ("/health", "/static/", "/docs", "/redoc", "/openapi.json", "/static-offline-docs/")
"""Paths that are served even then."""


class BodyLimit:
    """Refuses bodies above `largest` bytes (413), whatever they say about their size, and those that take longer than `seconds` (408)."""

    def __init__(self, app: ASGIApp, *, largest: int, seconds: float) -> None:
        self.app, self.largest, self.seconds = app, largest, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if _declared_length(scope) > self.largest:
            await _refuse(413, TOO_LARGE, scope, receive, send)
            return
        try:
            body = await asyncio.wait_for(self._body(receive), self.seconds)
        except TimeoutError:
            await _refuse(408, TOO_SLOW, scope, receive, send)
            return
        if body is None:  # the client has gone
            return
        if len(body) > self.largest:
            await _refuse(413, TOO_LARGE, scope, receive, send)
            return
        await self.app(scope, _replayed(body, receive), send)

    async def _body(self, receive: Receive) -> bytes | None:
        """Return the body, or its first bytes if it is too large, or None if the client left."""
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self.largest or not message.get("more_body", False):
                return b"".join(parts)


class AnswerLimit:
    """Answers 503 for a call that nothing answered within `seconds`, because the store does not: a disk or an API that hangs.

    What the call was doing goes on, and may succeed. When many calls hang, others are refused at once, until some have ended.
    """

    def __init__(self, app: ASGIApp, *, seconds: float) -> None:
        self.app, self.seconds = app, seconds
        self._overdue: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if len(self._overdue) >= MOST_OVERDUE and scope["path"] != "/" and not scope["path"].startswith(WITHOUT_STORE):
            await _answer_overdue(scope, receive, send)
            return
        began, late = False, False

        async def in_time(message: Message) -> None:
            nonlocal began
            if not late:
                began = True
                await send(message)

        task: asyncio.Task[None] = asyncio.ensure_future(self.app(scope, receive, in_time))
        await asyncio.wait((task,), timeout=self.seconds)
        if began or task.done():
            await task
            return
        late = True
        self._overdue.add(task)
        task.add_done_callback(self._overdue.discard)
        await _answer_overdue(scope, receive, send)


async def _answer_overdue(scope: Scope, receive: Receive, send: Send) -> None:
    await problem_answer(scope, 503, STORE_DOWN, {"Retry-After": str(RETRY_SECONDS)})(scope, receive, send)


def _declared_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value[:18])
    return 0


async def _refuse(status: int, detail: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer, and close the connection, because the rest of the body is still on its way."""
    await problem_answer(scope, status, detail, {"Connection": "close"})(scope, receive, send)


def _replayed(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
