# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Many people who call a web service at once, each over a connection of their own, with a client that costs next to nothing."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

ANSWER_SECONDS = 60.0


@dataclass(frozen=True)
class Call:
    """A call of HTTP. `accepted` are the statuses that count as an answer."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    accepted: tuple[int, ...] = (200,)

    def wire(self, host: str) -> bytes:
        lines = [f"{self.method} {self.path} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in self.headers.items())]
        lines += [f"Content-Length: {len(self.body)}"] if self.method == "POST" else []
        return "\r\n".join([*lines, "", ""]).encode() + self.body


Calls = Callable[[int, int], Call]
"""The call of a person (from 0 on) at a turn (from 0 on)."""


class PeopleAtOnce:
    """Makes calls of many people to the service at `url`."""

    def __init__(self, url: str, people: int) -> None:
        parts = urlsplit(url)
        self._host, self._port, self.people = parts.hostname or "", parts.port or 80, people

    def every_second(self, calls: Calls, seconds: int) -> list[float]:
        """Let each person make one call every second, not all at the same moment; return the milliseconds of each call."""
        dice = random.Random(1)
        return asyncio.run(self._all(calls, seconds, [dice.random() for _person in range(self.people)]))

    def without_pause(self, calls: Calls, turns: int) -> list[float]:
        """Let each person make a call as soon as the last one was answered, all beginning at the same moment."""
        return asyncio.run(self._all(calls, turns, None))

    async def _all(self, calls: Calls, turns: int, offsets: Sequence[float] | None) -> list[float]:
        connections = [await asyncio.open_connection(self._host, self._port) for _person in range(self.people)]
        began = time.perf_counter()

        async def live(person: int) -> list[float]:
            reader, writer = connections[person]
            spent: list[float] = []
            for turn in range(turns):
                if offsets is not None:
                    await asyncio.sleep(max(0.0, began + offsets[person] + turn - time.perf_counter()))
                started = time.perf_counter()
                async with asyncio.timeout(ANSWER_SECONDS):
                    await _made(reader, writer, calls(person, turn), self._host)
                spent.append(1000 * (time.perf_counter() - started))
            writer.close()
            return spent

        return list(itertools.chain.from_iterable(await asyncio.gather(*map(live, range(self.people)))))


async def _made(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, call: Call, host: str) -> None:
    writer.write(call.wire(host))
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    status = int(head[0].split(" ")[1])
    length = next((int(line.partition(":")[2]) for line in head if line.lower().startswith("content-length:")), 0)
    body = await reader.readexactly(length)
    if status not in call.accepted:
        raise RuntimeError(f"{call.method} {call.path} was answered with {status}: {body[:300].decode(errors='replace')}")
