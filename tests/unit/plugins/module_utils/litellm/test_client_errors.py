# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Which error each refusal of LiteLLM becomes, and that no key is in its text."""

from __future__ import annotations

import json
import traceback

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm import errors
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.client import Client, Connection
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.scripted import Exchange, Reply, ScriptedGateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.plugins.module_utils.litellm.client_parts import (
    AUTH_DATABASE_AWAY,
    KEY,
    MODELS,
    NO_DATABASE,
    OK,
    client_of,
    refusal,
    unused_port,
)

# --------------------------------------------------------------------------------------------------------------- errors
UNKNOWN_KEY = (
    "Authentication Error, Invalid proxy server token passed. Received API Key = sk-...9999, Key Hash (Token) ="
    f"{'f' * 64}. Unable to find token in cache or `LiteLLM_VerificationTokenTable`"
)
ENTERPRISE_OFFER = (  # `not_premium_user` in LiteLLM 1.102.4, proxy/_types.py
    "You must be a LiteLLM Enterprise user to use this feature. If you have a license please set `LITELLM_LICENSE` in your env."
    " Get a 7 day trial key here: https://www.litellm.ai/enterprise#trial. \nPricing: https://www.litellm.ai/#pricing"
)
CASES: list[tuple[str, Reply, type[errors.GatewayError], str]] = [
    ("unknown key", refusal(UNKNOWN_KEY, "token_not_found_in_db", 401), errors.Unauthorized, "does not know the API key"),
    ("no key", refusal("Authentication Error, No api key passed in.", "auth_error", 401), errors.Unauthorized, "litellm_key_header_name"),
    (
        "another header",
        refusal("Authentication Error, Malformed API Key passed in. Ensure Key has `Bearer ` prefix.", "auth_error", 401),
        errors.Unauthorized,
        "found no API key in the header Authorization .*key_header_name",
    ),
    ("expired", refusal("Authentication Error - Expired Key.", "expired_key", 401), errors.Unauthorized, "API key"),
    (
        "virtual key generates",
        refusal(
            "Authentication Error, Only proxy admin can be used to generate, delete, update info for new keys",
            "auth_error",
            401,
        ),
        errors.NotAdmin,
        "may not manage keys",
    ),
    (
        "virtual key lists",
        refusal("You are not authorized to access this endpoint. No 'user_id' is associated with your API key.", status=403),
        errors.NotAdmin,
        "master key",
    ),
    (
        "user lists another's",
        refusal("You are not authorized to check another user's keys", status=403),
        errors.NotAdmin,
        "master key",
    ),
    (
        "route not allowed",
        Reply(
            status=403,
            json={"detail": "Virtual key is not allowed to call this route. Only allowed to call routes: []"},
        ),
        errors.NotAdmin,
        "Virtual key is not allowed",
    ),
    ("other 403", Reply(status=403, json={"detail": "No."}), errors.RefusedByRule, "^No .* forbids POST /key/generate with HTTP 403"),
    ("403 without words", Reply(status=403, json={}), errors.RefusedByRule, "no reason"),
    ("403 of a proxy", Reply(status=403, json={"message": "Forbidden by policy 7"}), errors.RefusedByRule, "^Forbidden by policy 7 "),
    (
        "custom_key_generate",
        refusal("Budget code missing", "auth_error", 403),
        errors.RefusedByRule,
        "^Budget code missing .*ask its admin",
    ),
    (
        "not in the team",
        refusal("User=u is not a member of the team=t. Check team members via `/team/info`.", "auth_error", 403),
        errors.RefusedByRule,
        "^User=u is not a member of the team=t.* add the user to the team, or rotate the key",
    ),
    ("not found", refusal("Key not found.", "not_found_error", 404), errors.NotFound, "Key not found"),
    ("no such route", Reply(status=404, json={"detail": "Not Found"}), errors.NotFound, "Not Found"),
    (
        "alias taken",
        refusal("Key with alias 'x' already exists. Unique key aliases across all keys are required."),
        errors.AliasTaken,
        "already exists",
    ),
    ("bad request", refusal("Invalid key_alias"), errors.Rejected, "rejects .*HTTP 400"),
    ("conflict", refusal("no", status=409), errors.Rejected, "HTTP 409"),
    (
        "validation",
        Reply(status=422, json={"detail": [{"loc": ["size"], "msg": "too big"}]}),
        errors.Rejected,
        "too big",
    ),
    (
        "enterprise 403",
        Reply(status=403, json={"detail": {"error": "This feature is only available for LiteLLM Enterprise users: tags"}}),
        errors.EnterpriseOnly,
        r"licence \(This feature is only available for LiteLLM Enterprise users: tags\); leave out what only that allows\.$",
    ),
    (
        "enterprise 500",
        refusal(f"Invalid model_max_budget: You must have an enterprise license to set model_max_budget. {ENTERPRISE_OFFER}", "internal_server_error", 500),
        errors.EnterpriseOnly,
        r"^POST /key/generate needs LiteLLM's enterprise licence \(to set model_max_budget\); leave out what only that allows\.$",
    ),
    (
        "enterprise offer",
        refusal(ENTERPRISE_OFFER, status=403),
        errors.EnterpriseOnly,
        r"^POST /key/generate needs LiteLLM's enterprise licence; leave out what only that allows\.$",
    ),
    (
        "own values",
        refusal("Custom API key values are disabled by your administrator.", status=403),
        errors.OwnValuesForbidden,
        "disable_custom_api_keys",
    ),
    ("no database", refusal("No connected db.", "no_db_connection", 400), errors.NoDatabase, "DATABASE_URL"),
    (
        "no database 500",
        refusal("Authentication Error, Database not connected", status=500),
        errors.NoDatabase,
        "DATABASE_URL",
    ),
    ("budget id", refusal("Internal Server Error.", "internal_server_error", 500), errors.ServerFailed, "see its log"),
]


@pytest.mark.parametrize(("reply", "kind", "words"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_permanent_failure_is_not_retried(reply: Reply, kind: type[errors.GatewayError], words: str, waits: list[float]) -> None:
    with ScriptedGateway(Exchange("POST", "/key/generate", reply=reply)) as gateway:
        with pytest.raises(errors.GatewayError, match=words) as caught:
            client_of(gateway.url, waits).post("/key/generate", {})
        assert caught.value.__class__ is kind
        assert gateway.url in str(caught.value) or kind in (errors.AliasTaken, errors.EnterpriseOnly)
    assert caught.value.status == reply.status
    assert waits == []
    assert "\n" not in str(caught.value)


PERSISTENT = [
    (refusal(NO_DATABASE, "internal_server_error", 500), errors.NoDatabase),
    (refusal(NO_DATABASE, "auth_error", 400), errors.NoDatabase),
    (refusal(AUTH_DATABASE_AWAY, "no_db_connection", 503), errors.NoDatabase),
    (refusal("slow down", "throttling_error", 429), errors.RateLimited),
    (Reply(status=503, text="<html>"), errors.ServerFailed),
    (Reply(status=502, json={"message": "An invalid response was received from the upstream server"}), errors.ServerFailed),
    (Reply(json={"keys": [1, 2, 3]}, cut=True), errors.Unreachable),
]


@pytest.mark.parametrize(("reply", "kind"), PERSISTENT, ids=str)
def test_a_failure_that_persists_becomes_an_error_of_its_kind(reply: Reply, kind: type[errors.GatewayError], waits: list[float]) -> None:
    with ScriptedGateway(*[Exchange("GET", "/key/list", reply=reply)] * 3) as gateway:
        with pytest.raises(errors.GatewayError) as caught:
            client_of(gateway.url, waits).get("/key/list")
        assert caught.value.__class__ is kind


@pytest.mark.parametrize(
    "reply",
    [
        Reply(text="<!DOCTYPE html><html>Sign in</html>"),
        Reply(text=""),
        Reply(status=404, text="<html>not here</html>"),
        Reply(status=400, text="<html>what?</html>"),
        Reply(status=403, text="<html>Request blocked</html>"),
        Reply(status=405, text="no"),
    ],
    ids=str,
)
def test_a_page_instead_of_json(reply: Reply, waits: list[float]) -> None:
    with ScriptedGateway(Exchange("GET", "/key/list", reply=reply)) as gateway:
        with pytest.raises(errors.NotLitellm, match="an HTML page instead of JSON; check that url is the address") as caught:
            client_of(gateway.url, waits).get("/key/list")
        assert "Sign in" not in str(caught.value)
    assert waits == []


# -------------------------------------------------------------------------------------------------------------- secrets
@pytest.mark.parametrize("key", [KEY, "a-master-key-without-the-usual-start"])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 429, 500, 502, 503])
def test_no_key_in_any_error(status: int, key: str) -> None:
    """The gateway may echo its caller's key or the value to be minted, in JSON or in a page."""
    minted = "sk-tobeminted0123456789"
    echo = f"LiteLLM Virtual Key expected. Received={key}, expected to start with 'sk-'. Body: {minted}"
    replies = [
        refusal(echo, status=status),
        Reply(status=status, json={"detail": {"a": [echo]}}),
        Reply(status=status, text=echo),
    ]
    for reply in replies:
        with ScriptedGateway(Exchange("POST", "/key/generate", reply=reply)) as gateway:
            client = Client(Connection(url=gateway.url, api_key=key, retries=0))
            with pytest.raises(errors.GatewayError) as caught:
                client.post("/key/generate", {"key": minted})
        shown = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value)) + repr(caught.value)
        assert key not in shown and minted not in shown


def test_no_key_in_the_errors_of_the_network() -> None:
    client = client_of(f"http://127.0.0.1:{unused_port()}", retries=0)
    for call in (lambda: client.post("/key/generate", {"key": KEY}), lambda: client.accepts(KEY)):
        with pytest.raises(errors.Unreachable) as caught:
            call()
        assert KEY not in "".join(traceback.format_exception(caught.value))


def test_no_key_is_in_a_url() -> None:
    with ScriptedGateway(Exchange("GET", "/models", reply=MODELS), Exchange("POST", "/key/generate", reply=OK)) as gateway:
        client = client_of(gateway.url)
        client.accepts("sk-some-value-0123456")
        client.post("/key/generate", {"key": "sk-some-value-0123456"})
        assert not any("sk-" in request.path + json.dumps(dict(request.query)) for request in gateway.requests)
