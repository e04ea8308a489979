# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""An exchange ends in time even if the server goes on sending; the authorities of the machine are found."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator

import pytest
import requests
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import transport

START = b"HTTP/1.1 200 OK\r\n"
DRIPS = {
    "the body": (START + b"Content-Length: 100000\r\n\r\n", b"x"),
    "a body in chunks": (START + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "a body without a length": (START + b"\r\n", b"x"),
    "a header": (START + b"X-Long: ", b"x"),
    "the status line": (b"HTTP/1.1 200 ", b"O"),
    "headers": (START, b"X-Many: 1\r\n"),
}


@contextlib.contextmanager
def dripping_server(start: bytes, drop: bytes) -> Iterator[str]:
    """A server that begins its answer with `start` and then sends `drop` ten times a second, for ever."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError), listener.accept()[0] as connection:
                connection.recv(65_536)
                connection.sendall(start)
                while True:
                    connection.sendall(drop)
                    time.sleep(0.1)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("part", DRIPS)
def test_an_answer_that_drips_is_given_up_in_time(part: str) -> None:
    with dripping_server(*DRIPS[part]) as url, transport.new_session() as session:
        started = time.monotonic()
        with pytest.raises(requests.exceptions.RequestException), transport.ending_within(0.6):
            session.get(url, timeout=(0.6, 0.6))
        assert 0.5 < time.monotonic() - started < 1.5


def test_an_exchange_after_a_slow_one_on_the_same_connection_has_its_own_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with listener.accept()[0] as connection:
                for wait in (0.5, 0.5, 0.5):
                    connection.recv(65_536)
                    time.sleep(wait)
                    connection.sendall(START + b"Content-Length: 2\r\n\r\nok")

        threading.Thread(target=serve, daemon=True).start()
        with transport.new_session() as session:
            for _exchange in range(3):
                with transport.ending_within(0.9):
                    assert session.get(f"http://127.0.0.1:{listener.getsockname()[1]}/", timeout=0.9).text == "ok"


# ---------------------------------------------------------------------------------------------------------- authorities
def test_a_python_whose_openssl_has_no_authorities_finds_those_of_the_distribution(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", f"{tmp_path}/none.pem")
    monkeypatch.setenv("SSL_CERT_DIR", f"{tmp_path}/none")
    assert transport.tls_context().cert_store_stats()["x509_ca"] > 10


def test_unchecked_certificates() -> None:
    context = transport.tls_context(validate_certs=False)
    assert context.verify_mode == ssl.CERT_NONE and not context.check_hostname
    assert transport.tls_context().verify_mode == ssl.CERT_REQUIRED


def test_a_session_without_tls_settings_checks_certificates_as_requests_does() -> None:
    assert transport.new_session().verify is True
    assert transport.new_session(transport.tls_context(validate_certs=False)).verify is False
