# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""`http`: ask a service. It receives POST {"email", "model", "request_id"} and answers {"decision": "APPROVE|DENY|CONTINUE"}.

REVIEW and PENDING are valid decisions too. A request for several models is asked about one model at a time: one DENY
denies, and only APPROVE for all approves. A missing or invalid answer means CONTINUE unless the chain gives `on_error`.
Redirects (307, 308) are followed only to the same scheme, host and port.
"""

from __future__ import annotations

import json
import queue
import random
import re
import ssl
import threading
import time
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from ...module_utils.common.printable import printable, quoted
from ...module_utils.common.transport import REQUESTS_ERROR, ending_within, mount, tls_context
from ...plugin_utils.approval.rule import ApprovalRule, Context, Decision, OptionError, Request, RuleUnavailable, Verdict
from ...plugin_utils.approval.sentences import Sentence, sentence

if REQUESTS_ERROR is None:
    import requests

LARGEST_ANSWER = 64 * 1024  # bytes
MOST_REDIRECTS = 3
# After this many tries in a row without an answer the service counts as down for the rest of the pass, so that 500
# requests do not each wait for it.
GIVE_UP_AFTER = 10

_PASSING = (429, 502, 503, 504)
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")
_WEAKEST_FIRST = (Decision.DENY, Decision.REVIEW, Decision.PENDING, Decision.CONTINUE, Decision.APPROVE)


class _Failure(Exception):
    """A try that brought no decision. `again`: another try may help. `silent`: the service did not answer at all."""

    def __init__(self, message: str, *, again: bool = False, silent: bool = False) -> None:
        super().__init__(message)
        self.again = again
        self.silent = silent


class Rule(ApprovalRule):
    OPTIONS = {
        "endpoint": {"type": "str", "required": True, "description": "The address. It must be https."},
        "timeout": {"type": "float", "default": 5.0, "description": "Seconds for one try. It bounds the look-up of the name and the whole answer."},
        "retries": {"type": "int", "default": 1, "description": "How often to try again after no answer, or the statuses 429, 502, 503 and 504."},
        "headers": {
            "type": "dict",
            "default": {},
            "no_log": True,
            "description": "Further headers, such as ``Authorization``. Their values are kept out of every output.",
        },
        "ca_path": {"type": "path", "description": "A file with the authorities to trust, in PEM format. By default, those that the machine trusts."},
        "allow_http": {"type": "bool", "default": False, "description": "Allow an ``endpoint`` without https."},
    }
    ON_ERROR = Decision.CONTINUE
    REMOTE = True

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        if REQUESTS_ERROR is not None:
            raise OptionError("endpoint", "cannot be asked, because the Python library requests is missing; install it beside ansible-core")
        self._origin = _origin(_checked_endpoint(options["endpoint"], options["allow_http"]))
        for name, low, high in (("timeout", 0.1, 300), ("retries", 0, 10)):
            if not low <= options[name] <= high:
                raise OptionError(name, f"is {options[name]}; give a number from {low} to {high}")
        if options["ca_path"] is not None and not Path(options["ca_path"]).is_file():
            raise OptionError("ca_path", f"is {options['ca_path']!r}, which is no file; give a file of certificates in PEM format")
        self._headers = _checked_headers(options["headers"])
        try:
            tls = tls_context(ca_path=options["ca_path"]) if self._origin.startswith("https:") else None
        except OSError as error:
            raise OptionError("ca_path", f"or REQUESTS_CA_BUNDLE names no certificates in PEM format ({error.strerror or error})") from None
        self._session = _session(tls)
        self._guard = threading.Lock()
        self._silent = 0

    def evaluate(self, request: Request, context: Context) -> Verdict:
        decisions: list[Decision] = []
        said: Sentence | None = None
        for model in request.models:
            decision, words = self._ask({"email": request.email, "model": model, "request_id": request.request_id})
            decisions.append(decision)
            answer = {"service": self._origin, "decision": decision, "model": model}
            said = sentence("service_answered_with", **answer, words=words) if words else sentence("service_answered", **answer)
            if decision is Decision.DENY:
                break
        decision = next(weak for weak in _WEAKEST_FIRST if weak in decisions)
        if len(decisions) > 1 and decision is not Decision.DENY:
            said = sentence("service_asked", service=self._origin, count=len(decisions), decision=decision)
        return Verdict(decision, said=said or (), matched=None if decision is Decision.CONTINUE else self._origin)

    # -------------------------------------------------------------------------------------------------------- one question
    def _ask(self, question: dict[str, str]) -> tuple[Decision, str]:
        tries = 1 + int(self.options["retries"])
        for attempt in range(1, tries + 1):
            if self._silent >= GIVE_UP_AFTER:
                raise RuleUnavailable(f"{self._origin} was not asked, as it gave no answer {self._silent} times in a row")
            try:
                answer = self._within(float(self.options["timeout"]), question)
            except _Failure as failure:
                self._note(failure.silent)
                if attempt == tries or not failure.again:
                    raise RuleUnavailable(f"{self._origin} {failure}") from None
            else:
                self._note(silent=False)
                return answer
            time.sleep(min(2.0, 0.2 * 2**attempt) * random.uniform(0.5, 1.0))  # noqa: S311 - only spreads the tries
        raise AssertionError("unreachable")

    def _note(self, silent: bool) -> None:
        with self._guard:
            self._silent = self._silent + 1 if silent else 0

    def _within(self, seconds: float, question: dict[str, str]) -> tuple[Decision, str]:
        """Return the answer, or raise _Failure after `seconds` at the latest.

        The timeouts of requests restart with every byte and exclude name resolution, so the try runs in a thread of its
        own, which is abandoned if it takes too long.
        """
        done: queue.SimpleQueue[tuple[Decision, str] | BaseException] = queue.SimpleQueue()

        def run() -> None:
            try:
                done.put(self._once(seconds, question))
            except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
                done.put(error)

        threading.Thread(target=run, name="approval-http", daemon=True).start()
        try:
            result = done.get(timeout=seconds)
        except queue.Empty:
            raise _Failure(f"gave no answer within {seconds:g} s", again=True, silent=True) from None
        if isinstance(result, BaseException):
            raise result
        return result

    def _once(self, seconds: float, question: dict[str, str]) -> tuple[Decision, str]:
        url = self.options["endpoint"]
        for _hop in range(MOST_REDIRECTS + 1):
            try:
                with (
                    ending_within(2 * seconds),  # ends the thread; by then nobody waits for it
                    self._session.post(
                        url,
                        data=json.dumps(question).encode(),
                        headers={"Content-Type": "application/json", "Accept": "application/json", "Accept-Encoding": "identity", **self._headers},
                        timeout=seconds,
                        stream=True,
                    ) as response,
                ):
                    if response.status_code not in (307, 308):
                        return _decision(response)
                    location = response.headers.get("Location", "")
            except requests.exceptions.SSLError:
                raise _Failure("has a certificate that is not trusted; name its authority in ca_path", silent=True) from None
            except requests.exceptions.Timeout:
                raise _Failure(f"gave no answer within {seconds:g} s", again=True, silent=True) from None
            except requests.exceptions.RequestException as error:
                raise _Failure(f"could not be asked: {_cause(error)}", again=True, silent=True) from None
            url = self._redirected(url, location)
        raise _Failure(f"redirects more than {MOST_REDIRECTS} times")

    def _redirected(self, url: str, location: str) -> str:
        try:
            target = urljoin(url, location)
            stays = _origin(target) == self._origin and urlsplit(target).username is None
        except ValueError:
            stays = False
        if not stays:
            raise _Failure("redirects to another host, which is not followed")
        return target


def _session(tls: ssl.SSLContext | None) -> requests.Session:
    class Session(requests.Session):
        """Ignores redirects: even with allow_redirects=False, requests would parse them and read their whole body."""

        def get_redirect_target(self, resp: requests.Response) -> None:
            return None

    session = Session()
    # An answer must not depend on cookies set for another request, or on a password in the controller's netrc file.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.auth = lambda request: request
    session.headers["User-Agent"] = "rhpds.litellm_virtual_keys"
    mount(session, tls, connections=64)
    return session


def _decision(response: requests.Response) -> tuple[Decision, str]:
    if response.status_code != 200:
        raise _Failure(f"answered with status {response.status_code}", again=response.status_code in _PASSING)
    body = b""
    for piece in response.iter_content(8192):
        body += piece
        if len(body) > LARGEST_ANSWER:
            raise _Failure(f"answered more than {LARGEST_ANSWER // 1024} KiB")
    try:
        answer = json.loads(body)
        decision = Decision.from_word(answer["decision"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _Failure(f"answered what is no decision: {quoted(body[:200].decode('utf-8', 'replace'))}") from None
    words = answer.get("reason")
    return decision, printable(words, 200) if isinstance(words, str) and words else ""


def _cause(error: BaseException) -> str:
    """Return the innermost cause of a library's error. The outer ones repeat the address with its query."""
    seen: BaseException | None = error
    while seen is not None:
        error, seen = seen, seen.__cause__ or seen.__context__
    plain = isinstance(error, OSError) and not isinstance(error, requests.exceptions.RequestException)
    return f"{type(error).__name__}: {printable(str(error), 120)}" if plain else type(error).__name__


def _checked_endpoint(endpoint: str, allow_http: bool) -> str:
    try:
        parts = urlsplit(endpoint)
        hostname, _port = parts.hostname, parts.port
    except ValueError:
        hostname, parts = None, SplitResult("", "", "", "", "")
    if parts.scheme not in ("http", "https") or not hostname or any(character.isspace() or not character.isprintable() for character in endpoint):
        raise OptionError("endpoint", "is not an address; give one such as https://approval.example.com/decide")
    if parts.username is not None or parts.password is not None:
        raise OptionError("endpoint", "holds a user name or password; put them into headers")
    if parts.scheme == "http" and not allow_http:
        raise OptionError("endpoint", f"is {_origin(endpoint)}, which is not https; use https, or set allow_http to true if the network is yours")
    return endpoint


def _checked_headers(headers: Mapping[str, Any]) -> dict[str, str]:
    for name, value in headers.items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise OptionError("headers", f"holds {quoted(name, 60)}, which is not the name of a header")
        if not isinstance(value, (str, int)) or not _HEADER_VALUE.fullmatch(str(value)):
            raise OptionError("headers", f"holds a value for {name} that is no text or has line breaks or non-ASCII characters")
    return {name: str(value) for name, value in headers.items()}


def _origin(url: str) -> str:
    """Return scheme, host and port, the part of an address that may be shown."""
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}.get(parts.scheme)
    port = parts.port or default
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}" + ("" if port == default else f":{port}")
