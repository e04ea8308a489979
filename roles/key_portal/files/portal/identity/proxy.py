# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""People whom a reverse proxy signed in, such as oauth2-proxy: it sends their address in a header, and their groups in another.

The headers count only if the connection itself comes from one of PORTAL_TRUSTED_PROXIES. Whoever can connect from there can be anybody, so
the proxy must remove both headers from what it gets.
"""

from __future__ import annotations

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common.email_address import parse_address
from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from ..errors import Refused
from ..settings import Settings
from ..trail import note_failure
from .caller import Caller

METHOD = "proxy"
PEER = "portal.peer"


class ProxyIdentity:
    """The person named in the header of a trusted proxy."""

    def __init__(self, settings: Settings) -> None:
        self._header, self._groups_header, self._roles = settings.proxy_header, settings.proxy_groups_header, settings.role_book

    def identify(self, request: Request) -> Caller | None:
        values = request.headers.getlist(self._header)
        if not values or not request.scope.get(PEER, False):
            return None
        try:
            (value,) = values  # two of them may come from two people
            return self._roles.caller(str(parse_address(value)), METHOD, self._groups(request))
        except ValueError:
            note_failure(request, "somebody", METHOD, "the headers of the proxy hold no address, or two, or groups twice")
            raise Refused(401, "The proxy does not say who calls, or not with an address.") from None

    def _groups(self, request: Request) -> list[str]:
        """Return the groups that the proxy names. Raises ValueError for two headers, which may come from two people."""
        values = request.headers.getlist(self._groups_header)
        if len(values) > 1:
            raise ValueError("two headers with groups")
        return [group for part in "".join(values).split(",") if (group := part.strip())]


class ForwardedHeaders:
    """Notes whether a trusted proxy made the connection, and believes its X-Forwarded-For and X-Forwarded-Proto if so."""

    def __init__(self, app: ASGIApp, *, trusted: str) -> None:
        self._forwarded = ProxyHeadersMiddleware(app, trusted_hosts=trusted)  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        scope[PEER] = client is not None and client[0] in self._forwarded.trusted_hosts
        await self._forwarded(scope, receive, send)  # type: ignore[arg-type]
