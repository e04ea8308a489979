# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""HTTP to a LiteLLM gateway: one pooled session, bounded retries, answers as data or as one of our errors.

Every call except a call to a model, which costs money, is retried when the connection fails, when the gateway is busy
(429), when it reports that its database is away, and when something in front of it fails (5xx that is not JSON).  Retrying
is safe because these calls may arrive twice: a key is minted with the caller's own value, updates set absolute values, and
deletions name what to delete.  LiteLLM's answers were measured on 1.102.4.
"""

from __future__ import annotations

import email.utils
import functools
import json
import random
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from ..common.address import gateway_address
from ..common.printable import redact
from . import errors

try:
    import requests
    from requests.adapters import HTTPAdapter

    REQUESTS_ERROR: ImportError | None = None
except ImportError as error:
    REQUESTS_ERROR = error

LONGEST_WAIT = 30.0

Item = TypeVar("Item")
Returned = TypeVar("Returned")

_DATABASE_AWAY = (
    "can't reach database server",
    "database is temporarily unreachable",
    "all connection attempts failed",
    "server has closed the connection",
)
_NO_DATABASE = ("no connected db", "database not connected", "db not connected")
_NOT_ADMIN = (
    "only proxy admin",
    "not allowed to call this route",
    "not authorized to access this endpoint",
    "not allowed to access this route",
    "not authorized to check another user",
    "only admin users",
)
_VISIBLE = re.compile(r"[!-~]+")  # ASCII without spaces and control characters
_ENTERPRISE = ("enterprise user", "enterprise license", "enterprise feature")


@dataclass(frozen=True)
class Answer:
    """The gateway's answer to a call by a key's holder: the HTTP status, LiteLLM's message if it refused, and the seconds it took."""

    status: int
    words: str
    seconds: float

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


@dataclass(frozen=True)
class Connection:
    """How to reach a gateway. Times are in seconds; `retries` counts the tries after the first; see doc fragment `gateway`."""

    url: str
    api_key: str
    validate_certs: bool = True
    ca_path: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    timeout: float = 30.0
    retries: int = 3
    retry_delay: float = 1.0
    parallel_calls: int = 8

    def __post_init__(self) -> None:
        gateway_address(self.url)
        if not _VISIBLE.fullmatch(self.api_key):
            raise ValueError("api_key is empty or holds a blank, a line break or a letter that no key has; give the gateway's master key.")
        for name, low, high in (
            ("timeout", 0.1, 3600),
            ("retries", 0, 20),
            ("retry_delay", 0, 60),
            ("parallel_calls", 1, 64),
        ):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} is {getattr(self, name)}; give a number from {low} to {high}.")

    @functools.cached_property
    def base(self) -> str:
        """The gateway's address without a slash or `/v1` at its end."""
        return gateway_address(self.url)


class _Bearer:
    """Authorization that neither a netrc file nor a redirect can replace."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: Any) -> Any:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request


class Client:
    """One gateway, one pooled session. Safe to use from several threads."""

    def __init__(self, connection: Connection, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.connection = connection
        self.calls = 0
        self._sleep = sleep
        self._clock_offset = timedelta(0)
        self._hidden: list[str] = [connection.api_key]
        self._lock = threading.Lock()
        self._session = requests.Session()
        self._session.auth = _Bearer(connection.api_key)
        self._session.headers["User-Agent"] = "rhpds.litellm_virtual_keys"
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=connection.parallel_calls)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """Return the JSON that a GET answers. Raises GatewayError."""
        return self._call("GET", path, params=params)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Return the JSON that a POST answers. The POST may arrive twice. Raises GatewayError."""
        return self._call("POST", path, body=body)

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """Return the JSON that a PATCH answers. The PATCH may arrive twice. Raises GatewayError."""
        return self._call("PATCH", path, body=body)

    def delete(self, path: str) -> Any:
        """Return the JSON that a DELETE answers. Raises GatewayError, and NotFound if the object is already gone."""
        return self._call("DELETE", path)

    def hide(self, secrets: Iterable[str]) -> None:
        """Keep `secrets` out of every message: LiteLLM's errors repeat the request that it rejected, with everything in it."""
        found = {form for secret in secrets for form in (secret, json.dumps(secret)[1:-1], repr(secret)[1:-1]) if len(form) > 2}
        self._hidden = sorted({*self._hidden, *found}, key=len, reverse=True)

    def accepts(self, key_value: str) -> bool:
        """Return whether the gateway accepts `key_value` for a call, asked over a new connection.

        Workers and replicas cache a key for up to a minute, and a new connection may reach a different one.
        """
        with requests.Session() as session:
            session.auth = _Bearer(key_value)
            answer = self._try(lambda: self._send(session, "GET", "/models", None, None), "GET /models")
        if answer.status_code == 401:
            return False
        if _succeeded(answer) or answer.status_code in (403, 429):
            return True  # 403, 429: the key is known, but not allowed on this route or at this moment
        raise self._error(answer, "GET /models")

    def post_as(self, key_value: str, path: str, body: Mapping[str, Any]) -> Answer:
        """Return the gateway's answer to a POST by the holder of `key_value`, sent once over a new connection. Raises Unreachable or TlsFailed."""
        with requests.Session() as session:
            session.auth = _Bearer(key_value)
            started = time.monotonic()
            answer = self._try(lambda: self._send(session, "POST", path, None, body), f"POST {path}", tries=1)
        words = "" if _succeeded(answer) else redact(_message_of(answer).replace(key_value, "***") or _kind(answer))[:300]
        return Answer(answer.status_code, words, time.monotonic() - started)

    def now(self) -> datetime:
        """Return the gateway's time, from the Date header of its last answer."""
        return datetime.now(UTC) + self._clock_offset

    def each(self, work: Callable[[Item], Returned], items: Iterable[Item]) -> list[Returned | errors.GatewayError]:
        """Return the result of `work` for every item, `parallel_calls` at a time; a GatewayError takes the place of a result.

        After an error that makes the rest pointless (`errors.HOPELESS`), items not yet begun get that error untried.
        """
        hopeless: list[errors.GatewayError] = []

        def attempt(item: Item) -> Returned | errors.GatewayError:
            if hopeless:
                return hopeless[0]
            try:
                return work(item)
            except errors.GatewayError as error:
                if isinstance(error, errors.HOPELESS):
                    hopeless.append(error)
                return error

        with ThreadPoolExecutor(self.connection.parallel_calls) as pool:
            return list(pool.map(attempt, items))

    def all(self, work: Callable[[Item], Returned], items: Iterable[Item]) -> list[Returned]:
        """Return the result of `work` for every item, as `each` does. Raises the first GatewayError, after all items were tried."""
        results: list[Returned] = []
        for result in self.each(work, items):
            if isinstance(result, errors.GatewayError):
                raise result
            results.append(result)
        return results

    def close(self) -> None:
        self._session.close()

    def _call(self, method: str, path: str, params: Mapping[str, Any] | None = None, body: Mapping[str, Any] | None = None) -> Any:
        what = f"{method} {path}"
        answer = self._try(lambda: self._send(self._session, method, path, params, body), what)
        if not _succeeded(answer):
            raise self._error(answer, what)
        try:
            return _body(answer)
        except ValueError:
            raise errors.NotLitellm(
                f"{self.connection.base} answered {what} with {_kind(answer)} instead of JSON; check that url is the address of a LiteLLM gateway.",
                status=answer.status_code,
            ) from None

    def _try(self, send: Callable[[], Any], what: str, tries: int = 0) -> Any:
        """Call `send` until its answer is not worth another try, and return the last answer. Raises TlsFailed or Unreachable.

        `tries` overrides the connection's number of tries.
        """
        tries = tries or self.connection.retries + 1
        for number in range(1, tries + 1):
            wait = min(LONGEST_WAIT, self.connection.retry_delay * 2 ** (number - 1)) * random.uniform(0.5, 1.0)  # noqa: S311 - spreads callers out, protects nothing
            try:
                answer = send()
                if number == tries or not _worth_another_try(answer):
                    return answer
                wait = max(wait, _retry_after(answer))
                if wait > LONGEST_WAIT:
                    return answer
            except requests.exceptions.SSLError as error:
                raise errors.TlsFailed(
                    f"no TLS connection to {self.connection.base}: {_cause(error)}; give the certificate of its authority in ca_path."
                ) from None
            except requests.exceptions.RequestException as error:
                if number == tries:
                    raise errors.Unreachable(
                        f"no answer from {self.connection.base} to {what} after {tries} {'tries' if tries > 1 else 'try'}: {_cause(error)};"
                        " check the address and that the gateway runs."
                    ) from None
            self._sleep(wait)
        raise AssertionError("unreachable")

    def _send(self, session: Any, method: str, path: str, params: Mapping[str, Any] | None, body: Mapping[str, Any] | None) -> Any:
        connection = self.connection
        with self._lock:
            self.calls += 1
        sent = datetime.now(UTC)
        answer = session.request(
            method,
            connection.base + path,
            params=params,
            json=body,
            timeout=(min(10.0, connection.timeout), connection.timeout),
            verify=(connection.ca_path or True) if connection.validate_certs else False,
            cert=((connection.client_cert, connection.client_key) if connection.client_key else connection.client_cert),
            allow_redirects=False,
        )
        self._read_clock(answer, sent)
        if _succeeded(answer) and "json" in answer.headers.get("Content-Type", "") and not _is_json(answer):
            raise requests.exceptions.ChunkedEncodingError("the answer was cut off")
        return answer

    def _read_clock(self, answer: Any, sent: datetime) -> None:
        try:
            date = email.utils.parsedate_to_datetime(answer.headers["Date"])
        except (KeyError, ValueError):
            return
        # The header names a whole second and the answer took a moment: the middle of both is the best guess.
        middle = sent + (datetime.now(UTC) - sent) / 2
        offset = date.replace(tzinfo=date.tzinfo or UTC) + timedelta(seconds=0.5) - middle
        self._clock_offset = offset if abs(offset) > timedelta(seconds=2) else timedelta(0)

    def _without_secrets(self, words: str) -> str:
        for secret in self._hidden:
            words = words.replace(secret, "***")
        return words

    def _error(self, answer: Any, what: str) -> errors.GatewayError:
        """Return the error that an answer to the call `what` (such as `GET /models`) means: by LiteLLM's message, or else by the HTTP status."""
        text = redact(self._without_secrets(_message_of(answer)))[:300]
        kind, message = self._error_by_message(answer, what, text) or self._error_by_status(answer, what, text)
        return kind(message, status=answer.status_code, detail=text)

    def _error_by_message(self, answer: Any, what: str, text: str) -> tuple[type[errors.GatewayError], str] | None:
        """Return the error that LiteLLM's message names, whatever the status; None if it names none. `text` is the message to show."""
        base, status = self.connection.base, answer.status_code
        low = _message_of(answer).lower()
        if _database_away(answer) or any(words in low for words in _NO_DATABASE):
            return errors.NoDatabase, f"the gateway at {base} has no working database ({what}: {text}); see to its DATABASE_URL and to PostgreSQL."
        if "custom api key values are disabled" in low:
            return (
                errors.OwnValuesForbidden,
                f"the gateway at {base} takes no key values of the caller's choice; switch disable_custom_api_keys off in its UI settings.",
            )
        if any(words in low for words in _ENTERPRISE):
            return errors.EnterpriseOnly, f"{what} needs LiteLLM's enterprise licence: {text}"
        if any(words in low for words in _NOT_ADMIN):
            return errors.NotAdmin, f"the API key may not manage keys on {base} ({what}: {text}); give the master key or an admin's key."
        if status == 400 and "already exists" in low and "alias" in low:
            return errors.AliasTaken, f"{what}: {text}"
        return None

    def _error_by_status(self, answer: Any, what: str, text: str) -> tuple[type[errors.GatewayError], str]:
        """Return the error that the HTTP status means. `text` is LiteLLM's message to show."""
        base, status = self.connection.base, answer.status_code
        if 300 <= status < 400:
            return errors.NotLitellm, f"{base} redirects {what} to {answer.headers.get('Location', 'nowhere')}; give the final address in url."
        if status == 401:
            return errors.Unauthorized, f"the gateway at {base} does not know the API key ({what}: HTTP 401); check litellm_master_key or api_key."
        if status == 403:
            return errors.NotAdmin, f"the API key may not do {what} on {base}: {text}; give the master key or an admin's key."
        if not _is_json(answer):
            hint = "check that url is the address of a LiteLLM gateway and that it runs."
            kind = errors.NotLitellm if status < 500 else errors.ServerFailed
            return kind, f"{base} answered {what} with HTTP {status} and {_kind(answer)} instead of JSON; {hint}"
        if status == 404:
            return errors.NotFound, f"{base} does not have what {what} asks for: {text}"
        if status == 429:
            return errors.RateLimited, f"the gateway at {base} is too busy for {what}: {text}; run again later, or with fewer parallel_calls."
        if status < 500:
            return errors.Rejected, f"the gateway at {base} rejects {what} (HTTP {status}): {text}"
        return errors.ServerFailed, f"the gateway at {base} failed at {what} (HTTP {status}): {text}; see its log, then run again."


def _worth_another_try(answer: Any) -> bool:
    if answer.status_code == 429:
        return "budget" not in _message_of(answer).lower()  # retrying does not bring a spent budget back
    if answer.status_code < 400:
        return False
    return _database_away(answer) or (answer.status_code >= 500 and not _is_json(answer))


def _succeeded(answer: Any) -> bool:
    """Return whether the call succeeded; `requests` itself counts a redirect as success, too."""
    return bool(200 <= answer.status_code < 300)


def _database_away(answer: Any) -> bool:
    low = _message_of(answer).lower()
    return any(words in low for words in _DATABASE_AWAY)


def _retry_after(answer: Any) -> float:
    """Return the seconds that a busy gateway asks callers to wait; 0 without a Retry-After in seconds."""
    try:
        return max(0.0, float(answer.headers.get("Retry-After", 0)))
    except ValueError:
        return 0.0


def _body(answer: Any) -> Any:
    """Return the answer's JSON, parsed only once because it may be tens of megabytes. Raises ValueError."""
    if not hasattr(answer, "parsed"):
        answer.parsed = answer.json()
    return answer.parsed


def _is_json(answer: Any) -> bool:
    try:
        _body(answer)
    except ValueError:
        return False
    return True


def _kind(answer: Any) -> str:
    name = answer.headers.get("Content-Type", "").split(";")[0]
    return "an HTML page" if name == "text/html" else f"content of type {name or 'unknown'}"


def _message_of(answer: Any) -> str:
    """Return LiteLLM's own message, from the shapes it uses: `{"error": {"message": ...}}` and `{"detail": ...}`."""
    try:
        body = _body(answer)
    except ValueError:
        return ""
    if not isinstance(body, dict):
        return ""
    found = body.get("error", body.get("detail", ""))
    while isinstance(found, dict):
        found = found.get("message", found.get("error", json.dumps(found)))
    return found if isinstance(found, str) else json.dumps(found)


def _cause(error: BaseException) -> str:
    """Return the innermost reason of a requests error, without memory addresses of objects."""
    seen: BaseException = error
    while True:
        inner = getattr(seen, "reason", None) or seen.__cause__ or seen.__context__
        if not isinstance(inner, BaseException) or inner is seen:
            break
        seen = inner
    if isinstance(seen, ssl.SSLError):
        return f"{getattr(seen, 'verify_message', '') or seen.reason or seen}"
    if isinstance(seen, OSError) and seen.strerror:
        return seen.strerror
    return redact(str(seen) or type(seen).__name__)
