# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""HTTP Basic for the one administrator of ADMIN_USERNAME and ADMIN_PASSWORD, as the LLM Key Requestor has it."""

from __future__ import annotations

import base64
import binascii
import hmac

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common.address import is_this_host
from fastapi import Request

from ..errors import Refused
from ..rates import peer_of
from ..settings import DEFAULT_PASSWORD, USUAL_ADMIN, Settings
from ..trail import note_failure
from .caller import Caller
from .roles import ALL_OF_THEM

METHOD = "basic"
SOMEBODY = "somebody"
"""In the audit log, whoever gave another name than the administrator's."""
_CHALLENGE = {"WWW-Authenticate": "Basic"}
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")
"""Headers that say that a call was made elsewhere, whoever it was handed over by."""


class BasicIdentity:
    """The administrator, by name and password, compared in constant time. The documented password is accepted from loopback only."""

    def __init__(self, settings: Settings) -> None:
        self._name = settings.admin_username or USUAL_ADMIN
        self._password = settings.admin_password.get_secret_value() or DEFAULT_PASSWORD
        self._only_here = self._password == DEFAULT_PASSWORD

    def identify(self, request: Request) -> Caller | None:
        scheme, _blank, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        rates, peer = request.app.state.rates, peer_of(request)
        if rates.is_used_up("failure", peer):
            raise Refused(429, "Too many wrong passwords came from here; try again later.")
        name, password = _decoded(given)
        right = [hmac.compare_digest(name, self._name.encode()), hmac.compare_digest(password, self._password.encode())]
        if not all(right) or (self._only_here and not _is_from_here(request)):
            rates.allows("failure", peer)
            who = self._name if right[0] else SOMEBODY  # people type passwords where names belong
            note_failure(request, who, METHOD, "the documented password works on this machine only" if all(right) else "wrong password or name", counted=True)
            raise Refused(401, "Invalid credentials", _CHALLENGE)
        return Caller(self._name, METHOD, roles=ALL_OF_THEM)


def _decoded(given: str) -> tuple[bytes, bytes]:
    try:
        name, _colon, password = base64.b64decode(given.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return b"", b""
    return name, password


def _is_from_here(request: Request) -> bool:
    return request.client is not None and is_this_host(request.client.host) and not any(name in request.headers for name in _FORWARDED)
