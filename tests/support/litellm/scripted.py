# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""HTTP servers on loopback for tests: one follows a script, the other asks a function for each reply.

`ScriptedGateway` plays one conversation. A test lists the exchanges in their order, each with the request it expects and the
reply to send, and then runs the real code against it:

    with ScriptedGateway(Exchange("GET", "/models", reply=Reply(json={"data": []}))) as gateway:
        ...  # gateway.url

Leaving the block fails if a request differed from the script, was missing or was one too many.
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

ANYTHING: Any = object()
"""An expectation that every value meets."""


@dataclass(frozen=True)
class Request:
    """A request as it arrived."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any

    @property
    def key(self) -> str:
        """The key in the Authorization header, or an empty string."""
        return self.headers.get("authorization", "").removeprefix("Bearer ")


@dataclass(frozen=True)
class Reply:
    """A reply to send.

    `json` or `text` is the body. `cut`: announce the whole body and send half of it. `reset`: send nothing and reset the
    connection. `wait`: seconds to wait before sending.
    """

    status: int = 200
    json: Any = None
    text: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    reset: bool = False
    wait: float = 0.0

    def content(self) -> tuple[bytes, str]:
        """Return the body and its media type."""
        if self.text is not None:
            return self.text.encode(), "text/html"
        return json.dumps(self.json).encode(), "application/json"


@dataclass(frozen=True)
class Exchange:
    """An expected request and its reply.

    `query` is the whole query. `headers` may name some of the headers; None means that a header must be absent. `body` is the
    whole JSON body, or a function that returns whether a body is as expected.
    """

    method: str
    path: str
    query: Mapping[str, str] = ANYTHING
    headers: Mapping[str, str | None] = field(default_factory=dict)
    body: Any = ANYTHING
    reply: Reply = field(default_factory=Reply)

    def faults(self, request: Request) -> list[str]:
        """Return how the request differs from the expected one."""
        found = []
        if (request.method, request.path) != (self.method, self.path):
            found.append(f"expected {self.method} {self.path}, got {request.method} {request.path}")
        if self.query is not ANYTHING and dict(request.query) != dict(self.query):
            found.append(f"{self.path}: expected the query {dict(self.query)}, got {dict(request.query)}")
        for name, value in self.headers.items():
            if request.headers.get(name.lower()) != value:
                found.append(f"{self.path}: expected {name}: {value}, got {request.headers.get(name.lower())}")
        if callable(self.body):
            if not self.body(request.body):
                found.append(f"{self.path}: the body is not as expected: {request.body}")
        elif self.body is not ANYTHING and request.body != self.body:
            found.append(f"{self.path}: expected the body {self.body}, got {request.body}")
        return found


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, answer: Callable[[Request], Reply]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer

    def handle_error(self, *_arguments: Any) -> None:
        """Ignore it: some tests are about clients that go away."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (ConnectionError, ssl.SSLError):
            self.close_connection = True

    def _serve(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        request = Request(
            method=self.command,
            path=parts.path,
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=json.loads(raw) if raw else None,
        )
        self._send(self.server.answer(request))

    def _send(self, reply: Reply) -> None:
        time.sleep(reply.wait)
        if reply.reset:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()
            self.close_connection = True
            return
        content, kind = reply.content()
        headers = {
            "Date": formatdate(usegmt=True),
            "Content-Type": kind,
            "Content-Length": str(len(content)),
            **reply.headers,
        }
        self.send_response_only(reply.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if reply.cut:
            content = content[: len(content) // 2]
            self.close_connection = True
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = _serve

    def log_message(self, *_arguments: Any) -> None:
        """Keep quiet."""


class LoopbackServer:
    """Serves HTTP/1.1 on a port of 127.0.0.1 and sends the reply that `answer` returns for each request. A context manager."""

    def __init__(self, answer: Callable[[Request], Reply], *, tls: ssl.SSLContext | None = None) -> None:
        self.lock = threading.Lock()
        self.requests: list[Request] = []
        """The requests so far, in the order of their arrival."""

        def record_and_answer(request: Request) -> Reply:
            with self.lock:
                self.requests.append(request)
            return answer(request)

        self._server = _Server(record_and_answer)
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_problem: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class ScriptedGateway(LoopbackServer):
    """Plays the exchanges in their order; see the top of this file."""

    def __init__(self, *script: Exchange, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(self._answer, tls=tls)
        self._script: Sequence[Exchange] = script
        self._played = 0
        self._faults: list[str] = []

    def _answer(self, request: Request) -> Reply:
        with self.lock:
            number = self._played
            self._played += 1
        if number >= len(self._script):
            self._faults.append(f"one exchange too many: {request.method} {request.path}")
            return Reply(status=418, json={"error": {"message": "the script has ended"}})
        self._faults += self._script[number].faults(request)
        return self._script[number].reply

    def __exit__(self, *problem: object) -> None:
        super().__exit__(*problem)
        if self._faults:
            raise AssertionError("; ".join(self._faults))
        if problem[0] is None and self._played < len(self._script):
            missing = self._script[self._played]
            raise AssertionError(f"{missing.method} {missing.path}, number {self._played + 1}, was never asked")
