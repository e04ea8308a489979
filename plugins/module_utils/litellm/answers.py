# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Reading an HTTP answer of LiteLLM or of something in front of it: its data, its message, and what it says about a key.

An answer is a `requests.Response`. LiteLLM's answers were measured on 1.102.4 and read in the source of 1.74.15 and 1.82.6
(`proxy/auth/user_api_key_auth.py`, `auth_exception_handler.py`).
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

_DATABASE_AWAY = (
    "can't reach database server",
    "database is temporarily unreachable",
    "all connection attempts failed",
    "server has closed the connection",
)
_FAILING_GATEWAYS = (502, 503, 504)  # from a proxy or a load balancer, whatever the body; LiteLLM sends 503 when its database is away

# LiteLLM's `error.type` for keys that it refuses, and for keys that it knows and cannot serve now.
_REFUSED = ("token_not_found_in_db", "expired_key")
_KNOWN = ("budget_exceeded", "throttling_error")
# LiteLLM answers most internal errors of its authentication with 401 and the type `auth_error`, so this type alone says nothing.
_REFUSED_IN_WORDS = ("invalid proxy server token passed", "key is blocked", "expired key")
_KNOWN_IN_WORDS = ("virtual key is not allowed", "not allowed to call this route", "not allowed to access this route")
_WITHOUT_KEY = ("no api key passed in", "malformed api key passed in")

_SHA256 = re.compile(r"\b[0-9a-f]{64}\b")


def succeeded(answer: Any) -> bool:
    """Return whether the call succeeded; `requests` itself counts a redirect as success, too."""
    return bool(200 <= answer.status_code < 300)


def body_of(answer: Any) -> Any:
    """Return the answer's JSON, parsed only once because it may be tens of megabytes. Raises ValueError."""
    if not hasattr(answer, "parsed"):
        answer.parsed = answer.json()
    return answer.parsed


def is_json(answer: Any) -> bool:
    try:
        body_of(answer)
    except ValueError:
        return False
    return True


def media_of(answer: Any) -> str:
    """Return what an answer that is not JSON consists of, in words."""
    name = answer.headers.get("Content-Type", "").split(";")[0]
    return "an HTML page" if name == "text/html" else f"content of type {name or 'unknown'}"


def message_of(answer: Any) -> str:
    """Return the message of a refusal, or an empty text.

    LiteLLM sends `{"error": {"message": ...}}` and `{"detail": ...}`, proxies `{"message": ...}`, or a title in `error` and the message beside it.
    """
    try:
        body = body_of(answer)
    except ValueError:
        return ""
    if not isinstance(body, dict):
        return ""
    found = body.get("error", body.get("detail", body.get("message", "")))
    while isinstance(found, dict):
        found = found.get("message", found.get("error", json.dumps(found)))
    words = found if isinstance(found, str) else json.dumps(found)
    beside = body.get("message", body.get("error_description"))
    return f"{words}: {beside}" if isinstance(beside, str) and beside != words else words


def database_away(answer: Any) -> bool:
    """Return whether LiteLLM has a database and cannot reach it now."""
    low = message_of(answer).lower()
    return any(words in low for words in _DATABASE_AWAY)


def without_key(answer: Any) -> bool:
    """Return whether LiteLLM found no key in the request, although every request has one: it reads keys from another header."""
    low = message_of(answer).lower()
    return answer.status_code == 401 and any(words in low for words in _WITHOUT_KEY)


def worth_another_try(answer: Any) -> bool:
    """Return whether the same call may succeed later."""
    if answer.status_code == 429:
        return "budget" not in message_of(answer).lower()  # retrying does not bring a spent budget back
    if answer.status_code < 400:
        return False
    return answer.status_code in _FAILING_GATEWAYS or database_away(answer) or (answer.status_code >= 500 and not is_json(answer))


def retry_after(answer: Any) -> float:
    """Return the seconds that a busy gateway asks callers to wait; 0 without a Retry-After in seconds."""
    try:
        return max(0.0, float(answer.headers.get("Retry-After", 0)))
    except ValueError:
        return 0.0


def accepts_key(answer: Any, key_value: str) -> bool | None:
    """Return whether the answer to `GET /models` shows that LiteLLM knows `key_value` (True) or refuses it (False); None if it shows neither.

    Only LiteLLM's own words count. A proxy in front of it answers 401 and 403 as well, and a LiteLLM that reads keys from
    another header answers 401 to every key. A key that is over its budget or its rate is known. LiteLLM up to 1.82 answers
    400 instead of 401 for an expired key, and 401 with the type `auth_error` to every key while its database is away.
    """
    if not is_json(answer) or not isinstance(body_of(answer), dict):
        return None
    if succeeded(answer):
        return True if isinstance(body_of(answer).get("data"), list) else None
    error, status, low = body_of(answer).get("error"), answer.status_code, message_of(answer).lower()
    kind = str(error.get("type") or "") if isinstance(error, dict) else ""
    hashes = _SHA256.findall(low)
    if hashes and hashlib.sha256(key_value.encode()).hexdigest() not in hashes:
        return None  # something in front of LiteLLM replaces the key
    if status in (400, 401) and kind in _REFUSED:
        return False
    if status == 401 and kind == "auth_error" and any(words in low for words in _REFUSED_IN_WORDS):
        return False
    if (status in (400, 429) and kind in _KNOWN) or (status in (401, 403) and kind.endswith("_access_denied")):
        return True
    return True if status == 403 and any(words in low for words in _KNOWN_IN_WORDS) else None
