# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The audit log: who signed in and out, or tried to, and what people did with requests, each a line of JSON in the log `portal.audit`.

`who` is who did it, by whatever method of identity they said so: an address, or the administrator's name. No password, key, link or reason
is in it. With HTTP Basic and `proxy` every call says who makes it, so that the first one in an hour from somewhere counts as a sign-in.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.base import Transition
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import Desk, MoreTime, RequestName, Wish
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.terms import Terms
from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from .rates import peer_of

log = logging.getLogger("portal.audit")

SIGNED_IN, SIGNED_OUT, FAILED, FORBIDDEN = "signed_in", "signed_out", "sign_in_failed", "forbidden"
SIGN_IN, FAILED_LINK = "sign_in", "failed_link"
"""Kinds of `Rates`: how often the same sign-in, and failed links and headers of one peer, are noted."""
USUAL_RATES = {SIGN_IN: "1/hour", FAILED_LINK: "10/minute"}
UNPROVEN = "unproven"
"""The method of somebody who only typed an address."""


@dataclass
class ActingCall:
    """A call of the service: from where it comes, and by which method those said who they are who act in it."""

    peer: str = ""
    methods: dict[str, str] = field(default_factory=dict)


_call: ContextVar[ActingCall | None] = ContextVar("acting_call", default=None)


class AuditTrail:
    """Lets everything that happens in a call be noted with its peer. Handlers run in threads, which see what was put here before."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        token = _call.set(ActingCall(peer_of(Request(scope)) if scope["type"] == "http" else ""))
        try:
            await self.app(scope, receive, send)
        finally:
            _call.reset(token)


def note_event(at: str, event: str, who: str, method: str = "", **facts: Any) -> None:
    """Write what somebody did into the audit log."""
    call = _call.get() or ActingCall()
    line = {"time": at, "event": event, "who": who, "method": method or call.methods.get(who, UNPROVEN), "peer": call.peer, **facts}
    said = {name: value for name, value in line.items() if value not in ("", None, {}, [])}
    log.info("%s", json.dumps(said), extra={"facts": said})


def remember_method(who: str, method: str) -> None:
    """Remember by which method somebody who acts in this call said who they are."""
    call = _call.get()
    if call is not None:
        call.methods[who] = method


def note_caller(request: Request, who: str, method: str, *, has_session: bool) -> None:
    """Remember how somebody said who they are, and note their sign-in, unless that was done when their session began."""
    remember_method(who, method)
    if not has_session and request.app.state.rates.allows(SIGN_IN, f"{method} {who} {peer_of(request)}"):
        note_event(request.app.state.portal.clock(), SIGNED_IN, who, method)


def note_failure(request: Request, who: str, method: str, why: str, *, counted: bool = False) -> None:
    """Note that somebody failed to sign in. What is not `counted` otherwise is noted only so often."""
    if counted or request.app.state.rates.allows(FAILED_LINK, peer_of(request)):
        note_event(request.app.state.portal.clock(), FAILED, who, method, why=why)


def _is_new(done: Transition) -> bool:
    """Return whether a request was made, or has started again."""
    return done.before is None or done.after is None or done.before.state != done.after.state


class AuditedDesk(Desk):
    """The desk, which notes what was done at it, by whom."""

    def ask(self, wish: Wish, *, by: str = "", again: bool = False) -> Transition:
        done = super().ask(wish, by=by, again=again)
        return self._noted("asked" if _is_new(done) else "address_proven", done, by)

    def renew(self, name: RequestName, more: MoreTime, *, by: str = "", again: bool = False) -> Transition:
        return self._noted("asked_for_more_time", super().renew(name, more, by=by, again=again), by)

    def approve(
        self, name: RequestName, *, by: str, reason: str = "", granted: Terms | None = None, beyond: bool = False, version: str = "", undecided: bool = False
    ) -> Transition:
        done = super().approve(name, by=by, reason=reason, granted=granted, beyond=beyond, version=version, undecided=undecided)
        return self._noted("approved", done, by, granted=dict(granted or {}), beyond=beyond or None)

    def deny(self, name: RequestName, *, by: str, reason: str, version: str = "", undecided: bool = False) -> Transition:
        return self._noted("denied", super().deny(name, by=by, reason=reason, version=version, undecided=undecided), by)

    def retry(self, name: RequestName, *, by: str) -> Transition:
        return self._noted("retried", super().retry(name, by=by), by)

    def reseal(self, name: RequestName, *, by: str = "") -> Transition:
        return self._noted("asked_for_new_link", super().reseal(name, by=by), by)

    def cancel(self, name: RequestName, *, by: str = "", reason: str = "") -> Transition:
        return self._noted("withdrawn", super().cancel(name, by=by, reason=reason), by)

    def _noted(self, event: str, done: Transition, by: str, **facts: Any) -> Transition:
        if done.changed and done.after is not None:
            about: Mapping[str, Any] = {"request": done.after.id, "email": done.after.email, "state": done.after.state}
            note_event(self._clock(), event, by or done.after.email, **about, **facts)
        return done
