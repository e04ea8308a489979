# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Clients that take their time: many at once, against a portal that others use meanwhile."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import requests
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import IN_COLD_RUNS
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services import tls
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.portal import ADMIN, PortalFactory, PortalProcess, running_portal

MOST = 40
SECONDS = 2.0
BOUND = 10.0
"""Seconds beyond a limit that a busy machine may take to see it."""
ASKING = b"POST /api/request-key HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalProcess]:
    """One portal for all that clients do to it here: it must stand the next one as well."""
    folder = tmp_path_factory.mktemp("slow")
    limits = {"PORTAL_MOST_CONNECTIONS": str(MOST), "PORTAL_HEADER_SECONDS": str(SECONDS), "PORTAL_BODY_SECONDS": str(SECONDS)}
    with running_portal(folder, LITELLM_KEY_REQUESTS_DIR=str(folder / "requests"), **limits) as running:
        yield running


@pytest.fixture
def clients(portal: PortalProcess) -> Iterator[Clients]:
    with ExitStack() as stack:
        yield Clients(portal.url, stack)


class Clients:
    """Connections to the portal, which end with the test."""

    def __init__(self, url: str, stack: ExitStack) -> None:
        host, port = url.partition("://")[2].split(":")
        self.address = host, int(port)
        self._stack = stack

    def connect(self, content: bytes = b"") -> socket.socket:
        connection = self._stack.enter_context(socket.create_connection(self.address, timeout=SECONDS + BOUND))
        connection.sendall(content)
        return connection


def answered(connection: socket.socket) -> bytes:
    """Return everything that the portal sends until it closes the connection."""
    found = b""
    with suppress(ConnectionError):
        while part := connection.recv(65_536):
            found += part
    return found


def serves_others(portal: PortalProcess) -> None:
    began = time.monotonic()
    assert requests.get(f"{portal.url}/api/models", timeout=SECONDS + BOUND).json() == {"models": []}
    assert portal.call("GET", "/api/admin/requests", auth=ADMIN) == []
    assert time.monotonic() - began < BOUND


def test_headers_that_come_one_at_a_time(portal: PortalProcess, clients: Clients) -> None:
    connection = clients.connect(b"GET /api/models HTTP/1.1\r\n")
    began = time.monotonic()
    with suppress(ConnectionError):
        while time.monotonic() - began < SECONDS + BOUND:
            connection.sendall(b"X-Slow: 1\r\n")
            time.sleep(0.2)
    assert SECONDS / 2 < time.monotonic() - began < SECONDS + BOUND, "however often it sends something"
    serves_others(portal)


def test_a_second_call_that_comes_slowly(clients: Clients) -> None:
    """uvicorn's own limit for idle connections ends with the first byte of the next call."""
    connection = clients.connect(b"GET /api/models HTTP/1.1\r\nHost: x\r\n\r\n")
    assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
    began = time.monotonic()
    connection.sendall(b"GET /api/models HTTP/1.1\r\n")
    answered(connection)
    assert time.monotonic() - began < SECONDS + BOUND


def test_a_connection_that_says_nothing(clients: Clients) -> None:
    began = time.monotonic()
    assert answered(clients.connect()) == b""
    assert time.monotonic() - began < SECONDS + BOUND


def test_more_connections_than_there_may_be(portal: PortalProcess, clients: Clients) -> None:
    """Those that wait longest make room, so nobody else gets the 503 that uvicorn would answer."""
    silent = [clients.connect(b"GET / HTTP/1.1\r\n") for _number in range(3 * MOST)]
    assert portal.call("GET", "/api/models") == {"models": []}
    assert all(answered(connection) == b"" for connection in silent)


def test_bodies_that_never_end(portal: PortalProcess, clients: Clients) -> None:
    """They are calls, so they do not make room; those beyond the limit are refused until they are given up."""
    slow = [clients.connect(ASKING) for _number in range(MOST - 5)]
    serves_others(portal)
    assert {answered(connection)[:12] for connection in slow} == {b"HTTP/1.1 408"}
    serves_others(portal)


def test_headers_without_end(portal: PortalProcess, clients: Clients) -> None:
    for content in (b"GET / HTTP/1.1\r\nX-Long: " + b"x" * 1_000_000, b"GET /" + b"x" * 1_000_000, b"GET / HTTP/1.1\r\n" + b"X-A: 1\r\n" * 50_000):
        connection = clients.connect()
        with suppress(ConnectionError):
            connection.sendall(content)
        assert answered(connection)[:12] in (b"HTTP/1.1 400", b"")
    serves_others(portal)


def test_calls_in_a_row_without_waiting(portal: PortalProcess, clients: Clients) -> None:
    """Pipelining: each is answered, in order, and what follows a call that is refused is not taken for a call."""
    before = portal.memory()
    call = b"GET /api/models HTTP/1.1\r\nHost: x\r\n\r\n"
    connection = clients.connect(call * 200 + call.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert answered(connection).count(b"HTTP/1.1 200 OK") == 201
    large = ASKING.replace(b"1000", b"20000000") + call * 1000
    connection = clients.connect()
    with suppress(ConnectionError):
        connection.sendall(large)
    found = answered(connection)
    assert found.count(b"HTTP/1.1 ") <= 1 and found[:12] in (b"HTTP/1.1 413", b"")
    assert portal.memory() - before < 20
    serves_others(portal)


def test_who_does_not_read_the_answer(portal: PortalProcess, clients: Clients) -> None:
    """The rest of many answers waits in the connection, and not in the portal."""
    before = portal.memory()
    call = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
    for _number in range(10):
        connection = clients.connect()
        connection.settimeout(0.2)
        with suppress(OSError):
            connection.sendall(call * 5_000)
    serves_others(portal)
    assert portal.memory() - before < 30


@IN_COLD_RUNS
def test_a_start_of_tls_that_stops(run_portal: PortalFactory, tmp_path: Path) -> None:
    folder = tls.server_files(tmp_path)
    files = {"PORTAL_TLS_CERTIFICATE_FILE": str(folder / "server.crt"), "PORTAL_TLS_KEY_FILE": str(folder / "server.key")}
    portal = run_portal(**files)
    with ExitStack() as stack:
        connection = Clients(portal.url, stack).connect(b"\x16\x03\x01")
        connection.settimeout(10 + BOUND)
        began = time.monotonic()
        answered(connection)
        assert time.monotonic() - began < 10 + BOUND, "asyncio's own limit is a minute"


def test_requests_that_another_program_has_locked(run_portal: PortalFactory, tmp_path: Path) -> None:
    """More calls hang than the portal has threads. Each is answered in time, and all works again once the lock is gone."""
    portal = run_portal(PORTAL_ANSWER_SECONDS="1", PORTAL_LISTING_SECONDS="0")
    request_id = portal.ask("ada@company.com")
    lock = os.open(tmp_path / "requests" / ".lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with ExitStack() as stack:
        body = b'{"llm": "granite", "email": "bob@company.com"}'
        head = b"POST /api/request-key HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        clients = Clients(portal.url, stack)
        began = time.monotonic()
        hanging = [clients.connect(head + body) for _number in range(60)]
        answers = [answered(connection) for connection in hanging]
        assert {answer[:12] for answer in answers} == {b"HTTP/1.1 503"} and time.monotonic() - began < 1 + BOUND
        assert all(b"retry-after: 5" in answer.lower() for answer in answers)
        page = requests.get(f"{portal.url}/admin/{request_id}", auth=ADMIN, headers={"Accept": "text/html", "Accept-Language": "de"}, timeout=BOUND)
        assert page.status_code == 503 and 'lang="de"' in page.text
        assert portal.call("GET", "/health")["components"]["store"]["status"] == "up", "it can be read"
        os.close(lock)
    deadline = time.monotonic() + BOUND
    while requests.post(f"{portal.url}/api/admin/requests/{request_id}/approve", auth=ADMIN, timeout=BOUND).status_code == 503:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert {entry["email"] for entry in portal.call("GET", "/api/admin/requests?filter=all", auth=ADMIN)} == {"ada@company.com", "bob@company.com"}
