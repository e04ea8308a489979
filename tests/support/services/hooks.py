# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The fixture `hooks`: real HTTPS servers on loopback that take POSTs, as webhooks and token endpoints do.

A server keeps what it receives in `posts`, and answers what a test put into `answers`, or else 200 "ok".
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.approval import Authority


@dataclass(frozen=True)
class Posted:
    """A POST that a server received."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class HookAnswer:
    """What a server answers. `hang_up`: the connection breaks instead. `seconds`: the wait before each byte of the answer."""

    status: int = 200
    body: bytes = b"ok"
    headers: dict[str, str] = field(default_factory=dict)
    hang_up: bool = False
    seconds: float = 0.0


class HookServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, authority: Authority | None, certificate: str = "127.0.0.1") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._tls = authority.context(certificate) if authority else None
        self.ca_path = str(authority.path) if authority else ""
        self.posts: list[Posted] = []
        self.answers: list[HookAnswer] = []
        """The next answers, in order; the last one is repeated if `repeats` is set."""
        self.repeats = False

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.server_port}"

    def next_answer(self) -> HookAnswer:
        if not self.answers:
            return HookAnswer()
        return self.answers[0] if self.repeats and len(self.answers) == 1 else self.answers.pop(0)

    def finish_request(self, request: Any, client_address: Any) -> None:
        with contextlib.suppress(OSError):
            super().finish_request(self._tls.wrap_socket(request, server_side=True) if self._tls else request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: HookServer

    def log_message(self, *_: Any) -> None: ...

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.posts.append(Posted(self.path, dict(self.headers), body))
        answer = self.server.next_answer()
        if answer.hang_up:
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        for byte in answer.body if answer.seconds else ():
            threading.Event().wait(answer.seconds)
            self.wfile.write(bytes((byte,)))
        if not answer.seconds:
            self.wfile.write(answer.body)


HookFactory = Callable[..., HookServer]


@pytest.fixture
def hooks(tmp_path: Path) -> Iterator[HookFactory]:
    """A function that starts servers: `tls=False` without TLS, `certificate` is the name in the certificate."""
    folder = tmp_path / "hooks"
    folder.mkdir(mode=0o700)
    authority = Authority.made_in(folder)
    with contextlib.ExitStack() as stack:

        def make(*, tls: bool = True, certificate: str = "127.0.0.1") -> HookServer:
            server = HookServer(authority if tls else None, certificate)
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
            thread.start()
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            return server

        yield make
