# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""POST to addresses that are secrets themselves, such as webhooks, over https, with an answer in time and nothing secret in errors or logs."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from urllib.parse import parse_qsl, unquote, urlsplit

from ..common.address import is_address, is_safe_endpoint
from ..common.printable import printable, redact
from ..common.transport import REQUESTS_ERROR, ending_within, mount, tls_context

if REQUESTS_ERROR is None:
    import requests
    import urllib3

LARGEST_ANSWER = 64 * 1024  # bytes
_SHORTEST_SECRET = 6
_posting = threading.local()


@dataclass(frozen=True)
class PostAnswer:
    """The answer to a POST. `retry_after` is in seconds, 0 if the server does not say."""

    status: int
    body: bytes
    retry_after: float = 0.0


class NotPosted(Exception):
    """There is no answer. The text begins with the host. `again`: another try may help without anybody changing anything."""

    def __init__(self, reason: str, *, again: bool) -> None:
        super().__init__(reason)
        self.again = again


def checked_secret_url(url: object, name: str, *, allow_unencrypted: bool = False) -> str:
    """Return an https address, or an http address of this host. Raises ValueError, which never shows the address."""
    if not isinstance(url, str) or not is_address(url) or urlsplit(url).username is not None or "#" in url:
        raise ValueError(f"{name} is not the https address of a service; give one such as https://hooks.example.com/services/....")
    if not allow_unencrypted and not is_safe_endpoint(url):
        raise ValueError(f"{name} is an address without encryption, and everybody on the way would read it; give the https address.")
    return url


def secrets_of_url(url: str) -> set[str]:
    """Return what must not be shown of an address: all but its scheme and host."""
    parts = urlsplit(url)
    pieces = {url, parts.path, parts.query, *parts.path.split("/"), *(value for _name, value in parse_qsl(parts.query))}
    return {form for piece in pieces for form in (piece, unquote(piece)) if len(form) >= _SHORTEST_SECRET}


def hidden(text: str, secrets: Iterable[str]) -> str:
    """Return `text` without the secrets and without what looks like a key, on one line."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return printable(redact(text), 300)


class Poster:
    """Sends POSTs. Redirects, cookies and the netrc file are ignored, the proxies of the environment are used."""

    def __init__(self, *, timeout: float = 30.0, ca_path: str | None = None) -> None:
        """Raises ValueError if the library requests is missing, or if the authorities cannot be read."""
        if REQUESTS_ERROR is not None:
            raise ValueError("the Python library requests, which sends the calls, is missing on this host; install it.")
        self.timeout = timeout
        try:
            tls = tls_context(ca_path=ca_path)
        except OSError as error:
            raise ValueError(f"ca_path or REQUESTS_CA_BUNDLE names no certificates in PEM format ({error.strerror or error}); correct it.") from None
        self._session = _PlainSession()
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.auth = lambda request: request  # otherwise requests would look into the netrc file
        self._session.headers["User-Agent"] = "rhpds.litellm_virtual_keys"
        mount(self._session, tls, connections=1)

    def post(self, url: str, content: bytes, headers: Mapping[str, str]) -> PostAnswer:
        """Return the answer to one POST, within `timeout` seconds after the connection. Raises NotPosted."""
        host = urlsplit(url).hostname
        try:
            with (
                _quiet(),
                ending_within(self.timeout),
                self._session.post(url, data=content, headers={"Accept-Encoding": "identity", **headers}, timeout=self.timeout, stream=True) as answer,
            ):
                body = answer.raw.read(LARGEST_ANSWER)
                return PostAnswer(answer.status_code, body, _seconds(answer.headers.get("Retry-After", "")))
        except requests.exceptions.SSLError:
            reason = f"the certificate of {host} is not accepted; name its authority in ca_path or REQUESTS_CA_BUNDLE, or have it renewed"
            raise NotPosted(reason, again=False) from None
        except (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError, TimeoutError):
            raise NotPosted(f"{host} gave no answer within {self.timeout:g} s", again=True) from None
        except (requests.exceptions.RequestException, OSError) as error:
            raise NotPosted(f"{host} cannot be reached: {_cause(error)}", again=True) from None
        except Exception as error:  # noqa: BLE001 - urllib3's own errors and those of http.client, whose texts may hold the address
            raise NotPosted(f"{host} gave no HTTP answer ({type(error).__name__})", again=True) from None


if REQUESTS_ERROR is None:

    class _PlainSession(requests.Session):
        """Ignores redirects: even with allow_redirects=False, requests would parse them and read their whole body."""

        def get_redirect_target(self, resp: requests.Response) -> None:
            return None


class _Quiet(logging.Filter):
    """Drops what urllib3 logs, which includes the path of an address, while this thread posts."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not getattr(_posting, "now", False)


for _name in ("urllib3.connectionpool", "urllib3.util.retry"):
    logging.getLogger(_name).addFilter(_Quiet())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    _posting.now = True
    try:
        yield
    finally:
        _posting.now = False


def _seconds(text: str) -> float:
    return float(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0.0


def _cause(error: BaseException) -> str:
    """Return the words of the operating system for a library's error, whose own words repeat the address."""
    seen: BaseException | None = error
    while seen is not None:
        error, seen = seen, seen.__cause__ or seen.__context__
    plain = isinstance(error, OSError) and not isinstance(error, requests.exceptions.RequestException)
    return printable(str(getattr(error, "strerror", "") or type(error).__name__) if plain else type(error).__name__, 120)
