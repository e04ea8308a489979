# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""A proxy before the real gateway that records every exchange and does harm to chosen ones."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
import ssl
from collections.abc import Callable
from typing import Any, Literal

from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.recording_proxy import Gateway, Message, RecordingProxy


@dataclasses.dataclass
class Harm:
    """Harm to requests whose method and path match the pattern `to` ("POST /key/generate") and whose query contains `query`.

    - `refuse`: the connection is dropped and the gateway never sees the request.
    - `lose`: the gateway does its work and its answer is lost.
    - `cut`: only half of the answer's body arrives.
    - `answer`: the gateway never sees the request; the client gets `status`, `headers` and `body`.
    - `delay`: the exchange takes `seconds` longer.
    - `repeat`: the gateway gets the request twice, as from a network that repeats.
    - `call`: `work(False)` is called before the request goes to the gateway, and `work(True)` after the answer.

    The first `skip` matching requests pass unharmed, then `times` of them are harmed.
    """

    kind: Literal["refuse", "lose", "cut", "answer", "delay", "repeat", "call"]
    to: str = ".*"
    query: str = ""
    skip: int = 0
    times: int = 1_000_000
    status: int = 500
    body: Any = None
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0
    work: Callable[[bool], None] = lambda _after: None
    met: int = 0

    def strikes(self, request: Message) -> bool:
        method, target, _version = request.start_line.split(" ", 2)
        path, _mark, query = target.partition("?")
        if not re.fullmatch(self.to, f"{method} {path}") or self.query not in query:
            return False
        self.met += 1
        return self.skip < self.met <= self.skip + self.times


class FaultyProxy(RecordingProxy):
    """A recording proxy that does harm: `FaultyProxy(gateway.url, Harm("lose", "POST /key/generate", times=1))`."""

    def __init__(self, upstream: str, *harms: Harm, trust: ssl.SSLContext | None = None) -> None:
        super().__init__(upstream, trust=trust)
        self.harms = list(harms)

    async def exchange(self, request: Message, gateway: Gateway) -> Message:
        harm = next((harm for harm in self.harms if harm.strikes(request)), None)
        if harm is None:
            return await gateway.send(request)
        if harm.kind == "refuse":
            raise ConnectionResetError
        if harm.kind == "answer":
            return answer(harm)
        if harm.kind == "delay":
            await asyncio.sleep(harm.seconds)
        if harm.kind == "repeat":
            await gateway.send(request)
        if harm.kind == "call":
            await asyncio.to_thread(harm.work, False)
        response = await gateway.send(request)
        if harm.kind == "call":
            await asyncio.to_thread(harm.work, True)
        if harm.kind == "lose":
            raise ConnectionResetError
        if harm.kind == "cut":
            head = response.head.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
            return Message(head, response.body[: len(response.body) // 2])
        return response


def answer(harm: Harm) -> Message:
    """Return the answer that the proxy gives in place of the gateway."""
    body = harm.body if isinstance(harm.body, bytes) else json.dumps(harm.body).encode()
    kind = "text/html" if isinstance(harm.body, bytes) else "application/json"
    headers = {"content-type": kind, "content-length": str(len(body)), **harm.headers}
    lines = [f"HTTP/1.1 {harm.status} Harmed", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return Message("\r\n".join(lines).encode(), body)
