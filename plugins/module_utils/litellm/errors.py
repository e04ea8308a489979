# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What can go wrong between a module and a LiteLLM gateway.

Every error carries one sentence for people (`str(error)`: what, why, what to do next), and for tests and
playbooks a `code` and the HTTP `status`.  No message ever contains a key: LiteLLM's own words pass `redact` first.
"""

from __future__ import annotations

from typing import Any, Protocol

from ..common.printable import redact


class GatewayError(Exception):
    """Base of all. `code` is stable, `status` the HTTP status or None when there was no answer."""

    code = "gateway_error"

    def __init__(self, message: str, *, status: int | None = None, detail: str = "") -> None:
        super().__init__(redact(message))
        self.status = status
        self.detail = redact(detail)


class Unreachable(GatewayError):
    """No connection: name not found, refused, reset, timed out."""

    code = "unreachable"


class TlsFailed(GatewayError):
    """The certificate was not accepted."""

    code = "tls_failed"


class NotLitellm(GatewayError):
    """An answer that is not LiteLLM's: HTML, a redirect, JSON of another shape."""

    code = "not_litellm"


class Unauthorized(GatewayError):
    """The API key is unknown to the gateway (HTTP 401)."""

    code = "unauthorized"


class NotAdmin(GatewayError):
    """The API key is known, and may not manage keys (HTTP 401 or 403 with LiteLLM's words for it)."""

    code = "not_admin"


class NotFound(GatewayError):
    """LiteLLM does not have the object (HTTP 404)."""

    code = "not_found"


class AliasTaken(GatewayError):
    """Another key holds the alias (HTTP 400)."""

    code = "alias_taken"


class Rejected(GatewayError):
    """LiteLLM refuses the request as it is (HTTP 400, 409, 422)."""

    code = "rejected"


class EnterpriseOnly(GatewayError):
    """The feature needs LiteLLM's enterprise licence."""

    code = "enterprise_only"

    def with_free_way(self, way: str) -> EnterpriseOnly:
        """The same error, which tells what to do without a licence."""
        return EnterpriseOnly(f"{self}; without one leave out what only it allows ({way}).", status=self.status)


class OwnValuesForbidden(GatewayError):
    """The gateway takes no values of the caller's choice (`disable_custom_api_keys`), so none can be derived."""

    code = "own_values_forbidden"


class RateLimited(GatewayError):
    """The gateway is busy (HTTP 429), and stayed so for all tries."""

    code = "rate_limited"


class NoDatabase(GatewayError):
    """The gateway runs without a database, or has lost it."""

    code = "no_database"


class ServerFailed(GatewayError):
    """HTTP 5xx that is none of the above."""

    code = "server_failed"


class Refused(GatewayError):
    """Something stands in the way, and nothing was written. `code` says what."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(f"nothing was changed: {message}")
        self.code = code


class PartialResult(Protocol):
    """What was done before something failed, which can show itself as the result of a module."""

    def to_result(self) -> dict[str, Any]:
        """Return what a module returns, without anything secret."""


class Incomplete(GatewayError):
    """Some of the writes failed; running again does the rest. `outcome` is what was done."""

    code = "incomplete"

    def __init__(self, message: str, outcome: PartialResult) -> None:
        super().__init__(message)
        self.outcome = outcome


def not_litellm(base: str, call: str, wanted: str) -> NotLitellm:
    """Return the error for an answer to `call` (such as `GET /models`) from the gateway at `base` that does not hold what was `wanted`."""
    return NotLitellm(f"{base} answered {call} with something that is not {wanted}; check that url is the address of a LiteLLM gateway.")


HOPELESS = (Unreachable, TlsFailed, NoDatabase, Unauthorized, NotAdmin, OwnValuesForbidden)
"""After any of these, trying the remaining calls is pointless."""
