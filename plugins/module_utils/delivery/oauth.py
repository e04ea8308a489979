# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Access tokens for mail servers that take no passwords, such as Microsoft 365 and Gmail, by the SASL mechanism XOAUTH2.

A token is given, or fetched by one POST to a token endpoint (RFC 6749): section 4.4 for the credentials of a client (Microsoft 365), section
6 for a refresh token (Gmail). The libraries msal, google-auth and requests-oauthlib do that too, each for its vendor or with interactive
flows that a mailer has no use for, and each with three or more further requirements on every host that sends mail.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from .poster import NotPosted, PostAnswer, Poster, checked_secret_url, hidden

_PASSING = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class OAuth:
    """An access token, or how to fetch one. Raises ValueError for settings that cannot work."""

    token: str = field(default="", repr=False)
    token_url: str = ""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    scope: str = ""

    def __post_init__(self) -> None:
        if self.token and self.token_url:
            raise ValueError("both oauth_token and oauth_token_url are given; give the token, or the endpoint that gives one.")
        if not self.token and not self.token_url:
            raise ValueError("oauth_token_url is missing; give the endpoint that gives tokens, or an access token in oauth_token.")
        if self.token:
            _checked_token(self.token, "oauth_token")
            return
        checked_secret_url(self.token_url, "oauth_token_url")
        if not self.client_id:
            raise ValueError("oauth_client_id is missing; give the id of the client that is registered for sending mail.")
        if not self.client_secret and not self.refresh_token:
            raise ValueError("neither oauth_client_secret nor oauth_refresh_token is given; give what the endpoint gives a token for.")

    @property
    def secrets(self) -> set[str]:
        return {secret for secret in (self.token, self.client_secret, self.refresh_token) if secret}


class NoToken(Exception):
    """The endpoint gave no token. `again`: another try may help without anybody changing anything."""

    def __init__(self, reason: str, *, again: bool) -> None:
        super().__init__(reason)
        self.again = again


def fetch_token(oauth: OAuth, timeout: float) -> str:
    """Return a new access token from the endpoint. Raises NoToken."""
    form = {"grant_type": "refresh_token" if oauth.refresh_token else "client_credentials", "client_id": oauth.client_id}
    optional = {"client_secret": oauth.client_secret, "refresh_token": oauth.refresh_token, "scope": oauth.scope}
    form |= {name: value for name, value in optional.items() if value}
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    try:
        answer = Poster(timeout=timeout).post(oauth.token_url, urlencode(form).encode("ascii"), headers)
    except ValueError as error:
        raise NoToken(str(error).removesuffix("."), again=False) from None
    except NotPosted as error:
        raise NoToken(f"no access token for the mail server: {error}", again=error.again) from None
    return _token_in(oauth, answer)


def _token_in(oauth: OAuth, answer: PostAnswer) -> str:
    host = urlsplit(oauth.token_url).hostname
    try:
        fields = json.loads(answer.body)
    except (ValueError, RecursionError):
        fields = {}
    fields = fields if isinstance(fields, dict) else {}
    if answer.status != 200:
        words = " ".join(str(fields[name]) for name in ("error", "error_description") if isinstance(fields.get(name), str))
        shown = hidden(f"{answer.status} {words}".strip(), oauth.secrets)
        raise NoToken(f"no access token for the mail server: {host} answered {shown}", again=answer.status in _PASSING)
    token = fields.get("access_token")
    try:
        return _checked_token(token, "access_token")
    except ValueError:
        raise NoToken(f"no access token for the mail server: {host} answered without one that can be used", again=False) from None


def _checked_token(token: object, name: str) -> str:
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError(f"{name} holds a blank or a letter that no access token has; give the token alone.")
    return token
