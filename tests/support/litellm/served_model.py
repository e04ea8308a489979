# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The model of LiteLLM behind HTTP, with faults that a test chooses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.utils import format_datetime
from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import LitellmModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.scripted import LoopbackServer, Reply, Request


@dataclass
class Fault:
    """A wrong reply, and the requests that get it.

    It applies to requests of `path` for which `when` is true, skips the first `skip` of them and then strikes `times` times.
    With `after` the model does its work before the reply is replaced, as when an answer is lost.
    """

    path: str
    reply: Reply
    when: Callable[[Request], bool] = lambda _request: True
    skip: int = 0
    times: int = 1_000_000
    after: bool = False

    def strikes(self, request: Request) -> bool:
        if request.path != self.path or not self.when(request):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        return self.times >= 0


class ServedModel(LoopbackServer):
    """A `LitellmModel` on loopback; `faults` may be replaced at any time."""

    def __init__(self, model: LitellmModel | None = None, faults: Sequence[Fault] = ()) -> None:
        super().__init__(self._answer)
        self.model = model or LitellmModel()
        self.faults = list(faults)

    def asked(self, *paths: str) -> list[Request]:
        """Return the requests of these paths in their order, or all requests if no path is given."""
        return [request for request in self.requests if not paths or request.path in paths]

    def writes(self) -> list[tuple[str, Any]]:
        """Return path and body of the writing requests, in their order."""
        return [(request.path, request.body) for request in self.requests if request.method == "POST"]

    def _answer(self, request: Request) -> Reply:
        with self.lock:
            fault = next((fault for fault in self.faults if fault.strikes(request)), None)
        if fault and not fault.after:
            return fault.reply
        status, body = self.model.handle(request.method, request.path, request.query, request.body, request.key)
        if fault:
            return fault.reply
        return Reply(status=status, json=body, headers={"Date": format_datetime(self.model.now, usegmt=True)})
