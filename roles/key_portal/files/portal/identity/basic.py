# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The one administrator of ADMIN_USERNAME and ADMIN_PASSWORD: by HTTP Basic, as the LLM Key Requestor has it, or in a session in a signed cookie.

The session begins with a form, see `pages/password.py`. It holds a digest of name and password that is keyed with PORTAL_SECRET, so it ends when
either changes. Programs send HTTP Basic with each call, and get no session.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common.address import is_this_host
from fastapi import Request, Response

from ..errors import Refused
from ..rates import peer_of
from ..settings import DEFAULT_PASSWORD, USUAL_ADMIN, Settings
from ..signing import ADMIN_SESSION, Expired, Signer
from ..trail import note_failure
from .caller import Caller
from .link import set_cookie
from .roles import ALL_OF_THEM

METHOD = "basic"
SOMEBODY = "somebody"
"""In the audit log, whoever gave another name than the administrator's."""
_CHALLENGE: Mapping[str, str] = {"WWW-Authenticate": "Basic"}
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")
"""Headers that say that a call was made elsewhere, whoever it was handed over by."""


class BasicIdentity:
    """The administrator, by name and password, compared in constant time. The documented password is accepted from loopback only."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._name = settings.admin_username or USUAL_ADMIN
        self._password = settings.admin_password.get_secret_value() or DEFAULT_PASSWORD
        self._only_here = self._password == DEFAULT_PASSWORD

    def identify(self, request: Request) -> Caller | None:
        scheme, _blank, given = request.headers.get("authorization", "").partition(" ")
        return self.verify(request, *_decoded(given)) if scheme.lower() == "basic" else self._in_session(request)

    def verify(self, request: Request, name: bytes, password: bytes) -> Caller:
        """Return the administrator, whose name and password these are. Raises Refused for others, and after too many of them."""
        rates, peer = request.app.state.rates, peer_of(request)
        if rates.is_used_up("failure", peer):
            raise Refused(429, "Too many wrong passwords came from here; try again later.")
        right = [hmac.compare_digest(name, self._name.encode()), hmac.compare_digest(password, self._password.encode())]
        if not all(right) or (self._only_here and not _is_from_here(request)):
            rates.allows("failure", peer)
            who = self._name if right[0] else SOMEBODY  # people type passwords where names belong
            note_failure(request, who, METHOD, "the documented password works on this machine only" if all(right) else "wrong password or name", counted=True)
            raise Refused(401, "Invalid credentials", _CHALLENGE)
        return Caller(self._name, METHOD, roles=ALL_OF_THEM)

    def begin_session(self, request: Request, response: Response) -> None:
        """Let the browser that gets `response` be signed in as the administrator."""
        signer: Signer = request.app.state.signer
        content = {"digest": self._digest(signer)}
        set_cookie(response, self._settings, "session", signer.sign(ADMIN_SESSION, content), int(self._settings.session_hours * 3600))

    def _in_session(self, request: Request) -> Caller | None:
        """Return the administrator who is signed in. A cookie that is not valid, or not any more, says nothing."""
        signer: Signer = request.app.state.signer
        try:
            content = signer.read(ADMIN_SESSION, request.cookies.get(self._settings.cookie("session"), ""), self._settings.session_hours * 3600) or {}
        except Expired:
            return None
        is_valid = hmac.compare_digest(str(content.get("digest", "")).encode(), self._digest(signer).encode())
        if not is_valid or (self._only_here and not _is_from_here(request)):
            return None
        return Caller(self._name, METHOD, roles=ALL_OF_THEM, has_session=True)

    def _digest(self, signer: Signer) -> str:
        """Return what changes with the name and the password, and tells neither."""
        return signer.derive(ADMIN_SESSION, self._name, self._password)


def _decoded(given: str) -> tuple[bytes, bytes]:
    try:
        name, _colon, password = base64.b64decode(given.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return b"", b""
    return name, password


def _is_from_here(request: Request) -> bool:
    return request.client is not None and is_this_host(request.client.host) and not any(name in request.headers for name in _FORWARDED)
