# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""HTTP to a LiteLLM gateway: one pooled session, bounded retries, answers as data or as one of our errors.

Every call except a call to a model, which costs money, is retried when the connection fails, when the gateway is busy
(429), when it reports that its database is away, and when something in front of it fails (502, 503, 504, or another 5xx that
is not JSON).  Retrying is safe because these calls may arrive twice: a key is minted with the caller's own value, updates
set absolute values, and deletions name what to delete.
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
from ..common.printable import quoted, redact
from ..common.transport import REQUESTS_ERROR, ending_within, new_session, tls_context
from . import answers, errors
from .capabilities import Capabilities

if REQUESTS_ERROR is None:
    import requests

LONGEST_WAIT = 30.0
LONGEST_CONNECT = 10.0
USUAL_KEY_HEADER = "Authorization"

Item = TypeVar("Item")
Returned = TypeVar("Returned")

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
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_ENTERPRISE = ("enterprise user", "enterprise license", "enterprise feature")
_ENTERPRISE_OFFER = re.compile(r"you must be a litellm enterprise user to use this feature", re.IGNORECASE)
_ENTERPRISE_NEED = re.compile(r"you must have an enterprise license (to .+)", re.IGNORECASE)


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
    key_header_name: str = USUAL_KEY_HEADER
    timeout: float = 30.0
    retries: int = 3
    retry_delay: float = 1.0
    parallel_calls: int = 8

    def __post_init__(self) -> None:
        gateway_address(self.url)
        if not _VISIBLE.fullmatch(self.api_key):
            raise ValueError("api_key is empty or holds a blank, a line break or a letter that no key has; give the gateway's master key.")
        if not _HEADER_NAME.fullmatch(self.key_header_name):
            raise ValueError(f"key_header_name is {quoted(self.key_header_name, 60)}, which cannot name an HTTP header; give one such as X-Litellm-Key.")
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

    def __init__(self, key: str, header: str) -> None:
        self._key, self._header = key, header

    def __call__(self, request: Any) -> Any:
        request.headers[self._header] = f"Bearer {self._key}"
        return request


class Client:
    """One gateway, one pooled session. Safe to use from several threads."""

    def __init__(
        self,
        connection: Connection,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.connection = connection
        self.calls = 0
        self.capabilities = Capabilities()
        self.sleep, self.clock = sleep, clock
        self._clock_offset = timedelta(0)
        self._hidden: list[str] = [connection.api_key]
        self._lock = threading.Lock()

    @functools.cached_property
    def _tls(self) -> ssl.SSLContext | None:
        """The TLS settings; None for a gateway without TLS. Raises TlsFailed for a file that cannot be used."""
        connection = self.connection
        if not connection.base.lower().startswith("https:"):
            return None
        try:
            return tls_context(
                validate_certs=connection.validate_certs, ca_path=connection.ca_path, client_cert=connection.client_cert, client_key=connection.client_key
            )
        except OSError as error:
            raise errors.TlsFailed(
                f"the certificates for {connection.base} cannot be used ({_cause(error)}); give PEM files that can be read in ca_path, client_cert"
                " and client_key, or in the environment variable REQUESTS_CA_BUNDLE."
            ) from None

    @functools.cached_property
    def _session(self) -> requests.Session:
        return self._new_session(self.connection.api_key, self.connection.parallel_calls)

    def _new_session(self, key: str, connections: int = 1) -> requests.Session:
        session = new_session(self._tls, connections=connections)
        session.auth = _Bearer(key, self.connection.key_header_name)
        session.headers["User-Agent"] = "rhpds.litellm_virtual_keys"
        return session

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

    def accepts(self, key_value: str, *, until: float | None = None) -> bool:
        """Return whether the gateway accepts `key_value` for a call, asked over a new connection.

        Workers and replicas cache a key for up to a minute, and a new connection may reach a different one. Nothing is sent
        and no try is begun after `until`, a time of `clock`. Raises OutOfTime then, and Inconclusive for an answer
        that is not LiteLLM's own.
        """
        what = "GET /models"
        with self._new_session(key_value) as session:
            answer = self._try(
                lambda: self._send(session, "GET", "/models", None, None, until),
                what,
                again=lambda found: answers.accepts_key(found, key_value) is None and answers.worth_another_try(found),
                until=until,
            )
        accepted = answers.accepts_key(answer, key_value)
        if accepted is None:
            raise self._inconclusive(answer, what, key_value)
        return accepted

    def _inconclusive(self, answer: Any, what: str, key_value: str) -> errors.GatewayError:
        """Return the error for an answer to a call with `key_value` that tells nothing about that key."""
        text = redact(self._without_secrets(answers.message_of(answer)).replace(key_value, "***"))[:300]
        if answer.status_code not in (200, 401, 403) or self._error_by_message(answer, what, text):
            return self._error(answer, what)
        seen = f"HTTP {answer.status_code} and {text or answers.media_of(answer)}"
        return errors.Inconclusive(
            f"{self.connection.base} answered {what} with {seen}, which is not LiteLLM's own answer to a key; see what stands in front of the gateway.",
            status=answer.status_code,
        )

    def post_as(self, key_value: str, path: str, body: Mapping[str, Any]) -> Answer:
        """Return the gateway's answer to a POST by the holder of `key_value`, sent once over a new connection. Raises Unreachable or TlsFailed."""
        with self._new_session(key_value) as session:
            started = time.monotonic()
            answer = self._try(lambda: self._send(session, "POST", path, None, body), f"POST {path}", tries=1)
        refused = not answers.succeeded(answer)
        words = redact(answers.message_of(answer).replace(key_value, "***") or answers.media_of(answer))[:300] if refused else ""
        return Answer(answer.status_code, words, time.monotonic() - started)

    def now(self) -> datetime:
        """Return the gateway's time, from the Date header of its last answer."""
        return datetime.now(UTC) + self._clock_offset

    def each(
        self,
        work: Callable[[Item], Returned],
        items: Iterable[Item],
        *,
        hopeless: tuple[type[errors.GatewayError], ...] = errors.HOPELESS,
    ) -> list[Returned | errors.GatewayError]:
        """Return the result of `work` for every item, `parallel_calls` at a time; a GatewayError takes the place of a result.

        After an error of a kind in `hopeless`, which makes the rest pointless, items not yet begun get that error untried.
        """
        first: list[errors.GatewayError] = []

        def attempt(item: Item) -> Returned | errors.GatewayError:
            if first:
                return first[0]
            try:
                return work(item)
            except errors.GatewayError as error:
                if isinstance(error, hopeless):
                    first.append(error)
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
        if "_session" in vars(self):
            self._session.close()

    def _call(self, method: str, path: str, params: Mapping[str, Any] | None = None, body: Mapping[str, Any] | None = None) -> Any:
        what = f"{method} {path}"
        session = self._session
        answer = self._try(lambda: self._send(session, method, path, params, body), what)
        if not answers.succeeded(answer):
            raise self._error(answer, what)
        try:
            return answers.body_of(answer)
        except ValueError:
            raise errors.NotLitellm(
                f"{self.connection.base} answered {what} with {answers.media_of(answer)} instead of JSON; check that url is the address of a LiteLLM gateway.",
                status=answer.status_code,
            ) from None

    def _try(
        self,
        send: Callable[[], Any],
        what: str,
        *,
        tries: int = 0,
        again: Callable[[Any], bool] = answers.worth_another_try,
        until: float | None = None,
    ) -> Any:
        """Call `send` until its answer is not worth another try (`again`), and return the last answer. Raises TlsFailed or Unreachable.

        `tries` overrides the connection's number of tries. No try begins after `until`.
        """
        tries = tries or self.connection.retries + 1
        for number in range(1, tries + 1):
            wait = min(LONGEST_WAIT, self.connection.retry_delay * 2 ** (number - 1)) * random.uniform(0.5, 1.0)  # noqa: S311 - spreads callers out, protects nothing
            last = number == tries or (until is not None and self.clock() + wait >= until)
            try:
                answer = send()
                if last or not again(answer):
                    return answer
                wait = max(wait, answers.retry_after(answer))
                if wait > LONGEST_WAIT or (until is not None and self.clock() + wait >= until):
                    return answer
            except requests.exceptions.SSLError as error:
                raise errors.TlsFailed(
                    f"no TLS connection to {self.connection.base}: {_cause(error)}; give the certificate of its authority in ca_path."
                ) from None
            except requests.exceptions.RequestException as error:
                if last:
                    raise errors.Unreachable(
                        f"no answer from {self.connection.base} to {what} after {number} {'tries' if number > 1 else 'try'}: {_cause(error)};"
                        " check the address and that the gateway runs."
                    ) from None
            self.sleep(wait)
        raise AssertionError("unreachable")

    def _send(
        self,
        session: requests.Session,
        method: str,
        path: str,
        params: Mapping[str, Any] | None,
        body: Mapping[str, Any] | None,
        until: float | None = None,
    ) -> Any:
        """Return the answer to one exchange, which ends within the connection's `timeout` and at `until`. Raises OutOfTime if that has passed."""
        seconds = self.connection.timeout if until is None else min(self.connection.timeout, until - self.clock())
        if seconds <= 0:
            raise errors.OutOfTime(f"the time for {method} {path} on {self.connection.base} is over; run again, or allow more time.")
        with self._lock:
            self.calls += 1
        sent = datetime.now(UTC)
        with ending_within(seconds):
            answer = session.request(
                method,
                self.connection.base + path,
                params=params,
                json=body,
                timeout=(min(LONGEST_CONNECT, seconds), seconds),
                verify=session.verify,
                allow_redirects=False,
            )
        self._read_clock(answer, sent)
        if answers.succeeded(answer) and "json" in answer.headers.get("Content-Type", "") and not answers.is_json(answer):
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
        text = redact(self._without_secrets(answers.message_of(answer)))[:300]
        kind, message = self._error_by_message(answer, what, text) or self._error_by_status(answer, what, text)
        return kind(message, status=answer.status_code, detail=text)

    def _error_by_message(self, answer: Any, what: str, text: str) -> tuple[type[errors.GatewayError], str] | None:
        """Return the error that LiteLLM's message names, whatever the status; None if it names none. `text` is the message to show."""
        base, status = self.connection.base, answer.status_code
        low = answers.message_of(answer).lower()
        if answers.database_away(answer) or any(words in low for words in _NO_DATABASE):
            return errors.NoDatabase, f"the gateway at {base} has no working database ({what}: {text}); see to its DATABASE_URL and to PostgreSQL."
        if "custom api key values are disabled" in low:
            return (
                errors.OwnValuesForbidden,
                f"the gateway at {base} takes no key values of the caller's choice; switch disable_custom_api_keys off in its UI settings.",
            )
        if any(words in low for words in _ENTERPRISE):
            feature = _feature_in(text)
            return errors.EnterpriseOnly, f"{what} needs LiteLLM's enterprise licence{feature and f' ({feature})'}; leave out what only that allows."
        if any(words in low for words in _NOT_ADMIN):
            return errors.NotAdmin, f"the API key may not manage keys on {base} ({what}: {text}); give the master key or an admin's key."
        if answers.without_key(answer):
            seen = f"the gateway at {base} found no API key in the header {self.connection.key_header_name} ({what}: HTTP 401)"
            return errors.Unauthorized, f"{seen}; give the litellm_key_header_name of its general_settings in key_header_name."
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
        if not answers.is_json(answer):
            hint = "check that url is the address of a LiteLLM gateway and that it runs."
            kind = errors.NotLitellm if status < 500 else errors.ServerFailed
            return kind, f"{base} answered {what} with HTTP {status} and {answers.media_of(answer)} instead of JSON; {hint}"
        if status == 403:
            reason = text.rstrip(". ") or "the gateway gives no reason"
            return errors.RefusedByRule, f"{reason} ({base} forbids {what} with HTTP 403); {_way_out(text)}."
        if status == 404:
            return errors.NotFound, f"{base} does not have what {what} asks for: {text}"
        if status == 429:
            return errors.RateLimited, f"the gateway at {base} is too busy for {what}: {text}; run again later, or with fewer parallel_calls."
        if status < 500:
            return errors.Rejected, f"the gateway at {base} rejects {what} (HTTP {status}): {text}"
        return errors.ServerFailed, f"the gateway at {base} failed at {what} (HTTP {status}): {text}; see its log, then run again."


def _feature_in(text: str) -> str:
    """Return what LiteLLM says of a feature that needs its enterprise licence, without the offer to buy one; '' if it says nothing else."""
    first = text.split(". ", maxsplit=1)[0].strip(" .")
    need = _ENTERPRISE_NEED.search(first)
    return need[1] if need else _ENTERPRISE_OFFER.sub("", first).strip(" .,:")


def _way_out(text: str) -> str:
    """Return what to do about a refusal by a rule of the gateway, which LiteLLM explains in `text`."""
    if "not a member of the team" in text:
        return "add the user to the team, or rotate the key, because a new key may belong to any team"
    return "this is a rule of the gateway, so change what is asked for, or ask its admin"


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
