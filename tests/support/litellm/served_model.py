# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The model of LiteLLM behind HTTP, with faults at will."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.utils import format_datetime
from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import LitellmModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.scripted import LoopbackServer, Reply, Request


@dataclass
class Fault:
    """What goes wrong, and when.

    It meets requests of `path` (and those of `when`), skips the first `skip` of them and then strikes `times` times.
    With `after` the model has done its work before the reply is replaced: a lost answer.
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
    """A `LitellmModel` on loopback."""

    def __init__(self, model: LitellmModel | None = None, faults: Sequence[Fault] = ()) -> None:
        super().__init__(self._answer)
        self.model = model or LitellmModel()
        self.faults = list(faults)

    def asked(self, *paths: str) -> list[Request]:
        """The requests of these paths, in their order; all without any."""
        return [request for request in self.requests if not paths or request.path in paths]

    def writes(self) -> list[tuple[str, Any]]:
        """The writing requests, in their order."""
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
