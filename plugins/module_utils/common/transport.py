# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Sessions of the library requests whose exchanges end in time, and which trust the authorities that the machine trusts.

`requests` alone does neither. Its timeout begins anew with every byte that arrives, and it trusts the authorities in the
package certifi, whatever the machine's own store holds.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any

try:
    import requests
    from requests.adapters import HTTPAdapter
    from requests.utils import DEFAULT_CA_BUNDLE_PATH
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
    from urllib3.util.ssl_ import create_urllib3_context

    REQUESTS_ERROR: ImportError | None = None
except ImportError as error:
    REQUESTS_ERROR = error

# Environment variables that replace the machine's authorities for everything that uses requests, in the order in which requests reads them.
BUNDLE_ENVIRONMENT = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")

# Where distributions keep their authorities, for a Python whose OpenSSL was built for another place.
_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem")

_exchange = threading.local()


def tls_context(*, validate_certs: bool = True, ca_path: str | None = None, client_cert: str | None = None, client_key: str | None = None) -> ssl.SSLContext:
    """Return the TLS settings for a server. Raises OSError, of which ssl.SSLError is one, for a file that cannot be used.

    `ca_path` (a file or a folder) replaces all other authorities. Without it those in the file that `REQUESTS_CA_BUNDLE` names
    are trusted, or else those that OpenSSL trusts: its default store, `SSL_CERT_FILE`, `SSL_CERT_DIR`.
    """
    context: ssl.SSLContext = create_urllib3_context()
    if client_cert:
        context.load_cert_chain(client_cert, client_key)
    if not validate_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    bundle = ca_path or next((os.environ[name] for name in BUNDLE_ENVIRONMENT if os.environ.get(name)), None)
    if bundle:
        context.load_verify_locations(**{"capath" if os.path.isdir(bundle) else "cafile": bundle})
    else:
        context.load_default_certs()
        if not _has_authorities(context):
            context.load_verify_locations(next((path for path in _BUNDLES if os.path.isfile(path)), DEFAULT_CA_BUNDLE_PATH))
    return context


def _has_authorities(context: ssl.SSLContext) -> bool:
    """Return whether a context has any authority. Those in OpenSSL's folder are read only when they are needed, so they are not counted."""
    folder = ssl.get_default_verify_paths().capath
    return bool(context.cert_store_stats()["x509_ca"] or (folder and os.path.isdir(folder) and os.listdir(folder)))


def new_session(tls: ssl.SSLContext | None = None, *, connections: int = 1) -> requests.Session:
    """Return a session that keeps up to `connections` connections open. `tls` is needed for https only."""
    session = requests.Session()
    mount(session, tls, connections=connections)
    return session


def mount(session: requests.Session, tls: ssl.SSLContext | None, *, connections: int) -> None:
    """Make `session` one like those of `new_session`."""
    session.verify = tls is None or tls.verify_mode != ssl.CERT_NONE
    adapter = _Adapter(tls, pool_connections=1, pool_maxsize=connections)
    session.mount("http://", adapter)
    session.mount("https://", adapter)


@contextlib.contextmanager
def ending_within(seconds: float) -> Iterator[None]:
    """End every exchange that this thread makes inside with a timeout of requests if its answer has not arrived in full after `seconds`.

    The time for finding and reaching the server is not included: requests' own timeout bounds that.
    """
    _exchange.ends, _exchange.seconds = time.monotonic() + seconds, seconds
    try:
        yield
    finally:
        del _exchange.ends


if REQUESTS_ERROR is None:

    class _BoundedReader(io.RawIOBase):
        """The bytes of an answer, read from `raw`, until the end of the exchange."""

        def __init__(self, sock: Any, raw: Any) -> None:
            self._sock, self._raw = sock, raw

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int | None:
            ends = getattr(_exchange, "ends", None)
            if ends is None:  # closing a connection may read its rest
                found: int | None = self._raw.readinto(buffer)
                return found
            before, left = self._sock.gettimeout(), ends - time.monotonic()
            if left > 0:
                self._sock.settimeout(left)
                with contextlib.suppress(TimeoutError):
                    found = self._raw.readinto(buffer)
                    self._sock.settimeout(before)  # for the next exchange on this connection
                    return found
            raise TimeoutError(f"the answer was not complete after {_exchange.seconds:g} s")

        def close(self) -> None:
            self._raw.close()
            super().close()

    class _Response(http.client.HTTPResponse):
        def __init__(self, sock: Any, *arguments: Any, **options: Any) -> None:
            super().__init__(sock, *arguments, **options)
            self.fp = io.BufferedReader(_BoundedReader(sock, self.fp.detach()))

    class _HttpConnection(HTTPConnection):
        response_class = _Response

    class _HttpsConnection(HTTPSConnection):
        response_class = _Response

    class _HttpPool(HTTPConnectionPool):
        ConnectionCls = _HttpConnection

    class _HttpsPool(HTTPSConnectionPool):
        ConnectionCls = _HttpsConnection

    class _Adapter(HTTPAdapter):
        """Connections with the TLS settings `tls`, directly or through a proxy of the environment."""

        def __init__(self, tls: ssl.SSLContext | None, **options: Any) -> None:
            self._tls: dict[str, Any] = {} if tls is None else {"ssl_context": tls}
            super().__init__(**options)

        def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
            super().init_poolmanager(connections, maxsize, block, **{**options, **self._tls})
            self.poolmanager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}

        def proxy_manager_for(self, proxy: Any, **options: Any) -> Any:
            own = {"proxy_ssl_context": self._tls["ssl_context"]} if self._tls and not proxy.lower().startswith("socks") else {}
            manager = super().proxy_manager_for(proxy, **{**options, **self._tls, **own})
            manager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
            return manager

        def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
            """Leave out the file of REQUESTS_CA_BUNDLE, which requests puts into `verify`, and urllib3 would trust beside `ca_path`."""
            return super().build_connection_pool_key_attributes(request, bool(verify) if self._tls else verify, cert)

        def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
            """Leave out the authorities that requests would add to the TLS settings, of certifi or of REQUESTS_CA_BUNDLE."""
            if not self._tls:
                super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]
                return
            conn.cert_reqs = "CERT_REQUIRED" if verify else "CERT_NONE"
