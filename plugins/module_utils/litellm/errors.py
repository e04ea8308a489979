# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Errors of calls to a LiteLLM gateway.

Every error carries one sentence for people (`str(error)`: the thing, the cause, the next step), and for tests and
playbooks a `code` and the HTTP `status`.  No message ever contains a key: LiteLLM's own words pass through `redact` first.
"""

from __future__ import annotations

from typing import Any, Protocol

from ..common.printable import redact


class GatewayError(Exception):
    """Base class of all errors. `code` is stable; `status` is the HTTP status, or None if there was no answer."""

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
    """The API key is known but may not manage keys (HTTP 401 or 403 with a message that says so)."""

    code = "not_admin"


class RefusedByRule(GatewayError):
    """A rule of the gateway forbids the call, such as a team without the user, or its admin's own `custom_key_generate` (HTTP 403)."""

    code = "forbidden"


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
        """Return the same error with advice for those without a licence."""
        return EnterpriseOnly(f"{str(self).rstrip('.')}: {way}.", status=self.status, detail=self.detail)


class OwnValuesForbidden(GatewayError):
    """The gateway does not accept key values chosen by the caller (`disable_custom_api_keys`), so they cannot be derived."""

    code = "own_values_forbidden"


class RateLimited(GatewayError):
    """The gateway was busy (HTTP 429) at every try."""

    code = "rate_limited"


class NoDatabase(GatewayError):
    """The gateway runs without a database, or has lost it."""

    code = "no_database"


class ServerFailed(GatewayError):
    """Any other HTTP 5xx."""

    code = "server_failed"


class Inconclusive(GatewayError):
    """An answer to a call with a key that does not show whether LiteLLM accepts the key: it is not LiteLLM's own."""

    code = "inconclusive"


class OutOfTime(GatewayError):
    """The time for a piece of work was over before its turn came."""

    code = "out_of_time"


class Refused(GatewayError):
    """A condition is not met, so nothing was written. `code` names the condition."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(f"nothing was changed: {message}")
        self.code = code


class PartialResult(Protocol):
    """The work done before a failure, which can be shown as a module's result."""

    def to_result(self) -> dict[str, Any]:
        """Return what a module returns, without anything secret."""


class Incomplete(GatewayError):
    """Some of the writes failed; running again does the rest. `outcome` holds what was done."""

    code = "incomplete"

    def __init__(self, message: str, outcome: PartialResult) -> None:
        super().__init__(message)
        self.outcome = outcome


def not_litellm(base: str, call: str, wanted: str) -> NotLitellm:
    """Return the error for an answer to `call` (such as `GET /models`) from the gateway at `base` that is not `wanted`."""
    return NotLitellm(f"{base} answered {call} with something that is not {wanted}; check that url is the address of a LiteLLM gateway.")


HOPELESS = (Unreachable, TlsFailed, NoDatabase, Unauthorized, NotAdmin, OwnValuesForbidden)
"""After any of these, trying the remaining calls is pointless."""
