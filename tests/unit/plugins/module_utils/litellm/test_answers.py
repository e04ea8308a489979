# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""What an answer says: its message, in LiteLLM's shapes and those of proxies, and whether LiteLLM knows a key."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
import requests
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.answers import accepts_key, message_of

VALUE = "sk-a-users-value-0123456789"
HASH = hashlib.sha256(VALUE.encode()).hexdigest()
UNKNOWN = "Authentication Error, Invalid proxy server token passed. Received API Key = sk-...6789, Key Hash (Token) ={}. Unable to find token in cache"


def answer(status: int, body: Any) -> requests.Response:
    found = requests.Response()
    found.status_code = status
    found._content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return found


def refused(status: int, kind: str, message: str = "no") -> requests.Response:
    return answer(status, {"error": {"message": message, "type": kind, "param": "None", "code": str(status)}})


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": {"message": "a", "type": "b"}}, "a"),
        ({"error": {"message": {"error": "a"}}}, "a"),
        ({"error": {"message": "{'error': 'a'}"}}, "{'error': 'a'}"),
        ({"detail": "a"}, "a"),
        ({"detail": {"error": "a"}}, "a"),
        ({"detail": [{"loc": ["query"], "msg": "a"}]}, '[{"loc": ["query"], "msg": "a"}]'),
        ({"message": "no healthy upstream"}, "no healthy upstream"),
        ({"statusCode": 503, "error": "Service Unavailable", "message": "upstream is away"}, "Service Unavailable: upstream is away"),
        ({"error": "invalid_token", "error_description": "expired"}, "invalid_token: expired"),
        ({"message": "a", "error": "a"}, "a"),
        ([1], ""),
        ("<html>", ""),
        ({}, ""),
    ],
    ids=str,
)
def test_the_message(body: Any, words: str) -> None:
    assert message_of(answer(500, body)) == words


ACCEPTED = [
    answer(200, {"data": [], "object": "list"}),
    answer(403, {"detail": "Virtual key is not allowed to call this route. Only allowed to call routes: []"}),
    refused(403, "auth_error", "Virtual key is not allowed to call this route. Only allowed to call routes: ['/chat']"),
    refused(429, "budget_exceeded"),
    refused(400, "budget_exceeded"),  # LiteLLM 1.82 and before
    refused(429, "throttling_error"),
    refused(403, "key_model_access_denied"),
    refused(401, "key_model_access_denied"),  # LiteLLM 1.82.6
]
REFUSED = [
    refused(401, "token_not_found_in_db", UNKNOWN.format(HASH)),
    refused(401, "token_not_found_in_db"),
    refused(401, "expired_key"),
    refused(400, "expired_key"),  # LiteLLM 1.82 and before
    refused(401, "auth_error", "Authentication Error, Key is blocked. Update via `/key/unblock` if you're an admin."),
    refused(401, "auth_error", "Authentication Error, Invalid proxy server token passed"),
]
NEITHER = [
    answer(200, "<html>Welcome</html>"),
    answer(200, {"status": "ok"}),
    answer(200, []),
    answer(401, "<html>Sign in</html>"),
    answer(401, ""),
    answer(401, {"message": "Unauthorized"}),
    answer(401, {"detail": "Unauthorized"}),
    answer(401, {"error": "Unauthorized"}),
    answer(401, {"error": {"message": "Unauthorized", "code": 401}}),
    refused(401, "auth_error", "Authentication Error, No api key passed in."),
    refused(401, "auth_error", "Authentication Error, Malformed API Key passed in. Ensure Key has `Bearer ` prefix."),
    refused(401, "auth_error", "Authentication Error, 'NoneType' object has no attribute 'get'"),
    refused(401, "token_not_found_in_db", UNKNOWN.format("f" * 64)),  # of another key, which a proxy sent instead
    refused(503, "no_db_connection"),
    refused(401, "auth_error", "Authentication Error, Can't reach database server at `127.0.0.1:5432`"),  # LiteLLM 1.82.6
    refused(500, "token_not_found_in_db"),
    answer(403, "<html>Blocked</html>"),
    answer(403, {"message": "Forbidden"}),
    answer(429, {"message": "API rate limit exceeded"}),
    answer(404, {"detail": "Not Found"}),
]


@pytest.mark.parametrize("found", ACCEPTED, ids=lambda found: f"{found.status_code} {found.text[:60]}")
def test_a_key_that_litellm_knows(found: requests.Response) -> None:
    assert accepts_key(found, VALUE) is True


@pytest.mark.parametrize("found", REFUSED, ids=lambda found: f"{found.status_code} {found.text[:60]}")
def test_a_key_that_litellm_refuses(found: requests.Response) -> None:
    assert accepts_key(found, VALUE) is False


@pytest.mark.parametrize("found", NEITHER, ids=lambda found: f"{found.status_code} {found.text[:60]}")
def test_an_answer_that_tells_nothing_about_the_key(found: requests.Response) -> None:
    assert accepts_key(found, VALUE) is None
