# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""People whom an OpenID Connect provider signed in: a session in a signed cookie afterwards, which ends with the provider's token.

The way there and back is in `pages/single_sign_on.py`, what the provider says is checked in `provider.py`. The session holds the address
and those of the person's groups that have a role. What a group may do is looked up with each call, so that other settings count at once.
"""

from __future__ import annotations

from collections.abc import Collection

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import durations
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common.email_address import parse_address
from fastapi import Request, Response

from ..settings import Settings
from ..sign_on import OIDC
from ..signing import SINGLE_SIGN_ON, Expired, Signer
from .caller import Caller
from .link import set_cookie

METHOD = OIDC


class OidcIdentity:
    """The person in the session. A cookie that is not valid, or not any more, says nothing."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._roles = settings, settings.role_book

    def identify(self, request: Request) -> Caller | None:
        signer: Signer = request.app.state.signer
        try:
            content = signer.read(SINGLE_SIGN_ON, request.cookies.get(self._settings.cookie("session"), ""), self._settings.session_hours * 3600) or {}
            address = str(parse_address(content.get("email")))
        except (Expired, ValueError):
            return None
        if content["end"] <= seconds_now(request):
            return None
        return self._roles.caller(address, METHOD, content["groups"], has_session=True)


def seconds_now(request: Request) -> float:
    """Return the portal's time, in seconds as in tokens."""
    return durations.parse_time(request.app.state.portal.clock()).timestamp()


def begin_session(response: Response, signer: Signer, settings: Settings, email: str, groups: Collection[str], end: float, now: float) -> int:
    """Let the browser that gets `response` be signed in until `end`, or for PORTAL_SESSION_HOURS if that is less. Return for how many seconds."""
    seconds = int(min(end - now, settings.session_hours * 3600))
    content = {"email": email, "groups": settings.role_book.named(groups), "end": int(now) + seconds}
    set_cookie(response, settings, "session", signer.sign(SINGLE_SIGN_ON, content), seconds)
    return seconds
