# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Who calls. Each method of identity is a file here and a row in METHODS; a call has a `Caller`, or nobody.

A method is a class that is made from the settings and answers `identify(request)`: a Caller, None if the call says nothing that is
meant for this method, or it raises Refused if what it says is wrong. Methods are asked in the order of PORTAL_IDENTITY.

`basic` is the administrator by name and password, or by a session after they were typed into a form, `link` a session after a link was
opened, `oidc` one after a provider signed somebody in, `proxy` the headers of a trusted reverse proxy. All but `basic` have an address.
`roles.py` says who has which role, and what each may do. A browser can say two things at once, so that the method counts which gives a
role that a call needs.

A call that changes something and comes from a page of another origin is refused, unless CORS_ORIGINS names that origin: browsers send
passwords and cookies along with such calls by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Annotated, Protocol
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.security import HTTPBasic
from starlette.requests import HTTPConnection

from ..errors import Refused, shown
from ..settings import Settings
from ..trail import FORBIDDEN, note_caller, note_event
from .basic import BasicIdentity
from .caller import PERSON, Caller
from .link import LinkIdentity
from .oidc import OidcIdentity
from .proxy import ProxyIdentity
from .roles import ASKS, DECIDES, EXPORTS, MEASURES, RETRIES, SEES_ALL

__all__ = ["CHALLENGE", "MEASURES", "METHODS", "PERSON", "Auditor", "Caller", "Identifier", "Operator", "Person", "Reviewer", "Staff", "identifiers_of"]

_SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
CHALLENGE = 'Basic realm="LLM keys", charset="UTF-8"'
"""What asks programs for a name and a password."""
NOT_AUTHENTICATED = "Not authenticated"


class Identifier(Protocol):
    """A method of identity."""

    def identify(self, request: Request) -> Caller | None:
        """Return who makes the call, or None if it says nothing that is meant for this method. Raises Refused."""


METHODS: Mapping[str, Callable[[Settings], Identifier]] = {
    "basic": BasicIdentity,
    "link": LinkIdentity,
    "oidc": OidcIdentity,
    "proxy": ProxyIdentity,
}


def identifiers_of(settings: Settings) -> list[Identifier]:
    """Return the methods that the settings name."""
    return [METHODS[name](settings) for name in settings.identity_methods]


class _Documented(HTTPBasic):
    """Names HTTP Basic in the description of the service, and leaves the credentials to the methods of identity."""

    async def __call__(self, request: HTTPConnection) -> None:
        return None


_documented = _Documented(scheme_name="basic", description="The administrator, or whoever else the portal's methods of identity accept.")


def find_caller(request: Request, roles: Collection[str] = ()) -> Caller | None:
    """Return who makes the call, by the first method that gives one of `roles`, or else by the first one, or None.

    Raises Refused if somebody says who they are and is not.
    """
    first: Caller | None = None
    for caller in _identified(request):
        if caller is not None and (not roles or not caller.roles.isdisjoint(roles)):
            return caller
        first = first or caller
    return first


def _identified(request: Request) -> Iterator[Caller | None]:
    """Yield what each method of identity says of the call, which it is asked once. Raises Refused."""
    if not hasattr(request.state, "identified"):
        request.state.identified = []
    known: list[Caller | Refused | None] = request.state.identified
    for number, identifier in enumerate(request.app.state.identifiers):
        if number == len(known):
            try:
                known.append(identifier.identify(request))
            except Refused as error:
                known.append(error)
        found = known[number]
        if isinstance(found, Refused):
            raise found
        if found is not None:
            note_caller(request, found.who, found.method, has_session=found.has_session)
        yield found


def _requirement(roles: frozenset[str], refusal: str) -> Callable[..., Caller]:
    """Return the dependency of handlers for callers with one of `roles`. It raises Refused for anybody else."""

    def required(request: Request, _scheme: Annotated[object, Depends(_documented)] = None) -> Caller:
        return required_caller(request, roles, refusal)

    return required


def required_caller(request: Request, roles: frozenset[str], refusal: str) -> Caller:
    """Return the caller, who has one of `roles`. Raises Refused for anybody else."""
    caller = find_caller(request, roles)
    if caller is None:
        raise Refused(401, NOT_AUTHENTICATED, {"WWW-Authenticate": CHALLENGE})
    _check_origin(request)
    if caller.roles.isdisjoint(roles):
        note_event(request.app.state.portal.clock(), FORBIDDEN, caller.who, caller.method, path=shown(request.url.path))
        raise Refused(403, refusal)
    return caller


def _check_origin(request: Request) -> None:
    origin = request.headers.get("origin")
    if request.method in _SAFE or origin is None:
        return
    settings: Settings = request.app.state.portal.settings
    own = {request.headers.get("host", "").lower(), _host(settings.url)} - {""}  # a reverse proxy may call the portal by another name than browsers
    if origin not in settings.origins and _host(origin) not in own:
        raise Refused(403, "The call comes from a page of another origin, which may not make it.")


def _host(address: str) -> str:
    """Return host and port of an address in small letters, or nothing."""
    try:
        return urlsplit(address).netloc.lower()
    except ValueError:
        return ""


Staff = Annotated[Caller, Depends(_requirement(SEES_ALL, "This is for administrators only."))]
"""Whoever sees all requests, as a parameter of a handler."""
Reviewer = Annotated[Caller, Depends(_requirement(DECIDES, "This is for reviewers only."))]
Operator = Annotated[Caller, Depends(_requirement(RETRIES, "This is for operators only."))]
Auditor = Annotated[Caller, Depends(_requirement(EXPORTS, "This is for auditors only."))]
Person = Annotated[Caller, Depends(_requirement(ASKS, "This is for people who are signed in with their address, and may ask for keys."))]
"""The person who calls."""
