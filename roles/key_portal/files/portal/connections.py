# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Connections that cost nothing but patience: those that send headers slowly, send nothing, or do not read what they asked for.

uvicorn ends a connection that is idle after an answer. The first call may come when it likes, so a few hundred connections that send
nothing would keep everybody else out. Here a call has a time to arrive, an answer a time to be read, and when there are too many
connections, the one that has waited longest without a call makes room.
"""

from __future__ import annotations

import asyncio
import resource
from collections import OrderedDict
from contextlib import suppress
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

KEEP_ALIVE_SECONDS = 5
"""How long a connection may be idle after an answer."""
LARGEST_HEADERS = 16_384
"""Bytes of the first line and the headers of a call."""
READING_SECONDS = 30.0
"""How long a client may take to read more of an answer."""
HANDSHAKE_SECONDS = 10.0
"""How long the start of TLS may take."""
FILES_BESIDE = 200
"""Open files that are no connections: of the store, of threads, of mails."""
MOST_FILES = 4_096


class Connections:
    """All connections of the service; uvicorn calls it for each new one.

    `most` is how many there may be, and `seconds` how long the first line and the headers of a call may take.
    """

    def __init__(self, *, most: int, seconds: float) -> None:
        self.most, self.seconds = most, seconds
        self.waiting: OrderedDict[BoundedConnection, None] = OrderedDict()
        """Those without a call, the one that waits longest first."""
        self.leaving: set[BoundedConnection] = set()
        """Those that made room. asyncio ends them later, after other new connections of the same moment."""

    def __call__(self, **parts: Any) -> BoundedConnection:
        return BoundedConnection(self, **parts)

    def make_room(self, present: int) -> None:
        """Close connections that wait, if there are too many."""
        for _number in range(min(present - len(self.leaving) - self.most, len(self.waiting))):
            connection = self.waiting.popitem(last=False)[0]
            self.leaving.add(connection)
            connection.give_up()


class BoundedConnection(H11Protocol):
    """A connection whose calls must arrive, and whose answers must be read, in time."""

    def __init__(self, all_connections: Connections, **parts: Any) -> None:
        super().__init__(**parts)
        self._all = all_connections
        self._deadline: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()
        self._all.make_room(len(self.connections))

    def connection_lost(self, exc: Exception | None) -> None:
        self._all.leaving.discard(self)
        self._stop_waiting()
        self._cancel_stalled()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._has_call:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        super().on_response_complete()  # which begins the next call if it is here already
        if not self._has_call and not self.transport.is_closing():
            self._stop_waiting()
            self._wait()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self.loop.call_later(READING_SECONDS, self.give_up)

    def resume_writing(self) -> None:
        self._cancel_stalled()
        super().resume_writing()

    def give_up(self) -> None:
        """Close the connection without another word: whoever is there does not listen."""
        self.transport.abort()

    @property
    def _has_call(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self) -> None:
        self._all.waiting[self] = None
        self._deadline = self.loop.call_later(self._all.seconds, self.give_up)

    def _stop_waiting(self) -> None:
        self._all.waiting.pop(self, None)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _cancel_stalled(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None


class _EventLoop(asyncio.SelectorEventLoop):
    """An event loop whose servers do not wait long for a client that begins to speak TLS."""

    async def create_server(self, *arguments: Any, **options: Any) -> asyncio.Server:
        if options.get("ssl") is not None:
            options.setdefault("ssl_handshake_timeout", HANDSHAKE_SECONDS)
        return await super().create_server(*arguments, **options)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return the event loop that uvicorn shall use."""
    return _EventLoop()


def possible_connections(wanted: int) -> int:
    """Let this process open as many files as it may, and return how many connections it can have of those that are wanted."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < MOST_FILES:
        with suppress(OSError, ValueError):  # systemd may forbid it
            resource.setrlimit(resource.RLIMIT_NOFILE, (MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES), hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return wanted if soft == resource.RLIM_INFINITY else max(10, min(wanted, soft - FILES_BESIDE))
