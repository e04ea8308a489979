# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""An HTTP/1.1 proxy before a real gateway that records every exchange.

    with RecordingProxy(gateway.url) as proxy:
        ...  # work against proxy.url
        proxy.exchanges

Each connection of a client has its own connection to the gateway, which stays open as long as the client's does, so the
proxy sees what the gateway would have seen. It runs in a thread of the process that reads the record.
A subclass that overrides `exchange` may delay, change, repeat or lose what passes.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import ssl
import threading
import time
from collections.abc import Coroutine
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


def caller(bearer: str) -> str:
    """Return the caller's name in a record: the first digits of the sha256 of the key, never the key."""
    return hashlib.sha256(bearer.encode()).hexdigest()[:12]


@dataclasses.dataclass(frozen=True)
class Message:
    """A request or a response, as it came over the wire."""

    head: bytes
    body: bytes

    @property
    def start_line(self) -> str:
        return self.head.split(b"\r\n", 1)[0].decode("latin-1")

    def header(self, name: str) -> str:
        """Return a header's value, or an empty string if the header is missing."""
        for line in self.head.decode("latin-1").split("\r\n")[1:]:
            found, _colon, value = line.partition(":")
            if found.lower() == name:
                return value.strip()
        return ""


@dataclasses.dataclass(frozen=True)
class Exchange:
    """A request and its outcome. Times are seconds of `time.time()`. Status 0 means that the client got no answer."""

    method: str
    path: str
    query: str
    caller: str
    status: int
    started: float
    ended: float
    connection: int
    body: bytes = dataclasses.field(repr=False)
    """The body of the request; it may hold secrets."""


class RecordingProxy:
    """Listens on a port of 127.0.0.1, with `tls` for HTTPS, and passes everything on to `upstream`, an address such as http://127.0.0.1:4000.

    An `upstream` with https needs `trust`, which says whose certificates it may have.
    """

    def __init__(self, upstream: str, tls: ssl.SSLContext | None = None, *, trust: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(upstream)
        if parts.scheme != ("https" if trust else "http") or not parts.hostname:
            raise ValueError(f"upstream is {upstream!r}; give http, or https with trust.")
        self.exchanges: list[Exchange] = []
        self.url = ""
        self._tls, self._trust = tls, trust
        self._address = (parts.hostname, parts.port or 80)
        self._connections = 0
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="recording-proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._listen())
        return self

    def __exit__(self, _type: type[BaseException] | None, _problem: BaseException | None, _trace: TracebackType | None) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def take(self) -> list[Exchange]:
        """Return the exchanges since the last call, in the order in which they ended."""
        taken, self.exchanges = self.exchanges, []
        return taken

    def _do(self, work: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def exchange(self, request: Message, gateway: Gateway) -> Message:
        """Send a request to the gateway and return the answer. A ConnectionError drops the client's connection."""
        return await gateway.send(request)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection of a client until one of the two sides closes it."""
        self._connections += 1
        number = self._connections
        gateway = Gateway(*self._address, self._trust)
        try:
            while True:
                request = await _read(reader)
                method, target, _version = request.start_line.split(" ", 2)
                path, _mark, query = target.partition("?")
                started, status = time.time(), 0
                try:
                    response = await self.exchange(request, gateway)
                    status = int(response.start_line.split(" ", 2)[1])
                finally:
                    who = caller(request.header("authorization").removeprefix("Bearer "))
                    ended = time.time()
                    self.exchanges.append(Exchange(method, path, query, who, status, started, ended, number, request.body))
                # Record first: a client that has its answer may look into the record at once.
                writer.write(response.head + response.body)
                await writer.drain()
                if "close" in (request.header("connection").lower(), response.header("connection").lower()):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # one of the two sides has gone, or does not speak HTTP
        except asyncio.CancelledError:
            pass  # the proxy ends, and a server of asyncio reports a cancelled task as an error
        finally:
            gateway.close()
            writer.close()

    async def _end(self) -> None:
        if self._server is not None:
            self._server.close()
        mine = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not mine]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


class Gateway:
    """A connection to the real gateway, opened for the first request and again after the gateway has closed it."""

    def __init__(self, host: str, port: int, trust: ssl.SSLContext | None = None) -> None:
        self._host, self._port, self._trust = host, port, trust
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, request: Message) -> Message:
        """Send a request and return the answer. Raises ConnectionError or IncompleteReadError if the answer is missing or cut off."""
        if self._streams is None or self._streams[0].at_eof():
            self.close()
            self._streams = await asyncio.open_connection(self._host, self._port, ssl=self._trust)
        reader, writer = self._streams
        writer.write(request.head + request.body)
        await writer.drain()
        return await _read(reader, answers=request.start_line.split(" ")[0])

    def close(self) -> None:
        if self._streams is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed already
                self._streams[1].close()
            self._streams = None


async def _read(reader: asyncio.StreamReader, answers: str = "") -> Message:
    """Read a whole message: a request or, with `answers`, the response to a request of that method.

    Raises IncompleteReadError if the other side has closed the connection.
    """
    head = await reader.readuntil(b"\r\n\r\n")
    message = Message(head, b"")
    if answers == "HEAD" or (answers and message.start_line.split(" ")[1] in ("204", "304")):
        return message
    if message.header("transfer-encoding").lower() == "chunked":
        return Message(head, await _chunks(reader))
    if length := message.header("content-length"):
        return Message(head, await reader.readexactly(int(length)))
    return Message(head, await reader.read()) if answers else message


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    """Read a chunked body and return it, still in its chunks."""
    parts = []
    while True:
        size = await reader.readuntil(b"\r\n")
        chunk = await reader.readexactly(int(size.split(b";")[0], 16) + 2)
        parts += [size, chunk]
        if chunk == b"\r\n":
            return b"".join(parts)
